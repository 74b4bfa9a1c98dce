"""Requests as the CloudEvents HTTP protocol binding 1.0.2 writes them, and what becomes of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.ingest.gateway.http_binding import Mode, events_of, mode_of
from pipeline.ingest.gateway.problems import HttpProblem

STRUCTURED = [(b"content-type", b"application/cloudevents+json")]
JSON = (b"content-type", b"application/json")
ATTRIBUTES = [
    (b"ce-specversion", b"1.0"),
    (b"ce-id", b"a-1"),
    (b"ce-source", b"/practice"),
    (b"ce-type", b"alliance.session.held.v1"),
    (b"ce-subject", b"case-1"),
    (b"ce-time", b"2026-03-02T16:00:00Z"),
]


def content_type(text: str) -> list[tuple[bytes, bytes]]:
    return [(b"Content-Type", text.encode("latin-1"))]


def binary(body: bytes = b"{}", *headers: tuple[bytes, bytes]) -> dict[str, object]:
    (event,) = events_of(Mode.BINARY, [*ATTRIBUTES, JSON, *headers], body, 500)
    tree: dict[str, object] = msgspec.json.decode(event)
    return tree


def refusal(mode: Mode, headers: list[tuple[bytes, bytes]], body: bytes) -> HttpProblem:
    with pytest.raises(HttpProblem) as caught:
        events_of(mode, headers, body, 3)
    return caught.value


@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("application/cloudevents+json", Mode.STRUCTURED),
        ("application/cloudevents+json; charset=UTF-8", Mode.STRUCTURED),
        ('Application/CloudEvents+JSON;charset="utf-8"', Mode.STRUCTURED),
        ("application/cloudevents-batch+json; charset=utf-8", Mode.BATCHED),
        ("application/json", Mode.BINARY),
        ("application/json; charset=utf-8", Mode.BINARY),
        ("application/vnd.practice+json", Mode.BINARY),
    ],
)
def test_the_content_type_says_the_mode(text: str, mode: Mode) -> None:
    assert mode_of(content_type(text)) is mode


def test_an_event_without_data_needs_no_content_type() -> None:
    assert mode_of(ATTRIBUTES) is Mode.BINARY


@pytest.mark.parametrize(
    "text",
    [
        "application/cloudevents+avro",
        "application/cloudevents-batch+xml",
        "application/cloudevents",
        "application/cloudevents+json; charset=utf-16",
        "application/cloudevents+json; charset=iso-8859-1",
        "text/plain",
        "application/xml",
        "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded",
    ],
)
def test_another_media_type_or_charset_is_a_415(text: str) -> None:
    with pytest.raises(HttpProblem) as caught:
        mode_of(content_type(text))
    assert (caught.value.status, caught.value.reason) == (415, "unsupported-media-type")


def test_a_compressed_body_is_a_415() -> None:
    with pytest.raises(HttpProblem) as caught:
        mode_of([*STRUCTURED, (b"content-encoding", b"gzip")])
    assert caught.value.status == 415


def test_two_content_types_are_a_400() -> None:
    with pytest.raises(HttpProblem) as caught:
        mode_of([*STRUCTURED, JSON])
    assert (caught.value.status, caught.value.reason) == (400, "bad-header")


@given(st.binary(max_size=200))
def test_a_structured_body_is_the_event_byte_for_byte_whatever_it_is(body: bytes) -> None:
    assert events_of(Mode.STRUCTURED, STRUCTURED, body, 500) == [body]


def test_batched_events_are_the_very_bytes_between_the_commas() -> None:
    first, second = b'{ "a" :1.50, "b":"\\u00e9" }', b'{"z":[ 1 ],\n "a":{}}'
    body = b" [\n" + first + b" ,\t" + second + b"\n] "
    assert events_of(Mode.BATCHED, [], body, 2) == [first, second]


def test_a_batch_may_be_empty() -> None:
    assert events_of(Mode.BATCHED, [], b"[]", 500) == []


def test_a_batch_of_too_many_events_is_a_413() -> None:
    error = refusal(Mode.BATCHED, [], b"[1,2,3,4]")
    assert (error.status, error.reason) == (413, "too-many-events")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"specversion":"1.0"}', "not-a-cloudevent"),
        (b'[{"a":1},', "not-json"),
        (b"[1] [2]", "not-json"),
        (b"", "not-json"),
        (b"[" * 100_000, "too-deep"),
    ],
)
def test_a_batch_that_cannot_be_read_is_a_400(body: bytes, reason: str) -> None:
    error = refusal(Mode.BATCHED, [], body)
    assert (error.status, error.reason) == (400, reason)


def test_a_binary_event_has_its_attributes_from_headers_and_its_data_from_the_body() -> None:
    data = b'{ "session_id":"s-1",  "therapist_id":"t-1", "team":"north" }'
    (event,) = events_of(Mode.BINARY, [*ATTRIBUTES, JSON, (b"host", b"localhost")], data, 500)
    assert event.endswith(b'"data":' + data + b"}")
    assert msgspec.json.decode(event) == {
        "specversion": "1.0",
        "id": "a-1",
        "source": "/practice",
        "type": "alliance.session.held.v1",
        "subject": "case-1",
        "time": "2026-03-02T16:00:00Z",
        "datacontenttype": "application/json",
        "data": {"session_id": "s-1", "therapist_id": "t-1", "team": "north"},
    }


def test_a_binary_event_without_a_body_has_no_data() -> None:
    (event,) = events_of(Mode.BINARY, ATTRIBUTES, b"", 500)
    assert msgspec.json.decode(event).keys() == {"specversion", "id", "source", "type", "subject", "time"}


def test_header_names_are_read_in_any_case_and_extensions_are_kept() -> None:
    event = binary(b"{}", (b"CE-Traceparent", b"00-abc-01"))
    assert event["traceparent"] == "00-abc-01"


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (b"Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        (b"%e2%82%ac", "€"),
        (b"%41%62c", "Abc"),
        (b"100%25", "100%"),
        (b"%2541", "%41"),
        (b'"with spaces"', "with spaces"),
        (b'"a \\"quoted\\" \\\\ word"', 'a "quoted" \\ word'),
        (b'"%E2%82%AC 5"', "€ 5"),
        (b" spaces around ", "spaces around"),
        (b"(no comment)", "(no comment)"),
    ],
)
def test_header_values_are_unquoted_and_then_percent_decoded_once(header: bytes, text: str) -> None:
    assert binary(b"{}", (b"ce-note", header))["note"] == text


@pytest.mark.parametrize(
    "header",
    [
        (b"ce-note", b"%C0%A0"),
        (b"ce-note", b"%FF"),
        (b"ce-note", b"%ED%A0%80"),
        (b"ce-note", b"50% of it"),
        (b"ce-note", b"%4"),
        (b"ce-note", "für".encode("latin-1")),
        (b"ce-note", "für".encode()),
        (b"ce-id", b"a-2"),
        (b"ce-data", b"{}"),
        (b"ce-datacontenttype", b"application/json"),
        (b"ce-two-words", b"x"),
        (b"ce-", b"x"),
    ],
)
def test_a_ce_header_against_the_rules_is_a_400(header: tuple[bytes, bytes]) -> None:
    error = refusal(Mode.BINARY, [*ATTRIBUTES, JSON, header], b"{}")
    assert (error.status, error.reason) == (400, "bad-header")


@pytest.mark.parametrize("body", [b"{", b'{}, "subject":"case-2"', b"{} {}", b"NaN", b'{"a":"\xff"}', b"hello"])
def test_a_binary_body_must_be_one_json_value_so_nothing_slips_into_the_envelope(body: bytes) -> None:
    error = refusal(Mode.BINARY, [*ATTRIBUTES, JSON], body)
    assert (error.status, error.reason) == (400, "not-json")


def test_json_without_ce_headers_is_answered_with_the_next_step() -> None:
    error = refusal(Mode.BINARY, [JSON], b'{"specversion":"1.0"}')
    assert (error.status, error.reason) == (400, "not-a-cloudevent")
    assert "application/cloudevents+json" in error.sentence


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=40))
def test_every_text_comes_back_out_of_its_percent_encoding(text: str) -> None:
    encoded = "".join(
        char if "\x21" <= char <= "\x7e" and char not in '"%' else "".join(f"%{byte:02X}" for byte in char.encode())
        for char in text
    )
    assert binary(b"{}", (b"ce-note", encoded.encode()))["note"] == text


@given(st.binary(max_size=60), st.sampled_from([Mode.BINARY, Mode.BATCHED]))
def test_no_error_repeats_what_was_received(noise: bytes, mode: Mode) -> None:
    canary = b"canary7f3a"
    try:
        events_of(mode, [*ATTRIBUTES, JSON, (b"ce-note", canary + noise)], canary + noise, 3)
    except HttpProblem as error:
        assert "canary7f3a" not in f"{error} {error.detail} {error.sentence}"
