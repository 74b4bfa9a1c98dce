"""A case as bytes: what the changelog holds of it.

In: records; the parts of a case's state. Out: bytes, and back.
Never: lose anything of a record: `unpack(pack(record)) == record`.

Records are binary rows, one after another; each text is stored once, in a list of names beside the rows. A row is
little-endian, its kind is in its first byte, and its length follows from the kind. Scores are whole millionths in
20 bits, all ones for "no score": the total, then the ingredients in their order.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, cast

import msgspec

from pipeline.core.records import (
    ActionRecord,
    CheckinRecord,
    CheckinVoidedRecord,
    ClosedRecord,
    HeldRecord,
    MissedRecord,
    Position,
    Record,
)
from schemas.instruments.definition import INGREDIENTS

_MILLION = 1_000_000
_BITS = 20
_NONE = (1 << _BITS) - 1
_SCORE_BYTES = (_BITS * (1 + len(INGREDIENTS)) + 7) // 8

#: Kind, identity, digest, instant; then session, therapist, team, …: eight bytes for a digest, two for a name's place
#: in the list, so that a case can hold 65,536 different texts.
_LAYOUTS = tuple(Struct("<BQQq" + rest) for rest in ("QHH", "QHHH", f"QHHQIBHI{_SCORE_BYTES}s", "Q", "HH", "HH"))
_HELD, _MISSED, _CHECKIN, _VOIDED, _ACTION, _CLOSED = _LAYOUTS
_THERAPIST_BIT, _STRAIGHT_LINED_BIT, _PERFECT_BIT = 1, 2, 4


def pack(record: Record, names: list[str]) -> bytes:
    """The row of a record; names that are new are appended to the list."""
    if isinstance(record, HeldRecord):
        who, team = _place(record.therapist_id, names), _place(record.team, names)
        return _HELD.pack(0, record.identity, record.digest, record.at, record.session, who, team)
    if isinstance(record, CheckinRecord):
        return _packed_checkin(record, names)
    if isinstance(record, MissedRecord):
        who, team, by = _place(record.therapist_id, names), _place(record.team, names), _place(record.by, names)
        return _MISSED.pack(1, record.identity, record.digest, record.at, record.session, who, team, by)
    if isinstance(record, CheckinVoidedRecord):
        return _VOIDED.pack(3, record.identity, record.digest, record.at, record.checkin)
    if isinstance(record, ActionRecord):
        flag, action = _place(record.flag_id, names), _place(record.action, names)
        return _ACTION.pack(4, record.identity, record.digest, record.at, flag, action)
    who, reason = _place(record.therapist_id, names), _place(record.reason, names)
    return _CLOSED.pack(5, record.identity, record.digest, record.at, who, reason)


def _packed_checkin(record: CheckinRecord, names: list[str]) -> bytes:
    bits = record.rater * _THERAPIST_BIT
    bits |= record.straight_lined * _STRAIGHT_LINED_BIT | record.perfect * _PERFECT_BIT
    who, team = _place(record.therapist_id, names), _place(record.team, names)
    instrument = _place(record.instrument, names)
    return _CHECKIN.pack(
        2, record.identity, record.digest, record.at, record.session, who, team, record.checkin, record.revision, bits,
        instrument, record.pattern, _packed_scores(record),
    )  # fmt: skip


def _place(name: str, names: list[str]) -> int:
    if name not in names:
        names.append(name)
    return names.index(name)


def unpack(rows: bytes | bytearray, names: Sequence[str]) -> list[Record]:
    """The records of rows, in their order; raises ValueError if the bytes are not rows."""
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
        bool(bits & _STRAIGHT_LINED_BIT),
        bool(bits & _PERFECT_BIT),
        pattern,
    )


def _plain(kind: type, named: int) -> Callable[[tuple[Any, ...], Sequence[str]], Record]:
    """Makes records whose last `named` fields are names."""

    def make(values: tuple[Any, ...], names: Sequence[str]) -> Record:
        return cast(
            Record, kind(*values[: len(values) - named], *(names[place] for place in values[len(values) - named :]))
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


class StoredCase(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A case in the changelog, format 2; `pipeline.core.case.state` says what each part means."""

    format: int
    rows: bytes
    names: list[str]
    losing_digests: frozenset[int]
    retracted_flag_ids: frozenset[str]
    therapists: dict[str, tuple[Position, str]]
    trimmed: int
    sessions_before: int
    horizon: Position | None


FORMAT = 2
_decoder = msgspec.msgpack.Decoder(StoredCase)
_encoder = msgspec.msgpack.Encoder(order="deterministic")
_erased_decoder = msgspec.msgpack.Decoder(int)


def encode(stored: StoredCase) -> bytes:
    """The parts of a case as bytes; the same parts always give the same bytes."""
    return _encoder.encode(stored)


def decode(value: bytes) -> StoredCase:
    """The parts of a case; raises `msgspec.DecodeError`."""
    stored = _decoder.decode(value)
    if stored.format != FORMAT:
        raise msgspec.DecodeError(f"changelog format {stored.format} is not known to this version")
    return stored


def is_erased(value: bytes) -> bool:
    """Whether the bytes are the mark of an erased case: a number, where a case is an array."""
    # MessagePack: an array begins with a byte in 0x90-0xdf, a whole number of 0 or more never does.
    return not value[:1] or not 0x90 <= value[0] <= 0xDF


def encode_erased(version: int) -> bytes:
    """The mark of an erased case: its version."""
    return _encoder.encode(version)


def decode_erased(value: bytes) -> int:
    """The version of an erased case."""
    return _erased_decoder.decode(value)
