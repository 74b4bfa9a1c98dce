"""A real PostgreSQL on this machine, without Docker and without being root.

In: the programs that `parts.py` finds or fetches, a folder for the data. Out: a server on the loopback interface;
`url()` is its address.
Never: another interface; a login without the password; a server that runs as root.
"""

import argparse
import os
import pwd
import secrets
import shutil
import signal
import subprocess
from pathlib import Path
from threading import Event
from time import monotonic
from typing import Self

from deploy.local.console import PartsError, announced, run_for_person, say
from deploy.local.parts import postgres_binaries
from deploy.local.places import parts_folder
from deploy.local.server import LocalServer
from pipeline.runtime.processes import LOOPBACK, Account, Child, ProcessError, last_lines

OWNER = "alliance"
START_SECONDS = 60
INITDB_CHOICES = (
    f"--username={OWNER}",
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-sync",
    "--no-instructions",
)
# After a SIGKILL the server's own children need a moment to end; until then a new server refuses to start.
OLD_CHILDREN_REMAIN = ("shared memory block", "is still in use")


class Postgres(LocalServer):
    """One server, on the given data folder, or on a temporary one of its own.

    `fsync=False` is faster and unsafe only if the whole machine crashes; a killed server loses nothing either way.
    """

    name = "postgres"

    def __init__(self, data: Path | None = None, *, port: int | None = None, fsync: bool = True) -> None:
        super().__init__(data, port)
        self._fsync = fsync
        self._account = server_account()

    @property
    def password(self) -> str:
        """The owner's password, made with the data folder and kept beside it."""
        return self._password_file.read_text().strip()

    def url(self, database: str = "postgres", driver: str = "postgresql+psycopg") -> str:
        """A SQLAlchemy URL (driver='postgresql' for psycopg itself), with the password in it."""
        return f"{driver}://{OWNER}:{self.password}@{LOOPBACK}:{self.port}/{database}"

    def create_database(self, name: str) -> str:
        """Create an empty database; return its URL. Needs psycopg, so it works only in the project's environment."""
        import psycopg
        from psycopg.sql import SQL, Identifier

        with psycopg.connect(self.url(driver="postgresql"), autocommit=True) as connection:
            connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        return self.url(name)

    def start(self) -> Self:
        """Start the server on an initialised folder; return once it accepts connections."""
        self._check_port()
        if self._server is None:
            self._server = self._prepared()
        deadline = monotonic() + START_SECONDS
        while not self._starts(self._server, monotonic() > deadline):
            Event().wait(0.05)
        return self

    def stop(self) -> None:
        """Shut the server down without waiting for clients; start() uses the same data again."""
        self._child().stop(signal.SIGINT)

    def close(self) -> None:
        """Shut it down for good, so that its shared memory is freed too; remove a temporary folder."""
        if self._server is not None:
            self.stop()
        super().close()

    def _starts(self, server: Child, last_try: bool) -> bool:
        server.start()
        try:
            server.wait_until_ready(self._is_ready, START_SECONDS)
        except ProcessError:
            if last_try or not all(words in server.output() for words in OLD_CHILDREN_REMAIN):
                raise
            return False
        return True

    def _is_ready(self) -> bool:
        # The server itself writes its pid into the first line of this file and its state into the eighth.
        file = self._data / "postmaster.pid"
        lines = file.read_text().splitlines() if file.exists() else []
        return len(lines) > 7 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    @property
    def _data(self) -> Path:
        return self.home / "data"

    @property
    def _password_file(self) -> Path:
        return self.home / "password"

    def _prepared(self) -> Child:
        self._give_to_account(self.home)
        if self._account is not None and not can_reach(self.home, self._account):
            raise PartsError(
                f"PostgreSQL refuses to run as root, and other users cannot enter {self.home}: "
                "choose a data folder that they can, or do not run it as root."
            )
        programs = self._reachable(postgres_binaries())
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs)
        command: list[str | Path] = [programs / "postgres", "-D", self._data]
        for setting, value in self._settings().items():
            command += ["-c", f"{setting}={value}"]
        return Child("PostgreSQL", command, self.log, env=plain_environment(), cwd=self.home, account=self._account)

    def _settings(self) -> dict[str, str]:
        return {
            "listen_addresses": LOOPBACK,
            "port": str(self.port),
            "unix_socket_directories": "",
            "fsync": "on" if self._fsync else "off",
        }

    def _initialise(self, programs: Path) -> None:
        if not self._password_file.exists():
            self._password_file.touch(mode=0o600)
            self._password_file.write_text(secrets.token_hex(16))
        self._give_to_account(self._password_file)
        command: list[str | Path] = [programs / "initdb", *INITDB_CHOICES]
        command += [f"--pgdata={self._data}", f"--pwfile={self._password_file}"]
        child = Child("initdb", command, self.log, env=plain_environment(), cwd=self.home, account=self._account)
        child.start()
        if child.wait(START_SECONDS) != 0:
            raise PartsError(f"PostgreSQL's data folder could not be made: {last_lines(child.output())}")

    def _give_to_account(self, path: Path) -> None:
        if self._account is not None:
            os.chown(path, self._account.uid, self._account.gid)

    def _reachable(self, programs: Path) -> Path:
        """The programs in a place where the account may run them: beside the data if it cannot enter their folder."""
        if self._account is None or can_reach(programs / "postgres", self._account):
            return programs
        copy = self.home / "server"
        if not copy.exists():
            shutil.copytree(programs.parent, copy, symlinks=True)
        return copy / "bin"


def server_account() -> Account | None:
    """The user that the server runs as: the same user (None) or, since PostgreSQL refuses root, another one."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return Account(entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account) -> bool:
    """Whether the account may run the program or enter the folder at this path."""
    command = ["test", "-x", str(path)]
    answer = subprocess.run(command, user=account.uid, group=account.gid, extra_groups=[], check=False, cwd="/")
    return answer.returncode == 0


def plain_environment() -> dict[str, str]:
    """The server's environment: the path, and settings for English messages."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def main() -> None:
    """Run a server in the foreground until Ctrl-C; its data stays for the next time."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.postgres", description=main.__doc__)
    parser.add_argument("--port", type=int, default=5432)
    parser.add_argument("--data", type=Path, default=None, help="default: .parts/postgres-data")
    choices = parser.parse_args()
    server = Postgres(choices.data or parts_folder() / "postgres-data", port=choices.port)
    try:
        with announced(f"Starting PostgreSQL on {LOOPBACK}:{server.port}"):
            server.start()
        say(f"ALLIANCE_DATABASE={server.url()}   data: {server.home}   log: {server.log}   stop: Ctrl-C")
        Event().wait()
    finally:
        server.close()


if __name__ == "__main__":
    run_for_person(main)
