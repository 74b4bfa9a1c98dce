"""Records whose headers have names that the client libraries would not send."""

from typing import Any

from kafka.record.default_records import DefaultRecordBatchBuilder


class OddName(str):
    """A name that is sent as these bytes: `x`, and two that are no UTF-8."""

    def encode(self, *_: Any) -> bytes:
        return b"x\xff\xfe"


def a_batch_with_a_name_that_is_no_utf8(first: int, compression: int = 0) -> bytes:
    """A record batch of three, the first with this offset: no header, an odd name, a name that is UTF-8."""
    builder = DefaultRecordBatchBuilder(2, compression, 0, -1, -1, -1, 10**6)
    for number, headers in enumerate(([], [(OddName("xyz"), b"1")], [("né", b"2")])):
        builder.append(number, 1_700_000_000_000, b"k", b"\xff{", headers)
    raw = bytearray(builder.build())
    raw[0:8] = first.to_bytes(8, "big")
    return bytes(raw)
