"""Section 3: the timeline of one case, and which parts of section 4 each of its events calls.

In: the events of a case that count, in their order. Out: therapist, sessions, closing, daily counts, episodes.
Never: a look at an event that has not been taken yet.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from tests.oracle import shapes
from tests.oracle.acceptance import Event
from tests.oracle.episodes import Episodes, Moment, number_of
from tests.oracle.instruments import Instrument
from tests.oracle.strain import ScoredCheckin, Strain

MICROSECONDS_OF_A_DAY = 86_400_000_000
#: The places of the four counts of a day.
HELD, COMPLETED, REPAIRED, UNREPAIRED = range(4)


@dataclass
class Timeline:
    """What has become of a case so far. Days are counted from 1970."""

    case_id: str
    instruments: Mapping[str, Instrument]
    therapist_id: str | None = None
    team: str | None = None
    #: Whom the latest held session or check-in has named.
    at_work: str | None = None
    #: The sessions that a `session.missed` has named.
    missed: set[str] = field(default_factory=set)
    #: session_id -> (number, day), of the held sessions.
    sessions: dict[str, tuple[int, int]] = field(default_factory=dict)
    is_closed: bool = False
    newest_at: int | None = None
    latest_scored: Event | None = None
    days: dict[int, list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0, 0, 0]))
    episodes: Episodes = field(init=False)

    def __post_init__(self) -> None:
        self.episodes = Episodes(self.case_id)

    @property
    def strain(self) -> Strain:
        """What is known of the case."""
        return self.episodes.strain

    def advance(self, at: int, event: Event) -> None:
        """Add the next event of the timeline, at its place `at`."""
        if event.type == shapes.VOIDED:
            return
        self.newest_at = at
        if event.type in (shapes.HELD, shapes.CHECKIN):
            self._work(event.data["therapist_id"])
        if event.type in (shapes.HELD, shapes.MISSED, shapes.CHECKIN, shapes.CLOSED):
            self._belong(event)
        if event.type in (shapes.HELD, shapes.CHECKIN):
            self._hold(at, event.data["session_id"])
        if event.type == shapes.CHECKIN:
            self._check_in(at, event)
        elif event.type == shapes.MISSED:
            self._miss(at, event)
        elif event.type == shapes.CLOSED:
            self.is_closed = True
            self.episodes.close(at)
        elif event.type in shapes.FLAG_ACTIONS:
            self.episodes.act(at, event)

    def count_ends(self) -> None:
        """Once everything is taken: the flags that ended, on their days."""
        for flag in self.episodes.flags:
            if flag.closed_at is not None and flag.status in ("repaired", "unrepaired"):
                counted = REPAIRED if flag.status == "repaired" else UNREPAIRED
                self.days[flag.closed_at // MICROSECONDS_OF_A_DAY][counted] += 1

    def _work(self, therapist_id: str) -> None:
        if self.at_work not in (None, therapist_id):
            self.strain.client.widen()
            if self.episodes.live is not None:
                self.episodes.live.checkins.clear()
        self.at_work = therapist_id

    def _belong(self, event: Event) -> None:
        self.therapist_id = str(event.data["therapist_id"])
        if event.type != shapes.CLOSED:
            self.team = str(event.data["team"])

    def _hold(self, at: int, session_id: str) -> None:
        self.is_closed = False
        if session_id in self.sessions:
            return
        self.sessions[session_id] = (len(self.sessions) + 1, at // MICROSECONDS_OF_A_DAY)
        self.days[at // MICROSECONDS_OF_A_DAY][HELD] += 1
        self.strain.sessions += 1
        self._judge(at)
        self.strain.begin_session(session_id)

    def _judge(self, at: int) -> None:
        """The session before, if the client has not answered for it."""
        session_id = self.strain.unanswered
        if session_id is not None:
            self.strain.judge_missing()
            self.episodes.ask(self._moment(at, f"missing-{number_of(session_id)}", is_counted=True))

    def _miss(self, at: int, event: Event) -> None:
        self._judge(at)
        if event.data["session_id"] in self.missed:
            return
        self.missed.add(event.data["session_id"])
        by_client = event.data["by"] == "client"
        if by_client:
            self.strain.miss_appointment()
        self.episodes.ask(self._moment(at, f"missed-{number_of(event.source, event.id)}", is_counted=by_client))

    def _check_in(self, at: int, event: Event) -> None:
        assert event.scores is not None
        session_id, instrument = event.data["session_id"], self.instruments[event.data["instrument"]]
        number, day = self.sessions[session_id]
        anchor = number_of(event.checkin_id)
        total = event.scores.total
        if event.data["rater"] == "therapist":
            if total is not None:
                self.strain.score_of_therapist(event, number, instrument)
                self.episodes.ask(self._moment(at, anchor))
            return
        self.strain.answer(session_id)
        if total is None:
            self.episodes.ask(self._moment(at, anchor, is_counted=True))
            return
        self.days[day][COMPLETED] += 1
        self.latest_scored = event
        checkin = self.strain.score(event, number, instrument, self.episodes.is_rebaselining)
        if not self.episodes.ask(self._moment(at, anchor, checkin, is_counted=True)):
            self.strain.learn(checkin)

    def _moment(self, at: int, anchor: str, checkin: ScoredCheckin | None = None, is_counted: bool = False) -> Moment:
        return Moment(at, anchor, self.therapist_id or "", self.team or "", checkin, is_counted)


def timelines(counting: pd.DataFrame, instruments: Mapping[str, Instrument]) -> dict[str, Timeline]:
    """The timeline of every case, each from its first event on."""
    found: dict[str, Timeline] = {}
    for case_id, events in counting.groupby("case_id"):
        timeline = Timeline(str(case_id), instruments)
        for at, event in zip(events["at"], events["event"], strict=True):
            timeline.advance(int(at), event)
        timeline.count_ends()
        found[timeline.case_id] = timeline
    return found
