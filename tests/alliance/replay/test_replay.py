"""`alliance replay` on real parts: an archive goes through an empty installation and comes out the same."""

import signal
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from kafka import KafkaConsumer, TopicPartition
from sqlalchemy import Engine, select, update

from alliance.replay.archive import PAGE, content_of, send_archive
from alliance.replay.target import backlog
from consumers.store import tables
from consumers.store.database import migrate, open_engine
from deploy.testbed.builders import Json, a_checkin, an_erasure, key_of, value_of
from deploy.testbed.in_memory import InMemoryPipeline
from deploy.testbed.kafka import (
    Kafka,
    Record,
    create_topics,
    delete_topics,
    end_offsets,
    produce,
    records_of,
    topic_names,
    unique_name,
)
from deploy.testbed.processes import Processes
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from pipeline.ingest.admission import HEADERS
from pipeline.runtime.kafka_clients import close_producer, make_producer
from pipeline.runtime.settings import Settings, from_environment
from pipeline.runtime.topic_admin import topic_table
from schemas.topics import EVENTS
from tests.oracle.compare import actual_store, differences
from tests.support.reference import distinct_of, practice

pytestmark = pytest.mark.kafka

LONG_AGO_MS = 1_600_000_000_000


@pytest.fixture
def eager_broker() -> Iterator[Kafka]:
    """A broker that looks for expired records all the time."""
    with Kafka(properties={"log.retention.check.interval.ms": "300", "log.initial.task.delay.ms": "300"}) as broker:
        yield broker


def installation(processes: Processes, broker: Kafka, database: str) -> System:
    system = System(processes, broker.bootstrap, database)
    run(processes, system, "topics", "--for-replay")
    return system


def run(processes: Processes, system: System, *command: str, expecting: int = 0) -> str:
    """A command of this installation to its end; what it said."""
    process = processes.alliance(*command, env=system.settings)
    assert process.wait(240) == expecting, process.output() + system.logs()
    return process.output()


def settings_of(system: System) -> Settings:
    return from_environment(system.settings)


def an_archive(file: Path, events: list[Json]) -> str:
    """A store that these events have gone into long ago, without Kafka; its URL."""
    url = f"sqlite:///{file}"
    engine = open_engine(url)
    migrate(engine)
    InMemoryPipeline().feed(events, batch=len(events)).store(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.events).values(kafka_timestamp_ms=LONG_AGO_MS))
    engine.dispose()
    return url


def long_ago(count: int) -> list[Json]:
    """Check-ins of a few cases, all before `LONG_AGO_MS`."""
    return [
        a_checkin(
            1, 9.0, subject=f"c-{number % 7}", id=f"e-{number}", session_id=f"s-{number}", time="2020-09-01T10:00:00Z"
        )
        for number in range(count)
    ]


@pytest.mark.postgres
def test_an_archive_goes_through_an_empty_installation_and_both_stores_are_equal(
    eager_broker: Kafka, broker_of_my_own: Kafka, postgres_url: str, processes: Processes, tmp_path: Path
) -> None:
    source = installation(processes, broker_of_my_own, postgres_url).start("worker", "store")
    events = practice(weeks=3, seed=17)[:4000]
    erased = str(events[0]["subject"])
    send_as_it_happened(source, [*events, an_erasure(subject=erased, time=events[-1]["time"])])
    archive, wanted = source.engine(), distinct_of([event for event in events if event["subject"] != erased])
    wait_until(lambda: is_through(source), 120, lambda: f"the source to be through; {source.logs()}")
    assert len(archive_rows(archive)) == wanted > PAGE

    target = installation(processes, eager_broker, f"sqlite:///{tmp_path}/again.sqlite").start("worker", "store")
    said = run(processes, target, "replay", "--from", postgres_url)
    assert f"events sent {wanted}, in the new archive {wanted}" in said
    assert "the archives are equal" in said
    engine = target.engine()
    assert archive_rows(engine) == archive_rows(archive)
    before, after = actual_store(archive), actual_store(engine)
    # Marks of erased cases are digests and cannot be replayed; what was refused is not in the archive; and the version
    # of the erased case's therapist has counted that case's events.
    after |= {name: before[name] for name in ("erased_cases", "rejected")}
    versions = {f"therapists therapist_id='{name}', version" for name in therapists_of(events, erased)}
    assert {line.partition(":")[0] for line in differences(before, after)} <= versions
    for opened in (archive, engine):
        opened.dispose()


