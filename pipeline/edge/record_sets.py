"""The seam into aiokafka: what was fetched of one partition at once becomes one record.

In: the topics to be fetched so, and later the broker's answers. Out: one `RecordSet` where aiokafka would give a
thousand records; the batch builders of its producer.
Never: skip a check that aiokafka makes (checksums, aborted transactions, control records); touch other topics.

aiokafka has no public way to do this: its fetcher unpacks an answer with the class `PartitionRecords`, which is
replaced here by one of its heirs. A test compares what both make of the same bytes and fails loudly when a new version
moves the seam.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.consumer.fetcher import PartitionRecords

from pipeline.edge.portions import Fetched

_topics: set[str] = set()


@dataclass(frozen=True, slots=True, eq=False)
class RecordSet:
    """Everything fetched of one partition at once, in the shape of a record.

    `start` is where the fetch began, `end` where the next one begins, so that sets lie end to end: what compaction or a
    control batch left out lies in between, and a set may hold no record at all.
    """

    topic: str
    partition: int
    records: list[Fetched]
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


class SetOfPartitionRecords(PartitionRecords):  # type: ignore[misc]
    """Unpacks an answer as its parent does; for the chosen topics it gives all of it at once."""

    def _unpack_records(self) -> Iterator[Any]:
        if self._tp.topic not in _topics:
            yield from super()._unpack_records()
            return
        start = self.next_fetch_offset
        records = list(super()._unpack_records())
        if self.next_fetch_offset > start:
            yield RecordSet(self._tp.topic, self._tp.partition, records, start, self.next_fetch_offset)

    def _consumer_record(self, tp: Any, record: Any) -> Any:
        return record if tp.topic in _topics else super()._consumer_record(tp, record)


def fetch_as_sets(topics: Iterable[str]) -> None:
    """From now on, in this process, these topics are fetched as record sets."""
    _topics.update(topics)
    fetcher.PartitionRecords = SetOfPartitionRecords
