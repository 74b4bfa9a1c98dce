"""The state table: what Faust recovers reaches the states, and a broken changelog stops the process loudly."""

import asyncio
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.types import TP

from pipeline.edge.endings import EXIT_BUG
from pipeline.edge.portions import FetchedRecord
from pipeline.edge.record_sets import RecordSet
from pipeline.edge.table import StateTable

VERSION_1 = (1).to_bytes(8, "big")


@dataclass
class Message:
    partition: int
    key: bytes | None
    value: Any
    offset: int = 0
    timestamp: float = 0.0
    headers: tuple[()] = ()


@dataclass
class Changed:
    message: Message


def a_table() -> StateTable:
    app = faust.App("edge-test", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)
    return StateTable(
        app, name="t", partitions=4, decode=lambda key, value: (key, value), encode=lambda state: b"", most_live=10
    )


@pytest.fixture
def table() -> StateTable:
    return a_table()


def test_a_record_and_a_whole_set_of_records_are_recovered_alike(table: StateTable) -> None:
    records = [FetchedRecord(5, 0, b"b", VERSION_1 + b"2"), FetchedRecord(6, 0, b"c", VERSION_1 + b"3")]
    table.apply_changelog_batch(
        [
            Changed(Message(0, b"a", VERSION_1 + b"1")),
            Changed(Message(0, None, RecordSet("changelog", 0, list(records), 5, 7))),
        ]
    )
    assert [table.states.get(0, key) for key in (b"a", b"b", b"c")] == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]


def test_partitions_of_others_leave_memory(table: StateTable) -> None:
    table.apply_changelog_batch([Changed(Message(0, b"mine", VERSION_1)), Changed(Message(1, b"theirs", VERSION_1))])
    of_another_table = TP("another-changelog", 1)
    asyncio.run(table.on_recovery_completed({TP(table.changelog_topic_name, 0), of_another_table}, set()))
    assert len(table) == 1
    assert table.states.get(1, b"theirs") is None


def test_a_broken_changelog_record_ends_the_process_and_the_log_does_not_show_it() -> None:
    program = (
        "from tests.pipeline.edge.test_table import *\n"
        "a_table().apply_changelog_batch([Changed(Message(0, b'secret-key', b'secret'))])\n"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == EXIT_BUG
    assert "recovery of t met a bug (ValueError)" in ended.stderr
    assert "secret" not in ended.stderr
