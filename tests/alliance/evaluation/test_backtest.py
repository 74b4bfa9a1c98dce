"""The detectors over a history: any order, any duplication, the same flags; a summary; a prior of one's own."""

import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from alliance.evaluation.backtest import (
    backtest,
    calibration_cases,
    histories_of,
    scored_by_instrument,
    summary_text,
    write_flags,
)
from alliance.evaluation.calibration import calibrate, calibration_text
from alliance.simulation.practice import PracticeParameters, simulate
from deploy.testbed.builders import Json, a_checkin, a_closure, a_held, an_action, an_erasure
from deploy.testbed.in_memory import INSTRUMENTS
from pipeline.core.detection.detectors import EXPECTED_FALSE_FLAGS_PER_100
from pipeline.core.detection.prior import DEFAULT_PRIOR, decode_prior, encode_prior
from schemas.flags import KINDS, SEVERITIES, Flag
from schemas.refusals import SENTENCES, Reason

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)


def a_practice(**overrides: object) -> PracticeParameters:
    return PracticeParameters(**{"first_day": FIRST_DAY, "therapists": 3, "weeks": 12, "seed": 5, **overrides})  # type: ignore[arg-type]


def a_drop() -> list[Json]:
    return [*(a_checkin(session, 9.0) for session in range(1, 5)), a_checkin(5, 4.0)]


def test_the_same_events_in_any_order_and_twice_give_the_same_flags() -> None:
    events = simulate(a_practice(therapist_checkins=True, corrected_share=0.1, voided_share=0.05)).events
    shuffled = events + events[::3]
    random.Random(1).shuffle(shuffled)
    assert backtest(shuffled).flags == backtest(events).flags


def test_flags_are_written_one_a_line_and_can_be_read_again(tmp_path: Path) -> None:
    result = backtest(a_drop())
    with (tmp_path / "flags.jsonl").open("wb") as file:
        write_flags(result, file)
    lines = (tmp_path / "flags.jsonl").read_bytes().splitlines()
    assert [msgspec.json.decode(line, type=Flag) for line in lines] == result.flags
    assert [flag.kind for flag in result.flags] == ["drop"]


def test_a_refused_record_is_counted_and_an_erased_case_leaves_nothing() -> None:
    result = backtest([*a_drop(), an_erasure(6), {"specversion": "1.0"}, b"not json", a_checkin(1, subject="c-2")])
    assert result.flags == []
    assert sum(result.histories.refused.values()) == 2
    assert list(result.histories.cases) == ["c-2"]


def test_the_summary_names_every_kind_and_the_fields_rules() -> None:
    text = summary_text(backtest(a_drop()))
    assert all(kind in text for kind in (*KINDS, "own-sd", "xmr", "reliable-change", "level-or-drop"))
    assert text.startswith("1 case, 5 scored client check-ins, 1 flag\nno line was refused\n")


def test_the_summary_says_why_lines_were_refused_and_which_was_the_first() -> None:
    lines = [b"\n", b"not json", b"  \r\n", b"{", b"{}", *(msgspec.json.encode(event) for event in a_drop())]
    result = backtest(lines)
    assert (result.histories.lines, result.histories.has_nothing_accepted) == (8, False)
    text = summary_text(result)
    assert "3 of 8 lines were refused:" in text
    assert "  not-json                  2  first in line 2.  " + SENTENCES[Reason.NOT_JSON] in text
    assert "  not-a-cloudevent          1  first in line 5.  " in text
    assert "docs/integrators.md" in text
    assert "1 of 6 lines was refused:" in summary_text(backtest([b"no", *a_drop()]))


def test_the_summary_shows_kinds_by_severity_cases_flagged_and_how_flags_ended() -> None:
    def of(case: str, events: list[Json]) -> list[Json]:
        return [{**event, "subject": case} for event in events]

    back = [a_checkin(session, 9.0) for session in (6, 8)]
    dropped = backtest(a_drop()).flags[0]
    dismissed_id = backtest(of("c-4", a_drop())).flags[0].flag_id
    events = [
        *of("c-1", a_drop()),
        *of("c-2", [*a_drop(), *back]),
        *of("c-3", [*a_drop(), a_closure(6)]),
        *of("c-4", [*a_drop(), an_action("dismissed", dismissed_id, 6)]),
        *of("c-5", [a_checkin(1)]),
    ]
    text = summary_text(backtest(events))
    assert "cases flagged                   80.0%  (4 of 5)" in text
    counts = {severity: 4 if severity == dropped.severity else 0 for severity in SEVERITIES}
    ours = text.partition("common rules")[0]
    rows = {line.split()[0]: line.split()[1:] for line in ours.splitlines() if line.strip()}
    assert rows["drop"][:4] == [*(str(counts[severity]) for severity in SEVERITIES), "4"]
    assert rows["all"] == [*(str(counts[severity]) for severity in SEVERITIES), "4"]
    assert " ".join(rows["repaired"]) == "1 median 21 days to repair"
    assert [rows[end][0] for end in ("unrepaired", "dismissed", "live")] == ["1", "1", "1"]