def therapists_of(events: list[Json], case: str) -> set[str]:
    data = [event.get("data", {}) for event in events if event["subject"] == case]
    return {fields["therapist_id"] for fields in data if "therapist_id" in fields}


def send_as_it_happened(system: System, events: list[Json]) -> None:
    """With the Kafka timestamp of an hour after each event's time."""
    records = [
        Record(
            key_of(event),
            value_of(event),
            timestamp=int(datetime.fromisoformat(str(event["time"])).timestamp() * 1000) + 3_600_000,
        )
        for event in events
    ]
    produce(system.bootstrap, EVENTS, records, timeout=60)


def is_through(system: System) -> bool:
    engine = system.engine()
    try:
        return backlog(settings_of(system), engine).is_empty
    finally:
        engine.dispose()


def archive_rows(engine: Engine) -> set[tuple[str, str, int, bytes]]:
    columns = tables.events.c
    with engine.connect() as connection:
        query = select(columns.event_key, columns.digest, columns.kafka_timestamp_ms, columns.body)
        return {tuple(row) for row in connection.execute(query)}


def test_topics_for_replay_keep_old_records_until_all_is_read_and_the_replay_is_ended(
    eager_broker: Kafka, processes: Processes, tmp_path: Path
) -> None:
    system = installation(processes, eager_broker, f"sqlite:///{tmp_path}/target.sqlite")
    usual = unique_name("usual")
    configs = {usual: topic_table(settings_of(system))[EVENTS]}
    create_topics(eager_broker.bootstrap, {usual: 1}, configs=configs)
    old = Record(b"c-1", b"{}", timestamp=LONG_AGO_MS)
    for topic in (EVENTS, usual):
        produce(eager_broker.bootstrap, topic, [old])
    wait_until(lambda: is_gone(eager_broker, usual), 60, "the usual retention to take an old record")
    assert not is_gone(eager_broker, EVENTS)
    refusal = run(processes, system, "topics", "--after-replay", expecting=2)
    assert "The worker still has 1 records to process and the store 1." in refusal
    system.start("worker", "store")
    wait_until(lambda: is_through(system), 60, lambda: system.logs())
    run(processes, system, "topics", "--after-replay")
    wait_until(lambda: is_gone(eager_broker, EVENTS), 60, "the usual retention to take the replayed record too")


def is_gone(broker: Kafka, topic: str) -> bool:
    consumer = KafkaConsumer(bootstrap_servers=broker.bootstrap)
    places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic)]
    begin, end = consumer.beginning_offsets(places), consumer.end_offsets(places)
    consumer.close()
    assert sum(end.values()) == 1
    return bool(begin == end)


