"""The spine on real parts: what the store holds equals the independent reference, whatever is killed on the way."""

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition

from pipeline.simulation.practice import PracticeParameters, simulate
from schemas.topics import EVENTS
from tests.oracle.compare import actual_store, differences
from tests.oracle.reference import expected_store
from tests.support.kafka import Kafka
from tests.support.processes import Processes
from tests.support.system import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka


def practice(weeks: int, seed: int) -> list[dict[str, object]]:
    """Simulated events in their order of arrival, with duplicates, corrections, withdrawals and late ones."""
    simulation = simulate(
        PracticeParameters(
            seed=seed,
            weeks=weeks,
            first_day=datetime(2026, 1, 5, tzinfo=UTC),
            therapist_checkins=True,
            duplicated_share=0.01,
            corrected_share=0.01,
            withdrawn_share=0.005,
            late_share=0.01,
        )
    )
    return [simulation.events[index] for index in simulation.delivery]


def log_of(bootstrap: str) -> list[tuple[bytes | None, bytes | None, int]]:
    """Key, value and timestamp of every record on the events topic."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    partitions = [TopicPartition(EVENTS, one) for one in consumer.partitions_for_topic(EVENTS)]
    consumer.assign(partitions)
    consumer.seek_to_beginning(*partitions)
    ends = consumer.end_offsets(partitions)
    records: list[tuple[bytes | None, bytes | None, int]] = []
    while any(consumer.position(one) < end for one, end in ends.items()):
        for batch in consumer.poll(timeout_ms=500).values():
            records.extend((one.key, one.value, one.timestamp) for one in batch)
    consumer.close()
    return records


def assert_equals_the_reference(system: System, distinct: int) -> None:
    """Wait until everything has gone through, then compare row for row."""
    wait_until(
        lambda: system.accepted_in_summaries() >= distinct,
        180,
        lambda: f"{distinct} in the summaries; {system.accepted_in_summaries()}, {system.counts()}\n{system.logs()}",
    )
    expected = expected_store(log_of(system.bootstrap))
    found: list[str] = []

    def is_equal() -> bool:
        engine = system.engine()
        found[:] = differences(expected, actual_store(engine))
        engine.dispose()
        return not found

    wait_until(is_equal, 30, lambda: "the store to equal the reference:\n" + "\n".join(found))


def wait_for_events(system: System, wanted: float) -> None:
    wait_until(lambda: system.counts().get("events", 0) >= wanted, 120, lambda: f"{wanted} events; {system.counts()}")


def distinct_of(events: list[dict[str, object]]) -> int:
    return len({(event["subject"], event["source"], event["id"]) for event in events})


def test_the_store_equals_the_reference_though_worker_and_store_are_killed_five_times(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=12, seed=11)
    assert len(events) >= 20_000
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store")
    chance = random.Random(5)
    fifth = len(events) // 5
    for turn in range(5):
        system.send(events[turn * fifth : (turn + 1) * fifth if turn < 4 else len(events)])
        wanted = 0.8 * chance.randrange(turn * fifth + 1, (turn + 1) * fifth)
        wait_for_events(system, wanted)
        for room in ("worker", "store"):
            system.kill(room)
        system.start("worker", "store")
    assert_equals_the_reference(system, distinct_of(events))


@pytest.mark.postgres
def test_the_store_on_postgresql_equals_the_reference(
    broker_of_my_own: Kafka, postgres_url: str, processes: Processes
) -> None:
    events = practice(weeks=12, seed=12)
    assert len(events) >= 20_000
    system = System(processes, broker_of_my_own.bootstrap, postgres_url)
    system.create_topics().start("worker", "store")
    system.send(events)
    assert_equals_the_reference(system, distinct_of(events))


def test_two_workers_share_the_partitions_and_one_goes_on_alone_when_the_other_is_killed(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=3, seed=13)
    half = len(events) // 2
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store").wait_until_well("worker", "store")
    system.send(events[: half // 2])
    with System(processes, broker_of_my_own.bootstrap, system.database).second_worker(system) as other:
        system.send(events[half // 2 : half])
        wait_until(
            lambda: sum(other.metric("worker", "alliance_events_total").values()) > 0,
            90,
            lambda: f"the second worker to do its share\n{other.logs()}",
        )
        system.kill("worker")
        system.send(events[half:])
        wait_for_events(system, distinct_of(events))
        assert_equals_the_reference(system, distinct_of(events))
