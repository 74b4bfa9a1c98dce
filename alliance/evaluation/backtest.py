"""The detectors over a past history, without Kafka: which flags they would have raised, and how many.

In: events of many cases, in any order, with duplicates. Out: the latest snapshot of each flag; a summary.
Never: a second version of the rules (each case is folded by `pipeline.core.case.timeline`); a clock; a network.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, BinaryIO

import msgspec

from alliance.evaluation.baselines import RULES, Scored, flagged, references
from alliance.evaluation.calibration import CaseScores, Misfit, misfit
from pipeline.core.acceptance import Accepted, accept
from pipeline.core.case.timeline import Timeline, effective, timeline_of
from pipeline.core.detection.detectors import DETECTORS, EXPECTED_FALSE_FLAGS_PER_100
from pipeline.core.detection.prior import DEFAULT_MODEL, DEFAULT_PRIOR, MeasurementModel, Prior, measurement_models
from pipeline.core.detection.signal import Detector
from pipeline.core.instants import DAY_US
from pipeline.core.records import CLIENT, CheckinRecord, HeldRecord, MissedRecord, Record, record_of
from schemas.codec import encode
from schemas.events import CaseErased
from schemas.flags import KINDS, LIVE_STATUSES, SEVERITIES, Flag
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments
from schemas.refusals import SENTENCES, Reason

#: A history has no Kafka timestamps. With one this far ahead, no event in it is in the future.
_NO_TIMESTAMP_MS = 2**52
#: The size of practice for which flags per week are stated.
PRACTICE_THERAPISTS = 40
_DAY_SECONDS = 86_400

Raw = bytes | Mapping[str, Any]


@dataclass(slots=True)
class Histories:
    """The sets of all cases, and what was refused."""

    cases: dict[str, list[Record]] = field(default_factory=dict)
    #: Lines that are not blank; for each reason, how many were refused and the number of the first one in the file.
    lines: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    first_refused: dict[Reason, int] = field(default_factory=dict)

    @property
    def has_nothing_accepted(self) -> bool:
        """Whether there was no line at all, or all were refused."""
        return self.lines == self.refused.total()


@dataclass(slots=True)
class Backtest:
    """The flags that the detectors would have raised, and the counts to compare them with."""

    flags: list[Flag]
    histories: Histories
    checkins: int
    therapist_weeks: int
    #: Flags that each kind alone, and each of the field's rules at its usual setting, would have raised.
    alone: dict[str, int]
    field_rules: dict[str, int]
    #: The false-alarm rate of all kinds together at sensitivity 1: expected false flags per 100 check-ins.
    expected_per_100: float
    scores: dict[str, list[Scored]]
    models: Mapping[str, MeasurementModel]
    sensitivity: float
    #: By instrument, if the mean score is far from what the prior expects.
    misfits: dict[str, Misfit]

    @property
    def flagged_cases(self) -> int:
        """Cases with at least one flag."""
        return len({flag.case_id for flag in self.flags})

    @property
    def per_100_checkins(self) -> float:
        """Flags per 100 scored client check-ins."""
        return 100 * len(self.flags) / max(self.checkins, 1)

    @property
    def per_practice_week(self) -> float:
        """Flags a week in a practice of 40 working therapists."""
        return PRACTICE_THERAPISTS * len(self.flags) / max(self.therapist_weeks, 1)


def histories_of(events: Iterable[Raw], instruments: Mapping[str, Instrument]) -> Histories:
    """The sets of accepted records by case; an erased case leaves nothing."""
    found: dict[str, dict[tuple[int, int], Record]] = {}
    erased: set[str] = set()
    histories = Histories()
    for number, raw in enumerate(events, start=1):
        value = raw if isinstance(raw, bytes) else msgspec.json.encode(raw)
        if value.isspace() or not value:
            continue
        histories.lines += 1
        verdict = accept(value, _key_of(value), _NO_TIMESTAMP_MS, instruments)
        if not isinstance(verdict, Accepted):
            histories.refused[verdict.reason] += 1
            histories.first_refused.setdefault(verdict.reason, number)
        elif isinstance(verdict.event, CaseErased):
            erased.add(verdict.event.subject)
        else:
            record = record_of(verdict)
            found.setdefault(verdict.event.subject, {})[record.identity, record.digest] = record
    histories.cases = {case_id: _winners(found[case_id].values()) for case_id in sorted(found) if case_id not in erased}
    return histories


class _Subject(msgspec.Struct):
    subject: str = ""


def _key_of(value: bytes) -> bytes:
    """A file has no record keys; the subject is used instead."""
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
    models = measurement_models(known, prior)
    histories = histories_of(events, known)
    scores = {case_id: scored(records) for case_id, records in histories.cases.items()}
    return Backtest(
        flags=_flags(histories, models, DETECTORS, sensitivity),
        histories=histories,
        checkins=sum(len(of_case) for of_case in scores.values()),
        therapist_weeks=_therapist_weeks(histories),
        alone={detector.__name__: len(_flags(histories, models, (detector,), sensitivity)) for detector in DETECTORS},
        field_rules={name: sum(_count(of_case, name) for of_case in scores.values()) for name in RULES},
        expected_per_100=EXPECTED_FALSE_FLAGS_PER_100,
        scores=scores,
        models=models,
        sensitivity=sensitivity,
        misfits=_misfits(histories, prior),
    )


def _misfits(histories: Histories, prior: Prior) -> dict[str, Misfit]:
    found = {name: misfit(calibration_cases(histories, name), prior) for name in scored_by_instrument(histories)}
    return {name: far_off for name, far_off in found.items() if far_off is not None}


def _count(scores: Sequence[Scored], name: str) -> int:
    rule = RULES[name]
    return sum(1 for _ in flagged(scores, references(rule, scores), rule.usual))


def _flags(
    histories: Histories, models: Mapping[str, MeasurementModel], detectors: tuple[Detector, ...], sensitivity: float
) -> list[Flag]:
    flags = [
        episode.snapshot(case_id, len(records))
        for case_id, records in histories.cases.items()
        for episode in folded(case_id, records, models, detectors, sensitivity).episodes.by_flag_id.values()
    ]
    return sorted(flags, key=lambda flag: (flag.opened_at, flag.flag_id))


def folded(
    case_id: str,
    records: Iterable[Record],
    models: Mapping[str, MeasurementModel],
    detectors: tuple[Detector, ...] = DETECTORS,
    sensitivity: float = 1.0,
) -> Timeline:
    """One case from scratch."""
    return timeline_of(case_id, records, models, detectors=detectors, sensitivity=sensitivity)


def scored(records: Iterable[Record]) -> list[Scored]:
    """Session number and score of each scored client check-in that counts, in order."""
    return _scores(numbered_visits(records))


Visit = HeldRecord | MissedRecord | CheckinRecord


def _scores(visits: Iterable[tuple[int, Visit]], instrument: str | None = None) -> list[Scored]:
    """Only those by this instrument, if one is given."""
    return [
        (number, record.total)
        for number, record in visits
        if isinstance(record, CheckinRecord)
        and record.rater == CLIENT
        and record.total is not None
        and instrument in (None, record.instrument)
    ]


def numbered_visits(records: Iterable[Record]) -> list[tuple[int, Visit]]:
    """The sessions and check-ins that count, in order, by session number; a missed session has the number before it."""
    numbers: dict[int, int] = {}
    found: list[tuple[int, Visit]] = []
    for _, record in effective(records):
        if isinstance(record, HeldRecord | CheckinRecord):
            found.append((numbers.setdefault(record.session, len(numbers) + 1), record))
        elif isinstance(record, MissedRecord):
            found.append((len(numbers), record))
    return found


def scored_by_instrument(histories: Histories) -> dict[str, int]:
    """The number of scored client check-ins that count, by instrument, the most used first."""
    counts = Counter(
        record.instrument
        for records in histories.cases.values()
        for _, record in effective(records)
        if isinstance(record, CheckinRecord) and record.rater == CLIENT and record.total is not None
    )
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def calibration_cases(
    histories: Histories, instrument: str | None = None, model: MeasurementModel = DEFAULT_MODEL
) -> list[CaseScores]:
    """What the calibration needs of each case; the therapist is that of the latest session or check-in.

    Scores are those by the named instrument, or all; `model` says how coarse that instrument is. A session counts as
    answered by any instrument.
    """
    found = []
    for records in histories.cases.values():
        numbered = numbered_visits(records)
        visits = [visit for _, visit in numbered]
        answered = {visit.session for visit in visits if isinstance(visit, CheckinRecord) and visit.rater == CLIENT}
        found.append(
            CaseScores(
                therapist_id=visits[-1].therapist_id if visits else "",
                scores=tuple(_scores(numbered, instrument)),
                sessions_held=len({visit.session for visit in visits if not isinstance(visit, MissedRecord)}),
                sessions_answered=len(answered),
                missed_by_client=sum(isinstance(visit, MissedRecord) and visit.by == "client" for visit in visits),
                model=model,
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


def write_flags(result: Backtest, file: BinaryIO) -> None:
    """One flag a line, in the order in which they opened."""
    for flag in result.flags:
        file.write(encode(flag))
        file.write(b"\n")


def summary_text(result: Backtest) -> str:
    """What a practice needs to decide about the detectors, as plain text."""
    flags, cases = result.flags, len(result.histories.cases)
    sections = [
        [
            f"{counted(cases, 'case')}, {counted(result.checkins, 'scored client check-in')}, "
            f"{counted(len(flags), 'flag')}",
            *refusal_lines(result.histories),
        ],
        [
            f"flags per 100 check-ins      {result.per_100_checkins:8.2f}",
            f"flags per {PRACTICE_THERAPISTS}-therapist week  {result.per_practice_week:8.2f}",
            f"cases flagged                {100 * result.flagged_cases / max(cases, 1):7.1f}%  "
            f"({result.flagged_cases} of {cases})",
            _expected_line(result),
        ],
        _kinds_table(result),
        ["how the flags ended:", *_endings(flags)],
        [
            "common rules at their usual setting (an open flag is not raised again): flags, per 100 check-ins",
            *(
                f"{name:18} {count:6d} {100 * count / max(result.checkins, 1):7.2f}   {RULES[name].formula}"
                for name, count in result.field_rules.items()
            ),
        ],
        [_misfit_line(name, misfit) for name, misfit in result.misfits.items()],
    ]
    return "\n\n".join("\n".join(section) for section in sections if section)


def counted(count: int, noun: str) -> str:
    """A number and its noun: 1 flag, 2 flags."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def refusal_lines(histories: Histories) -> list[str]:
    """How many lines were refused and why, with the number of the first line for each reason, and what to do."""
    total = histories.refused.total()
    if not total:
        return ["no line was refused"]
    return [
        f"{total} of {counted(histories.lines, 'line')} {'was' if total == 1 else 'were'} refused:",
        *(
            f"  {reason:20} {count:6d}  first in line {histories.first_refused[reason]}.  {SENTENCES[reason]}"
            for reason, count in histories.refused.most_common()
        ),
        "  Each reason is explained in docs/integrators.md.",
    ]


