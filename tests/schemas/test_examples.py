"""Every published example gets the verdict it announces, from the code and from the JSON Schema alike."""

import json
import re
from collections import Counter
from datetime import UTC, datetime

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from pipeline.core.acceptance import Accepted, Refusal, accept
from schemas.codec import decode_case, decode_flag, decode_therapist, encode
from schemas.events import EVENT_TYPES, type_of
from schemas.examples import Example, OutgoingExample, examples, outgoing_examples
from schemas.instruments.registry import load_instruments
from schemas.publish import FOLDER
from schemas.refusals import Reason

INSTRUMENTS = load_instruments(None)
EXAMPLES = list(examples())
OUTGOING = list(outgoing_examples())
ACCEPTED = [example for example in EXAMPLES if example.reason is None]
REFUSED = [example for example in EXAMPLES if example.reason is not None]
#: The year 2100.
LATEST_MS = 4_102_444_800_000

#: What a type's own JSON Schema is there to find.
SHAPE = {Reason.NOT_A_CLOUDEVENT, Reason.UNKNOWN_TYPE, Reason.INVALID_DATA}
#: Refused although the shape is right as JSON Schema sees it: JSON Schema takes 2.0 for a whole number, knows no
#: ends of a calendar, and says nothing here about characters.
BEYOND_JSON_SCHEMA = {
    # Read as infinity here, which is a number; JSON has no largest one.
    "alliance.checkin.submitted.v1/invalid-invalid-data--number-too-large-for-a-double",
    "alliance.checkin.submitted.v1/invalid-invalid-data--revision-with-a-point",
    "alliance.checkin.submitted.v1/invalid-invalid-data--nul-character",
    "alliance.checkin.submitted.v1/invalid-invalid-data--nul-character-in-an-extra-field",
    "alliance.checkin.submitted.v1/invalid-not-a-cloudevent--time-in-1899",
    "alliance.checkin.submitted.v1/invalid-not-a-cloudevent--time-before-year-1",
    "alliance.checkin.submitted.v1/invalid-not-a-cloudevent--time-after-year-9999",
}

FORMATS = FormatChecker(formats=())
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")


@FORMATS.checks("date-time", raises=ValueError)
def is_date_time(text: object) -> bool:
    if not isinstance(text, str):
        return True
    return bool(RFC_3339.fullmatch(text) and datetime.fromisoformat(text.upper()))


def validator(name: str) -> Draft202012Validator:
    return Draft202012Validator(json.loads((FOLDER / f"{name}.json").read_bytes()), format_checker=FORMATS)


VALIDATORS = {name: validator(name) for name in (*EVENT_TYPES, "flag", "case-summary", "therapist-summary")}


def named(example: Example | OutgoingExample) -> str:
    return example.name


@pytest.mark.parametrize("example", ACCEPTED, ids=named)
def test_a_valid_example_is_accepted_as_its_type(example: Example) -> None:
    verdict = accept(example.value, example.key, example.timestamp_ms, INSTRUMENTS)
    assert isinstance(verdict, Accepted), verdict
    assert type_of(verdict.event) == example.type


@pytest.mark.parametrize("example", ACCEPTED, ids=named)
def test_a_valid_example_fits_its_json_schema(example: Example) -> None:
    VALIDATORS[example.type].validate(json.loads(example.value or b""))


@pytest.mark.parametrize("example", REFUSED, ids=named)
def test_an_invalid_example_is_refused_for_exactly_the_reason_in_its_name(example: Example) -> None:
    verdict = accept(example.value, example.key, example.timestamp_ms, INSTRUMENTS)
    assert isinstance(verdict, Refusal), verdict
    assert verdict.reason is example.reason


@pytest.mark.parametrize("example", [example for example in REFUSED if example.reason in SHAPE], ids=named)
def test_the_json_schema_refuses_a_wrong_shape_too(example: Example) -> None:
    is_valid = VALIDATORS[example.type].is_valid(json.loads(example.value or b""))
    assert is_valid == (example.name in BEYOND_JSON_SCHEMA)


@pytest.mark.parametrize("example", EXAMPLES, ids=named)
def test_the_verdict_is_the_same_whenever_the_record_is_sent(example: Example) -> None:
    now = accept(example.value, example.key, example.timestamp_ms, INSTRUMENTS)
    late = accept(example.value, example.key, LATEST_MS, INSTRUMENTS)
    assert now == late


def test_every_type_has_two_valid_and_three_invalid_examples() -> None:
    valid, invalid = Counter(example.type for example in ACCEPTED), Counter(example.type for example in REFUSED)
    assert all(valid[event_type] >= 2 and invalid[event_type] >= 3 for event_type in EVENT_TYPES)


def test_every_reason_that_needs_no_memory_has_an_example() -> None:
    assert {example.reason for example in REFUSED} == set(Reason) - {Reason.ERASED}


def test_names_are_unique_and_each_type_has_a_case_of_its_own() -> None:
    assert len({example.name for example in EXAMPLES}) == len(EXAMPLES)
    keys = {(example.type, example.key) for example in ACCEPTED}
    assert len(keys) == len({key for _, key in keys}) == len(EVENT_TYPES)


def test_no_example_is_sent_before_it_happened() -> None:
    sent_at = datetime.fromtimestamp(EXAMPLES[0].timestamp_ms / 1000, UTC)
    verdicts = [accept(example.value, example.key, example.timestamp_ms, INSTRUMENTS) for example in ACCEPTED]
    assert all(isinstance(verdict, Accepted) and verdict.event.time < sent_at for verdict in verdicts)


DECODERS = {"flag": decode_flag, "case-summary": decode_case, "therapist-summary": decode_therapist}


@pytest.mark.parametrize("example", [example for example in OUTGOING if example.is_valid], ids=named)
def test_a_message_of_the_worker_fits_its_json_schema_and_survives_decoding(example: OutgoingExample) -> None:
    VALIDATORS[example.schema].validate(json.loads(example.value))
    assert json.loads(encode(DECODERS[example.schema](example.value))) == json.loads(example.value)


@pytest.mark.parametrize("example", [example for example in OUTGOING if not example.is_valid], ids=named)
def test_a_wrong_message_of_the_worker_is_refused_by_decoder_and_json_schema(example: OutgoingExample) -> None:
    assert not VALIDATORS[example.schema].is_valid(json.loads(example.value))
    with pytest.raises(msgspec.ValidationError):
        DECODERS[example.schema](example.value)


def test_each_message_of_ours_has_valid_and_invalid_examples() -> None:
    assert {(example.schema, example.is_valid) for example in OUTGOING} == {
        (schema, ok) for schema in DECODERS for ok in (True, False)
    }
