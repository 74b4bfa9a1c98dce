"""Names of record headers that are not UTF-8.

In: the bytes of a record batch that a Kafka client could not read because of such a name. Out: the same bytes, in which
every name can be decoded: a byte that is not UTF-8 becomes `\\xff`.
Never: change keys, values or the values of headers; depend on one of the clients.

Kafka accepts any bytes as a name, and clients send them. aiokafka and kafka-python stop at such a record, and again
after each restart. Both cut the name out of a `bytearray` and decode the piece; this class changes that step.
"""

from typing import Any


class LenientBytes(bytearray):
    """A `bytearray` whose pieces can always be decoded."""

    def __getitem__(self, place: Any) -> Any:
        piece = super().__getitem__(place)
        return LenientBytes(piece) if isinstance(place, slice) else piece

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The text, with `\\xff` for a byte that is not valid."""
        return super().decode(encoding, "backslashreplace")
