"""The law of the system: what the pipeline stores is what docs/rules.md says.

In: histories made up by Hypothesis; simulated practices; turbulent cases. Out: no difference between the two stores.
Never: Kafka (tests/faults has that), or a look of the reference at the pipeline; only this file imports both.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings

from alliance.simulation.practice import PracticeParameters, simulate
from deploy.testbed.builders import LATE_MS, Json, key_of, value_of
from deploy.testbed.in_memory import InMemoryPipeline, memory_store
from schemas.instruments.registry import load_instruments
from schemas.topics import EVENTS
from tests.oracle.acceptance import Record
from tests.oracle.compare import actual_store, differences
from tests.oracle.instruments import SHIPPED, Instrument, load
from tests.oracle.reference import expected_store
from tests.oracle.test_episodes import LOW_AND_SILENT
from tests.oracle.turbulent import turbulent
from tests.support.histories import histories

FAULTS = ("duplicated_share", "corrected_share", "voided_share", "late_share")


def a_practice(**overrides: Any) -> list[Json]:
    """The events of a practice in their order of arrival, some of them twice, corrected, voided or late."""
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


def disagreements(events: Sequence[Json], batch: int, folder: Path | None = None) -> list[str]:
    """Where the pipeline's store is not the reference's; `folder` has the practice's own instruments."""
    pipeline = InMemoryPipeline(load_instruments(folder)).feed(events, batch)
    records: list[Record] = [(record.key, record.value, record.timestamp) for record in pipeline.log.topics[EVENTS]]
    expected = expected_store(records, instruments_with(folder))
    return differences(expected, actual_store(pipeline.store(memory_store())))


def flags_of(events: Sequence[Json], folder: Path | None = None) -> pd.DataFrame:
    """The flags that the reference expects."""
    records = [(key_of(event), value_of(event), LATE_MS) for event in events]
    return expected_store(records, instruments_with(folder))["flags"]


def instruments_with(folder: Path | None) -> dict[str, Instrument]:
    """As the reference reads them."""
    return load((SHIPPED,) if folder is None else (SHIPPED, folder))


def acted_on(seed: int, cases: int, folder: Path | None = None) -> list[Json]:
    """Turbulent cases with actions on the flags of a first run, before and after they open."""
    instruments = instruments_with(folder)
    first = flags_of(turbulent(seed, cases, None, instruments), folder)
    flag_ids = {str(case_id): [*of_case["flag_id"]] for case_id, of_case in first.groupby("case_id")}
    return turbulent(seed, cases, flag_ids, instruments)


#: Four items, of which two share an ingredient and one is reversed.
OWN = """
id = "{name}/1"
name = "{name}"
minimum = {minimum}
maximum = {maximum}
decimals = {decimals}
validated = false
licence = {{ status = "open", notice = "Made for this test." }}
items = [
    {{ id = "a", ingredients = ["trust"] }},
    {{ id = "b", ingredients = ["empathy", "trust"], reversed = true }},
    {{ id = "c", ingredients = ["goals"] }},
    {{ id = "d", ingredients = ["communication"] }},
]
missing = {{ total_at_least = 3, ingredient_at_least = {{ trust = 1 }} }}
cutoff = {{ below = {below}, source = "Made for this test." }}
"""


@pytest.fixture
def own_instruments(tmp_path: Path) -> Path:
    """Whole numbers from 0 to 10 and from 1 to 7, and hundredths of ten."""
    for name, *numbers in (("tens", 0, 10, 0, 32), ("sevens", 1, 7, 0, 22), ("fine", 0, 10, 2, 32)):
        minimum, maximum, decimals, below = numbers
        text = OWN.format(name=name, minimum=minimum, maximum=maximum, decimals=decimals, below=below)
        (tmp_path / f"{name}.toml").write_text(text, encoding="utf-8")
    return tmp_path


@settings(max_examples=150, deadline=None)
@given(histories())
def test_any_history_is_stored_as_the_rules_say(history: list[Json]) -> None:
    assert disagreements(history, batch=5) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_a_simulated_practice_is_stored_as_the_rules_say(seed: int) -> None:
    assert disagreements(a_practice(seed=seed), batch=500) == []


def test_to_look_ahead_for_a_target_does_not_move_the_level() -> None:
    """Rare in any history: a signal of the odds while sessions pass without a check-in, and then low."""
    events = [json.loads(value) for _, value, _ in LOW_AND_SILENT if value is not None]
    assert disagreements(events, batch=5) == []


@pytest.mark.parametrize("seed", [1, 2])
def test_turbulent_cases_are_stored_as_the_rules_say(seed: int) -> None:
    events = acted_on(seed, 150)
    assert disagreements(events, batch=100) == []
    # Otherwise this would say little.
    flags = flags_of(events)
    kinds = {kind for of_flag in flags["kinds"] for kind in of_flag}
    assert kinds == {"drop", "waning", "low", "ingredient", "withdrawal", "nonresponse", "discrepancy"}
    assert set(flags["status"]) == {"open", "acknowledged", "repaired", "unrepaired", "dismissed"}
    # Evidence of a graver signal that joined that of another kind.
    joined = [evidence for evidence in flags["evidence"] if {"level", "limit"} <= evidence.keys()]
    assert len(joined) > 5
    # Kinds that spoke and did not lead (less grave, or muted); clients who went to another therapist between two flags.
    led_by_a_later_one = [kind for kind, kinds in zip(flags["kind"], flags["kinds"], strict=True) if kind != kinds[0]]
    assert len(led_by_a_later_one) > 3
    assert (flags.groupby("case_id")["therapist_id"].nunique() > 1).sum() > 5


def test_instruments_of_any_grain_are_held_to_the_same_rules(own_instruments: Path) -> None:
    events = acted_on(3, 120, own_instruments)
    assert disagreements(events, batch=100, folder=own_instruments) == []
    assert {"tens/1", "sevens/1", "fine/1"} <= {str(event["data"].get("instrument")) for event in events}
    assert {"low", "ingredient", "withdrawal"} <= {
        kind for kinds in flags_of(events, own_instruments)["kinds"] for kind in kinds
    }
