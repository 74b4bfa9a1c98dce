"""A flag: one episode in which a case looks like a rupture, as its latest snapshot.

Out: the message of `alliance.flags.v1` and of `alliance backtest`, one JSON object for each flag.
Never: a verdict, a name, licensed wording.
"""

from datetime import datetime
from typing import Literal, get_args

import msgspec

Kind = Literal["drop", "waning", "low", "ingredient", "withdrawal", "nonresponse", "discrepancy"]
Severity = Literal["watch", "warning", "urgent"]
Status = Literal["open", "acknowledged", "repaired", "unrepaired", "dismissed", "retracted"]

KINDS: tuple[Kind, ...] = get_args(Kind)
#: Names of two kinds before version 0.1.0; a compacted topic may still have flags with these names.
FORMER_KINDS: dict[str, Kind] = {"silence": "nonresponse", "split": "discrepancy"}
#: From the mildest to the most serious.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
STATUSES: tuple[Status, ...] = get_args(Status)
#: A flag with one of these statuses is not finished: a supervisor still has something to do.
LIVE_STATUSES: frozenset[str] = frozenset({"open", "acknowledged"})


class Rule(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The rule that raised a flag, with its false-alarm rate."""

    name: str
    version: str
    #: Expected false flags per 100 client check-ins of cases without a rupture.
    expected_false_flags_per_100: float


class Flag(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=False):
    """The latest snapshot of a flag. `version` rises with each change."""

    flag_id: str
    case_id: str
    therapist_id: str
    team: str
    kind: Kind
    severity: Severity
    status: Status
    opened_at: datetime
    updated_at: datetime
    session_number: int
    explanation: str
    suggestion: str
    evidence: dict[str, float]
    rule: Rule
    version: int
    #: Every kind that was seen in this episode, in the order in which it was first seen.
    kinds: list[Kind] = []
    acknowledged_at: datetime | None = None
    discussed_at: datetime | None = None
    closed_at: datetime | None = None
