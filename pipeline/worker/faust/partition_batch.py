"""What an agent works on: the records of one partition, in order, that are acknowledged together.

In: records as aiokafka fetched them. Out: the two shapes that agents and the state cache know them by.
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


class PartitionBatch(NamedTuple):
    """Records of one partition, in order."""

    partition: int
    records: Sequence[KafkaRecord]
