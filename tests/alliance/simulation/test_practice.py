"""The simulated practice keeps the contract, repeats itself to the byte, and is defined at its edges."""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from alliance.simulation.parameters import PracticeParameters
from alliance.simulation.practice import Simulation, simulate
from alliance.simulation.stream import write_events, write_truth

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
CHECKIN, HELD = "alliance.checkin.submitted.v1", "alliance.session.held.v1"
MISSED, CLOSED = "alliance.session.missed.v1", "alliance.case.closed.v1"
VOIDED = "alliance.checkin.voided.v1"
SESSION = {"session_id": str, "therapist_id": str, "team": str}
CONTRACT: dict[str, dict[str, Any]] = {
    HELD: SESSION,
    MISSED: SESSION | {"by": ("client", "therapist", "unknown")},
    CHECKIN: SESSION
    | {"rater": ("client", "therapist"), "instrument": ("checkin-4/1",), "checkin_id": str, "answers": dict},
    VOIDED: {"checkin_id": str},
    CLOSED: {"therapist_id": str, "reason": ("planned", "dropout", "transfer")},
}
ITEMS = {"trust", "empathy", "goals", "communication"}


def a_practice(**overrides: Any) -> Simulation:
    small: dict[str, Any] = {
        "first_day": MONDAY,
        "seed": 5,
        "therapists": 4,
        "weeks": 12,
        "transfer_share": 0.2,
    }
    return simulate(PracticeParameters(**(small | overrides)))


def a_faulty_practice(**overrides: Any) -> Simulation:
    faults: dict[str, Any] = {
        "corrected_share": 0.1,
        "voided_share": 0.1,
        "duplicated_share": 0.1,
        "late_share": 0.1,
    }
    return a_practice(**(faults | overrides))


def breaches(event: dict[str, Any]) -> Iterator[str]:
    """What an event does that the contract does not allow; written without a look at the simulator."""
    expected = {"specversion", "id", "source", "type", "subject", "time", "datacontenttype", "data"}
    if set(event) != expected or event["specversion"] != "1.0" or event["source"] != "urn:alliance:simulation":
        yield "envelope"
    if event["datacontenttype"] != "application/json" or not re.fullmatch("c-[0-9a-f]{8}", event["subject"]):
        yield "subject"
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"]):
        yield "time"
    yield from data_breaches(event["data"], CONTRACT[event["type"]])


def data_breaches(data: dict[str, Any], fields: dict[str, Any]) -> Iterator[str]:
    if set(data) - {"revision"} != set(fields):
        yield "fields"
    for name, allowed in fields.items():
        is_fine = data[name] in allowed if isinstance(allowed, tuple) else isinstance(data[name], allowed)
        if not is_fine:
            yield name
    for item, answer in data.get("answers", {}).items():
        if item not in ITEMS or not 0 <= answer <= 10 or round(answer, 1) != answer:
            yield "answers"
    if data.get("revision", 2) < 2 or len(data.get("answers", ITEMS)) != 4:
        yield "revision or items"


