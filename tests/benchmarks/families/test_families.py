"""What holds in every family of practices."""

from collections.abc import Iterator
from itertools import product

import pytest

from benchmarks.families.case import Case
from benchmarks.families.events import events_of, truth_of
from benchmarks.families.registry import FAMILIES, GROUPS

CHECKINS = 80
NAMES = sorted(FAMILIES)


def _answers(cases: list[Case]) -> Iterator[tuple[Case, list[float]]]:
    for case in cases:
        for answers in (*case.client.values(), *case.therapist_ratings.values()):
            yield case, answers


def test_there_are_enough_families_and_groups() -> None:
    assert len(FAMILIES) >= 10
    assert len(GROUPS) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_practice_and_another_gives_another(name: str) -> None:
    practice = FAMILIES[name].practice
    assert practice(1, CHECKINS) == practice(1, CHECKINS)
    assert practice(1, CHECKINS) != practice(2, CHECKINS)


@pytest.mark.parametrize(("name", "seed"), list(product(NAMES, (1, 2))))
def test_answers_are_four_shares_in_whole_steps(name: str, seed: int) -> None:
    for case, answers in _answers(FAMILIES[name].practice(seed, CHECKINS)):
        steps = [answer / case.answer_step for answer in answers]
        assert len(answers) == 4
        assert all(0 <= answer <= 1 for answer in answers)
        assert all(abs(step - round(step)) < 1e-5 for step in steps), answers


@pytest.mark.parametrize("name", NAMES)
def test_forms_gaps_and_ruptures_lie_within_the_sessions_held(name: str) -> None:
    for case in FAMILIES[name].practice(3, CHECKINS):
        sessions = set(range(1, case.held + 1))
        assert case.held >= 1
        assert sessions >= {*case.client, *case.therapist_ratings, *case.missed}
        assert case.rupture is None or case.rupture.onset in sessions


@pytest.mark.parametrize("name", NAMES)
def test_without_ruptures_a_practice_differs_from_the_onset_of_each_rupture_on_and_nowhere_else(name: str) -> None:
    practice = FAMILIES[name].practice
    for case, same in zip(practice(4, CHECKINS), practice(4, CHECKINS, ruptures=False), strict=True):
        assert same.rupture is None
        onset = case.rupture.onset if case.rupture else case.held + 1
        for session in range(1, onset):
            assert case.client.get(session) == same.client.get(session)
            assert case.missed.get(session) == same.missed.get(session)


@pytest.mark.parametrize("name", NAMES)
def test_about_as_many_checkins_as_asked_for(name: str) -> None:
    forms = sum(len(case.client) for case in FAMILIES[name].practice(5, 800))
    assert 600 < forms < 1080


@pytest.mark.parametrize("name", NAMES)
def test_a_larger_practice_begins_with_the_cases_of_a_smaller_one(name: str) -> None:
    practice = FAMILIES[name].practice
    small = practice(6, CHECKINS)
    assert practice(6, 2 * CHECKINS)[: len(small)] == small


@pytest.mark.parametrize("name", NAMES)
def test_the_truth_has_each_planted_rupture_and_the_events_have_each_form(name: str) -> None:
    cases = FAMILIES[name].practice(7, CHECKINS)
    events = events_of(cases)
    forms = sum(len(case.client) + len(case.therapist_ratings) for case in cases)
    assert len(truth_of(cases)) == sum(case.rupture is not None for case in cases)
    assert sum(event["type"] == "alliance.checkin.submitted.v1" for event in events) == forms
    assert len({event["id"] for event in events}) == len(events)
