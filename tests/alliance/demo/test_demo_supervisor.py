"""The simulated supervisor does everything once, at its time, and by the flag alone."""

from datetime import UTC, datetime, timedelta
from typing import Any

from alliance.demo.supervisor import RaisedFlag, Supervisor, actions
from pipeline.core.acceptance import Accepted, accept
from schemas.codec import decode_event
from schemas.events import FlagAcknowledged, FlagDiscussed

OPENED = datetime(2026, 11, 4, 13, 24, tzinfo=UTC)
LATER = OPENED + timedelta(days=60)


def a_flag(number: int = 1, **overrides: Any) -> RaisedFlag:
    facts: dict[str, Any] = {
        "flag_id": f"f-{number:04d}",
        "case_id": f"c-{number:04d}",
        "severity": "warning",
        "opened_at": OPENED,
        "closed_at": None,
    }
    return RaisedFlag(**(facts | overrides))


FLAGS = [a_flag(number) for number in range(200)]


def test_most_flags_are_acknowledged_many_discussed_some_overlooked() -> None:
    done = [actions(flag) for flag in FLAGS]
    assert 0.04 < sum(not events for events in done) / len(done) < 0.22
    assert 0.5 < sum(len(events) == 2 for events in done) / len(done) < 0.85
    assert all(isinstance(event, FlagAcknowledged) for events in done for event in events[:1])
    assert all(isinstance(event, FlagDiscussed) for events in done for event in events[1:])


def test_acknowledging_comes_after_the_opening_discussing_after_that_and_nothing_after_the_end() -> None:
    for flag in FLAGS:
        times = [flag.opened_at, *(event.time for event in actions(flag))]
        assert times == sorted(times)
    soon = OPENED + timedelta(hours=5)
    assert all(event.time < soon for number in range(200) for event in actions(a_flag(number, closed_at=soon)))


def test_an_urgent_flag_is_acknowledged_sooner() -> None:
    pairs = [(actions(a_flag(number, severity="urgent")), actions(a_flag(number))) for number in range(200)]
    assert all(urgent[0].time < warning[0].time for urgent, warning in pairs if warning)


def test_each_event_is_given_out_once_and_not_before_it_is_due() -> None:
    supervisor = Supervisor()
    assert supervisor.act(FLAGS, OPENED) == []
    first = supervisor.act(FLAGS, OPENED + timedelta(days=1))
    rest = supervisor.act(FLAGS, LATER)
    assert len(first) + len(rest) == sum(len(actions(flag)) for flag in FLAGS)
    assert all(decode_event(value).time <= OPENED + timedelta(days=1) for _, value in first)
    assert supervisor.act(FLAGS, LATER) == []


def test_what_it_sends_is_accepted() -> None:
    for key, value in Supervisor().act(FLAGS, LATER):
        assert isinstance(accept(value, key, round(LATER.timestamp() * 1000), {}), Accepted)
