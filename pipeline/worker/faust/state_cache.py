"""States by partition and key: all of them encoded, the ones worked with lately also live.

In: changelog records while recovering; states while working. Out: the newest state of a key; changelog records of what
has changed, one a key.
Never: know Faust; decode while recovering; let an older version win over a newer one (a worker that lost its partition
may still write).

A changelog value is 8 bytes of version, big-endian, then the state. A live state costs some ten kilobytes and an
encoded one some hundred bytes, so only about `most_decoded` stay live: when the young ones are half as many, the old
ones go and the young become old; who is asked for becomes young again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from pipeline.worker.faust.durable_producer import OutgoingRecord
from pipeline.worker.faust.partition_batch import KafkaRecord

VERSION_BYTES = 8


class StateCache:
    """`decode(key, bytes)` and `encode(state)` are each other's inverse; a state tells its `version`."""

    def __init__(
        self,
        changelog: str,
        decode: Callable[[bytes, bytes], Any],
        encode: Callable[[Any], bytes],
        most_decoded: int,
    ) -> None:
        self._changelog = changelog
        self._decode = decode
        self._encode = encode
        self._most_recent = max(1, most_decoded // 2)
        self._encoded: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._young: dict[int, dict[bytes, Any]] = defaultdict(dict)
        self._old: dict[int, dict[bytes, Any]] = defaultdict(dict)
        #: What has changed since `changes`; None: the key goes.
        self._changed: dict[tuple[int, bytes], Any] = {}
        #: Keys whose newest record lies before an older one in the changelog.
        self._overwritten: set[tuple[int, bytes]] = set()

    def live(self, partition: int, key: bytes) -> Any:
        """The state of a key if it is live, else None."""
        young = self._young[partition]
        state = young.get(key)
        if state is None:
            state = self._old[partition].pop(key, None)
            if state is not None:
                young[key] = state
        return state

    def get(self, partition: int, key: bytes) -> Any:
        """The newest state of a key, or None; raises what `decode` raises, which must stop the process."""
        state = self.live(partition, key)
        if state is None:
            encoded = self._encoded[partition].get(key)
            if encoded is not None:
                state = self._young[partition][key] = self._decode(key, encoded[VERSION_BYTES:])
        return state

    def put(self, partition: int, key: bytes, state: Any) -> None:
        """A new state; None deletes the key."""
        self._changed[partition, key] = state
        if state is None:
            for states in (self._young, self._old, self._encoded):
                states[partition].pop(key, None)
        else:
            self._young[partition][key] = state

    def changes(self) -> list[OutgoingRecord]:
        """The changelog records of all that has changed since the last call."""
        changed, self._changed = self._changed, {}
        records = []
        for (partition, key), state in changed.items():
            value = None
            if state is not None:
                value = state.version.to_bytes(VERSION_BYTES, "big") + self._encode(state)
                self._encoded[partition][key] = value
            records.append(OutgoingRecord(self._changelog, key, value, partition))
        self._start_generation()
        return [*self._repairs(changed.keys()), *records]

    def _repairs(self, changed: Iterable[tuple[int, bytes]]) -> list[OutgoingRecord]:
        """Records that put the newest state of a key last in the changelog again."""
        if not self._overwritten:
            return []
        outdone, self._overwritten = self._overwritten.difference(changed), set()
        kept = [(partition, key, self._encoded[partition].get(key)) for partition, key in sorted(outdone)]
        return [OutgoingRecord(self._changelog, key, value, partition) for partition, key, value in kept if value]

    def _start_generation(self) -> None:
        if sum(map(len, self._young.values())) >= self._most_recent:
            self._old, self._young = self._young, defaultdict(dict)

    def recover(self, partition: int, records: Iterable[KafkaRecord]) -> None:
        """Take changelog records: the newest version of each key stays, encoded. Raises ValueError for a broken one."""
        states = self._encoded[partition]
        young, old = self._young[partition], self._old[partition]
        for record in records:
            key, value = record.key, record.value
            if key is None or (value is not None and len(value) < VERSION_BYTES):
                raise ValueError(f"changelog record {partition}:{record.offset} is none of ours")
            young.pop(key, None)
            old.pop(key, None)
            if value is None:
                states.pop(key, None)
            elif value[:VERSION_BYTES] >= states.get(key, b"")[:VERSION_BYTES]:
                states[key] = value
                self._overwritten.discard((partition, key))
            else:
                # Compaction would keep this older record and drop the newer one: it must be written once more.
                self._overwritten.add((partition, key))

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Release at once what belongs to other partitions."""
        mine = set(partitions)
        for states in (self._encoded, self._young, self._old):
            for partition in states.keys() - mine:
                del states[partition]
        self._overwritten = {one for one in self._overwritten if one[0] in mine}

    def __len__(self) -> int:
        """Keys held here."""
        return sum(map(len, self._encoded.values()))
