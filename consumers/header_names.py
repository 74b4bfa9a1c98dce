"""Makes kafka-python read a record whose header has a name that is not UTF-8, as it reads any other record.

In: kafka-python's reader of record batches. Out: a subclass in its place.
Never: a different result for a record that kafka-python can read by itself.
"""

from typing import Any

from kafka.record import memory_records
from kafka.record.default_records import DefaultRecordBatch

from pipeline.runtime.header_names import LenientBytes


class LenientRecordBatch(DefaultRecordBatch):  # type: ignore[misc]
    """Reads a record as its parent does, and once more, leniently, if the name of a header stops the parent."""

    #: Private to kafka-python: what is left to read. There is no public way to read a header's name as bytes.
    _buffer: bytearray

    def _read_msg(self) -> Any:
        try:
            return super()._read_msg()
        except UnicodeDecodeError:
            self._buffer = LenientBytes(self._buffer)
            return super()._read_msg()


def accept_any_header_name() -> None:
    """From now on, for all consumers of this process."""
    memory_records.DefaultRecordBatch = LenientRecordBatch
