"""Names of record headers that are not UTF-8.

In: the bytes of a record batch that a client could not read for such a name. Out: the same bytes, read as far as they
can be: what is no UTF-8 stands as `\\xff`.
Never: touch keys, values or the values of headers; know one of the clients.

Kafka takes any bytes for a name, and clients send them; aiokafka and kafka-python end at such a record, and at it again
after each restart. Both cut a name out of a `bytearray` and decode that, which is where this steps in.
"""

from typing import Any


class LenientBytes(bytearray):
    """A `bytearray` whose pieces are decoded without ever refusing."""

    def __getitem__(self, place: Any) -> Any:
        piece = super().__getitem__(place)
        return LenientBytes(piece) if isinstance(place, slice) else piece

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The text, with `\\xff` for a byte that is none."""
        return super().decode(encoding, "backslashreplace")
