"""The states of an agent by partition and key: all of them encoded, the recently used ones also decoded.

In: changelog records during recovery, changed states afterwards. Out: the newest state of a key; one changelog record
for each key that changed.
Never: know Faust; decode during recovery; let an older version win over a newer one (a worker that lost its partition
may still write).

A changelog value is 8 bytes of version (big-endian), then the encoded state. A decoded state takes about ten kilobytes,
an encoded one some hundred bytes, so only about `max_decoded` states stay decoded. They are kept in two generations:
when the recent one holds half of `max_decoded`, it becomes the previous one, and the states of the old previous one
stay encoded only. A state that is asked for moves to the recent generation.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from pipeline.worker.faust.durable_producer import OutgoingRecord
from pipeline.worker.faust.partition_batch import KafkaRecord

VERSION_BYTES = 8


class StateCache:
    """`decode(key, bytes)` reverses `encode(state)`; each state has a `version`."""

    def __init__(
        self,
        changelog: str,
        decode: Callable[[bytes, bytes], Any],
        encode: Callable[[Any], bytes],
        max_decoded: int,
    ) -> None:
        self._changelog = changelog
        self._decode = decode
        self._encode = encode
        self._max_recent = max(1, max_decoded // 2)
        self._encoded: dict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._recent: dict[int, dict[bytes, Any]] = defaultdict(dict)
        self._previous: dict[int, dict[bytes, Any]] = defaultdict(dict)
        #: What has changed since the last call of `changes`; None: the key was deleted.
        self._changed: dict[tuple[int, bytes], Any] = {}
        #: Keys of which an older version follows the newest one in the changelog.
        self._overwritten: set[tuple[int, bytes]] = set()

    def get_decoded(self, partition: int, key: bytes) -> Any:
        """The state of a key if it is decoded, else None."""
        recent = self._recent[partition]
        state = recent.get(key)
        if state is None:
            state = self._previous[partition].pop(key, None)
            if state is not None:
                recent[key] = state
        return state

    def get(self, partition: int, key: bytes) -> Any:
        """The newest state of a key, or None; raises what `decode` raises, which must stop the process."""
        state = self.get_decoded(partition, key)
        if state is None:
            encoded = self._encoded[partition].get(key)
            if encoded is not None:
                state = self._recent[partition][key] = self._decode(key, encoded[VERSION_BYTES:])
        return state

    def put(self, partition: int, key: bytes, state: Any) -> None:
        """Store a new state; None deletes the key."""
        self._changed[partition, key] = state
        if state is None:
            for states in (self._recent, self._previous, self._encoded):
                states[partition].pop(key, None)
        else:
            self._recent[partition][key] = state

    def changes(self) -> list[OutgoingRecord]:
        """The changelog records of everything that changed since the last call."""
        changed, self._changed = self._changed, {}
        records = []
        for (partition, key), state in changed.items():
            value = None
            if state is not None:
                value = state.version.to_bytes(VERSION_BYTES, "big") + self._encode(state)
                self._encoded[partition][key] = value
            records.append(OutgoingRecord(self._changelog, key, value, partition))
        self._start_generation_if_full()
        return [*self._repairs(changed.keys()), *records]

    def _repairs(self, changed: Iterable[tuple[int, bytes]]) -> list[OutgoingRecord]:
        """Records that put the newest state of a key last in the changelog again."""
        if not self._overwritten:
            return []
        overwritten, self._overwritten = self._overwritten.difference(changed), set()
        newest = [(partition, key, self._encoded[partition].get(key)) for partition, key in sorted(overwritten)]
        return [OutgoingRecord(self._changelog, key, value, partition) for partition, key, value in newest if value]

    def _start_generation_if_full(self) -> None:
        if sum(map(len, self._recent.values())) >= self._max_recent:
            self._previous, self._recent = self._recent, defaultdict(dict)

    def recover(self, partition: int, records: Iterable[KafkaRecord]) -> None:
        """Read changelog records; keeps the newest version of each key, encoded. Raises ValueError for a broken one."""
        encoded = self._encoded[partition]
        recent, previous = self._recent[partition], self._previous[partition]
        for record in records:
            key, value = record.key, record.value
            if key is None or (value is not None and len(value) < VERSION_BYTES):
                raise ValueError(f"changelog record {partition}:{record.offset} was not written by this worker")
            recent.pop(key, None)
            previous.pop(key, None)
            if value is None:
                encoded.pop(key, None)
            elif value[:VERSION_BYTES] >= encoded.get(key, b"")[:VERSION_BYTES]:
                encoded[key] = value
                self._overwritten.discard((partition, key))
            else:
                # Compaction would keep this older record and drop the newer one: the newer one must be written again.
                self._overwritten.add((partition, key))

    def keep_only(self, partitions: Iterable[int]) -> None:
        """Forget the states of all other partitions."""
        kept = set(partitions)
        for states in (self._encoded, self._recent, self._previous):
            for partition in states.keys() - kept:
                del states[partition]
        self._overwritten = {(partition, key) for partition, key in self._overwritten if partition in kept}

    def __len__(self) -> int:
        """The number of keys."""
        return sum(map(len, self._encoded.values()))
