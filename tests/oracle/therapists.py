"""Section 7: one row per therapist, from the newest state of every case that has ever named the therapist.

In: timelines, versions of the cases, whom their events named, erased cases. Out: the table `therapists`.
Never: anything of an erased case but its version.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from tests.oracle.acceptance import hex_digest
from tests.oracle.timeline import MICROSECONDS_OF_A_DAY, Timeline

WINDOW_DAYS = 90

Row = dict[str, Any]


def therapists(
    timelines: Mapping[str, Timeline],
    versions: Mapping[str, int],
    named: Mapping[str, Mapping[str, str | None]],
    erased: set[str],
) -> pd.DataFrame:
    """The table; instants in microseconds."""
    cases = pd.DataFrame(
        [
            _case(
                timelines.get(case_id) or Timeline(case_id, {}),
                therapist_id,
                team,
                versions[case_id],
                case_id in erased,
            )
            for case_id, therapists_of_case in named.items()
            for therapist_id, team in therapists_of_case.items()
        ],
        columns=[*_COLUMNS],
        dtype="object",
    )
    return pd.DataFrame([_therapist(str(name), rows) for name, rows in cases.groupby("therapist_id")])


_COLUMNS = (
    "therapist_id", "case_id", "version", "team", "newest_at", "is_active", "score", "ingredients",
    "open_flag", "unacknowledged_since", "days",
)  # fmt: skip


def _case(timeline: Timeline, therapist_id: str, team: str | None, version: int, is_erased: bool) -> Row:
    """One case for one therapist; where nothing that counts names a team, the last one named with the therapist."""
    row: Row = dict.fromkeys(_COLUMNS)
    row |= {
        "therapist_id": therapist_id,
        "case_id": timeline.case_id,
        "version": version,
        "team": timeline.team or team or "",
    }
    row |= {"is_active": False, "days": {}}
    if is_erased or timeline.therapist_id != therapist_id:
        return row | {"team": team or ""}
    row |= {"newest_at": timeline.newest_at, "days": _window(timeline.days, timeline.newest_at)}
    if timeline.is_closed:
        return row
    return row | {"is_active": True} | _score(timeline) | _live_flag(timeline)


def _score(timeline: Timeline) -> Row:
    if timeline.latest_scored is None or timeline.latest_scored.scores is None:
        return {}
    return {"score": timeline.latest_scored.scores.total, "ingredients": timeline.latest_scored.scores.ingredients}


def _live_flag(timeline: Timeline) -> Row:
    flag = timeline.episodes.live
    if flag is None:
        return {}
    return {"open_flag": flag.severity, "unacknowledged_since": flag.opening.at if flag.status == "open" else None}


def _window(days: Mapping[int, list[int]], newest_at: int | None) -> dict[int, list[int]]:
    """The 90 days of which the last is the newest event's."""
    if newest_at is None:
        return {}
    last = newest_at // MICROSECONDS_OF_A_DAY
    return {day: counts for day, counts in days.items() if last - WINDOW_DAYS < day <= last}


def _therapist(therapist_id: str, cases: pd.DataFrame) -> Row:
    dated = [*zip(cases["newest_at"], cases["case_id"], cases["team"], strict=True)]
    newest_at, _, team = max(
        dated, key=lambda case: (case[0] is not None, case[0] or 0, hex_digest(12, case[1].encode()))
    )
    active = cases[cases["is_active"].astype("bool")]
    scores, ingredients = active["score"].dropna(), active["ingredients"].dropna()
    unacknowledged = active["unacknowledged_since"].dropna()
    return {
        "therapist_id": therapist_id,
        "version": int(cases["version"].sum()),
        "team": team,
        "last_event_at": newest_at,
        "active_cases": len(active),
        "scored_cases": len(scores),
        "score_points": round(float(scores.sum()), 6),
        "ingredient_points": _ingredient_points(ingredients),
        "ingredient_scored_cases": _ingredient_scored_cases(ingredients),
        "open_flag_cases": {str(name): int(count) for name, count in active["open_flag"].value_counts().items()},
        "oldest_unacknowledged_at": min(unacknowledged) if len(unacknowledged) else None,
        "days": _days(cases["days"], newest_at),
    }


def _ingredient_points(ingredients: "pd.Series[Any]") -> dict[str, float]:
    points = pd.DataFrame([*ingredients]).sum()
    return {str(name): round(float(value), 6) for name, value in points.items()}


def _ingredient_scored_cases(ingredients: "pd.Series[Any]") -> dict[str, int]:
    """How many of the scored cases have each ingredient: a check-in need not give all that its instrument has."""
    return {str(name): int(number) for name, number in pd.DataFrame([*ingredients]).count().items()}


def _days(of_cases: "pd.Series[Any]", newest_at: int | None) -> dict[str, list[int]]:
    counts = [(day, *four) for days in of_cases for day, four in _window(days, newest_at).items()]
    sums = pd.DataFrame(counts, columns=["day", *"hcru"]).groupby("day").sum()
    return {
        str(np.datetime64(int(day), "D")): [int(count) for count in row]
        for day, row in zip(sums.index, sums.to_numpy(), strict=True)
    }
