"""The gateway over real HTTP, in front of a real broker."""

import json
import logging
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from deploy.testbed.builders import a_checkin, a_held, an_erasure, value_of
from deploy.testbed.gateway import BATCHED, STRUCTURED, Gateway, a_gateway
from deploy.testbed.kafka import Kafka, Record, create_topics, records_of, unique_name
from deploy.testbed.senders import now_ms
from pipeline.core.acceptance import MAX_LEAD_US, Accepted, accept
from pipeline.core.instants import from_us
from pipeline.ingest.admission import HEADERS
from pipeline.ingest.gateway import openapi
from pipeline.ingest.gateway.api_keys import KeysError
from pipeline.ingest.gateway.app import serve
from pipeline.ingest.gateway.submit import Limits
from pipeline.runtime.http import listen
from pipeline.runtime.settings import Settings
from schemas.examples import Example, examples
from schemas.instruments.registry import load_instruments
from schemas.refusals import SENTENCES, Reason

pytestmark = pytest.mark.kafka

CANARY = "canary7f3a"
#: The time on the gateway's clock, always; a broker refuses a timestamp that is an hour ahead of its own clock.
NOW_MS = now_ms()


@pytest.fixture(scope="module")
def topic(kafka: Kafka) -> str:
    name = unique_name("gateway")
    create_topics(kafka.bootstrap, {name: 4})
    return name


@pytest.fixture(scope="module")
def gateway(kafka: Kafka, topic: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with a_gateway(tmp_path_factory.mktemp("gateway"), kafka.bootstrap, topic, clock_ms=lambda: NOW_MS) as running:
        running.wait_until_ready()
        yield running


def kept(kafka: Kafka, topic: str, case: str) -> list[Record]:
    return [record for record in records_of(kafka.bootstrap, topic) if record.key == case.encode()]


def test_a_structured_event_is_in_the_log_byte_for_byte_before_202(kafka: Kafka, gateway: Gateway, topic: str) -> None:
    body = b' {\n "extra" : [1.50, "\\u00e9"],' + value_of(a_checkin(subject="structured"))[1:] + b"\n"
    answer = gateway.post(body, "application/cloudevents+json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (record,) = kept(kafka, topic, "structured")
    assert (record.value, record.timestamp, record.headers) == (body, NOW_MS, tuple(HEADERS))


def test_a_binary_event_is_in_the_log_in_structured_mode(kafka: Kafka, gateway: Gateway, topic: str) -> None:
    event = a_held(subject="binär 1")
    answer = gateway.post(
        msgspec.json.encode(event["data"]),
        "application/json",
        ce_specversion="1.0",
        ce_id=event["id"],
        ce_source=event["source"],
        ce_type=event["type"],
        ce_subject="bin%C3%A4r%201",
        ce_time=event["time"],
    )
    assert answer.status_code == 202
    (record,) = kept(kafka, topic, "binär 1")
    assert msgspec.json.decode(record.value or b"") == {**event, "datacontenttype": "application/json"}


def test_an_erasure_in_binary_mode_needs_neither_body_nor_content_type(gateway: Gateway) -> None:
    event = an_erasure(subject="erased-binary")
    named = {f"ce_{name}": str(event[name]) for name in ("specversion", "id", "source", "type", "subject", "time")}
    assert gateway.post(b"", "", **named).status_code == 202


def test_a_batch_is_in_the_log_element_by_element_in_its_order(kafka: Kafka, gateway: Gateway, topic: str) -> None:
    events = [value_of(a_checkin(subject="batched", id=f"b-{number}")) for number in range(1, 201)]
    answer = gateway.post(b"[" + b" ,\n".join(events) + b"]", BATCHED)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 200})
    assert [record.value for record in kept(kafka, topic, "batched")] == events


def test_an_empty_batch_is_accepted(gateway: Gateway) -> None:
    assert gateway.post(b"[]", BATCHED).json() == {"accepted": 0}


def test_of_a_batch_with_one_bad_event_nothing_is_sent(kafka: Kafka, gateway: Gateway, topic: str) -> None:
    events = [
        a_held(subject="half"),
        a_checkin(subject="half", score=99.0),
        a_held(2, subject="half"),
        a_held(3, subject=""),
    ]
    answer = gateway.post(msgspec.json.encode(events), BATCHED)
    assert answer.status_code == 422
    assert answer.json()["reason"] == "refused-events"
    assert [(refused["index"], refused["reason"], refused["sentence"]) for refused in answer.json()["events"]] == [
        (1, "answer-out-of-range", SENTENCES[Reason.ANSWER_OUT_OF_RANGE]),
        (3, "not-a-cloudevent", SENTENCES[Reason.NOT_A_CLOUDEVENT]),
    ]
    assert kept(kafka, topic, "half") == []


EXAMPLES = [example for example in examples() if example.value and example.reason is not Reason.KEY_MISMATCH]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_every_published_example_gets_its_verdict(gateway: Gateway, example: Example) -> None:
    answer = gateway.post(example.value or b"")
    if example.reason is None:
        assert answer.status_code == 202
    else:
        assert 400 <= answer.status_code < 500
        assert answer.json()["reason"] == example.reason
        assert answer.json()["sentence"]


