"""One episode, one flag: open -> acknowledged -> repaired / unrepaired / dismissed.

In: signals, what has just happened, people's actions, in the order of the history. Out: the state of one flag.
Never: know the clock, the log or how a signal was found; decide that a flag is `retracted`, which is no stage of an
episode (`pipeline.core.case.changes` says so when the history no longer supports the flag).

While a flag is live no other one opens: more kinds join it and its severity can rise. It is repaired after
`REPAIR_CHECKINS` client check-ins in a row back at the target, and unrepaired after `UNREPAIRED_AFTER` moments without
that, or when the case closes. `pipeline.core.case.flags_of_a_case` decides which kinds may open the next flag.
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

import msgspec

from pipeline.core.detection.signal import Signal
from pipeline.core.instants import from_us
from schemas.flags import LIVE_STATUSES, SEVERITIES, Flag, Kind, Severity, Status

#: Working values: check-ins in a row that repair a flag; counted moments after which it ends without repair.
REPAIR_CHECKINS = 2
UNREPAIRED_AFTER = 6

#: Kinds that say: scores are lower than expected.
LOW_SCORES: frozenset[Kind] = frozenset({"drop", "waning"})
SUGGESTIONS: dict[Kind, str] = {
    "drop": "Ask what was different in the last session, and whether anything important was said or left unsaid.",
    "waning": "Ask how the work has felt over the last few weeks, and what the client would like more or less of.",
    "low": "Ask what would have to change for the client to feel safe, understood and on the right track here.",
    "ingredient": "Talk about the one side of the work that has slipped, and invite the client's own words for it.",
    "withdrawal": "Make room for criticism: say that holding back is common, and ask what has been hard to say.",
    "nonresponse": "Offer the check-in again in private, and ask whether completing it feels safe and useful.",
    "discrepancy": "Compare notes: ask the client how the session was for them before saying how it was for you.",
}


class Moment(msgspec.Struct, frozen=True, gc=False):
    """Something has happened in a case, and the detectors are asked. `at` in microseconds."""

    at: int
    #: Identifies the check-in, session or missed appointment; a flag that opens now gets its id from it.
    anchor: int | str
    therapist_id: str
    team: str
    #: Only for a scored client check-in.
    score: float | None = None
    #: The client completed a check-in, a check-in is missing, or the client missed an appointment.
    is_counted: bool = False


@dataclass(slots=True)
class Episode:
    """One flag and how it develops; instants in microseconds."""

    flag_id: str
    therapist_id: str
    team: str
    signal: Signal
    severity: Severity
    opened_at: int
    updated_at: int
    session_number: int
    target: float
    status: Status = "open"
    explanation: str = ""
    evidence: dict[str, float] = field(default_factory=dict)
    kinds: list[Kind] = field(default_factory=list)
    counted: int = 0
    back_in_a_row: int = 0
    acknowledged_at: int | None = None
    discussed_at: int | None = None
    closed_at: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether the episode has not ended."""
        return self.status in LIVE_STATUSES

    def snapshot(self, case_id: str, version: int) -> Flag:
        """The flag as its readers see it."""
        return Flag(
            flag_id=self.flag_id,
            case_id=case_id,
            therapist_id=self.therapist_id,
            team=self.team,
            kind=self.signal.kind,
            severity=self.severity,
            status=self.status,
            opened_at=from_us(self.opened_at),
            updated_at=from_us(self.updated_at),
            session_number=self.session_number,
            explanation=self.explanation,
            suggestion=SUGGESTIONS[self.signal.kind],
            evidence=self.evidence,
            rule=self.signal.rule,
            version=version,
            kinds=list(self.kinds),
            acknowledged_at=_instant(self.acknowledged_at),
            discussed_at=_instant(self.discussed_at),
            closed_at=_instant(self.closed_at),
        )

    def update(self, moment: Moment, signals: list[Signal]) -> None:
        """Something has happened during the episode."""
        self._join(signals, moment.at)
        if not moment.is_counted:
            return
        self.counted += 1
        if moment.score is not None:
            self.back_in_a_row = self.back_in_a_row + 1 if moment.score >= self.target else 0
        if self.back_in_a_row >= REPAIR_CHECKINS:
            self.close("repaired", moment.at)
        elif self.counted >= UNREPAIRED_AFTER:
            self.close("unrepaired", moment.at)

    def _join(self, signals: list[Signal], at: int) -> None:
        for signal in signals:
            if signal.kind not in self.kinds:
                self.explanation = _with_clause(self.explanation, signal, self.kinds)
                self.kinds.append(signal.kind)
                self.updated_at = at
            if SEVERITIES.index(signal.severity) > SEVERITIES.index(self.severity):
                self.severity = signal.severity
                self.evidence = self.evidence | signal.evidence
                self.updated_at = at

    def act(self, action: str, at: int) -> None:
        """A supervisor acknowledged, discussed or dismissed the flag; a flag that has ended stays as it was."""
        if not self.is_live:
            return
        at = max(at, self.opened_at)
        if action == "dismissed":
            self.close("dismissed", at)
            return
        if self.acknowledged_at is None:
            self.acknowledged_at = self.updated_at = at
            self.status = "acknowledged"
        if action == "discussed" and self.discussed_at is None:
            self.discussed_at = self.updated_at = at

    def close(self, status: Status, at: int) -> None:
        """The episode has ended."""
        self.status = status
        self.closed_at = self.updated_at = at


def flag_id(case_id: str, anchor: int | str) -> str:
    """Deterministic: the same case and the same tipping check-in, session or missed appointment give the same flag."""
    digest = blake2b(f"{case_id}\0{anchor}".encode(), digest_size=12).hexdigest()
    return f"f-{digest}"


def opened(case_id: str, moment: Moment, session_number: int, leading: Signal, signals: list[Signal]) -> Episode:
    """A new flag of the kind of the leading signal; the kinds of all signals are named in it."""
    explanation, named = leading.explanation, [leading.kind]
    for signal in signals:
        if signal.kind not in named:
            explanation = _with_clause(explanation, signal, named)
            named.append(signal.kind)
    return Episode(
        flag_id=flag_id(case_id, moment.anchor),
        therapist_id=moment.therapist_id,
        team=moment.team,
        signal=leading,
        severity=leading.severity,
        opened_at=moment.at,
        updated_at=moment.at,
        session_number=session_number,
        target=leading.target,
        explanation=explanation,
        evidence=leading.evidence,
        kinds=[signal.kind for signal in signals],
    )


def _with_clause(explanation: str, signal: Signal, named: list[Kind]) -> str:
    """Still one sentence; that scores are low is not said twice."""
    if signal.kind in LOW_SCORES and not LOW_SCORES.isdisjoint(named):
        return explanation
    return f"{explanation.removesuffix('.')}; {signal.explanation[0].lower()}{signal.explanation[1:]}"


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)