def test_the_expected_figure_is_not_shown_for_a_sensitivity_at_which_it_was_not_measured() -> None:
    rate = f"{EXPECTED_FALSE_FLAGS_PER_100:g} per 100 check-ins"
    assert f"({rate}, as if no case had a rupture)" in summary_text(backtest(a_drop()))
    assert f"({rate} at sensitivity 1.0; not measured at 0.4)" in summary_text(backtest(a_drop(), sensitivity=0.4))


def test_the_summary_says_when_the_prior_does_not_fit_an_instrument() -> None:
    def answered(score: float) -> str:
        return summary_text(backtest([a_checkin(1, score, subject=f"c-{case}") for case in range(12)]))

    assert "The prior does not fit" not in answered(9.2)
    assert (
        "The prior does not fit checkin-4/1: the observed mean of 12 check-ins is 0.70, and this prior expects 0.92. "
        "Run `alliance calibrate` and set ALLIANCE_PRIOR; otherwise the figures above are not valid."
    ) in answered(7.0)


def test_each_instrument_is_judged_by_its_own_scores() -> None:
    low = dict.fromkeys(("relationship", "goals_topics", "approach_method", "overall"), 5.0)
    events = [
        event
        for case in range(12)
        for event in (
            a_checkin(1, 9.2, subject=f"c-{case}"),
            a_checkin(2, subject=f"c-{case}", instrument="srs/3", answers=low),
        )
    ]
    result = backtest(events)
    assert scored_by_instrument(result.histories) == {"checkin-4/1": 12, "srs/3": 12}
    assert list(result.misfits) == ["srs/3"]
    only = calibration_cases(result.histories, "srs/3")
    assert [case.scores for case in only] == [((2, 0.5),)] * 12
    assert all((case.sessions_held, case.sessions_answered) == (2, 2) for case in only)


def test_nothing_at_all_can_be_summed_up() -> None:
    result = backtest([])
    assert (result.per_100_checkins, result.per_practice_week) == (0.0, 0.0)
    assert "0 cases" in summary_text(result)


def test_fewer_flags_come_of_a_higher_limit() -> None:
    events = simulate(a_practice()).events

    def flags(sensitivity: float) -> int:
        return len(backtest(events, sensitivity=sensitivity).flags)

    assert flags(0.5) > flags(1.0) > flags(2.0)


def test_a_practice_of_its_own_is_recovered() -> None:
    parameters = a_practice(therapists=8, weeks=26, ceiling="low", inverted_share=0.02, cases_under_way=False)
    found = calibrate(calibration_cases(histories_of(simulate(parameters).events, INSTRUMENTS)))
    assert found.refusal is None
    assert abs(found.components["within_sd"].value * 40 - 2.5) < 0.25
    assert abs(found.components["between_sd"].value * 40 - parameters.between_sd) < 0.6
    assert abs(found.components["autocorrelation"].value - 0.3) < 0.1
    assert abs(found.components["missing_share"].value - 0.3) < 0.06
    assert all(estimate.standard_error > 0 for estimate in found.components.values())
    assert "within_sd" in calibration_text(found)


def test_a_prior_can_be_kept_in_a_file() -> None:
    assert decode_prior(encode_prior(DEFAULT_PRIOR)) == DEFAULT_PRIOR
    for wrong in (b"no", b"{}", encode_prior(DEFAULT_PRIOR).replace(b"0.3,", b"7,")):
        with pytest.raises(ValueError, match="prior"):
            decode_prior(wrong)


def test_too_little_data_is_refused_and_the_shipped_prior_stays() -> None:
    found = calibrate(calibration_cases(histories_of([a_held(1), *a_drop()], INSTRUMENTS)))
    assert found.prior == DEFAULT_PRIOR
    assert found.refusal is not None and "too few" in found.refusal
