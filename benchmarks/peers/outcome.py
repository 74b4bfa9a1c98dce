"""Whether a runner did its job right: what should be on its topics, and what is.

In: the records it was given; the topics it wrote. Out: one word, or what is wrong.
Never: take a runner's word for it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from benchmarks.peers import job
from benchmarks.peers.loads import PARTITIONS, Record
from pipeline.core.acceptance import Refusal
from pipeline.core.case.state import CaseState, State
from schemas import refusals
from schemas.topics import CASES, FLAGS, REJECTED

RIGHT = "right"
#: Later than every event of a load.
LATE_MS = 2_000_000_000_000


class Outcome(NamedTuple):
    """The newest version of each case and each flag, and how many records were refused."""

    cases: dict[str, int]
    flags: dict[str, int]
    refused: int

    @property
    def accepted(self) -> int:
        """Distinct events: what the versions count."""
        return sum(self.cases.values())

    @property
    def digest(self) -> str:
        """One digest of all pairs (case, version) and (flag, version)."""
        whole = sorted(self.cases.items()), sorted(self.flags.items())
        return blake2b(msgspec.json.encode(whole), digest_size=8).hexdigest()


def expected(partitions: Sequence[Sequence[Record]]) -> Outcome:
    """A fold in memory, one case after the other."""
    of_case: dict[bytes, list[bytes]] = defaultdict(list)
    for records in partitions:
        for key, value in records:
            of_case[key].append(value)
    outcome = Outcome({}, {}, 0)
    for key, values in of_case.items():
        outcome = _fold(outcome, key, values)
    return outcome


def _fold(outcome: Outcome, key: bytes, values: Iterable[bytes]) -> Outcome:
    state: State = None
    refused = outcome.refused
    for value in values:
        state, facts = job.process(state, key, value, LATE_MS)
        if isinstance(facts, Refusal):
            refused += 1
        else:
            outcome.flags.update({flag.flag_id: flag.version for flag in facts.flags})
    if isinstance(state, CaseState):
        outcome.cases[key.decode()] = state.version
    return outcome._replace(refused=refused)


class _Case(msgspec.Struct):
    case_id: str
    version: int


class _Flag(msgspec.Struct):
    flag_id: str
    version: int


def found(bootstrap: str) -> Outcome:
    """What the topics hold; a reader keeps the highest version and knows a refused record by where it came from."""
    cases: dict[str, int] = {}
    flags: dict[str, int] = {}
    places: set[tuple[bytes, bytes]] = set()
    read_case, read_flag = msgspec.json.Decoder(_Case).decode, msgspec.json.Decoder(_Flag).decode

    def record_case(message: Consumer) -> None:
        case = read_case(message.value())
        cases[case.case_id] = max(case.version, cases.get(case.case_id, 0))

    def record_flag(message: Consumer) -> None:
        flag = read_flag(message.value())
        flags[flag.flag_id] = max(flag.version, flags.get(flag.flag_id, 0))

    def record_refused(message: Consumer) -> None:
        headers = dict(message.headers())
        places.add((headers[refusals.HEADER_PARTITION], headers[refusals.HEADER_OFFSET]))

    for topic, record in ((CASES, record_case), (FLAGS, record_flag), (REJECTED, record_refused)):
        _read(bootstrap, topic, record)
    return Outcome(cases, flags, len(places))


def _read(bootstrap: str, topic: str, record: Callable[[Consumer], None]) -> None:
    """Everything the topic holds now."""
    reader = Consumer({"bootstrap.servers": bootstrap, "group.id": "outcome", "enable.auto.commit": False})
    places = [TopicPartition(topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
    ends = {place.partition: reader.get_watermark_offsets(place)[1] for place in places}
    behind = {partition for partition, end in ends.items() if end}
    reader.assign(places)
    try:
        while behind:
            for message in reader.consume(10_000, timeout=0.1):
                record(message)
                if message.offset() + 1 >= ends[message.partition()]:
                    behind.discard(message.partition())
    finally:
        reader.close()


def verdict(wanted: Outcome, got: Outcome) -> str:
    """`right`, or what is wrong."""
    if got.digest == wanted.digest and got.refused == wanted.refused:
        return RIGHT
    wrong_flags = sum(got.flags.get(flag) != version for flag, version in wanted.flags.items())
    return (
        f"WRONG: accepted {got.accepted:,} of {wanted.accepted:,}, refused {got.refused:,} of {wanted.refused:,}, "
        f"{wrong_flags:,} of {len(wanted.flags):,} flags not as they should be"
    )
