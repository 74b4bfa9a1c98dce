"""Section 1 of docs/rules.md. In: records, one of them wrong. Out: the reason, by the first rule that it breaks."""

import json
from typing import Any

import pytest

from schemas.codec import Undecodable, decode_event
from tests.oracle import shapes
from tests.oracle.acceptance import Record
from tests.oracle.messages import SESSION, checkin, envelope, erased, held, on, record
from tests.oracle.reference import expected_store, refusals

KEY, VALUE, STAMP = held(0)
assert VALUE is not None


def reason(value: bytes | None, key: bytes | None = KEY, timestamp_ms: int = STAMP) -> str | None:
    (found,) = refusals([(key, value, timestamp_ms)])
    return found


def changed(**attributes: Any) -> bytes:
    return json.dumps(envelope(shapes.HELD, 0, SESSION, **attributes)).encode()


def without(attribute: str) -> bytes:
    tree = envelope(shapes.HELD, 0, SESSION)
    del tree[attribute]
    return json.dumps(tree).encode()


def padded(size: int) -> bytes:
    return VALUE + b" " * (size - len(VALUE)) if VALUE else b""


def nested(depth: int) -> bytes:
    """The whole event is one level, so an extra field of lists is one less."""
    return changed(extra=0).replace(b'"extra": 0', b'"extra": ' + b"[" * (depth - 1) + b"]" * (depth - 1))


def test_a_well_formed_record_is_accepted() -> None:
    assert reason(VALUE) is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "empty"),
        (b"", "empty"),
        (padded(65536), None),
        (padded(65537), "too-large"),
        (b"[" * 65537, "too-large"),
        (nested(32), None),
        (nested(33), "too-deep"),
        (b"[" * 33, "too-deep"),
        (changed(extra="[" * 40), None),
        (b"{\\u0000", "invalid-data"),
        (changed(extra="\0"), "invalid-data"),
        (b"{", "not-json"),
        (changed(extra=float("nan")), "not-json"),
        (changed(extra="@").replace(b"@", b"\xff"), "not-json"),
        (b'"text"', "not-a-cloudevent"),
        (without("type"), "not-a-cloudevent"),
        (without("time"), "not-a-cloudevent"),
        (changed(specversion="0.3"), "not-a-cloudevent"),
        (changed(id=""), "not-a-cloudevent"),
        (changed(source="x" * 201), "not-a-cloudevent"),
        (changed(time="2026-01-01T10:00:00"), "not-a-cloudevent"),
        (changed(time="2026-02-30T10:00:00Z"), "not-a-cloudevent"),
        (changed(time="1899-12-31T23:59:59.999999Z"), "not-a-cloudevent"),
        (changed(time="1900-01-01T00:00:00Z"), None),
        (changed(type="alliance.session.held.v2"), "unknown-type"),
        (without("data"), "invalid-data"),
        (changed(data={**SESSION, "team": 1}), "invalid-data"),
        (changed(subject="c2"), "key-mismatch"),
        (changed(subject="c2", data={}), "invalid-data"),
    ],
)
def test_the_first_broken_rule_gives_the_reason(value: bytes | None, expected: str | None) -> None:
    assert reason(value) == expected


def test_a_record_without_the_right_key_is_refused() -> None:
    assert reason(VALUE, key=None) == "key-mismatch"
    assert reason(VALUE, key=b"\xff") == "key-mismatch"


def test_a_time_may_be_five_minutes_ahead_and_not_a_microsecond_more() -> None:
    at_ten = int(on(0).timestamp() * 1000)
    assert reason(changed(time="2026-01-01T10:05:00Z"), timestamp_ms=at_ten) is None
    assert reason(changed(time="2026-01-01T10:05:00.000001Z"), timestamp_ms=at_ten) == "time-in-future"
    assert reason(changed(time="2026-01-01T11:05:00.000001+01:00", subject="c2"), timestamp_ms=at_ten) == "key-mismatch"


