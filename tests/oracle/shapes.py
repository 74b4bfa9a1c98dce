"""The shape of a record's value: JSON, CloudEvent, data of its type.

In: bytes. Out: the tree of a well-formed event, or the reason why it is not one.
Never: the decoder that the pipeline uses; the fields are written down here a second time.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

DEEPEST = 32
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- reckoned in UTC throughout, before year 1 as well
MICROSECOND = timedelta(microseconds=1)
LARGEST_NUMBER = sys.float_info.max
#: The calendar kept here, in UTC: from 1900 to the last microsecond of 9999.
CALENDAR = range((datetime(1900, 1, 1) - EPOCH) // MICROSECOND, (datetime.max - EPOCH) // MICROSECOND + 1)  # noqa: DTZ001, DTZ901

CHECKIN = "alliance.checkin.submitted.v1"
VOIDED = "alliance.checkin.voided.v1"
HELD = "alliance.session.held.v1"
MISSED = "alliance.session.missed.v1"
CLOSED = "alliance.case.closed.v1"
ERASED = "alliance.case.erased.v1"
FLAG_ACTIONS = tuple(f"alliance.flag.{action}.v1" for action in ("acknowledged", "discussed", "dismissed"))

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d):?(\d\d))",
    re.ASCII,
)

Check = Callable[[Any], bool]


class Misshapen(Exception):
    """The value is no event; the reason is one of the closed list."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def _is_identifier(value: Any, longest: int = 200) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= longest


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST_NUMBER


def _are_answers(value: Any) -> bool:
    return isinstance(value, dict) and all(answer is None or _is_number(answer) for answer in value.values())


def _is_revision(value: Any) -> bool:
    return type(value) is int and 1 <= value <= 1_000_000


def _one_of(*words: str) -> Check:
    return lambda value: value in words


_SESSION: dict[str, Check] = dict.fromkeys(("session_id", "therapist_id", "team"), _is_identifier)
_ACTION: dict[str, Check] = {"flag_id": _is_identifier, "by": _is_identifier}
_REQUIRED: dict[str, dict[str, Check]] = {
    CHECKIN: {
        **_SESSION,
        "rater": _one_of("client", "therapist"),
        "instrument": _is_identifier,
        "answers": _are_answers,
    },
    # As long as a source, # and an id.
    VOIDED: {"checkin_id": lambda value: _is_identifier(value, 401)},
    HELD: _SESSION,
    MISSED: {**_SESSION, "by": _one_of("client", "therapist", "unknown")},
    CLOSED: {"therapist_id": _is_identifier, "reason": _one_of("planned", "dropout", "transfer")},
    **dict.fromkeys(FLAG_ACTIONS, _ACTION),
}
_OPTIONAL: dict[str, dict[str, Check]] = {
    CHECKIN: {"checkin_id": lambda value: value is None or _is_identifier(value), "revision": _is_revision}
}
_ENVELOPE: dict[str, Check] = {
    "specversion": _one_of("1.0"),
    "id": _is_identifier,
    "source": _is_identifier,
    "subject": _is_identifier,
    "time": lambda value: isinstance(value, str) and instant(value) is not None,
}


def read(value: bytes) -> dict[str, Any]:
    """The event in `value`; raises `Misshapen`."""
    if _depth(value) > DEEPEST:
        raise Misshapen("too-deep")
    if b"\\u0000" in value:
        raise Misshapen("invalid-data")
    tree = parse(value)
    if tree is None:
        raise Misshapen("not-json")
    return _event(tree[0])


def _integer(digits: str) -> int | float:
    """Python reads no integer of more than 4,300 digits, but JSON knows them."""
    return int(digits) if len(digits) < 400 else float(digits)


def parse(value: bytes) -> tuple[Any] | None:
    """The JSON tree in `value`, in a tuple of its own; None if it is not JSON in UTF-8."""
    try:
        tree = json.loads(value.decode("utf-8"), parse_int=_integer, parse_constant=_refuse)
        json.dumps(tree, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return (tree,)


def instant(text: str) -> int | None:
    """Microseconds since 1970 in UTC, finer fractions rounded; None if it is no RFC 3339 time with an offset."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    day, clock, fraction, sign, hours, minutes = found.groups(default="")
    try:
        local = (datetime.fromisoformat(f"{day}T{clock}") - EPOCH) // MICROSECOND
    except ValueError:
        return None
    if sign and (int(hours) > 23 or int(minutes) > 59):
        return None
    offset = (int(hours) * 60 + int(minutes)) * 60_000_000 if sign else 0
    finer = (int(fraction[:9].ljust(9, "0")) + 500) // 1000
    return local + finer - (-offset if sign == "-" else offset)


def _refuse(_: str) -> None:
    raise ValueError("NaN and Infinity are not JSON")


def _depth(value: bytes) -> int:
    deepest = depth = 0
    for bracket in _STRING.sub(b"", value):
        depth += (bracket in b"[{") - (bracket in b"]}")
        deepest = max(deepest, depth)
    return deepest


def _event(tree: Any) -> dict[str, Any]:
    if not isinstance(tree, dict) or not isinstance(tree.get("type"), str):
        raise Misshapen("not-a-cloudevent")
    kind = tree["type"]
    if kind not in _REQUIRED and kind != ERASED:
        raise Misshapen("unknown-type")
    checks = {**_ENVELOPE, "data": _data_check(kind)}
    wrong = [name for name, part in tree.items() if name in checks and not checks[name](part)]
    # If several parts are wrong, the one that comes first in the text gives the reason.
    if not _ENVELOPE.keys() <= tree.keys() or (wrong and wrong[0] != "data"):
        raise Misshapen("not-a-cloudevent")
    if wrong or not ("data" in tree or kind == ERASED):
        raise Misshapen("invalid-data")
    if instant(tree["time"]) not in CALENDAR:
        raise Misshapen("not-a-cloudevent")
    return tree


def _data_check(kind: str) -> Check:
    if kind == ERASED:
        return lambda data: data is None or isinstance(data, dict)
    required, optional = _REQUIRED[kind], _OPTIONAL.get(kind, {})
    return lambda data: isinstance(data, dict) and _fits(data, required, optional)


def _fits(tree: Mapping[str, Any], required: Mapping[str, Check], optional: Mapping[str, Check]) -> bool:
    return all(name in tree and check(tree[name]) for name, check in required.items()) and all(
        check(tree[name]) for name, check in optional.items() if name in tree
    )
