"""In: a real server and psycopg. Out: what it committed is there, also after a kill; root it never is."""

import os
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import create_engine, text

from deploy.local.console import PartsError
from deploy.local.parts import fetched_postgres
from deploy.testbed.postgres import Postgres, new_database

pytestmark = pytest.mark.postgres


def rows(url: str) -> list[int]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [row.n for row in connection.execute(text("SELECT n FROM t ORDER BY n"))]
    engine.dispose()
    return found


def add_rows(url: str, numbers: range) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE IF NOT EXISTS t (n bigint PRIMARY KEY)"))
        connection.execute(text("INSERT INTO t VALUES (:n)"), [{"n": number} for number in numbers])
    engine.dispose()


def test_each_test_gets_an_empty_database_of_its_own(postgres: Postgres, postgres_url: str) -> None:
    other = new_database(postgres)
    add_rows(postgres_url, range(3))
    add_rows(other, range(5))
    assert (len(rows(postgres_url)), len(rows(other))) == (3, 5)


def test_the_server_never_runs_as_root(postgres: Postgres) -> None:
    owner = Path(f"/proc/{postgres.pid}").stat().st_uid
    assert owner != 0
    assert os.geteuid() in (0, owner)


def test_the_server_lets_nobody_in_without_the_password(postgres: Postgres) -> None:
    wrong = postgres.url(driver="postgresql").replace(postgres.password, "guess")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(wrong)


def test_committed_rows_survive_a_kill_and_uncommitted_ones_do_not(database_of_my_own: Postgres) -> None:
    server = database_of_my_own
    url = new_database(server)
    add_rows(url, range(1000))
    with psycopg.connect(url.replace("postgresql+psycopg", "postgresql")) as open_transaction:
        open_transaction.execute("INSERT INTO t SELECT generate_series(5000, 6000)")
        server.kill()
        assert not server.running
        open_transaction.close()
    server.start()
    assert rows(url) == list(range(1000))
    server.restart()
    assert rows(url) == list(range(1000))


def test_only_root_is_refused_a_folder_that_other_users_cannot_enter(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    server = Postgres(tmp_path / "data")
    if os.geteuid() == 0:
        with pytest.raises(PartsError, match=r"^PostgreSQL refuses to run as root, and other users cannot enter"):
            server.start()
    else:
        server.start()
    server.close()


def test_the_binaries_that_come_through_maven_serve_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("deploy.local.postgres.postgres_binaries", fetched_postgres)
    with Postgres() as server:
        url = new_database(server)
        add_rows(url, range(10))
        server.kill()
        server.start()
        assert len(rows(url)) == 10
