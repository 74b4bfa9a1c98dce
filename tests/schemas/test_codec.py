"""Whatever bytes come, the codec answers with an event or a reason, and one content has one canonical form."""

import json
import random
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.core.acceptance import Accepted, Refusal, accept
from pipeline.core.instants import from_us
from pipeline.core.records import record_of
from schemas.codec import EARLIEST, LATEST, MAX_DEPTH, Undecodable, canonical, decode_event, encode
from schemas.events import CaseErased, CheckinSubmitted, Event
from schemas.examples import SENT_AT_MS, examples
from schemas.instruments.registry import load_instruments
from schemas.refusals import Reason
from schemas.topics import MAX_EVENT_BYTES

Json = dict[str, Any]

INSTRUMENTS = load_instruments(None)
VALUES = [example.value for example in examples() if example.value and len(example.value) < 2000]
VALID = [example for example in examples() if example.reason is None and example.value and len(example.value) < 2000]
CHECKIN = next(
    example.value for example in VALID if example.value and example.name.endswith("submitted.v1/valid-minimal")
)
CANARY = "canary-4711"

#: What breaks decoders: pieces that are put into the text of an event as they are.
TEXTS = [
    b'"\\ud800"',
    b'"\\udc00\\ud800"',
    b'"\xed\xa0\x80"',
    b'"\xff"',
    b'"\\u0000"',
    b'"\x00"',
    b'"\\q"',
    b'""',
    b'"\\ud83c\\udf3f"',
]
NUMBERS = [b"NaN", b"-Infinity", b"1e999", b"-0", b"-0.0", b"1e-400", b"01", b"1.", b".5", b"1.0", b"2e0"]
NUMBERS += [b"9" * 25, b"9" * 400, b"9" * 5000, b"9223372036854775808", b"true", b"7.1000000000000001"]
NESTED = [b"null", b"{}", b"[]", b"[" * 40, b"[" * 40 + b"]" * 40, b'{"a":' * 20 + b"1" + b"}" * 20]
TIMES = [
    b'"%s"' % time
    for time in (
        b"0000-01-01T00:00:00Z", b"0001-01-01T00:00:00+14:00", b"0001-01-01T00:00:00Z", b"9999-12-31T23:59:59-14:00",
        b"9999-12-31T23:59:59.9999999Z", b"9999-12-31T23:59:59Z", b"2016-12-31T23:59:60Z", b"2025-02-30T00:00:00Z",
        b"2025-01-14T24:00:00Z", b"2025-01-14T00:00:00+99:99", b"2025-01-14T15:02:11", b"2025-01-14 15:02:11Z",
    )
]  # fmt: skip
TYPES = [b'"alliance.session.held.v1"', b'"alliance.case.erased.v1"', b'"alliance.checkin.submitted.v2"']
PIECES = [*TEXTS, *NUMBERS, *NESTED, *TIMES, *TYPES]

#: The place of a value in an event, and the worst values for it.
ENVELOPE = {b"specversion": NUMBERS, b"id": TEXTS, b"source": TEXTS, b"type": TYPES, b"subject": TEXTS, b"time": TIMES}
ENVELOPE |= {b"extra": [*TEXTS, *NUMBERS, *NESTED], b"data": NESTED}
DATA = {b"session_id": TEXTS, b"rater": TEXTS, b"instrument": TEXTS, b"revision": NUMBERS, b"checkin_id": TEXTS}
DATA |= {b"extra": [*TEXTS, *NUMBERS, *NESTED], b"answers": [b'{"trust":%s}' % piece for piece in PIECES]}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """An example with a stretch of its bytes replaced, cut away or doubled."""
    value = draw(st.sampled_from(VALUES))
    start, end = sorted((draw(st.integers(0, len(value))), draw(st.integers(0, len(value)))))
    middle = draw(st.one_of(st.binary(max_size=8), st.sampled_from(PIECES), st.just(value[start:end] * 2)))
    return value[:start] + middle + value[end:]


