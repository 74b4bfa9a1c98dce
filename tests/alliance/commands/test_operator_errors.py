"""A mistake that an operator can fix ends in a sentence with a next step and code 2, without a traceback."""

from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client import CollectorRegistry
from sqlalchemy import create_engine

from alliance.cli import main
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.processes import LOOPBACK, free_port

#: No process listens there.
NOWHERE = "postgresql://me:hunter2@127.0.0.1:1/alliance"

MISTAKES: dict[str, tuple[list[str], dict[str, str], str]] = {
    "no name of a key": (["key", "bad name"], {}, "name"),
    "no broker's address": (["topics"], {"KAFKA": "foo"}, "ALLIANCE_KAFKA must be host:port"),
    "no database's address (store)": (
        ["store"],
        {"DATABASE": "nonsense"},
        "ALLIANCE_DATABASE must be sqlite:///FILE or",
    ),
    "no database that is supported": (
        ["rejected", "list"],
        {"DATABASE": "mysql://h/d"},
        "ALLIANCE_DATABASE must be sqlite:///FILE",
    ),
    "no database's port": (
        ["rejected", "list"],
        {"DATABASE": "postgresql://h:x/d"},
        "ALLIANCE_DATABASE must be sqlite:///FILE or postgresql://",
    ),
    "no store yet": (["rejected", "list"], {}, "ALLIANCE_DATABASE names a file that does not exist"),
    "no store yet (replay)": (["rejected", "replay"], {}, "ALLIANCE_DATABASE names a file that does not exist"),
    "no tables": (["rejected", "list"], {"DATABASE": "sqlite:///empty.sqlite"}, "a database without an archive"),
    "database away": (["rejected", "list"], {"DATABASE": NOWHERE}, "ALLIANCE_DATABASE does not answer"),
    "no SQLite file": (
        ["rejected", "list"],
        {"DATABASE": "sqlite:///note.txt"},
        "names a file that is not an SQLite database",
    ),
    "no SQLite file (store)": (
        ["store"],
        {"DATABASE": "sqlite:///note.txt"},
        "ALLIANCE_DATABASE names a file that is not an SQLite database",
    ),
    "a newer release's": (
        ["store"],
        {"DATABASE": "sqlite:///newer.sqlite"},
        "of another release (revision 9999). Start",
    ),
    "replay from nonsense": (
        ["replay", "--from", "nonsense"],
        {},
        "--from must be sqlite:///FILE or postgresql://",
    ),
    "replay from another's": (
        ["replay", "--from", "mysql://h/d"],
        {},
        "--from must be sqlite:///FILE or postgresql://",
    ),
    "replay from nothing": (
        ["replay", "--from", "sqlite:///gone.sqlite"],
        {},
        "--from names a file that does not exist",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_reported_with_a_next_step(mistake: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    command, settings, sentence = MISTAKES[mistake]
    monkeypatch.chdir(tmp_path)
    create_engine("sqlite:///empty.sqlite").connect().close()
    (tmp_path / "note.txt").write_text("No database.\n" * 100)
    with create_engine("sqlite:///newer.sqlite").begin() as connection:
        connection.exec_driver_sql("CREATE TABLE alembic_version (version_num)")
        connection.exec_driver_sql("INSERT INTO alembic_version VALUES ('9999')")
    before = {*tmp_path.glob("*.sqlite")}
    for name, value in {"STORE_PORT": str(free_port()), **settings}.items():
        monkeypatch.setenv(f"ALLIANCE_{name}", value)
    result = CliRunner().invoke(main, command)
    assert (result.exit_code, result.exception.__class__) == (2, SystemExit), result.output
    assert result.output.startswith("Error: ") and sentence in result.output
    assert "hunter2" not in result.output
    assert {*tmp_path.glob("*.sqlite")} == before


def test_a_port_that_is_not_a_brokers_is_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    http = serve(LOOPBACK, 0, Health("test"), CollectorRegistry())
    monkeypatch.setenv("ALLIANCE_KAFKA", f"{LOOPBACK}:{http.server_port}")
    try:
        result = CliRunner().invoke(main, ["topics"])
    finally:
        http.shutdown()
        http.server_close()
    assert (result.exit_code, result.output) == (
        2,
        f"Error: The program at {LOOPBACK}:{http.server_port} is not a Kafka broker. Start one (`make kafka`), or set "
        "ALLIANCE_KAFKA.\n",
    )
