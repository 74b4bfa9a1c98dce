"""The law of the store: any order and any duplication of the same events give the same rows."""

import random
from datetime import datetime, timedelta
from itertools import permutations
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, select

from consumers.store import tables
from consumers.store.database import migrate, open_engine
from deploy.testbed.builders import (
    Json,
    a_checkin,
    a_closure,
    a_held,
    a_missed,
    a_void,
    an_action,
    an_erasure,
    value_of,
)
from deploy.testbed.in_memory import InMemoryPipeline, memory_store
from schemas.topics import REJECTED
from tests.support.histories import histories
from tests.support.sizes import sized

#: Columns that depend on the order of arrival (docs/rules.md, end of section 6).
TRACES = {"version", "kafka_partition", "kafka_offset", "kafka_timestamp_ms", "body"}
LAWFUL = ("events", "checkins", "voided_checkins", "sessions", "closures", "flag_actions", "flags", "therapists")


def rows_of(engine: Engine) -> dict[str, list[str]]:
    """Every lawful row as text, sorted."""
    found: dict[str, list[str]] = {}
    with engine.connect() as connection:
        for name in LAWFUL:
            table = tables.metadata.tables[name]
            keep = [column for column in table.columns if column.name not in TRACES or name == "therapists"]
            query = select(*keep)
            if name == "flags":
                query = query.where(table.c.status != "retracted")
            found[name] = sorted(repr(sorted(row._mapping.items())) for row in connection.execute(query))
    return found


