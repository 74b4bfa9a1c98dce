"""The simulated practice has the statistics it was built for.

Expected values: the latent model's own, from a simulation of 14-session cases without ruptures (one line per
ceiling regime), and the working values of the parameters. Tolerances are wide enough for the fixed seed,
narrow enough to catch a term that went missing.
"""

from collections import Counter
from datetime import UTC, datetime
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest

from alliance.simulation.parameters import PracticeParameters
from alliance.simulation.practice import Simulation, simulate

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
CHECKIN, HELD = "alliance.checkin.submitted.v1", "alliance.session.held.v1"
MISSED, CLOSED = "alliance.session.missed.v1", "alliance.case.closed.v1"
ITEMS = ["trust", "empathy", "goals", "communication"]

FOURTEEN_SESSIONS: dict[str, Any] = {
    "planned_median": 14.0,
    "planned_log_sd": 0.001,
    "dropout_share": 0.0,
    "missing_share": 0.0,
    "cases_under_way": False,
    "weeks": 16,
    "therapists": 60,
}


@cache
def a_practice(**overrides: Any) -> Simulation:
    usual: dict[str, Any] = {"first_day": MONDAY, "seed": 3}
    return simulate(PracticeParameters(**(usual | overrides)))


def a_plain_practice(**overrides: Any) -> Simulation:
    plain = {"rupture_prevalence": 0.0, "inverted_share": 0.0, "missingness": "random", "therapists": 30}
    return a_practice(**(plain | overrides))


def a_practice_for_a_year(**overrides: Any) -> Simulation:
    return a_practice(**({"weeks": 66, "therapists": 16, "inverted_share": 0.0} | overrides))


@cache
def sessions(simulation: Simulation) -> pd.DataFrame:
    """One row per session held: case, therapist, number in the log, and the totals of both forms or NaN."""
    forms = {
        (event["data"]["session_id"], event["data"]["rater"]): event["data"]["answers"]
        for event in simulation.events
        if event["type"] == CHECKIN
    }
    rows = []
    for event in simulation.events:
        if event["type"] == HELD:
            session = event["data"]["session_id"]
            client, therapist = forms.get((session, "client"), {}), forms.get((session, "therapist"), {})
            rows.append(
                {
                    "session": session,
                    "case": event["subject"],
                    "therapist_id": event["data"]["therapist_id"],
                    "client": round(sum(client.values()), 1) if client else np.nan,
                    "therapist": round(sum(therapist.values()), 1) if therapist else np.nan,
                    "is_flat": len(set(client.values())) == 1,
                    **client,
                }
            )
    frame = pd.DataFrame(rows)
    frame["number"] = frame.groupby("case").cumcount() + 1
    return frame


@cache
def complete_cases(simulation: Simulation) -> pd.DataFrame:
    """Sessions held and way of ending of the cases that began in the log's first 26 weeks."""
    reasons = {e["subject"]: e["data"]["reason"] for e in simulation.events if e["type"] == CLOSED}
    held = [event for event in simulation.events if event["type"] == HELD]
    counts = Counter(event["subject"] for event in held)
    begun = {e["subject"] for e in held if e["data"]["session_id"].endswith("-001") and e["time"] < "2026-07"}
    cases = sorted(begun)
    ruptured = {row["case_id"] for row in simulation.truth}
    return pd.DataFrame(
        {
            "sessions": [counts[case] for case in cases],
            "reason": [reasons.get(case) for case in cases],
            "is_ruptured": [case in ruptured for case in cases],
        },
        index=cases,
    )


def within_variance_and_icc(frame: pd.DataFrame) -> tuple[float, float]:
    """One-way analysis of variance of the client's totals by case."""
    scores = frame.dropna(subset="client")
    by_case = scores.groupby("case")["client"]
    sizes = by_case.size()
    within = ((scores["client"] - by_case.transform("mean")) ** 2).sum() / (len(scores) - len(sizes))
    between = (sizes * (by_case.mean() - scores["client"].mean()) ** 2).sum() / (len(sizes) - 1)
    typical = (len(scores) - (sizes**2).sum() / len(scores)) / (len(sizes) - 1)
    variance = (between - within) / typical
    return float(within), float(variance / (variance + within))


