"""`alliance doctor`: what it finds, what it leaves alone."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy import create_engine

from pipeline.cli import main
from tests.support.alertmanager import Alertmanager

#: Nobody listens there.
NOWHERE = "127.0.0.1:1"


def ask(monkeypatch: pytest.MonkeyPatch, **settings: str) -> Result:
    """The command without a broker."""
    monkeypatch.setenv("ALLIANCE_KAFKA", NOWHERE)
    monkeypatch.setenv("COLUMNS", "250")
    for name, value in settings.items():
        monkeypatch.setenv(f"ALLIANCE_{name.upper()}", value)
    return CliRunner().invoke(main, ["doctor"])


def test_it_makes_no_database_and_says_who_will(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    told = ask(monkeypatch, alertmanager=NOWHERE)
    assert told.exit_code == 1
    assert f"No broker answers at {NOWHERE}" in told.output
    assert "no file yet, `alliance store` will make it" in told.output
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_there_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/there.sqlite"
    with create_engine(url).connect() as connection:
        connection.exec_driver_sql("CREATE TABLE positions (x)")
    assert "sqlite; 1 tables" in ask(monkeypatch, database=url, alertmanager=NOWHERE).output


def test_an_alertmanager_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ask(monkeypatch, alertmanager=f"http://me:hunter2@{NOWHERE}")
    (line,) = (line for line in told.output.splitlines() if f"Alertmanager {NOWHERE}" in line)
    assert "not there" in line and "only `alliance notifier` needs it" in line
    assert "hunter2" not in told.output


def test_an_alertmanager_that_answers_is_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alertmanager: Alertmanager
) -> None:
    monkeypatch.chdir(tmp_path)
    told = ask(monkeypatch, alertmanager=alertmanager.address)
    assert "answers; holds 0 open flags" in told.output
