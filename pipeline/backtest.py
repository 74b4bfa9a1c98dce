"""The detectors over a history, without Kafka: flags, and what they would have cost.

In: events of many cases, in any order, duplicates and all. Out: the latest snapshot of each flag; a summary.
Never: a second version of the rules (each case is folded by `pipeline.core.course`); a clock; a network.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from pipeline.baselines import RULES, Scored, flagged, references
from pipeline.core.acceptance import Accepted, accept
from pipeline.core.calibration import CaseScores
from pipeline.core.course import Course, course_of, effective
from pipeline.core.detectors import DETECTORS, EXPECTED_FALSE_FLAGS_PER_100
from pipeline.core.history import Detector
from pipeline.core.instants import DAY_US
from pipeline.core.prior import DEFAULT_PRIOR, Prior, Yardstick, yardsticks_of
from pipeline.core.records import CLIENT, CheckinRecord, HeldRecord, MissedRecord, Record, record_of
from schemas.codec import encode
from schemas.events import CaseErased
from schemas.flags import KINDS, SEVERITIES, Flag
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments

#: A history has no Kafka timestamps: nothing in it is in the future.
_NO_TIMESTAMP_MS = 2**52
PRACTICE_THERAPISTS = 40

Raw = bytes | Mapping[str, Any]


@dataclass(slots=True)
class Histories:
    """The sets of all cases, and what was refused."""

    cases: dict[str, list[Record]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)


@dataclass(slots=True)
class Backtest:
    """What the detectors would have told, and the counts that it is held against."""

    flags: list[Flag]
    histories: Histories
    checkins: int
    therapist_weeks: int
    #: Flags that each kind alone, and each of the field's rules at its usual setting, would have raised.
    alone: dict[str, int]
    field_rules: dict[str, int]
    #: Printed with the rules: expected false flags per 100 check-ins, of all kinds together.
    expected_per_100: float
    scores: dict[str, list[Scored]]

    @property
    def per_100_checkins(self) -> float:
        """Flags per 100 scored client check-ins."""
        return 100 * len(self.flags) / max(self.checkins, 1)

    @property
    def per_practice_week(self) -> float:
        """Flags a week in a practice of 40 therapists who work."""
        return PRACTICE_THERAPISTS * len(self.flags) / max(self.therapist_weeks, 1)


def histories_of(events: Iterable[Raw], instruments: Mapping[str, Instrument]) -> Histories:
    """The sets of accepted records by case; an erased case leaves nothing."""
    found: dict[str, dict[tuple[int, int], Record]] = {}
    erased: set[str] = set()
    histories = Histories()
    for raw in events:
        value = raw if isinstance(raw, bytes) else msgspec.json.encode(raw)
        verdict = accept(value, _key_of(value), _NO_TIMESTAMP_MS, instruments)
        if not isinstance(verdict, Accepted):
            histories.refused[str(verdict.reason)] += 1
        elif isinstance(verdict.event, CaseErased):
            erased.add(verdict.event.subject)
        else:
            record = record_of(verdict)
            found.setdefault(verdict.event.subject, {})[record.identity, record.digest] = record
    histories.cases = {one: _winners(found[one].values()) for one in sorted(found) if one not in erased}
    return histories


class _Subject(msgspec.Struct):
    subject: str = ""


def _key_of(value: bytes) -> bytes:
    """A file has no record keys; the subject stands in."""
    try:
        return msgspec.json.decode(value, type=_Subject).subject.encode()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return b""


def _winners(records: Iterable[Record]) -> list[Record]:
    """One content for each identity: the greatest digest, as in a case's state."""
    winners: dict[int, Record] = {}
    for record in records:
        known = winners.get(record.identity)
        if known is None or record.digest > known.digest:
            winners[record.identity] = record
    return list(winners.values())


def backtest(
    events: Iterable[Raw],
    instruments: Mapping[str, Instrument] | None = None,
    prior: Prior = DEFAULT_PRIOR,
    sensitivity: float = 1.0,
) -> Backtest:
    """Run all detectors over all cases; the same events in any order give the same result."""
    known = load_instruments(None) if instruments is None else instruments
    yardsticks = yardsticks_of(known, prior)
    histories = histories_of(events, known)
    scores = {case_id: scored(records) for case_id, records in histories.cases.items()}
    return Backtest(
        flags=_flags(histories, yardsticks, DETECTORS, sensitivity),
        histories=histories,
        checkins=sum(len(one) for one in scores.values()),
        therapist_weeks=_therapist_weeks(histories),
        alone={
            detector.__name__: len(_flags(histories, yardsticks, (detector,), sensitivity)) for detector in DETECTORS
        },
        field_rules={name: sum(_count(one, name) for one in scores.values()) for name in RULES},
        expected_per_100=EXPECTED_FALSE_FLAGS_PER_100,
        scores=scores,
    )


