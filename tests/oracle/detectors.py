"""Section 5: who speaks.

In: what is known of a case. Out: signals. Never: a change of what is known.
"""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from math import sqrt

from tests.oracle.levels import WITHIN_VARIANCE, upper_tail
from tests.oracle.odds import LIMIT
from tests.oracle.strain import Strain

SEVERITIES = ("watch", "warning", "urgent")
SLIDE_LIMIT = 5.0
#: In the table's order: kind, the sign that is its own, rule.
TABLE = (
    ("drop", "score", ("strain-odds-newest-score", "2", 0.31)),
    ("waning", "earlier", ("strain-odds-earlier-scores", "1", 0.05)),
    ("low", None, ("posterior-level-below-cutoff", "2", 0.09)),
    ("ingredient", "ingredient", ("strain-odds-ingredient-share", "2", 0.01)),
    ("withdrawal", "response_style", ("strain-odds-form-and-attendance", "2", 0.24)),
    ("nonresponse", "missing", ("strain-odds-missing-check-ins", "1", 0.14)),
    ("discrepancy", "therapist", ("residuals-of-both-raters-apart", "2", 0.08)),
)

Rule = tuple[str, str, float]


@dataclass(frozen=True)
class Signal:
    """What one detector says of one moment."""

    kind: str
    severity: str
    target: float
    rule: Rule
    evidence: dict[str, float]


def signals(strain: Strain) -> list[Signal]:
    """All that speak, in the order of the table."""
    return [*_signals(strain)]


def gravest(spoken: Sequence[Signal]) -> Signal:
    """The gravest signal, the first among equals."""
    return max(spoken, key=lambda signal: SEVERITIES.index(signal.severity))


def _signals(strain: Strain) -> Iterator[Signal]:
    for kind, sign, rule in TABLE:
        if sign is None:
            low = _low(strain, kind, rule)
            if low is not None:
                yield low
        elif _speaks(strain, kind, sign):
            yield _of_odds(strain, kind, sign, rule)


def _speaks(strain: Strain, kind: str, sign: str) -> bool:
    leads = strain.odds.leads(sign)
    if kind == "waning":
        return leads or strain.slide > SLIDE_LIMIT
    if kind == "nonresponse":
        return leads and strain.missing_in_a_row > 0 and strain.checkins > 0
    if kind == "discrepancy":
        return _is_known(strain) and (leads or _are_apart(strain))
    return leads


def _is_known(strain: Strain) -> bool:
    """The therapist who gave the latest check-in has given enough of them."""
    latest = strain.latest_of_therapist
    return latest is not None and strain.therapist_checkins[latest[0]] >= 4


def _are_apart(strain: Strain) -> bool:
    """The client is unusually low, and the therapist has noticed nothing."""
    checkin, of_therapist = strain.latest, strain.latest_of_therapist
    if checkin is None or checkin.is_scale_reversed or of_therapist is None or of_therapist[1] != checkin.session_id:
        return False
    return checkin.deviation < -1.5 and of_therapist[2] > -0.5 and strain.odds.evidence >= LIMIT - 0.5


def _of_odds(strain: Strain, kind: str, sign: str, rule: Rule) -> Signal:
    evidence = strain.odds.evidence
    over = evidence - LIMIT
    facts = {
        "evidence": round(evidence, 4),
        "limit": LIMIT,
        "own_evidence": round(strain.odds.signs[sign], 4),
        "checkins": strain.checkins,
        "sessions": strain.sessions,
    }
    if strain.latest is not None:
        facts |= {
            "score": strain.latest.score,
            "expected": round(min(strain.latest.expected.score, 1), 4),
            "deviation": round(strain.latest.deviation, 4),
        }
    if kind == "waning":
        facts |= {"slide": round(strain.slide, 4), "slide_limit": SLIDE_LIMIT}
    expected = copy(strain.client).predict(strain.sessions).score
    severity = "urgent" if over >= 3 else "warning" if over >= 1 else "watch"
    return Signal(kind, severity, min(expected, 1) - sqrt(WITHIN_VARIANCE), rule, facts)


def _low(strain: Strain, kind: str, rule: Rule) -> Signal | None:
    checkin, client = strain.latest, strain.client
    cutoff = None if checkin is None else checkin.instrument.cutoff
    if checkin is None or cutoff is None or strain.checkins < 3 or client.count < 2 or client.level >= cutoff:
        return None
    sds = (cutoff - client.level) / sqrt(max(client.p, 1e-8))
    if not sds > 2:
        return None
    facts = {
        "score": checkin.score,
        "level": round(client.level, 4),
        "cutoff": round(cutoff, 4),
        "probability": round(1 - upper_tail(sds), 4),
        "checkins": strain.checkins,
    }
    return Signal(kind, "warning" if sds > 3.5 else "watch", cutoff, rule, facts)
