"""The store's archive -> an empty installation, so that a changed rule can be run over years.

In: the archive of one store. Out: its records on `alliance.events.v1` of another installation, byte for byte, with
their original Kafka timestamps; what the two archives hold, to compare.
Never: hold more than a page in memory; change a byte; take acknowledged for processed.

Nothing of an erased case is sent: the archive holds none of it, and the mark that stays is a digest.
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


class Tally(NamedTuple):
    """What an archive holds, whatever the order: how many events, and the sum of the digests of key and content."""

    events: int = 0
    checksum: int = 0

    def plus(self, row: Row[Any]) -> "Tally":
        """With one event more."""
        digest = blake2b(f"{row.event_key}{row.digest}".encode(), digest_size=16).digest()
        return Tally(self.events + 1, (self.checksum + int.from_bytes(digest, "big")) % 2**128)


@dataclass(slots=True)
class Sending:
    """What became of the archive on its way to the log."""

    sent: int = 0
    acknowledged: int = 0
    #: Empty: all of it is in the log.
    why_stopped: str = ""


def archived(engine: Engine) -> int:
    """How many events an archive holds."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(events)) or 0


def tally(engine: Engine) -> Tally:
    """What an archive holds."""
    found = Tally()
    for row in _pages(engine, select(events.c.event_key, events.c.digest)):
        found = found.plus(row)
    return found


def flags_of(engine: Engine) -> Flags:
    """How many flags of each kind and status a store holds."""
    query = select(flags.c.kind, flags.c.status, func.count()).group_by(flags.c.kind, flags.c.status)
    with engine.connect() as connection:
        return Counter({(kind, status): count for kind, status, count in connection.execute(query)})


def send_archive(
    engine: Engine, producer: KafkaProducer, progress: Callable[[int], None], topic: str = EVENTS
) -> Sending:
    """Send everything, oldest first; after each page `progress` gets the number of acknowledged records."""
    sending = Sending()

    def records() -> Iterator[ProducerRecord]:
        for row in _archive(engine):
            yield ProducerRecord(topic, row.case_id.encode(), row.body, HEADERS, row.kafka_timestamp_ms)
            sending.sent += 1
            if sending.sent % PAGE == 0:
                progress(sending.acknowledged)

    def count(_: ProducerRecord) -> None:
        sending.acknowledged += 1

    try:
        send_all(producer, records(), count)
    except KafkaError as error:
        sending.why_stopped = f"The broker does not confirm ({type(error).__name__})"
    except KeyboardInterrupt:
        sending.why_stopped = "Stopped by hand"
    progress(sending.acknowledged)
    return sending


def _archive(engine: Engine) -> Iterator[Row[Any]]:
    """In the order in which the records were read, all cases together: by time, then by place in the log."""
    columns = events.c
    order = (columns.kafka_timestamp_ms, columns.kafka_partition, columns.kafka_offset, columns.event_key)
    query = select(columns.event_key, columns.digest, columns.case_id, columns.body, columns.kafka_timestamp_ms)
    return _pages(engine, query.order_by(*order))


def _pages(engine: Engine, query: Select[Any]) -> Iterator[Row[Any]]:
    """One snapshot, read through a cursor of the server a page at a time."""
    with engine.connect().execution_options(yield_per=PAGE) as connection:
        yield from connection.execute(query)
