"""A case up to now: its scored client check-ins, what each was expected to be, and what speaks for a strain.

In: sessions held, client and therapist check-ins, missed appointments, one by one. Out: points, a prediction, evidence.
Never: open a flag; look ahead; hold a raw answer.

Units: shares of the instrument's range (0-1), evidence in nats. `pipeline.core.detection.level` predicts,
`pipeline.core.detection.evidence` gathers; here are the likelihood ratios of each sign. docs/rules.md 4 gives
all of it in one place.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from math import exp, log

from pipeline.core.detection.evidence import (
    DEPTHS_AGAINST,
    DEPTHS_AWAY,
    FORM,
    INGREDIENT,
    MISSING,
    SCORE,
    THERAPIST,
    Strain,
    score_ratios,
)
from pipeline.core.detection.level import CEILING, Level, upper_tail
from pipeline.core.detection.prior import Yardstick
from pipeline.core.records import CheckinRecord
from schemas.flags import Kind, Rule, Severity
from schemas.instruments.definition import INGREDIENTS

#: Of forms given while moving away: all answers alike, and half of those at the top.
FLAT_SHARE, PERFECT_SHARE = 0.6, 0.3
#: How many forms the instrument's own share of stiff forms (flat or frozen, not perfect) is worth.
STIFF_WORTH = 10.0
#: Clients who always answer so: their share (a working value), and how often they do.
STIFF_CLIENTS, ALWAYS = 0.05, 0.9
LOG_ODDS_STIFF_CLIENT = log(STIFF_CLIENTS / (1 - STIFF_CLIENTS))
#: Nearer the ceiling there are too few ways to answer for a flat form to mean anything.
STIFF_BELOW = 0.96
LEAST_PERFECT = 0.03
#: What the practice's share of missing forms is worth, in sessions; odds ratios of a missing form under strain.
COMPLETION_WORTH = 6.0
MISSING_ODDS_AGAINST, MISSING_ODDS_AWAY = 1.2, 3.0
#: The same of missed appointments, in appointments: worth more, for one missed after another says more than a habit.
MISSED_WORTH, MISSED_ODDS_AWAY = 20.0, 3.0
#: An ingredient under strain loses twice its usual share; SD of the log share from one session to the next.
FOCUS, UNEVENNESS = log(2.0), 0.354
FOCUSED_SHARE = 0.7
#: The chart of slides: what it forgives at each score, in predictive SDs, and the scores before it begins.
SLACK, CHART_AFTER = 0.5, 2
#: A form whose mirror image is as usual, and which itself is not, was probably filled in from right to left; the second
#: in a row was not.
MIRROR_DEVIATION, MIRROR_LIMIT = -3.0, 2.5
#: Scored check-ins of an episode from which on they say where the case stands.
FEWEST_TO_STAND = 3
#: Therapists notice this share of ruptures.
NOTICED_SHARE = 0.6
#: Earlier check-ins of the therapist that are needed; their deviations are shortened, for their spread is less known.
THERAPIST_FEWEST, THERAPIST_CAUTION = 3, 0.7


@dataclass(frozen=True, slots=True)
class Point:
    """One scored client check-in."""

    session_number: int
    at: int
    score: float
    #: What was predicted, before the ceiling, and how far off the score was, in predictive SDs; a score at the ceiling
    #: is never below what was predicted.
    expected: float
    deviation: float
    #: Its mirror image is usual here: probably filled in from right to left, and not weighed.
    is_mirrored: bool = False


@dataclass(frozen=True, slots=True)
class Signal:
    """A detector speaks. `target` is the score (0-1) from which on a later check-in counts as back within limits."""

    kind: Kind
    severity: Severity
    target: float
    explanation: str
    evidence: dict[str, float]
    rule: Rule


@dataclass(slots=True)
class Ratings:
    """What one therapist of the case has rated so far, to be held against that one's own usual."""

    level: Level
    checkins: int = 0


