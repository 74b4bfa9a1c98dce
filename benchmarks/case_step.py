"""How fast the core takes events: `step` with all detectors, in order, without decoding.

In: a simulated practice. Out: events and client check-ins a second on one core, and where the time goes.
Never: a part of the product.
"""

import platform
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, cast

import msgspec

from alliance.simulation.practice import PracticeParameters, simulate
from pipeline.core.acceptance import Accepted
from pipeline.core.case.changes import step
from pipeline.core.case.state import State
from pipeline.core.case.timeline import Timeline
from pipeline.core.detection.prior import measurement_models
from pipeline.core.instants import to_us
from pipeline.core.records import position, record_of
from pipeline.core.scoring import score
from schemas.events import CheckinSubmitted, Event
from schemas.instruments.definition import Instrument
from schemas.instruments.registry import load_instruments

INSTRUMENTS = load_instruments(None)
MODELS = measurement_models(INSTRUMENTS)
ROUNDS = 5


def accepted(raw: dict[str, Any], instruments: Mapping[str, Instrument]) -> Accepted:
    """An event as the agent has it after decoding."""
    event = msgspec.convert(raw, cast(Any, Event))
    scores = None
    if isinstance(event, CheckinSubmitted):
        scores = score(instruments[event.data.instrument], event.data.answers)
    return Accepted(event, to_us(event.time), scores)


def best_seconds(act: Callable[[], object]) -> float:
    """Processor seconds of the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        best = min(best, time.process_time() - start)
    return best


def main() -> int:
    """Measure and print."""
    made = simulate(PracticeParameters(first_day=datetime(2026, 1, 5, tzinfo=UTC), therapists=12))
    events = [accepted(raw, INSTRUMENTS) for raw in made.events]
    checkins = [event for event in events if event.scores is not None]
    records = [(event.event.subject, record_of(event)) for event in events]

    def whole(stream: list[Accepted]) -> None:
        states: dict[str, State] = {}
        for event in stream:
            case_id = event.event.subject
            states[case_id], _ = step(states.get(case_id), event, MODELS)

    def timelines() -> None:
        known: dict[str, Timeline] = {}
        for case_id, record in records:
            timeline = known.get(case_id) or known.setdefault(case_id, Timeline(case_id, MODELS))
            timeline.advance(position(record), record)

    print(f"Python {platform.python_version()}, {len(events)} events, {len(checkins)} client check-ins, one core")
    for name, count, act in (
        ("case.step, all events", len(events), lambda: whole(events)),
        ("case.step, check-ins only", len(checkins), lambda: whole(checkins)),
        ("of this: record_of", len(events), lambda: [record_of(event) for event in events]),
        ("of this: Timeline.advance", len(events), timelines),
    ):
        seconds = best_seconds(act)
        print(f"{name:28} {count / seconds:10,.0f} a second {seconds / count * 1e6:8.2f} µs each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
