"""Where the worker's time goes: `python -m benchmarks.peers.shares`.

In: a load. Out: the share of each part of the job in the worker's CPU samples (py-spy, out of the peers' environment).
Never: a part of the comparison: being sampled costs time. Needs root, or kernel.yama.ptrace_scope=0.
"""

import argparse
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.peers.bench import clean, running, wait_until_done
from benchmarks.peers.environment import peers_python
from benchmarks.peers.loads import SMALL_SET, Load, by_partition, many_cases, practice, produce
from benchmarks.peers.runners import RUNNERS
from benchmarks.peers.topics import make
from deploy.local.kafka import Kafka
from pipeline.runtime.processes import Child

IDLE = "idle"
START = "start-up"
#: The first part with one of these words in a sample's stack, as function or as place, gets the sample.
PARTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (START, ("_load_unlocked", "_find_and_load")),
    (IDLE, ("select (selectors", "_worker (concurrent")),
    ("accept: decode, validate, score", ("accept",)),
    ("apply: record_of", ("record_of",)),
    ("apply: fold from scratch (late, corrected)", ("_fold_and_compare",)),
    ("apply: timeline and detectors", ("advance",)),
    ("apply: a new case", ("__post_init__",)),
    ("apply: the set, the rest", ("apply",)),
    ("state asked for, decoded", ("_state",)),
    ("summaries, made and encoded", ("to_publish",)),
    ("states encoded", ("changes",)),
    ("the worker's own loop", ("_process",)),
    ("produce: record batches", ("deliver",)),
    ("produce: requests", ("(aiokafka/producer",)),
    ("meters", ("(pipeline/runtime/metrics.py",)),
    ("the worker's own loop", ("work",)),
    ("fetch: unpack", ("_unpack_records",)),
    ("fetch: requests", ("(aiokafka/", "feed_data", "_read_ready__data_received")),
    ("Faust and asyncio", ("(faust/", "(mode/", "(asyncio/")),
)


def part_of(stack: str) -> str:
    """The part of the job that a sample's stack belongs to; frames as py-spy writes them, outermost first."""
    frames = stack.split(";")
    names = {frame.partition(" (")[0].rpartition(".")[2] for frame in frames}
    for part, words in PARTS:
        if any(word in stack if "(" in word else word in names for word in words):
            return part
    return "the rest"


def shares(samples: Path) -> dict[str, float]:
    """Share of each part in all samples that are neither idle nor start-up."""
    counted: Counter[str] = Counter()
    for line in samples.read_text(encoding="utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        counted[part_of(stack)] += int(count)
    del counted[IDLE], counted[START]
    return {part: count / counted.total() for part, count in counted.most_common()}


@contextmanager
def sampled(pid: int, samples: Path) -> Iterator[None]:
    """The process's stacks, a hundred times a second, written to the file at the end."""
    words = ["record", "-p", str(pid), "-f", "raw", "-o", str(samples), "-d", "3600"]
    child = Child("py-spy", [str(peers_python().parent / "py-spy"), *words], samples.with_suffix(".log"))
    child.start()
    try:
        yield
    finally:
        child.stop(signal.SIGINT)


def main() -> None:
    """One run of the agent `cases`."""
    options = argparse.ArgumentParser(prog="python -m benchmarks.peers.shares", description=__doc__)
    options.add_argument("--load", choices=("large", "small", "many"), default="large")
    options.add_argument("--events", type=int, default=100_000)
    given = options.parse_args()
    records = practice(given.events) if given.load != "many" else list(many_cases(given.events // 2, 2))
    load = Load(given.load, given.load, by_partition(records))
    if given.load == "small":
        load = replace(load, set_records=SMALL_SET)
    runner, *_ = RUNNERS
    with tempfile.TemporaryDirectory() as folder, Kafka(heap="1g") as kafka:
        make(kafka.bootstrap, {load.name: {}})
        largest = produce(kafka.bootstrap, load.name, load)
        if given.load == "small":
            load = replace(load, fetch_bytes=largest)
        samples = Path(folder) / "samples"
        with clean(kafka.bootstrap, load.name, load) as task, running(runner, task) as child:
            with sampled(child.pid, samples):
                wait_until_done(runner, task, child)
            found = shares(samples)
    print(f"{runner.title}, load {load.name}, {len(load):,} events")
    for part, share in found.items():
        print(f"{share:6.1%}  {part}")


if __name__ == "__main__":
    main()
