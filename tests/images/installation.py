"""The compose file brought up as docs/operations/install.md says, and what can be seen of it from outside.

In: a checkout of the project, an engine that has the images. Out: containers, rows, series, alerts.
Never: a change to `docker-compose.yml`; the override adds a receiver of alerts and nothing else.
"""

import json
import re
import secrets
import subprocess
from collections.abc import Sequence
from pathlib import Path
from time import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec
import yaml
from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition

from consumers.store.tables import metadata, positions
from deploy.testbed.builders import Json
from deploy.testbed.waiting import wait_until
from pipeline.runtime.processes import LOOPBACK
from pipeline.runtime.settings import Settings
from schemas.topics import EVENTS
from tests.images.engine import Engine
from tests.images.stand_ins import RECEIVER, services
from tests.images.steps import step

PROJECT = "alliance-images-test"
OVERRIDE = "docker-compose.images-test.yml"
WORKLIST = "https://worklist.invalid/flags"
BATCHED = "application/cloudevents-batch+json"
HEALTHY_SECONDS = 240
#: For the services that end: the state of their container after a success.
ENDED_WELL = "exited 0"


class Installation:
    """One checkout with its passwords and its key, as an operator has it."""

    def __init__(self, engine: Engine, checkout: Path) -> None:
        self._engine = engine
        self.checkout = checkout
        self.services = services()
        self._key = ""

    def prepare(self) -> None:
        """The steps under "With Docker" in docs/operations/install.md: passwords, worklist, image, key."""
        passwords = (f"{name}_PASSWORD={secrets.token_hex(24)}\n" for name in ("POSTGRES", "GRAFANA"))
        (self.checkout / ".env").write_text("".join(passwords) + f"ALLIANCE_WORKLIST_URL={WORKLIST}\n")
        (self.checkout / OVERRIDE).write_text(yaml.safe_dump(self._override()))
        self._write_alertmanagers_secrets()
        keys = self.checkout / "secrets" / "api-keys"
        keys.parent.mkdir()
        keys.touch()
        with step("the project's image from deploy/Dockerfile"):
            self.compose("build")
        made = self.compose("run", "--rm", "--no-deps", "-T", "topics", "key", "practice-system")
        keys.write_text(made.stdout)
        shown = re.search(r"not shown again\): (\S+)", made.stderr)
        assert shown, made.stderr
        self._key = shown[1]

    def up(self) -> None:
        """Starts everything and waits until every health check is healthy."""
        self.compose("up", "--detach")
        wait_until(self.is_whole, HEALTHY_SECONDS, self._what_is_unwell)

    def down(self, *options: str) -> None:
        """Stops and removes the containers; the volumes stay unless an option says otherwise."""
        self.compose("down", *options)

    def compose(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs docker-compose with the project's file and the test's own."""
        files = ("-f", "docker-compose.yml", "-f", OVERRIDE)
        return self._engine.run(["docker-compose", "-p", PROJECT, *files, *arguments], stdin=stdin, cwd=self.checkout)

    def inside(self, service: str, *command: str, stdin: str | None = None) -> str:
        """What a command says that runs in a service's container."""
        return self.compose("exec", "-T", service, *command, stdin=stdin).stdout

    def states(self) -> dict[str, str]:
        """Service -> what its health check says; where it has none, how its container is."""
        label = f"label=com.docker.compose.project={PROJECT}"
        found = self._engine.docker("ps", "--all", "--quiet", "--filter", label).split()
        containers: list[Json] = json.loads(self._engine.docker("inspect", *found)) if found else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: _state(one["State"]) for one in containers}

    def is_whole(self) -> bool:
        """Whether everything is up, and what is to end has ended well."""
        return self.states() == self.wanted_states()

    def _what_is_unwell(self) -> str:
        states = self.states()
        unwell = [name for name, wanted in self.wanted_states().items() if states.get(name) != wanted]
        return f"every service to be well: {states}\n{self.compose('logs', '--no-color', *unwell).stdout[-12000:]}"

    def wanted_states(self) -> dict[str, str]:
        """How every service of the file should be."""
        wanted = {
            name: "healthy" if service["restart"] == "unless-stopped" else ENDED_WELL
            for name, service in self.services.items()
        }
        return {**wanted, "receiver": "running"}

    def processes(self) -> list[str]:
        """The services that run the project's own image and stay."""
        return [name for name, one in self.services.items() if "build" in one and one["restart"] == "unless-stopped"]

    def logs(self) -> str:
        """What all containers wrote."""
        return self.compose("logs", "--no-color").stdout

    def post(self, events: Sequence[Json]) -> httpx.Response:
        """A batch to the gateway's container, with the key."""
        return self.post_with({"Authorization": f"Bearer {self._key}"}, events)

    def post_with(self, headers: dict[str, str], events: Sequence[Json]) -> httpx.Response:
        """A batch with these headers and the one that says that it is a batch."""
        body = msgspec.json.encode(events)
        return httpx.post(
            self._url("gateway", "/v1/events"), content=body, headers={"Content-Type": BATCHED, **headers}, timeout=30
        )

    def rows(self, query: str) -> list[str]:
        """What PostgreSQL answers, one line a row, columns parted by `|`."""
        command = ("psql", "--username", "alliance", "--no-psqlrc", "--no-align", "--tuples-only", "--command", query)
        return self.inside("postgres", *command).splitlines()

    def count(self, table: str) -> int:
        """How many rows a table has; 0 while it is not there."""
        (there,) = self.rows(f"SELECT to_regclass('public.{table}') IS NOT NULL")
        return int(self.rows(f'SELECT count(*) FROM "{table}"')[0]) if there == "t" else 0

    def checksums(self) -> dict[str, str]:
        """Table -> digest of all its rows; without the store's position, which moves with every record read."""
        whole = "md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), ''))"
        tables = [name for name in metadata.tables if name != positions.name]
        return {name: self.rows(f'SELECT {whole} FROM "{name}" t')[0] for name in tables}

    def has_read(self, count: int) -> bool:
        """Whether that many events are in the log and both the store and the worker have read to their end."""
        ends = self._ends()
        stored = self.rows(f"SELECT partition, next_offset FROM positions WHERE topic = '{EVENTS}' AND next_offset > 0")
        return sum(ends.values()) == count and ends == _offsets(stored) and ends.items() <= self._committed().items()

    def _ends(self) -> dict[int, int]:
        consumer = KafkaConsumer(bootstrap_servers=self._broker())
        try:
            partitions = [TopicPartition(EVENTS, number) for number in consumer.partitions_for_topic(EVENTS) or ()]
            return {one.partition: end for one, end in consumer.end_offsets(partitions).items() if end}
        finally:
            consumer.close()

    def _committed(self) -> dict[int, int]:
        admin = KafkaAdminClient(bootstrap_servers=self._broker())
        group = Settings().app_id
        try:
            found: dict[Any, Any] = admin.list_group_offsets([group])[group]
            return {one.partition: at.offset for one, at in found.items() if one.topic == EVENTS}
        finally:
            admin.close()

    def series(self, query: str, at: float | None = None) -> dict[str, float]:
        """What Prometheus answers, therapist -> value; `at` is a moment in seconds since 1970, default now."""
        parameters = {"query": query, "time": str(time() if at is None else at)}
        answer = httpx.get(self._url("prometheus", "/api/v1/query"), params=parameters)
        found = answer.raise_for_status().json()["data"]["result"]
        return {one["metric"].get("therapist", ""): float(one["value"][1]) for one in found}

    def alerting_flags(self) -> set[str]:
        """The flags of which Alertmanager has an alert now."""
        answer = httpx.get(self._url("alertmanager", "/api/v2/alerts"), params={"filter": 'alertname="AllianceFlag"'})
        return {one["labels"]["flag_id"] for one in answer.raise_for_status().json()}

    def received(self) -> str:
        """The notifications that the receiver of alerts got, one body a line."""
        return self.inside("receiver", "cat", "/tmp/received")

    def _broker(self) -> str:
        return f"{LOOPBACK}:{self._port('kafka')}"

    def _url(self, service: str, path: str) -> str:
        return f"http://{LOOPBACK}:{self._port(service)}{path}"

    def _port(self, service: str) -> int:
        return int(self.services[service]["ports"][0].split(":")[1])

    def _override(self) -> Json:
        names = {"default": {"aliases": self._webhook_hosts()}}
        return {"services": {"receiver": {"image": RECEIVER, "networks": names, "tmpfs": ["/tmp"]}}}

    def _write_alertmanagers_secrets(self) -> None:
        """Made-up ones, where its settings look for them."""
        for name in set(re.findall(r"/etc/alertmanager/(secrets/[\w-]+)", self._alertmanagers_settings())):
            file = self.checkout / "deploy" / "alertmanager" / name
            file.parent.mkdir(exist_ok=True)
            file.write_text("made-up\n")

    def _alertmanagers_settings(self) -> str:
        return (self.checkout / "deploy" / "alertmanager" / "alertmanager.yml").read_text()

    def _webhook_hosts(self) -> list[str]:
        """Where Alertmanager's own settings send to: the receiver goes by those names, so they stay as they are."""
        urls = re.findall(r"^\s*(?:- )?url: ['\"]?(http://[^'\"\s]+)", self._alertmanagers_settings(), re.MULTILINE)
        return sorted({host for url in urls if (host := urlsplit(url).hostname) is not None})


def _state(state: Json) -> str:
    if state["Status"] == "exited":
        return f"exited {state['ExitCode']}"
    return str(state["Health"]["Status"] if "Health" in state else state["Status"])


def _offsets(rows: Sequence[str]) -> dict[int, int]:
    pairs = (row.split("|") for row in rows)
    return {int(partition): int(offset) for partition, offset in pairs}
