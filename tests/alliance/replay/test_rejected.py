"""Refused records out of a real store and back into the log of a real broker."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaProducer
from sqlalchemy import Engine, select

from alliance.replay import rejected as replaying
from alliance.replay.rejected import RejectedId, list_rejected, replay_rejected
from consumers.store.database import migrate, open_engine
from consumers.store.sink import StoreSink
from consumers.store.tables import rejected
from deploy.testbed.builders import Json, a_checkin, a_held, an_erasure, key_of, value_of
from deploy.testbed.kafka import Kafka, create_topics, records_of, unique_name
from deploy.testbed.senders import OWN_INSTRUMENT, an_impatient_producer, now_ms
from pipeline.core.acceptance import Refusal, accept
from pipeline.ingest.admission import HEADERS
from pipeline.runtime.kafka_clients import close_producer, make_producer
from pipeline.runtime.settings import Settings
from pipeline.worker.dead_letter import dead_letter
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.refusals import SENTENCES, Reason
from schemas.topics import EVENTS, REJECTED

pytestmark = pytest.mark.kafka

RECEIVED_MS = int(datetime(2026, 3, 2, 17, tzinfo=UTC).timestamp() * 1000)
CANARY = "canary7f3a"
Headers = list[tuple[str, bytes]]


@dataclass
class Arrived:
    """A record as a consumer gets it."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class Rejections:
    """A store into which records are refused, as the stream processor and the store do it."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.instruments: Mapping[str, Instrument] = load_instruments(None)
        self._offset = 0

    def refuse(
        self, key: bytes | None, value: bytes | None, headers: Headers | None = None, **why: Reason
    ) -> RejectedId:
        """Have a record refused and put its refusal into the store."""
        verdict = accept(value, key, RECEIVED_MS, self.instruments)
        if "reason" in why:
            verdict = Refusal(why["reason"], "the case")
        assert isinstance(verdict, Refusal)
        self._offset += 1
        out = dead_letter(verdict, key, value, headers or [], 3, self._offset, RECEIVED_MS + self._offset)
        self._write(Arrived(out.topic, 0, self._offset, now_ms(), out.key, out.value, list(out.headers or [])))
        return RejectedId(EVENTS, 3, self._offset)

    def event(self, event: Json) -> None:
        """An accepted event reaches the store."""
        self._offset += 1
        self._write(Arrived(EVENTS, 3, self._offset, now_ms(), key_of(event), value_of(event), []))

    def sent_again(self) -> dict[RejectedId, datetime | None]:
        """What is marked."""
        columns = rejected.c
        query = select(columns.topic, columns.partition, columns.offset, columns.sent_again_at)
        with self.engine.connect() as connection:
            return {RejectedId(*row[:3]): row[3] for row in connection.execute(query)}

    def _write(self, record: Arrived) -> None:
        assert record.topic in (EVENTS, REJECTED)
        StoreSink(self.engine, self.instruments).write([record])


@pytest.fixture
def rejections(tmp_path: Path) -> Iterator[Rejections]:
    engine = open_engine(f"sqlite:///{tmp_path}/store.sqlite")
    migrate(engine)
    yield Rejections(engine)
    engine.dispose()


@pytest.fixture(scope="module")
def producer(kafka: Kafka) -> Iterator[KafkaProducer]:
    made = make_producer(Settings(kafka=kafka.bootstrap))
    yield made
    assert close_producer(made, 30)


@pytest.fixture
def topic(kafka: Kafka) -> str:
    name = unique_name("rejected")
    create_topics(kafka.bootstrap, {name: 4})
    return name


@pytest.fixture
def with_own_form(tmp_path: Path) -> Mapping[str, Instrument]:
    folder = tmp_path / "instruments"
    folder.mkdir()
    (folder / "form.toml").write_text(OWN_INSTRUMENT)
    return load_instruments(folder)


def own_form(**overrides: Any) -> Json:
    return a_checkin(instrument="practice-form/1", answers={"bond": 5, "work": 4}, **overrides)


def test_the_list_shows_reason_time_and_place_newest_first_and_no_content(rejections: Rejections) -> None:
    first = rejections.refuse(CANARY.encode(), f'{{"{CANARY}'.encode(), [(CANARY, CANARY.encode())])
    second = rejections.refuse(b"c-1", value_of(own_form(session_id=CANARY)))
    rows = list_rejected(rejections.engine)
    assert [(row.id, row.reason) for row in rows] == [(second, "unknown-instrument"), (first, "not-json")]
    assert rows[1].sentence == SENTENCES[Reason.NOT_JSON]
    assert rows[0].detail == "data.instrument"
    assert rows[0].received_at.tzinfo is not None
    assert CANARY not in repr(rows)
    assert "c-1" not in repr(rows)


def test_the_list_is_narrowed_by_reason_and_limited(rejections: Rejections) -> None:
    for number in range(5):
        rejections.refuse(b"c-1", b"{" * (number + 1))
    rejections.refuse(b"other", value_of(a_held()))
    assert len(list_rejected(rejections.engine, limit=3)) == 3
    assert [row.reason for row in list_rejected(rejections.engine, Reason.KEY_MISMATCH)] == [Reason.KEY_MISMATCH]


def test_a_place_is_read_as_it_is_written() -> None:
    where = RejectedId(EVENTS, 3, 17)
    assert RejectedId.read(str(where)) == RejectedId.read("3/17") == where
    with pytest.raises(ValueError, match="invalid literal"):
        RejectedId.read("three/17")


def test_once_the_instrument_is_known_the_record_goes_out_as_it_came_and_is_marked(
    kafka: Kafka,
    producer: KafkaProducer,
    topic: str,
    rejections: Rejections,
    with_own_form: Mapping[str, Instrument],
) -> None:
    value = b" " + value_of(own_form(subject="c-1"))
    headers = [("traceparent", b"00-1"), ("traceparent", b"\xff\x00")]
    where = rejections.refuse(b"c-1", value, headers)
    bad = rejections.refuse(b"c-1", b"{")

    before = replay_rejected(
        rejections.engine, producer, rejections.instruments, clock_ms=lambda: RECEIVED_MS, topic=topic
    )
    assert before.closing_line == "sent 0, still refused 2 (unknown-instrument 1, not-json 1)"

    clock = now_ms()
    replay = replay_rejected(rejections.engine, producer, with_own_form, clock_ms=lambda: clock, topic=topic)
    assert replay.closing_line == "sent 1, still refused 1 (not-json 1)"
    (record,) = records_of(kafka.bootstrap, topic)
    assert (record.key, record.value, record.headers) == (b"c-1", value, (*headers, *HEADERS))
    assert record.timestamp == clock
    assert rejections.sent_again() == {where: datetime.fromtimestamp(clock / 1000, UTC), bad: None}

    again = replay_rejected(rejections.engine, producer, with_own_form, clock_ms=now_ms, topic=topic)
    assert again.sent == 0
    assert len(records_of(kafka.bootstrap, topic)) == 1


def test_a_record_that_said_what_it_is_says_it_once_when_it_is_sent_again(
    kafka: Kafka,
    producer: KafkaProducer,
    topic: str,
    rejections: Rejections,
    with_own_form: Mapping[str, Instrument],
) -> None:
    headers = [("Content-Type", b"application/cloudevents+json")]
    rejections.refuse(b"c-1", value_of(own_form(subject="c-1")), headers)
    replay_rejected(rejections.engine, producer, with_own_form, clock_ms=now_ms, topic=topic)
    assert [list(record.headers) for record in records_of(kafka.bootstrap, topic)] == [headers]


def test_only_the_chosen_ones_are_sent(
    kafka: Kafka,
    producer: KafkaProducer,
    topic: str,
    rejections: Rejections,
    with_own_form: Mapping[str, Instrument],
) -> None:
    chosen = rejections.refuse(b"c-1", value_of(own_form(subject="c-1")))
    rejections.refuse(b"c-2", value_of(own_form(subject="c-2")))
    late = rejections.refuse(b"c-3", value_of(a_held(subject="c-3", time="2026-03-02T17:06:00Z")))

    def replay(**choice: Any) -> int:
        return replay_rejected(rejections.engine, producer, with_own_form, clock_ms=now_ms, topic=topic, **choice).sent

    assert replay(ids=[]) == 0
    assert replay(ids=[chosen]) == 1
    assert replay(reason=Reason.TIME_IN_FUTURE) == 1
    assert {where for where, at in rejections.sent_again().items() if at} == {chosen, late}
    assert replay() == 1
    assert {record.key for record in records_of(kafka.bootstrap, topic)} == {b"c-1", b"c-2", b"c-3"}


def test_by_force_what_is_still_refused_goes_out_too(
    kafka: Kafka, producer: KafkaProducer, topic: str, rejections: Rejections
) -> None:
    rejections.refuse(b"c-1", b"{")
    rejections.refuse(b"c-1", None)
    rejections.refuse(None, value_of(a_held()))
    replay = replay_rejected(
        rejections.engine, producer, rejections.instruments, force=True, clock_ms=now_ms, topic=topic
    )
    assert replay.sent == 3
    found = {(record.key, record.value) for record in records_of(kafka.bootstrap, topic)}
    assert found == {(b"c-1", b"{"), (b"c-1", None), (None, value_of(a_held()))}


def test_nothing_of_an_erased_case_ever_goes_out_not_even_by_force(
    kafka: Kafka, producer: KafkaProducer, topic: str, rejections: Rejections
) -> None:
    rejections.refuse(b"c-1", value_of(a_held()), reason=Reason.ERASED)
    rejections.event(an_erasure())
    rejections.refuse(b"c-1", b"{")
    replay = replay_rejected(
        rejections.engine, producer, rejections.instruments, force=True, clock_ms=now_ms, topic=topic
    )
    assert replay.closing_line == "sent 0, still refused 0, never to be sent 2"
    assert records_of(kafka.bootstrap, topic) == []


def test_many_are_sent_in_batches(
    kafka: Kafka,
    producer: KafkaProducer,
    topic: str,
    rejections: Rejections,
    with_own_form: Mapping[str, Instrument],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replaying, "BATCH", 7)
    for number in range(30):
        rejections.refuse(b"c-1", value_of(own_form(id=f"e-{number}")) if number % 3 else b"{")
    replay = replay_rejected(rejections.engine, producer, with_own_form, clock_ms=now_ms, topic=topic)
    assert replay.closing_line == "sent 20, still refused 10 (not-json 10)"
    assert len(records_of(kafka.bootstrap, topic)) == 20


def test_what_the_broker_does_not_confirm_is_not_marked(
    kafka: Kafka, rejections: Rejections, with_own_form: Mapping[str, Instrument]
) -> None:
    rejections.refuse(b"c-1", value_of(own_form()))
    producer = an_impatient_producer(kafka.bootstrap)
    replay = replay_rejected(rejections.engine, producer, with_own_form, clock_ms=now_ms, topic=unique_name("missing"))
    assert close_producer(producer, 10)
    assert (replay.sent, replay.is_broker_unavailable) == (0, True)
    assert set(rejections.sent_again().values()) == {None}
