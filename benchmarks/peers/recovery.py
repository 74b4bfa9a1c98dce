"""How long a killed runner takes until it continues, with many cases of state.

In: a broker, a runner, a number of cases. Out: seconds from the kill to the first new summary on the log.
Never: a clean end: the process is killed, its seat in the group is still taken.
"""

from time import monotonic

import msgspec
from confluent_kafka import Consumer, TopicPartition

from benchmarks.peers.bench import clean, running, wait_until_done
from benchmarks.peers.loads import Load, by_partition, many_cases, produce
from benchmarks.peers.runners import Runner
from benchmarks.peers.topics import make
from deploy.testbed.kafka import delete_topics, end_offsets, unique_name
from schemas.topics import CASES

MOST_SECONDS = 120
#: Second check-ins that come in while the runner is away; one of them is enough to see that it continues.
NEW_EVENTS = 160


class _Case(msgspec.Struct):
    version: int


def recovery_seconds(broker: str, runner: Runner, cases: int) -> float:
    """One kill, after each case has had its first check-in."""
    first, second = _halves(cases)
    source = unique_name("recovery")
    make(broker, {source: {}})
    produce(broker, source, first)
    try:
        with clean(broker, source, first) as task:
            with running(runner, task) as child:
                wait_until_done(runner, task, child)
            killed = monotonic()
            ends = end_offsets(broker, CASES)
            with running(runner, msgspec.structs.replace(task, tail=True)):
                produce(broker, source, second)
                _wait_for_second_version(broker, ends)
                return monotonic() - killed
    finally:
        delete_topics(broker, [source])


def _halves(cases: int) -> tuple[Load, Load]:
    records = list(many_cases(cases, 2))
    return (
        Load("first", "the first check-ins", by_partition(records[:cases])),
        Load("second", "some of the second ones", by_partition(records[cases : cases + NEW_EVENTS])),
    )


def _wait_for_second_version(broker: str, ends: dict[int, int]) -> None:
    """Until a summary that counts two check-ins is on the log."""
    reader = Consumer({"bootstrap.servers": broker, "group.id": "recovery", "enable.auto.commit": False})
    reader.assign([TopicPartition(CASES, number, end) for number, end in ends.items()])
    deadline = monotonic() + MOST_SECONDS
    try:
        while monotonic() < deadline:
            for message in reader.consume(1_000, timeout=0.05):
                if msgspec.json.decode(message.value(), type=_Case).version > 1:
                    return
    finally:
        reader.close()
    raise AssertionError(f"no new event was processed within {MOST_SECONDS} s of the kill")
