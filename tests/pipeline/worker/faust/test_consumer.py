"""The consumer: what Faust skipped is fetched again and never committed past; partitions pause and resume."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import SubscriptionState
from faust.types import TP

from pipeline.worker.faust.committable_offsets import CommittableOffsets
from pipeline.worker.faust.consumer import NOT_FETCHED_YET, RecordSetConsumer, use_record_sets
from pipeline.worker.faust.record_sets import RecordSet

PLACE = TP("in-sets", 0)
OTHER = TP("in-sets", 1)
CHANGELOG = TP("a-changelog", 0)


class Log:
    """A partition whose fetches from 5 and from 9 end at 9 and at 12; remembers the offsets that were sought.

    Kafka has deleted what was before `beginning`; as with aiokafka, a fetch from there begins at the beginning.
    """

    FETCHES: Mapping[int, int] = {5: 9, 9: 12}

    def __init__(self, place: TP, position: int) -> None:
        self.place = place
        self.position = position
        self.sought: list[int] = []
        self.beginning = 0

    async def earliest_offsets(self, *places: TP) -> dict[TP, int]:
        return dict.fromkeys(places, self.beginning)

    async def getmany(self, active_partitions: set[TP] | None, timeout: float) -> dict[TP, list[RecordSet]]:
        self.position = max(self.position, self.beginning)
        start, end = self.position, self.FETCHES.get(self.position)
        if end is None:
            return {}
        self.position = end
        return {self.place: [RecordSet(self.place.topic, self.place.partition, [], start, end)]}

    async def seek_wait(self, places: Mapping[TP, int]) -> None:
        self.position = places[self.place]
        self.sought.append(self.position)


@asynccontextmanager
async def a_consumer(log: Log, position: int | None = None) -> AsyncIterator[Any]:
    """A consumer of this log; `position` is what is committed, None before the seek that follows an assignment."""
    app = faust.App("internals", broker="kafka://127.0.0.1:1", web_enabled=False, store="memory://")
    use_record_sets(app, delivered=[PLACE.topic], recovered=[CHANGELOG.topic])
    consumer: Any = app.consumer
    assert isinstance(consumer, RecordSetConsumer)
    consumer._thread.getmany = log.getmany
    consumer._thread.seek_wait = log.seek_wait
    consumer._thread.earliest_offsets = log.earliest_offsets
    app.rebalancing_count = consumer._assigned_in = 1
    consumer.highwater = lambda place: 0
    consumer.assignment = lambda: {log.place}
    # Without an active partition Faust would wait for a second.
    consumer._active_partitions = {log.place, OTHER}
    if position is not None:
        consumer._offsets[log.place] = CommittableOffsets(position)
    yield consumer
    # It was never started, so nothing else closes it.
    consumer._thread.thread_loop.close()


async def delivered_by(consumer: Any, rounds: int) -> list[tuple[int, int]]:
    """The sets that reach agents in this many rounds of fetching, each acknowledged."""
    delivered = []
    for _ in range(rounds):
        async for _, message in consumer.getmany(1.0):
            delivered.append((message.value.start, message.value.end))
            consumer.ack(message)
    return delivered


def committed_by(consumer: Any) -> Any:
    """What would be committed now."""
    return consumer._filter_committable_offsets([PLACE])


def test_sets_in_turn_are_delivered_and_committed() -> None:
    async def run() -> None:
        log = Log(PLACE, 5)
        async with a_consumer(log, position=5) as consumer:
            assert await delivered_by(consumer, rounds=3) == [(5, 9), (9, 12)]
            assert committed_by(consumer) == {PLACE: 12}
            assert log.sought == []

    asyncio.run(run())


def test_a_set_beyond_the_committed_offset_is_not_delivered_but_the_one_before_it_is_fetched() -> None:
    async def run() -> None:
        log = Log(PLACE, 9)
        async with a_consumer(log, position=5) as consumer:
            assert await delivered_by(consumer, rounds=1) == []
            assert await delivered_by(consumer, rounds=2) == [(5, 9), (9, 12)]
            assert committed_by(consumer) == {PLACE: 12}
            assert log.sought == [5]

    asyncio.run(run())


def test_the_last_set_before_a_quiet_time_is_fetched_again_if_faust_skipped_it() -> None:
    async def run() -> None:
        log = Log(PLACE, 5)
        async with a_consumer(log, position=5) as consumer:
            assert await delivered_by(consumer, rounds=1) == [(5, 9)]
            consumer.pause_partitions({PLACE})
            assert await delivered_by(consumer, rounds=1) == []
            assert log.position == 12, "fetched"
            assert await delivered_by(consumer, rounds=1) == []
            assert log.sought == [], "a paused partition is not fetched again yet"
            consumer.resume_partitions({PLACE})
            assert await delivered_by(consumer, rounds=1) == [(9, 12)]
            assert committed_by(consumer) == {PLACE: 12}

    asyncio.run(run())


def begin_again(consumer: Any, committed: int) -> None:
    """Let the broker answer with this offset when Faust seeks to what is committed."""

    async def seek_to_committed() -> dict[TP, int]:
        await consumer._thread.seek_wait({PLACE: committed})
        return {PLACE: committed}

    consumer.seek_to_committed = seek_to_committed


def test_after_an_assignment_agents_are_given_nothing_before_faust_has_emptied_their_queues() -> None:
    async def run() -> None:
        log = Log(PLACE, 9)
        async with a_consumer(log) as consumer:
            begin_again(consumer, committed=5)
            consumer.app.in_recovery = True
            consumer.resume_flow()
            assert await delivered_by(consumer, rounds=1) == [], "while changelogs are read"
            consumer.app.in_recovery = False
            await consumer.perform_seek()
            assert await delivered_by(consumer, rounds=1) == []
            assert log.position == 9, "fetched"
            consumer.resume_flow()
            assert await delivered_by(consumer, rounds=2) == [(5, 9), (9, 12)]
            assert committed_by(consumer) == {PLACE: 12}

    asyncio.run(run())


@pytest.mark.parametrize("begins", ["before the seek", "after the seek"])
def test_a_recovery_that_ends_when_the_next_rebalance_has_begun_gives_agents_nothing(begins: str) -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 5)) as consumer:
            begin_again(consumer, committed=5)
            consumer.app.rebalancing_count += begins == "before the seek"
            await consumer.perform_seek()
            consumer.app.rebalancing_count += begins == "after the seek"
            consumer.resume_flow()
            assert await delivered_by(consumer, rounds=1) == []

    asyncio.run(run())


def test_nothing_of_an_earlier_assignment_stays() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 5)) as consumer:
            consumer._offsets[OTHER] = CommittableOffsets(3)
            begin_again(consumer, committed=5)
            await consumer.perform_seek()
            consumer.resume_flow()
            assert consumer._offsets.keys() == {PLACE}

    asyncio.run(run())


def test_records_that_kafka_deleted_unread_are_logged_and_the_rest_is_delivered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        log = Log(PLACE, 5)
        log.beginning = 9
        async with a_consumer(log, position=5) as consumer:
            assert await delivered_by(consumer, rounds=2) == [(9, 12)]
            assert committed_by(consumer) == {PLACE: 12}

    asyncio.run(run())
    assert (
        "now begins at offset 9, after this worker's position 5: Kafka deleted 4 records before they were read"
        in caplog.text
    )


def test_a_worker_without_partitions_stays_in_the_group() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 12), position=12) as consumer:
            asked: list[Any] = []

            async def call_thread(act: Any) -> None:
                asked.append(act)

            async def sleep(seconds: float) -> None:
                """Faust's pause when it has nothing to fetch."""

            consumer._thread.call_thread, consumer.sleep = call_thread, sleep
            await delivered_by(consumer, rounds=1)
            assert asked == []
            consumer._active_partitions.clear()
            await delivered_by(consumer, rounds=1)
            assert asked == [consumer._stay_a_member]
            subscriptions = SubscriptionState()
            subscriptions._last_fetch_ended = -1e9
            fetcher = SimpleNamespace(_subscriptions=subscriptions)
            consumer._thread._ensure_consumer = lambda: SimpleNamespace(_fetcher=fetcher)
            await consumer._stay_a_member()
            assert subscriptions.fetcher_idle_time < 1e9

    asyncio.run(run())


