"""Sending: simulated time that never overtakes real time, and a feeder that waits for the pipeline."""

import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from kafka import KafkaConsumer

from alliance.demo import feed
from alliance.demo.broker import API_VERSION, EmbeddedBroker
from alliance.demo.feed import FastClock, Feeder
from alliance.demo.plan import PlannedRecord
from deploy.testbed.kafka import subscribe
from deploy.testbed.waiting import wait_until
from pipeline.runtime.kafka_clients import make_producer
from pipeline.runtime.settings import Settings
from schemas.topics import EVENTS

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
STARTED = NOW - timedelta(days=28)
CLOCK = FastClock(STARTED, NOW, days_per_second=0.1)


def test_a_day_passes_in_ten_seconds() -> None:
    assert CLOCK.at(NOW) == STARTED
    assert CLOCK.at(NOW + timedelta(seconds=10)) == STARTED + timedelta(days=1)


@pytest.mark.parametrize("seconds", [0, 100, 279, 280, 281, 3600, 10**9])
@pytest.mark.parametrize("days_per_second", [0.001, 0.1, 100.0])
def test_simulated_time_never_overtakes_real_time_and_then_is_real_time(seconds: int, days_per_second: float) -> None:
    clock, real_time = FastClock(STARTED, NOW, days_per_second), NOW + timedelta(seconds=seconds)
    assert STARTED <= clock.at(real_time) <= real_time
    assert clock.has_caught_up(real_time) == (clock.at(real_time) == real_time)
    assert clock.has_caught_up(NOW + timedelta(days=700))


@pytest.fixture
def broker() -> Iterator[EmbeddedBroker]:
    with EmbeddedBroker({EVENTS: 2}) as broker:
        yield broker


def a_feeder(broker: EmbeddedBroker, stop: threading.Event) -> Feeder:
    version = ".".join(map(str, API_VERSION))
    return Feeder(make_producer(Settings(kafka=broker.bootstrap, kafka_api_version=version)), stop)


def in_a_thread(act: object, *arguments: object) -> threading.Thread:
    thread = threading.Thread(target=act, args=arguments, daemon=True)  # type: ignore[arg-type]
    thread.start()
    return thread


def records(count: int) -> list[PlannedRecord]:
    return [PlannedRecord(STARTED.timestamp() + number, b"c-%d" % number, b"{}") for number in range(count)]


def test_history_is_sent_no_further_ahead_than_the_pipeline_can_hold(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_IN_FLIGHT", 100)
    with closing(a_feeder(broker, threading.Event())) as feeder:
        thread = in_a_thread(feeder.send_history, records(250))
        wait_until(lambda: feeder.sent == 100, 10, "the first hundred")
        feeder.settled = 40
        wait_until(lambda: feeder.sent == 140, 10, "as many as were settled")
        feeder.settled = 250
        wait_until(lambda: not thread.is_alive(), 10, "the end")
        assert feeder.sent == feeder.handed == 250


def test_a_feeder_stops_when_asked_whatever_it_waits_for(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "MOST_IN_FLIGHT", 10)
    stop = threading.Event()
    with closing(a_feeder(broker, stop)) as feeder:
        threads = [
            in_a_thread(feeder.send_history, records(50)),
            in_a_thread(feeder.send_live, records(50), lambda: STARTED),
        ]
        wait_until(lambda: feeder.sent >= 10, 10, "some")
        stop.set()
        wait_until(lambda: not any(thread.is_alive() for thread in threads), 10, "the end of both")


def test_live_each_record_is_sent_when_its_time_has_come(broker: EmbeddedBroker) -> None:
    now = [STARTED - timedelta(seconds=1)]
    with closing(a_feeder(broker, threading.Event())) as feeder:
        thread = in_a_thread(feeder.send_live, records(20), lambda: now[0])
        now[0] = STARTED + timedelta(seconds=7)
        wait_until(lambda: feeder.sent == 8, 10, "those up to the seventh second")
        now[0] = STARTED + timedelta(seconds=19)
        wait_until(lambda: not thread.is_alive(), 10, "the rest")
    options = {"bootstrap_servers": broker.bootstrap, "api_version": API_VERSION, "auto_offset_reset": "earliest"}
    with closing(KafkaConsumer(**options)) as consumer:
        subscribe(consumer, EVENTS)
        got: list[object] = []

        def all_there() -> bool:
            got.extend(record for batch in consumer.poll(timeout_ms=200).values() for record in batch)
            return len(got) == 20

        wait_until(all_there, 10, "twenty records")
