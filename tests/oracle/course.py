"""Section 3: the course of one case.

In: the events of a case that count, in their order. Out: therapist, sessions, closing, daily counts; every scored
check-in and flag action is handed on to the case's episodes.
Never: a look at an event that has not been taken yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from tests.oracle import shapes
from tests.oracle.acceptance import Event
from tests.oracle.episodes import Episodes, Flag, ScoredCheckin
from tests.oracle.instruments import Instrument

MICROSECONDS_OF_A_DAY = 86_400_000_000
#: The places of the four counts of a day.
HELD, COMPLETED, REPAIRED, UNREPAIRED = range(4)


@dataclass
class Course:
    """What has become of a case so far. Days are counted from 1970."""

    case_id: str
    instruments: Mapping[str, Instrument]
    therapist_id: str | None = None
    team: str | None = None
    #: session_id -> (number, day), of the held sessions.
    sessions: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_closed: bool = False
    newest_at: int | None = None
    latest_scored: Event | None = None
    days: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    episodes: Episodes = field(default_factory=Episodes)

    def take(self, at: int, event: Event) -> None:
        """The next event of the course, which stands at `at`."""
        if event.type == shapes.WITHDRAWN:
            return
        self.newest_at = at
        if event.type in (shapes.HELD, shapes.MISSED, shapes.CHECKIN, shapes.CLOSED):
            self._belong(event)
        if event.type in (shapes.HELD, shapes.CHECKIN):
            self._hold(at, event.data["session_id"])
        if event.type == shapes.CHECKIN:
            self._score(at, event)
        elif event.type == shapes.CLOSED:
            self.is_closed = True
            self._count_end(self.episodes.close(at))
        elif event.type in shapes.FLAG_ACTIONS:
            self.episodes.act(at, event)

    def _belong(self, event: Event) -> None:
        self.therapist_id = str(event.data["therapist_id"])
        if event.type != shapes.CLOSED:
            self.team = str(event.data["team"])

    def _hold(self, at: int, session_id: str) -> None:
        self.is_closed = False
        if session_id not in self.sessions:
            self.sessions[session_id] = (len(self.sessions) + 1, at // MICROSECONDS_OF_A_DAY)
            self.days[at // MICROSECONDS_OF_A_DAY][HELD] += 1

    def _score(self, at: int, event: Event) -> None:
        assert event.scores is not None
        if event.data["rater"] != "client" or event.scores.total is None:
            return
        number, day = self.sessions[event.data["session_id"]]
        self.days[day][COMPLETED] += 1
        self.latest_scored = event
        instrument = self.instruments[event.data["instrument"]]
        self._count_end(self.episodes.score(ScoredCheckin(at, event, event.scores.total, number, instrument)))

    def _count_end(self, flag: Flag | None) -> None:
        if flag is not None and flag.closed_at is not None and flag.status in ("repaired", "unrepaired"):
            counted = REPAIRED if flag.status == "repaired" else UNREPAIRED
            self.days[flag.closed_at // MICROSECONDS_OF_A_DAY][counted] += 1


def courses(counting: pd.DataFrame, instruments: Mapping[str, Instrument]) -> dict[str, Course]:
    """The course of every case, each from its first event on."""
    found: dict[str, Course] = {}
    for case_id, events in counting.groupby("case_id"):
        course = Course(str(case_id), instruments)
        for at, event in zip(events["at"], events["event"], strict=True):
            course.take(int(at), event)
        found[course.case_id] = course
    return found
