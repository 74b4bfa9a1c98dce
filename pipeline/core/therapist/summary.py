"""One therapist: the newest summary of each of their cases, and the figures that follow.

In: a therapist's state and one case summary. Out: the new state and the therapist's summary.
Never: depend on the order in which case summaries arrive (the highest version of each case wins); only what has been
published under disclosure control follows the order of the log, and therefore stays out of the store.
"""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b

import msgspec

from pipeline.core.instants import to_us
from pipeline.core.therapist import disclosure
from pipeline.core.therapist.disclosure import TOTAL
from schemas.flags import Severity
from schemas.summaries import CaseSummary, Day, Publication, TherapistSummary

COUNTED_DAYS = 90
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
#: Scores have six decimals, so their sums are exact in whole millionths, whatever the order.
MILLION = 1_000_000


@dataclass(slots=True)
class TherapistState:
    """Newest summary per case, what was published, and who brings news since."""

    therapist_id: str
    #: By a digest of the case_id, so that no id of an erased case stays.
    cases: dict[str, CaseSummary] = field(default_factory=dict)
    published: Publication | None = None
    #: Cases that bring news: their latest check-in was given here and has stood in no figure. With its time.
    contributors: dict[str, int] = field(default_factory=dict)
    #: Per case the time of the newest check-in that has stood in a figure.
    told: dict[str, int] = field(default_factory=dict)
    #: The figures that were published, as they moved last; newest at the end.
    turns: list[str] = field(default_factory=list)
    #: Check-ins that have brought news since a figure moved.
    waited: int = 0
    #: Derived from `cases` and kept up to date with them: version, scored cases, sums in millionths.
    version: int = 0
    scored_cases: int = 0
    score_millionths: int = 0
    ingredient_millionths: Counter[str] = field(default_factory=Counter)
    ingredient_cases: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        for case in self.cases.values():
            self._count(case, 1)

    def replace(self, key: str, known: CaseSummary | None, summary: CaseSummary) -> None:
        """Let a newer summary of a case take the place of the known one."""
        if known is not None:
            self._count(known, -1)
        self._count(summary, 1)
        if summary.status == "erased":
            summary = msgspec.structs.replace(summary, case_id="")
        self.cases[key] = summary

    def _count(self, case: CaseSummary, sign: int) -> None:
        self.version += sign * case.version
        if case.status != "active" or case.score is None:
            return
        self.scored_cases += sign
        self.score_millionths += sign * round(case.score * MILLION)
        for name, score in case.ingredients.items():
            self.ingredient_millionths[name] += sign * round(score * MILLION)
            self.ingredient_cases[name] += sign

    @property
    def score_points(self) -> float:
        """Sum of the latest scores of the scored cases."""
        return self.score_millionths / MILLION

    @property
    def ingredient_points(self) -> dict[str, float]:
        """As `score_points`, per ingredient that any scored case has."""
        return {name: self.ingredient_millionths[name] / MILLION for name in self.ingredient_scored_cases}

    @property
    def ingredient_scored_cases(self) -> dict[str, int]:
        """How many scored cases have each ingredient that any has."""
        return {name: count for name, count in sorted(self.ingredient_cases.items()) if count}


def step(state: TherapistState | None, summary: CaseSummary) -> tuple[TherapistState, bool]:
    """Take one case summary; False when it was known or older. The given state is used up.

    Whether figures are published is decided here, summary by summary, so that the sequence of publications follows from
    the log alone; how many summaries of the therapist are sent on (`summary_of`) does not matter.
    """
    if state is None:
        state = TherapistState(summary.therapist_id)
    key = blake2b(summary.case_id.encode(), digest_size=12).hexdigest()
    known = state.cases.get(key)
    if known is not None and known.version >= summary.version:
        return state, False
    _notice(state, key, known, summary)
    state.replace(key, known, summary)
    _publish(state)
    return state, True


def _notice(state: TherapistState, key: str, known: CaseSummary | None, summary: CaseSummary) -> None:
    """Whether the case brings news from now on; the same check-in never does twice, whatever came and went between."""
    if summary.status == "erased":
        state.told.pop(key, None)
    scored_at = _scored_at(summary)
    if scored_at is not None and state.contributors.get(key) == scored_at:
        return
    state.contributors.pop(key, None)
    if scored_at is None or scored_at <= state.told.get(key, scored_at - 1):
        return
    if _was_given_here(known, summary):
        state.contributors[key] = scored_at
        state.waited += 1


def _scored_at(case: CaseSummary) -> int | None:
    """When the check-in was given that the case adds to the score figures, in microseconds; None: it adds nothing."""
    if case.status != "active" or case.score is None or case.scored_at is None:
        return None
    return to_us(case.scored_at)


def _was_given_here(known: CaseSummary | None, summary: CaseSummary) -> bool:
    """False where another therapist may have published the check-in: it may have come along with the case."""
    assert summary.scored_at is not None
    if known is None and summary.scored_here:
        # Of a case that nobody was told of before, however much has happened in it since.
        return True
    if known is None or known.status == "left":
        return summary.scored_at == summary.last_event_at
    return known.scored_at is None or summary.scored_at > known.scored_at