def test_a_worker_that_the_group_removed_knows_it() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 12)) as consumer:
            coordinator = SimpleNamespace(member_id="m-1", generation=4, request_rejoin=lambda: None)
            consumer._thread._ensure_consumer = lambda: SimpleNamespace(_coordinator=coordinator)
            assert not consumer.has_lost_membership()
            GroupCoordinator.reset_generation(coordinator)
            assert consumer.has_lost_membership()

    asyncio.run(run())


def test_a_recovery_gets_a_changelog_without_a_gap_from_where_it_sought() -> None:
    async def run() -> None:
        log = Log(CHANGELOG, 9)
        async with a_consumer(log) as consumer:
            assert await delivered_by(consumer, rounds=1) == [], "no recovery has begun"
            await consumer.seek_wait({CHANGELOG: 5})
            log.position = 9
            assert await delivered_by(consumer, rounds=3) == [(5, 9), (9, 12)]

    asyncio.run(run())


def test_a_paused_partition_resumes_from_the_given_offset_although_more_was_delivered() -> None:
    async def run() -> None:
        log = Log(PLACE, 5)
        async with a_consumer(log, position=5) as consumer:
            assert await delivered_by(consumer, rounds=2) == [(5, 9), (9, 12)]
            consumer.pause(PLACE)
            assert PLACE in consumer._paused_partitions
            consumer.resume_from(PLACE, 5)
            assert PLACE in consumer._paused_partitions, "not while a fetched message may still be delivered"
            assert await delivered_by(consumer, rounds=2) == [(5, 9), (9, 12)]
            assert log.sought == [5]
            assert PLACE not in consumer._paused_partitions

    asyncio.run(run())


