"""The comparison of two versions allows for what was renamed on purpose, and for nothing else."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare_versions import compared_flags, compared_messages, compared_stores

FLAG = {"flag_id": "f-1", "kind": "silence", "kinds": ["silence"], "explanation": "Old words.", "severity": "watch"}
RENAMED = {**FLAG, "kind": "nonresponse", "kinds": ["nonresponse"], "explanation": "New words."}


def a_result(folder: Path, flag: dict[str, Any]) -> Path:
    folder.mkdir()
    (folder / "flags.jsonl").write_text(json.dumps(flag) + "\n")
    (folder / "messages.jsonl").write_text(json.dumps(["alliance.flags.v1", 0, "f-1", json.dumps(flag)]) + "\n")
    return folder


def a_store(file: Path, table: str, type_: str, total: float = 0.9) -> Path:
    with sqlite3.connect(file) as connection:
        connection.execute(f"create table {table} (type text, digest text, total float, body blob)")
        body = json.dumps({"type": type_}).encode()
        connection.execute(f"insert into {table} values (?, ?, ?, ?)", (type_, type_, total, body))
    connection.close()
    return file


def test_new_names_and_sentences_are_no_difference(tmp_path: Path) -> None:
    old, new = a_result(tmp_path / "old", FLAG), a_result(tmp_path / "new", RENAMED)
    assert [*compared_flags(old, new), *compared_messages(old, new)] == []
    assert (
        list(
            compared_stores(
                a_store(tmp_path / "old.sqlite", "withdrawals", "alliance.checkin.withdrawn.v1"),
                a_store(tmp_path / "new.sqlite", "voided_checkins", "alliance.checkin.voided.v1"),
            )
        )
        == []
    )


@pytest.mark.parametrize("changed", [{"severity": "urgent"}, {"kind": "drop"}, {"flag_id": "f-2"}])
def test_anything_else_is(changed: dict[str, Any], tmp_path: Path) -> None:
    old, new = a_result(tmp_path / "old", FLAG), a_result(tmp_path / "new", RENAMED | changed)
    assert list(compared_flags(old, new))
    assert list(compared_messages(old, new))


def test_another_row_is_a_difference(tmp_path: Path) -> None:
    old = a_store(tmp_path / "old.sqlite", "events", "alliance.session.held.v1")
    new = a_store(tmp_path / "new.sqlite", "events", "alliance.session.held.v1", total=0.8)
    assert len(list(compared_stores(old, new))) == 2
