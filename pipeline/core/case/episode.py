"""One episode, one flag: open -> acknowledged -> repaired / unrepaired / dismissed.

In: signals, check-ins and people's actions, in the order of the history. Out: the life of each flag.
Never: know the clock, the log or how a signal came about; `retracted` is no stage of a life but what
`pipeline.core.case.state` says when the ground of a flag is gone.

While a flag lives no other is raised: evidence gathers and severity can rise. It is repaired after `REPAIR_CHECKINS`
client check-ins in a row back at the target; unrepaired after `UNREPAIRED_AFTER` without that, or when the case closes.
Which kinds may open the next flag is the course's to know (`pipeline.core.case.timeline`).
"""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b

from pipeline.core.detection.history import Signal
from pipeline.core.instants import from_us
from schemas.flags import LIVE_STATUSES, SEVERITIES, Flag, Kind, Severity, Status

REPAIR_CHECKINS = 2
UNREPAIRED_AFTER = 6

#: Kinds whose ground is that scores are lower than expected.
LOW_SCORES: frozenset[Kind] = frozenset({"drop", "waning"})
SUGGESTIONS: dict[Kind, str] = {
    "drop": "Ask what was different in the last session, and whether something was said or left unsaid that mattered.",
    "waning": "Ask how the work has felt over the last weeks and what the client would like more or less of.",
    "low": "Ask what would have to change for the client to feel safe, understood and on the right track here.",
    "ingredient": "Take up the one side of the work that has slipped; invite the client to put it in their own words.",
    "withdrawal": "Make room for criticism: say that holding back is common, and ask what has been hard to say.",
    "nonresponse": "Offer the check-in again in private, and ask whether filling it in feels safe and useful.",
    "discrepancy": "Compare notes: ask the client how the session was for them before saying how it was for you.",
}


@dataclass(slots=True)
class Life:
    """One flag on its way; instants in microseconds."""

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
    sessions_since: int = 0
    back_in_a_row: int = 0
    acknowledged_at: int | None = None
    discussed_at: int | None = None
    closed_at: int | None = None

    @property
    def is_live(self) -> bool:
        """Whether the episode goes on."""
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


def flag_id(case_id: str, anchor: int | str) -> str:
    """Deterministic: the same case and the same tipping check-in, session or missed appointment give the same flag."""
    digest = blake2b(f"{case_id}\0{anchor}".encode(), digest_size=12).hexdigest()
    return f"f-{digest}"


def opened(
    case_id: str,
    anchor: int | str,
    fresh: list[Signal],
    signals: list[Signal],
    at: int,
    session_number: int,
    therapist_id: str,
    team: str,
) -> Life:
    """A new flag, carried by the gravest of the signals that may open one (the first of equals)."""
    signal = max(fresh, key=lambda one: SEVERITIES.index(one.severity))
    explanation, told = signal.explanation, [signal.kind]
    for one in signals:
        if one.kind not in told:
            explanation = _with_clause(explanation, one, told)
            told.append(one.kind)
    return Life(
        flag_id=flag_id(case_id, anchor),
        therapist_id=therapist_id,
        team=team,
        signal=signal,
        severity=signal.severity,
        opened_at=at,
        updated_at=at,
        session_number=session_number,
        target=signal.target,
        explanation=explanation,
        evidence=signal.evidence,
        kinds=[one.kind for one in signals],
    )


def on_moment(life: Life, score: float | None, signals: list[Signal], at: int, is_counted: bool) -> None:
    """Something happened during an episode.

    `is_counted`: the client checked in, left a check-in out, or missed an appointment.
    """
    _gather(life, signals, at)
    if not is_counted:
        return
    life.sessions_since += 1
    if score is not None:
        life.back_in_a_row = life.back_in_a_row + 1 if score >= life.target else 0
    if life.back_in_a_row >= REPAIR_CHECKINS:
        close(life, "repaired", at)
    elif life.sessions_since >= UNREPAIRED_AFTER:
        close(life, "unrepaired", at)


def _gather(life: Life, signals: list[Signal], at: int) -> None:
    for signal in signals:
        if signal.kind not in life.kinds:
            life.explanation = _with_clause(life.explanation, signal, life.kinds)
            life.kinds.append(signal.kind)
            life.updated_at = at
        if SEVERITIES.index(signal.severity) > SEVERITIES.index(life.severity):
            life.severity = signal.severity
            life.evidence = life.evidence | signal.evidence
            life.updated_at = at


def _with_clause(explanation: str, signal: Signal, told: list[Kind]) -> str:
    """Still one sentence; the same low scores are not told of twice."""
    if signal.kind in LOW_SCORES and not LOW_SCORES.isdisjoint(told):
        return explanation
    return f"{explanation.removesuffix('.')}; {signal.explanation[0].lower()}{signal.explanation[1:]}"


def on_action(life: Life, action: str, at: int) -> None:
    """Somebody acknowledged, discussed or dismissed the flag; on a closed flag only the record remains as it was."""
    if not life.is_live:
        return
    at = max(at, life.opened_at)
    if action == "dismissed":
        close(life, "dismissed", at)
        return
    if life.acknowledged_at is None:
        life.acknowledged_at = life.updated_at = at
        life.status = "acknowledged"
    if action == "discussed" and life.discussed_at is None:
        life.discussed_at = life.updated_at = at


def close(life: Life, status: Status, at: int) -> None:
    """The episode is over."""
    life.status = status
    life.closed_at = life.updated_at = at


def _instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else from_us(microseconds)
