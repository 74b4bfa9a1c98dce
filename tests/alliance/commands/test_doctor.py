"""`alliance doctor`: what it finds, what it leaves alone."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from alliance.cli import main
from consumers.store.database import migrate, newest_revision, open_engine
from deploy.local.places import ROOT
from deploy.testbed.alertmanager import Alertmanager

#: No process listens there.
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
    result = ask(monkeypatch, alertmanager=NOWHERE)
    assert result.exit_code == 1
    assert f"No broker answers at {NOWHERE}" in result.output
    assert "no file yet, `alliance store` will create it" in result.output
    assert list(tmp_path.iterdir()) == []


def finding(result: Result, part: str) -> str:
    """The row of a part: a word, a colon and a sentence."""
    (row,) = (line for line in result.output.splitlines() if line.startswith(f"│ {part} "))
    return ": ".join(cell.strip() for cell in row.split("│")[2:4])


def a_database(folder: Path, *statements: str, is_ours: bool = True) -> str:
    """The URL of a SQLite file, with our tables."""
    url = f"sqlite:///{folder}/there.sqlite"
    engine = open_engine(url)
    if is_ours:
        migrate(engine)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    return url


def test_a_database_that_is_there_is_looked_into(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    row = finding(ask(monkeypatch, database=a_database(tmp_path), alertmanager=NOWHERE), "database")
    assert row.startswith(f"ok: sqlite; revision {newest_revision()}, the newest; ")


@pytest.mark.parametrize(
    ("statement", "is_ours", "sentence"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", True, "a database of another release (revision 9999)"),
        ("CREATE TABLE positions (x)", False, "The tables of ALLIANCE_DATABASE are not those of `alliance store`."),
    ],
)
def test_a_schema_that_is_not_the_stores_is_not_ok(
    statement: str, is_ours: bool, sentence: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    row = finding(ask(monkeypatch, database=a_database(tmp_path, statement, is_ours=is_ours)), "database")
    assert row.startswith("not ok: ") and sentence in row


def test_a_schema_that_is_older_is_ok_and_will_be_upgraded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("consumers.store.database.newest_revision", lambda: "9999")
    row = finding(ask(monkeypatch, database=a_database(tmp_path)), "database")
    assert row.startswith("ok: ") and "`alliance store` will upgrade it to 9999" in row


def test_a_file_that_is_no_database_or_cannot_be_created_is_not_ok(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "note.txt").write_text("No database.\n" * 100)
    for path, sentence in {
        tmp_path / "note.txt": "names a file that is not an SQLite database",
        tmp_path / "none" / "store.sqlite": "cannot be written (No such file or directory)",
        # Not even root can create a file there.
        Path("/proc/store.sqlite"): "/proc/store.sqlite cannot be written",
        tmp_path: "cannot be written (Is a directory)",
    }.items():
        row = finding(ask(monkeypatch, database=f"sqlite:///{path}"), "database")
        assert row.startswith("not ok: ") and sentence in row
    assert [path.name for path in tmp_path.iterdir()] == ["note.txt"]


#: By the part that shows it: a setting, and what the doctor says.
STOPS: dict[str, tuple[str, str, str]] = {
    "address": ("host", "192.0.2.1", "(Cannot assign requested address). Change ALLIANCE_HOST=192.0.2.1 to an address"),
    "prior": ("prior", "/nosuch", "The prior /nosuch cannot be read (No such file or directory)"),
    "API keys": ("api_keys", "/nosuch", "The file of API keys cannot be read (No such file or directory): /nosuch"),
    "instruments": ("instruments", "/nosuch", "/nosuch: there is no such folder; create it"),
    "database": ("database", "sqlite:////nosuch/store.sqlite", "/nosuch/store.sqlite cannot be written"),
}


@pytest.mark.parametrize("part", STOPS)
def test_what_stops_a_process_is_not_ok_and_ends_no_other_check(
    part: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    setting, value, sentence = STOPS[part]
    result = ask(monkeypatch, **{setting: value})
    assert result.exit_code == 1
    assert finding(result, part).startswith("not ok: ") and sentence in finding(result, part)
    assert [finding(result, other) for other in STOPS if other != part and "not ok" in finding(result, other)] == []
    assert "not ok" in finding(result, "broker")


def test_a_place_in_an_instrument_is_shown_as_it_is_and_what_is_not_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "mood.tml").touch()
    assert (
        "not read, because their names do not end in .toml: mood.tml"
        in ask(monkeypatch, instruments=str(tmp_path)).output
    )
    shipped = (ROOT / "schemas" / "instruments" / "srs-3.toml").read_text()
    (tmp_path / "mood.toml").write_text(
        re.sub('"srs/3"', '"mood/1"', re.sub(r"ingredients = .*", "ingredients = [7]", shipped))
    )
    assert "[[items]] no. 1, ingredients no. 1" in finding(ask(monkeypatch, instruments=str(tmp_path)), "instruments")


def test_an_alertmanager_that_does_not_answer_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ask(monkeypatch, alertmanager=f"http://me:hunter2@{NOWHERE}")
    (line,) = (line for line in result.output.splitlines() if f"Alertmanager {NOWHERE}" in line)
    assert "missing" in line and "only `alliance notifier` needs it" in line
    assert "hunter2" not in result.output


def test_an_alertmanager_that_answers_is_ok(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, alertmanager: Alertmanager
) -> None:
    monkeypatch.chdir(tmp_path)
    result = ask(monkeypatch, alertmanager=alertmanager.address)
    assert "answers; holds 0 open flags" in result.output
