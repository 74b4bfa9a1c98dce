"""Record sets: everything that was fetched of one partition at once becomes one record.

In: the topics to fetch like this; the broker's answers. Out: one `RecordSet` where aiokafka would give a thousand
records.
Never: skip a check that aiokafka makes (checksums, aborted transactions, control records); change other topics.

aiokafka has no public way to do this. Its fetcher unpacks an answer with the classes `MemoryRecords` and
`PartitionRecords`; here both are replaced by subclasses. The subclasses also read records that aiokafka refuses because
of the name of a header. A test compares what both make of the same bytes, and fails if a new version of aiokafka works
in another way.
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

#: For the whole process, since the fetcher's classes are the process's.
_topics: set[str] = set()


@dataclass(frozen=True, slots=True, eq=False)
class RecordSet:
    """Everything fetched of one partition at once, with the attributes of one aiokafka record.

    `start` is where the fetch began, `end` where the next fetch begins, so each set begins where the one before ended.
    Offsets that compaction or a control batch left out are between the two; a set may hold no record at all.
    """

    topic: str
    partition: int
    records: list[KafkaRecord]
    start: int
    end: int
    # Faust reads the rest from every record; a set has no use for it.
    key: None = None
    headers: tuple[()] = ()
    checksum: None = None
    timestamp_type: int = 0
    serialized_key_size: int = 0
    serialized_value_size: int = 0

    @property
    def offset(self) -> int:
        """The last offset of the set: Faust compares it with the end of a changelog to see if recovery is complete."""
        return self.end - 1

    @property
    def timestamp(self) -> int:
        """That of the last record, in milliseconds; 0 if there is no record."""
        return self.records[-1].timestamp if self.records else 0

    @property
    def value(self) -> "RecordSet":
        """The set itself: Faust hands a record's value to the agent."""
        return self


class RecordsWithBytes(MemoryRecords):  # type: ignore[misc]
    """A broker's answer that keeps its bytes, so that it can be unpacked a second time."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.data = data


class _LenientBatch(_DefaultRecordBatchPy):  # type: ignore[misc]
    """A record batch that can be read whatever the names of its headers are (`pipeline.runtime.header_names`)."""

    # Private: the uncompressed bytes, from which the parent cuts and decodes each header's name. Only the pure Python
    # batch reads them from an attribute; the compiled one cannot be changed.
    _buffer: bytearray

    def __iter__(self) -> Any:
        super().__iter__()
        self._buffer = LenientBytes(self._buffer)
        return self


class _LenientRecords(_MemoryRecordsPy):  # type: ignore[misc]
    """An answer made of such batches. Slow, so only used after the fast way failed."""

    def next_batch(self) -> Any:
        # Private: `_next_slice` holds the bytes of the next batch and `_cache_next` moves to the one after it. The
        # parent's `next_batch` does the same, and makes a batch of another class.
        batch = self._next_slice
        # Record format 2 is the first that has headers.
        if batch is None or batch[self.MAGIC_OFFSET] < 2:
            return super().next_batch()
        self._cache_next()
        return _LenientBatch(batch)


class RecordSetPartitionRecords(PartitionRecords):  # type: ignore[misc]
    """Unpacks an answer as its parent does, and gives the records of the chosen topics all at once."""

    def __init__(self, tp: Any, records: Any, aborted_transactions: Any, fetch_offset: int, *others: Any) -> None:
        self._answer = records, aborted_transactions, fetch_offset, others
        super().__init__(tp, records, aborted_transactions, fetch_offset, *others)

    def _unpack_records(self) -> Iterator[Any]:
        # Private: aiokafka's fetcher iterates over this; overriding it is what makes one record of many.
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
        lenient = PartitionRecords(self._tp, _LenientRecords(records.data), aborted_transactions, fetch_offset, *others)
        unpacked = list(lenient)
        self.next_fetch_offset = lenient.next_fetch_offset
        return unpacked

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        # Private: makes a ConsumerRecord of each record; the records of a set do not need one.
        return record if tp.topic in _topics else super()._consumer_record(tp, record)


def fetch_as_sets(topics: Iterable[str]) -> None:
    """From now on, these topics are fetched as record sets everywhere in this process."""
    _topics.update(topics)
    fetcher.MemoryRecords = RecordsWithBytes
    fetcher.PartitionRecords = RecordSetPartitionRecords
