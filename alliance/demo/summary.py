"""The summary of `alliance demo --once`, and whether anything was lost. Pure.

In: what was sent and what the store holds. Out: lines for people; complaints.
Never: no complaint when the counts do not add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alliance.demo.observe import CAUGHT_WITHIN_SESSIONS, Counts
from alliance.demo.plan import Expected
from schemas.flags import KINDS, STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One run. `seconds` from the first event sent to the last row; `seconds_in_all` with starting up."""

    practice: str
    sent: int
    expected: Expected
    supervised: int
    counts: Counts
    checkins: int
    flags: Mapping[tuple[str, str], int]
    caught: Mapping[str, tuple[int, int]]
    therapists: int
    published: int
    seconds: float
    seconds_in_all: float

    @property
    def accepted(self) -> int:
        """Events that must have been accepted: those of the practice and the supervisor's."""
        return self.expected.accepted + self.supervised


def complaints(outcome: Outcome) -> list[str]:
    """What does not add up; empty when nothing was lost."""
    claims = (
        ("sent", outcome.expected.sent + outcome.supervised, outcome.sent),
        ("in the archive", outcome.accepted, outcome.counts.archived),
        ("refused", outcome.expected.refused, outcome.counts.refused),
        ("counted for their therapists", outcome.accepted, outcome.counts.summarised),
    )
    wrong = [f"{is_so:,} events are {what}, not {should:,}" for what, should, is_so in claims if should != is_so]
    if outcome.checkins != outcome.expected.checkins:
        wrong.append(f"{outcome.checkins:,} check-ins are in the store, not {outcome.expected.checkins:,}")
    return wrong


def lines(outcome: Outcome) -> list[str]:
    """The summary."""
    facts = [
        ("practice", outcome.practice),
        (
            "events",
            f"{outcome.sent:,} sent = {outcome.counts.archived:,} archived + {outcome.counts.refused:,} refused + "
            f"{outcome.expected.duplicates:,} duplicates",
        ),
        ("", f"{outcome.counts.summarised:,} of those archived have reached their therapist's summary"),
        ("check-ins", f"{outcome.checkins:,}"),
        ("flags", f"{sum(outcome.flags.values()):,}; the supervisor sent {outcome.supervised:,} events about them"),
        *(("", text) for text in _kinds(outcome.flags)),
        ("ruptures", f"planted ones flagged within {CAUGHT_WITHIN_SESSIONS} sessions: {_caught(outcome.caught)}"),
        ("therapists", f"{outcome.published:,} of {outcome.therapists:,} with published scores"),
        (
            "time",
            f"{outcome.seconds:.1f} s from the first event to the last row, "
            f"{outcome.sent / outcome.seconds:,.0f} events/s; {outcome.seconds_in_all:.1f} s in all",
        ),
    ]
    return [f"{name:<11} {text}".rstrip() for name, text in facts]


def _caught(by_kind: Mapping[str, tuple[int, int]]) -> str:
    """All kinds together, then each kind."""
    caught, planted = (sum(counts[place] for counts in by_kind.values()) for place in (0, 1))
    parts = "; ".join(f"{kind} {found} of {all_}" for kind, (found, all_) in sorted(by_kind.items()))
    return f"{caught:,} of {planted:,}" + (f" ({parts})" if parts else "")


def _kinds(flags: Mapping[tuple[str, str], int]) -> list[str]:
    table = []
    for kind in KINDS:
        counts = [(status, flags.get((kind, status), 0)) for status in STATUSES]
        if total := sum(count for _, count in counts):
            parts = ", ".join(f"{count:,} {status}" for status, count in counts if count)
            table.append(f"{kind:<11} {total:>5,}: {parts}")
    return table
