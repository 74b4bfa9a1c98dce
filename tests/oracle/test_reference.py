"""The reference as a whole: its tables, and what it imports.

In: small logs. Out: literal rows. The sections of docs/rules.md have a test file each:
test_acceptance (1), test_history (2), test_timeline (3), test_detectors (4 and 5), test_episodes (6),
test_therapists (7).
"""

import ast
from pathlib import Path

from tests.oracle.acceptance import hex_digest
from tests.oracle.instruments import Instrument, load
from tests.oracle.messages import action, checkin, closed, held, missed, on, rows, scores, the_row, voided
from tests.oracle.reference import COLUMNS, expected_store, refusals

HERE = Path(__file__).parent


def key_of(identity: str) -> str:
    return hex_digest(16, b"c1", b"clinic", identity.encode())


def test_the_oracle_imports_nothing_of_the_pipeline_or_its_consumers() -> None:
    ours = set()
    for file in set(HERE.glob("*.py")) - {HERE / "test_against_the_pipeline.py"}:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                ours.add(node.module)
            elif isinstance(node, ast.Import):
                ours.update(alias.name for alias in node.names)
    roots = {"pipeline", "consumers", "schemas", "tests"}
    found = {name for name in ours if name and name.split(".")[0] in roots and not name.startswith("tests.oracle")}
    assert found == {"schemas.codec"}


def test_an_empty_log_gives_empty_tables_with_all_their_columns() -> None:
    store = expected_store([])
    assert {name: tuple(table.columns) for name, table in store.items()} == COLUMNS
    assert {name: len(table) for name, table in store.items() if len(table)} == {"erased_cases": 1}
    assert store["erased_cases"]["count"].tolist() == [0]


def test_every_accepted_event_is_in_the_archive_once() -> None:
    log = [held(0, id="e1"), held(0, id="e1"), voided(1, "k", id="e2"), (b"c1", b"{", 0)]
    of_c1 = {"case_id": "c1", "source": "clinic"}
    assert rows(log, "events") == [
        {**of_c1, "id": "e1", "type": "alliance.session.held.v1", "occurred_at": on(0)},
        {**of_c1, "id": "e2", "type": "alliance.checkin.voided.v1", "occurred_at": on(1)},
    ]


def test_sessions_held_and_missed_have_a_row_per_event() -> None:
    log = [held(0, "s1", id="e1"), held(1, "s1", id="e2"), missed(2, "t2", "south", id="e3")]
    for_all = {"case_id": "c1", "session_id": "s1", "therapist_id": "t1", "team": "north", "was_held": True}
    assert rows(log, "sessions") == [
        {**for_all, "event_key": key_of("e1"), "missed_by": None, "occurred_at": on(0)},
        {**for_all, "event_key": key_of("e2"), "missed_by": None, "occurred_at": on(1)},
        {
            "event_key": key_of("e3"),
            "case_id": "c1",
            "session_id": "m@2",
            "therapist_id": "t2",
            "team": "south",
            "was_held": False,
            "missed_by": "client",
            "occurred_at": on(2),
        },
    ]


def test_voids_closures_and_actions_have_a_row_each() -> None:
    log = [voided(1, "k", id="e1"), closed(2, "t2", id="e2"), action(3, "discussed", "f-1", id="e3")]
    assert the_row(log, "voided_checkins") == {
        "event_key": key_of("e1"),
        "case_id": "c1",
        "checkin_id": "k",
        "occurred_at": on(1),
    }
    assert the_row(log, "closures") == {
        "event_key": key_of("e2"),
        "case_id": "c1",
        "therapist_id": "t2",
        "reason": "planned",
        "occurred_at": on(2),
    }
    assert the_row(log, "flag_actions") == {
        "event_key": key_of("e3"),
        "case_id": "c1",
        "flag_id": "f-1",
        "action": "discussed",
        "by": "p1",
        "occurred_at": on(3),
    }


def test_a_checkin_has_its_answers_and_scores_in_its_row() -> None:
    row = the_row([checkin(0, 0.9, "s1", answers={"trust": 9, "goals": 8.5, "communication": None})], "checkins")
    assert (row["total"], row["trust"], row["goals"]) == (None, 0.9, 0.85)
    assert (row["empathy"], row["communication"]) == (None, None)
    assert row["answers"] == {"trust": 9, "goals": 8.5, "communication": None}
    assert (row["session_id"], row["rater"], row["instrument"], row["revision"]) == ("s1", "client", "checkin-4/1", 1)


def test_a_refused_record_has_a_row_with_its_bytes() -> None:
    assert the_row([(b"c1", b"{", 1_767_261_600_000)], "rejected") == {
        "received_at": on(0),
        "reason": "not-json",
        "key": b"c1",
        "value": b"{",
    }


def test_cases_do_not_touch_each_other() -> None:
    alone, other = scores(0.45, 0.9, 0.9), scores(0.9, 0.4, subject="c2")
    together = rows([*other, *alone], "flags")
    assert sorted(together, key=str) == sorted(rows(alone, "flags") + rows(other, "flags"), key=str)


def test_a_practice_may_bring_an_instrument_of_its_own() -> None:
    own = Instrument({**load()["checkin-4/1"].definition, "id": "own/1"})
    log = [checkin(0, 0.9, instrument="own/1")]
    assert refusals(log) == ["unknown-instrument"]
    assert refusals(log, load() | {"own/1": own}) == [None]
    assert expected_store(log, {"own/1": own})["checkins"]["total"].tolist() == [0.9]
