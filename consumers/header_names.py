"""The seam into kafka-python: a record whose header has a name that is not UTF-8 is read like any other.

In: nothing. Out: kafka-python's own reader of record batches, replaced by an heir.
Never: read differently what kafka-python can read.
"""

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

from pipeline.runtime.header_names import LenientBytes


class ForgivingRecordBatch(DefaultRecordBatch):  # type: ignore[misc]
    """Reads a record as its parent does, and once more, forgivingly, where that ends at the name of a header."""

    _buffer: bytearray

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = LenientBytes(self._buffer)
            return super()._read_msg()


def forgive_header_names() -> None:
    """From now on, in this process."""
    memory_records.DefaultRecordBatch = ForgivingRecordBatch
