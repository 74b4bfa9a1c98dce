"""A paused partition is not acknowledged and not fetched; when it is resumed, it is fetched again from its first event
that was not acknowledged."""

import asyncio
from collections.abc import Set
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from deploy.testbed.records import PlainRecord
from pipeline.worker.faust.group_commit import GroupCommit
from pipeline.worker.faust.partition_batch import PartitionBatch
from pipeline.worker.faust.record_sets import RecordSet


class Consumer:
    """Remembers what it was asked to do."""

    def __init__(self) -> None:
        self.paused: list[TP] = []
        self.resumed: list[tuple[TP, int]] = []

    def pause(self, tp: TP) -> None:
        self.paused.append(tp)

    def resume_from(self, tp: TP, offset: int) -> None:
        self.resumed.append((tp, offset))


class Event:
    """A record set of one record, as an agent gets it."""

    def __init__(self, partition: int, offset: int, generation_id: int = 1) -> None:
        self.acknowledged = False
        records = [PlainRecord(offset, 1000, b"x", b"x")]
        record_set = RecordSet("in", partition, list(records), offset, offset + 1)
        self.message = SimpleNamespace(topic="in", partition=partition, value=record_set, generation_id=generation_id)

    def acknowledge(self) -> None:
        self.acknowledged = True


class Bench:
    """A group commit whose work pauses chosen partitions, with a consumer that only remembers."""

    def __init__(self) -> None:
        self.consumer = Consumer()
        self.app = SimpleNamespace(consumer=self.consumer, consumer_generation_id=1)
        self.pauses: Set[int] = frozenset()
        self.worked: list[list[tuple[int, int]]] = []
        self.commit = GroupCommit(self.app, "test", self._work)

    async def _work(self, batch: list[PartitionBatch]) -> Set[int]:
        self.worked.append([(partition, record.offset) for partition, records in batch for record in records])
        return self.pauses

    async def process(self, *events: Any) -> None:
        """Gather these events and run the group commit until it is idle again."""
        done = len(self.worked)
        for event in events:
            await self.commit.add(event)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            running = group.create_task(self.commit._run(self.commit))
            while len(self.worked) == done:
                await asyncio.sleep(0)
            async with self.commit.idle_lock:
                running.cancel()


def test_a_paused_partition_is_not_acknowledged_and_the_others_continue() -> None:
    async def run() -> None:
        bench, unacknowledged, other = Bench(), [Event(3, 7), Event(3, 8)], Event(4, 1)
        bench.pauses = {3}
        await bench.process(*unacknowledged, other)
        assert [event.acknowledged for event in (*unacknowledged, other)] == [False, False, True]
        assert bench.consumer.paused == [TP("in", 3)]
        assert bench.consumer.resumed == []

    asyncio.run(run())


def test_a_resumed_partition_begins_at_the_first_event_that_was_not_acknowledged() -> None:
    async def run() -> None:
        bench = Bench()
        bench.pauses = {3}
        await bench.process(Event(3, 7), Event(3, 8))
        await bench.process(Event(3, 9))
        bench.commit.resume(4)
        assert bench.consumer.resumed == []
        bench.commit.resume(3)
        bench.commit.resume(3)
        assert bench.consumer.resumed == [(TP("in", 3), 7)]
        assert bench.consumer.paused == [TP("in", 3)]

    asyncio.run(run())


def test_events_fetched_before_the_resume_are_skipped_until_the_partition_begins_again() -> None:
    async def run() -> None:
        bench, stale, again = Bench(), Event(3, 9), [Event(3, 7), Event(3, 8)]
        bench.pauses = {3}
        await bench.process(Event(3, 7), Event(3, 8))
        bench.pauses = frozenset()
        bench.commit.resume(3)
        await bench.process(stale, *again)
        assert bench.worked[1:] == [[(3, 7), (3, 8)]]
        assert [event.acknowledged for event in (stale, *again)] == [False, True, True]

    asyncio.run(run())


def test_after_a_rebalance_nothing_is_paused() -> None:
    async def run() -> None:
        bench = Bench()
        bench.pauses = {3}
        await bench.process(Event(3, 7))
        await bench.commit.on_partitions_revoked()
        bench.commit.resume(3)
        assert bench.consumer.resumed == []

    asyncio.run(run())


def test_between_two_assignments_no_batch_begins() -> None:
    async def run() -> None:
        bench = Bench()
        late: Any = Event(3, 7)
        await bench.commit.on_partitions_revoked()
        await bench.commit.add(late)
        running = asyncio.ensure_future(bench.commit._run(bench.commit))
        while bench.commit._gathered:
            await asyncio.sleep(0)
        async with bench.commit.idle_lock:
            assert (bench.worked, late.acknowledged) == ([], False)
        running.cancel()
        bench.commit.on_partitions_assigned()
        await bench.process(Event(3, 7))
        assert bench.worked == [[(3, 7)]]

    asyncio.run(run())
