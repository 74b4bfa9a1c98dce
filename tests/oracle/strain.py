"""Sections 4.3 to 4.5: what is known of a case, and what each thing that happens adds to it.

In: sessions, appointments missed, check-ins, in the order of the course. Out: a statistic that the detectors read.
Never: a flag, and whether one lives; whoever calls says what is learned and when an episode has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.acceptance import Event
from tests.oracle.forms import Shares, ceiling_ratios, is_stiff, score_ratio
from tests.oracle.instruments import Instrument
from tests.oracle.levels import BETWEEN_VARIANCE, CEILING, Expected, Level
from tests.oracle.odds import Odds

MISSING_SHARE = 0.30
MISSED_SHARE = 0.07


@dataclass(frozen=True)
class Form:
    """A client's scored check-in, weighed."""

    session_id: str
    score: float
    expected: Expected
    deviation: float
    is_mirrored: bool
    cutoff: float | None
    #: None where they say nothing.
    shares: list[float] | None


@dataclass
class Strain:
    """Everything of section 4 that a case has."""

    odds: Odds = field(default_factory=Odds)
    client: Level = field(default_factory=Level)
    therapist: Level = field(default_factory=Level)
    shares: Shares = field(default_factory=Shares)
    slide: float = 0.0
    #: N, and the newest session while nobody has answered for it.
    sessions: int = 0
    unanswered: str | None = None
    judged: int = 0
    missing: int = 0
    missing_in_a_row: int = 0
    forms: int = 0
    stiff_forms: int = 0
    last_answers: Mapping[str, Any] | None = None
    checkins: int = 0
    latest: Form | None = None
    therapist_checkins: int = 0
    #: The session of the latest therapist check-in with a total, and its z.
    latest_of_therapist: tuple[str, float] | None = None

    def begin_session(self, session_id: str) -> None:
        """A new session, once the one before it has been judged."""
        self.odds.pass_on(self.sessions)
        self.unanswered = session_id

    def judge_missing(self) -> None:
        """The newest session so far stays without a client's check-in."""
        u = self._usually_missing
        self.odds.weigh("missing", 1.2 / (1 + 0.2 * u), 3 / (1 + 2 * u))
        self.judged += 1
        self.missing += 1
        self.missing_in_a_row += 1
        self.unanswered = None

    def miss_appointment(self) -> None:
        """The client did not come."""
        self.odds.pass_on(self.sessions)
        self.odds.weigh("form", 1, 3 / (1 + 2 * MISSED_SHARE))

    def answer(self, session_id: str) -> None:
        """A client's check-in, scored or not."""
        if self.unanswered == session_id:
            self.unanswered = None
        u = self._usually_missing
        self.odds.weigh("missing", 1 / (1 + 0.2 * u), 1 / (1 + 2 * u))
        self.judged += 1
        self.missing_in_a_row = 0

    def score(self, event: Event, instrument: Instrument) -> Form:
        """A client's check-in with a total."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        expected = self.client.predict(self.sessions, instrument.standard_error)
        z = expected.deviation(y)
        deviation = max(z, 0.0) if y >= CEILING else z
        is_mirrored = self._is_mirrored(y, expected)
        shares = None if is_mirrored else self._weigh(event, y, z, deviation, expected.wavering)
        self.checkins += 1
        self.latest = Form(event.data["session_id"], y, expected, deviation, is_mirrored, instrument.cutoff, shares)
        return self.latest

    def score_of_therapist(self, event: Event, number: int, instrument: Instrument) -> None:
        """A therapist's check-in with a total, of the session with that number."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        expected = self.therapist.predict(number, instrument.standard_error)
        z = expected.deviation(y)
        if self.therapist_checkins >= 3 and y < CEILING:
            v = 0.4 + 0.6 * min(score_ratio(0, 0.8 * z, expected.wavering), 1000)
            self.odds.weigh("therapist", v, v)
        self.therapist.learn(y, 1.0 if z > -2 else 0.3, expected)
        self.therapist_checkins += 1
        self.latest_of_therapist = (event.data["session_id"], z)

    def learn(self, form: Form) -> None:
        """A scored check-in outside of any episode."""
        if form.is_mirrored:
            return
        weight = self.odds.usual
        self.client.learn(form.score, weight, form.expected)
        if form.shares is not None:
            self.shares.learn(form.shares, weight)

    def end_episode(self, is_repaired: bool) -> None:
        """What spoke for a strain is settled; who was not repaired may have a new level."""
        self.odds = Odds()
        self.slide = 0.0
        if not is_repaired:
            self.client.p += BETWEEN_VARIANCE

    @property
    def _usually_missing(self) -> float:
        return (self.missing + 6 * MISSING_SHARE) / (self.judged + 6)

    def _is_mirrored(self, y: float, expected: Expected) -> bool:
        turned = abs(1 - y - min(expected.score, 1)) / expected.sd
        after_another = self.latest is not None and self.latest.is_mirrored
        return y < 0.5 and expected.deviation(y) <= -3 and turned <= 2.5 and not after_another

    def _weigh(self, event: Event, y: float, z: float, deviation: float, e: float) -> list[float] | None:
        """The form's weight; returns its shares, if they say something."""
        if self.client.count > 2:
            self.slide = max(0.0, self.slide - min(deviation, 2) - 0.5)
        shares, stiff = None, False
        if y >= CEILING:
            against, of_form = ceiling_ratios(z, e)
            self.odds.weigh("score", against, 1)
            self.odds.weigh("form", 1, of_form)
        else:
            self.odds.weigh("score", score_ratio(0, z, e), score_ratio(1, z, e))
            stiff = y < 0.96 and self._weigh_form(event.data["answers"])
            if not stiff:
                shares = self._weigh_ingredients(event)
        self.forms += 1
        self.stiff_forms += stiff
        self.last_answers = event.data["answers"]
        return shares

    def _weigh_form(self, answers: Mapping[str, Any]) -> bool:
        f = (self.stiff_forms + 0.03) / (self.forms + 10)
        stiff = is_stiff(answers, self.last_answers)
        self.odds.weigh("form", 1, 0.3 / f if stiff else 0.4 / (1 - f))
        return stiff

    def _weigh_ingredients(self, event: Event) -> list[float] | None:
        assert event.scores is not None
        found = self.shares.of(event.scores.ingredients)
        if found is None:
            return None
        x = self.shares.ratio(*found)
        self.odds.weigh("ingredient", x, x)
        return found[0]
