"""The states of an agent behind a changelog topic that Faust recovers.

In: the assignment and the changelog messages that Faust hands over. Out: `states`, with the newest state of each key of
this worker's partitions.
Never: skip a changelog record that cannot be read (Faust would log an error and continue without it).
"""

from collections.abc import Callable, Iterable
from typing import Any

from faust.tables.table import Table
from faust.types import TP

from pipeline.worker.faust.exits import exit_on_bug
from pipeline.worker.faust.manual_ack import record_set_of
from pipeline.worker.faust.state_cache import StateCache


def wait_for_recovery_without_timeout(app: Any) -> None:
    """Let each step of recovery take as long as it needs.

    Faust gives a step the time of one request. When that is over, it ends recovery without a message, for as long as
    the process lives. aiokafka's own time limits raise an error, and that ends the process.
    """
    recovery = app.tables.recovery
    # Private: Faust has no setting for this time limit; every step of recovery goes through this method.
    wait = recovery._wait

    async def wait_without_timeout(step: Any, timeout: Any = None) -> None:
        await wait(step)

    recovery._wait = wait_without_timeout


def disable_data_dir(app: Any) -> None:
    """Create no folder for tables: they are kept in memory, and the place where a worker starts may be read-only."""
    # Private: Faust has no setting for this; the method does nothing but create the folders.
    app._create_directories = lambda: None


class StateTable(Table):  # type: ignore[misc]
    """A Faust table that keeps its contents in a `StateCache`; assignment and recovery are Faust's."""

    def __init__(
        self,
        app: Any,
        *,
        name: str,
        partitions: int,
        decode: Callable[[bytes, bytes], Any],
        encode: Callable[[Any], bytes],
        max_decoded: int,
    ) -> None:
        super().__init__(
            app,
            name=name,
            partitions=partitions,
            key_type=bytes,
            value_type=bytes,
            store="memory://",
            # Faust holds this many events, each a whole record set, before it releases them. With 1 it would keep
            # reading the changelog after recovery.
            recovery_buffer_size=2,
        )
        self.states = StateCache(self.changelog_topic_name, decode, encode, max_decoded)
        #: Partition -> the changelog has been read up to this offset.
        self._recovered: dict[int, int] = {}

    def persisted_offset(self, tp: TP) -> int:
        """The last changelog offset that is held here. Faust asks at every rebalance, since its own count may belong to
        an earlier assignment."""
        return self._recovered.get(tp.partition, 0) - 1

    async def on_changelog_event(self, event: Any) -> None:
        """Called by Faust for each event that it has just counted as recovered."""
        try:
            self._recover(event.message)
        except Exception as error:  # noqa: BLE001 - Faust would log it and lose the state
            exit_on_bug(f"recovery of {self.name}", error)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Called by Faust with the events that it has collected; `on_changelog_event` has recovered each already."""

    def _recover(self, message: Any) -> None:
        if message.topic != self.changelog_topic_name:
            # From a partition that went to another worker: Faust hands it to the table of the message before it.
            return
        if message.generation_id != self.app.consumer_generation_id:
            # Fetched under an earlier assignment, so messages before it may be missing. Faust has counted it as
            # recovered (`active_offsets`); this takes it back.
            self.app.tables.recovery.active_offsets[message.tp] = self.persisted_offset(message.tp)
            return
        record_set = record_set_of(message)
        recovered = self._recovered.get(record_set.partition)
        if recovered is not None and record_set.start > recovered:
            raise ValueError(f"the changelog was read up to {recovered} and then from {record_set.start} on")
        self.states.recover(record_set.partition, record_set.records)
        self._recovered[record_set.partition] = max(record_set.end, recovered or 0)

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """Called by Faust: forget the partitions that are now other workers'."""
        assigned = {tp.partition for tp in active_tps if tp.topic == self.changelog_topic_name}
        self.states.keep_only(assigned)
        self._recovered = {partition: end for partition, end in self._recovered.items() if partition in assigned}
        await super().on_recovery_completed(active_tps, standby_tps)

    def __len__(self) -> int:
        """The number of keys."""
        return len(self.states)
