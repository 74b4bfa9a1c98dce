"""The detectors over a history: any order, any duplication, the same flags; a summary; a prior of one's own."""

import random
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from pipeline.backtest import backtest, calibration_cases, histories_of, summary_text, write_flags
from pipeline.core.calibration import calibrate, calibration_text
from pipeline.core.prior import DEFAULT_PRIOR, decode_prior, encode_prior
from pipeline.simulation.practice import PracticeParameters, simulate
from schemas.flags import KINDS, Flag
from tests.support.builders import Json, a_checkin, a_held, an_erasure
from tests.support.straight import INSTRUMENTS

FIRST_DAY = datetime(2026, 1, 5, tzinfo=UTC)


def a_practice(**overrides: object) -> PracticeParameters:
    return PracticeParameters(**{"first_day": FIRST_DAY, "therapists": 3, "weeks": 12, "seed": 5, **overrides})  # type: ignore[arg-type]


def a_drop() -> list[Json]:
    return [*(a_checkin(session, 9.0) for session in range(1, 5)), a_checkin(5, 4.0)]


def test_the_same_events_in_any_order_and_twice_give_the_same_flags() -> None:
    events = simulate(a_practice(therapist_checkins=True, corrected_share=0.1, withdrawn_share=0.05)).events
    shuffled = events + events[::3]
    random.Random(1).shuffle(shuffled)
    assert backtest(shuffled).flags == backtest(events).flags


def test_flags_are_written_one_a_line_and_can_be_read_again(tmp_path: Path) -> None:
    result = backtest(a_drop())
    write_flags(result, tmp_path / "flags.jsonl")
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
    assert "1 flags" in text


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
    assert all(one.standard_error > 0 for one in found.components.values())
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
