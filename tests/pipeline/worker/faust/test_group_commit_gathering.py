"""Under load small record sets are processed together; when the worker is idle an event does not wait."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from deploy.testbed.records import PlainRecord
from pipeline.worker.faust import group_commit
from pipeline.worker.faust.group_commit import BUSY_RECORDS, ENOUGH_RECORDS, GroupCommit
from pipeline.worker.faust.partition_batch import PartitionBatch
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
    """How many records each batch held, while `feed` adds its events."""
    worked: list[int] = []

    async def work(batch: list[PartitionBatch]) -> set[int]:
        worked.append(sum(len(records) for _, records in batch))
        return set()

    async def run() -> list[int]:
        commit = GroupCommit(App(), "t", work)
        await commit.start()
        await asyncio.wait_for(feed(commit, worked), 30)
        await commit.stop()
        return worked

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0)


def test_after_a_large_batch_small_sets_are_processed_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 60.0)

    async def feed(commit: GroupCommit, worked: list[int]) -> None:
        await commit.add(AnEvent(BUSY_RECORDS))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 1)
        for _ in range(ENOUGH_RECORDS // 70 + 1):
            await commit.add(AnEvent(70))  # type: ignore[arg-type]
            await asyncio.sleep(0)
        await until(lambda: len(worked) == 2)

    assert batches_of(feed) == [BUSY_RECORDS, (ENOUGH_RECORDS // 70 + 1) * 70]


def test_after_a_large_batch_the_next_one_waits_no_longer_than_the_limit() -> None:
    async def feed(commit: GroupCommit, worked: list[int]) -> None:
        await commit.add(AnEvent(BUSY_RECORDS))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 1)
        await commit.add(AnEvent(1))  # type: ignore[arg-type]
        await until(lambda: len(worked) == 2)

    assert batches_of(feed) == [BUSY_RECORDS, 1]


def test_an_event_does_not_wait_when_the_worker_is_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "GATHER_SECONDS", 3600.0)

    async def feed(commit: GroupCommit, worked: list[int]) -> None:
        for number in range(3):
            await commit.add(AnEvent(1))  # type: ignore[arg-type]
            await until(lambda wanted=number + 1: len(worked) == wanted)  # type: ignore[misc]

    assert batches_of(feed) == [1, 1, 1]
