"""Writes the per-therapist block of `/metrics` without the library: the same bytes, many times faster.

In: therapists as they change, an instant. Out: the block as text or OpenMetrics (without its `# EOF`).
Never: a figure that `consumers.exporter.metrics` does not name.

A therapist's lines are written when the therapist changes, and again at the first scrape of each UTC day. A scrape only
joins them, all samples of a family together.
"""

import threading
from bisect import bisect_left
from datetime import date, datetime
from functools import lru_cache

from prometheus_client.utils import floatToGoString

from consumers.exporter.metrics import FAMILIES, LAST_EVENT, Family, last_events
from consumers.exporter.state import Therapist, Window

_HEADS = tuple(f"# HELP {family.name} {family.help}\n# TYPE {family.name} gauge\n" for family in FAMILIES)
_LAST_EVENT_HEAD = f"# HELP {LAST_EVENT[0]} {LAST_EVENT[1]}\n# TYPE {LAST_EVENT[0]} gauge\n"


class _Row:
    """A therapist and the therapist's lines: one text for each family, or no text if the therapist has left."""

    __slots__ = ("counts", "lines", "therapist")

    def __init__(self, therapist: Therapist, today: date) -> None:
        self.therapist = therapist
        self.counts = therapist.totals.window(today)
        self.lines = _lines(therapist, self.counts)

    def start_day(self, today: date) -> None:
        """Update the lines that change with the day."""
        counts = self.therapist.totals.window(today)
        if counts != self.counts:
            self.lines = _lines_of_another_day(self.therapist, counts, self.lines)
            self.counts = counts


class Exposition:
    """The block. One thread changes it, any thread may read it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ids: list[str] = []
        self._rows: list[_Row] = []
        self._today = date.min

    def put(self, therapist: Therapist) -> None:
        """Add or replace a therapist."""
        with self._lock:
            place, is_known = self._place(therapist.therapist_id)
            row = _Row(therapist, self._today)
            if is_known:
                self._rows[place] = row
            else:
                self._ids.insert(place, therapist.therapist_id)
                self._rows.insert(place, row)

    def remove(self, therapist_id: str) -> None:
        """Remove a therapist whose record has been deleted."""
        with self._lock:
            place, is_known = self._place(therapist_id)
            if is_known:
                del self._ids[place], self._rows[place]

    def block(self, now: datetime) -> bytes:
        """All families in UTF-8. The bytes are the same in both formats."""
        with self._lock:
            self._start_day(now.date())
            rows = [row for row in self._rows if row.lines]
            parts: list[str] = []
            for number, head in enumerate(_HEADS):
                parts.append(head)
                parts += [row.lines[number] for row in rows]
            newest = last_events(row.therapist for row in rows)
        parts.append(_LAST_EVENT_HEAD)
        parts += [f'{LAST_EVENT[0]}{{team="{_escaped(team)}"}} {_number(at)}\n' for team, at in newest]
        return "".join(parts).encode()

    def _start_day(self, today: date) -> None:
        if today != self._today:
            self._today = today
            for row in self._rows:
                row.start_day(today)

    def _place(self, therapist_id: str) -> tuple[int, bool]:
        place = bisect_left(self._ids, therapist_id)
        return place, place < len(self._ids) and self._ids[place] == therapist_id


def _lines(therapist: Therapist, counts: Window) -> tuple[str, ...]:
    """One text for each family, or no text if the therapist has left."""
    if not therapist.is_shown(counts):
        return ()
    labels = _labels(therapist)
    return tuple([_samples(family, labels, therapist, counts) for family in FAMILIES])


def _lines_of_another_day(therapist: Therapist, counts: Window, before: tuple[str, ...]) -> tuple[str, ...]:
    """As `_lines`, but only the texts that change with the day are written again."""
    if not before or not therapist.is_shown(counts):
        return _lines(therapist, counts)
    labels = _labels(therapist)
    pairs = zip(FAMILIES, before, strict=True)
    return tuple(
        [_samples(family, labels, therapist, counts) if family.changes_with_the_day else text for family, text in pairs]
    )


def _labels(therapist: Therapist) -> str:
    return f'team="{_escaped(therapist.team)}",therapist="{_escaped(therapist.therapist_id)}"}} '


def _samples(family: Family, labels: str, therapist: Therapist, counts: Window) -> str:
    values = family.values(therapist, counts)
    if not family.label:
        return f"{family.name}{{{labels}{_number(values[0][1])}\n" if values else ""
    # The library sorts labels by name, and both closed labels come before `team`.
    return "".join([f'{family.name}{{{family.label}="{value}",{labels}{_number(figure)}\n' for value, figure in values])


@lru_cache(maxsize=16384)
def _number(value: float) -> str:
    """The figure as the library writes it. Cached, because the same counts are needed again and again."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