@dataclass(slots=True)
class History:
    """The points so far, the levels of both raters, the evidence of strain, and the case's own habits."""

    yardstick: Yardstick
    #: All limits are multiplied by it: below 1 flags more, above 1 less.
    sensitivity: float = 1.0
    points: list[Point] = field(default_factory=list)
    client: Level = field(init=False)
    #: By therapist.
    ratings: dict[str, Ratings] = field(default_factory=dict)
    strain: Strain = field(default_factory=Strain)
    session_number: int = 0
    #: Sessions that have left the bounded history, with the appointments missed between them.
    sessions_before: int = 0
    #: Sessions judged, and how many of them without a client check-in; how many in a row at present.
    judged: int = 0
    missing: int = 0
    missing_in_a_row: int = 0
    #: Appointments missed by the client.
    missed: int = 0
    forms: int = 0
    stiff_forms: int = 0
    pattern: int = 0
    #: Log shares of the shortfall, centred: their sums by ingredient, the number of forms, the newest and what it said.
    share_sums: tuple[float, ...] = ()
    share_count: float = 0.0
    shares: tuple[float, ...] = ()
    strained_ingredient: str = ""
    perfect_surprise: float = 1.0
    is_stiff: bool = False
    #: What last spoke for moving away by its form: a key of the detector's sentences.
    form_ground: str = ""
    #: Session of the newest therapist check-in, its deviation, and how many that therapist has given.
    therapist_session: int = 0
    therapist_deviation: float = 0.0
    therapist_checkins: int = 0
    #: How far scores have slid, in predictive SDs: a one-sided cumulative sum.
    slide: float = 0.0
    #: exp(limit): what the odds are compared with.
    limit_odds: float = field(init=False)

    def __post_init__(self) -> None:
        self.limit_odds = exp(self.limit)
        self.client = Level(self.yardstick.prior)

    def begin_session(self, session_number: int) -> None:
        """A session was held."""
        self.session_number = session_number
        self.strain.pass_session(session_number)

    def judge_missing(self) -> None:
        """A held session turned out to stay without a client check-in."""
        self._weigh_completion(is_missing=True)
        self.judged += 1
        self.missing += 1
        self.missing_in_a_row += 1

    def answer(self) -> None:
        """The client answered a check-in, scored or not."""
        self._weigh_completion(is_missing=False)
        self.judged += 1
        self.missing_in_a_row = 0

    def _weigh_completion(self, is_missing: bool) -> None:
        share = self.missing_share
        against = MISSING_ODDS_AGAINST / (1 + (MISSING_ODDS_AGAINST - 1) * share)
        away = MISSING_ODDS_AWAY / (1 + (MISSING_ODDS_AWAY - 1) * share)
        if not is_missing:
            against, away = against / MISSING_ODDS_AGAINST, away / MISSING_ODDS_AWAY
        self.strain.weigh(MISSING, against, away)

    @property
    def missing_share(self) -> float:
        """Expected share of sessions without a client check-in: the practice's, moved by the case's own."""
        usual = self.yardstick.prior.missing_share
        return (self.missing + COMPLETION_WORTH * usual) / (self.judged + COMPLETION_WORTH)

    def miss(self, by: str) -> None:
        """An appointment was missed."""
        if by != "client":
            return
        self.strain.pass_session(self.session_number)
        usual = self.yardstick.prior.missed_share
        held = self.session_number - self.sessions_before
        share = (self.missed + MISSED_WORTH * usual) / (held + self.missed + MISSED_WORTH)
        self.strain.weigh(FORM, 1.0, MISSED_ODDS_AWAY / (1 + (MISSED_ODDS_AWAY - 1) * share))
        self.missed += 1
        self.form_ground = "missed"

    def add(
        self, session_number: int, at: int, record: CheckinRecord, yardstick: Yardstick, is_accepted: bool = False
    ) -> Point:
        """Weigh a scored client check-in; `learn` decides whether it teaches what is usual.

        `is_accepted`: low scores of this case were told of and not repaired; the level is learned anew, and until then
        how low a score is says nothing.
        """
        self._take_yardstick(yardstick)
        score = record.total
        assert score is not None
        expected, spread = self._predict()
        deviation = (score - expected) / spread
        was_mirrored = bool(self.points) and self.points[-1].is_mirrored
        is_mirrored = not was_mirrored and _is_mirrored(score, expected, spread, deviation)
        start = deviation
        if score >= CEILING:
            start = (yardstick.edge - expected) / spread
            deviation = start if start > 0 else 0.0
        point = Point(session_number, at, score, expected, deviation, is_mirrored)
        self.points.append(point)
        self.shares = ()
        if not point.is_mirrored:
            if self.client.count > CHART_AFTER and not is_accepted:
                self.slide = max(0.0, self.slide - min(deviation, 2.0) - SLACK)
            self._weigh_score(record, score, start, spread, is_accepted)
        return point

    def _take_yardstick(self, yardstick: Yardstick) -> None:
        """Measure by the instrument at hand; another prior means a level that begins anew."""
        if yardstick.prior is not self.yardstick.prior:
            self.client = Level(yardstick.prior)
        self.yardstick = yardstick

    def _predict(self) -> tuple[float, float]:
        return _predicted(self.client, self.session_number, self.yardstick)

    def _weigh_score(
        self, record: CheckinRecord, score: float, deviation: float, spread: float, is_accepted: bool
    ) -> None:
        unit = self.yardstick.prior.within_sd / spread
        self.is_stiff = False
        if score >= CEILING:
            self._weigh_perfect(deviation, unit, is_accepted)
        else:
            if not is_accepted:
                against, away = score_ratios(deviation, unit)
                self.strain.weigh(SCORE, against, away)
            self._weigh_form(record, score)
        self.forms += 1
        self.stiff_forms += self.is_stiff
        self.pattern = record.pattern

    def _weigh_perfect(self, start: float, unit: float, is_accepted: bool) -> None:
        """A perfect form: no news of the score but that it is high; surface agreement where it is not usual."""
        usual = max(upper_tail(start), LEAST_PERFECT)
        a, b, c = DEPTHS_AGAINST
        against = (upper_tail(start + a * unit) + upper_tail(start + b * unit) + upper_tail(start + c * unit)) / 3
        a, b, c = DEPTHS_AWAY
        away = (upper_tail(start + a * unit) + upper_tail(start + b * unit) + upper_tail(start + c * unit)) / 3
        if not is_accepted:
            self.strain.weigh(SCORE, min(max(against / usual, 1e-3), 1.0), 1.0)
        self.perfect_surprise = (PERFECT_SHARE + (1 - FLAT_SHARE + PERFECT_SHARE * usual) * away) / usual
        self.strain.weigh(FORM, 1.0, self.perfect_surprise)
        if self.perfect_surprise > 1:
            self.form_ground = "perfect"

    def _weigh_form(self, record: CheckinRecord, score: float) -> None:
        if score >= STIFF_BELOW:
            self._weigh_ingredients(record)
            return
        usual = _stiff_share(self.yardstick.stiff_share, self.stiff_forms, self.forms)
        self.is_stiff = record.flat or record.pattern == self.pattern
        if self.is_stiff:
            ratio = (FLAT_SHARE - PERFECT_SHARE) / usual
            self.strain.weigh(FORM, 1.0, max(ratio, 1.0))
            if ratio > 1:
                self.form_ground = "stiff"
            return
        self.strain.weigh(FORM, 1.0, min((1 - FLAT_SHARE) / (1 - usual), 1.0))
        self._weigh_ingredients(record)

    def _weigh_ingredients(self, record: CheckinRecord) -> None:
        """How the shortfall is shared among the ingredients, against this client's own way."""
        scores = record.ingredients
        lost = [1.0 - scores[one] for one in INGREDIENTS if one in scores]
        kinds, short, grain = len(lost), sum(lost), self.yardstick.grain
        if kinds < 3 or short < grain * kinds:
            return
        logs = [log(one + grain) for one in lost]
        centre = sum(logs) / kinds
        self.shares = tuple(one - centre for one in logs)
        if len(self.share_sums) != kinds:
            self.share_sums, self.share_count = (0.0,) * kinds, 0.0
        known = self.share_count + 1.0
        blur = 0.5 * grain / (short / kinds + grain)
        variance = UNEVENNESS * UNEVENNESS * (1 + 1 / known) + blur * blur
        slope = FOCUS / variance
        offset = 0.5 * slope * FOCUS * (1 - 1 / kinds)
        ratios = [
            exp(slope * (now - total / known) - offset) for now, total in zip(self.shares, self.share_sums, strict=True)
        ]
        ratio = FOCUSED_SHARE * min(sum(ratios) / kinds, 20.0) + 1 - FOCUSED_SHARE
        self.strained_ingredient = [one for one in INGREDIENTS if one in scores][ratios.index(max(ratios))]
        self.strain.weigh(INGREDIENT, ratio, ratio)

    def learn(self, point: Point, is_accepted: bool = False) -> None:
        """Let a check-in outside of any episode teach what is usual here, as far as it is usual.

        `is_accepted`: as for `add`; then it counts in full.
        """
        if point.is_mirrored:
            return
        weight = 1.0 if is_accepted else self.strain.usual
        expected, spread = self._predict()
        self.client.take(point.score, expected, spread, weight, self.yardstick.edge)
        if self.shares:
            self.share_sums = tuple(a + weight * b for a, b in zip(self.share_sums, self.shares, strict=True))
            self.share_count += weight

    def end_episode(self, is_repaired: bool, target: float, first: int) -> None:
        """Begin anew; after an episode in which the case stayed down it is measured against where it now stands.

        `first`: the first point of the episode. It takes some points, the last of them under the target: a single low
        form, after which nothing came or all was well, says nothing of where the case stands.
        """
        self.strain.reset()
        self.slide = 0.0
        if is_repaired:
            return
        stands_at = [point for point in self.points[first:] if not point.is_mirrored]
        if len(stands_at) < FEWEST_TO_STAND or max(point.score for point in stands_at[-2:]) >= target:
            self.client.forget()
            return
        self.client = Level(self.yardstick.prior)
        for point in stands_at:
            expected, spread = _predicted(self.client, point.session_number, self.yardstick)
            self.client.take(point.score, expected, spread, 1.0, self.yardstick.edge)

    def change_therapist(self) -> None:
        """Another bond: how it stands with the client is not known yet."""
        self.client.forget()

    def add_therapist(self, therapist_id: str, session_number: int, score: float, yardstick: Yardstick) -> None:
        """Weigh a therapist's check-in against this therapist's own usual rating of this case."""
        known = self.ratings.get(therapist_id)
        if known is None:
            known = self.ratings[therapist_id] = Ratings(Level(self.yardstick.prior))
        level = known.level
        expected, spread = _predicted(level, session_number, yardstick)
        deviation = (score - expected) / spread
        if known.checkins >= THERAPIST_FEWEST and score < CEILING:
            against, _ = score_ratios(THERAPIST_CAUTION * deviation, self.yardstick.prior.within_sd / spread)
            ratio = 1 - NOTICED_SHARE + NOTICED_SHARE * min(against, 1e3)
            self.strain.weigh(THERAPIST, ratio, ratio)
        level.take(score, expected, spread, 1.0 if deviation > -2 else 0.3, yardstick.edge)
        known.checkins += 1
        self.therapist_session, self.therapist_deviation = session_number, deviation
        self.therapist_checkins = known.checkins

    def is_leading(self, sign: int) -> bool:
        """Whether the evidence is over the limit and this sign carries it, or a good part of it."""
        strain = self.strain
        if strain.against + strain.away < self.limit_odds:
            return False
        own = strain.signs[sign]
        return own > 0 and (own >= JOINING or own >= max(strain.signs))

    @property
    def limit(self) -> float:
        """Nats of evidence from which on a flag is raised."""
        return LIMIT * self.sensitivity

    @property
    def severity(self) -> Severity:
        """How far over the limit."""
        over = self.strain.evidence - self.limit
        return "urgent" if over >= URGENT_OVER else "warning" if over >= WARNING_OVER else "watch"

    @property
    def target(self) -> float:
        """Score from which on a later check-in is back within limits."""
        expected = self.client.foresee(self.session_number)
        return min(expected, 1.0) - self.yardstick.prior.within_sd