@pytest.mark.parametrize(
    ("ceiling", "mean", "sd", "perfect", "below_36", "icc", "within_sd"),
    [
        ("base", 37.2, 3.1, 0.34, 0.31, 0.76, 1.53),
        ("low", 35.2, 4.0, 0.17, 0.53, 0.70, 2.15),
        ("heavy", 38.5, 2.5, 0.59, 0.15, 0.75, 1.26),
    ],
)
def test_scores_look_like_the_latent_model_of_their_regime(
    ceiling: str, mean: float, sd: float, perfect: float, below_36: float, icc: float, within_sd: float
) -> None:
    frame = sessions(a_plain_practice(ceiling=ceiling, **FOURTEEN_SESSIONS))
    scores = frame["client"].dropna()
    variance, measured_icc = within_variance_and_icc(frame)
    assert scores.mean() == pytest.approx(mean, abs=0.35)
    assert scores.std() == pytest.approx(sd, abs=0.35)
    assert (scores == 40).mean() == pytest.approx(perfect, abs=0.05)
    assert (scores < 36).mean() == pytest.approx(below_36, abs=0.06)
    assert measured_icc == pytest.approx(icc, abs=0.05)
    assert variance**0.5 == pytest.approx(within_sd, abs=0.15)


def test_four_items_load_on_one_factor() -> None:
    answers = sessions(a_plain_practice(ceiling="low"))[ITEMS].dropna()
    values, vectors = np.linalg.eigh(answers.corr().to_numpy())
    loadings = np.abs(vectors[:, -1]) * values[-1] ** 0.5
    assert loadings.min() > 0.79 and loadings.max() < 0.91
    assert values[-2] < 0.5


@pytest.mark.parametrize("autocorrelation", [0.0, 0.3, 0.45])
def test_residuals_keep_their_autocorrelation(autocorrelation: float) -> None:
    """For AR(1), squared differences over two sessions are 1 + phi times those over one."""
    practice = a_plain_practice(
        autocorrelation=autocorrelation, missing_share=0.0, growth=0.0, planned_median=40.0, ceiling="low"
    )
    by_case = sessions(practice).groupby("case")["client"]
    away_from_ceiling = by_case.transform("median") < 33
    steps = [by_case.diff(lag)[away_from_ceiling].pow(2).mean() for lag in (1, 2)]
    assert steps[1] / steps[0] - 1 == pytest.approx(autocorrelation, abs=0.05)


def test_the_alliance_grows_over_the_first_ten_sessions() -> None:
    practice = a_plain_practice(
        cases_under_way=False, dropout_share=0.0, planned_median=15.0, planned_log_sd=0.01, ceiling="low"
    )
    by_number = sessions(practice).groupby("number")["client"].mean()
    assert 0.5 < by_number[9:12].mean() - by_number[1:3].mean() < 1.2


def test_the_default_practice_holds_about_800_sessions_a_week_and_gets_seven_forms_in_ten() -> None:
    practice = a_practice()
    kinds = Counter(event["type"] for event in practice.events)
    assert kinds[HELD] / 26 == pytest.approx(800, abs=60)
    assert kinds[CHECKIN] / kinds[HELD] == pytest.approx(0.70, abs=0.03)
    assert kinds[MISSED] / (kinds[MISSED] + kinds[HELD]) == pytest.approx(0.11, abs=0.02)


def test_the_default_practice_has_a_third_to_a_half_of_perfect_forms() -> None:
    scores = sessions(a_practice())["client"].dropna()
    assert scores.mean() == pytest.approx(37.0, abs=0.6)
    assert 0.33 < (scores == 40).mean() < 0.47
    assert 0.01 < (scores < 12).mean() < 0.025


def test_therapists_keep_ten_to_forty_cases_over_the_whole_period() -> None:
    spans: dict[tuple[str, str], tuple[str, str]] = {}
    for event in a_practice().events:
        if event["type"] != CLOSED:
            key = (event["data"]["therapist_id"], event["subject"])
            spans[key] = (spans.get(key, (event["time"],))[0], event["time"])
    for monday in pd.date_range("2026-01-19", "2026-06-15", freq="4W-MON"):
        week = pd.Timedelta(weeks=1)
        latest, earliest = (monday + week).isoformat(), (monday - week).isoformat()
        active = Counter(key[0] for key, (first, last) in spans.items() if first <= latest and last >= earliest)
        assert len(active) == 40
        assert min(active.values()) >= 10 and max(active.values()) <= 42
        assert 22 < np.mean(list(active.values())) < 32


