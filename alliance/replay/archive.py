"""The store's archive -> an empty installation, so that a changed rule can be run over years.

In: the archive of one store. Out: its records on `alliance.events.v1` of another installation, byte for byte, with
their original Kafka timestamps; the content of the two archives, to compare.
Never: hold more than a page of rows in memory; change a byte; count an acknowledged record as processed.

Nothing of an erased case is sent: the archive has no event of it, only a digest that marks it as erased.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, NamedTuple

from kafka import KafkaProducer
from kafka.errors import KafkaError
from sqlalchemy import Engine, Row, Select, func, select

from consumers.store.tables import events, flags
from pipeline.ingest.admission import HEADERS
from pipeline.runtime.acknowledgements import ProducerRecord, send_all
from schemas.topics import EVENTS

PAGE = 1_000
#: (kind, status) -> flags
Flags = Counter[tuple[str, str]]


class ArchiveContent(NamedTuple):
    """The content of an archive in any order: the number of events, and the sum of the digests of key and content."""

    events: int = 0
    checksum: int = 0

    def plus(self, row: Row[Any]) -> "ArchiveContent":
        """With one more event."""
        digest = blake2b(f"{row.event_key}{row.digest}".encode(), digest_size=16).digest()
        return ArchiveContent(self.events + 1, (self.checksum + int.from_bytes(digest, "big")) % 2**128)


@dataclass(slots=True)
class SendResult:
    """How far the archive was sent."""

    sent: int = 0
    acknowledged: int = 0
    #: Empty if everything was sent.
    why_stopped: str = ""


def event_count(engine: Engine) -> int:
    """The number of events in an archive."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(events)) or 0


def content_of(engine: Engine) -> ArchiveContent:
    """The content of an archive."""
    content = ArchiveContent()
    for row in _pages(engine, select(events.c.event_key, events.c.digest)):
        content = content.plus(row)
    return content


def flags_of(engine: Engine) -> Flags:
    """The number of flags of each kind and status in a store."""
    query = select(flags.c.kind, flags.c.status, func.count()).group_by(flags.c.kind, flags.c.status)
    with engine.connect() as connection:
        return Counter({(kind, status): count for kind, status, count in connection.execute(query)})


def send_archive(
    engine: Engine, producer: KafkaProducer, progress: Callable[[int], None], topic: str = EVENTS
) -> SendResult:
    """Send everything, oldest first; after each page `progress` gets the number of acknowledged records."""
    result = SendResult()

    def records() -> Iterator[ProducerRecord]:
        for row in _archive(engine):
            yield ProducerRecord(topic, row.case_id.encode(), row.body, HEADERS, row.kafka_timestamp_ms)
            result.sent += 1
            if result.sent % PAGE == 0:
                progress(result.acknowledged)

    def count(_: ProducerRecord) -> None:
        result.acknowledged += 1

    try:
        send_all(producer, records(), count)
    except KafkaError as error:
        result.why_stopped = f"The broker does not confirm ({type(error).__name__})"
    except KeyboardInterrupt:
        result.why_stopped = "Stopped with Ctrl-C"
    progress(result.acknowledged)
    return result


def _archive(engine: Engine) -> Iterator[Row[Any]]:
    """All cases together, in the order in which the records were read: by time, then by offset."""
    columns = events.c
    order = (columns.kafka_timestamp_ms, columns.kafka_partition, columns.kafka_offset, columns.event_key)
    query = select(columns.event_key, columns.digest, columns.case_id, columns.body, columns.kafka_timestamp_ms)
    return _pages(engine, query.order_by(*order))


def _pages(engine: Engine, query: Select[Any]) -> Iterator[Row[Any]]:
    """A single snapshot, read a page at a time through a cursor of the server."""
    with engine.connect().execution_options(yield_per=PAGE) as connection:
        yield from connection.execute(query)
