"""The law of the system: what the pipeline stores is what docs/rules.md says.

In: histories made up by Hypothesis; simulated practices; turbulent cases. Out: no difference between the two stores.
Never: Kafka (tests/faults has that), or a look of the reference at the pipeline; only this file imports both.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings

from pipeline.simulation.practice import PracticeParameters, simulate
from schemas.topics import EVENTS
from tests.oracle.acceptance import Record
from tests.oracle.compare import actual_store, differences
from tests.oracle.reference import expected_store
from tests.oracle.turbulent import turbulent
from tests.support.builders import LATE_MS, Json, key_of, value_of
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


def flags_of(events: Sequence[Json]) -> pd.DataFrame:
    """The flags that the reference expects."""
    return expected_store([(key_of(event), value_of(event), LATE_MS) for event in events])["flags"]


@settings(max_examples=150, deadline=None)
@given(histories())
def test_any_history_is_stored_as_the_rules_say(history: list[Json]) -> None:
    assert disagreements(history, batch=5) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_practice_is_stored_as_the_rules_say(seed: int) -> None:
    assert disagreements(a_practice(seed=seed), batch=500) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_turbulent_cases_are_stored_as_the_rules_say(seed: int) -> None:
    """With actions on the flags of a first run, before and after they open."""
    first = flags_of(turbulent(seed, 150))
    acted_on = {str(case_id): [*of_case["flag_id"]] for case_id, of_case in first.groupby("case_id")}
    events = turbulent(seed, 150, acted_on)
    assert disagreements(events, batch=100) == []
    # Otherwise this would say little.
    flags = flags_of(events)
    kinds = {kind for of_flag in flags["kinds"] for kind in of_flag}
    assert kinds == {"drop", "waning", "low", "ingredient", "withdrawal", "silence", "split"}
    assert set(flags["status"]) == {"open", "acknowledged", "repaired", "unrepaired", "dismissed"}
