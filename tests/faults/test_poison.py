"""Bad input among good: each bad record ends on the rejected topic with its own bytes, the rest goes on."""

import random
from contextlib import closing

import pytest
from confluent_kafka import Producer
from kafka import KafkaProducer
from sqlalchemy import select

from consumers.store import tables
from deploy.testbed.builders import a_checkin, a_held, an_event, value_of
from deploy.testbed.kafka import records_of
from deploy.testbed.system import System
from deploy.testbed.waiting import wait_until
from schemas.refusals import Reason
from schemas.topics import EVENTS, REJECTED
from tests.support.header_names import OddName
from tests.support.reference import assert_equals_the_reference
from tests.support.sizes import sized

pytestmark = pytest.mark.kafka

GOOD_COUNT = sized(5_000, 90_000)
FUZZED_COUNT = sized(600, 10_000)
#: What a process may grow by; the worker remembers each case.
MEMORY_BYTES = sized(100, 400) * 1024 * 1024

GOOD = value_of(a_checkin(1))
KEY = b"c-1"

#: (key, value, reason)
POISON: list[tuple[bytes | None, bytes | None, Reason]] = [
    (KEY, None, Reason.EMPTY),
    (KEY, b"", Reason.EMPTY),
    (KEY, GOOD[:-7], Reason.NOT_JSON),
    (KEY, b"\xff\xfe\x00garbage", Reason.NOT_JSON),
    (KEY, GOOD.replace(b"9.0", b"NaN", 1), Reason.NOT_JSON),
    (KEY, GOOD.replace(b"9.0", b"Infinity", 1), Reason.NOT_JSON),
    (KEY, b"[]", Reason.NOT_A_CLOUDEVENT),
    (KEY, b"null", Reason.NOT_A_CLOUDEVENT),
    (KEY, GOOD.replace(b'"subject"', b'"object"'), Reason.NOT_A_CLOUDEVENT),
    (KEY, GOOD.replace(b'"1.0"', b'"0.3"'), Reason.NOT_A_CLOUDEVENT),
    (KEY, GOOD.replace(b"2026-01-05T11:05:00Z", b"2026-01-05T11:05:00"), Reason.NOT_A_CLOUDEVENT),
    (KEY, value_of(an_event("checkin.invented", {})), Reason.UNKNOWN_TYPE),
    (KEY, GOOD.replace(b'"client"', b'"parrot"'), Reason.INVALID_DATA),
    (KEY, GOOD.replace(b"9.0", b'"nine"', 1), Reason.INVALID_DATA),
    (KEY, value_of(a_checkin(1, team="nor\0th")), Reason.INVALID_DATA),
    (KEY, value_of(a_checkin(1, instrument="none/1")), Reason.UNKNOWN_INSTRUMENT),
    (KEY, value_of(a_checkin(1, answers={"mood": 5.0})), Reason.UNKNOWN_ITEM),
    (KEY, value_of(a_checkin(1, score=10.1)), Reason.ANSWER_OUT_OF_RANGE),
    (KEY, value_of(a_checkin(1, score=-1.0)), Reason.ANSWER_OUT_OF_RANGE),
    (KEY, value_of(a_checkin(1, score=7.25)), Reason.ANSWER_OUT_OF_RANGE),
    (b"c-2", GOOD, Reason.KEY_MISMATCH),
    (None, GOOD, Reason.KEY_MISMATCH),
    (b"k" * 10_000, b"{", Reason.NOT_JSON),
    (b"\xff\x00", GOOD, Reason.KEY_MISMATCH),
    (KEY, value_of(a_checkin(1, time="2126-01-05T11:05:00Z")), Reason.TIME_IN_FUTURE),
    (KEY, b"x" * 1_000_000, Reason.TOO_LARGE),
    (KEY, value_of(a_checkin(1, note="y" * 70_000)), Reason.TOO_LARGE),
    (KEY, b"[" * 60_000, Reason.TOO_DEEP),
    (KEY, GOOD[:-1] + b',"x":' + b"[" * 500 + b"]" * 500 + b"}", Reason.TOO_DEEP),
    (KEY, b"[" * 10_000, Reason.TOO_DEEP),
    (KEY, b'{"a":' * 10_000, Reason.TOO_DEEP),
    (KEY, b"\xef\xbb\xbf" + GOOD, Reason.NOT_JSON),
    (KEY, GOOD.decode().encode("utf-16"), Reason.NOT_JSON),
    (KEY, GOOD.replace(b'"t-1"', b'"\\ud800"'), Reason.NOT_JSON),
    (KEY, GOOD.replace(b'"t-1"', b'"\xc0\xaf"'), Reason.NOT_JSON),
    (KEY, GOOD + GOOD, Reason.NOT_JSON),
    (KEY, b"\x00\x00\x00\x00\x01" + GOOD, Reason.NOT_JSON),
    (KEY, b"\x1f\x8b\x08\x00" + GOOD, Reason.NOT_JSON),
    (KEY, GOOD.replace(b"9.0", b"1e999", 1), Reason.INVALID_DATA),
    (KEY, GOOD.replace(b"9.0", b"9" * 5_000, 1), Reason.INVALID_DATA),
    (KEY, GOOD.replace(b"9.0", b"true", 1), Reason.INVALID_DATA),
    (KEY, GOOD[:-1] + b',"data":{}}', Reason.INVALID_DATA),
    (KEY, value_of(a_checkin(1, revision=0, checkin_id="k")), Reason.INVALID_DATA),
    (KEY, value_of(a_checkin(1, checkin_id="k")).replace(b'"k"', b'"k","revision":%d' % 10**30), Reason.INVALID_DATA),
    (KEY, GOOD.replace(b"submitted.v1", b"submitted.v2"), Reason.UNKNOWN_TYPE),
    (KEY, GOOD.replace(b'"2026-01-05T11:05:00Z"', b"1767611100000"), Reason.NOT_A_CLOUDEVENT),
    (KEY, GOOD.replace(b"2026-01-05", b"2026-02-30"), Reason.NOT_A_CLOUDEVENT),
    (KEY, GOOD.replace(b"2026-", b"0000-"), Reason.NOT_A_CLOUDEVENT),
    (KEY, value_of(a_checkin(1, id="i" * 201)), Reason.NOT_A_CLOUDEVENT),
    (KEY, b"1", Reason.NOT_A_CLOUDEVENT),
]

