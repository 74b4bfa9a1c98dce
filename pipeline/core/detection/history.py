"""A case up to now: its scored client check-ins, what each was expected to be, and the evidence of a strain.

In: sessions held, client and therapist check-ins, missed appointments, one by one. Out: points, a prediction, evidence.
Never: open a flag; look ahead; hold a raw answer.

Units: shares of the instrument's range (0-1), evidence in nats. `pipeline.core.detection.level` predicts,
`pipeline.core.detection.evidence` adds up; here are the likelihood ratios of each sign. docs/rules.md 4 gives
all of it in one place.

*Invariant responding*: all answers are the same (straight-lining), or the same as in the last check-in (repeated
answers). A *reversed scale*: the client probably took the left end of the scale for the right one.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log

from pipeline.core.detection.evidence import (
    DEPTHS_AGAINST,
    DEPTHS_AWAY,
    INGREDIENT,
    MISSING,
    RESPONSE_STYLE,
    SCORE,
    THERAPIST,
    RuptureEvidence,
    score_ratios,
)
from pipeline.core.detection.level import CEILING, Level, normal_sf
from pipeline.core.detection.missing_checkins import completion_ratios, expected_missing_share
from pipeline.core.detection.prior import MeasurementModel
from pipeline.core.records import CheckinRecord
from schemas.flags import Severity
from schemas.instruments.definition import INGREDIENTS

# Where no source is named, a figure is a working value: chosen on the simulator's practices
# (docs/benchmarks/detection.md), not estimated from clients.

#: The share of invariant answers among check-ins given while moving away, and half of it: the share at the top.
INVARIANT_SHARE, PERFECT_SHARE = 0.6, 0.3
#: The instrument's own share of invariant check-ins counts as much as this many check-ins of the client.
INVARIANT_WORTH = 10.0
#: The share of clients who always answer so, and how often these do.
INVARIANT_CLIENTS, ALWAYS = 0.05, 0.9
LOG_ODDS_INVARIANT_CLIENT = log(INVARIANT_CLIENTS / (1 - INVARIANT_CLIENTS))
#: Nearer the ceiling there are too few ways to answer for invariant answers to mean anything.
INVARIANT_BELOW = 0.96
#: However low a client's level, a perfect check-in is never taken to be rarer than this, nor to say more than 1000 : 1.
LEAST_PERFECT, LEAST_PERFECT_RATIO = 0.03, 1e-3
#: What the practice's share of missed appointments is worth, in appointments, and the odds ratio of a missed one while
#: moving away. Worth more than the share of missing check-ins: several missed in a row are a sign, not a habit.
MISSED_WORTH, MISSED_ODDS_AWAY = 20.0, 3.0
#: An ingredient under strain loses twice its usual share; SD of the log share from one session to the next.
FOCUS, UNEVENNESS = log(2.0), 0.354
#: Share of strains that are centred on one ingredient, and how much one check-in may say about it.
FOCUSED_SHARE, MOST_FOCUSED = 0.7, 20.0
#: The control chart of slides: its slack at each score, in predictive SDs (half a shift of 1 SD: Page 1954), the
#: scores before it starts, and the most that one high score takes back.
SLACK, CHART_AFTER, MOST_RECOVERY = 0.5, 2, 2.0
#: A score this far below what was expected, whose counterpart on the reversed scale is at most this far off, was
#: probably given on a reversed scale; the second in a row was not.
REVERSED_DEVIATION, REVERSED_LIMIT = -3.0, 2.5
#: Scored check-ins that an episode needs before they can become the case's new baseline.
FEWEST_FOR_BASELINE = 3
#: Therapists notice this share of ruptures, and one rating multiplies the odds by at most this.
NOTICED_SHARE, MOST_NOTICED = 0.6, 1e3
#: Earlier check-ins of the therapist that are needed; their deviations are shortened, for their spread is less known.
THERAPIST_FEWEST, THERAPIST_CAUTION = 3, 0.7
#: A rating this far below what was expected is outside the therapist's usual ones and teaches with less weight.
UNUSUAL_RATING, UNUSUAL_WEIGHT = -2, 0.3
#: Nats: when a flag is raised; what makes it graver; from when on a sign that does not carry the flag joins it.
LIMIT, WARNING_OVER, URGENT_OVER, JOINING = 3.0, 1.0, 3.0, 1.5


@dataclass(frozen=True, slots=True)
class Point:
    """One scored client check-in."""

    session_number: int
    at: int
    score: float
    #: The expected score before the ceiling, and how far off the score was, in predictive SDs (at the ceiling: never
    #: below what was expected).
    expected: float
    deviation: float
    #: Probably answered on a reversed scale: not used as evidence.
    is_scale_reversed: bool = False


@dataclass(slots=True)
class Ratings:
    """What one therapist of the case has rated so far; each is compared with their own earlier ratings."""

    level: Level
    checkins: int = 0


@dataclass(slots=True)
class History:
    """The points so far, the levels of both raters, the evidence of a strain, and what is usual for this case."""

    model: MeasurementModel
    #: All limits are multiplied by it: below 1 flags more, above 1 less.
    sensitivity: float = 1.0
    points: list[Point] = field(default_factory=list)
    client: Level = field(init=False)
    #: By therapist.
    ratings: dict[str, Ratings] = field(default_factory=dict)
    evidence: RuptureEvidence = field(default_factory=RuptureEvidence)
    session_number: int = 0
    #: Sessions that have left the bounded history, with the appointments missed between them.
    sessions_before: int = 0
    #: Sessions decided (answered or missing), how many of them without a client check-in, and how many in a row now.
    judged: int = 0
    missing: int = 0
    missing_in_a_row: int = 0
    #: Appointments missed by the client.
    missed: int = 0
    #: Scored check-ins used for the response style, those with invariant answers, and the digest of the last answers.
    answered: int = 0
    invariant: int = 0
    pattern: int = 0
    #: Centred log shares of the shortfall: their sums by ingredient, the weight of these, the newest ones, and the
    #: ingredient that has lost most in them.
    share_sums: tuple[float, ...] = ()
    share_count: float = 0.0
    shares: tuple[float, ...] = ()
    strained_ingredient: str = ""
    perfect_surprise: float = 1.0
    is_invariant: bool = False
    #: What last pointed to a withdrawal by response style or attendance: a key of the detector's sentences.
    withdrawal_reason: str = ""
    #: Session of the newest therapist check-in, its deviation, and how many check-ins that therapist has given.
    therapist_session: int = 0
    therapist_deviation: float = 0.0
    therapist_checkins: int = 0
    #: How far scores have slid, in predictive SDs: a one-sided cumulative sum.
    slide: float = 0.0
    #: exp(limit): compared with the odds, which saves a logarithm at each check-in.
    limit_odds: float = field(init=False)

    def __post_init__(self) -> None:
        self.limit_odds = exp(self.limit)
        self.client = Level(self.model.prior)

    def begin_session(self, session_number: int) -> None:
        """A session was held."""
        self.session_number = session_number
        self.evidence.pass_session(session_number)

    def judge_missing(self) -> None:
        """The client did not complete a check-in for a session that was held."""
        self._update_completion(is_missing=True)
        self.judged += 1
        self.missing += 1
        self.missing_in_a_row += 1

    def answer(self) -> None:
        """The client completed a check-in, scored or not."""
        self._update_completion(is_missing=False)
        self.judged += 1
        self.missing_in_a_row = 0

    def _update_completion(self, is_missing: bool) -> None:
        against, away = completion_ratios(self.missing_share, is_missing)
        self.evidence.update(MISSING, against, away)

    @property
    def missing_share(self) -> float:
        """Expected share of sessions without a client check-in: the practice's, adjusted by the case's own."""
        return expected_missing_share(self.missing, self.judged, self.model.prior.missing_share)

    def miss(self, by: str) -> None:
        """An appointment was missed."""
        if by != "client":
            return
        self.evidence.pass_session(self.session_number)
        usual = self.model.prior.missed_share
        held = self.session_number - self.sessions_before
        share = (self.missed + MISSED_WORTH * usual) / (held + self.missed + MISSED_WORTH)
        self.evidence.update(RESPONSE_STYLE, 1.0, MISSED_ODDS_AWAY / (1 + (MISSED_ODDS_AWAY - 1) * share))
        self.missed += 1
        self.withdrawal_reason = "missed"

    def add(
        self, session_number: int, at: int, record: CheckinRecord, model: MeasurementModel, is_rebaselining: bool
    ) -> Point:
        """Update the evidence with a scored client check-in; `learn` decides whether it updates the baseline.

        `is_rebaselining`: a flag for low scores ended without repair. Until the baseline is known again, how low a
        score is counts as no evidence.
        """
        self._measure_by(model)
        score = record.total
        assert score is not None
        expected, spread = _predicted(self.client, self.session_number, self.model)
        deviation = (score - expected) / spread
        was_scale_reversed = bool(self.points) and self.points[-1].is_scale_reversed
        is_scale_reversed = not was_scale_reversed and _is_scale_reversed(score, expected, spread, deviation)
        start = deviation
        if score >= CEILING:
            start = (model.ceiling_from - expected) / spread
            deviation = start if start > 0 else 0.0
        point = Point(session_number, at, score, expected, deviation, is_scale_reversed)
        self.points.append(point)
        self.shares = ()
        if not point.is_scale_reversed:
            if self.client.count > CHART_AFTER and not is_rebaselining:
                self.slide = max(0.0, self.slide - min(deviation, MOST_RECOVERY) - SLACK)
            self._update_score(record, score, start, spread, is_rebaselining)
        return point

    def _measure_by(self, model: MeasurementModel) -> None:
        """Use this instrument's measurement model; if its prior is another one, the level starts again."""
        if model.prior is not self.model.prior:
            self.client = Level(model.prior)
        self.model = model

    def _update_score(
        self, record: CheckinRecord, score: float, deviation: float, spread: float, is_rebaselining: bool
    ) -> None:
        unit = self.model.prior.within_sd / spread
        self.is_invariant = False
        if score >= CEILING:
            self._update_perfect(deviation, unit, is_rebaselining)
        else:
            if not is_rebaselining:
                against, away = score_ratios(deviation, unit)
                self.evidence.update(SCORE, against, away)
            self._update_response_style(record, score)
        self.answered += 1
        self.invariant += self.is_invariant
        self.pattern = record.pattern

    def _update_perfect(self, start: float, unit: float, is_rebaselining: bool) -> None:
        """A perfect check-in: the score says only "high"; if perfect is unusual here, it may be surface agreement."""
        usual = max(normal_sf(start), LEAST_PERFECT)
        a, b, c = DEPTHS_AGAINST
        against = (normal_sf(start + a * unit) + normal_sf(start + b * unit) + normal_sf(start + c * unit)) / 3
        a, b, c = DEPTHS_AWAY
        away = (normal_sf(start + a * unit) + normal_sf(start + b * unit) + normal_sf(start + c * unit)) / 3
        if not is_rebaselining:
            self.evidence.update(SCORE, min(max(against / usual, LEAST_PERFECT_RATIO), 1.0), 1.0)
        self.perfect_surprise = (PERFECT_SHARE + (1 - INVARIANT_SHARE + PERFECT_SHARE * usual) * away) / usual
        self.evidence.update(RESPONSE_STYLE, 1.0, self.perfect_surprise)
        if self.perfect_surprise > 1:
            self.withdrawal_reason = "perfect"

    def _update_response_style(self, record: CheckinRecord, score: float) -> None:
        if score >= INVARIANT_BELOW:
            self._update_ingredients(record)
            return
        usual = _invariant_share(self.model.invariant_share, self.invariant, self.answered)
        self.is_invariant = record.straight_lined or record.pattern == self.pattern
        if self.is_invariant:
            ratio = (INVARIANT_SHARE - PERFECT_SHARE) / usual
            self.evidence.update(RESPONSE_STYLE, 1.0, max(ratio, 1.0))
            if ratio > 1:
                self.withdrawal_reason = "invariant"
            return
        self.evidence.update(RESPONSE_STYLE, 1.0, min((1 - INVARIANT_SHARE) / (1 - usual), 1.0))
        self._update_ingredients(record)

    def _update_ingredients(self, record: CheckinRecord) -> None:
        """How the shortfall is shared among the ingredients, compared with how this client usually shares it."""
        scores = record.ingredients
        names = [name for name in INGREDIENTS if name in scores]
        lost = [1.0 - scores[name] for name in names]
        kinds, short, step = len(lost), sum(lost), self.model.answer_step
        if kinds < 3 or short < step * kinds:
            return
        logs = [log(loss + step) for loss in lost]
        centre = sum(logs) / kinds
        self.shares = tuple(log_loss - centre for log_loss in logs)
        if len(self.share_sums) != kinds:
            self.share_sums, self.share_count = (0.0,) * kinds, 0.0
        known = self.share_count + 1.0
        blur = 0.5 * step / (short / kinds + step)
        variance = UNEVENNESS * UNEVENNESS * (1 + 1 / known) + blur * blur
        slope = FOCUS / variance
        offset = 0.5 * slope * FOCUS * (1 - 1 / kinds)
        ratios = [
            exp(slope * (now - total / known) - offset) for now, total in zip(self.shares, self.share_sums, strict=True)
        ]
        ratio = FOCUSED_SHARE * min(sum(ratios) / kinds, MOST_FOCUSED) + 1 - FOCUSED_SHARE
        self.strained_ingredient = names[ratios.index(max(ratios))]
        self.evidence.update(INGREDIENT, ratio, ratio)

    def learn(self, point: Point, is_rebaselining: bool) -> None:
        """Update the baseline with a check-in outside any episode, weighted by the probability that it is unstrained.

        `is_rebaselining`: as for `add`; then it counts with full weight.
        """
        if point.is_scale_reversed:
            return
        weight = 1.0 if is_rebaselining else self.evidence.probability_unstrained
        expected, spread = _predicted(self.client, self.session_number, self.model)
        self.client.update(point.score, expected, spread, weight, self.model.ceiling_from)
        if self.shares:
            self.share_sums = tuple(a + weight * b for a, b in zip(self.share_sums, self.shares, strict=True))
            self.share_count += weight

    def end_episode(self, is_repaired: bool, target: float, first: int) -> None:
        """Start again without evidence; if the case stayed low, its new baseline is where the episode has left it.

        `first`: the first point of the episode. The baseline is estimated again only from three or more check-ins whose
        last two are below the target; one low check-in is not enough.
        """
        self.evidence.reset()
        self.slide = 0.0
        if is_repaired:
            return
        points = [point for point in self.points[first:] if not point.is_scale_reversed]
        if len(points) < FEWEST_FOR_BASELINE or max(point.score for point in points[-2:]) >= target:
            self.client.widen()
            return
        self.client = Level(self.model.prior)
        for point in points:
            expected, spread = _predicted(self.client, point.session_number, self.model)
            self.client.update(point.score, expected, spread, 1.0, self.model.ceiling_from)

    def change_therapist(self) -> None:
        """Another bond: how the client will rate it is not known yet."""
        self.client.widen()

    def add_therapist(self, therapist_id: str, session_number: int, score: float, model: MeasurementModel) -> None:
        """Compare a therapist's check-in with this therapist's own earlier ratings of this case."""
        known = self.ratings.get(therapist_id)
        if known is None:
            known = self.ratings[therapist_id] = Ratings(Level(self.model.prior))
        level = known.level
        expected, spread = _predicted(level, session_number, model)
        deviation = (score - expected) / spread
        if known.checkins >= THERAPIST_FEWEST and score < CEILING:
            against, _ = score_ratios(THERAPIST_CAUTION * deviation, self.model.prior.within_sd / spread)
            ratio = 1 - NOTICED_SHARE + NOTICED_SHARE * min(against, MOST_NOTICED)
            self.evidence.update(THERAPIST, ratio, ratio)
        level.update(score, expected, spread, 1.0 if deviation > UNUSUAL_RATING else UNUSUAL_WEIGHT, model.ceiling_from)
        known.checkins += 1
        self.therapist_session, self.therapist_deviation = session_number, deviation
        self.therapist_checkins = known.checkins

    def is_leading(self, sign: int) -> bool:
        """Whether the evidence is over the limit and this sign is the main part of it, or a large part."""
        evidence = self.evidence
        if evidence.against + evidence.away < self.limit_odds:
            return False
        own = evidence.signs[sign]
        return own > 0 and (own >= JOINING or own >= max(evidence.signs))

    @property
    def limit(self) -> float:
        """Nats of evidence at which a flag is raised."""
        return LIMIT * self.sensitivity

    @property
    def severity(self) -> Severity:
        """How far over the limit."""
        over = self.evidence.nats - self.limit
        return "urgent" if over >= URGENT_OVER else "warning" if over >= WARNING_OVER else "watch"

    @property
    def target(self) -> float:
        """The score at or above which a later check-in is back within limits."""
        expected = self.client.expected_score(self.session_number)
        return min(expected, 1.0) - self.model.prior.within_sd


