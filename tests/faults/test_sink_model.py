"""The protocol of the store's sink as a model, searched exhaustively: nothing is lost, doubled or blocked.

Two writers read one partition and write to one database. After any step of a writer (seek, poll, begin, move the
position, commit, commit the group's offset) any step of the other may follow, or a fault: a crash, a rebalance of which
the loser learns too late, an outage of the database, a stop during an outage. The model does what `consumers/loop.py`,
`consumers/start_positions.py` and `consumers/store/sink.py` do.
"""

from collections import defaultdict
from collections.abc import Iterator
from enum import Enum
from itertools import product
from typing import NamedTuple

import pytest

from tests.support.sizes import sized

RECORD_COUNT = sized(3, 4)
MOST_FAULTS = 2


class Safeguard(Enum):
    """What the protocol needs."""

    ONE_TRANSACTION = "rows and position are committed together"
    COMPARE_AND_SET = "the position moves only from where it was read"
    ONLY_WHAT_IS_NEW = "records before the position are left out"
    SEEK_TO_POSITION = "reading begins at the position, not at the group's offset"
    SEEK_AFTER_CONFLICT = "after a position conflict reading continues from the new position"
    INSERT_OR_IGNORE = "a row that is there already is not an error"
    ONLY_UPWARDS = "a lower version never replaces a higher one"
    RETRY_WHEN_AWAY = "a batch that was not written is written again"


ALL = frozenset(Safeguard)


class Record(NamedTuple):
    """A snapshot of a row; version 0 is its deletion."""

    key: str
    version: int


ALPHABET = (Record("a", 1), Record("a", 2), Record("a", 0), Record("b", 1))
Log = tuple[Record, ...]
Rows = frozenset[tuple[str, int]]


class Writer(NamedTuple):
    """One process. `at`: idle, polled, begun (has read the position), moved (holds its lock), written."""

    owns: bool = False
    at: str = "idle"
    #: Where it polls next; None if it has to seek.
    next_offset: int | None = None
    batch: tuple[int, int] = (0, 0)
    #: The position as its transaction read it.
    known: int = 0


class World(NamedTuple):
    """The whole state. Equal worlds are searched once."""

    writers: tuple[Writer, Writer] = (Writer(owns=True), Writer())
    rows: Rows = frozenset()
    position: int = 0
    group_offset: int = 0
    faults: int = 0
    #: Whether a row was there already although that is an error.
    clash: bool = False

    def put(self, number: int, writer: Writer) -> "World":
        """With another writer in this place."""
        first, second = self.writers
        return self._replace(writers=(writer, second) if number == 0 else (first, writer))


class Clash(Exception):
    """A row is there already."""


def applied(rows: Rows, records: Log, guards: frozenset[Safeguard]) -> Rows:
    """The rows after these records."""
    kept = dict(rows)
    for record in records:
        known = kept.get(record.key)
        if record.version == 0:
            kept.pop(record.key, None)
        elif known is not None and Safeguard.INSERT_OR_IGNORE not in guards:
            raise Clash
        elif known is None or record.version > known or Safeguard.ONLY_UPWARDS not in guards:
            kept[record.key] = record.version
    return frozenset(kept.items())


