"""The whole system as processes on real parts: worker, store, exporter, notifier, on a broker and a database.

In: a broker, a database URL, a folder. Out: running processes, their health and metrics, the rows of the store.
Never: a process left behind.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from kafka import KafkaProducer
from sqlalchemy import Engine, func, select

from consumers.store import tables
from consumers.store.database import open_engine
from deploy.testbed.builders import Json, key_of, value_of
from deploy.testbed.processes import Process, Processes
from deploy.testbed.waiting import wait_until
from pipeline.runtime.processes import free_port
from schemas.topics import EVENTS

PROCESSES = ("worker", "store", "exporter", "gateway", "notifier")


class System:
    """One installation. Its topics have fixed names, so a broker serves one at a time."""

    def __init__(self, processes: Processes, bootstrap: str, database: str, **settings: str) -> None:
        self.processes = processes
        self.bootstrap = bootstrap
        self.database = database
        self.ports = {name: free_port() for name in PROCESSES}
        self.extra_settings = settings
        self.settings: Mapping[str, str] = {
            "ALLIANCE_KAFKA": bootstrap,
            "ALLIANCE_DATABASE": database,
            "ALLIANCE_SESSION_TIMEOUT_SECONDS": "6",
            "ALLIANCE_PARTITIONS": "4",
            **{f"ALLIANCE_{name.upper()}_PORT": str(port) for name, port in self.ports.items()},
            **settings,
        }
        self.running: dict[str, Process] = {}

    def create_topics(self) -> "System":
        """`alliance topics`."""
        made = self.processes.alliance("topics", env=self.settings)
        assert made.wait(60) == 0, made.output()
        return self

    def start(self, *names: str) -> "System":
        """Start these processes."""
        for name in names:
            self.running[name] = self.processes.alliance(name, env=self.settings)
        return self

    def another(self) -> "System":
        """A second set of processes on the same broker, topics, groups and database; nothing runs yet."""
        return System(self.processes, self.bootstrap, self.database, **self.extra_settings)

    @contextmanager
    def second_worker(self, first: "System") -> Iterator["System"]:
        """This installation's worker beside the first one's; killed at the end."""
        assert first.bootstrap == self.bootstrap
        self.start("worker").wait_until_healthy("worker")
        try:
            yield self
        finally:
            self.kill("worker")

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.running[name].kill()

    def get(self, name: str, path: str) -> tuple[int, str]:
        """Status and body of a process's page; 0 if it does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.ports[name]}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def health(self, name: str) -> Json:
        """A process's health; empty if it does not answer."""
        _, body = self.get(name, "/health")
        report: Json = json.loads(body) if body else {}
        return report

    def wait_until_healthy(self, *names: str, timeout: float = 60) -> "System":
        """Return once these processes are healthy."""
        for name in names:
            self._wait_until_healthy(name, timeout)
        return self

    def _wait_until_healthy(self, name: str, timeout: float) -> None:
        wait_until(
            lambda: self.health(name).get("status") == "ok",
            timeout,
            lambda: f"{name} to be healthy; its health is {self.health(name)} and its log:\n{self.log_of(name)}",
        )

    def log_of(self, name: str) -> str:
        """The end of a process's log."""
        return self.running[name].output()[-4000:]

    def logs(self) -> str:
        """The logs of all processes."""
        return "\n".join(process.output() for process in self.running.values())

    def producer(self) -> KafkaProducer:
        """A producer that waits for acknowledgements."""
        return KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, max_request_size=3_000_000)

    def send(self, events: Iterable[Json]) -> int:
        """Put events on the log; returns when all are acknowledged."""
        return self.send_records((key_of(event), value_of(event)) for event in events)

    def send_records(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """As `send`, for raw records."""
        producer = self.producer()
        futures = [producer.send(EVENTS, key=key, value=value) for key, value in records]
        for future in futures:
            future.get(timeout=60)
        producer.close()
        return len(futures)

    def engine(self) -> Engine:
        """The store's database."""
        return open_engine(self.database)

    def counts(self) -> dict[str, int]:
        """Rows per table; empty while there is no schema."""
        engine = self.engine()
        try:
            with engine.connect() as connection:
                return {
                    name: connection.scalar(select(func.count()).select_from(table)) or 0
                    for name, table in tables.metadata.tables.items()
                }
        except Exception:  # noqa: BLE001 - the tables may not be there yet
            return {}
        finally:
            engine.dispose()

    def accepted_in_summaries(self) -> int:
        """Sum of the therapists' versions: every accepted event that has gone through both agents."""
        engine = self.engine()
        try:
            with engine.connect() as connection:
                return int(connection.scalar(select(func.sum(tables.therapists.c.version))) or 0)
        except Exception:  # noqa: BLE001 - the tables may not be there yet
            return 0
        finally:
            engine.dispose()

    def metric(self, name: str, metric: str) -> dict[str, float]:
        """A process's samples of a metric, by the text of their labels."""
        _, body = self.get(name, "/metrics")
        samples: dict[str, Any] = {}
        for line in body.splitlines():
            if line.startswith((metric + "{", metric + " ")):
                labels, _, value = line.removeprefix(metric).rpartition(" ")
                samples[labels] = float(value)
        return samples
