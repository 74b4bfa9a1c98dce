"""The product's safeguards, each of which can be removed: a fault test that passes without its safeguard is useless.

In: the environment variable FAULTS_WITHOUT, a name of `SAFEGUARDS`. Out: this process, or one that
`tests.support.crashing` starts, without that safeguard.
Never: a change in the product's files.

Only this file and `crashing.py` replace functions of the product by their names.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

VARIABLE = "FAULTS_WITHOUT"
Act = Callable[..., Any]


def is_broken() -> bool:
    """Whether a safeguard has been removed; then waits are short, since what they wait for cannot come."""
    return VARIABLE in os.environ


def remove_named() -> None:
    """Remove what the environment names, if it names anything."""
    if is_broken():
        SAFEGUARDS[os.environ[VARIABLE]]()


def _outputs_before_states() -> None:
    """The states are sent first, and their outputs after them."""
    from pipeline.worker.faust.durable_producer import DurableProducer

    deliver = DurableProducer.deliver
    held: list[Any] = []

    async def turned(self: DurableProducer, records: Sequence[Any]) -> None:
        if any(not one.topic.endswith("-changelog") for one in records):
            held.extend(records)
            return
        await deliver(self, records)
        told, held[:] = list(held), []
        await deliver(self, told)

    DurableProducer.deliver = turned  # type: ignore[method-assign]


def _acknowledge_manually() -> None:
    """A gathered batch is acknowledged before it is processed."""
    from pipeline.worker.faust.group_commit import GroupCommit

    add = GroupCommit.add

    async def acknowledging(self: GroupCommit, event: Any) -> None:
        await add(self, event)
        event.acknowledge()

    GroupCommit.add = acknowledging  # type: ignore[method-assign]


def _paused_is_not_acknowledged() -> None:
    """What a paused partition brought is acknowledged, processed or not."""
    from pipeline.worker.faust.group_commit import GroupCommit

    pause = GroupCommit._pause

    def acknowledging(self: GroupCommit, event: Any) -> None:
        pause(self, event)
        event.acknowledge()

    GroupCommit._pause = acknowledging  # type: ignore[method-assign]


def _events_are_a_set() -> None:
    """An event that comes twice counts twice."""
    from pipeline.core.case.state import CaseState

    plain = CaseState.insert

    def insert(self: Any, record: Any, at: Any) -> bool:
        if not plain(self, record, at):
            self.trimmed += 1
        return True

    CaseState.insert = insert  # type: ignore[method-assign]


def _changelog() -> None:
    """Nothing is remembered over a crash."""
    from pipeline.worker.faust.state_table import StateTable

    StateTable._recover = lambda self, message: None  # type: ignore[method-assign]


def _rows_with_position() -> None:
    """The position is committed by itself, then the rows."""
    from consumers.store.sink import StoreSink

    move = StoreSink._move_positions

    def move_alone(self: Any, connection: Any, records: Any) -> Any:
        with self._engine.begin() as alone:
            return move(self, alone, records)

    StoreSink._move_positions = move_alone  # type: ignore[method-assign]


def _wait_for_database() -> None:
    """Records that cannot be written now are skipped."""
    from consumers.sink import Unavailable
    from consumers.store.sink import StoreSink

    write = StoreSink.write

    def skip_when_away(self: Any, records: Any) -> None:
        try:
            write(self, records)
        except Unavailable:
            return

    StoreSink.write = skip_when_away  # type: ignore[method-assign]


def _wait_for_broker() -> None:
    """What the broker does not acknowledge at once is dropped."""
    from pipeline.worker.faust.durable_producer import DurableProducer

    async def drop(self: Any, records: Sequence[Any]) -> None:
        await self._attempt(records)

    DurableProducer.deliver = drop  # type: ignore[method-assign]


def _flags_from_the_beginning() -> None:
    """The readers without a memory of their own start with the next record instead of the first."""
    from consumers import topic_reader
    from consumers.kafka_consumer import Consumer

    class Forgetful(Consumer):
        def seek_to_beginning(self, *partitions: Any) -> None:
            self.seek_to_end(*partitions)

    topic_reader.Consumer = Forgetful  # type: ignore[attr-defined]


def _stop_on_a_bug() -> None:
    """A batch that met a bug is acknowledged and the next one taken, as by Faust itself."""
    from pipeline.worker.case_agent import CaseAgent

    work = CaseAgent.work

    async def swallowing(self: Any, *batch: Any) -> Any:
        try:
            return await work(self, *batch)
        except (Exception, asyncio.CancelledError):  # noqa: BLE001 - that is the point
            return frozenset()

    CaseAgent.work = swallowing  # type: ignore[method-assign, assignment]


def _refusals_are_kept() -> None:
    """A refused record is dropped."""
    from pipeline.worker.faust.durable_producer import DurableProducer
    from schemas.topics import REJECTED

    deliver: Callable[..., Awaitable[None]] = DurableProducer.deliver

    async def dropping(self: Any, records: Sequence[Any]) -> None:
        await deliver(self, [one for one in records if one.topic != REJECTED])

    DurableProducer.deliver = dropping  # type: ignore[method-assign]


def _greater_content_wins() -> None:
    """If one identity has two contents, the case keeps the later one."""
    from pipeline.core.case.state import CaseState

    plain = CaseState.insert

    def latest(self: Any, record: Any, at: Any) -> bool:
        known = self.digests.get(record.identity)
        if known is None or known == record.digest:
            return plain(self, record, at)
        self.losing_digests |= {known}
        self.replace(record)
        return True

    CaseState.insert = latest  # type: ignore[method-assign]


def _group_is_told() -> None:
    """The store does not commit its group's offsets, so that no monitor sees how far it is."""
    from consumers.loop import Loop

    Loop._commit = lambda self, records: None  # type: ignore[method-assign]


def _store_from_the_beginning() -> None:
    """A store without a position starts with the next record instead of the first."""
    from consumers.start_positions import StartPositions

    seek = StartPositions.seek

    def seek_to_end(self: Any, consumer: Any, partitions: Any) -> Any:
        known = self._sink.positions(partitions)
        again = seek(self, consumer, [tp for tp in partitions if tp in known])
        fresh = [tp for tp in partitions if tp not in known]
        if fresh:
            consumer.seek_to_end(*fresh)
        return again

    StartPositions.seek = seek_to_end  # type: ignore[method-assign]


#: Name -> how to do without it.
SAFEGUARDS: dict[str, Callable[[], None]] = {
    "outputs-before-states": _outputs_before_states,
    "acknowledge-manually": _acknowledge_manually,
    "paused-is-not-acknowledged": _paused_is_not_acknowledged,
    "events-are-a-set": _events_are_a_set,
    "changelog": _changelog,
    "rows-with-position": _rows_with_position,
    "wait-for-database": _wait_for_database,
    "wait-for-broker": _wait_for_broker,
    "flags-from-the-beginning": _flags_from_the_beginning,
    "stop-on-a-bug": _stop_on_a_bug,
    "refusals-are-kept": _refusals_are_kept,
    "greater-content-wins": _greater_content_wins,
    "group-is-told": _group_is_told,
    "store-from-the-beginning": _store_from_the_beginning,
}