def test_what_is_not_empty_or_would_lose_old_records_is_refused_with_a_next_step(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    source = an_archive(tmp_path / "archive.sqlite", long_ago(5))
    target = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/target.sqlite")

    def refusal() -> str:
        return run(processes, target, "replay", "--from", source, expecting=2)

    assert "These topics do not exist" in refusal()
    target.create_topics()
    assert "would delete old records at once" in refusal()
    delete_topics(broker_of_my_own.bootstrap, topic_names(broker_of_my_own.bootstrap))
    run(processes, target, "topics", "--for-replay")
    full = System(processes, broker_of_my_own.bootstrap, source)
    assert "The store is not empty (" in run(processes, full, "replay", "--from", source, expecting=2)
    produce(broker_of_my_own.bootstrap, EVENTS, [Record(b"c-1", b"{}")])
    assert f"The log is not empty ({EVENTS})" in refusal()
    assert "Traceback" not in refusal()
    assert "sqlite:///FILE or postgresql://" in run(processes, target, "replay", "--from", "nowhere", expecting=2)
    absent = f"sqlite:///{tmp_path}/absent.sqlite"
    assert "a file that does not exist" in run(processes, target, "replay", "--from", absent, expecting=2)
    assert not (tmp_path / "absent.sqlite").exists()


def test_a_replay_that_ends_half_way_says_so_and_how_to_begin_again(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    source = an_archive(tmp_path / "archive.sqlite", long_ago(5))
    target = installation(processes, broker_of_my_own, f"sqlite:///{tmp_path}/target.sqlite")
    said = run(processes, target, "replay", "--from", source, "--patience", "1", expecting=2)
    assert "Nothing has moved for 1 s, with 5 records left for the worker and 5 for the store" in said
    assert "Delete the topics and the database of the target" in said
    assert "The log is not empty" in run(processes, target, "replay", "--from", source, expecting=2)

    delete_topics(broker_of_my_own.bootstrap, topic_names(broker_of_my_own.bootstrap))
    run(processes, target, "topics", "--for-replay")
    waiting = processes.alliance("replay", "--from", source, env=target.settings)
    wait_until(lambda: sum(end_offsets(target.bootstrap, EVENTS).values()) == 5, 60, "the archive to be in the log")
    waiting.send(signal.SIGINT)
    assert waiting.wait(30) == 2
    assert "Stopped with Ctrl-C" in waiting.output()
    assert "begin again" in waiting.output()


def test_sending_that_is_stopped_says_how_much_is_in_the_log(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    system = installation(processes, broker_of_my_own, "sqlite://")
    engine = open_engine(an_archive(tmp_path / "archive.sqlite", long_ago(PAGE + 10)))
    producer = make_producer(settings_of(system))
    counts: list[int] = []

    def stop(acknowledged: int) -> None:
        counts.append(acknowledged)
        if len(counts) == 1:
            raise KeyboardInterrupt

    sending = send_archive(engine, producer, stop)
    assert sending.why_stopped == "Stopped with Ctrl-C"
    assert sending.sent == PAGE
    assert close_producer(producer, 30)
    assert len(records_of(system.bootstrap, EVENTS)) == PAGE
    engine.dispose()


def test_each_case_keeps_the_order_in_which_it_was_read_and_its_timestamps(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    system = installation(processes, broker_of_my_own, "sqlite://")
    events = long_ago(50)
    engine = open_engine(an_archive(tmp_path / "archive.sqlite", events))
    with engine.begin() as connection:
        # As if they had been read in the opposite order, so that the order of the rows does not help.
        connection.execute(update(tables.events).values(kafka_offset=100 - tables.events.c.kafka_offset))
    producer = make_producer(settings_of(system))
    assert send_archive(engine, producer, lambda _: None).acknowledged == len(events)
    close_producer(producer, 5)
    found = records_of(system.bootstrap, EVENTS)
    assert {(record.timestamp, record.headers) for record in found} == {(LONG_AGO_MS, tuple(HEADERS))}
    for case in {key_of(event) for event in events}:
        read = [value_of(event) for event in reversed(events) if key_of(event) == case]
        assert [record.value for record in found if record.key == case] == read
    engine.dispose()


def test_archives_that_differ_are_reported_and_the_command_fails(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    source = an_archive(tmp_path / "archive.sqlite", long_ago(5))
    engine = open_engine(source)
    with engine.begin() as connection:
        wrong = update(tables.events).where(tables.events.c.id == "e-3").values(body=b"no longer an event")
        connection.execute(wrong)
    target = installation(processes, broker_of_my_own, f"sqlite:///{tmp_path}/target.sqlite").start("worker", "store")
    said = run(processes, target, "replay", "--from", source, expecting=1)
    assert "events sent 5, in the new archive 4" in said
    assert "The archives differ" in said
    whole = content_of(engine)
    with engine.begin() as connection:
        connection.execute(update(tables.events).where(tables.events.c.id == "e-3").values(digest="another"))
    assert content_of(engine).events == whole.events
    assert content_of(engine) != whole
    engine.dispose()
