"""The audit of the positions in SQL: it finds skipped records, and reading them again closes the gap."""

import pytest
from sqlalchemy import select, update

from consumers.store import tables
from deploy.testbed.builders import Json, a_checkin
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from schemas.topics import EVENTS
from tests.support.audit import Audit
from tests.support.reference import assert_equals_the_reference
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

CASES = sized(300, 30_000)
SKIPPED = 7
NOTICED_SECONDS = 60


def check_ins(first: int) -> list[Json]:
    return [a_checkin(1, subject=f"c-{case}", id=f"e-{case}") for case in range(first, first + CASES)]


def positions(system: System) -> dict[int, int]:
    """The store's position in each partition of the events."""
    engine = system.engine()
    with engine.connect() as connection:
        wanted = select(tables.positions).where(tables.positions.c.topic == EVENTS)
        found = {row.partition: row.next_offset for row in connection.execute(wanted)}
    engine.dispose()
    return found


def move(system: System, partition: int, next_offset: int) -> None:
    """Move the store's position, as a wrong restore would."""
    engine = system.engine()
    with engine.begin() as connection:
        where = (tables.positions.c.topic == EVENTS) & (tables.positions.c.partition == partition)
        connection.execute(update(tables.positions).where(where).values(next_offset=next_offset))
    engine.dispose()


def test_a_gap_between_the_positions_and_the_log_is_found_and_closed_by_reading_again(system: System) -> None:
    system.start("worker", "store").send(check_ins(0))
    wait_until(lambda: system.counts().get("events") == CASES, 60, lambda: f"{system.counts()}\n{system.logs()}")
    audit = Audit(system)
    assert audit.gaps() == []
    assert audit.audited_count >= CASES
    system.running["store"].stop()
    where = positions(system)
    move(system, 2, where[2] + SKIPPED)
    system.send(check_ins(CASES))
    system.start("store")
    expected = [(EVENTS, 2, where[2] + number) for number in range(SKIPPED)]
    wait_until(lambda: audit.gaps() == expected, NOTICED_SECONDS, lambda: f"the gap; found {audit.gaps()}")
    system.running["store"].stop()
    move(system, 2, where[2])
    system.start("store")
    assert_equals_the_reference(system)
    assert audit.gaps() == []
