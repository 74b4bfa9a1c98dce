"""What an older version left behind, in the database and in compacted topics, after an upgrade.

In: the tables of an older revision with rows in them; summaries without what has been added since.
Out: the newest tables.
Never: a made-up number for what the older version did not count.
"""

from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, select, text

from consumers.store import tables
from consumers.store.database import MIGRATIONS, migrate, open_engine
from consumers.store.sink import StoreSink
from deploy.testbed.builders import a_checkin
from deploy.testbed.in_memory import INSTRUMENTS, InMemoryPipeline, InMemoryRecord, memory_store
from schemas.topics import THERAPISTS

#: A therapist's summary as it was written before ingredients were counted.
OLD_SUMMARY = b"""{"therapist_id": "t-1", "team": "north", "version": %d, "last_event_at": "2026-02-19T10:00:00Z",
    "active_cases": 2, "scored_cases": 1, "score_points": 0.9, "ingredient_points": {"trust": 0.9},
    "open_flag_cases": {}, "oldest_unacknowledged_at": null, "days": {}}"""
OLD_ROW = text(
    "INSERT INTO therapists (therapist_id, version, team, active_cases, scored_cases, score_points,"
    " ingredient_points, open_flag_cases, days) VALUES (:name, 1, 'north', 2, :cases, 0.9, :points, '{}', '{}')"
)


def counted_by_ingredient(engine: Engine) -> dict[str, dict[str, int] | None]:
    """The cases behind each ingredient, by therapist."""
    columns = tables.therapists.c.therapist_id, tables.therapists.c.ingredient_scored_cases
    with engine.connect() as connection:
        return {row.therapist_id: row.ingredient_scored_cases for row in connection.execute(select(*columns))}


def upgrade_and_check(engine: Engine) -> None:
    """Rows from before ingredients were counted have no number, until the therapist's next summary."""
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        command.upgrade(config, "0001")
        connection.execute(OLD_ROW, {"name": "t-1", "cases": 1, "points": '{"trust":0.9}'})
        connection.execute(OLD_ROW, {"name": "t-2", "cases": 0, "points": "{}"})
    migrate(engine)
    assert counted_by_ingredient(engine) == {"t-1": None, "t-2": {}}
    partly = {"trust": 9.0, "empathy": 9.0, "goals": 9.0}
    InMemoryPipeline().feed([a_checkin(1), a_checkin(2, subject="c-2", answers=partly)]).store(engine)
    counts = {"communication": 1, "empathy": 2, "goals": 2, "trust": 2}
    assert counted_by_ingredient(engine) == {"t-1": counts, "t-2": {}}
    engine.dispose()


def test_rows_from_before_ingredients_were_counted_are_upgraded_in_sqlite(tmp_path: Path) -> None:
    upgrade_and_check(open_engine(f"sqlite:///{tmp_path}/store.sqlite"))


@pytest.mark.postgres
def test_rows_from_before_ingredients_were_counted_are_upgraded_in_postgresql(postgres_url: str) -> None:
    upgrade_and_check(open_engine(postgres_url))


def test_a_summary_from_before_ingredients_were_counted_is_kept_without_the_count() -> None:
    engine = memory_store()
    StoreSink(engine, INSTRUMENTS).write([InMemoryRecord(THERAPISTS, b"t-1", OLD_SUMMARY % 7, 0)])
    assert counted_by_ingredient(engine) == {"t-1": None}
