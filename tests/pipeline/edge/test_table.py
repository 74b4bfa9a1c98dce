"""The state table: newest version wins, other partitions leave, recovery decodes nothing."""

import asyncio
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.types import TP

from pipeline.edge.table import StateTable


@dataclass
class Message:
    partition: int
    key: bytes
    value: bytes | None


@dataclass
class Changed:
    message: Message


@pytest.fixture
def table() -> StateTable:
    app = faust.App("edge-test", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)
    return StateTable(app, name="t", partitions=4)


def recover(table: StateTable, *records: Any, partition: int = 0) -> None:
    table.apply_changelog_batch([Changed(Message(partition, out.key, out.value)) for out in records])


def test_a_recovered_state_is_the_one_that_was_kept(table: StateTable) -> None:
    recover(table, table.change(0, b"k", 3, b"state"))
    assert table.take_encoded(0, b"k") == b"state"
    assert table.take_encoded(0, b"k") is None


def test_an_older_version_written_later_does_not_win(table: StateTable) -> None:
    recover(
        table, table.change(0, b"k", 300, b"new"), table.change(0, b"k", 299, b"of a worker that lost its partition")
    )
    assert table.take_encoded(0, b"k") == b"new"


def test_a_newest_state_that_is_not_last_in_the_changelog_is_written_once_more(table: StateTable) -> None:
    new, old = table.change(0, b"k", 300, b"new"), table.change(0, b"k", 299, b"of a worker that lost its partition")
    recover(table, new, old)
    assert table.repairs() == [new]
    assert table.repairs() == []
    recover(table, new, old, new)
    assert table.repairs() == []


def test_a_deleted_key_is_gone(table: StateTable) -> None:
    recover(table, table.change(0, b"k", 3, b"state"), table.change(0, b"k", 0, None))
    assert table.take_encoded(0, b"k") is None


def test_recovery_drops_what_was_live_so_that_nothing_stale_is_worked_with(table: StateTable) -> None:
    table.live(0)[b"k"] = "as it was before the partition left"
    recover(table, table.change(0, b"k", 9, b"what another worker made of it"))
    assert b"k" not in table.live(0)
    assert table.take_encoded(0, b"k") == b"what another worker made of it"


def test_partitions_of_others_leave_memory(table: StateTable) -> None:
    recover(table, table.change(0, b"mine", 1, b"s"))
    recover(table, table.change(1, b"theirs", 1, b"s"), partition=1)
    table.live(1)[b"live"] = object()
    asyncio.run(table.on_recovery_completed({TP("x", 0)}, set()))
    assert len(table) == 1
    assert table.take_encoded(0, b"mine") == b"s"
    assert table.take_encoded(1, b"theirs") is None


def test_garbage_in_the_changelog_does_not_stop_recovery_but_the_agent_that_decodes_it(table: StateTable) -> None:
    recover(table, type(table.change(0, b"k", 1, b""))("t", b"k", b"\xff", 0))
    assert table.take_encoded(0, b"k") == b""