def _predicted(level: Level, session_number: int, model: MeasurementModel) -> tuple[float, float]:
    """What a rater's next score by this instrument should be, and its SD."""
    return level.predict(session_number, model.standard_error, model.rounding_variance)


@lru_cache(maxsize=4096)
def _invariant_share(base: float, invariant: int, answered: int) -> float:
    """How often this client's answers are invariant without a strain; the client may be one who always answers so."""
    other = answered - invariant
    odds = LOG_ODDS_INVARIANT_CLIENT + invariant * log(ALWAYS / base) + other * log((1 - ALWAYS) / (1 - base))
    # exp() of more than 700 overflows; at 50 the probability is 1 in double precision.
    always = 1 / (1 + exp(-max(-50.0, min(odds, 50.0))))
    own = (invariant + INVARIANT_WORTH * base) / (answered + INVARIANT_WORTH)
    return always * ALWAYS + (1 - always) * own


def _is_scale_reversed(score: float, expected: float, spread: float, deviation: float) -> bool:
    """Whether the score, in the lower half of the range, is unusual and 1 - score would not be."""
    if score >= 0.5 or deviation > REVERSED_DEVIATION:
        return False
    counterpart = 1 - score
    return abs((min(counterpart, 1.0) - min(expected, 1.0)) / spread) <= REVERSED_LIMIT
