"""The per-therapist block of `/metrics`, written by hand: the same bytes as the library's, many times faster.

In: therapists as they change, an instant. Out: the block as text or OpenMetrics (without its `# EOF`).
Never: a figure that `consumers.exporter.series` does not name.

Each therapist's lines are written when the therapist changes, and anew at the first scrape of a UTC day; a scrape joins
them, all samples of a family together.
"""

import threading
from bisect import bisect_left
from datetime import date, datetime
from functools import lru_cache

from prometheus_client.utils import floatToGoString

from consumers.exporter.series import FAMILIES, LAST_EVENT, Family, last_events
from consumers.exporter.state import Therapist, Window

_HEADS = tuple(f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n" for family in FAMILIES)
_LAST_EVENT_HEAD = f"# HELP {LAST_EVENT[0]} {LAST_EVENT[1]}\n# TYPE {LAST_EVENT[0]} gauge\n"


class _Row:
    """A therapist with everything that a scrape says of them: one text per family, none when they have gone."""

    __slots__ = ("counts", "lines", "therapist")

    def __init__(self, therapist: Therapist, today: date) -> None:
        self.therapist = therapist
        self.counts = therapist.totals.window(today)
        self.lines = _lines(therapist, self.counts)

    def turn(self, today: date) -> None:
        """Another day has begun."""
        counts = self.therapist.totals.window(today)
        if counts != self.counts:
            self.lines = _lines_of_another_day(self.therapist, counts, self.lines)
            self.counts = counts


class Exposition:
    """The block; changed by one thread, read by any."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._rows: list[_Row] = []
        self._today = date.min

    def put(self, therapist: Therapist) -> None:
        """The therapist as they are from now on."""
        with self._lock:
            place, is_known = self._place(therapist.therapist_id)
            row = _Row(therapist, self._today)
            if is_known:
                self._rows[place] = row
            else:
                self._ids.insert(place, therapist.therapist_id)
                self._rows.insert(place, row)

    def remove(self, therapist_id: str) -> None:
        """The therapist's record has been deleted."""
        with self._lock:
            place, is_known = self._place(therapist_id)
            if is_known:
                del self._ids[place], self._rows[place]

    def block(self, now: datetime) -> bytes:
        """All families, UTF-8; the bytes are the same in both formats."""
        with self._lock:
            self._turn(now.date())
            rows = [row for row in self._rows if row.lines]
            parts: list[str] = []
            for number, head in enumerate(_HEADS):
                parts.append(head)
                parts += [row.lines[number] for row in rows]
            newest = last_events(row.therapist for row in rows)
        parts.append(_LAST_EVENT_HEAD)
        parts += [f'{LAST_EVENT[0]}{{team="{_escaped(team)}"}} {_number(at)}\n' for team, at in newest]
        return "".join(parts).encode()

    def _turn(self, today: date) -> None:
        if today != self._today:
            self._today = today
            for row in self._rows:
                row.turn(today)

    def _place(self, therapist_id: str) -> tuple[int, bool]:
        place = bisect_left(self._ids, therapist_id)
        return place, place < len(self._ids) and self._ids[place] == therapist_id


def _lines(one: Therapist, counts: Window) -> tuple[str, ...]:
    """One text per family, none at all of a therapist who has gone."""
    if not one.is_shown(counts):
        return ()
    who = _labels(one)
    return tuple([_samples(family, who, one, counts) for family in FAMILIES])


def _lines_of_another_day(one: Therapist, counts: Window, before: tuple[str, ...]) -> tuple[str, ...]:
    """As `_lines`, only what a day changes written anew."""
    if not before or not one.is_shown(counts):
        return _lines(one, counts)
    who = _labels(one)
    pairs = zip(FAMILIES, before, strict=True)
    return tuple([_samples(family, who, one, counts) if family.is_of_a_window else text for family, text in pairs])


def _labels(one: Therapist) -> str:
    return f'team="{_escaped(one.team)}",therapist="{_escaped(one.therapist_id)}"}} '


def _samples(family: Family, who: str, one: Therapist, counts: Window) -> str:
    values = family.values(one, counts)
    if not family.label:
        return f"{family.name}{{{who}{_number(values[0][1])}\n" if values else ""
    # Labels stand in the order of their names; both closed labels come before `team`.
    return "".join([f'{family.name}{{{family.label}="{label}",{who}{_number(value)}\n' for label, value in values])


@lru_cache(maxsize=16384)
def _number(value: float) -> str:
    """Counts are few and come again and again, above all at the turn of a day."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
