"""What a person can mend ends in one sentence with a next step and code 2, never in a traceback, and makes nothing."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine

from pipeline.cli import main

#: Nobody listens there.
NOWHERE = "postgresql://me:hunter2@127.0.0.1:1/alliance"

MISTAKES: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no name of a key": (["key", "bad name"], {}, "name"),
    "no broker's address": (["topics"], {"KAFKA": "foo"}, "ALLIANCE_KAFKA must be host:port"),
    "no engine": (["doctor"], {"ENGINE": "foo"}, "ALLIANCE_ENGINE must be sets or events"),
    "no database's address (store)": (["store"], {"DATABASE": "nonsense"}, "ALLIANCE_DATABASE is no SQLAlchemy URL"),
    "no database's address": (["rejected", "list"], {"DATABASE": "nonsense"}, "ALLIANCE_DATABASE is no SQLAlchemy URL"),
    "no store yet": (["rejected", "list"], {}, "ALLIANCE_DATABASE names a file that is not there"),
    "no store yet (replay)": (["rejected", "replay"], {}, "ALLIANCE_DATABASE names a file that is not there"),
    "no tables": (["rejected", "list"], {"DATABASE": "sqlite:///empty.sqlite"}, "a database without an archive"),
    "database away": (["rejected", "list"], {"DATABASE": NOWHERE}, "ALLIANCE_DATABASE does not answer"),
    "replay from nonsense": (["replay", "--from", "nonsense"], {}, "--from is no SQLAlchemy URL"),
    "replay from nothing": (["replay", "--from", "sqlite:///gone.sqlite"], {}, "--from names a file that is not there"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_one_sentence(mistake: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command, settings, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    create_engine("sqlite:///empty.sqlite").connect().close()
    before = {*tmp_path.glob("*.sqlite")}
    for name, value in settings.items():
        monkeypatch.setenv(f"ALLIANCE_{name}", value)
    told = CliRunner().invoke(main, command)
    assert (told.exit_code, told.exception.__class__) == (2, SystemExit), told.output
    assert told.output.startswith("Error: ") and sentence in told.output
    assert "hunter2" not in told.output
    assert {*tmp_path.glob("*.sqlite")} == before