def _publish(state: TherapistState) -> None:
    """Take back what has too few cases; move the figure that is due, if one may."""
    cases = {TOTAL: state.scored_cases, **state.ingredient_cases}
    state.published = disclosure.still_shown(state.published, cases)
    if state.published is None:
        state.turns = []
    figure = disclosure.figure_due(cases, _news(state), state.turns, state.waited)
    if figure is not None:
        points = state.score_points if figure == TOTAL else state.ingredient_points[figure]
        state.published = disclosure.with_figure(state.published, figure, cases[figure], points)
        state.turns = [*(one for one in state.turns if one != figure), figure]
        state.waited = 0
        _tell(state, figure)


def _news(state: TherapistState) -> Counter[str]:
    """Cases that bring news, by figure."""
    news: Counter[str] = Counter({TOTAL: len(state.contributors)})
    if len(state.contributors) >= disclosure.FEWEST_CONTRIBUTORS:
        for key in state.contributors:
            news.update(state.cases[key].ingredients.keys())
    return news


def _tell(state: TherapistState, figure: str) -> None:
    """Every check-in in the figure has been told, and is no news for any figure."""
    for key, case in state.cases.items():
        scored_at = _scored_at(case)
        if scored_at is not None and (figure == TOTAL or figure in case.ingredients):
            state.told[key] = max(scored_at, state.told.get(key, scored_at))
            state.contributors.pop(key, None)


def summary_of(state: TherapistState) -> TherapistSummary:
    """The therapist at this moment."""
    cases = list(state.cases.values())
    active = [case for case in cases if case.status == "active"]
    last_event_at = max((case.last_event_at for case in cases if case.last_event_at), default=None)
    return TherapistSummary(
        therapist_id=state.therapist_id,
        team=_team(state.cases),
        version=state.version,
        last_event_at=last_event_at,
        active_cases=len(active),
        scored_cases=state.scored_cases,
        score_points=state.score_points,
        ingredient_points=state.ingredient_points,
        open_flag_cases=_open_flags(active),
        oldest_unacknowledged_at=min(
            (case.unacknowledged_since for case in active if case.unacknowledged_since), default=None
        ),
        days=_days(cases, last_event_at),
        published=state.published,
        ingredient_scored_cases=state.ingredient_scored_cases,
    )


def _open_flags(active: list[CaseSummary]) -> dict[Severity, int]:
    return dict(sorted(Counter(case.open_flag for case in active if case.open_flag).items()))


def _team(cases: dict[str, CaseSummary]) -> str:
    """The team of the case with the newest event: a therapist who moves takes the figures along."""
    return max(cases.items(), key=lambda item: (item[1].last_event_at or _NEVER, item[0]))[1].team


def _days(cases: list[CaseSummary], last_event_at: datetime | None) -> dict[date, Day]:
    if last_event_at is None:
        return {}
    oldest = last_event_at.date() - timedelta(days=COUNTED_DAYS)
    total: dict[date, Day] = {}
    for case in cases:
        for day, counts in case.days.items():
            if day > oldest:
                total[day] = total[day].plus(counts) if day in total else counts
    return dict(sorted(total.items()))


class _StoredTherapist(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A therapist in the changelog, format 2; format 1 ends with `contributors`, which meant something else."""

    format: int
    cases: dict[str, CaseSummary]
    published: Publication | None
    contributors: dict[str, int]
    told: dict[str, int] = {}
    turns: list[str] = []
    waited: int = 0


_decoder = msgspec.msgpack.Decoder(_StoredTherapist)
_encoder = msgspec.msgpack.Encoder()


def encode(state: TherapistState) -> bytes:
    """The state as bytes."""
    told = state.told, state.turns, state.waited
    return _encoder.encode(_StoredTherapist(2, state.cases, state.published, state.contributors, *told))


def decode(therapist_id: str, value: bytes) -> TherapistState:
    """A therapist from the changelog; raises `msgspec.DecodeError`, which must stop the process."""
    stored = _decoder.decode(value)
    match stored.format:
        case 1:
            return _of_format_1(therapist_id, stored)
        case 2:
            told = stored.told, stored.turns, stored.waited
            return TherapistState(therapist_id, stored.cases, stored.published, stored.contributors, *told)
        case other:
            raise msgspec.DecodeError(f"changelog format {other} is not known to this version")


def _of_format_1(therapist_id: str, stored: _StoredTherapist) -> TherapistState:
    """What stood in a figure was not written down: take it that all did, and take back what nobody had counted."""
    times = {key: _scored_at(case) for key, case in stored.cases.items()}
    state = TherapistState(
        therapist_id,
        stored.cases,
        stored.published,
        told={key: scored_at for key, scored_at in times.items() if scored_at is not None},
        turns=[TOTAL] if stored.published else [],
    )
    state.published = disclosure.still_shown(stored.published, {TOTAL: state.scored_cases})
    return state
