"""What a cycle keeps: not acknowledged, no more of it taken, fetched again from its beginning once it is woken."""

import asyncio
from collections.abc import Set
from types import SimpleNamespace
from typing import Any

from faust.types import TP

from pipeline.worker.faust.group_commit import GroupCommit
from pipeline.worker.faust.partition_batch import PartitionBatch


class Consumer:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.stopped: list[TP] = []
        self.gone_on: list[tuple[TP, int]] = []

    def pause(self, tp: TP) -> None:
        self.stopped.append(tp)

    def go_on(self, tp: TP, offset: int) -> None:
        self.gone_on.append((tp, offset))


class Event:
    """One record, as an agent gets it."""

    def __init__(self, partition: int, offset: int, generation_id: int = 1) -> None:
        self.acknowledged = False
        self.message = SimpleNamespace(
            topic="in", partition=partition, offset=offset, generation_id=generation_id, timestamp=1.0
        )
        self.message.key = self.message.value = b"x"
        self.message.headers = []

    def acknowledge(self) -> None:
        self.acknowledged = True


class Bench:
    """A cycle that keeps chosen partitions, beside a consumer that only notes."""

    def __init__(self) -> None:
        self.consumer = Consumer()
        self.app = SimpleNamespace(consumer=self.consumer, consumer_generation_id=1)
        self.keeps: Set[int] = frozenset()
        self.worked: list[list[tuple[int, int]]] = []
        self.cycle = GroupCommit(self.app, "test", self._work)

    async def _work(self, batch: list[PartitionBatch]) -> Set[int]:
        self.worked.append([(one.partition, record.offset) for one in batch for record in one.records])
        return self.keeps

    async def carry_out(self, *events: Any) -> None:
        """Gather these events and let the cycle work until it is at rest again."""
        done = len(self.worked)
        for event in events:
            await self.cycle.add(event)
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            running = group.create_task(self.cycle._run(self.cycle))
            while len(self.worked) == done:
                await asyncio.sleep(0)
            async with self.cycle.at_rest:
                running.cancel()


def test_a_kept_partition_is_not_acknowledged_and_stops_and_the_others_go_on() -> None:
    async def run() -> None:
        bench, kept, other = Bench(), [Event(3, 7), Event(3, 8)], Event(4, 1)
        bench.keeps = {3}
        await bench.carry_out(*kept, other)
        assert [event.acknowledged for event in (*kept, other)] == [False, False, True]
        assert bench.consumer.stopped == [TP("in", 3)]
        assert bench.consumer.gone_on == []

    asyncio.run(run())


def test_a_woken_partition_goes_on_from_the_first_event_that_was_kept() -> None:
    async def run() -> None:
        bench = Bench()
        bench.keeps = {3}
        await bench.carry_out(Event(3, 7), Event(3, 8))
        await bench.carry_out(Event(3, 9))
        bench.cycle.wake(4)
        assert bench.consumer.gone_on == []
        bench.cycle.wake(3)
        bench.cycle.wake(3)
        assert bench.consumer.gone_on == [(TP("in", 3), 7)]
        assert bench.consumer.stopped == [TP("in", 3)]

    asyncio.run(run())


def test_what_was_under_way_before_waking_is_left_out_until_the_partition_begins_again() -> None:
    async def run() -> None:
        bench, stale, again = Bench(), Event(3, 9), [Event(3, 7), Event(3, 8)]
        bench.keeps = {3}
        await bench.carry_out(Event(3, 7), Event(3, 8))
        bench.keeps = frozenset()
        bench.cycle.wake(3)
        await bench.carry_out(stale, *again)
        assert bench.worked[1:] == [[(3, 7), (3, 8)]]
        assert [event.acknowledged for event in (stale, *again)] == [False, True, True]

    asyncio.run(run())


def test_after_a_rebalance_nothing_is_kept() -> None:
    async def run() -> None:
        bench = Bench()
        bench.keeps = {3}
        await bench.carry_out(Event(3, 7))
        await bench.cycle.settle()
        bench.cycle.wake(3)
        assert bench.consumer.gone_on == []

    asyncio.run(run())


def test_between_two_assignments_nothing_is_begun() -> None:
    async def run() -> None:
        bench = Bench()
        late: Any = Event(3, 7)
        await bench.cycle.settle()
        await bench.cycle.add(late)
        running = asyncio.ensure_future(bench.cycle._run(bench.cycle))
        while bench.cycle._gathered:
            await asyncio.sleep(0)
        async with bench.cycle.at_rest:
            assert (bench.worked, late.acknowledged) == ([], False)
        running.cancel()
        bench.cycle.open()
        await bench.carry_out(Event(3, 7))
        assert bench.worked == [[(3, 7)]]

    asyncio.run(run())