def test_an_event_is_judged_with_the_timestamp_that_its_record_carries(
    kafka: Kafka, gateway: Gateway, topic: str
) -> None:
    latest = from_us(NOW_MS * 1000 + MAX_LEAD_US)
    assert gateway.post(value_of(a_held(subject="now", time=latest.isoformat()))).status_code == 202
    too_late = latest + timedelta(microseconds=1)
    answer = gateway.post(value_of(a_held(subject="now", time=too_late.isoformat())))
    assert (answer.status_code, answer.json()["reason"]) == (422, "time-in-future")
    (record,) = kept(kafka, topic, "now")
    verdict = accept(record.value, record.key, record.timestamp or 0, load_instruments(None))
    assert isinstance(verdict, Accepted)


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic cHJhY3RpY2U6eA=="])
def test_without_a_known_key_there_is_a_401_and_nothing_is_sent(
    kafka: Kafka, gateway: Gateway, topic: str, authorization: str
) -> None:
    answer = gateway.post(value_of(a_held(subject="unknown")), Authorization=authorization)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json()["reason"] == "unauthorized"
    assert kept(kafka, topic, "unknown") == []


def test_the_scheme_of_the_key_is_read_in_any_case(gateway: Gateway) -> None:
    answer = gateway.post(value_of(a_held(subject="scheme")), Authorization=f"bearer {gateway.key}")
    assert answer.status_code == 202


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "application/cloudevents+avro"])
def test_another_media_type_is_a_415(gateway: Gateway, content_type: str) -> None:
    answer = gateway.post(value_of(a_held()), content_type)
    assert (answer.status_code, answer.json()["reason"]) == (415, "unsupported-media-type")


def test_a_compressed_body_is_a_415(gateway: Gateway) -> None:
    assert gateway.post(b"\x1f\x8b", Content_Encoding="gzip").status_code == 415


@pytest.mark.parametrize(
    ("body", "content_type", "status", "reason"),
    [
        (b"", STRUCTURED, 400, "empty"),
        (b"{", STRUCTURED, 400, "not-json"),
        (b"[" * 60_000, STRUCTURED, 400, "too-deep"),
        (b"[]", STRUCTURED, 422, "not-a-cloudevent"),
        (b"{}", BATCHED, 400, "not-a-cloudevent"),
        (b"[1,", BATCHED, 400, "not-json"),
        (b"{}", "application/json", 400, "not-a-cloudevent"),
        (b"[" + b"1," * 500 + b"1]", BATCHED, 413, "too-many-events"),
    ],
)
def test_the_answer_to_a_bad_request_says_what_is_wrong(
    gateway: Gateway, body: bytes, content_type: str, status: int, reason: str
) -> None:
    answer = gateway.post(body, content_type)
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.json().keys() == {"reason", "detail", "sentence"}


def padded(case: str, size: int) -> bytes:
    event = value_of(a_held(subject=case))
    return event + b" " * (size - len(event))


