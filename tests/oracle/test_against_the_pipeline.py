"""The law of the system: what the pipeline stores is what docs/rules.md says.

In: histories made up by Hypothesis; simulated practices. Out: no difference between the store and the reference.
Never: Kafka (tests/faults has that), or a look of the reference at the pipeline; only this file imports both.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings

from pipeline.simulation.practice import PracticeParameters, simulate
from schemas.topics import EVENTS
from tests.oracle.acceptance import Record
from tests.oracle.compare import actual_store, differences
from tests.oracle.reference import expected_store
from tests.support.builders import Json
from tests.support.histories import histories
from tests.support.straight import Straight, memory_store

FAULTS = ("duplicated_share", "corrected_share", "withdrawn_share", "late_share")


def a_practice(**overrides: Any) -> list[Json]:
    """The events of a practice in their order of arrival, some of them twice, corrected, withdrawn or late."""
    usual: Json = {
        "first_day": datetime(2026, 1, 5, tzinfo=UTC),
        "therapists": 12,
        "weeks": 12,
        "seed": 1,
        "therapist_checkins": True,
        **dict.fromkeys(FAULTS, 0.02),
    }
    made = simulate(PracticeParameters(**(usual | overrides)))
    return [made.events[place] for place in made.delivery]


def disagreements(events: Sequence[Json], batch: int) -> list[str]:
    """Where the pipeline's store is not the reference's."""
    straight = Straight().feed(events, batch)
    records: list[Record] = [(one.key, one.value, one.timestamp) for one in straight.log.topics[EVENTS]]
    return differences(expected_store(records), actual_store(straight.store(memory_store())))


@settings(max_examples=150, deadline=None)
@given(histories())
def test_any_history_is_stored_as_the_rules_say(history: list[Json]) -> None:
    assert disagreements(history, batch=5) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_practice_is_stored_as_the_rules_say(seed: int) -> None:
    assert disagreements(a_practice(seed=seed), batch=500) == []


def test_a_simulated_practice_has_flags_of_every_kind() -> None:
    """Otherwise the test above would say little."""
    straight = Straight().feed(a_practice(), batch=500)
    flags = actual_store(straight.store(memory_store()))["flags"]
    assert {kind for kinds in flags["kinds"] for kind in kinds} >= {"drop", "withdrawal", "silence", "split"}
    assert {"repaired", "unrepaired"} <= set(flags["status"])
