"""A simulated practice through the system, and the store beside the independent reference.

In: weeks, a seed; a system. Out: events in their order of arrival; a failed assertion where a row differs.
Never: an expectation that comes from the pipeline itself.
"""

from datetime import UTC, datetime
from typing import cast

from sqlalchemy import select

from alliance.simulation.practice import PracticeParameters, simulate
from consumers.store import tables
from deploy.testbed.alertmanager import Alertmanager
from deploy.testbed.builders import Json
from deploy.testbed.kafka import records_of
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from schemas.topics import EVENTS
from tests.oracle.compare import actual_store, differences
from tests.oracle.reference import expected_store
from tests.support import safeguards

#: For reading a log of a million records.
LOG_SECONDS = 600.0
#: After the last restart everything must have gone through in this time.
DRAIN_SECONDS = 30.0 if safeguards.is_broken() else 120.0


def practice(weeks: int, seed: int, therapists: int = 40) -> list[Json]:
    """Simulated events in their order of arrival, with duplicates, corrections, voided check-ins and late ones."""
    simulation = simulate(
        PracticeParameters(
            seed=seed,
            weeks=weeks,
            therapists=therapists,
            first_day=datetime(2026, 1, 5, tzinfo=UTC),
            therapist_checkins=True,
            duplicated_share=0.01,
            corrected_share=0.01,
            voided_share=0.005,
            late_share=0.01,
        )
    )
    return [simulation.events[index] for index in simulation.delivery]


def distinct_of(events: list[Json]) -> int:
    """Events that are not the same as an earlier one."""
    return len({(event["subject"], event["source"], event["id"]) for event in events})


def log_of(bootstrap: str) -> list[tuple[bytes | None, bytes | None, int]]:
    """Key, value and timestamp of every record on the events topic."""
    records = records_of(bootstrap, EVENTS, LOG_SECONDS)
    return [(record.key, record.value, cast(int, record.timestamp)) for record in records]


def wait_for_events(system: System, wanted: float) -> None:
    """Return when this many events are in the store."""
    wait_until(lambda: system.counts().get("events", 0) >= wanted, 120, lambda: f"{wanted} events; {system.counts()}")


def assert_equals_the_reference(system: System, timeout: float = DRAIN_SECONDS) -> None:
    """Wait until everything on the log has gone through, then compare row for row."""
    expected = expected_store(log_of(system.bootstrap))
    versions = int(expected["therapists"]["version"].sum())
    wait_until(
        lambda: system.accepted_in_summaries() >= versions,
        timeout,
        lambda: f"{versions} in the summaries; {system.accepted_in_summaries()}, {system.counts()}\n{system.logs()}",
    )
    found: list[str] = []

    def is_equal() -> bool:
        engine = system.engine()
        found[:] = differences(expected, actual_store(engine))
        engine.dispose()
        return not found

    wait_until(is_equal, 30, lambda: "the store to equal the reference:\n" + "\n".join(found))


def assert_all_open_flags_are_alerts(system: System, alertmanager: Alertmanager) -> None:
    """Wait until Alertmanager holds the open flags of the store, neither more nor less."""
    engine = system.engine()
    with engine.connect() as connection:
        query = select(tables.flags.c.flag_id).where(tables.flags.c.status == "open")
        wanted = set(connection.scalars(query))
    engine.dispose()
    assert wanted, "a history without an open flag shows nothing"

    def missing() -> set[str]:
        return wanted ^ {alert["labels"]["flag_id"] for alert in alertmanager.alerts()}

    wait_until(lambda: not missing(), DRAIN_SECONDS, lambda: f"{len(missing())} of {len(wanted)} flags differ")