def test_a_partition_that_went_to_another_worker_does_not_resume_here() -> None:
    async def run() -> None:
        log = Log(PLACE, 12)
        async with a_consumer(log, position=5) as consumer:
            consumer.assignment = set
            consumer._active_partitions.discard(PLACE)
            consumer.resume_from(PLACE, 5)
            assert await delivered_by(consumer, rounds=1) == []
            assert log.sought == []
            assert PLACE not in consumer._active_partitions

    asyncio.run(run())


def test_a_partition_lags_until_all_is_acknowledged_and_not_while_it_is_paused() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 5), position=5) as consumer:
            consumer.highwater = lambda place: 12
            assert consumer.lagging_positions() == {PLACE: 5}
            async for _, message in consumer.getmany(1.0):
                assert consumer.lagging_positions() == {PLACE: 5}, "delivered is not acknowledged"
                consumer.ack(message)
            committed_by(consumer)
            assert consumer.lagging_positions() == {PLACE: 9}
            consumer.pause(PLACE)
            assert consumer.lagging_positions() == {}
            consumer.resume_partitions({PLACE})
            await delivered_by(consumer, rounds=1)
            committed_by(consumer)
            assert consumer.lagging_positions() == {}

    asyncio.run(run())


def test_a_partition_lags_from_its_assignment_until_it_is_fetched() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 5)) as consumer:
            assert consumer.lagging_positions() == {PLACE: NOT_FETCHED_YET}
            begin_again(consumer, committed=5)
            await consumer.perform_seek()
            consumer.resume_flow()
            assert consumer.lagging_positions() == {}

    asyncio.run(run())


def test_a_partition_that_goes_to_another_worker_at_this_moment_does_not_lag() -> None:
    async def run() -> None:
        async with a_consumer(Log(PLACE, 5), position=5) as consumer:

            def highwater(place: TP) -> int:
                raise AssertionError("Partition is not assigned")

            consumer.highwater = highwater
            assert consumer.lagging_positions() == {}

    asyncio.run(run())


def test_delivery_begins_at_the_committed_offset_or_where_the_log_now_begins(caplog: pytest.LogCaptureFixture) -> None:
    places = [TP(PLACE.topic, number) for number in range(3)]
    committed = {places[0]: 7, places[1]: 7, places[2]: None}
    beginnings = {places[0]: 3, places[1]: 9, places[2]: 4}

    async def seek_to_committed() -> dict[TP, int | None]:
        return committed

    async def earliest_offsets(*asked: TP) -> dict[TP, int]:
        return {place: beginnings[place] for place in asked}

    async def run() -> dict[TP, int]:
        async with a_consumer(Log(PLACE, 0)) as consumer:
            consumer.seek_to_committed = seek_to_committed
            consumer.earliest_offsets = earliest_offsets
            consumer.assignment = lambda: {*places, CHANGELOG}
            await consumer.perform_seek()
            consumer.resume_flow()
            return {place: offsets.next_start for place, offsets in consumer._offsets.items()}

    assert asyncio.run(run()) == {places[0]: 7, places[1]: 9, places[2]: 4}
    assert "partition 1 now begins at offset 9, after this worker's position 7: Kafka deleted 2 records" in caplog.text
    assert caplog.text.count("Kafka deleted") == 1