@settings(max_examples=sized(200, 20_000), deadline=None)
@given(histories(), histories(8), st.randoms(use_true_random=False))
def test_any_permutation_and_duplication_of_the_same_events_gives_the_same_store(
    history: list[Json], another: list[Json], chance: random.Random
) -> None:
    events = history + [{**event, "subject": "c-2"} for event in another]
    shuffled = events + [chance.choice(events) for _ in range(len(events) // 2)]
    chance.shuffle(shuffled)
    in_order = InMemoryPipeline().feed(events, batch=len(events)).store(memory_store())
    disordered = InMemoryPipeline().feed(shuffled, batch=7).store(memory_store())
    assert rows_of(disordered) == rows_of(in_order)


def contradicted(event: Json, minutes: int) -> Json:
    """Another content under the same identity."""
    at = datetime.fromisoformat(str(event["time"])) + timedelta(minutes=minutes)
    return {**event, "time": at.isoformat()}


@settings(max_examples=sized(60, 10_000), deadline=None)
@given(histories(), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 20_000)), min_size=1), st.randoms())
def test_which_of_two_contents_under_one_identity_wins_does_not_depend_on_the_order_of_arrival(
    history: list[Json], twins: list[tuple[int, int]], chance: random.Random
) -> None:
    events = history + [contradicted(history[place % len(history)], minutes) for place, minutes in twins]
    shuffled = events + [chance.choice(events) for _ in range(len(events) // 2)]
    chance.shuffle(shuffled)
    in_order = InMemoryPipeline().feed(events, batch=len(events))
    disordered = InMemoryPipeline().feed(shuffled, batch=5)
    assert rows_of(disordered.store(memory_store())) == rows_of(in_order.store(memory_store()))
    # The losing content is not a bad record: sending it again would not help. It is counted but not refused.
    assert disordered.log.topics[REJECTED] == []


@settings(max_examples=sized(50, 5_000), deadline=None)
@given(histories(), st.integers(0, 30), st.integers(0, 10))
def test_a_crash_between_the_states_and_the_acknowledgements_changes_nothing(
    history: list[Json], where: int, replayed: int
) -> None:
    smooth = InMemoryPipeline().feed(history)
    crashed = InMemoryPipeline()
    for number, event in enumerate(history):
        crashed.feed([event])
        if number == where:
            crashed.crash()
            first = max(0, number - replayed)
            crashed.work(crashed.log.topics["alliance.events.v1"][first : number + 1])
    assert rows_of(crashed.store(memory_store())) == rows_of(smooth.store(memory_store()))


def test_an_erased_case_leaves_no_row_and_stays_erased() -> None:
    events = [a_checkin(session, 9.0 if session < 5 else 3.0) for session in range(1, 7)]
    pipeline = InMemoryPipeline().feed([*events, an_erasure(7), *events])
    engine = pipeline.store(memory_store())
    with engine.connect() as connection:
        for table in tables.CASE_TABLES:
            if table is not tables.rejected:
                assert connection.execute(select(table)).all() == [], table.name
        refused = connection.execute(select(tables.rejected)).all()
        assert {row.reason for row in refused} == {"erased"}
        assert all(row.value is None and row.key is None for row in refused)
        assert len(refused) == len(events)
        (therapist,) = connection.execute(select(tables.therapists)).all()
        assert (therapist.active_cases, therapist.scored_cases, therapist.score_points) == (0, 0, 0.0)
        assert len(connection.execute(select(tables.erased_cases)).all()) == 1


def test_two_contents_under_one_identity_leave_only_the_rows_of_the_winner() -> None:
    """Even if their rows are in different tables, and whichever arrives first."""
    contents = [
        a_held(1, id="same"),
        a_held(1, id="same", session_id="s-other"),
        a_checkin(1, id="same"),
        an_action("dismissed", "f-1", id="same"),
    ]
    found = []
    for order in permutations(contents):
        found.append(rows_of(InMemoryPipeline().feed(order).store(memory_store(), batch=1)))
    assert len(found[0]["events"]) == 1
    assert sum(len(found[0][name]) for name in ("sessions", "checkins", "flag_actions")) == 1
    assert all({**rows, "therapists": [], "flags": []} == {**found[0], "therapists": [], "flags": []} for rows in found)


def test_the_migrations_make_the_tables_that_the_code_expects(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path}/store.sqlite")
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


@pytest.mark.postgres
def test_postgresql_holds_the_same_rows_as_sqlite_in_any_order_and_with_duplicates(postgres_url: str) -> None:
    events = [event for case in ("c-1", "c-2") for event in eventful(case)]
    shuffled = [*events, *events[::3]]
    random.Random(4).shuffle(shuffled)
    engine = open_engine(postgres_url)
    migrate(engine)
    InMemoryPipeline().feed(shuffled, batch=5).store(engine, batch=9)
    assert rows_of(engine) == rows_of(InMemoryPipeline().feed(events, batch=len(events)).store(memory_store()))
    assert rows_of(engine)["flag_actions"]
    engine.dispose()


def eventful(case: str) -> list[Json]:
    """A case of every kind of event, with a corrected check-in and two contents under one identity."""
    checkins = [a_checkin(session, 9.0 if session < 6 else 3.0, subject=case) for session in range(1, 9)]
    held = [a_held(session, subject=case) for session in range(1, 9)]
    return [
        *checkins,
        *held,
        a_checkin(2, 7.5, subject=case, id="again", checkin_id="k-2"),
        a_checkin(2, 8.5, subject=case, id="once-more", checkin_id="k-2", revision=2),
        a_held(3, subject=case, id="same"),
        a_held(3, subject=case, id="same", session_id="s-other"),
        an_action("acknowledged", "f-1", subject=case),
        a_missed(4, subject=case),
        a_void("k-2", subject=case),
        a_closure(9, subject=case),
    ]


@pytest.mark.postgres
def test_the_migrations_make_the_same_tables_in_postgresql(postgres_url: str) -> None:
    engine = open_engine(postgres_url)
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []
    engine.dispose()


def test_an_erasure_reaches_refused_records_by_their_key_and_by_their_subject() -> None:
    pipeline = InMemoryPipeline().feed_records([(b"victim", value_of(a_checkin(1, subject="c-9")))])
    pipeline.feed_records([(b"c-9", value_of(a_checkin(1, subject="victim"))), (b"c-7", b"{")])
    pipeline.feed([an_erasure(subject="victim")])
    pipeline.feed_records([(b"victim", b"{"), (b"c-8", value_of(a_checkin(1, subject="victim")))])
    with pipeline.store(memory_store()).connect() as connection:
        refused = connection.execute(select(tables.rejected)).all()
    assert [row.key for row in refused if row.key is not None] == [b"c-7"]
    assert all(row.value is None for row in refused if row.key is None)
