"""The position of the store's sink, and that it moves only from the value that was read."""

from pathlib import Path

import pytest
from kafka import TopicPartition
from sqlalchemy import insert

from consumers.sink import PositionConflict
from consumers.store import tables
from consumers.store.database import migrate, open_engine
from consumers.store.sink import StoreSink
from schemas.instruments.registry import load_instruments
from schemas.topics import EVENTS

PLACE, OTHER = TopicPartition(EVENTS, 0), TopicPartition(EVENTS, 1)


@pytest.fixture
def sink(tmp_path: Path) -> StoreSink:
    """At position 7 in both partitions."""
    engine = open_engine(f"sqlite:///{tmp_path}/store.sqlite")
    migrate(engine)
    with engine.begin() as connection:
        for place in (PLACE, OTHER):
            row = {"topic": place.topic, "partition": place.partition, "next_offset": 7}
            connection.execute(insert(tables.positions).values(row))
    return StoreSink(engine, load_instruments(None))


def test_after_a_gap_the_position_is_the_beginning_of_the_topic_in_that_partition_alone(sink: StoreSink) -> None:
    sink.skip(PLACE, 7, 20)
    assert sink.positions([PLACE, OTHER]) == {PLACE: 20, OTHER: 7}


def test_a_gap_is_not_skipped_if_another_store_has_moved_the_position(sink: StoreSink) -> None:
    with pytest.raises(PositionConflict):
        sink.skip(PLACE, 6, 20)
    assert sink.positions([PLACE]) == {PLACE: 7}