def test_the_number_of_sessions_is_steady_from_the_first_week_to_the_last() -> None:
    weeks = Counter(
        datetime.fromisoformat(event["time"][:10]).isocalendar().week
        for event in a_practice().events
        if event["type"] == HELD
    )
    assert len(weeks) == 26
    assert min(weeks.values()) > 720 and max(weeks.values()) < 880


def test_episodes_are_short_with_a_long_tail() -> None:
    lengths = complete_cases(a_practice_for_a_year())["sessions"]
    assert lengths.median() in (5, 6, 7)
    assert (lengths <= 5).mean() == pytest.approx(0.56, abs=0.05)
    assert lengths.max() > 40
    assert 0.005 < (lengths > 35).mean() < 0.05


def test_one_case_in_five_drops_out_most_of_them_early() -> None:
    cases = complete_cases(a_practice_for_a_year())
    dropouts = cases[cases["reason"] == "dropout"]
    assert len(dropouts) / len(cases) == pytest.approx(0.20, abs=0.03)
    assert (dropouts["sessions"] <= 3).mean() > 0.5


def test_a_weak_alliance_drops_out_more_often() -> None:
    practice = a_practice_for_a_year(rupture_prevalence=0.0, missingness="random", missing_share=0.0)
    first = sessions(practice).query("number == 1").set_index("case")["client"]
    cases = complete_cases(practice)
    has_left = cases["reason"] == "dropout"
    scores = first.reindex(cases.index)
    assert has_left[scores < 35].mean() > 2 * has_left[scores >= 39].mean()


def test_a_quarter_of_the_cases_that_are_long_enough_has_a_rupture() -> None:
    cases = complete_cases(a_practice_for_a_year())
    assert cases.query("sessions >= 4")["is_ruptured"].mean() == pytest.approx(0.27, abs=0.04)
    assert not cases.query("sessions < 3")["is_ruptured"].any()


def test_kinds_shapes_and_depths_of_ruptures_have_their_shares() -> None:
    truth = pd.DataFrame(a_practice_for_a_year().truth)
    assert (truth["kind"] == "withdrawal").mean() == pytest.approx(0.65, abs=0.06)
    assert (truth["shape"] != "unrepaired").mean() == pytest.approx(0.58, abs=0.06)
    assert truth["noticed_by_therapist"].mean() == pytest.approx(0.6, abs=0.06)
    shapes = truth["shape"].value_counts()
    assert shapes["V"] > shapes["decline"] > 0
    assert truth["depth"].value_counts(normalize=True).between(0.26, 0.40).all()
    assert truth.query("shape == 'V'")["session_ids"].map(len).max() == 1
    assert truth.query("shape == 'decline'")["session_ids"].map(len).between(1, 6).all()


def test_truth_refers_to_real_sessions_in_the_order_they_were_held() -> None:
    practice = a_practice()
    held = sessions(practice).groupby("case")["session"].agg(list)
    ended = {e["data"]["session_id"]: e["time"] for e in practice.events if e["type"] == HELD}
    assert len({row["case_id"] for row in practice.truth}) == len(practice.truth) > 0
    for row in practice.truth:
        in_case, onset = held[row["case_id"]], row["onset_session"]
        affected = row["session_ids"]
        assert in_case[onset - 1 : onset - 1 + len(affected)] == affected
        assert onset >= 3
        assert row["onset_at"] == ended[affected[0]]
        if row["repaired_session"] is not None:
            assert row["repaired_session"] == onset + len(affected)
            assert row["repaired_session"] <= len(in_case)
        if row["shape"] == "unrepaired":
            assert row["repaired_session"] is None
            assert affected[-1] == in_case[-1]


def strained(simulation: Simulation, kind: str, **wanted: Any) -> pd.DataFrame:
    """Sessions of the planted ruptures of a kind, with how far along they are."""
    rows = [
        {"session": session, "place": place, "length": len(row["session_ids"]), **row}
        for row in simulation.truth
        if row["kind"] == kind and all(row[name] == value for name, value in wanted.items())
        for place, session in enumerate(row["session_ids"])
    ]
    return sessions(simulation).merge(pd.DataFrame(rows)[["session", "place", "length"]], on="session")


