"""Record sets hold what aiokafka would have given one by one, and nothing else."""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest
from aiokafka.consumer import fetcher
from aiokafka.errors import CorruptRecordException
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.structs import TopicPartition

from pipeline.worker.faust import record_sets
from pipeline.worker.faust.record_sets import RecordSet, RecordSetPartitionRecords, RecordsWithBytes, fetch_as_sets
from tests.support.header_names import a_batch_with_a_name_that_is_no_utf8

PARTITION = TopicPartition("in-sets", 3)
ONE_BY_ONE = fetcher.PartitionRecords


@pytest.fixture(autouse=True)
def fetching_as_sets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(fetcher, "PartitionRecords", ONE_BY_ONE)
    monkeypatch.setattr(fetcher, "MemoryRecords", fetcher.MemoryRecords)
    monkeypatch.setattr(record_sets, "_topics", set())
    fetch_as_sets([PARTITION.topic])
    yield


def a_batch(first: int, count: int, *, compression: int = 0, **settings: Any) -> bytes:
    """A record batch whose first record has this offset."""
    builder = DefaultRecordBatchBuilder(
        2, compression, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=10**6
    )
    for number in range(count):
        builder.append(
            number,
            1_700_000_000_000 + first + number,
            key=b"k%d" % number,
            value=None if number == 1 else b"v%d" % (first + number),
            headers=[("h", b"x")],
        )
    raw = bytearray(builder.build())
    raw[0:8] = first.to_bytes(8, "big")
    if settings.get("is_control"):
        raw[21:23] = (0x20).to_bytes(2, "big")
    return bytes(raw)


def unpacked(kind: Any, data: bytes, fetch_offset: int, check_crcs: bool = False) -> tuple[list[Any], int]:
    """What is given for the bytes of an answer, and where the next fetch begins."""
    records = kind(PARTITION, RecordsWithBytes(data), [], fetch_offset, None, None, check_crcs, 0)
    return list(records), records.next_fetch_offset


ANSWERS = {
    "one batch": (a_batch(10, 5), 10),
    "several batches, one compressed": (a_batch(10, 5) + a_batch(15, 3, compression=1) + a_batch(18, 1), 10),
    "a fetch from the middle of a batch": (a_batch(10, 5), 12),
    "offsets that compaction removed": (a_batch(10, 5) + a_batch(40, 2), 10),
    "a control batch between and after": (
        a_batch(10, 2) + a_batch(12, 1, is_control=True) + a_batch(13, 2) + a_batch(15, 1, is_control=True),
        10,
    ),
    "nothing but a control batch": (a_batch(10, 1, is_control=True), 10),
    "nothing": (b"", 10),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_set_holds_what_aiokafka_gives_one_by_one(name: str) -> None:
    data, fetch_offset = ANSWERS[name]
    one_by_one, next_offset = unpacked(ONE_BY_ONE, data, fetch_offset)
    sets, end = unpacked(RecordSetPartitionRecords, data, fetch_offset)
    assert end == next_offset
    assert len(sets) == (1 if next_offset > fetch_offset else 0)
    for record_set in sets:
        assert (record_set.start, record_set.end, record_set.partition, record_set.topic) == (
            fetch_offset,
            next_offset,
            3,
            "in-sets",
        )
        assert record_set.offset == next_offset - 1
        assert record_set.timestamp == (one_by_one[-1].timestamp if one_by_one else 0)
        assert [
            (record.offset, record.timestamp, record.key, record.value, tuple(record.headers))
            for record in record_set.records
        ] == [(record.offset, record.timestamp, record.key, record.value, record.headers) for record in one_by_one]


@pytest.mark.parametrize("compression", [0, 1])
def test_a_header_whose_name_is_not_utf8_is_read_with_the_rest(compression: int) -> None:
    odd = a_batch_with_a_name_that_is_no_utf8(first=15, compression=compression)
    data = a_batch(10, 5) + odd + a_batch(18, 1)
    with pytest.raises(UnicodeDecodeError):
        unpacked(ONE_BY_ONE, data, 12)
    (record_set,), end = unpacked(RecordSetPartitionRecords, data, 12, check_crcs=True)
    assert (record_set.start, record_set.end, end) == (12, 19, 19)
    assert [record.offset for record in record_set.records] == [12, 13, 14, 15, 16, 17, 18]
    assert [tuple(record.headers) for record in record_set.records[3:6]] == [
        (),
        (("x\\xff\\xfe", b"1"),),
        (("né", b"2"),),
    ]
    assert [(record.key, record.value) for record in record_set.records[3:6]] == [(b"k", b"\xff{")] * 3


def test_a_broken_checksum_is_not_accepted() -> None:
    data = bytearray(a_batch(10, 5))
    data[-1] ^= 1
    with pytest.raises(CorruptRecordException):
        unpacked(RecordSetPartitionRecords, bytes(data), 10, check_crcs=True)


def test_other_topics_are_given_one_by_one() -> None:
    records = RecordSetPartitionRecords(
        TopicPartition("other", 0), RecordsWithBytes(a_batch(0, 3)), [], 0, None, None, False, 0
    )
    assert not any(isinstance(record, RecordSet) for record in records)


def test_the_fetcher_unpacks_with_the_class_that_is_replaced() -> None:
    assert fetcher.PartitionRecords is RecordSetPartitionRecords
    assert fetcher.MemoryRecords is RecordsWithBytes
    source = inspect.getsource(fetcher.Fetcher._proc_fetch_request)
    assert "MemoryRecords(part_data[-1])" in source
    assert "PartitionRecords(" in source
    assert "for msg in self._partition_records" in inspect.getsource(fetcher.FetchResult.getall)
    assert list(inspect.signature(ONE_BY_ONE.__init__).parameters)[:5] == [
        "self",
        "tp",
        "records",
        "aborted_transactions",
        "fetch_offset",
    ]
