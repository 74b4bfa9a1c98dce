"""One run of one runner: clean topics, a fresh process, its figures, and whether the outcome is right.

In: a broker, a runner, a load that is on its topic. Out: a `Figure`.
Never: two runners at once.
"""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from benchmarks.peers.loads import PARTITIONS, Load
from benchmarks.peers.outcome import Outcome, found, verdict
from benchmarks.peers.processes import usage
from benchmarks.peers.runners import Runner, watch
from benchmarks.peers.task import Task
from benchmarks.peers.topics import make
from deploy.testbed.kafka import delete_topics, end_offsets, topic_names, unique_name
from deploy.testbed.waiting import wait_until
from pipeline.runtime.processes import Child, last_lines
from pipeline.runtime.settings import Settings
from pipeline.runtime.topic_admin import topic_table
from schemas.topics import CASES, EVENTS

MOST_SECONDS = 600


@dataclass(frozen=True)
class Figure:
    """What one run took, from the start of the process to the last commit."""

    runner: str
    load: str
    round: int
    events: int
    cpu_seconds: float
    wall_seconds: float
    peak_mb: float
    #: Records of changelog and of summaries that it wrote.
    states: int
    summaries: int
    verdict: str


@contextmanager
def clean(broker: str, source: str, load: Load) -> Iterator[Task]:
    """A task with topics and a folder of its own, gone afterwards."""
    name = unique_name("bench")
    topics = topic_table(Settings(app_id=name))
    del topics[EVENTS]
    make(broker, topics)
    before = topic_names(broker)
    folder = tempfile.mkdtemp(prefix="alliance-peers-")
    try:
        yield Task(
            bootstrap=broker,
            source=source,
            name=name,
            partitions=PARTITIONS,
            folder=folder,
            fetch_bytes=load.fetch_bytes,
        )
    finally:
        delete_topics(broker, [*topics, *(topic_names(broker) - before)])
        shutil.rmtree(folder)


@contextmanager
def running(runner: Runner, task: Task) -> Iterator[Child]:
    """The process of a runner; killed afterwards."""
    child = runner.child(task)
    child.start()
    try:
        yield child
    finally:
        child.kill()


def wait_until_done(runner: Runner, task: Task, child: Child) -> None:
    """Until all of the source is done; an error when the process ends or takes too long."""
    with watch(runner, task, child) as it:
        wait_until(lambda: it.is_done() or not child.running, MOST_SECONDS, lambda: said(runner, task))
        if not child.running:
            raise AssertionError(said(runner, task))


def said(runner: Runner, task: Task) -> str:
    """For a person who wants to know why."""
    output = (Path(task.folder) / "output.log").read_text(encoding="utf-8", errors="replace")
    return f"{runner.title} did not do its job; it said: {last_lines(output)}"


def measure(broker: str, runner: Runner, load: Load, number: int, wanted: Outcome) -> Figure:
    """One run."""
    with clean(broker, load.name, load) as task:
        started = monotonic()
        with running(runner, task) as child:
            wait_until_done(runner, task, child)
            wall, used = monotonic() - started, usage(child.pid)
        return Figure(
            runner.name,
            load.name,
            number,
            len(load),
            used.cpu_seconds,
            wall,
            used.peak_mb,
            states_written(broker, task),
            sum(end_offsets(broker, CASES).values()),
            verdict(wanted, found(broker)),
        )


def states_written(broker: str, task: Task) -> int:
    """Records of all changelogs of this run; none for a store on disk."""
    changelogs = [topic for topic in topic_names(broker) if task.name in topic and "therapists" not in topic]
    return sum(sum(end_offsets(broker, topic).values()) for topic in changelogs)