@pytest.mark.parametrize(
    ("instrument", "given", "expected"),
    [
        ("checkin-4/2", {"trust": 99}, "unknown-instrument"),
        ("checkin-4/1", {"trust": 99, "hope": None}, "unknown-item"),
        ("checkin-4/1", {"trust": 10.1}, "answer-out-of-range"),
        ("checkin-4/1", {"trust": -0.1}, "answer-out-of-range"),
        ("checkin-4/1", {"trust": 9.25}, "answer-out-of-range"),
        ("checkin-4/1", {"trust": 9.2, "goals": None}, None),
        ("checkin-4/1", {}, None),
        ("wai-sr/1", {"i01": 0}, "answer-out-of-range"),
        ("wai-sr/1", {"i01": 1.5}, "answer-out-of-range"),
        ("wai-sr/1", {"i01": 5.0}, None),
        ("checkin-4/1", {"trust": True}, "invalid-data"),
    ],
)
def test_answers_must_be_the_instruments(instrument: str, given: dict[str, Any], expected: str | None) -> None:
    assert refusals([checkin(0, 0.9, instrument=instrument, answers=given)]) == [expected]


def test_after_an_erasure_every_later_record_of_the_case_is_refused_as_erased() -> None:
    log = [held(0), erased(1), held(0), held(2, subject="c2"), erased(3), held(4), (b"c1", b"{", STAMP)]
    assert refusals(log) == [None, None, "erased", None, None, "erased", "not-json"]


def test_a_refused_erasure_erases_nothing() -> None:
    _, value, _ = erased(1)
    assert refusals([(b"c2", value, STAMP), held(2)]) == ["key-mismatch", None]


def test_nothing_of_an_erased_case_is_kept_but_a_mark() -> None:
    log = [
        (KEY, b"{", STAMP),
        held(0),
        checkin(1, 0.5),
        erased(2),
        held(3),
        held(0, subject="c2"),
        (b"c2", b"{", STAMP),
    ]
    store = expected_store(log)
    assert {name: len(table) for name, table in store.items() if len(table)} == {
        "events": 1,
        "sessions": 1,
        "therapists": 1,
        "rejected": 3,
        "erased_cases": 1,
    }
    assert store["rejected"][["reason", "key", "value"]].to_numpy().tolist() == [
        ["not-json", None, None],
        ["erased", None, None],
        ["not-json", b"c2", b"{"],
    ]
    assert store["erased_cases"]["count"].tolist() == [1]


def test_a_refused_record_is_about_the_case_of_its_key_and_that_of_its_subject() -> None:
    mismatched: list[Record] = [(b"c2", VALUE, STAMP), (b"c2", b"{", STAMP), (None, VALUE, STAMP)]
    for gone, kept in (("c1", 1), ("c2", 1), ("c3", 3)):
        rows = expected_store([*mismatched, erased(0, subject=gone)])["rejected"]
        assert int(rows["value"].notna().sum()) == kept, gone


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-01T10:00:00Z",
        "2026-01-01t12:30:00.5+02:30",
        "2026-01-01T10:00:00.1234565Z",
        "2026-01-01T10:00:00.9999995-00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T10:00:60Z",
        "2026-01-01T10:00:00+24:00",
        "2026-01-01T10:00:00+01",
        "2026-01-01",
        "1900-01-01T00:00:00Z",
    ],
)
def test_an_instant_is_read_as_the_published_schema_reads_it(text: str) -> None:
    try:
        expected = decode_event(changed(time=text)).time.timestamp()
    except Undecodable:
        assert shapes.instant(text) is None
    else:
        assert shapes.instant(text) == pytest.approx(expected * 1_000_000, abs=0.5)


@pytest.mark.parametrize("revision", [0, 1, 1.0, 1_000_000, 1_000_001, None, True, "1"])
@pytest.mark.parametrize("checkin_id", [None, "", "k", 7])
def test_optional_fields_are_read_as_the_published_schema_reads_them(revision: object, checkin_id: object) -> None:
    key, value, stamp = record(
        shapes.CHECKIN,
        0,
        {**SESSION, "rater": "client", "instrument": "checkin-4/1", "answers": {}}
        | {"revision": revision, "checkin_id": checkin_id},
    )
    assert value is not None
    try:
        decode_event(value)
    except Undecodable as problem:
        assert reason(value, key, stamp) == problem.reason
    else:
        assert reason(value, key, stamp) is None
