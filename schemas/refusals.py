"""Why a record was refused: a closed list, with what to do about each reason.

Out: the reasons, and the headers that a record of `alliance.rejected.v1` has in addition to its own.
Never: the content of a record in a reason or a detail (a detail names a place, not a value).
"""

from enum import StrEnum


class Reason(StrEnum):
    """Every way in which data can be wrong."""

    EMPTY = "empty"
    TOO_LARGE = "too-large"
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    NOT_A_CLOUDEVENT = "not-a-cloudevent"
    UNKNOWN_TYPE = "unknown-type"
    INVALID_DATA = "invalid-data"
    UNKNOWN_INSTRUMENT = "unknown-instrument"
    UNKNOWN_ITEM = "unknown-item"
    ANSWER_OUT_OF_RANGE = "answer-out-of-range"
    KEY_MISMATCH = "key-mismatch"
    TIME_IN_FUTURE = "time-in-future"
    ERASED = "erased"


#: For each reason, what is wrong and what to do about it.
SENTENCES: dict[Reason, str] = {
    Reason.EMPTY: "The record has no value. Send a CloudEvent.",
    Reason.TOO_LARGE: "The event is larger than 64 KiB. Send one check-in in each event, and no free text.",
    Reason.NOT_JSON: "The value is not valid JSON in UTF-8. Check that it is complete and has no NaN or Infinity.",
    Reason.TOO_DEEP: "The value is nested too deeply. Send a plain CloudEvent.",
    Reason.NOT_A_CLOUDEVENT: "A CloudEvents attribute is missing or wrong. Send specversion 1.0, id, source, type, "
    "subject and time (RFC 3339 with an offset).",
    Reason.UNKNOWN_TYPE: "The event type is not known. Send one of the types in schemas/asyncapi.yaml.",
    Reason.INVALID_DATA: "The data does not fit the event type. Compare it with the type's JSON Schema in "
    "schemas/jsonschema.",
    Reason.UNKNOWN_INSTRUMENT: "The instrument is not known. Add its definition to the folder ALLIANCE_INSTRUMENTS and "
    "send the event again.",
    Reason.UNKNOWN_ITEM: "The instrument has no item of that name. Check the names in `answers`.",
    Reason.ANSWER_OUT_OF_RANGE: "An answer is outside the instrument's range or has too many decimals. Compare it with "
    "the instrument's definition.",
    Reason.KEY_MISMATCH: "The record's key is not the event's subject. Send the event with its case_id as key.",
    Reason.TIME_IN_FUTURE: "The event's time is more than 5 minutes in the future. Check the sender's clock.",
    Reason.ERASED: "The case has been erased, and nothing about it is kept. Do not send the event again.",
}


HEADER_PREFIX = "alliance-"
HEADER_REASON = "alliance-reason"
HEADER_DETAIL = "alliance-detail"
HEADER_TOPIC = "alliance-topic"
HEADER_PARTITION = "alliance-partition"
HEADER_OFFSET = "alliance-offset"
HEADER_TIMESTAMP = "alliance-timestamp"
#: All of these headers. A record's own headers may begin with the same prefix.
HEADERS = frozenset({HEADER_REASON, HEADER_DETAIL, HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET, HEADER_TIMESTAMP})
