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

from pipeline.core import disclosure
from schemas.flags import Severity
from schemas.summaries import CaseSummary, Day, Publication, TherapistSummary

COUNTED_DAYS = 90
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
#: Scores have six decimals, so their sums are exact in whole millionths, whatever the order.
MILLION = 1_000_000


@dataclass(slots=True)
class TherapistState:
    """Newest summary per case, what was published, and who contributed since."""

    therapist_id: str
    #: By a digest of the case_id, so that no id of an erased case stays.
    cases: dict[str, CaseSummary] = field(default_factory=dict)
    published: Publication | None = None
    #: Cases whose contribution differs from that of the last publication, with what it was then (a digest).
    contributors: dict[str, int] = field(default_factory=dict)
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
        named = sorted(name for name, count in self.ingredient_cases.items() if count)
        return {name: self.ingredient_millionths[name] / MILLION for name in named}


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
    _contribute(state, key, 0 if known is None else _contribution(known), _contribution(summary))
    state.replace(key, known, summary)
    _publish(state)
    return state, True


def _contribute(state: TherapistState, key: str, before: int, now: int) -> None:
    """Who came and went again since the last publication has contributed nothing."""
    if before == now:
        return
    if state.contributors.setdefault(key, before) == now:
        del state.contributors[key]


def _contribution(case: CaseSummary) -> int:
    """A digest of what a case adds to the score figures, and when; 0: nothing."""
    if case.status != "active" or case.score is None:
        return 0
    content = repr((case.score, sorted(case.ingredients.items()), case.scored_at)).encode()
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big")


def _publish(state: TherapistState) -> None:
    if state.scored_cases < disclosure.FEWEST_CASES:
        state.published = None
    elif disclosure.may_publish(state.scored_cases, len(state.contributors)):
        state.published = disclosure.publication(state.scored_cases, state.score_points, state.ingredient_points)
        state.contributors = {}


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
    """A therapist in the changelog, format 1."""

    format: int
    cases: dict[str, CaseSummary]
    published: Publication | None
    contributors: dict[str, int]


_decoder = msgspec.msgpack.Decoder(_StoredTherapist)
_encoder = msgspec.msgpack.Encoder()


def encode(state: TherapistState) -> bytes:
    """The state as bytes."""
    return _encoder.encode(_StoredTherapist(1, state.cases, state.published, state.contributors))


def decode(therapist_id: str, value: bytes) -> TherapistState:
    """A therapist from the changelog; raises `msgspec.DecodeError`, which must stop the process."""
    stored = _decoder.decode(value)
    if stored.format != 1:
        raise msgspec.DecodeError(f"changelog format {stored.format} is not known to this version")
    return TherapistState(
        therapist_id,
        stored.cases,
        stored.published,
        stored.contributors,
    )
