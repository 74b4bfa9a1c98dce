"""API keys of the gateway, stored hashed.

In: a file with one `NAME sha256:HEX` in each line. Out: the name of the sender who has a key, or None.
Never: keep, log or compare a key in plain text; repeat a line of the file in an error.

A key is 32 random bytes, which cannot be guessed, so one round of SHA-256 is enough. A name may have several lines. To
replace a key, an operator adds a line for the new one and removes the old line once the sender has changed over.
"""

import hashlib
import hmac
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE = re.compile(rf"({_NAME.pattern})\s+sha256:([0-9a-f]{{64}})")


class KeysError(Exception):
    """The file of keys cannot be used; the message says why and what to do."""


def make_key(name: str) -> tuple[str, str]:
    """A new key, and its line for the file of keys."""
    if not _NAME.fullmatch(name):
        raise KeysError(
            "Choose another name for the sender: 1 to 64 letters, digits, dots, dashes and underscores, first a "
            "letter or a digit."
        )
    key = secrets.token_urlsafe(32)
    return key, f"{name} sha256:{_hashed(key)}"


class Keys:
    """The keys of everyone who may send."""

    def __init__(self, names: dict[str, str]) -> None:
        """`names`: the sender's name for each hashed key."""
        self._names = names

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """From a file; raises `KeysError`."""
        names: dict[str, str] = {}
        for number, line in enumerate(_lines(path), start=1):
            if not line.strip() or line.startswith("#"):
                continue
            parts = _LINE.fullmatch(line.strip())
            if parts is None:
                raise KeysError(
                    f"{path}, line {number}: not `NAME sha256:HEX`. Make the line with `alliance key NAME`."
                )
            if parts[2] in names:
                raise KeysError(f"{path}, line {number}: this key is there twice. Remove one of its lines.")
            names[parts[2]] = parts[1]
        if not names:
            raise KeysError(f"{path} holds no key. Add a line made with `alliance key NAME`.")
        return cls(names)

    def sender(self, key: str) -> str | None:
        """The name behind a key."""
        hashed = _hashed(key)
        for known, name in self._names.items():
            if hmac.compare_digest(known, hashed):
                return name
        return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KeysError(
            f"The file of API keys cannot be read ({error.strerror}): {path}. Set ALLIANCE_API_KEYS to a readable file."
        ) from None
    except UnicodeDecodeError:
        raise KeysError(f"{path} is not UTF-8 text. Make its lines with `alliance key NAME`.") from None


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
