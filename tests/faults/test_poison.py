"""Bad input among good: each bad record ends on the rejected topic with its own bytes, the rest goes on."""

import random
from pathlib import Path

import pytest
from confluent_kafka import Producer
from sqlalchemy import select

from consumers.store import tables
from schemas.refusals import Reason
from schemas.topics import REJECTED
from tests.support.builders import a_checkin, a_held, an_event, value_of
from tests.support.kafka import Kafka, records_of
from tests.support.processes import Processes
from tests.support.system import System
from tests.support.waiting import wait_until

pytestmark = pytest.mark.kafka

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
]


def fuzzed(count: int) -> list[bytes]:
    """Valid events with a bit turned over or an end cut off."""
    chance = random.Random(3)
    values = []
    for number in range(count):
        value = bytearray(value_of(a_checkin(1 + number % 9, id=f"fuzz-{number}", subject="c-9")))
        if number % 2:
            value[chance.randrange(len(value))] ^= 1 << chance.randrange(8)
        else:
            del value[chance.randrange(1, len(value)) :]
        values.append(bytes(value))
    return values


def test_every_bad_record_is_kept_with_its_reason_and_the_rest_goes_on(
    broker_of_my_own: Kafka, processes: Processes, tmp_path: Path
) -> None:
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store")
    good = [(b"c-%d" % case, value_of(a_held(1, subject=f"c-{case}"))) for case in range(2000)]
    fuzz = [(b"c-9", value) for value in fuzzed(1000)]
    mixed: list[tuple[bytes | None, bytes | None]] = [*good, *fuzz, *[(key, value) for key, value, _ in POISON]]
    random.Random(4).shuffle(mixed)
    sent = system.send_records(mixed)

    def identity_holds() -> bool:
        counts = system.counts()
        return bool(counts) and counts["events"] + counts["rejected"] >= sent - _duplicates(system, sent)

    wait_until(identity_holds, 90, lambda: f"accepted + refused = {sent}; {system.counts()}\n{system.logs()}")
    with system.engine().connect() as connection:
        refused = connection.execute(select(tables.rejected)).all()
    by_bytes = {(row.key, row.value): row.reason for row in refused}
    for key, value, reason in POISON:
        assert by_bytes[key, value] == reason, (reason, value and value[:80])
    assert system.counts()["sessions"] >= 2000
    on_topic = records_of(system.bootstrap, REJECTED)
    assert {(one.key, one.value) for one in on_topic} >= {(key, value) for key, value, _ in POISON}
    assert all(dict(one.headers)["alliance-reason"].decode() in set(Reason) for one in on_topic)
    assert len(on_topic) == len(refused)
    assert sum(system.metric("worker", "alliance_rejected_total").values()) == len(refused)
    assert all(system.running[room].running for room in ("worker", "store"))


def _duplicates(system: System, sent: int) -> int:
    """Fuzzed records that are still valid and equal in identity and content to another are no row of their own."""
    accepted = sum(system.metric("worker", "alliance_events_total").values())
    refused = sum(system.metric("worker", "alliance_rejected_total").values())
    if accepted + refused != sent:
        return 0
    return int(accepted - system.counts()["events"])


def test_headers_of_a_refused_record_are_kept(broker_of_my_own: Kafka, processes: Processes, tmp_path: Path) -> None:
    system = System(processes, broker_of_my_own.bootstrap, f"sqlite:///{tmp_path}/store.sqlite")
    system.create_topics().start("worker", "store")
    # Not kafka-python: it sends no header without a value, but other clients do.
    producer = Producer({"bootstrap.servers": system.bootstrap})
    odd = [("traceparent", b"00-abc"), ("x", b"\xff"), ("alliance-note", b"\xfe"), ("none", None)]
    producer.produce("alliance.events.v1", key=KEY, value=b"{", headers=odd)
    assert producer.flush(30) == 0
    wait_until(lambda: system.counts().get("rejected") == 1, 60, lambda: system.logs())
    with system.engine().connect() as connection:
        (row,) = connection.execute(select(tables.rejected)).all()
    assert row.headers == [["traceparent", "MDAtYWJj"], ["x", "/w=="], ["alliance-note", "/g=="], ["none", None]]
    assert (row.reason, row.detail) == ("not-json", "not JSON")
