"""An error inside an agent or a consumer: nothing is acknowledged that was not done, and a new process goes on."""

import pytest

from deploy.testbed.builders import a_checkin
from deploy.testbed.kafka import committed_offsets
from deploy.testbed.system import System
from deploy.testbed.waiting import pace, wait_until
from schemas.topics import EVENTS
from tests.support.crash_points import start_crashing
from tests.support.crashing import REACHED_LINE
from tests.support.reference import assert_equals_the_reference
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

CASES = sized(60, 600)
#: A worker commits every second; what it would commit wrongly it has committed by then.
COMMIT_SECONDS = 2.5
EXIT_BUG = 70
#: Python's own, after a traceback.
EXIT_TRACEBACK = 1

TURNS = sized(1, 25)


def send_check_ins(system: System, turn: str) -> None:
    system.send(a_checkin(1, subject=f"c-{turn}-{case}", id=f"e-{turn}-{case}") for case in range(CASES))


def committed(system: System) -> dict[int, int]:
    return committed_offsets(system.bootstrap, system.settings["ALLIANCE_APP_ID"], EVENTS)


def test_a_worker_that_raises_has_acknowledged_nothing_of_it_and_a_new_one_does_it(system: System) -> None:
    before: dict[int, int] = {}
    for turn in range(TURNS):
        for act in ("bug", "cancel"):
            send_check_ins(system, f"{turn}-{act}")
            raising = start_crashing(system, "worker", "before-outputs", act=act)
            raising.wait_for_line(REACHED_LINE)
            pace(COMMIT_SECONDS)
            assert committed(system) == before, f"{act}: {raising.output()}"
            if act == "bug":
                assert raising.wait(10) == EXIT_BUG, raising.output()
            raising.kill()
    system.start("worker", "store")
    assert_equals_the_reference(system)


def test_a_store_that_raises_has_written_nothing_of_it_and_a_new_one_does_it(system: System) -> None:
    system.start("worker")
    for turn in range(TURNS):
        for point in ("before-commit", "after-commit"):
            send_check_ins(system, f"{turn}-{point}")
            raising = start_crashing(system, "store", point, act="bug")
            assert raising.wait(60) == EXIT_TRACEBACK, raising.output()
    system.start("store")
    assert_equals_the_reference(system)


def test_a_worker_that_hangs_and_waits_for_nothing_is_seen_by_its_stalled_partition(system: System) -> None:
    def stalled_seconds() -> float:
        return system.metric("worker", "alliance_partition_stalled_seconds").get("", -1.0)

    system.start("store")
    send_check_ins(system, "hang")
    hanging = start_crashing(system, "worker", "before-outputs", act="hang")
    hanging.wait_for_line(REACHED_LINE)
    wait_until(
        lambda: stalled_seconds() > 3.0, 60, lambda: f"a stalled partition; {stalled_seconds()}\n{hanging.output()}"
    )
    assert system.health("worker")["status"] == "ok", "nothing else would tell"
    hanging.kill()
    system.start("worker")
    assert_equals_the_reference(system)
    wait_until(lambda: stalled_seconds() == 0.0, 30, lambda: f"no stalled partition; {stalled_seconds()}")
