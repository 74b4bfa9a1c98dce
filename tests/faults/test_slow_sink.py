"""A slow database and a paused store: memory stays bounded, the reported lag is right, and the store catches up."""

import signal

import psycopg
import pytest
from kafka import TopicPartition
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.kafka import Kafka, committed_offsets, end_offsets
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from schemas.topics import EVENTS as TOPIC
from tests.faults.conftest import SESSION_SECONDS, fresh_system
from tests.support.load import coming_in
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

EVENTS = sized(8_000, 400_000)
EVENTS_A_SECOND = sized(800, 600)
PAUSED_SECONDS = sized(float(SESSION_SECONDS) + 2.0, 600.0)
MOST_MEMORY_BYTES = 512 * 1024 * 1024
#: How far the lag that a monitor sees may be from the true lag.
TOLERANCE = 0.05
LEAST_LAG = 200

#: Half a second at the commit of every transaction that moves a position.
SLOW_COMMIT = """
CREATE FUNCTION be_slow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('faults.slept', true), '') <> 'yes' THEN
        PERFORM set_config('faults.slept', 'yes', true);
        PERFORM pg_sleep(0.5);
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER be_slow AFTER INSERT OR UPDATE ON positions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION be_slow();
"""


def test_a_slow_and_a_paused_store_need_little_memory_report_the_lag_and_catch_up(
    lasting_broker: Kafka, postgres_url: str, processes: Processes
) -> None:
    system = fresh_system(lasting_broker, processes, postgres_url)
    system.start("worker", "store").wait_until_healthy("worker", "store")
    with psycopg.connect(postgres_url.replace("postgresql+psycopg", "postgresql"), autocommit=True) as connection:
        connection.execute(SLOW_COMMIT)
    events = practice(weeks=12, seed=101, therapists=sized(20, 900))[:EVENTS]
    assert len(events) == EVENTS
    store = system.running["store"]
    with coming_in(system, events, EVENTS_A_SECOND):
        wait_until(lambda: lag_is_true(system), 60, lambda: f"the reported lag to be right; {lags(system)}")
        store.send(signal.SIGSTOP)
        other = system.another().start("store")
        pace(PAUSED_SECONDS)
        store.send(signal.SIGCONT)
    assert_equals_the_reference(system)
    wait_until(lambda: lags(system) == (0, 0), 60, lambda: f"no lag; {lags(system)}")
    for process in (store, other.running["store"], system.running["worker"]):
        assert process.running
        assert process.most_memory_bytes <= MOST_MEMORY_BYTES


def lags(system: System) -> tuple[int, int]:
    """Events that the store has not written: by the group's offsets, as monitors see it, and by its own positions."""
    ends = end_offsets(system.bootstrap, TOPIC)
    reported = committed_offsets(system.bootstrap, f"{system.settings['ALLIANCE_APP_ID']}-store", TOPIC)
    true = positions(system)
    return (
        sum(end - reported.get(partition, 0) for partition, end in ends.items()),
        sum(end - true.get(TopicPartition(TOPIC, partition), 0) for partition, end in ends.items()),
    )


def lag_is_true(system: System) -> bool:
    reported, true = lags(system)
    return true >= LEAST_LAG and abs(reported - true) <= TOLERANCE * true


def positions(system: System) -> dict[TopicPartition, int]:
    engine = system.engine()
    with engine.connect() as connection:
        rows = connection.execute(select(tables.positions)).all()
    engine.dispose()
    return {TopicPartition(row.topic, row.partition): row.next_offset for row in rows}
