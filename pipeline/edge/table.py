"""The states of an agent behind a changelog topic that Faust recovers.

In: what Faust recovers and assigns. Out: `states`, filled with the newest state of each key of our partitions.
Never: swallow a changelog record that cannot be read: Faust would log an error there and go on without it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from faust.tables.table import Table

from pipeline.edge.acks import portion_of
from pipeline.edge.endings import stop_bug
from pipeline.edge.states import States


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
        most_live: int,
    ) -> None:
        super().__init__(app, name=name, partitions=partitions, key_type=bytes, value_type=bytes, store="memory://")
        self.states = States(self.changelog_topic_name, decode, encode, most_live)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Recovery: keep the newest version of each key, still encoded."""
        try:
            for event in batch:
                portion = portion_of(event.message)
                self.states.recover(portion.partition, portion.records)
        except Exception as error:  # noqa: BLE001 - Faust would log it and lose the state
            stop_bug(f"recovery of {self.name}", error)

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """Drop what belongs to partitions of others."""
        self.states.keep_only(tp.partition for tp in active_tps if tp.topic == self.changelog_topic_name)
        await super().on_recovery_completed(active_tps, standby_tps)

    def __len__(self) -> int:
        """Keys held here."""
        return len(self.states)