def _expected_line(result: Backtest) -> str:
    """The false-alarm rate, which was measured at sensitivity 1 only."""
    rate = result.expected_per_100
    line = f"expected false flags         {rate * result.checkins / 100:8.1f}  ({rate:g} per 100 check-ins"
    if result.sensitivity == 1.0:
        return f"{line}, as if no case had a rupture)"
    return f"{line} at sensitivity 1.0; not measured at {result.sensitivity:g})"


def _kinds_table(result: Backtest) -> list[str]:
    counts = Counter((flag.kind, flag.severity) for flag in result.flags)

    def row(name: str, numbers: Iterable[int], note: str = "") -> str:
        return f"{name:12}" + "".join(f"{number:9d}" for number in numbers) + note

    rows = ["flags       " + "".join(f"{name:>9}" for name in SEVERITIES) + "      all   raised by this kind alone"]
    for kind in KINDS:
        numbers = [counts[kind, severity] for severity in SEVERITIES]
        rows.append(row(kind, (*numbers, sum(numbers)), f"   {result.alone[kind]:9d}"))
    severities = Counter(flag.severity for flag in result.flags)
    rows.append(row("all", (*(severities[name] for name in SEVERITIES), len(result.flags))))
    return rows


def _endings(flags: Sequence[Flag]) -> list[str]:
    ends = Counter("live" if flag.status in LIVE_STATUSES else flag.status for flag in flags)
    days = [
        (flag.closed_at - flag.opened_at).total_seconds() / _DAY_SECONDS
        for flag in flags
        if flag.status == "repaired" and flag.closed_at is not None
    ]
    notes = {
        "repaired": f"median {median(days):.0f} days to repair" if days else "",
        "live": "at the end of the history",
    }
    return [
        f"  {name:12} {ends[name]:6d}  {notes.get(name, '')}".rstrip()
        for name in ("repaired", "unrepaired", "dismissed", "live")
    ]


def _misfit_line(instrument: str, misfit: Misfit) -> str:
    return (
        f"The prior does not fit {instrument}: the observed mean of {misfit.checkins} check-ins is "
        f"{misfit.observed:.2f}, and this prior expects {misfit.expected:.2f}. Run `alliance calibrate` and set "
        "ALLIANCE_PRIOR; otherwise the figures above are not valid."
    )
