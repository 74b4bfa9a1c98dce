"""What an agent works on: records of one partition, in order, that are acknowledged together.

In: nothing. Out: the shapes that the two ways of fetching (`record_sets`, one event at a time) have in common.
Never: know Faust or aiokafka.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class KafkaRecord(Protocol):
    """A record as it was fetched; `timestamp` in milliseconds since 1970 UTC."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class PlainRecord(NamedTuple):
    """A `KafkaRecord` of our own making."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]] = ()


class PartitionBatch(NamedTuple):
    """Records of one partition, in order."""

    partition: int
    records: Sequence[KafkaRecord]
