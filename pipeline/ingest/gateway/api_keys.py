"""API keys of the gateway, stored hashed.

In: a file with one `NAME sha256:HEX` a line. Out: the name of the sender whose key it is, or None.
Never: keep, log or compare a key in the clear; repeat a line of the file in an error.

A key is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess. A name may have several lines:
a new key is added, the sender changes over, the old line is removed.
"""

import hashlib
import hmac
import re
import secrets
from pathlib import Path

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LINE = re.compile(rf"({_NAME.pattern})\s+sha256:([0-9a-f]{{64}})")


class KeysError(Exception):
    """The file of keys is not usable; the message says why and what to do."""


def make_key(name: str) -> tuple[str, str]:
    """A new key and the line to put into the file."""
    if not _NAME.fullmatch(name):
        raise KeysError("A sender's name has letters, digits, dots, dashes and underscores, at most 64 of them.")
    key = secrets.token_urlsafe(32)
    return key, f"{name} sha256:{_hashed(key)}"


class Keys:
    """The keys that may send."""

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
                raise KeysError(f"{path}, line {number}: not `NAME sha256:HEX`. Make a line with `alliance key NAME`.")
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
            f"The file of API keys cannot be read ({error.strerror}): {path}. Set ALLIANCE_API_KEYS to one that can."
        ) from None
    except UnicodeDecodeError:
        raise KeysError(f"{path} is not text in UTF-8. Make its lines with `alliance key NAME`.") from None


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
