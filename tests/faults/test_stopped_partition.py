"""A partition that brings bad records is stopped until somebody lets it go on: the others go on, nothing is lost."""

from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.builders import Json, a_checkin, a_held
from deploy.testbed.kafka import Kafka, committed_offsets
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from pipeline.core.rejection_limit import MOST_IN_A_ROW
from pipeline.worker.faust.durable_producer import hash_of
from schemas.topics import EVENTS
from tests.faults.conftest import fresh_system
from tests.support.reference import assert_equals_the_reference

pytestmark = pytest.mark.kafka

PARTITIONS = 4
CASES = [f"c-{number}" for number in range(60)]
#: However the records come in batches, a worker that is killed at the stop finds more than a hundred of them again.
BAD_COUNT = 250
#: A worker commits every second; what it would commit wrongly it has committed by then.
COMMIT_SECONDS = 2.5


def partition_of(case: str) -> int:
    """Where the records of a case lie."""
    return hash_of(case.encode()) % PARTITIONS


#: The partition that goes wrong.
FLOODED = partition_of(CASES[0])
IN_FLOODED = sum(partition_of(case) == FLOODED for case in CASES)
ELSEWHERE = len(CASES) - IN_FLOODED
#: Health's name for it.
PART = f"partition-{FLOODED}"


def therapist_of(case: str) -> str:
    """One therapist for the cases of the flooded partition, one for all others."""
    return "t-flooded" if partition_of(case) == FLOODED else "t-elsewhere"


def good(session: int) -> list[Json]:
    """A session and a check-in of every case."""
    builders = (a_held, a_checkin)
    return [build(session, subject=case, therapist=therapist_of(case)) for case in CASES for build in builders]


def send_bad(system: System, count: int = BAD_COUNT) -> None:
    """So many records that are no JSON, one after another in the flooded partition."""
    system.send_records((CASES[0].encode(), b"not JSON %d" % number) for number in range(count))


def version_of(system: System, therapist: str) -> int:
    """How many events of a therapist have gone through the worker."""
    engine = system.engine()
    with engine.connect() as connection:
        query = select(tables.therapists.c.version).where(tables.therapists.c.therapist_id == therapist)
        version = connection.scalar(query)
    engine.dispose()
    return version or 0


def stops_of(system: System) -> dict[str, str]:
    """The stopped partitions that health names, and why."""
    waiting = system.health("worker").get("waiting_for", [])
    return {one["part"]: one["why"] for one in waiting if one["part"].startswith("partition-")}


def wait_until_stopped(*systems: System) -> System:
    """Until one of these workers says that it has stopped the partition; that one."""
    (holder, *_) = wait_until(
        lambda: [one for one in systems if PART in stops_of(one)],
        60,
        lambda: f"{PART} to be stopped; {[one.health('worker') for one in systems]}\n{systems[0].logs()}",
    )
    return holder


def wait_until_through(system: System, sessions: int) -> None:
    """Until so many sessions of the other partitions have gone through."""
    wanted = 2 * sessions * ELSEWHERE
    wait_until(
        lambda: version_of(system, "t-elsewhere") == wanted,
        60,
        lambda: f"{wanted} elsewhere; {version_of(system, 't-elsewhere')}, {system.counts()}\n{system.logs()}",
    )


def assert_nothing_is_acknowledged_past_the_stop(system: System, times_counted: int) -> None:
    """A worker that is started again counts anew, from what is acknowledged."""
    pace(COMMIT_SECONDS)
    offsets = committed_offsets(system.bootstrap, system.settings["ALLIANCE_APP_ID"], EVENTS)
    assert offsets.get(FLOODED, 0) < 2 * IN_FLOODED + times_counted * MOST_IN_A_ROW


def resume(processes: Processes, system: System, partition: int) -> tuple[int | None, str]:
    """`alliance resume`: exit code and what it says."""
    asked = processes.alliance("resume", str(partition), env=system.settings)
    return asked.wait(60), asked.output()


def test_a_flooded_partition_stops_survives_a_kill_and_goes_on_when_somebody_says_so(
    lasting_broker: Kafka, processes: Processes, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/store.sqlite"
    system = fresh_system(lasting_broker, processes, database)
    system.send(good(1))
    send_bad(system)
    system.send(good(2))
    system.start("worker", "store").wait_until_healthy("store")
    wait_until_stopped(system)
    wait_until_through(system, sessions=2)
    assert f"`alliance resume {FLOODED}`" in stops_of(system)[PART]
    assert system.metric("worker", "alliance_stopped_partitions") == {"": 1}
    wait_until(lambda: system.counts().get("rejected") == MOST_IN_A_ROW, 30, lambda: str(system.counts()))
    assert_nothing_is_acknowledged_past_the_stop(system, times_counted=1)

    system.kill("worker")
    system.send(good(3))
    system.start("worker")
    wait_until_stopped(system)
    wait_until_through(system, sessions=3)
    assert_nothing_is_acknowledged_past_the_stop(system, times_counted=2)
    assert version_of(system, "t-flooded") == 2 * IN_FLOODED
    assert system.counts()["rejected"] < 2 * MOST_IN_A_ROW

    other = (FLOODED + 1) % PARTITIONS
    code, said = resume(processes, system, other)
    assert (code, f"Partition {other} is not stopped." in said) == (2, True), said
    code, said = resume(processes, system, FLOODED)
    assert (code, f"Partition {FLOODED} goes on" in said) == (0, True), said
    assert_equals_the_reference(system)
    system.wait_until_healthy("worker")
    assert system.counts()["rejected"] == BAD_COUNT
    assert version_of(system, "t-flooded") == 6 * IN_FLOODED
    assert system.metric("worker", "alliance_stopped_partitions") == {"": 0}

    send_bad(system)
    wait_until_stopped(system)


def test_a_stopped_partition_stays_stopped_while_workers_come_and_go(system: System, processes: Processes) -> None:
    system.send(good(1))
    send_bad(system, 1_000)
    system.start("worker", "store").wait_until_healthy("store")
    wait_until_stopped(system)
    second = system.another().start("worker")
    wait_until(lambda: second.health("worker").get("status") in ("ok", "waiting"), 60, second.logs)
    wait_until(lambda: len(stops_of(system)) + len(stops_of(second)) == 1, 60, "one holder of the partition")
    system.send(good(2))
    wait_until_through(system, sessions=2)
    code, said = resume(processes, system if stops_of(second) else second, FLOODED)
    assert (code, "does not have" in said) == (2, True), said
    second.kill("worker")
    wait_until_stopped(system)
    system.send(good(3))
    wait_until_through(system, sessions=3)
    assert version_of(system, "t-flooded") == 2 * IN_FLOODED
    code, said = resume(processes, system, FLOODED)
    assert code == 0, said
    assert_equals_the_reference(system)
    assert system.counts()["rejected"] == 1_000
