"""The exporter's figures: what is shown, what is held back, how windows close."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from prometheus_client import CollectorRegistry, generate_latest

from consumers.exporter.metrics import FlagMeters, TherapistCollector
from consumers.exporter.state import ExporterState, Window, window
from deploy.testbed.builders import ITEMS, Json, a_checkin, a_held, an_action
from deploy.testbed.in_memory import InMemoryPipeline
from schemas.codec import decode_flag, decode_therapist
from schemas.summaries import Day
from schemas.topics import FLAGS, THERAPISTS

NOW = datetime(2026, 2, 20, tzinfo=UTC)


def practice(cases: int, sessions: int = 6, score: float = 9.0) -> list[Json]:
    return [
        event
        for session in range(1, sessions + 1)
        for case in range(cases)
        for event in (
            a_held(session, subject=f"c-{case}", session_id=f"s-{case}-{session}"),
            a_checkin(session, score, subject=f"c-{case}", session_id=f"s-{case}-{session}"),
        )
    ]


def state_of(pipeline: InMemoryPipeline) -> ExporterState:
    state = ExporterState()
    for record in pipeline.log.topics[THERAPISTS]:
        assert record.key is not None
        assert record.value is not None
        state.update_therapist(record.key.decode(), decode_therapist(record.value))
    return state


def exposition(state: ExporterState, now: datetime = NOW) -> str:
    registry = CollectorRegistry()
    registry.register(TherapistCollector(state, lambda: now))
    return generate_latest(registry).decode()


def sample(text: str, name: str, *labels: str) -> float | None:
    for line in text.splitlines():
        if line.startswith(name + "{") and all(label in line for label in labels):
            return float(line.rpartition(" ")[2])
    return None


def test_with_five_scored_clients_the_scores_of_a_therapist_appear() -> None:
    text = exposition(state_of(InMemoryPipeline().feed(practice(5))))
    assert sample(text, "alliance_therapist_scored_cases", 'therapist="t-1"') == 5
    assert sample(text, "alliance_therapist_score_points", 'team="north"') == 4.5
    assert sample(text, "alliance_therapist_ingredient_points", 'ingredient="trust"') == 4.5
    assert sample(text, "alliance_therapist_ingredient_scored_cases", 'ingredient="trust"') == 5


def test_with_four_scored_clients_no_score_appears_but_counts_do() -> None:
    text = exposition(state_of(InMemoryPipeline().feed(practice(4))))
    for name in ("score_points", "scored_cases", "ingredient_points", "ingredient_scored_cases"):
        assert sample(text, f"alliance_therapist_{name}") is None, name
    assert sample(text, "alliance_therapist_active_cases", 'therapist="t-1"') == 4


def test_the_window_moves_with_the_clock_without_an_event() -> None:
    state = state_of(InMemoryPipeline().feed(practice(2, sessions=4)))
    last_session = datetime(2026, 1, 26, tzinfo=UTC)
    assert sample(exposition(state, last_session), "alliance_therapist_sessions_held") == 8
    assert sample(exposition(state, last_session), "alliance_therapist_checkins_completed") == 8
    assert sample(exposition(state, last_session + timedelta(days=14)), "alliance_therapist_sessions_held") == 4
    assert sample(exposition(state, last_session + timedelta(days=28)), "alliance_therapist_sessions_held") == 0


def test_windows_hold_the_last_28_and_90_days_today_included() -> None:
    today = date(2026, 6, 30)
    days = {today - timedelta(days=back): Day(1, 1, 1, 1) for back in (0, 27, 28, 89, 90)}
    assert window(days, today) == Window(2, 2, 4, 4)


def test_a_flag_is_counted_once_and_its_acknowledgement_once() -> None:
    quiet = [a_checkin(session, 9.0) for session in range(1, 5)]
    pipeline = InMemoryPipeline().feed([*quiet, a_checkin(5, 3.0)])
    (record,) = pipeline.log.topics[FLAGS]
    assert record.key is not None
    pipeline.feed([an_action("acknowledged", record.key.decode(), 5)])
    registry = CollectorRegistry()
    state, meters = ExporterState(), FlagMeters(registry)
    for snapshot in pipeline.log.topics[FLAGS] * 2:
        assert snapshot.key is not None
        assert snapshot.value is not None
        meters.count(state.update_flag(snapshot.key.decode(), decode_flag(snapshot.value)), "north")
    text = generate_latest(registry).decode()
    assert sample(text, "alliance_flags_opened_total", 'kind="drop"', 'severity="urgent"', 'team="north"') == 1
    assert sample(text, "alliance_flag_acknowledge_seconds_count", 'team="north"') == 1
    assert sample(text, "alliance_flag_acknowledge_seconds_sum", 'team="north"') == 115 * 60


def test_a_therapist_whose_record_is_deleted_leaves_no_series() -> None:
    state = state_of(InMemoryPipeline().feed(practice(1)))
    assert 't-1"' in exposition(state)
    state.update_therapist("t-1", None)
    assert 't-1"' not in exposition(state)


def test_no_single_check_in_can_be_recovered_from_two_publications_in_a_row() -> None:
    """The attack: with mean m and count n before and after, x = n*m_n - (n-1)*m_(n-1)."""
    pipeline = InMemoryPipeline()
    seen: list[tuple[float, float, int]] = []
    for number in range(80):
        case, session = number % 10, 1 + number // 10
        event = a_checkin(session, (number * 37 % 101) / 10, subject=f"c-{case}", session_id=f"s-{case}-{session}")
        text = exposition(state_of(pipeline.feed([event])))
        points = sample(text, "alliance_therapist_score_points")
        count = sample(text, "alliance_therapist_scored_cases")
        if points is not None and count is not None and (not seen or seen[-1][:2] != (points, count)):
            seen.append((points, count, number))
    assert len(seen) >= 3, "the attack has publications to work on"
    assert all(after[2] - before[2] >= 3 for before, after in pairwise(seen))


def test_an_ingredient_that_only_one_of_five_clients_answers_is_not_shown() -> None:
    partly = {"trust": 9.0, "empathy": 9.0, "communication": 9.0}
    events = [
        a_checkin(
            session,
            subject=f"c-{case}",
            session_id=f"s-{case}-{session}",
            answers={**partly, "goals": 3.0} if case == 4 else partly,
        )
        for session in range(1, 9)
        for case in range(5)
    ]
    pipeline, shown = InMemoryPipeline(), set()
    for event in events:
        text = exposition(state_of(pipeline.feed([event])))
        assert 'ingredient="goals"' not in text
        shown |= {name for name in ITEMS if f'ingredient="{name}"' in text}
    assert shown == {"trust", "empathy", "communication"}
    assert sample(text, "alliance_therapist_ingredient_scored_cases", 'ingredient="trust"') == 5


def test_ingredients_published_before_they_were_counted_are_not_shown() -> None:
    """A compacted topic holds such summaries until the therapist's next event."""
    old = b"""{"therapist_id": "t-1", "team": "north", "version": 9, "last_event_at": "2026-02-19T10:00:00Z",
        "active_cases": 5, "scored_cases": 5, "score_points": 4.5, "ingredient_points": {"trust": 4.5, "goals": 0.3},
        "open_flag_cases": {}, "oldest_unacknowledged_at": null, "days": {},
        "published": {"scored_cases": 5, "score_points": 4.5, "ingredient_points": {"trust": 4.5, "goals": 0.3}}}"""
    state = ExporterState()
    state.update_therapist("t-1", decode_therapist(old))
    text = exposition(state)
    assert sample(text, "alliance_therapist_score_points") == 4.5
    assert "ingredient=" not in text
