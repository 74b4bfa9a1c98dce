"""A case's records as bytes: what a changelog holds of them.

In: records. Out: rows, one after another, and back; texts stand once, in a list of names beside the rows.
Never: lose anything of a record: `unpack(pack(record)) == record`.

A row is little-endian and as long as its kind says, the kind in its first byte. Scores are whole millionths, 20 bits
each, all ones for "none": total, then the ingredients in their order.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, cast

from pipeline.core.records import (
    ActionRecord,
    CheckinRecord,
    CheckinVoidedRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Record,
)
from schemas.instruments.definition import INGREDIENTS

_MILLION = 1_000_000
_BITS = 20
_NONE = (1 << _BITS) - 1
_SCORE_BYTES = (_BITS * (1 + len(INGREDIENTS)) + 7) // 8

#: Kind, identity, digest, instant; then session, therapist, team, …: eight bytes for a digest, two for a name.
_LAYOUTS = tuple(Struct("<BQQq" + rest) for rest in ("QHH", "QHHH", f"QHHQIBHI{_SCORE_BYTES}s", "Q", "HH", "HH"))
_HELD, _MISSED, _CHECKIN, _VOIDED, _ACTION, _CLOSED = _LAYOUTS
_THERAPIST_BIT, _FLAT_BIT, _PERFECT_BIT = 1, 2, 4


def pack(record: Record, names: list[str]) -> bytes:
    """The row of a record; names that are new are appended to the list."""
    one = record
    if isinstance(one, HeldRecord):
        who, team = _place(one.therapist_id, names), _place(one.team, names)
        return _HELD.pack(0, one.identity, one.digest, one.at, one.session, who, team)
    if isinstance(one, CheckinRecord):
        bits = one.rater * _THERAPIST_BIT | one.flat * _FLAT_BIT | one.perfect * _PERFECT_BIT
        who, team, instrument = _place(one.therapist_id, names), _place(one.team, names), _place(one.instrument, names)
        scores = _packed_scores(one)
        return _CHECKIN.pack(
            2, one.identity, one.digest, one.at, one.session, who, team, one.checkin, one.revision, bits, instrument,
            one.pattern, scores,
        )  # fmt: skip
    if isinstance(one, MissedRecord):
        who, team, by = _place(one.therapist_id, names), _place(one.team, names), _place(one.by, names)
        return _MISSED.pack(1, one.identity, one.digest, one.at, one.session, who, team, by)
    if isinstance(one, CheckinVoidedRecord):
        return _VOIDED.pack(3, one.identity, one.digest, one.at, one.checkin)
    if isinstance(one, ActionRecord):
        flag, action = _place(one.flag_id, names), _place(one.action, names)
        return _ACTION.pack(4, one.identity, one.digest, one.at, flag, action)
    return _CLOSED.pack(5, one.identity, one.digest, one.at, _place(one.therapist_id, names), _place(one.reason, names))


def _place(name: str, names: list[str]) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def unpack(rows: bytes | bytearray, names: Sequence[str]) -> list[Record]:
    """The records of rows, in their order; raises ValueError when the bytes are none."""
    records: list[Record] = []
    start, end = 0, len(rows)
    while start < end:
        kind = rows[start]
        if kind >= len(_LAYOUTS) or start + _LAYOUTS[kind].size > end:
            raise ValueError(f"row of kind {kind} at {start} of {end} bytes")
        values = _LAYOUTS[kind].unpack_from(rows, start)
        records.append(_MAKERS[kind](values[1:], names))
        start += _LAYOUTS[kind].size
    return records


def _packed_scores(record: CheckinRecord) -> bytes:
    ingredients = record.ingredients
    packed = _NONE if record.total is None else round(record.total * _MILLION)
    shift = _BITS
    for name in INGREDIENTS:
        score = ingredients.get(name)
        packed |= (_NONE if score is None else round(score * _MILLION)) << shift
        shift += _BITS
    return packed.to_bytes(_SCORE_BYTES, "little")


def _checkin(values: tuple[Any, ...], names: Sequence[str]) -> CheckinRecord:
    identity, digest, at, session, who, team, checkin, revision, bits, instrument, pattern, scores = values
    packed = int.from_bytes(scores, "little")
    shares = [(packed >> shift) & _NONE for shift in range(0, _BITS * (1 + len(INGREDIENTS)), _BITS)]
    return CheckinRecord(
        identity,
        digest,
        at,
        session,
        names[who],
        names[team],
        checkin,
        revision,
        bits & _THERAPIST_BIT,
        names[instrument],
        None if shares[0] == _NONE else shares[0] / _MILLION,
        {name: share / _MILLION for name, share in zip(INGREDIENTS, shares[1:], strict=True) if share != _NONE},
        bool(bits & _FLAT_BIT),
        bool(bits & _PERFECT_BIT),
        pattern,
    )


def _plain(kind: type, named: int) -> Callable[[tuple[Any, ...], Sequence[str]], Record]:
    """Makes records whose last `named` fields are names."""

    def make(values: tuple[Any, ...], names: Sequence[str]) -> Record:
        return cast(
            Record, kind(*values[: len(values) - named], *(names[one] for one in values[len(values) - named :]))
        )

    return make


_MAKERS: tuple[Callable[[tuple[Any, ...], Sequence[str]], Record], ...] = (
    _plain(HeldRecord, 2),
    _plain(MissedRecord, 3),
    _checkin,
    _plain(CheckinVoidedRecord, 0),
    _plain(ActionRecord, 2),
    _plain(ClosedRecord, 2),
)
