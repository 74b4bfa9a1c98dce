"""Section 2: the set of a case, and what of it counts, in its order.

In: accepted events. Out: frames with one row per event that counts.
Never: the order in which the events arrived.
"""

from collections.abc import Iterable
from typing import Literal

import pandas as pd

from tests.oracle import shapes
from tests.oracle.acceptance import Event

Digest = Literal["case_digest", "store_digest"]

IDENTITY = ["case_id", "source", "id"]
#: The kinds in the order in which they are taken at one instant.
KINDS = (shapes.HELD, shapes.MISSED, shapes.CHECKIN, shapes.VOIDED, *shapes.FLAG_ACTIONS, shapes.CLOSED)
RANKS = {
    kind: rank
    for rank, kinds in enumerate(
        (
            (shapes.HELD,),
            (shapes.MISSED,),
            (shapes.CHECKIN,),
            (shapes.VOIDED,),
            shapes.FLAG_ACTIONS,
            (shapes.CLOSED,),
        )
    )
    for kind in kinds
}

#: The types whose data name a therapist.
NAMING = (shapes.HELD, shapes.MISSED, shapes.CHECKIN, shapes.CLOSED)


def framed(events: Iterable[Event]) -> pd.DataFrame:
    """One row per event; `event` is the event itself."""
    columns = [*IDENTITY, "place", "type", "at", "case_digest", "store_digest"]
    rows = [(*(getattr(event, column) for column in columns), event) for event in events]
    return pd.DataFrame(rows, columns=[*columns, "event"]).astype({"at": "int64", "event": "object"})


def versions(events: pd.DataFrame) -> dict[str, int]:
    """The number of distinct events (identity and content) of each case."""
    distinct = events.drop_duplicates([*IDENTITY, "case_digest"])
    return {str(case): int(count) for case, count in distinct.groupby("case_id").size().items()}


def therapists_named(events: pd.DataFrame) -> dict[str, dict[str, str | None]]:
    """case_id -> therapist -> team: whom any accepted event of the case ever named, and the latest team beside it."""
    named: dict[str, dict[str, str | None]] = {}
    ordered = events.assign(rank=events["type"].map(RANKS)).sort_values(["at", "rank", "place", "case_digest"])
    for event in ordered[ordered["type"].isin(NAMING)]["event"]:
        team = None if event.type == shapes.CLOSED else event.data["team"]
        of_case = named.setdefault(event.case_id, {})
        of_case[event.data["therapist_id"]] = team or of_case.get(event.data["therapist_id"])
    return named


def winners(events: pd.DataFrame, digest: Digest) -> pd.DataFrame:
    """For each identity the content with the greatest digest."""
    return events.sort_values(digest).drop_duplicates(IDENTITY, keep="last")


def latest_revisions(winning: pd.DataFrame, digest: Digest) -> pd.DataFrame:
    """For each check-in the revision that counts; `at` is its own, `first_at` the earliest of all."""
    checkins = winning[winning["type"] == shapes.CHECKIN].copy()
    checkins["checkin_id"] = [event.checkin_id for event in checkins["event"]]
    checkins["revision"] = [event.data.get("revision", 1) for event in checkins["event"]]
    identity = ["case_id", "checkin_id"]
    checkins["first_at"] = checkins.groupby(identity)["at"].transform("min")
    return checkins.sort_values(["revision", digest]).drop_duplicates(identity, keep="last")


def counting(events: pd.DataFrame) -> pd.DataFrame:
    """The events of the timeline in the order in which they are taken; `at` is the place of each."""
    winning = winners(events, "case_digest")
    others = winning[~winning["type"].isin([shapes.CHECKIN, shapes.ERASED])]
    timeline = pd.concat([others, _counting_checkins(winning)], ignore_index=True)
    timeline["rank"] = timeline["type"].map(RANKS).astype("int64")
    return timeline.sort_values(["case_id", "at", "rank", "place"], ignore_index=True)


def _counting_checkins(winning: pd.DataFrame) -> pd.DataFrame:
    checkins = latest_revisions(winning, "case_digest")
    voided = winning[winning["type"] == shapes.VOIDED]
    gone = {(event.case_id, event.checkin_id) for event in voided["event"]}
    stays = [(event.case_id, event.checkin_id) not in gone for event in checkins["event"]]
    checkins = checkins[pd.Series(stays, index=checkins.index, dtype="bool")]
    checkins = checkins.assign(
        at=checkins["first_at"],
        session_id=[event.data["session_id"] for event in checkins["event"]],
        rater=[event.data["rater"] for event in checkins["event"]],
    )
    last = checkins.sort_values(["at", "place"]).drop_duplicates(["case_id", "session_id", "rater"], keep="last")
    return last[[*winning.columns]]
