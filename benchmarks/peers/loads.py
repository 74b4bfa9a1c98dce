"""What the runners are given: practice-like events as large and as small record sets, and very many cases.

In: how many. Out: records by partition, the same in every run; and these records on a topic.
Never: a client of this world.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import msgspec
from aiokafka import AIOKafkaProducer

from alliance.simulation.practice import PracticeParameters, simulate
from pipeline.worker.faust.durable_producer import hash_of

PARTITIONS = 16
LARGE_SET = 500
SMALL_SET = 70
#: What a fetch answers with for one partition by default, in librdkafka and aiokafka alike.
LARGE_FETCH_BYTES = 1024 * 1024
#: Events of a simulated therapist in 26 weeks, rounded down.
EVENTS_PER_THERAPIST = 1_000
CASES_PER_THERAPIST = 25
FIRST_DAY = datetime(2025, 1, 6, tzinfo=UTC)
#: One record in this many is spoilt, so that refusing is part of the job.
SPOILT_EVERY = 1_000

Record = tuple[bytes, bytes]


@dataclass(frozen=True, eq=False)
class Load:
    """Records by partition, in order; how many go into a record batch, and what a fetch may answer with."""

    name: str
    title: str
    partitions: list[list[Record]]
    set_records: int = LARGE_SET
    fetch_bytes: int = LARGE_FETCH_BYTES

    def __len__(self) -> int:
        """Records, all partitions together."""
        return sum(map(len, self.partitions))

    def head(self, name: str, count: int) -> "Load":
        """The same, shorter: about `count` records, the first ones of each partition."""
        each = max(1, count // PARTITIONS)
        return replace(self, name=name, partitions=[records[:each] for records in self.partitions])


def practice(events: int) -> list[Record]:
    """A simulated practice's events in their order of arrival: some late, twice, corrected or voided."""
    simulation = simulate(
        PracticeParameters(
            seed=7,
            weeks=26,
            first_day=FIRST_DAY,
            therapists=max(2, round(events / EVENTS_PER_THERAPIST)),
            corrected_share=0.01,
            voided_share=0.002,
            duplicated_share=0.005,
            late_share=0.01,
        )
    )
    encoded = [(str(event["subject"]).encode(), msgspec.json.encode(event)) for event in simulation.events]
    records = [encoded[index] for index in simulation.delivery[:events]]
    return [spoilt(record) if number % SPOILT_EVERY == 17 else record for number, record in enumerate(records)]


def spoilt(record: Record) -> Record:
    """The record cut off in the middle: it will be refused."""
    key, value = record
    return key, value[: len(value) // 2]


def many_cases(cases: int, checkins: int) -> Iterator[Record]:
    """Every case's first check-in, then every case's second one, and so on; made without an encoder."""
    for session in range(1, checkins + 1):
        moment = (FIRST_DAY + timedelta(weeks=session, hours=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
        for number in range(cases):
            yield b"m-%06d" % number, a_checkin(number, session, moment)


def a_checkin(number: int, session: int, moment: str) -> bytes:
    """One check-in, its answers between 7 and 10."""
    a, b, c, d = (70 + (number * factor + session * 11) % 31 for factor in (7, 13, 17, 23))
    return (
        f'{{"specversion":"1.0","id":"m-{number:06d}-{session}","source":"urn:alliance:benchmark",'
        f'"type":"alliance.checkin.submitted.v1","subject":"m-{number:06d}","time":"{moment}",'
        f'"datacontenttype":"application/json","data":{{"session_id":"s-{session}",'
        f'"therapist_id":"t-{number // CASES_PER_THERAPIST}","team":"team-{number % 7}","rater":"client",'
        f'"instrument":"checkin-4/1","answers":{{"trust":{a / 10},"empathy":{b / 10},"goals":{c / 10},'
        f'"communication":{d / 10}}}}}}}'
    ).encode()


def by_partition(records: Iterable[Record]) -> list[list[Record]]:
    """Where every client's default partitioner puts them."""
    found: dict[int, list[Record]] = defaultdict(list)
    for record in records:
        found[hash_of(record[0]) % PARTITIONS].append(record)
    return [found[number] for number in range(PARTITIONS)]


def produce(bootstrap: str, topic: str, load: Load) -> int:
    """Put the load on a topic that exists, in record batches of its size; the bytes of the largest batch."""
    return asyncio.run(_produce(bootstrap, topic, load))


async def _produce(bootstrap: str, topic: str, load: Load) -> int:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", max_batch_size=LARGE_FETCH_BYTES, max_request_size=3_000_000
    )
    await producer.start()
    try:
        largest = 0
        timestamp_ms = int(time.time() * 1000)
        for start in range(0, max(map(len, load.partitions)), load.set_records):
            sent = []
            for partition, records in enumerate(load.partitions):
                batch = producer.create_batch()
                for key, value in records[start : start + load.set_records]:
                    if batch.append(timestamp=timestamp_ms, key=key, value=value) is None:
                        raise AssertionError("a record batch of this benchmark fits into a request")
                if batch.record_count():
                    largest = max(largest, batch.size())
                    batch.close()
                    sent.append(await producer.send_batch(batch, topic, partition=partition))
            await asyncio.gather(*sent)
        return largest
    finally:
        await producer.stop()
