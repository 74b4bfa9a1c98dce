"""API keys of the gateway, stored hashed.

In: a file with one `NAME sha256:HEX` a line. Out: the name of the sender whose key it is, or None.
Never: keep, log or compare a key in the clear.

A key is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess.
"""

import hashlib
import hmac
import secrets
from pathlib import Path


class KeysError(Exception):
    """The file of keys is not usable; the message says why and what to do."""


def make_key(name: str) -> tuple[str, str]:
    """A new key and the line to put into the file."""
    key = secrets.token_urlsafe(32)
    return key, f"{name} sha256:{_hashed(key)}"


class Keys:
    """The keys that may send."""

    def __init__(self, hashes: dict[str, str]) -> None:
        self._hashes = hashes

    @classmethod
    def read(cls, path: Path) -> "Keys":
        """From a file; raises `KeysError`."""
        try:
            lines = path.read_text().splitlines()
        except OSError as error:
            raise KeysError(
                f"The file of API keys cannot be read ({error.strerror}): {path}. Set ALLIANCE_API_KEYS."
            ) from None
        hashes: dict[str, str] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.startswith("#"):
                continue
            name, _, hashed = line.strip().partition(" sha256:")
            if len(hashed) != 64:
                raise KeysError(f"{path}, line {number}: not `NAME sha256:HEX`. Make a line with `alliance key NAME`.")
            hashes[hashed] = name
        if not hashes:
            raise KeysError(f"{path} holds no key. Add a line made with `alliance key NAME`.")
        return cls(hashes)

    def sender(self, key: str) -> str | None:
        """The name behind a key."""
        hashed = _hashed(key)
        for known, name in self._hashes.items():
            if hmac.compare_digest(known, hashed):
                return name
        return None


def _hashed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
