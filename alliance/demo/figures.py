"""Reading the store while it is written.

In: the store's SQLite file. Out: counts, flags, and what is new about flags.
Never: write to it (the connection is read-only); a row of a client's answers.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Column, ColumnElement, Connection, Integer, Select, create_engine, func, literal_column, select

from alliance.demo.plan import Label
from alliance.demo.snapshot import FlagNews
from alliance.demo.supervisor import RaisedFlag
from consumers.store.tables import checkins, events, flag_changes, flags, rejected, therapists
from schemas.flags import LIVE_STATUSES

_row_number: ColumnElement[int] = literal_column("rowid", Integer)
#: A rupture is caught when a flag opens in the session in which it begins or in one of the next two.
CAUGHT_WITHIN_SESSIONS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How far the pipeline has come with this run's records."""

    archived: int = 0
    refused: int = 0
    #: Sum of the therapists' versions: accepted events that have gone through both agents and into the store.
    summarised: int = 0
    flags: int = 0
    live_flags: int = 0

    @property
    def settled(self) -> int:
        """Accepted or refused, and followed to the end."""
        return min(self.archived, self.summarised) + self.refused


class Figures:
    """Read-only questions to the store; its schema must exist."""

    def __init__(self, database: Path, label: Label) -> None:
        self._engine = create_engine(f"sqlite:///file:{quote(str(database))}?mode=ro&uri=true")
        self._label = label
        self._last_row = 0
        self._known: dict[str, tuple[str, str, bool]] = {}

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    def counts(self) -> Counts:
        """All counts at one moment."""
        live = flags.c.status.in_(LIVE_STATUSES)
        with self._engine.connect() as connection:
            return Counts(
                archived=self._count(connection, self._ours(events.c.case_id)),
                refused=self._count(connection, self._our_refusals()),
                summarised=self._count(connection, self._of_our_therapists(select(func.sum(therapists.c.version)))),
                flags=self._count(connection, self._ours(flags.c.case_id)),
                live_flags=self._count(connection, self._ours(flags.c.case_id).where(live)),
            )

    def checkins(self) -> int:
        """Check-ins, each in its latest revision."""
        with self._engine.connect() as connection:
            return self._count(connection, self._ours(checkins.c.case_id))

    def raised(self) -> list[RaisedFlag]:
        """This run's flags, for the supervisor."""
        columns = (flags.c.flag_id, flags.c.case_id, flags.c.severity, flags.c.opened_at, flags.c.closed_at)
        query = self._of_this_run(select(*columns), flags.c.case_id).where(flags.c.status != "retracted")
        with self._engine.connect() as connection:
            return [RaisedFlag(**row._mapping) for row in connection.execute(query)]

    def news(self) -> list[FlagNews]:
        """What has become known of flags since the last call, the oldest first."""
        query = self._of_this_run(select(_row_number, flag_changes), flag_changes.c.case_id)
        query = query.where(_row_number > self._last_row).order_by(_row_number)
        with self._engine.connect() as connection:
            rows = [dict(row._mapping) for row in connection.execute(query)]
        if rows:
            self._last_row = rows[-1]["rowid"]
        told = [(row, self._told(row)) for row in rows]
        return [_news(row, what) for row, what in told if what]

    def flag_table(self) -> Mapping[tuple[str, str], int]:
        """Flags by kind and status."""
        query = select(flags.c.kind, flags.c.status, func.count()).group_by(flags.c.kind, flags.c.status)
        with self._engine.connect() as connection:
            rows = connection.execute(self._of_this_run(query, flags.c.case_id)).all()
        return {(kind, status): count for kind, status, count in rows}

    def caught(self, truth: Iterable[Mapping[str, Any]]) -> Mapping[str, tuple[int, int]]:
        """By kind of rupture: how many of the planted ones were flagged in time, and how many were planted."""
        query = self._of_this_run(select(flags.c.case_id, flags.c.session_number), flags.c.case_id)
        with self._engine.connect() as connection:
            flagged = {(row.case_id, row.session_number) for row in connection.execute(query)}
        caught, planted = Counter[str](), Counter[str]()
        for row in truth:
            sessions = range(row["onset_session"], row["onset_session"] + CAUGHT_WITHIN_SESSIONS)
            planted[row["kind"]] += 1
            caught[row["kind"]] += any((row["case_id"], number) in flagged for number in sessions)
        return {kind: (caught[kind], count) for kind, count in planted.items()}

    def active_cases(self) -> Mapping[str, int]:
        """Active cases of each of this run's therapists."""
        query = self._of_our_therapists(select(therapists.c.therapist_id, therapists.c.active_cases))
        with self._engine.connect() as connection:
            return {row.therapist_id: row.active_cases for row in connection.execute(query)}

    def _told(self, row: Mapping[str, Any]) -> str:
        """In one word what this snapshot says that the ones before it did not; empty when nothing for the screen."""
        flag_id, was_discussed = row["flag_id"], row["discussed_at"] is not None
        before = self._known.get(flag_id)
        self._known[flag_id] = row["status"], row["severity"], was_discussed
        if before is None or before[0] != row["status"]:
            return str(row["status"])
        if before[2] != was_discussed:
            return "discussed"
        return f"now {row['severity']}" if before[1] != row["severity"] else ""

    def _of_our_therapists(self, query: Select[Any]) -> Select[Any]:
        prefix = self._label.therapist_prefix
        return query.where(therapists.c.therapist_id.startswith(prefix, autoescape=True)) if prefix else query

    def _ours(self, case_id: Column[Any]) -> Select[Any]:
        return self._of_this_run(select(func.count()).select_from(case_id.table), case_id)

    def _our_refusals(self) -> Select[Any]:
        """Refused records are told apart by their key, the bytes of the case's id."""
        query = select(func.count()).select_from(rejected)
        prefix = self._label.case_prefix.encode()
        return query.where(func.substr(rejected.c.key, 1, len(prefix)) == prefix) if prefix else query

    def _of_this_run(self, query: Select[Any], case_id: Column[Any]) -> Select[Any]:
        prefix = self._label.case_prefix
        return query.where(case_id.startswith(prefix, autoescape=True)) if prefix else query

    @staticmethod
    def _count(connection: Connection, query: Select[Any]) -> int:
        return connection.scalar(query) or 0


def _news(row: Mapping[str, Any], what: str) -> FlagNews:
    return FlagNews(
        number=row["rowid"],
        at=row["updated_at"],
        news=what,
        kind=row["kind"],
        severity=row["severity"],
        team=row["team"],
        therapist=row["therapist_id"],
        session_number=row["session_number"],
        explanation=row["explanation"],
    )
