"""Sections 4.3 to 4.5: what is known of a case, and what each thing that happens adds to it.

In: sessions, appointments missed, check-ins, in the order of the timeline. Out: a statistic that the detectors read.
Never: decide whether a flag is open; the caller says which check-ins update the baseline and when an episode has ended.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.acceptance import Event
from tests.oracle.checkins import Shares, ceiling_ratios, invariant_ratio, is_invariant, score_ratio, usually_invariant
from tests.oracle.instruments import Instrument
from tests.oracle.levels import CEILING, Expected, Level
from tests.oracle.odds import Odds

MISSING_SHARE = 0.30
MISSED_SHARE = 0.07
#: The practice's share of missed appointments counts as much as this many appointments of the client.
MISSED_PRIOR = 20


@dataclass(frozen=True)
class ScoredCheckin:
    """A client's scored check-in and what it was expected to be."""

    session_id: str
    #: The number of its own session.
    number: int
    instrument: Instrument
    score: float
    expected: Expected
    deviation: float
    is_scale_reversed: bool
    #: None if they do not count.
    shares: list[float] | None
    is_rebaselining: bool = False


@dataclass
class Strain:
    """Everything of section 4 that a case has."""

    odds: Odds = field(default_factory=Odds)
    client: Level = field(default_factory=Level)
    #: One level of each therapist who has rated the case.
    therapists: dict[str, Level] = field(default_factory=lambda: defaultdict(Level))
    shares: Shares = field(default_factory=Shares)
    slide: float = 0.0
    #: N, and the newest session while the client has not answered for it.
    sessions: int = 0
    unanswered: str | None = None
    judged: int = 0
    missing: int = 0
    missing_in_a_row: int = 0
    #: Appointments that the client has missed.
    missed: int = 0
    answered: int = 0
    invariant: int = 0
    last_answers: Mapping[str, Any] | None = None
    checkins: int = 0
    latest: ScoredCheckin | None = None
    #: By therapist, with a total.
    therapist_checkins: Counter[str] = field(default_factory=Counter)
    #: The latest therapist check-in with a total: the therapist, the session and z.
    latest_of_therapist: tuple[str, str, float] | None = None

    def begin_session(self, session_id: str) -> None:
        """A new session, once the one before it has been judged."""
        self.odds.pass_on(self.sessions)
        self.unanswered = session_id

    def judge_missing(self) -> None:
        """The newest session so far stays without a client's check-in."""
        u = self._usually_missing
        self.odds.update("missing", 1.2 / (1 + 0.2 * u), 3 / (1 + 2 * u))
        self.judged += 1
        self.missing += 1
        self.missing_in_a_row += 1
        self.unanswered = None

    def miss_appointment(self) -> None:
        """The client did not come."""
        v = (self.missed + MISSED_PRIOR * MISSED_SHARE) / (self.sessions + self.missed + MISSED_PRIOR)
        self.odds.pass_on(self.sessions)
        self.odds.update("response_style", 1, 3 / (1 + 2 * v))
        self.missed += 1

    def answer(self, session_id: str) -> None:
        """A client's check-in, scored or not."""
        if self.unanswered == session_id:
            self.unanswered = None
        u = self._usually_missing
        self.odds.update("missing", 1 / (1 + 0.2 * u), 1 / (1 + 2 * u))
        self.judged += 1
        self.missing_in_a_row = 0

    def score(self, event: Event, number: int, instrument: Instrument, is_rebaselining: bool) -> ScoredCheckin:
        """A client's check-in with a total, of the session with that number."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        expected = self.client.predict(self.sessions, instrument.resolution)
        z = expected.deviation_shown(y)
        deviation = max(z, 0.0) if y >= CEILING else z
        is_scale_reversed = self._is_scale_reversed(y, expected)
        shares = None
        if not is_scale_reversed:
            shares = self._update(event, instrument, z, deviation, expected.wavering, is_rebaselining)
        self.checkins += 1
        self.latest = ScoredCheckin(
            event.data["session_id"],
            number,
            instrument,
            y,
            expected,
            deviation,
            is_scale_reversed,
            shares,
            is_rebaselining,
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
            self.odds.update("therapist", v, v)
        self.therapists[who].update(y, 1.0 if z > -2 else 0.3, expected)
        self.therapist_checkins[who] += 1
        self.latest_of_therapist = (who, event.data["session_id"], z)

    def learn(self, checkin: ScoredCheckin) -> None:
        """A scored check-in outside of any episode."""
        if checkin.is_scale_reversed:
            return
        weight = 1.0 if checkin.is_rebaselining else self.odds.probability_unstrained
        self.client.update(checkin.score, weight, checkin.expected)
        if checkin.shares is not None:
            self.shares.learn(checkin.shares, weight)

    def end_episode(self, is_repaired: bool, target: float, of_episode: Sequence[ScoredCheckin]) -> None:
        """What spoke for a strain is settled; who stayed down is held against where the episode has led."""
        self.odds = Odds()
        self.slide = 0.0
        if is_repaired:
            return
        learned = [checkin for checkin in of_episode if not checkin.is_scale_reversed]
        if len(learned) < 3 or any(checkin.score >= target for checkin in learned[-2:]):
            self.client.widen()
            return
        assert self.latest is not None
        resolution = self.latest.instrument.resolution
        self.client = Level()
        for checkin in learned:
            self.client.update(checkin.score, 1.0, self.client.predict(checkin.number, resolution))

    @property
    def _usually_missing(self) -> float:
        return (self.missing + 6 * MISSING_SHARE) / (self.judged + 6)

    def _is_scale_reversed(self, y: float, expected: Expected) -> bool:
        turned = abs(1 - y - min(expected.score, 1)) / expected.sd
        after_another = self.latest is not None and self.latest.is_scale_reversed
        return y < 0.5 and expected.deviation(y) <= -3 and turned <= 2.5 and not after_another

    def _update(
        self, event: Event, instrument: Instrument, z: float, deviation: float, e: float, is_rebaselining: bool
    ) -> list[float] | None:
        """Update the odds with a check-in; returns its shares, if it has any that count."""
        assert event.scores is not None and event.scores.total is not None
        y = event.scores.total
        if self.client.count > 2 and not is_rebaselining:
            self.slide = max(0.0, self.slide - min(deviation, 2) - 0.5)
        shares, invariant = None, False
        if y >= CEILING:
            against, of_form = ceiling_ratios(z, e)
            if not is_rebaselining:
                self.odds.update("score", against, 1)
            self.odds.update("response_style", 1, of_form)
        else:
            if not is_rebaselining:
                self.odds.update("score", score_ratio(0, z, e), score_ratio(1, z, e))
            invariant = y < 0.96 and self._update_response_style(event.data["answers"], instrument)
            if not invariant:
                shares = self._update_ingredients(event, instrument)
        self.answered += 1
        self.invariant += invariant
        self.last_answers = event.data["answers"]
        return shares

    def _update_response_style(self, answers: Mapping[str, Any], instrument: Instrument) -> bool:
        invariant = is_invariant(answers, self.last_answers)
        usually = usually_invariant(self.invariant, self.answered, instrument.invariant_share)
        self.odds.update("response_style", 1, invariant_ratio(invariant, usually))
        return invariant

    def _update_ingredients(self, event: Event, instrument: Instrument) -> list[float] | None:
        assert event.scores is not None
        found = self.shares.of(event.scores.ingredients, instrument.answer_step)
        if found is None:
            return None
        x = self.shares.ratio(*found, instrument.answer_step)
        self.odds.update("ingredient", x, x)
        return found[0]
