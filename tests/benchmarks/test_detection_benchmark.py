"""The detection benchmark: what it leaves out makes no difference, and what it writes disturbs nothing else."""

from collections import Counter

import pytest

from alliance.evaluation.baselines import RULES, flagged, references
from alliance.simulation.parameters import INSTRUMENT
from benchmarks.detection_default import at_default, together
from benchmarks.detection_measure import SENSITIVITIES, Tally, caught_at, field_curves, product_openings, tally
from benchmarks.detection_page import with_section
from benchmarks.detection_practice import Conditions, Practice, coarse, practice
from pipeline.core.detection.prior import measurement_models
from schemas.instruments.registry import load_instruments

SMALL = Conditions(seeds=1, therapists=1, weeks=26)


@pytest.fixture(scope="module")
def small() -> Practice:
    return a_practice(SMALL)


def a_practice(conditions: Conditions) -> Practice:
    return practice(("low", 4.0, 0.3, "informative"), 1, conditions, measurement_models(conditions.instruments))


def test_cases_that_are_not_asked_again_would_not_have_been_flagged(small: Practice) -> None:
    asked_always = [
        {
            case_id: sessions
            for case_id in small.items
            if (
                sessions := [
                    flag.session_number for flag in small.folded(case_id, sensitivity).episodes.by_flag_id.values()
                ]
            )
        }
        for sensitivity in SENSITIVITIES
    ]
    assert product_openings(small) == asked_always
    assert asked_always[0] != asked_always[-1]


def test_the_screened_curve_is_that_of_the_screened_scores(small: Practice) -> None:
    after = small.screened()
    assert after.scores != small.scores
    plain, screened = field_curves([small])
    for curves, of_practice in ((plain, small), (screened, after)):
        for name, rule in RULES.items():
            for limit, found in list(zip(rule.limits, curves[name], strict=True))[::6]:
                openings = {
                    case_id: list(flagged(scores, references(rule, scores), limit))
                    for case_id, scores in of_practice.scores.items()
                }
                expected = tally([of_practice], [openings])
                assert (found.false_per_100, found.caught) == (expected.false_per_100, expected.caught)


def test_the_counts_at_the_default_setting_fit_together(small: Practice) -> None:
    openings = product_openings(small)[SENSITIVITIES.index(1.0)]
    found = at_default([small], 3)
    counts = found.counts
    assert counts["cases"] == len(small.items)
    assert counts["flags"] == sum(len(sessions) for sessions in openings.values()) > 0
    assert counts["ruptures"] == len(small.truth) == sum(found.planted.values())
    assert sum(found.caught.values()) == tally([small], [openings]).total
    assert counts["false_flags"] == sum(found.false_kinds.values())
    assert sum(stated.checkins for stated in found.bins) == sum(len(scores) for scores in small.scores.values())
    assert counts["visible_repairs"] <= counts["repairs"]
    assert counts["repairs_found"] <= counts["repairs_seen"] <= counts["repairs"] <= sum(found.caught.values())
    assert len(found.live) == small.conditions.weeks
    assert together([found, found]).counts == {name: 2 * count for name, count in counts.items()}


def test_a_rate_between_two_settings_is_interpolated() -> None:
    curve = [Tally(false, Counter(withdrawal=caught), ()) for false, caught in ((4.0, 40), (2.0, 20), (0.5, 10))]
    assert caught_at(curve, 3.0) == 30
    assert caught_at(curve, 2.0) == 20
    assert caught_at(curve, 9.0) == 40
    assert caught_at(curve, 0.25) == 5


@pytest.mark.parametrize(("step", "answers"), [(1.0, 11), (2.5, 5)])
def test_a_coarse_version_is_an_instrument_of_its_own(step: float, answers: int) -> None:
    shipped = load_instruments(None)[INSTRUMENT]
    form = coarse(shipped, step)
    assert form.span == answers - 1
    assert (form.cutoff_share, form.standard_error_share) == (shipped.cutoff_share, shipped.standard_error_share)
    scores = a_practice(Conditions(therapists=1, weeks=8, answers_step=step)).scores.values()
    totals = {score for of_case in scores for _, score in of_case}
    assert {round(total * 4 * form.span, 3) % 1 for total in totals} == {0.0}


def test_a_step_that_does_not_divide_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match="must divide 10"):
        coarse(load_instruments(None)[INSTRUMENT], 3.0)


def test_only_the_text_between_its_marks_is_replaced() -> None:
    page = "By hand.\n<!-- a: begin -->\nold\n<!-- a: end -->\nAlso by hand.\n<!-- b: begin --><!-- b: end -->\n"
    once = with_section(page, "a", ["new"])
    assert once == page.replace("\nold\n", "\n\nnew\n\n")
    assert with_section(once, "a", ["new"]) == once
    both = with_section(with_section(page, "a", ["a"]), "b", ["b"])
    assert with_section(with_section(page, "b", ["b"]), "a", ["a"]) == both


def test_a_section_that_the_page_does_not_have_comes_last() -> None:
    assert with_section("By hand.\n", "a", ["new"]) == "By hand.\n\n<!-- a: begin -->\n\nnew\n\n<!-- a: end -->\n"


@pytest.mark.parametrize(
    "page", ["<!-- a: begin -->", "<!-- a: end --><!-- a: begin -->", "<!-- a: begin --><!-- a: end -->" * 2]
)
def test_marks_that_are_no_pair_are_refused(page: str) -> None:
    with pytest.raises(ValueError, match="needs one"):
        with_section(page, "a", ["new"])
