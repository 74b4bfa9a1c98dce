"""The consumer of record sets: what comes out of turn is fetched again, and no commit passes over it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import faust
from faust.types import TP

from pipeline.edge.progress import Progress
from pipeline.edge.record_sets import RecordSet
from pipeline.edge.transport import SetConsumer, use_record_sets

PLACE = TP("in-sets", 0)


@asynccontextmanager
async def a_consumer(fetched: list[tuple[int, int]], position: int | None = None) -> AsyncIterator[Any]:
    """A consumer that fetches these sets whatever it seeks to; `position` is what is committed."""
    app = faust.App("seams", broker="kafka://127.0.0.1:1", web_enabled=False, store="memory://")
    use_record_sets(app, delivered=[PLACE.topic], recovered=[])
    consumer: Any = app.consumer
    assert isinstance(consumer, SetConsumer)
    consumer.sought = []

    async def records(timeout: float) -> tuple[dict[TP, list[RecordSet]], set[TP]]:
        return {PLACE: [RecordSet(PLACE.topic, PLACE.partition, [], start, end) for start, end in fetched]}, {PLACE}

    async def seek_wait(places: dict[TP, int]) -> None:
        consumer.sought.extend(places.values())

    consumer._wait_next_records = records
    consumer.highwater = lambda place: 0
    consumer.seek_wait = seek_wait
    consumer.flow_active = True
    if position is not None:
        consumer._progress[PLACE] = Progress(position)
    yield consumer
    # Never started, so nobody else closes it.
    consumer._thread.thread_loop.close()


def outcome_of(fetched: list[tuple[int, int]], position: int | None) -> dict[str, object]:
    """The sets that reach agents, all of them acknowledged, what was sought, what is committed."""

    async def run() -> dict[str, object]:
        async with a_consumer(fetched, position) as consumer:
            delivered = []
            async for _, message in consumer.getmany(1.0):
                delivered.append((message.value.start, message.value.end))
                consumer.ack(message)
            committed = consumer._filter_committable_offsets([PLACE])
            return {"delivered": delivered, "sought": consumer.sought, "committed": committed}

    return asyncio.run(run())


def test_sets_in_turn_are_delivered_and_committed() -> None:
    assert outcome_of([(5, 9), (9, 12)], position=5) == {
        "delivered": [(5, 9), (9, 12)],
        "sought": [],
        "committed": {PLACE: 12},
    }


def test_after_a_seek_a_set_beyond_the_committed_offset_is_not_delivered() -> None:
    assert outcome_of([(9, 12), (5, 9), (9, 12)], position=5) == {
        "delivered": [(5, 9), (9, 12)],
        "sought": [5],
        "committed": {PLACE: 12},
    }


def test_a_set_that_was_passed_over_is_fetched_again_before_the_next() -> None:
    assert outcome_of([(5, 9), (12, 20), (9, 12)], position=5) == {
        "delivered": [(5, 9), (9, 12)],
        "sought": [9],
        "committed": {PLACE: 12},
    }


def test_before_the_seek_that_follows_an_assignment_nothing_is_committed() -> None:
    assert outcome_of([(9, 12)], position=None) == {"delivered": [(9, 12)], "sought": [], "committed": {}}


def test_a_stopped_partition_goes_on_from_where_it_is_told_although_more_was_delivered() -> None:
    async def run() -> None:
        async with a_consumer([(5, 9), (9, 12)], position=5) as consumer:
            consumer.assignment = lambda: {PLACE}
            delivered = [message.value.start async for _, message in consumer.getmany(1.0)]
            consumer.stop_taking(PLACE)
            assert PLACE in consumer._paused_partitions
            consumer.go_on(PLACE, 5)
            assert PLACE in consumer._paused_partitions, "not while something may still be under way"
            delivered += [message.value.start async for _, message in consumer.getmany(1.0)]
            assert delivered == [5, 9, 5, 9]
            assert consumer.sought == [5]
            assert PLACE not in consumer._paused_partitions

    asyncio.run(run())


def test_a_partition_that_went_to_another_worker_does_not_go_on_here() -> None:
    async def run() -> None:
        async with a_consumer([], position=5) as consumer:
            consumer.assignment = set
            consumer.go_on(PLACE, 5)
            assert [one async for one in consumer.getmany(1.0)] == []
            assert consumer.sought == []
            assert PLACE not in consumer._active_partitions

    asyncio.run(run())


def test_progress_begins_at_what_is_committed_or_where_the_log_begins_now() -> None:
    places = [TP(PLACE.topic, number) for number in range(3)]
    committed = {places[0]: 7, places[1]: 7, places[2]: None}
    beginnings = {places[0]: 3, places[1]: 9, places[2]: 4}

    async def seek_to_committed() -> dict[TP, int | None]:
        return committed

    async def earliest_offsets(*asked: TP) -> dict[TP, int]:
        return {place: beginnings[place] for place in asked}

    async def run() -> dict[TP, int]:
        async with a_consumer([]) as consumer:
            consumer.seek_to_committed = seek_to_committed
            consumer.earliest_offsets = earliest_offsets
            consumer.assignment = lambda: {*places, TP("a-changelog", 0)}
            await consumer.perform_seek()
            return {place: one.wanted for place, one in consumer._progress.items()}

    assert asyncio.run(run()) == {places[0]: 7, places[1]: 9, places[2]: 4}
