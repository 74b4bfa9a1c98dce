"""The state table: what Faust recovers reaches the states, and a broken changelog ends the process with a message."""

import asyncio
import inspect
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import faust
import pytest
from faust.tables.recovery import Recovery, ServiceStopped
from faust.types import TP

from deploy.testbed.records import PlainRecord
from pipeline.worker.faust.exits import EXIT_BUG
from pipeline.worker.faust.record_sets import RecordSet
from pipeline.worker.faust.state_table import StateTable, wait_for_recovery_without_timeout

#: The first line of a program that a test runs in a process of its own.
EVERYTHING_HERE = "from tests.pipeline.worker.faust.test_state_table import *\n"
VERSION_1 = (1).to_bytes(8, "big")


@dataclass
class Message:
    partition: int
    key: bytes | None
    value: Any
    offset: int = 0
    timestamp: float = 0.0
    headers: tuple[()] = ()
    generation_id: int = 0
    topic: str = "engine-test-t-changelog"

    @property
    def tp(self) -> TP:
        return TP(self.topic, self.partition)


@dataclass
class Changed:
    message: Message


def a_table() -> StateTable:
    app = faust.App("engine-test", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)
    return StateTable(
        app, name="t", partitions=4, decode=lambda key, value: (key, value), encode=lambda state: b"", max_decoded=10
    )


@pytest.fixture
def table() -> StateTable:
    return a_table()


def recover(table: StateTable, *messages: Message) -> None:
    """What Faust does while it reads a changelog."""

    async def run() -> None:
        for message in messages:
            await table.on_changelog_event(Changed(message))

    asyncio.run(run())


def a_set(start: int, end: int, generation_id: int = 0) -> Message:
    """A record set of partition 0; the key of each record is its offset."""
    records: list[Any] = [PlainRecord(offset, 0, b"%d" % offset, VERSION_1) for offset in range(start, end)]
    return Message(0, None, RecordSet("engine-test-t-changelog", 0, records, start, end), generation_id=generation_id)


def a_message(key: bytes, value: bytes, partition: int = 0, topic: str = "engine-test-t-changelog") -> Message:
    """A record set that holds one record."""
    return Message(partition, None, RecordSet(topic, partition, [PlainRecord(0, 0, key, value)], 0, 1), topic=topic)


def test_every_record_of_every_set_is_recovered(table: StateTable) -> None:
    records = [PlainRecord(5, 0, b"b", VERSION_1 + b"2"), PlainRecord(6, 0, b"c", VERSION_1 + b"3")]
    recover(
        table,
        Message(0, None, RecordSet("engine-test-t-changelog", 0, [PlainRecord(4, 0, b"a", VERSION_1 + b"1")], 4, 5)),
        Message(0, None, RecordSet("engine-test-t-changelog", 0, list(records), 5, 7)),
    )
    assert [table.states.get(0, key) for key in (b"a", b"b", b"c")] == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]


def test_states_of_other_workers_partitions_are_dropped(table: StateTable) -> None:
    recover(table, a_message(b"mine", VERSION_1), a_message(b"theirs", VERSION_1, partition=1))
    of_another_table = TP("another-changelog", 1)
    asyncio.run(table.on_recovery_completed({TP(table.changelog_topic_name, 0), of_another_table}, set()))
    assert len(table) == 1
    assert table.states.get(1, b"theirs") is None
    assert (table.persisted_offset(TP(table.changelog_topic_name, 0)), table.persisted_offset(of_another_table)) == (
        0,
        -1,
    )


def test_recovery_continues_after_what_is_held_and_begins_at_zero_if_nothing_is(table: StateTable) -> None:
    place = TP(table.changelog_topic_name, 0)
    assert table.persisted_offset(place) == -1
    recover(table, a_set(0, 7))
    assert table.persisted_offset(place) == 6
    recover(table, a_set(5, 9))
    assert (table.persisted_offset(place), len(table)) == (8, 9)


def test_what_was_fetched_before_the_rebalance_is_not_recovered_although_faust_counts_it(table: StateTable) -> None:
    recovery, place = table.app.tables.recovery, TP(table.changelog_topic_name, 0)
    table.app.consumer_generation_id = 2
    recovery.active_offsets[place] = 9
    recover(table, a_set(5, 10, generation_id=1))
    assert (len(table), recovery.active_offsets[place]) == (0, -1)
    recover(table, a_set(0, 5, generation_id=2), a_set(5, 10, generation_id=2))
    assert len(table) == 10


def test_a_record_of_another_changelog_does_not_reach_the_states(table: StateTable) -> None:
    recover(table, a_message(b"a", VERSION_1, topic="another-changelog"))
    assert len(table) == 0


def test_a_broken_changelog_record_ends_the_process_and_the_log_does_not_show_it() -> None:
    program = f"{EVERYTHING_HERE}recover(a_table(), a_message(b'secret-key', b'secret'))\n"
    assert "secret" not in output_of(program)


def test_a_gap_in_a_changelog_ends_the_process() -> None:
    output_of(f"{EVERYTHING_HERE}recover(a_table(), a_set(0, 5), a_set(6, 10))\n")


def output_of(program: str) -> str:
    """What a process writes that meets a bug in recovery."""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.returncode == EXIT_BUG
    assert "recovery of t met a bug (ValueError)" in ended.stderr
    return ended.stderr


def test_a_slow_step_of_recovery_does_not_end_it() -> None:
    async def run(prepare: Callable[[faust.App], None]) -> None:
        app = faust.App("engine-test", broker="kafka://127.0.0.1:1", store="memory://", web_enabled=False)
        app.tables.recovery.loop = asyncio.get_running_loop()
        prepare(app)
        await app.tables.recovery._wait(asyncio.sleep(0.05), timeout=0.01)

    with pytest.raises(ServiceStopped):
        asyncio.run(run(lambda app: None))
    asyncio.run(run(wait_for_recovery_without_timeout))


def test_faust_holds_at_most_two_sets_during_recovery(table: StateTable) -> None:
    assert table.recovery_buffer_size == 2
    assert "recovery_buffer_size == 1" in inspect.getsource(sys.modules[Recovery.__module__]), (
        "it would keep reading afterwards"
    )
