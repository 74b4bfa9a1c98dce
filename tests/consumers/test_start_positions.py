"""Seeking to the sink's positions while Kafka takes partitions away."""

from collections.abc import Mapping, Sequence
from threading import Event

import pytest
from kafka import TopicPartition

from consumers.sink import ConsumerRecord
from consumers.start_positions import StartPositions
from pipeline.runtime.health import Health


class AtThree:
    """A sink at position 3 in every partition."""

    part = "database"

    def positions(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        return dict.fromkeys(partitions, 3)

    def write(self, records: Sequence[ConsumerRecord]) -> None:
        raise AssertionError("nothing is written here")

    def skip(self, partition: TopicPartition, position: int, beginning: int) -> None:
        raise AssertionError("nothing is skipped here")


class Rebalanced:
    """A consumer that lost partition 0 while its position was being read."""

    def __init__(self) -> None:
        self.sought: list[TopicPartition] = []

    def assignment(self) -> set[TopicPartition]:
        return {TopicPartition("t", 1)}

    def end_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 9)

    def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, 0)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        if partition not in self.assignment():
            raise ValueError("Unassigned partition")
        self.sought.append(partition)


def test_after_a_rebalance_while_it_seeks_it_seeks_in_the_new_partitions() -> None:
    positions, consumer = StartPositions(AtThree(), Health("t"), Event(), accepts_gap=False), Rebalanced()
    again = positions.seek(consumer, [TopicPartition("t", 0), TopicPartition("t", 1)])
    assert again == [TopicPartition("t", 1)]
    assert positions.seek(consumer, again) is None
    assert consumer.sought == [TopicPartition("t", 1)]


def test_a_seek_that_fails_without_a_rebalance_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rebalanced, "seek", lambda self, partition, offset: int("nonsense"))
    positions = StartPositions(AtThree(), Health("t"), Event(), accepts_gap=False)
    with pytest.raises(ValueError, match="nonsense"):
        positions.seek(Rebalanced(), [TopicPartition("t", 1)])