class Model:
    """Every step from any world."""

    def __init__(self, log: Log, guards: frozenset[Safeguard]) -> None:
        self._log = log
        self._guards = guards

    def steps(self, world: World) -> Iterator[World]:
        """What may come next if nothing goes wrong."""
        if not world.clash:
            for number in (0, 1):
                yield from self._step(world, number)

    def faults(self, world: World) -> Iterator[World]:
        """What may go wrong next."""
        if world.faults < MOST_FAULTS and not world.clash:
            worse = world._replace(faults=world.faults + 1)
            for number, writer in enumerate(world.writers):
                yield from self._fault(worse, number, writer)

    def _has(self, safeguard: Safeguard) -> bool:
        return safeguard in self._guards

    def _step(self, world: World, number: int) -> Iterator[World]:
        writer = world.writers[number]
        if writer.at == "idle" and writer.owns:
            yield from self._read(world, number, writer)
        elif writer.at == "polled":
            yield world.put(number, writer._replace(at="begun", known=world.position))
        elif writer.at == "begun" and world.writers[1 - number].at != "moved":
            yield self._move(world, number, writer)
        elif writer.at == "moved":
            yield self._commit(world, number, writer)
        elif writer.at == "written":
            yield world.put(number, writer._replace(at="idle"))._replace(group_offset=writer.batch[1])

    def _read(self, world: World, number: int, writer: Writer) -> Iterator[World]:
        if writer.next_offset is None:
            start = world.position if self._has(Safeguard.SEEK_TO_POSITION) else world.group_offset
            yield world.put(number, writer._replace(next_offset=start))
            return
        for end in range(writer.next_offset + 1, len(self._log) + 1):
            yield world.put(number, writer._replace(at="polled", batch=(writer.next_offset, end), next_offset=end))

    def _fresh(self, writer: Writer) -> tuple[int, int]:
        first, end = writer.batch
        return (max(first, writer.known) if self._has(Safeguard.ONLY_WHAT_IS_NEW) else first), end

    def _move(self, world: World, number: int, writer: Writer) -> World:
        first, end = self._fresh(writer)
        if first >= end:
            return world.put(number, writer._replace(at="written"))
        if self._has(Safeguard.COMPARE_AND_SET) and world.position != writer.known:
            seeks = self._has(Safeguard.SEEK_AFTER_CONFLICT)
            return world.put(number, writer._replace(at="idle", next_offset=None if seeks else writer.next_offset))
        moved = world.put(number, writer._replace(at="moved"))
        return moved if self._has(Safeguard.ONE_TRANSACTION) else moved._replace(position=end)

    def _commit(self, world: World, number: int, writer: Writer) -> World:
        first, end = self._fresh(writer)
        try:
            rows = applied(world.rows, self._log[first:end], self._guards)
        except Clash:
            return world._replace(clash=True)
        position = end if self._has(Safeguard.ONE_TRANSACTION) else world.position
        return world.put(number, writer._replace(at="written"))._replace(rows=rows, position=position)

    def _fault(self, worse: World, number: int, writer: Writer) -> Iterator[World]:
        new_process = Writer(owns=writer.owns)
        yield worse.put(number, new_process)
        if writer.owns:
            # The other one is assigned the partition; this one continues with what it has polled.
            other = worse.writers[1 - number]
            given = worse.put(1 - number, other._replace(owns=True, next_offset=None))
            yield given.put(number, writer._replace(owns=False))
        if writer.at in ("begun", "moved"):
            # The database goes away and everything is rolled back. If the loop is stopped meanwhile, it might still
            # commit the group's offset.
            retries = self._has(Safeguard.RETRY_WHEN_AWAY)
            yield worse.put(number, writer._replace(at="polled" if retries else "written"))
            yield worse.put(number, new_process)._replace(group_offset=writer.batch[1])


def logs() -> Iterator[Log]:
    """Every log of `RECORD_COUNT` records in which nothing follows a row's deletion, because an erasure is final."""
    for log in product(ALPHABET, repeat=RECORD_COUNT):
        deleted = [place for place, record in enumerate(log) if record.version == 0]
        if not any(record.key == "a" for place in deleted for record in log[place + 1 :]):
            yield log


def search(log: Log, guards: frozenset[Safeguard]) -> tuple[int, list[str]]:
    """How many worlds there are, and which of them are wrong."""
    model = Model(log, guards)
    rows = applied(frozenset(), log, ALL)
    before: dict[World, list[World]] = defaultdict(list)
    seen, ahead, ends = {World()}, [World()], []
    while ahead:
        world = ahead.pop()
        nexts = list(model.steps(world))
        for following in nexts:
            before[following].append(world)
        if not nexts:
            ends.append(world)
        new = [found for found in (*nexts, *model.faults(world)) if found not in seen]
        seen.update(new)
        ahead.extend(new)
    wrong = [f"{log}: {world}" for world in ends if world.clash or (world.rows, world.position) != (rows, len(log))]
    return len(seen), wrong + [f"{log}: never ends: {world}" for world in seen - reaching(ends, before)]


def reaching(ends: list[World], before: dict[World, list[World]]) -> set[World]:
    """The worlds from which an end can be reached without a further fault."""
    found, ahead = set(ends), list(ends)
    while ahead:
        new = [earlier for earlier in before[ahead.pop()] if earlier not in found]
        found.update(new)
        ahead.extend(new)
    return found


def test_nothing_is_lost_doubled_or_blocked_whatever_crashes_between_any_two_steps() -> None:
    searched = 0
    for log in logs():
        worlds, wrong = search(log, ALL)
        assert wrong == []
        searched += worlds
    assert searched > 50_000, "a model without worlds shows nothing"


@pytest.mark.parametrize("safeguard", Safeguard, ids=lambda safeguard: safeguard.name)
def test_without_any_one_safeguard_the_search_finds_a_failure(safeguard: Safeguard) -> None:
    assert any(search(log, ALL - {safeguard})[1] for log in logs())
