"""Under load small sets are worked together; at rest nobody waits."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.worker.faust import group_commit as room
from pipeline.worker.faust.group_commit import BUSY_RECORDS, FEW_RECORDS, GroupCommit
from pipeline.worker.faust.partition_batch import PartitionBatch, PlainRecord
from pipeline.worker.faust.record_sets import RecordSet


class App:
    consumer_generation_id = 1


class Message:
    topic, partition = "t", 0
    generation_id = 1

    def __init__(self, count: int) -> None:
        self.value = RecordSet("t", 0, [PlainRecord(number, 0, b"k", b"v") for number in range(count)], 0, count)


class AnEvent:
    def __init__(self, count: int) -> None:
        self.message = Message(count)

    def acknowledge(self) -> None:
        """As a real event's."""


def batches_of(feed: Callable[[GroupCommit, list[int]], Any]) -> list[int]:
    """How many records each batch held, while `feed` gives a cycle its events."""
    worked: list[int] = []

    async def work(batch: list[PartitionBatch]) -> set[int]:
        worked.append(sum(len(portion.records) for portion in batch))
        return set()

    async def run() -> list[int]:
        cycle = GroupCommit(App(), "t", work)
        await cycle.start()
        await asyncio.wait_for(feed(cycle, worked), 30)
        await cycle.stop()
        return worked

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_after_a_large_batch_small_sets_are_worked_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "GATHER_SECONDS", 60.0)

    async def feed(cycle: GroupCommit, worked: list[int]) -> None:
        await cycle.add(AnEvent(BUSY_RECORDS))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 1)
        for _ in range(FEW_RECORDS // 70 + 1):
            await cycle.add(AnEvent(70))  # type: ignore[arg-type]
            await asyncio.sleep(0)
        await until(lambda: len(worked) == 2)

    assert batches_of(feed) == [BUSY_RECORDS, (FEW_RECORDS // 70 + 1) * 70]


def test_after_a_large_batch_the_next_waits_no_longer_than_it_was_told() -> None:
    async def feed(cycle: GroupCommit, worked: list[int]) -> None:
        await cycle.add(AnEvent(BUSY_RECORDS))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 1)
        await cycle.add(AnEvent(1))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 2)

    assert batches_of(feed) == [BUSY_RECORDS, 1]


def test_at_rest_an_event_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "GATHER_SECONDS", 3600.0)

    async def feed(cycle: GroupCommit, worked: list[int]) -> None:
        for number in range(3):
            await cycle.add(AnEvent(1))  # type: ignore[arg-type]
            await until(lambda wanted=number + 1: len(worked) == wanted)  # type: ignore[misc]

    assert batches_of(feed) == [1, 1, 1]