@st.composite
def nasty(draw: st.DrawFn) -> bytes:
    """An event one or two of whose values are the worst there are, before or after the right one."""
    tree = json.loads(CHECKIN)
    fields = [(name.encode(), json.dumps(value).encode()) for name, value in tree.items() if name != "data"]
    data = [(name.encode(), json.dumps(value).encode()) for name, value in tree["data"].items()]
    for group, worst in draw(st.lists(st.sampled_from([(fields, ENVELOPE), (data, DATA)]), min_size=1, max_size=2)):
        name = draw(st.sampled_from(list(worst)))
        piece = draw(st.one_of(st.sampled_from(worst[name]), st.sampled_from(PIECES)))
        group.insert(draw(st.integers(0, len(group))), (name, piece))
    fields.insert(draw(st.integers(0, len(fields))), (b"data", _object(data)))
    return _object(fields)


def _object(fields: list[tuple[bytes, bytes]]) -> bytes:
    return b"{" + b",".join(b'"%s":%s' % field for field in fields) + b"}"


TREES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just(CANARY)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["type", "id", "data", "answers"]), inner)
    ),
    max_leaves=8,
)
BYTES = st.one_of(st.binary(max_size=200), damaged(), nasty(), TREES.map(lambda tree: json.dumps(tree).encode()))


@settings(max_examples=1000, deadline=None)
@given(st.one_of(BYTES, nasty()))
@example(b"[" * MAX_EVENT_BYTES)
@example(b'{"a":' * 10_000)
@example(b'"' * MAX_EVENT_BYTES)
@example(b"\\" * MAX_EVENT_BYTES)
@example(b"9" * MAX_EVENT_BYTES)
def test_any_bytes_are_an_event_or_undecodable_for_a_reason(value: bytes) -> None:
    try:
        event = decode_event(value)
    except Undecodable as error:
        assert error.reason in Reason
        assert error.detail
    else:
        assert value.decode()
        assert EARLIEST <= event.time <= LATEST
        assert decode_event(encode(event)) == event


@settings(max_examples=1000, deadline=None)
@given(
    value=st.one_of(BYTES, nasty()),
    key=st.one_of(st.just(b"c-2f8a41"), st.sampled_from([None, b"", b"\xff"])),
    timestamp_ms=st.one_of(st.just(SENT_AT_MS), st.integers(-(2**63), 2**63 - 1)),
)
def test_any_record_is_accepted_or_refused_and_what_is_accepted_can_be_carried_on(
    value: bytes, key: bytes | None, timestamp_ms: int
) -> None:
    verdict = accept(value, key, timestamp_ms, INSTRUMENTS)
    assert verdict == accept(value, key, timestamp_ms, INSTRUMENTS)
    if isinstance(verdict, Refusal):
        assert verdict.detail
        return
    assert from_us(verdict.at) == verdict.event.time
    assert canonical(verdict.event)
    assert isinstance(verdict.event, CaseErased) or record_of(verdict).at == verdict.at


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_refusal_repeats_nothing_that_was_received(data: st.DataObject) -> None:
    tree = json.loads(CHECKIN)
    place: Any = data.draw(st.sampled_from([tree, tree["data"], tree["data"]["answers"]]))
    name = data.draw(st.sampled_from([*place, CANARY]))
    text = data.draw(st.sampled_from([f"missing required field `{CANARY}`", f"{CANARY} - at `$.id`", CANARY]))
    place[name] = data.draw(st.sampled_from([text, [text], {text: text}]))
    verdict = accept(json.dumps(tree).encode(), b"c-2f8a41", SENT_AT_MS, INSTRUMENTS)
    assert isinstance(verdict, Accepted) or CANARY not in verdict.detail


def decoded(tree: Json) -> Event:
    return decode_event(json.dumps(tree).encode())


def shuffled(tree: Any, chance: random.Random) -> Any:
    if isinstance(tree, list):
        return [shuffled(part, chance) for part in tree]
    if not isinstance(tree, dict):
        return tree
    names = list(tree)
    chance.shuffle(names)
    return {name: shuffled(tree[name], chance) for name in names}


