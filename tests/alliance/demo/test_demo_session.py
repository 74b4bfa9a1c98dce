"""`alliance demo` as a person starts it: a process of its own, with everything that belongs to it."""

import os
import re
import signal
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from alliance.demo.options import DemoOptions
from alliance.demo.plan import Label, Plan, make_plan
from alliance.demo.session import history_end
from deploy.testbed.kafka import Kafka
from deploy.testbed.processes import Process, Processes
from deploy.testbed.waiting import wait_until

COMMANDS = {"worker", "store", "exporter", "gateway"}
#: From the start to the end of a small demonstration, on a machine that does other things as well.
SECONDS = 180
Demo = Callable[..., Process]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the demonstration makes its own folder."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def demo(processes: Processes, folder: Path) -> Demo:
    """Starts `alliance demo …`."""
    return lambda *arguments: processes.alliance("demo", *map(str, arguments), env={"TMPDIR": str(folder)})


def children_of(process: Process) -> dict[str, int]:
    """Command and pid of each process that the demonstration runs."""
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid=,args="], capture_output=True, text=True, check=True)
    rows = [line.split(maxsplit=2) for line in listed.stdout.splitlines()]
    mine = [(int(pid), arguments.split()[-1]) for pid, parent, arguments in rows if int(parent) == process.pid]
    return {command: pid for pid, command in mine if command in COMMANDS}


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def wait_until_gone(children: dict[str, int]) -> None:
    wait_until(lambda: all(map(is_gone, children.values())), 15, f"all of {children} to be gone")


def what_is_sent(**options: Any) -> Plan:
    """What `--once` with these options sends."""
    return make_plan(DemoOptions(**options), history_end(datetime.now(UTC), once=True), 0, Label())


def number(pattern: str, text: str) -> int:
    match = re.search(pattern, text)
    assert match, f"no {pattern!r} in:\n{text}"
    return int(match[1].replace(",", ""))


def test_once_says_what_became_of_every_event_and_leaves_nothing_behind(demo: Demo, folder: Path) -> None:
    process = demo("--once", "--weeks", 3, "--therapists", 6)
    assert process.wait(SECONDS) == 0, process.output()
    said, expected = process.output(), what_is_sent(weeks=3, therapists=6).expected
    supervised = number(r"the supervisor sent ([\d,]+) events", said)
    assert number(r"([\d,]+) sent =", said) == expected.sent + supervised
    assert number(r"([\d,]+) archived \+", said) == expected.accepted + supervised
    assert number(r"([\d,]+) of those archived have reached", said) == expected.accepted + supervised
    assert number(r"([\d,]+) refused", said) == expected.refused > 0
    assert number(r"([\d,]+) duplicates", said) == expected.duplicates > 0
    assert number(r"check-ins +([\d,]+)", said) == expected.checkins
    assert number(r"flags +([\d,]+);", said) > 0 < supervised
    assert "6 of 6 with published scores" in said
    assert list(folder.iterdir()) == []


def test_live_it_catches_up_with_today_and_ends_at_ctrl_c(demo: Demo, folder: Path) -> None:
    process = demo("--weeks", 6, "--therapists", 30, "--speed", 4)
    process.wait_for_line("Caught up with today", SECONDS)
    process.wait_for_line(r"\d\d:\d\d flag opened: \w+ \w+, t-\d\d \(\w+\), session \d+\. ", SECONDS)
    children = children_of(process)
    assert set(children) == COMMANDS
    process.send(signal.SIGINT)
    assert process.wait(20) == 0, process.output()
    assert "Stopped; all processes have ended." in process.output()
    wait_until_gone(children)
    assert list(folder.iterdir()) == []


def test_a_worker_that_dies_ends_it_with_one_sentence_and_the_way_to_the_log(demo: Demo, folder: Path) -> None:
    process = demo("--weeks", 2, "--therapists", 3)
    process.wait_for_line("^History", SECONDS)
    children = children_of(process)
    os.kill(children["worker"], signal.SIGKILL)
    assert process.wait(30) == 1, process.output()
    (kept,) = folder.iterdir()
    assert f"Error: The worker was ended by signal 9; its log is {kept}/logs/worker.log" in process.output()
    assert "Traceback" not in process.output()
    wait_until_gone(children)


def test_its_processes_end_even_if_it_is_killed_itself(demo: Demo, folder: Path) -> None:
    process = demo("--weeks", 1, "--therapists", 1)
    wait_until(lambda: set(children_of(process)) == COMMANDS, SECONDS, "all four processes")
    children = children_of(process)
    process.kill()
    wait_until_gone(children)
    wait_until(lambda: list(folder.iterdir()) == [], 10, "the folder to be gone")


def test_once_interrupted_has_verified_nothing_and_says_so_with_its_code(demo: Demo) -> None:
    process = demo("--once")
    process.wait_for_line("^History", SECONDS)
    process.send(signal.SIGTERM)
    assert process.wait(20) == 130, process.output()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "127.0.0.1", "127.0.0.1:99999", "nonsense"])
def test_without_a_broker_at_the_address_one_sentence_says_what_to_do(demo: Demo, address: str) -> None:
    process = demo("--once", "--broker", address)
    assert process.wait(60) == 1
    assert re.fullmatch(rf"Error: No broker answers at {re.escape(address)}; start one .*\n", process.output())


@pytest.mark.kafka
def test_a_real_kafka_serves_too_and_is_not_written_into_twice_unasked(demo: Demo, broker_of_my_own: Kafka) -> None:
    arguments = ["--once", "--weeks", 1, "--therapists", 3, "--broker", broker_of_my_own.bootstrap]
    first = demo(*arguments)
    assert first.wait(SECONDS) == 0, first.output()
    refused = demo(*arguments)
    assert refused.wait(60) == 1
    assert "there are records already (alliance.events.v1, " in refused.output()
    again = demo(*arguments, "--into-existing")
    assert again.wait(SECONDS) == 0, again.output()
    assert facts(again) == facts(first)


def facts(process: Process) -> list[str]:
    """The lines of the summary that do not depend on how quick it was."""
    return [line for line in process.output().splitlines() if line.startswith(("events ", "check-ins ", "ruptures "))]
