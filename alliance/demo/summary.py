"""What `alliance demo --once` says at its end, and whether anything was lost. Pure.

In: what was sent, what has become of it. Out: lines for people; complaints.
Never: call it well when the counts do not add up.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from alliance.demo.figures import CAUGHT_WITHIN_SESSIONS, Counts
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


def complaints(one: Outcome) -> list[str]:
    """What does not add up; empty when nothing was lost."""
    claims = (
        ("sent", one.expected.sent + one.supervised, one.sent),
        ("in the archive", one.accepted, one.counts.archived),
        ("refused", one.expected.refused, one.counts.refused),
        ("counted for their therapists", one.accepted, one.counts.summarised),
    )
    wrong = [f"{is_so:,} events are {what}, not {should:,}" for what, should, is_so in claims if should != is_so]
    if one.checkins != one.expected.checkins:
        wrong.append(f"{one.checkins:,} check-ins are in the store, not {one.expected.checkins:,}")
    return wrong


def lines(one: Outcome) -> list[str]:
    """The summary."""
    facts = [
        ("practice", one.practice),
        (
            "events",
            f"{one.sent:,} sent = {one.counts.archived:,} archived + {one.counts.refused:,} refused + "
            f"{one.expected.duplicates:,} duplicates",
        ),
        ("", f"{one.counts.summarised:,} of those archived have reached their therapist's summary"),
        ("check-ins", f"{one.checkins:,}"),
        ("flags", f"{sum(one.flags.values()):,}; the supervisor sent {one.supervised:,} events about them"),
        *(("", text) for text in _kinds(one.flags)),
        ("ruptures", f"planted ones flagged within {CAUGHT_WITHIN_SESSIONS} sessions: {_caught(one.caught)}"),
        ("therapists", f"{one.published:,} of {one.therapists:,} with published scores"),
        (
            "time",
            f"{one.seconds:.1f} s from the first event to the last row, {one.sent / one.seconds:,.0f} events/s; "
            f"{one.seconds_in_all:.1f} s in all",
        ),
    ]
    return [f"{name:<11} {text}".rstrip() for name, text in facts]


def _caught(by_kind: Mapping[str, tuple[int, int]]) -> str:
    """Of all, then of each kind."""
    caught, planted = (sum(counts[place] for counts in by_kind.values()) for place in (0, 1))
    parts = "; ".join(f"{kind} {one} of {all_}" for kind, (one, all_) in sorted(by_kind.items()))
    return f"{caught:,} of {planted:,}" + (f" ({parts})" if parts else "")


def _kinds(flags: Mapping[tuple[str, str], int]) -> list[str]:
    table = []
    for kind in KINDS:
        counts = [(status, flags.get((kind, status), 0)) for status in STATUSES]
        if total := sum(count for _, count in counts):
            parts = ", ".join(f"{count:,} {status}" for status, count in counts if count)
            table.append(f"{kind:<11} {total:>5,}: {parts}")
    return table
