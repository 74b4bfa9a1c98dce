"""State per key, kept by partition in memory and behind it in a changelog topic that Faust recovers.

In: states as bytes with a version. Out: the newest state of a key; changelog records to deliver.
Never: write outside of its partition, decode while recovering (Faust would log an error there and go on), or let an
older version win over a newer one (a worker that lost its partition may still write).

A changelog value is 8 bytes of version, big-endian, then the state. Keys of partitions that leave are dropped at once.
"""

from collections.abc import Iterable
from typing import Any

from faust.tables.table import Table

from pipeline.edge.outbox import Out

VERSION_BYTES = 8


class StateTable(Table):  # type: ignore[misc]
    """A Faust table whose contents are ours; Faust keeps assignment and recovery."""

    def __init__(self, app: Any, *, name: str, partitions: int) -> None:
        super().__init__(app, name=name, partitions=partitions, key_type=bytes, value_type=bytes, store="memory://")
        #: partition -> key -> encoded state, as recovered.
        self._encoded: dict[int, dict[bytes, bytes]] = {}
        #: partition -> key -> live state, as worked with.
        self._live: dict[int, dict[bytes, Any]] = {}
        #: Keys whose newest record lies before an older one in the changelog.
        self._outdone: set[tuple[int, bytes]] = set()

    def live(self, partition: int) -> dict[bytes, Any]:
        """The live states of a partition."""
        return self._live.setdefault(partition, {})

    def take_encoded(self, partition: int, key: bytes) -> bytes | None:
        """The recovered state of a key, once: the caller makes it live."""
        value = self._encoded.get(partition, {}).pop(key, None)
        return None if value is None else value[VERSION_BYTES:]

    def change(self, partition: int, key: bytes, version: int, state: bytes | None) -> Out:
        """The changelog record that makes a state durable; None deletes the key."""
        value = None if state is None else version.to_bytes(VERSION_BYTES, "big") + state
        return Out(self.changelog_topic_name, key, value, partition)

    def repairs(self) -> list[Out]:
        """Changelog records that put the newest state of a key last again, where it is still as recovered."""
        outdone, self._outdone = self._outdone, set()
        kept = [(partition, key, self._encoded.get(partition, {}).get(key)) for partition, key in sorted(outdone)]
        return [Out(self.changelog_topic_name, key, value, partition) for partition, key, value in kept if value]

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Recovery: keep the newest version of each key, still encoded."""
        for event in batch:
            message = event.message
            states = self._encoded.setdefault(message.partition, {})
            self._live.get(message.partition, {}).pop(message.key, None)
            if message.value is None:
                states.pop(message.key, None)
            elif message.value[:VERSION_BYTES] >= states.get(message.key, b"")[:VERSION_BYTES]:
                states[message.key] = message.value
                self._outdone.discard((message.partition, message.key))
            else:
                # Compaction would keep this older record and drop the newer one: it must be written once more.
                self._outdone.add((message.partition, message.key))

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """Drop what belongs to partitions of others."""
        mine = {tp.partition for tp in active_tps}
        for states in (self._encoded, self._live):
            for partition in states.keys() - mine:
                del states[partition]
        self._outdone = {one for one in self._outdone if one[0] in mine}
        await super().on_recovery_completed(active_tps, standby_tps)

    def __len__(self) -> int:
        """Keys held here."""
        return sum(len(states) for states in (*self._encoded.values(), *self._live.values()))