def _count(scores: Sequence[Scored], name: str) -> int:
    rule = RULES[name]
    return sum(1 for _ in flagged(scores, references(rule, scores), rule.usual))


def _flags(
    histories: Histories, yardsticks: Mapping[str, Yardstick], detectors: tuple[Detector, ...], sensitivity: float
) -> list[Flag]:
    flags = [
        life.snapshot(case_id, len(records))
        for case_id, records in histories.cases.items()
        for life in folded(case_id, records, yardsticks, detectors, sensitivity).lives.values()
    ]
    return sorted(flags, key=lambda flag: (flag.opened_at, flag.flag_id))


def folded(
    case_id: str,
    records: Iterable[Record],
    yardsticks: Mapping[str, Yardstick],
    detectors: tuple[Detector, ...] = DETECTORS,
    sensitivity: float = 1.0,
) -> Course:
    """One case from scratch."""
    return course_of(case_id, records, yardsticks, detectors=detectors, sensitivity=sensitivity)


def scored(records: Iterable[Record]) -> list[Scored]:
    """Session number and score of each client check-in that counts, in order."""
    numbers: dict[int, int] = {}
    found: list[Scored] = []
    for _, record in effective(records):
        if isinstance(record, HeldRecord | CheckinRecord):
            number = numbers.setdefault(record.session, len(numbers) + 1)
            if isinstance(record, CheckinRecord) and record.rater == CLIENT and record.total is not None:
                found.append((number, record.total))
    return found


def calibration_cases(histories: Histories) -> list[CaseScores]:
    """What `pipeline.core.calibration` needs of each case; the therapist is that of the latest session or check-in."""
    found = []
    for records in histories.cases.values():
        visits = [
            record for _, record in effective(records) if isinstance(record, HeldRecord | MissedRecord | CheckinRecord)
        ]
        answered = {one.session for one in visits if isinstance(one, CheckinRecord) and one.rater == CLIENT}
        found.append(
            CaseScores(
                therapist_id=visits[-1].therapist_id if visits else "",
                scores=tuple(scored(records)),
                sessions_held=len({one.session for one in visits if not isinstance(one, MissedRecord)}),
                sessions_answered=len(answered),
                missed_by_client=sum(isinstance(one, MissedRecord) and one.by == "client" for one in visits),
            )
        )
    return found


def _therapist_weeks(histories: Histories) -> int:
    """Pairs of a therapist and a week (seven days since 1970) with at least one session or check-in."""
    return len(
        {
            (record.therapist_id, record.at // (7 * DAY_US))
            for records in histories.cases.values()
            for record in records
            if isinstance(record, HeldRecord | CheckinRecord)
        }
    )


def write_flags(result: Backtest, path: Path) -> None:
    """One flag a line, by the instant of opening."""
    with path.open("wb") as file:
        for flag in result.flags:
            file.write(encode(flag))
            file.write(b"\n")


def summary_text(result: Backtest) -> str:
    """What a practice can decide with, as plain text."""
    flags, expected = result.flags, result.expected_per_100
    kinds = Counter(flag.kind for flag in flags)
    severities = Counter(flag.severity for flag in flags)
    statuses = Counter(flag.status for flag in flags)
    rows = [
        f"{len(result.histories.cases)} cases, {result.checkins} scored client check-ins, {len(flags)} flags",
        f"{sum(result.histories.refused.values())} records refused",
        f"flags per 100 check-ins      {result.per_100_checkins:8.2f}",
        f"flags per {PRACTICE_THERAPISTS}-therapist week  {result.per_practice_week:8.2f}",
        f"expected false flags         {expected * result.checkins / 100:8.1f}  ({expected:g} per 100 check-ins)",
        "",
        "by severity: " + _listed({one: severities[one] for one in SEVERITIES}),
        "by status:   " + _listed(dict(sorted(statuses.items()))),
        "",
        "kind           flags   alone, it would have raised",
        *(f"{kind:12} {kinds[kind]:7d} {result.alone[kind]:7d}" for kind in KINDS),
        "",
        "the field's rules at their usual setting, an open flag not raised again either: flags, per 100 check-ins",
        *(
            f"{name:18} {count:6d} {100 * count / max(result.checkins, 1):7.2f}   {RULES[name].formula}"
            for name, count in result.field_rules.items()
        ),
    ]
    return "\n".join(rows)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