#: Nats: when a flag is raised; what makes it graver; from when on a sign that does not carry the flag speaks too.
LIMIT = 3.0
WARNING_OVER, URGENT_OVER = 1.0, 3.0
JOINING = 1.5


def _predicted(level: Level, session_number: int, yardstick: Yardstick) -> tuple[float, float]:
    """What a rater's next score by this instrument should be, and its SD."""
    return level.predict(session_number, yardstick.standard_error, yardstick.rounding_variance)


@lru_cache(maxsize=4096)
def _stiff_share(base: float, stiff: int, forms: int) -> float:
    """How often this client's forms are stiff when all is as usual; the client may be one who always answers so."""
    odds = LOG_ODDS_STIFF_CLIENT + stiff * log(ALWAYS / base) + (forms - stiff) * log((1 - ALWAYS) / (1 - base))
    always = 1 / (1 + exp(-max(-50.0, min(odds, 50.0))))
    own = (stiff + STIFF_WORTH * base) / (forms + STIFF_WORTH)
    return always * ALWAYS + (1 - always) * own


def _is_mirrored(score: float, expected: float, spread: float, deviation: float) -> bool:
    """Whether 1 - score would be usual and the score, in the lower half of the range, is not."""
    if score >= 0.5 or deviation > MIRROR_DEVIATION:
        return False
    mirror = 1 - score
    return abs((min(mirror, 1.0) - min(expected, 1.0)) / spread) <= MIRROR_LIMIT


Detector = Callable[[History], Signal | None]
