"""The seam into aiokafka: what was fetched of one partition at once becomes one record.

In: the topics to be fetched so, and later the broker's answers. Out: one `RecordSet` where aiokafka would give a
thousand records; the batch builders of its producer.
Never: skip a check that aiokafka makes (checksums, aborted transactions, control records); touch other topics.

aiokafka has no public way to do this: its fetcher unpacks an answer with the classes `MemoryRecords` and
`PartitionRecords`, which are replaced here by their heirs. They also read records that aiokafka refuses for the name
of a header. A test compares what both make of the same bytes and fails loudly when a new version moves the seam.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import MemoryRecords, _MemoryRecordsPy

from pipeline.runtime.header_names import LenientBytes
from pipeline.worker.faust.partition_batch import KafkaRecord

_topics: set[str] = set()


@dataclass(frozen=True, slots=True, eq=False)
class RecordSet:
    """Everything fetched of one partition at once, in the shape of a record.

    `start` is where the fetch began, `end` where the next one begins, so that sets lie end to end: what compaction or a
    control batch left out lies in between, and a set may hold no record at all.
    """

    topic: str
    partition: int
    records: list[KafkaRecord]
    start: int
    end: int
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None
    timestamp_type: int = 0
    serialized_key_size: int = 0
    serialized_value_size: int = 0

    @property
    def offset(self) -> int:
        """The last one that is over with, by which Faust knows how far recovery has come."""
        return self.end - 1

    @property
    def timestamp(self) -> int:
        """Of the last record, in milliseconds; 0 without one."""
        return self.records[-1].timestamp if self.records else 0

    @property
    def value(self) -> "RecordSet":
        """Itself: what Faust hands to the agent."""
        return self


class RecordsWithBytes(MemoryRecords):  # type: ignore[misc]
    """An answer that still knows its bytes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A record batch that is read to its end whatever the names of its headers (`pipeline.runtime.header_names`)."""

    _buffer: bytearray

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer = LenientBytes(self._buffer)
        return self


class _LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """An answer of such batches; slow. Batches of Kafka's older formats know no headers."""

    def next_batch(self) -> Any:
        batch = self._next_slice
        if batch is None or batch[self.MAGIC_OFFSET] < 2:
            return super().next_batch()
        self._cache_next()
        return _LenientBatch(batch)


class RecordSetPartitionRecords(PartitionRecords):  # type: ignore[misc]
    """Unpacks an answer as its parent does; for the chosen topics it gives all of it at once."""

    def __init__(self, tp: Any, records: Any, aborted_transactions: Any, fetch_offset: int, *others: Any) -> None:
        self._answer = records, aborted_transactions, fetch_offset, others
        super().__init__(tp, records, aborted_transactions, fetch_offset, *others)

    def _unpack_records(self) -> Iterator[Any]:
        if self._tp.topic not in _topics:
            yield from super()._unpack_records()
            return
        start = self.next_fetch_offset
        try:
            records = list(super()._unpack_records())
        except UnicodeDecodeError:
            records = self._unpack_leniently()
        if self.next_fetch_offset > start:
            yield RecordSet(self._tp.topic, self._tp.partition, records, start, self.next_fetch_offset)

    def _unpack_leniently(self) -> list[Any]:
        records, aborted_transactions, fetch_offset, others = self._answer
        once_more = PartitionRecords(
            self._tp, _LenientRecords(records.data), aborted_transactions, fetch_offset, *others
        )
        unpacked = list(once_more)
        self.next_fetch_offset = once_more.next_fetch_offset
        return unpacked

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if tp.topic in _topics else super()._consumer_record(tp, record)


def fetch_as_sets(topics: Iterable[str]) -> None:
    """From now on, in this process, these topics are fetched as record sets."""
    _topics.update(topics)
    fetcher.MemoryRecords = RecordsWithBytes
    fetcher.PartitionRecords = RecordSetPartitionRecords