#: Accepted as they are: what breaks a quotation, a terminal, a path or a page must break nothing here.
HOSTILE = (
    "'; DROP TABLE events; --",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "%s %n {0} ${jndi:ldap://x}",
    "\u202egnirts\u202c",
    "\U0001f9d1\u200d\u2695\ufe0f",
    "\r\n\t\x1b[31m",
    '"\\',
    "x" * 200,
)


def fuzzed(count: int, chance: random.Random) -> list[tuple[bytes | None, bytes | None]]:
    """Valid events with a bit turned over or an end cut off, in all partitions."""
    records: list[tuple[bytes | None, bytes | None]] = []
    for number in range(count):
        case = f"c-{number % 300}"
        value = bytearray(value_of(a_checkin(1 + number % 9, id=f"fuzz-{number}", subject=case)))
        if number % 2:
            value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        else:
            del value[chance.randrange(1, len(value)) :]
        records.append((case.encode(), bytes(value)))
    return records


def test_every_bad_record_is_kept_with_its_reason_and_the_rest_goes_on(system: System, chance: random.Random) -> None:
    system.start("worker", "store").wait_until_healthy("worker", "store")
    good = [(b"c-%d" % case, value_of(a_held(1, subject=f"c-{case}"))) for case in range(GOOD_COUNT)]
    odd = [(text.encode(), value_of(a_held(1, subject=text, id=text, source=text, team=text))) for text in HOSTILE]
    mixed: list[tuple[bytes | None, bytes | None]] = [*good, *odd, *[(key, value) for key, value, _ in POISON]]
    mixed += fuzzed(FUZZED_COUNT, chance)
    chance.shuffle(mixed)
    system.send_records(mixed[: len(mixed) // 10])
    wait_until(lambda: system.counts().get("events", 0) > GOOD_COUNT // 20, 60, lambda: system.logs())
    before = {room: system.running[room].most_memory_bytes for room in ("worker", "store")}
    system.send_records(mixed[len(mixed) // 10 :])
    assert_equals_the_reference(system)

    with system.engine().connect() as connection:
        refused = connection.execute(select(tables.rejected)).all()
        subjects = set(connection.scalars(select(tables.events.c.case_id)))
    by_bytes = {(row.key, row.value): row.reason for row in refused}
    for key, value, reason in POISON:
        assert by_bytes[key, value] == reason, (reason, value and value[:80])
    assert subjects >= set(HOSTILE)
    on_events = {(one.partition, one.offset): one for one in records_of(system.bootstrap, EVENTS)}
    for row in refused:
        came = on_events[row.partition, row.offset]
        assert (row.topic, row.key, row.value) == (EVENTS, came.key, came.value)
        assert round(row.received_at.timestamp() * 1000) == came.timestamp
    on_topic = records_of(system.bootstrap, REJECTED)
    assert all(dict(one.headers)["alliance-reason"].decode() in set(Reason) for one in on_topic)
    assert len(on_topic) == len(refused)
    assert sum(system.metric("worker", "alliance_rejected_total").values()) == len(refused)
    for room, bytes_before in before.items():
        assert system.running[room].running
        assert system.running[room].most_memory_bytes < bytes_before + MEMORY_BYTES, room


def test_headers_of_a_refused_record_are_kept(system: System) -> None:
    system.start("worker", "store")
    # Not kafka-python: it sends no header without a value, but other clients do.
    producer = Producer({"bootstrap.servers": system.bootstrap})
    odd = [("traceparent", b"00-abc"), ("x", b"\xff"), ("alliance-note", b"\xfe"), ("none", None)]
    odd.append(("alliance-detail", b"\xff"))
    producer.produce("alliance.events.v1", key=KEY, value=b"{", headers=odd)
    assert producer.flush(30) == 0
    wait_until(lambda: system.counts().get("rejected") == 1, 60, lambda: system.logs())
    with system.engine().connect() as connection:
        (row,) = connection.execute(select(tables.rejected)).all()
    assert row.headers == [["traceparent", "MDAtYWJj"], ["x", "/w=="], ["alliance-note", "/g=="], ["none", None]]
    assert (row.reason, row.detail) == ("not-json", "not JSON")


def test_a_header_whose_name_is_not_utf8_ends_neither_worker_nor_store(system: System) -> None:
    system.start("worker", "store")
    with closing(KafkaProducer(bootstrap_servers=system.bootstrap)) as producer:
        for value in (GOOD, b"{"):
            producer.send(EVENTS, value, KEY, headers=[(OddName("xyz"), b"1")])
    wait_until(lambda: system.counts().get("rejected") == 1, 60, lambda: system.logs())
    wait_until(lambda: system.counts().get("events") == 1, 60, lambda: system.logs())
    with system.engine().connect() as connection:
        (row,) = connection.execute(select(tables.rejected)).all()
    assert (row.headers, bytes(row.value)) == ([["x\\xff\\xfe", "MQ=="]], b"{")


def test_a_refused_record_that_the_rejected_topic_would_not_take_goes_without_its_content(system: System) -> None:
    system.start("worker", "store")
    producer = Producer(
        {"bootstrap.servers": system.bootstrap, "compression.type": "gzip", "message.max.bytes": 8_000_000}
    )
    producer.produce("alliance.events.v1", key=KEY, value=b"{" * 3_000_000)
    producer.produce("alliance.events.v1", key=KEY, value=b"{" * 1_000_000)
    assert producer.flush(30) == 0
    wait_until(lambda: system.counts().get("rejected") == 2, 60, lambda: system.logs())
    with system.engine().connect() as connection:
        rows = connection.execute(select(tables.rejected).order_by(tables.rejected.c.offset)).all()
    assert [(row.reason, row.key and bytes(row.key), row.value and len(row.value)) for row in rows] == [
        ("too-large", None, None),
        ("too-large", KEY, 1_000_000),
    ]
    assert "too large to be kept" in rows[0].detail
