"""A partition that brings too many bad records is paused until an operator resumes it: the others continue, and nothing
is lost."""

from pathlib import Path

import pytest
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.builders import Json, a_checkin, a_held
from deploy.testbed.kafka import Kafka, committed_offsets
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from pipeline.core.rejection_limit import MAX_IN_A_ROW
from pipeline.worker.faust.durable_producer import hash_of
from schemas.topics import EVENTS
from tests.faults.conftest import fresh_system
from tests.support.reference import assert_equals_the_reference

pytestmark = pytest.mark.kafka

PARTITIONS = 4
CASES = [f"c-{number}" for number in range(60)]
#: However the records are batched, a worker that is killed after the pause finds more than a hundred of them again.
BAD_COUNT = 250
#: A worker commits every second: a wrong commit has happened by then.
COMMIT_SECONDS = 2.5


def partition_of(case: str) -> int:
    """The partition of a case's records."""
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
    """This many records that are not JSON, one after another in the flooded partition."""
    system.send_records((CASES[0].encode(), b"not JSON %d" % number) for number in range(count))


def version_of(system: System, therapist: str) -> int:
    """How many events of a therapist have gone through the worker."""
    engine = system.engine()
    with engine.connect() as connection:
        query = select(tables.therapists.c.version).where(tables.therapists.c.therapist_id == therapist)
        version = connection.scalar(query)
    engine.dispose()
    return version or 0


def pauses_of(system: System) -> dict[str, str]:
    """The paused partitions that health lists, and why."""
    waiting = system.health("worker").get("waiting_for", [])
    return {part["part"]: part["why"] for part in waiting if part["part"].startswith("partition-")}


def wait_until_paused(*systems: System) -> System:
    """Until one of these workers has paused the partition; returns that one."""
    (holder, *_) = wait_until(
        lambda: [system for system in systems if PART in pauses_of(system)],
        60,
        lambda: f"{PART} to be paused; {[system.health('worker') for system in systems]}\n{systems[0].logs()}",
    )
    return holder


def wait_until_through(system: System, sessions: int) -> None:
    """Until this many sessions of the other partitions have been processed."""
    wanted = 2 * sessions * ELSEWHERE
    wait_until(
        lambda: version_of(system, "t-elsewhere") == wanted,
        60,
        lambda: f"{wanted} elsewhere; {version_of(system, 't-elsewhere')}, {system.counts()}\n{system.logs()}",
    )


def assert_nothing_is_acknowledged_past_the_pause(system: System, times_counted: int) -> None:
    """A worker that is started again counts from what is acknowledged."""
    pace(COMMIT_SECONDS)
    offsets = committed_offsets(system.bootstrap, system.settings["ALLIANCE_APP_ID"], EVENTS)
    assert offsets.get(FLOODED, 0) < 2 * IN_FLOODED + times_counted * MAX_IN_A_ROW


def resume(processes: Processes, system: System, partition: int) -> tuple[int | None, str]:
    """`alliance resume`: exit code and output."""
    asked = processes.alliance("resume", str(partition), env=system.settings)
    return asked.wait(60), asked.output()


def test_a_flooded_partition_pauses_stays_paused_after_a_kill_and_resumes_when_an_operator_says_so(
    lasting_broker: Kafka, processes: Processes, tmp_path: Path
) -> None:
    database = f"sqlite:///{tmp_path}/store.sqlite"
    system = fresh_system(lasting_broker, processes, database)
    system.send(good(1))
    send_bad(system)
    system.send(good(2))
    system.start("worker", "store").wait_until_healthy("store")
    wait_until_paused(system)
    wait_until_through(system, sessions=2)
    assert f"`alliance resume {FLOODED}`" in pauses_of(system)[PART]
    assert system.metric("worker", "alliance_paused_partitions") == {"": 1}
    wait_until(lambda: system.counts().get("rejected") == MAX_IN_A_ROW, 30, lambda: str(system.counts()))
    assert_nothing_is_acknowledged_past_the_pause(system, times_counted=1)

    system.kill("worker")
    system.send(good(3))
    system.start("worker")
    wait_until_paused(system)
    wait_until_through(system, sessions=3)
    assert_nothing_is_acknowledged_past_the_pause(system, times_counted=2)
    assert version_of(system, "t-flooded") == 2 * IN_FLOODED
    assert system.counts()["rejected"] < 2 * MAX_IN_A_ROW

    other = (FLOODED + 1) % PARTITIONS
    code, said = resume(processes, system, other)
    assert (code, f"Partition {other} is not paused." in said) == (2, True), said
    code, said = resume(processes, system, FLOODED)
    assert (code, f"Partition {FLOODED} resumes" in said) == (0, True), said
    assert_equals_the_reference(system)
    system.wait_until_healthy("worker")
    assert system.counts()["rejected"] == BAD_COUNT
    assert version_of(system, "t-flooded") == 6 * IN_FLOODED
    assert system.metric("worker", "alliance_paused_partitions") == {"": 0}

    send_bad(system)
    wait_until_paused(system)


def test_a_paused_partition_stays_paused_while_workers_come_and_go(system: System, processes: Processes) -> None:
    system.send(good(1))
    send_bad(system, 1_000)
    system.start("worker", "store").wait_until_healthy("store")
    wait_until_paused(system)
    second = system.another().start("worker")
    wait_until(lambda: second.health("worker").get("status") in ("ok", "waiting"), 60, second.logs)
    wait_until(lambda: len(pauses_of(system)) + len(pauses_of(second)) == 1, 60, "one holder of the partition")
    system.send(good(2))
    wait_until_through(system, sessions=2)
    code, said = resume(processes, system if pauses_of(second) else second, FLOODED)
    assert (code, "does not have" in said) == (2, True), said
    second.kill("worker")
    wait_until_paused(system)
    system.send(good(3))
    wait_until_through(system, sessions=3)
    assert version_of(system, "t-flooded") == 2 * IN_FLOODED
    code, said = resume(processes, system, FLOODED)
    assert code == 0, said
    assert_equals_the_reference(system)
    assert system.counts()["rejected"] == 1_000
