"""Sections 4.3 to 4.5: what is known of a case, and what each thing that happens adds to it.

In: sessions, appointments missed, check-ins, in the order of the course. Out: a statistic that the detectors read.
Never: a flag, and whether one lives; whoever calls says what is learned and when an episode has ended.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.acceptance import Event
from tests.oracle.forms import Shares, ceiling_ratios, form_ratio, is_stiff, score_ratio, usually_stiff
from tests.oracle.instruments import Instrument
from tests.oracle.levels import CEILING, Expected, Level
from tests.oracle.odds import Odds

MISSING_SHARE = 0.30
MISSED_SHARE = 0.07
#: So many appointments of other clients stand beside the client's own.
MISSED_PRIOR = 20


@dataclass(frozen=True)
class Form:
    """A client's scored check-in, weighed."""

    session_id: str
    #: The number of its own session.
    number: int
    instrument: Instrument
    score: float
    expected: Expected
    deviation: float
    is_mirrored: bool
    #: None where they say nothing.
    shares: list[float] | None
    is_accepted: bool = False


@dataclass
class Strain:
    """Everything of section 4 that a case has."""

    odds: Odds = field(default_factory=Odds)
    client: Level = field(default_factory=Level)
    #: One level of each therapist who has rated the case.
    therapists: dict[str, Level] = field(default_factory=lambda: defaultdict(Level))
    shares: Shares = field(default_factory=Shares)
    slide: float = 0.0
    #: N, and the newest session while nobody has answered for it.
    sessions: int = 0
    unanswered: str | None = None
    judged: int = 0
    missing: int = 0
    missing_in_a_row: int = 0
    #: Appointments that the client has missed.
    missed: int = 0
    forms: int = 0
    stiff_forms: int = 0
    last_answers: Mapping[str, Any] | None = None
    checkins: int = 0
    latest: Form | None = None
    #: By therapist, with a total.
    therapist_checkins: Counter[str] = field(default_factory=Counter)
    #: Of the latest therapist check-in with a total: the therapist, the session and z.
    latest_of_therapist: tuple[str, str, float] | None = None

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
        v = (self.missed + MISSED_PRIOR * MISSED_SHARE) / (self.sessions + self.missed + MISSED_PRIOR)
        self.odds.pass_on(self.sessions)
        self.odds.weigh("form", 1, 3 / (1 + 2 * v))
        self.missed += 1

    def answer(self, session_id: str) -> None:
        """A client's check-in, scored or not."""
        if self.unanswered == session_id:
            self.unanswered = None
        u = self._usually_missing
        self.odds.weigh("missing", 1 / (1 + 0.2 * u), 1 / (1 + 2 * u))
        self.judged += 1
        self.missing_in_a_row = 0

    def score(self, event: Event, number: int, instrument: Instrument, is_accepted: bool) -> Form:
        """A client's check-in with a total, of the session with that number."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        expected = self.client.predict(self.sessions, instrument.resolution)
        z = expected.deviation_shown(y)
        deviation = max(z, 0.0) if y >= CEILING else z
        is_mirrored = self._is_mirrored(y, expected)
        shares = None
        if not is_mirrored:
            shares = self._weigh(event, instrument, z, deviation, expected.wavering, is_accepted)
        self.checkins += 1
        self.latest = Form(
            event.data["session_id"], number, instrument, y, expected, deviation, is_mirrored, shares, is_accepted
        )
        return self.latest

    def score_of_therapist(self, event: Event, number: int, instrument: Instrument) -> None:
        """A therapist's check-in with a total, of the session with that number."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        who = event.data["therapist_id"]
        expected = self.therapists[who].predict(number, instrument.resolution)
        z = expected.deviation(y)
        if self.therapist_checkins[who] >= 3 and y < CEILING:
            v = 0.4 + 0.6 * min(score_ratio(0, 0.7 * z, expected.wavering), 1000)
            self.odds.weigh("therapist", v, v)
        self.therapists[who].learn(y, 1.0 if z > -2 else 0.3, expected)
        self.therapist_checkins[who] += 1
        self.latest_of_therapist = (who, event.data["session_id"], z)

    def learn(self, form: Form) -> None:
        """A scored check-in outside of any episode."""
        if form.is_mirrored:
            return
        weight = 1.0 if form.is_accepted else self.odds.usual
        self.client.learn(form.score, weight, form.expected)
        if form.shares is not None:
            self.shares.learn(form.shares, weight)

    def end_episode(self, is_repaired: bool, target: float, of_episode: Sequence[Form]) -> None:
        """What spoke for a strain is settled; who stayed down is held against where the episode has led."""
        self.odds = Odds()
        self.slide = 0.0
        if is_repaired:
            return
        learned = [form for form in of_episode if not form.is_mirrored]
        if len(learned) < 3 or any(form.score >= target for form in learned[-2:]):
            self.client.loosen()
            return
        assert self.latest is not None
        resolution = self.latest.instrument.resolution
        self.client = Level()
        for form in learned:
            self.client.learn(form.score, 1.0, self.client.predict(form.number, resolution))

    @property
    def _usually_missing(self) -> float:
        return (self.missing + 6 * MISSING_SHARE) / (self.judged + 6)

    def _is_mirrored(self, y: float, expected: Expected) -> bool:
        turned = abs(1 - y - min(expected.score, 1)) / expected.sd
        after_another = self.latest is not None and self.latest.is_mirrored
        return y < 0.5 and expected.deviation(y) <= -3 and turned <= 2.5 and not after_another

    def _weigh(
        self, event: Event, instrument: Instrument, z: float, deviation: float, e: float, is_accepted: bool
    ) -> list[float] | None:
        """The form's weight; returns its shares, if they say something."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        if self.client.count > 2 and not is_accepted:
            self.slide = max(0.0, self.slide - min(deviation, 2) - 0.5)
        shares, stiff = None, False
        if y >= CEILING:
            against, of_form = ceiling_ratios(z, e)
            if not is_accepted:
                self.odds.weigh("score", against, 1)
            self.odds.weigh("form", 1, of_form)
        else:
            if not is_accepted:
                self.odds.weigh("score", score_ratio(0, z, e), score_ratio(1, z, e))
            stiff = y < 0.96 and self._weigh_form(event.data["answers"], instrument)
            if not stiff:
                shares = self._weigh_ingredients(event, instrument)
        self.forms += 1
        self.stiff_forms += stiff
        self.last_answers = event.data["answers"]
        return shares

    def _weigh_form(self, answers: Mapping[str, Any], instrument: Instrument) -> bool:
        stiff = is_stiff(answers, self.last_answers)
        usually = usually_stiff(self.stiff_forms, self.forms, instrument.stiff_share)
        self.odds.weigh("form", 1, form_ratio(stiff, usually))
        return stiff

    def _weigh_ingredients(self, event: Event, instrument: Instrument) -> list[float] | None:
        assert event.scores is not None
        found = self.shares.of(event.scores.ingredients, instrument.grain)
        if found is None:
            return None
        x = self.shares.ratio(*found, instrument.grain)
        self.odds.weigh("ingredient", x, x)
        return found[0]
