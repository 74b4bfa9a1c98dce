"""An empty store that replays all topics from their beginning holds the same bytes as the one that was there."""

import hashlib
from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.builders import a_checkin, an_erasure, value_of
from deploy.testbed.kafka import unique_name
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from tests.support import reference
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

EVENTS = sized(5_000, 1_000_000)
REBUILD_SECONDS = sized(reference.DRAIN_SECONDS, 3_600.0)


def dump(system: System) -> dict[str, str]:
    """A digest of every row of every table, sorted; how the log was read is not part of it."""
    engine = system.engine()
    with engine.connect() as connection:
        digests = {
            name: digest_of(sorted(repr(tuple(row)) for row in connection.execute(select(table))))
            for name, table in tables.metadata.tables.items()
        }
    engine.dispose()
    return digests


def digest_of(rows: list[str]) -> str:
    return f"{len(rows)} rows, {hashlib.blake2b(chr(10).join(rows).encode(), digest_size=16).hexdigest()}"


def test_a_store_rebuilt_from_the_log_is_the_same_to_the_byte(
    system: System, processes: Processes, tmp_path: Path
) -> None:
    events = practice(weeks=sized(12, 52), seed=71, therapists=sized(12, 600))[:EVENTS]
    assert len(events) == EVENTS
    erased = str(events[0]["subject"])
    bad = [(b"c-1", b"{"), (b"c-2", value_of(a_checkin(1, 99.0, subject="c-2")))]
    system.start("worker", "store")
    system.send(events)
    system.send_records(bad)
    system.send([an_erasure(subject=erased)])
    assert_equals_the_reference(system, REBUILD_SECONDS)
    system.running["store"].stop()
    wanted = dump(system)
    settings = {**system.extra_settings, "ALLIANCE_APP_ID": unique_name("rebuild")}
    rebuilt = System(processes, system.bootstrap, f"sqlite:///{tmp_path}/rebuilt.sqlite", **settings)
    rebuilt.start("store")
    wait_until(
        lambda: dump_or_nothing(rebuilt) == wanted,
        REBUILD_SECONDS,
        lambda: f"the same dump; wanted {wanted}, there is {dump_or_nothing(rebuilt)}",
    )


def dump_or_nothing(system: System) -> dict[str, str]:
    """While there is no schema there is nothing."""
    return dump(system) if system.counts() else {}
