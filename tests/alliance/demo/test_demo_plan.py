"""What the demonstration sends: nothing from the future, everything accounted for, the same again on another day."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from alliance.demo.plan import Label, Plan, Sending, Wishes, make_plan
from alliance.demo.stage import history_end
from pipeline.core.acceptance import Refusal, accept
from schemas.instruments.registry import load_instruments

END = datetime(2026, 11, 23, tzinfo=UTC)
SMALL = Wishes(therapists=4, weeks=4, seed=5)


def a_plan(end: datetime = END, live_days: float = 7, label: str = "") -> Plan:
    return make_plan(SMALL, end, live_days, Label(text=label))


def decoded(sending: Sending) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(sending.value)
    return event


def test_history_and_live_part_at_their_border_and_nothing_comes_before_it_has_happened() -> None:
    plan = a_plan()
    border = plan.live_from.timestamp()
    assert plan.live_from == END - timedelta(days=7)
    assert all(one.at < border for one in plan.history)
    assert all(border <= one.at < END.timestamp() for one in plan.live)
    everything = plan.history + plan.live
    assert [one.at for one in everything] == sorted(one.at for one in everything)
    assert all(datetime.fromisoformat(decoded(one)["time"]).timestamp() <= one.at for one in everything)


def test_what_becomes_of_each_record_is_known_beforehand() -> None:
    plan = a_plan()
    everything, instruments = plan.history + plan.live, load_instruments(None)
    verdicts = [accept(one.value, one.key, round(one.at * 1000), instruments) for one in everything]
    refused = sum(isinstance(verdict, Refusal) for verdict in verdicts)
    accepted = Counter((one.key, decoded(one)["id"]) for one in everything)
    assert plan.expected.sent == len(everything)
    assert plan.expected.refused == refused > 0
    assert plan.expected.accepted == len(accepted) - refused
    assert plan.expected.duplicates == len(everything) - len(accepted) > 0
    assert plan.expected_of_history.sent == len(plan.history)


def test_a_week_later_the_same_happens_a_week_later() -> None:
    one, other = a_plan(), a_plan(END + timedelta(weeks=1))
    week = timedelta(weeks=1).total_seconds()
    assert [(sending.at + week, sending.key) for sending in one.history] == [
        (sending.at, sending.key) for sending in other.history
    ]
    assert one.expected == other.expected


def test_a_label_tells_the_cases_and_therapists_of_a_run_from_others() -> None:
    plain, labelled = a_plan(), a_plan(label="ab12")
    events = [decoded(one) for one in labelled.history + labelled.live]
    assert all(event["subject"].startswith("c-ab12-") for event in events)
    assert {event["data"]["therapist_id"] for event in events} == {f"t-ab12-0{number}" for number in range(1, 5)}
    assert all(one.key.decode() == decoded(one)["subject"] for one in labelled.history)
    assert {row["case_id"].replace("c-ab12-", "c-") for row in labelled.truth} == {
        row["case_id"] for row in plain.truth
    }


def test_the_simulation_ends_tonight_and_with_once_when_the_week_began() -> None:
    friday = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)
    assert history_end(friday, once=False) == datetime(2026, 11, 28, tzinfo=UTC)
    assert history_end(friday, once=True) == datetime(2026, 11, 23, tzinfo=UTC)
    assert history_end(END, once=True) == END