def test_a_confrontation_takes_its_depth_off_the_score() -> None:
    """Against the same sessions of the same practice without the depth, where the ceiling hides little."""
    even: dict[str, Any] = {"ceiling": "low", "dropout_odds_ratio": 1.0, "missing_share": 0.0}
    deep = a_practice_for_a_year(rupture_depths=(2.5,), **even)
    none = a_practice_for_a_year(rupture_depths=(0.0,), **even)
    affected = strained(deep, "confrontation", shape="V")
    before = sessions(none).set_index("session")["client"].reindex(affected["session"]).to_numpy()
    away_from_ceiling = before < 38
    fallen = (before - affected["client"])[away_from_ceiling]
    assert fallen.mean() == pytest.approx(2.5 * 2.5, abs=0.2)


def test_a_withdrawal_shows_flat_or_perfect_answers_and_missing_forms() -> None:
    practice = a_practice_for_a_year()
    frame, affected = sessions(practice), strained(practice, "withdrawal")
    usual = frame[~frame["session"].isin(affected["session"])]
    missing = affected["client"].isna().mean()
    assert missing > usual["client"].isna().mean() + 0.2
    below_ceiling = affected.query("client < 40")
    assert below_ceiling["is_flat"].mean() > 0.3
    assert usual.query("client < 40")["is_flat"].mean() < 0.05
    assert (affected["client"].dropna() == 40).mean() > 0.3


def test_a_withdrawal_hides_most_of_its_depth() -> None:
    practice = a_practice_for_a_year(rupture_depths=(4.0,), missing_share=0.0)
    scores = {kind: strained(practice, kind)["client"].mean() for kind in ("withdrawal", "confrontation")}
    assert scores["withdrawal"] > scores["confrontation"] + 2


def test_clients_of_a_strained_case_miss_more_appointments() -> None:
    practice = a_practice_for_a_year(rupture_depths=(2.5,), rupture_prevalence=1.0, withdrawal_share=1.0)
    calm = a_practice_for_a_year(rupture_depths=(2.5,), rupture_prevalence=1.0, withdrawal_share=0.0)
    missed = [sum(event["type"] == MISSED for event in each.events) for each in (practice, calm)]
    assert missed[0] > 1.1 * missed[1]


def test_missing_forms_cluster_by_therapist_only_where_they_are_informative() -> None:
    spread = {}
    for missingness in ("informative", "random"):
        frame = sessions(a_practice_for_a_year(missingness=missingness, rupture_prevalence=0.0))
        spread[missingness] = frame["client"].isna().groupby(frame["therapist_id"]).mean().std()
    assert spread["random"] < 0.02 < 0.06 < spread["informative"] < 0.15


def test_forms_go_missing_where_the_alliance_is_weak_unless_missing_is_random() -> None:
    """Against the same practice with every form filled in."""
    every = sessions(a_practice_for_a_year(missing_share=0.0)).set_index("session")["client"]
    share = {}
    for missingness in ("informative", "random"):
        frame = sessions(a_practice_for_a_year(missingness=missingness, withdrawal_odds_ratio=1.0))
        score = frame["session"].map(every)
        missing = frame["client"].isna()
        share[missingness] = missing[score < 34].mean() - missing[score >= 39].mean()
    assert share["informative"] > 0.08
    assert abs(share["random"]) < 0.03


def test_therapists_rate_lower_and_partly_agree() -> None:
    frame = sessions(a_plain_practice(therapist_checkins=True)).dropna()
    gap = (frame["client"] - frame["therapist"]).mean() / frame[["client", "therapist"]].std().mean()
    assert 0.3 < gap < 0.9
    residuals = frame[["client", "therapist"]] - frame.groupby("case")[["client", "therapist"]].transform("mean")
    assert residuals["client"].corr(residuals["therapist"]) == pytest.approx(0.25, abs=0.08)


def test_therapist_forms_come_only_if_wanted_and_change_nothing_else() -> None:
    without, with_forms = a_practice(), a_practice(therapist_checkins=True)
    kept = [event for event in with_forms.events if event["data"].get("rater") != "therapist"]
    assert kept == without.events
    assert with_forms.truth == without.truth


def test_a_therapist_who_did_not_notice_rates_as_usual() -> None:
    practice = a_practice_for_a_year(therapist_checkins=True, rupture_depths=(4.0,))
    calm = sessions(practice)["therapist"].mean()
    noticed = strained(practice, "confrontation", noticed_by_therapist=True)["therapist"].mean()
    unnoticed = strained(practice, "confrontation", noticed_by_therapist=False)["therapist"].mean()
    assert noticed < calm - 3
    assert unnoticed == pytest.approx(calm, abs=1.5)