def instant(event: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(event["time"].replace("Z", "+00:00"))


def of_type(simulation: Simulation, kind: str) -> list[dict[str, Any]]:
    return [event for event in simulation.events if event["type"] == kind]


@pytest.mark.parametrize("therapist_checkins", [False, True])
def test_every_event_keeps_the_contract(therapist_checkins: bool) -> None:
    practice = a_faulty_practice(therapist_checkins=therapist_checkins)
    assert {event["type"] for event in practice.events} == set(CONTRACT)
    assert [(event, list(breaches(event))) for event in practice.events if any(breaches(event))] == []


def test_events_are_sorted_by_time_and_their_ids_are_unique() -> None:
    practice = a_faulty_practice(therapist_checkins=True)
    times = [event["time"] for event in practice.events]
    assert times == sorted(times)
    assert len({event["id"] for event in practice.events}) == len(practice.events)


def test_case_session_and_checkin_ids_belong_together() -> None:
    practice = a_practice(therapist_checkins=True)
    held = {event["data"]["session_id"]: event for event in of_type(practice, HELD)}
    assert len(held) == len(of_type(practice, HELD))
    for checkin in of_type(practice, CHECKIN):
        session = held[checkin["data"]["session_id"]]
        assert checkin["subject"] == session["subject"]
        assert checkin["data"] | session["data"] == checkin["data"]
        assert timedelta(0) < instant(checkin) - instant(session) < timedelta(hours=1)
    therapists = defaultdict(set)
    for event in practice.events:
        therapists[event["subject"]].add(event["data"]["therapist_id"])
    assert {len(names) for names in therapists.values()} == {1}


def written(practice: Simulation) -> tuple[bytes, bytes]:
    """The file of events and the file of truth."""
    events, truth = io.BytesIO(), io.BytesIO()
    write_events(practice, events)
    write_truth(practice, truth)
    return events.getvalue(), truth.getvalue()


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, two = (written(a_faulty_practice(therapist_checkins=True)) for _ in range(2))
    assert one == two


def test_another_seed_is_another_practice() -> None:
    one, two = a_practice(seed=1), a_practice(seed=2)
    assert not {event["subject"] for event in one.events} & {event["subject"] for event in two.events}


def test_files_hold_one_line_per_arrival_and_per_rupture() -> None:
    practice = a_faulty_practice()
    events, truth = written(practice)
    lines = events.splitlines()
    assert [msgspec.json.decode(line) for line in lines] == [practice.events[i] for i in practice.delivery]
    assert [msgspec.json.decode(row) for row in truth.splitlines()] == practice.truth


def test_a_larger_practice_leaves_the_therapists_it_had_as_they_were() -> None:
    small, large = a_practice(transfer_share=0.0), a_practice(transfer_share=0.0, therapists=8)
    had = {event["data"]["therapist_id"] for event in small.events}
    assert [event for event in large.events if event["data"]["therapist_id"] in had] == small.events


def test_inverting_some_forms_changes_nothing_else() -> None:
    plain, inverted = a_practice(inverted_share=0.0), a_practice(inverted_share=0.1)
    pairs = list(zip(plain.events, inverted.events, strict=True))
    assert [(one["id"], one["time"]) for one, _ in pairs] == [(other["id"], other["time"]) for _, other in pairs]
    differing = [(one["data"]["answers"], other["data"]["answers"]) for one, other in pairs if one != other]
    assert 0.07 < len(differing) / len(of_type(plain, CHECKIN)) < 0.13
    assert all(round(one[item] + other[item], 1) == 10 for one, other in differing for item in ITEMS)


def test_deeper_ruptures_are_planted_in_the_same_sessions() -> None:
    shallow, deep = (
        a_practice(rupture_depths=(depth,), dropout_odds_ratio=1.0, withdrawal_odds_ratio=1.0) for depth in (1.5, 4.0)
    )
    assert {row["depth"] for row in shallow.truth} == {1.5}
    assert [row | {"depth": 4.0} for row in shallow.truth] == deep.truth


def test_a_therapist_is_in_one_session_at_a_time() -> None:
    practice = a_practice(transfer_share=0.3, weeks=26)
    ends = defaultdict(list)
    for event in of_type(practice, HELD):
        ends[event["data"]["therapist_id"]].append(instant(event))
    gaps = [later - earlier for times in ends.values() for earlier, later in pairwise(times)]
    assert min(gaps) >= timedelta(minutes=50)


@pytest.mark.parametrize("first_day", [MONDAY, MONDAY + timedelta(days=3)])
def test_sessions_are_held_in_the_working_hours_of_the_practice(first_day: datetime) -> None:
    zone = ZoneInfo("Europe/Berlin")
    practice = a_practice(first_day=first_day.replace(tzinfo=zone), weeks=3)
    ends = [instant(event).astimezone(zone) for event in of_type(practice, HELD)]
    assert {end.weekday() for end in ends} == {0, 1, 2, 3, 4}
    assert {end.hour for end in ends} <= set(range(8, 20))
    assert (max(ends) - min(ends)).days < 21


def test_nothing_follows_a_closed_case_and_a_dropout_stays_away_first() -> None:
    practice = a_practice(weeks=26)
    last = {event["subject"]: event for event in practice.events}
    closed = of_type(practice, CLOSED)
    assert all(last[event["subject"]] is event for event in closed)
    seen = {event["subject"]: event for event in of_type(practice, HELD)}
    waited = {
        reason: [instant(e) - instant(seen[e["subject"]]) for e in closed if e["data"]["reason"] == reason]
        for reason in ("planned", "dropout", "transfer")
    }
    assert max(waited["planned"] + waited["transfer"]) < timedelta(hours=4)
    assert min(waited["dropout"]) > timedelta(days=6)


def test_a_practice_of_one_therapist_has_nobody_to_transfer_to() -> None:
    practice = a_practice(therapists=1, teams=3, transfer_share=0.5)
    assert {event["data"]["therapist_id"] for event in practice.events} == {"t-01"}
    assert {event["data"]["reason"] for event in of_type(practice, CLOSED)} == {"planned", "dropout"}


def test_a_transferred_case_goes_on_with_a_colleague_in_the_evening() -> None:
    practice = a_practice(weeks=26)
    transfers = [e for e in of_type(practice, CLOSED) if e["data"]["reason"] == "transfer"]
    evening = {e["subject"] for e in of_type(practice, HELD) if instant(e).hour >= 17}
    assert 0 < len(evening) <= len(transfers)


def test_a_practice_of_no_weeks_is_empty() -> None:
    practice = a_practice(weeks=0)
    assert (practice.events, practice.truth, practice.delivery) == ([], [], [])


def test_a_new_practice_begins_every_case_with_its_first_session() -> None:
    practice = a_practice(cases_under_way=False)
    first = {event["subject"]: event["data"]["session_id"] for event in reversed(of_type(practice, HELD))}
    assert all(session.endswith("-001") for session in first.values())
    assert all(row["sessions_before"] == 0 for row in practice.truth)


def test_a_practice_under_way_shows_cases_from_their_middle() -> None:
    practice = a_practice()
    assert any(row["sessions_before"] > 0 for row in practice.truth)
    assert all(event["time"] >= "2026-01-05T08:00:00Z" for event in practice.events)


def test_without_faults_events_arrive_in_the_order_of_time() -> None:
    practice = a_practice()
    assert practice.delivery == list(range(len(practice.events)))


def test_faults_lose_nothing_and_bring_some_events_late_or_twice() -> None:
    practice = a_faulty_practice()
    arrivals = Counter(practice.delivery)
    assert set(arrivals) == set(range(len(practice.events)))
    assert 0.07 < sum(count == 2 for count in arrivals.values()) / len(arrivals) < 0.13
    assert max(arrivals.values()) == 2
    furthest, late = -1, 0
    for index in dict.fromkeys(practice.delivery):
        late += index < furthest
        furthest = max(furthest, index)
    assert 0.07 < late / len(arrivals) < 0.13


def test_corrections_and_voids_follow_the_checkin_they_are_about() -> None:
    practice = a_faulty_practice()
    first: dict[str, dict[str, Any]] = {}
    followed = Counter[str]()
    for event in practice.events:
        if event["type"] == CHECKIN and "revision" not in event["data"]:
            first[event["data"]["checkin_id"]] = event
        elif event["type"] in (CHECKIN, VOIDED):
            original = first[event["data"]["checkin_id"]]
            assert event["subject"] == original["subject"] and event["time"] > original["time"]
            assert event["data"].get("answers") != original["data"]["answers"]
            followed[event["type"]] += 1
    assert all(0.07 < count / len(first) < 0.13 for count in followed.values())
    assert set(followed) == {CHECKIN, VOIDED}


@pytest.mark.parametrize(
    "nonsense",
    [
        {"first_day": datetime(2026, 1, 5)},  # noqa: DTZ001
        {"therapists": 0},
        {"teams": 0},
        {"weeks": -1},
        {"seed": -1},
        {"missing_share": 1.1},
        {"ceiling": "none"},
        {"missingness": "none"},
        {"rupture_depths": ()},
        {"rupture_first_session": 1},
        {"sessions_per_week": 50.0},
        {"autocorrelation": 1.0},
    ],
)
def test_nonsense_is_refused(nonsense: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        a_practice(**nonsense)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_of_nothing_and_of_everything_are_defined(share: float) -> None:
    practice = a_practice(missing_share=share, dropout_share=share, rupture_prevalence=share, weeks=4)
    kinds = Counter(event["type"] for event in practice.events)
    assert kinds[CHECKIN] == (0 if share else kinds[HELD])
    assert {event["data"]["reason"] == "dropout" for event in of_type(practice, CLOSED)} == {bool(share)}
    assert bool(practice.truth) == bool(share)