@settings(max_examples=200, deadline=None)
@given(
    value=st.sampled_from([example.value for example in VALID]),
    chance=st.randoms(use_true_random=False),
    indent=st.sampled_from([None, 0, 3, "\t"]),
    is_escaped=st.booleans(),
    offset=st.integers(-14 * 60, 14 * 60),
    extra=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
def test_the_same_content_has_the_same_canonical_bytes_however_it_is_written(
    value: bytes, chance: random.Random, indent: int | str | None, is_escaped: bool, offset: int, extra: str
) -> None:
    event = decode_event(value)
    tree = json.loads(value)
    tree["time"] = event.time.astimezone(timezone(timedelta(minutes=offset))).isoformat()
    tree["zz-extra"] = extra
    again = json.dumps(shuffled(tree, chance), indent=indent, ensure_ascii=is_escaped).encode()
    assert canonical(decode_event(again)) == canonical(event)


def test_a_whole_answer_is_the_same_with_and_without_a_point() -> None:
    with_point = CHECKIN.replace(b'"goals": 8', b'"goals": 8.0').replace(b"9.1", b"91e-1")
    assert with_point != CHECKIN
    assert canonical(decode_event(with_point)) == canonical(decode_event(CHECKIN))


@pytest.mark.parametrize(
    ("place", "name", "value"),
    [
        ((), "id", "another"),
        ((), "source", "another"),
        ((), "subject", "another"),
        ((), "time", "2025-01-14T15:02:11.000001Z"),
        (("data",), "session_id", "another"),
        (("data",), "rater", "therapist"),
        (("data",), "revision", 2),
        (("data",), "checkin_id", "named"),
        (("data", "answers"), "trust", 9.0),
        (("data", "answers"), "trust", None),
        (("data", "answers"), "another", None),
    ],
)
def test_another_content_has_other_canonical_bytes(place: tuple[str, ...], name: str, value: Any) -> None:
    tree = json.loads(CHECKIN)
    where = tree
    for step in place:
        where = where[step]
    where[name] = value
    assert canonical(decoded(tree)) != canonical(decode_event(CHECKIN))


def test_the_canonical_bytes_are_the_ones_that_stores_and_changelogs_already_hold() -> None:
    event = decoded({**json.loads(CHECKIN), "data": {**json.loads(CHECKIN)["data"], "answers": {"goals": 8}}})
    assert canonical(event).hex() == GOLDEN


GOLDEN = (
    "87a474797065bd616c6c69616e63652e636865636b696e2e7375626d69747465642e7631ab7370656376657273696f6ea331"
    "2e30a26964ac636865636b696e2d30313933a6736f75726365bb75726e3a6578616d706c653a70726163746963652d737973"
    "74656da77375626a656374a8632d326638613431a474696d65d6ff67867c73a46461746188aa73657373696f6e5f6964a673"
    "2d30303731ac7468657261706973745f6964a4742d3132a47465616da56e6f727468a57261746572a6636c69656e74aa696e"
    "737472756d656e74ab636865636b696e2d342f31a7616e737765727381a5676f616c73cb4020000000000000aa636865636b"
    "696e5f6964c0a87265766973696f6e01"
)


def test_of_a_field_that_comes_twice_the_last_counts() -> None:
    event = decode_event(CHECKIN.replace(b'"goals": 8', b'"goals": 99, "goals": 8'))
    assert event == decode_event(CHECKIN)


def test_a_field_that_was_wrong_the_first_time_is_refused_even_if_it_comes_again() -> None:
    with pytest.raises(Undecodable) as refusal:
        decode_event(CHECKIN.replace(b'"goals": 8', b'"goals": "8", "goals": 8'))
    assert refusal.value.reason is Reason.INVALID_DATA


@pytest.mark.parametrize("depth", [MAX_DEPTH - 1, MAX_DEPTH])
def test_brackets_up_to_the_limit_are_read(depth: int) -> None:
    nested = b"[" * (depth - 1) + b"]" * (depth - 1)
    assert decode_event(CHECKIN.replace(b"{", b'{"extra":' + nested + b",", 1)) == decode_event(CHECKIN)


@pytest.mark.parametrize("text", ['{"' * 40, "[\\" * 40, '\\"' * 40 + "[" * 40, "\\\\"])
def test_brackets_and_quotes_inside_a_text_are_no_depth(text: str) -> None:
    extra = json.dumps(text).encode()
    assert decode_event(CHECKIN.replace(b"{", b'{"extra":' + extra + b",", 1)) == decode_event(CHECKIN)


def test_a_bracket_after_a_text_that_ends_in_a_backslash_is_depth() -> None:
    extra = b'"\\\\",' + b'"deep":' + b"[" * 40 + b"]" * 40
    with pytest.raises(Undecodable) as refusal:
        decode_event(CHECKIN.replace(b"{", b'{"extra":' + extra + b",", 1))
    assert refusal.value.reason is Reason.TOO_DEEP


@pytest.mark.parametrize(
    ("time", "instant"),
    [
        ("1900-01-01T00:00:00Z", datetime(1900, 1, 1, tzinfo=UTC)),
        ("1899-12-31T14:00:00-10:00", datetime(1900, 1, 1, tzinfo=UTC)),
        ("2025-01-14t15:02:11z", datetime(2025, 1, 14, 15, 2, 11, tzinfo=UTC)),
        ("2025-01-14T15:02:11.1234564Z", datetime(2025, 1, 14, 15, 2, 11, 123456, tzinfo=UTC)),
        ("2025-01-14T23:59:59.9999999Z", datetime(2025, 1, 15, tzinfo=UTC)),
        ("2024-02-29T00:00:00+23:59", datetime(2024, 2, 28, 0, 1, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_to_the_microsecond_whatever_its_offset(time: str, instant: datetime) -> None:
    assert decoded({**json.loads(CHECKIN), "time": time}).time == instant


@pytest.mark.parametrize("missing", ["specversion", "id", "source", "subject", "time"])
def test_what_the_envelope_lacks_is_named_before_what_the_data_lack(missing: str) -> None:
    tree = {name: value for name, value in json.loads(CHECKIN).items() if name != missing}
    with pytest.raises(Undecodable, match=f"{missing} is missing") as refusal:
        decoded({**tree, "data": {}})
    assert refusal.value.reason is Reason.NOT_A_CLOUDEVENT


@pytest.mark.parametrize(
    ("answers", "detail"),
    [([], "data.answers is not as the schema says"), ({"trust": "9"}, "data.answers[...] is not as the schema says")],
)
def test_a_wrong_field_is_named_with_its_place(answers: Any, detail: str) -> None:
    with pytest.raises(Undecodable) as refusal:
        decoded({**json.loads(CHECKIN), "data": {**json.loads(CHECKIN)["data"], "answers": answers}})
    assert refusal.value.detail == detail


def test_a_check_in_named_by_default_can_be_voided_whatever_its_length() -> None:
    longest = decoded({**json.loads(CHECKIN), "id": "i" * 200, "source": "s" * 200})
    assert isinstance(longest, CheckinSubmitted)
    void = {
        **json.loads(CHECKIN),
        "type": "alliance.checkin.voided.v1",
        "data": {"checkin_id": f"{longest.source}#{longest.id}"},
    }
    assert decoded(void)


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"9" * 400, b"9" * 5000])
def test_a_number_that_no_float_holds_is_wrong_data_and_not_broken_json(number: bytes) -> None:
    tree = json.loads(CHECKIN)
    tree["data"]["answers"] = {"trust": "@"}
    with pytest.raises(Undecodable) as caught:
        decode_event(json.dumps(tree).encode().replace(b'"@"', number))
    assert caught.value.reason == Reason.INVALID_DATA
