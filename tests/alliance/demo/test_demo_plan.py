"""What the demonstration sends: nothing from the future, everything accounted for, the same again on another day."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from alliance.demo.options import DemoOptions
from alliance.demo.plan import Label, Plan, PlannedRecord, make_plan
from alliance.demo.session import history_end
from pipeline.core.acceptance import Refusal, accept
from schemas.instruments.registry import load_instruments

END = datetime(2026, 11, 23, tzinfo=UTC)
SMALL = DemoOptions(therapists=4, weeks=4, seed=5)


def a_plan(end: datetime = END, live_days: float = 7, label: str = "") -> Plan:
    return make_plan(SMALL, end, live_days, Label(text=label))


def decoded(record: PlannedRecord) -> dict[str, Any]:
    event: dict[str, Any] = msgspec.json.decode(record.value)
    return event


def test_live_begins_where_history_ends_and_nothing_arrives_before_it_has_happened() -> None:
    plan = a_plan()
    border = plan.live_from.timestamp()
    assert plan.live_from == END - timedelta(days=7)
    assert all(record.at < border for record in plan.history)
    assert all(border <= record.at < END.timestamp() for record in plan.live)
    everything = plan.history + plan.live
    assert [record.at for record in everything] == sorted(record.at for record in everything)
    assert all(datetime.fromisoformat(decoded(record)["time"]).timestamp() <= record.at for record in everything)


def test_the_plan_knows_which_records_must_be_accepted_refused_and_recognised_as_duplicates() -> None:
    plan = a_plan()
    everything, instruments = plan.history + plan.live, load_instruments(None)
    verdicts = [accept(record.value, record.key, round(record.at * 1000), instruments) for record in everything]
    refused = sum(isinstance(verdict, Refusal) for verdict in verdicts)
    accepted = Counter((record.key, decoded(record)["id"]) for record in everything)
    assert plan.expected.sent == len(everything)
    assert plan.expected.refused == refused > 0
    assert plan.expected.accepted == len(accepted) - refused
    assert plan.expected.duplicates == len(everything) - len(accepted) > 0
    assert plan.expected_of_history.sent == len(plan.history)


def test_a_week_later_the_same_happens_a_week_later() -> None:
    first, second = a_plan(), a_plan(END + timedelta(weeks=1))
    week = timedelta(weeks=1).total_seconds()
    assert [(record.at + week, record.key) for record in first.history] == [
        (record.at, record.key) for record in second.history
    ]
    assert first.expected == second.expected


def test_a_label_marks_the_cases_and_therapists_of_a_run() -> None:
    plain, labelled = a_plan(), a_plan(label="ab12")
    events = [decoded(record) for record in labelled.history + labelled.live]
    assert all(event["subject"].startswith("c-ab12-") for event in events)
    assert {event["data"]["therapist_id"] for event in events} == {f"t-ab12-0{number}" for number in range(1, 5)}
    assert all(record.key.decode() == decoded(record)["subject"] for record in labelled.history)
    assert {row["case_id"].replace("c-ab12-", "c-") for row in labelled.truth} == {
        row["case_id"] for row in plain.truth
    }


def test_the_simulation_ends_tonight_and_with_once_when_the_week_began() -> None:
    friday = datetime(2026, 11, 27, 15, 30, tzinfo=UTC)
    assert history_end(friday, once=False) == datetime(2026, 11, 28, tzinfo=UTC)
    assert history_end(friday, once=True) == datetime(2026, 11, 23, tzinfo=UTC)
    assert history_end(END, once=True) == END
