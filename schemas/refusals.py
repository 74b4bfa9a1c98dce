"""Why a record of the log was refused: a closed list.

In: nothing. Out: the reasons, and the headers that a record of `alliance.rejected.v1` carries beside its own.
Never: the content of the record in a reason or a detail (a detail names a place, not a value).
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


#: One plain sentence per reason, with what to do about it.
SENTENCES: dict[Reason, str] = {
    Reason.EMPTY: "The record has no value; send a CloudEvent.",
    Reason.TOO_LARGE: "The event is larger than 64 KiB; send one check-in per event and no free text.",
    Reason.NOT_JSON: "The value is not valid JSON in UTF-8; check that it is whole and holds no NaN or Infinity.",
    Reason.TOO_DEEP: "The value is nested too deeply; send a plain CloudEvent.",
    Reason.NOT_A_CLOUDEVENT: "A CloudEvents attribute is missing or wrong; send specversion 1.0, id, source, type, "
    "subject and time (RFC 3339 with an offset).",
    Reason.UNKNOWN_TYPE: "The event type is not known here; see schemas/asyncapi.yaml for the list.",
    Reason.INVALID_DATA: "The data does not fit the event type; see its JSON Schema in schemas/jsonschema.",
    Reason.UNKNOWN_INSTRUMENT: "The instrument is not known here; add its definition to ALLIANCE_INSTRUMENTS and "
    "send again.",
    Reason.UNKNOWN_ITEM: "The instrument has no item of that name; check the answers' names.",
    Reason.ANSWER_OUT_OF_RANGE: "An answer lies outside the instrument's range or has too many decimals.",
    Reason.KEY_MISMATCH: "The record's key is not the event's subject; send with the case_id as key.",
    Reason.TIME_IN_FUTURE: "The event's time lies more than 5 minutes in the future; check the sender's clock.",
    Reason.ERASED: "The case has been erased; nothing about it is kept.",
}


HEADER_PREFIX = "alliance-"
HEADER_REASON = "alliance-reason"
HEADER_DETAIL = "alliance-detail"
HEADER_TOPIC = "alliance-topic"
HEADER_PARTITION = "alliance-partition"
HEADER_OFFSET = "alliance-offset"
HEADER_TIMESTAMP = "alliance-timestamp"
#: The headers that are ours; a record's own may begin alike.
HEADERS = frozenset({HEADER_REASON, HEADER_DETAIL, HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET, HEADER_TIMESTAMP})
