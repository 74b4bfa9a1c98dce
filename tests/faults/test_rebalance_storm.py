"""Workers join and leave all the time: every partition moves on, nothing is lost, no old output wins."""

import random
from time import monotonic

import pytest

from deploy.testbed.kafka import committed_offsets
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from schemas.topics import EVENTS as TOPIC
from tests.support.load import coming_in
from tests.support.reference import assert_equals_the_reference, practice
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

CHANGES = sized(10, 200)
#: Between two changes at most.
MOST_SECONDS = sized(5.0, 15.0)
EVENTS_A_SECOND = sized(150, 500)
#: More than come in while the storm lasts.
EVENTS = sized(6_000, 400_000)
MOST_WORKERS = 4
NO_PROGRESS_SECONDS = 60.0


class Progress:
    """How long each partition of the events has stood still while something lay ahead."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._committed: dict[int, int] = {}
        self._since: dict[int, float] = {}
        self.longest = 0.0

    def look(self) -> bool:
        """Take note; False, so that it can be waited on."""
        now = monotonic()
        committed = committed_offsets(self._system.bootstrap, self._system.settings["ALLIANCE_APP_ID"], TOPIC)
        for partition in range(int(self._system.settings["ALLIANCE_PARTITIONS"])):
            offset = committed.get(partition, 0)
            if offset != self._committed.get(partition):
                self._committed[partition], self._since[partition] = offset, now
            self.longest = max(self.longest, now - self._since[partition])
        return False


def test_every_partition_moves_on_though_workers_join_and_leave(system: System, chance: random.Random) -> None:
    seats = [system, *(system.another() for _ in range(MOST_WORKERS - 1))]
    system.start("store", "worker")
    progress = Progress(system)
    events = practice(weeks=sized(12, 52), seed=81, therapists=sized(15, 240))[:EVENTS]
    assert len(events) == EVENTS
    with coming_in(system, events, EVENTS_A_SECOND):
        for _ in range(CHANGES):
            ends = monotonic() + chance.uniform(0.5, MOST_SECONDS)
            wait_until(lambda: progress.look() or monotonic() > ends, 60, "the next change")  # noqa: B023
            change(seats, chance)
    if not any(is_taken(seat) for seat in seats):
        system.start("worker")
    assert_equals_the_reference(system)
    progress.look()
    assert progress.longest < NO_PROGRESS_SECONDS


def is_taken(seat: System) -> bool:
    """Whether a worker runs here."""
    return "worker" in seat.running and seat.running["worker"].running


def change(seats: list[System], chance: random.Random) -> None:
    """One worker joins, or one leaves, in good order or killed."""
    seat = chance.choice(seats)
    if not is_taken(seat):
        seat.start("worker")
    elif chance.random() < 0.5:
        seat.kill("worker")
    else:
        seat.running["worker"].stop()
