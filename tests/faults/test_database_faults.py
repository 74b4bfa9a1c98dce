"""The database restarts, goes away or refuses: the store waits, loses nothing, and refuses no event because of it."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import psycopg
import pytest

from deploy.local.postgres import Postgres
from deploy.testbed.kafka import Kafka
from deploy.testbed.postgres import new_database
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from tests.faults.conftest import fresh_system
from tests.support.load import coming_in
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = [pytest.mark.kafka, pytest.mark.postgres]

EVENTS = sized(3_000, 100_000)
EVENTS_A_SECOND = sized(200, 1_000)
RESTARTS = sized(2, 10)
AWAY_SECONDS = sized(3.0, 60.0)

#: One in twenty transactions fails as PostgreSQL fails them if it cannot serialize them.
SERIALISATION = """
CREATE FUNCTION fail_at_times() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.05 THEN
        RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER fail_at_times BEFORE INSERT OR UPDATE ON positions FOR EACH ROW EXECUTE FUNCTION fail_at_times();
"""


def run(url: str, statements: str) -> None:
    with psycopg.connect(plain(url), autocommit=True) as connection:
        connection.execute(statements)


def plain(url: str) -> str:
    """The URL for psycopg itself."""
    return url.replace("postgresql+psycopg", "postgresql")


def test_the_store_equals_the_reference_though_the_database_restarts_goes_and_refuses(
    lasting_broker: Kafka, database_of_my_own: Postgres, processes: Processes, chance: random.Random
) -> None:
    system = fresh_system(lasting_broker, processes, new_database(database_of_my_own))
    system.start("worker", "store").wait_until_healthy("worker", "store")
    run(system.database, SERIALISATION)
    events = practice(weeks=12, seed=61, therapists=sized(8, 240))[:EVENTS]
    assert len(events) == EVENTS
    with coming_in(system, events, EVENTS_A_SECOND):
        for _ in range(RESTARTS):
            pace(chance.uniform(0.3, 1.5))
            database_of_my_own.kill()
            database_of_my_own.start()
        database_of_my_own.stop()
        wait_until(lambda: is_waiting(system), 30, lambda: f"the store to wait; {system.health('store')}")
        pace(AWAY_SECONDS)
        database_of_my_own.start()
        with every_connection_taken(system.database):
            wait_until(lambda: is_waiting(system), 30, lambda: f"the store to wait; {system.health('store')}")
    assert_equals_the_reference(system)
    assert system.counts()["rejected"] == 0
    system.wait_until_healthy("store")


def is_waiting(system: System) -> bool:
    return any(entry["part"] == "database" for entry in system.health("store").get("waiting_for", []))


@contextmanager
def every_connection_taken(url: str) -> Iterator[None]:
    """Take every connection that the server allows. The store's own is closed, and its place taken too."""
    with ExitStack() as held:

        def connect_once_more() -> bool:
            try:
                connection = psycopg.connect(plain(url), autocommit=True, application_name="taker")
            except psycopg.OperationalError as error:
                assert "too many clients" in str(error)
                return False
            held.enter_context(connection)
            return True

        keeper = psycopg.connect(plain(url), autocommit=True, application_name="taker")
        held.enter_context(keeper)
        while connect_once_more():
            pass
        others = "FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name <> 'taker'"
        while keeper.execute(f"SELECT count(pg_terminate_backend(pid)) {others}").fetchone() != (0,):
            while connect_once_more():
                pass
        yield
