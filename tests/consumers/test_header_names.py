"""kafka-python reads every record, whatever the names of its headers."""

from collections.abc import Iterator

import pytest
from kafka.errors import CorruptRecordError
from kafka.record import memory_records
from kafka.record.memory_records import MemoryRecords

from consumers.header_names import LenientRecordBatch, accept_any_header_name
from tests.support.header_names import a_batch_with_a_name_that_is_no_utf8


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(memory_records, "DefaultRecordBatch", memory_records.DefaultRecordBatch)
    accept_any_header_name()
    yield


def read(data: bytes) -> list[tuple[int, bytes, list[tuple[str, bytes]]]]:
    return [(record.offset, record.value, record.headers) for batch in MemoryRecords(data) for record in batch]


@pytest.mark.parametrize("compression", [0, 1])
def test_a_name_that_is_not_utf8_is_read_as_far_as_it_can_be(lenient: None, compression: int) -> None:
    data = a_batch_with_a_name_that_is_no_utf8(first=7, compression=compression)
    assert isinstance(MemoryRecords(data).next_batch(), LenientRecordBatch)
    assert read(data) == [
        (7, b"\xff{", []),
        (8, b"\xff{", [("x\\xff\\xfe", b"1")]),
        (9, b"\xff{", [("né", b"2")]),
    ]


def test_kafka_python_alone_fails_there() -> None:
    with pytest.raises(CorruptRecordError, match="UnicodeDecodeError"):
        read(a_batch_with_a_name_that_is_no_utf8(first=7))