def chunks(body: bytes, size: int = 10_000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_an_event_of_64_kib_is_accepted_and_one_byte_more_is_a_413(
    kafka: Kafka, gateway: Gateway, topic: str, is_chunked: bool
) -> None:
    case = f"large-{is_chunked}"
    fits, does_not = padded(case, 65_536), padded(case, 65_537)
    assert gateway.post(chunks(fits) if is_chunked else fits).status_code == 202
    answer = gateway.post(chunks(does_not) if is_chunked else does_not)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too-large")
    assert [len(record.value or b"") for record in kept(kafka, topic, case)] == [65_536]


@pytest.mark.parametrize("is_chunked", [False, True])
def test_a_batch_of_1_mib_is_accepted_and_one_byte_more_is_a_413(gateway: Gateway, is_chunked: bool) -> None:
    fits = b"[" + b",".join([padded("mega", 65_500)] * 16)
    fits += b" " * (1024 * 1024 - 1 - len(fits)) + b"]"
    for body, status in ((fits, 202), (fits + b" ", 413)):
        assert gateway.post(chunks(body) if is_chunked else body, BATCHED).status_code == status


def test_a_body_without_an_end_is_cut_off_at_the_limit(gateway: Gateway) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        while True:
            taken += 8192
            yield b" " * 8192

    assert gateway.post(endless()).status_code == 413
    assert taken < 32 * 1024 * 1024


def test_a_body_that_does_not_come_in_time_is_a_408_and_ends_the_connection(
    kafka: Kafka, topic: str, tmp_path: Path
) -> None:
    event = value_of(a_held(subject="slow"))
    with a_gateway(tmp_path, kafka.bootstrap, topic, limits=Limits(body_seconds=0.2)) as slow:
        slow.wait_until_ready()
        head = f"POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {slow.key}\r\n"
        head += f"Content-Type: {STRUCTURED}\r\nContent-Length: {len(event)}\r\n\r\n"
        with socket.create_connection(("127.0.0.1", int(slow.url.rpartition(":")[2])), timeout=30) as sender:
            sender.sendall(head.encode() + event[:-1])
            answer = b"".join(iter(lambda: sender.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 408 ") and b'"reason":"too-slow"' in answer
    assert kept(kafka, topic, "slow") == []


def test_an_address_with_a_slash_too_many_leads_nowhere_else(gateway: Gateway) -> None:
    for path in ("/v1/events/", "/health/"):
        answer = gateway.get(path)
        assert (answer.status_code, answer.json()["reason"]) == (404, "not-found")
        assert "location" not in answer.headers


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_probe_may_ask_for_the_head_alone(gateway: Gateway, path: str) -> None:
    answer = httpx.head(gateway.url + path)
    assert (answer.status_code, answer.content) == (200, b"")


def test_unknown_addresses_and_methods_are_not_repeated(gateway: Gateway) -> None:
    missing = gateway.get(f"/v1/events/{CANARY}")
    assert (missing.status_code, missing.json()["reason"]) == (404, "not-found")
    assert CANARY not in missing.text
    wrong = gateway.get("/v1/events")
    assert (wrong.status_code, wrong.json()["reason"], wrong.headers["Allow"]) == (405, "method-not-allowed", "POST")


def test_the_description_holds_every_answer_and_examples_that_are_accepted(gateway: Gateway) -> None:
    description = gateway.get("/openapi.json").json()
    post = description["paths"]["/v1/events"]["post"]
    assert post["responses"].keys() == {"202", "400", "401", "408", "413", "415", "422", "503"}
    assert post["requestBody"] == openapi.REQUEST_BODY  # with every null
    assert post["security"] == [{"HTTPBearer": []}]
    content = post["requestBody"]["content"]
    event = content[STRUCTURED]["examples"]["check-in"]["value"]
    batch = content[BATCHED]["examples"]["session and check-in"]["value"]
    assert gateway.post(json.dumps(event).encode()).status_code == 202
    assert gateway.post(json.dumps(batch).encode(), BATCHED).status_code == 202
    assert gateway.get("/docs").status_code == 200


def test_metrics_count_requests_by_status_and_refusals_by_reason(gateway: Gateway) -> None:
    accepted = 'alliance_gateway_requests_total{status="202"}'
    refused = 'alliance_gateway_refused_total{reason="time-in-future"}'
    before = gateway.metric(accepted), gateway.metric(refused), gateway.metric("alliance_gateway_events_total")
    gateway.post(msgspec.json.encode([a_held(1), a_held(2)]), BATCHED)
    gateway.post(value_of(a_held(time="2999-01-01T00:00:00Z")))
    after = gateway.metric(accepted), gateway.metric(refused), gateway.metric("alliance_gateway_events_total")
    assert [late - early for early, late in zip(before, after, strict=True)] == [1, 1, 2]


def test_requests_side_by_side_are_all_kept(kafka: Kafka, gateway: Gateway, topic: str) -> None:
    bodies = [value_of(a_held(subject="many", id=f"m-{number}")) for number in range(1, 201)]
    with ThreadPoolExecutor(8) as senders:
        assert {answer.status_code for answer in senders.map(gateway.post, bodies)} == {202}
    assert sorted(record.value or b"" for record in kept(kafka, topic, "many")) == sorted(bodies)


def test_nothing_that_was_received_appears_in_an_answer_a_log_line_or_a_metric(
    gateway: Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    good = a_checkin(subject=CANARY, session_id=CANARY, source=CANARY)
    answers = [
        gateway.post(value_of(good)),
        gateway.post(value_of(a_checkin(subject=CANARY, answers={CANARY: 3.0}))),
        gateway.post(value_of(a_checkin(subject=CANARY, instrument=CANARY))),
        gateway.post(value_of(a_checkin(subject=CANARY, rater=CANARY))),
        gateway.post(value_of(a_held(subject=CANARY, type=CANARY))),
        gateway.post(value_of(a_held(subject=CANARY, time=CANARY))),
        gateway.post(f'{{"{CANARY}"'.encode()),
        gateway.post(msgspec.json.encode([{**good, "data": CANARY}, {CANARY: 1}]), BATCHED),
        gateway.post(b"{}", "application/json", ce_subject=CANARY, ce_id=f"{CANARY}%"),
        gateway.post(b"{}", f"text/{CANARY}"),
        gateway.post(b"{}", Authorization=f"Bearer {CANARY}"),
        gateway.get("/metrics"),
        gateway.get("/health"),
    ]
    assert [answer.status_code for answer in answers] == [202, *[422] * 5, 400, 422, 400, 415, 401, 200, 200]
    assert not any(CANARY in answer.text for answer in answers)
    assert not any(gateway.key in answer.text for answer in answers)
    assert CANARY not in caplog.text
    assert gateway.key not in caplog.text


def test_it_does_not_start_without_keys() -> None:
    with listen("127.0.0.1", 0) as listener, pytest.raises(KeysError, match="ALLIANCE_API_KEYS"):
        serve(Settings(), listener)
