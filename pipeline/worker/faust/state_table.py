"""The states of an agent behind a changelog topic that Faust recovers.

In: what Faust recovers and assigns. Out: `states`, filled with the newest state of each key of our partitions.
Never: swallow a changelog record that cannot be read: Faust would log an error there and go on without it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from faust.tables.table import Table
from faust.types import TP

from pipeline.worker.faust.exits import exit_on_bug
from pipeline.worker.faust.manual_ack import end_of, partition_batch_of, start_of
from pipeline.worker.faust.record_sets import RecordSet
from pipeline.worker.faust.state_cache import StateCache


def wait_for_recovery_without_timeout(app: Any) -> None:
    """Let a step of recovery take as long as it takes.

    Faust gives each the time of a request; when that is over it ends recovery in silence, for the life of the process.
    aiokafka's own time limits raise, and that ends the process.
    """
    recovery = app.tables.recovery
    wait = recovery._wait

    async def patiently(step: Any, timeout: Any = None) -> None:
        await wait(step)

    recovery._wait = patiently


def disable_data_dir(app: Any) -> None:
    """Faust makes one for tables where the worker is started; ours are in memory, and that place may be read-only."""
    app._create_directories = lambda: None


class StateTable(Table):  # type: ignore[misc]
    """A Faust table whose contents are ours; Faust keeps assignment and recovery."""

    def __init__(
        self,
        app: Any,
        *,
        name: str,
        partitions: int,
        decode: Callable[[bytes, bytes], Any],
        encode: Callable[[Any], bytes],
        most_decoded: int,
    ) -> None:
        super().__init__(
            app,
            name=name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            store="memory://",
            # Faust keeps so many events, each a whole set, before it lets them go; with 1 it would go on reading the
            # changelog after recovery.
            recovery_buffer_size=2,
        )
        self.states = StateCache(self.changelog_topic_name, decode, encode, most_decoded)
        #: Partition -> up to which offset of the changelog we hold everything.
        self._recovered: dict[int, int] = {}

    def persisted_offset(self, tp: TP) -> int:
        """Where recovery goes on: Faust asks at every rebalance, and what it believes itself may be of another one."""
        return self._recovered.get(tp.partition, 0) - 1

    async def on_changelog_event(self, event: Any) -> None:
        """Recovery: take what Faust has just counted as recovered, the newest version of each key, still encoded."""
        try:
            self._take(event.message)
        except Exception as error:  # noqa: BLE001 - Faust would log it and lose the state
            exit_on_bug(f"recovery of {self.name}", error)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Faust has collected events; each has been taken already."""

    def _take(self, message: Any) -> None:
        if message.topic != self.changelog_topic_name:
            # Of a partition that is not ours any more; Faust gives those to whichever table came before.
            return
        if message.generation_id != self.app.consumer_generation_id:
            # Fetched under another assignment; what lies before it may not have come.
            self.app.tables.recovery.active_offsets[message.tp] = self.persisted_offset(message.tp)
            return
        portion, end = partition_batch_of(message), end_of(message)
        recovered = self._recovered.get(portion.partition)
        if recovered is not None and isinstance(message.value, RecordSet) and start_of(message) > recovered:
            raise ValueError(f"the changelog was read up to {recovered} and then from {start_of(message)} on")
        self.states.recover(portion.partition, portion.records)
        self._recovered[portion.partition] = max(end, recovered or 0)

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """Drop what belongs to partitions of others."""
        mine = {tp.partition for tp in active_tps if tp.topic == self.changelog_topic_name}
        self.states.keep_only(mine)
        self._recovered = {partition: end for partition, end in self._recovered.items() if partition in mine}
        await super().on_recovery_completed(active_tps, standby_tps)

    def __len__(self) -> int:
        """Keys held here."""
        return len(self.states)
