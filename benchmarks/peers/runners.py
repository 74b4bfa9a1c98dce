"""Who runs: the commands, and how to tell that all of a topic has been done durably.

In: a task. Out: a running child, and whether it is done.
Never: a runner that is asked differently from the others.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Consumer, TopicPartition

from benchmarks.peers.environment import peers_python
from benchmarks.peers.task import Task
from deploy.local.places import ROOT
from deploy.testbed.processes import child_environment
from pipeline.runtime.processes import Child
from schemas.topics import CASES


class Runner(NamedTuple):
    """One way to do the job."""

    name: str
    title: str
    module: str
    words: tuple[str, ...] = ()
    #: Runs in the peers' own environment.
    is_peer: bool = False
    #: Reads the case summaries too, and is not done before that.
    reads_cases: bool = False
    #: Commits to its Kafka group; if not, it says DONE.
    commits: bool = True
    #: Does a short part of each load only.
    is_slow: bool = False

    @property
    def takes_long_loads(self) -> bool:
        """Whether it also does what would take the others minutes: very many cases, recovery."""
        return not self.is_slow and not self.reads_cases

    def child(self, task: Task) -> Child:
        """The process, not yet started."""
        python = peers_python() if self.is_peer else Path(sys.executable)
        command = [str(python), "-u", "-m", f"benchmarks.peers.{self.module}", task.word(), *self.words]
        log = Path(task.folder) / "output.log"
        return Child(self.name, command, log, env=child_environment({}), cwd=ROOT)


SCRIPT = Runner("script", "librdkafka script", "run_librdkafka")
RUNNERS = (
    Runner("alliance", "Alliance Monitor, agent `cases`", "run_worker"),
    Runner("whole", "Alliance Monitor, whole worker (both agents)", "run_worker", ("both",), reads_cases=True),
    SCRIPT,
    Runner("quix", "Quix Streams, stateful + changelog", "run_quix", is_peer=True),
    Runner("bytewax", "Bytewax, stateful + recovery store", "run_bytewax", is_peer=True, commits=False),
    Runner("events", "per-event Faust agent", "run_worker", ("events",), is_slow=True),
)


class Watch:
    """Whether a runner is done: its group has reached the end of what it reads, or it says so itself."""

    def __init__(self, runner: Runner, task: Task, child: Child) -> None:
        self._runner = runner
        self._child = child
        self._reader = Consumer(
            {"bootstrap.servers": task.bootstrap, "group.id": task.name, "enable.auto.commit": False}
        )
        self._source = [TopicPartition(task.source, number) for number in range(task.partitions)]
        self._cases = [TopicPartition(CASES, number) for number in range(task.partitions)]
        self._wanted = self._ends(self._source)

    def is_done(self) -> bool:
        """All of the source is done durably."""
        if not self._runner.commits:
            return "DONE" in self._child.output()
        if self._committed(self._source) < self._wanted:
            return False
        return not self._runner.reads_cases or self._committed(self._cases) >= self._ends(self._cases)

    def _ends(self, places: Sequence[TopicPartition]) -> int:
        return sum(self._reader.get_watermark_offsets(place)[1] for place in places)

    def _committed(self, places: Sequence[TopicPartition]) -> int:
        return sum(max(0, place.offset) for place in self._reader.committed(list(places), timeout=10))

    def close(self) -> None:
        """Let go of the broker."""
        self._reader.close()


def watch(runner: Runner, task: Task, child: Child) -> "closing[Watch]":
    """A watch that is closed after its block."""
    return closing(Watch(runner, task, child))
