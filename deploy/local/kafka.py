"""A real Apache Kafka on this machine: one KRaft process that is broker and controller at once.

In: the jars that `parts.py` fetches, a folder for the data. Out: a broker on the loopback interface; `bootstrap` is its
address.
Never: another interface; a topic created by its first use; an ended process that it did not start.
"""

import argparse
import base64
import subprocess
import uuid
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Self

from deploy.local.console import PartsError, announced, run_for_person, say
from deploy.local.packages import java
from deploy.local.parts import KAFKA_POM, kafka_jars
from deploy.local.places import parts_folder
from deploy.local.server import LocalServer
from pipeline.runtime.processes import LOOPBACK, Child, free_port, is_listening, last_lines

LOG_SETTINGS = KAFKA_POM.parent / "log4j2.properties"
START_SECONDS = 60
STARTED = "Kafka Server started"

# A record of 2 MB, and what a batch, its headers and a refused record's own headers add.
LARGEST_BATCH_BYTES = 3 * 1024 * 1024

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "message.max.bytes": str(LARGEST_BATCH_BYTES),
    "replica.fetch.max.bytes": str(LARGEST_BATCH_BYTES),
    # One node: every internal topic is here, in few partitions.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "4",
    # A killed consumer is noticed soon, and a new group does not wait for more members.
    "group.min.session.timeout.ms": "1000",
    "group.initial.rebalance.delay.ms": "0",
    # A killed broker may return once its previous session has expired; by default that takes 9 s.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
    # Two cores and a small heap: the cleaner's default buffer alone is 128 MB.
    "num.network.threads": "2",
    "num.io.threads": "4",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),
}


class Kafka(LocalServer):
    """One broker, on the given data folder, or on a temporary one of its own.

    `heap` is Java's -Xmx; `properties` are lines of server.properties and override the settings here.
    """

    name = "kafka"

    def __init__(
        self,
        data: Path | None = None,
        *,
        port: int | None = None,
        heap: str = "512m",
        partitions: int = 8,
        properties: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(data, port)
        self._heap = heap
        self._controller_port = free_port()
        self._settings = self._all_settings(partitions, properties or {})

    @property
    def bootstrap(self) -> str:
        """host:port for clients; the same after a restart."""
        return self.address

    def start(self) -> Self:
        """Start the broker on a formatted folder; return once it accepts requests."""
        self._check_port()
        if self._server is None:
            self._format()
            self._server = Child("Kafka", self._java("kafka.Kafka", self._written_settings()), self.log)
        broker = self._server
        broker.start()
        broker.wait_until_ready(lambda: STARTED in broker.output() and is_listening(self.port), START_SECONDS)
        return self

    def _all_settings(self, partitions: int, properties: Mapping[str, str]) -> dict[str, str]:
        controller = f"{LOOPBACK}:{self._controller_port}"
        places = {
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.bootstrap}",
            "controller.quorum.bootstrap.servers": controller,
            "log.dirs": str(self.home.resolve() / "log"),
            "num.partitions": str(partitions),
        }
        return {**SETTINGS, **places, **properties}

    def _written_settings(self) -> Path:
        file = self.home / "server.properties"
        file.write_text("".join(f"{name}={value}\n" for name, value in self._settings.items()))
        return file

    def _format(self) -> None:
        if (self.home / "log" / "meta.properties").exists():
            return
        tool = self._java("kafka.tools.StorageTool", "format", "--standalone", "-t", cluster_id())
        command = [*tool, "-c", self._written_settings()]
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        if answer.returncode != 0:
            raise PartsError(f"Kafka's storage could not be formatted: {last_lines(answer.stdout + answer.stderr)}")

    def _java(self, main_class: str, *arguments: str | Path) -> list[str | Path]:
        logging = f"-Dlog4j2.configurationFile={LOG_SETTINGS}"
        memory = [f"-Xmx{self._heap}", "-XX:+UseSerialGC", "-XX:+ExitOnOutOfMemoryError"]
        return [java(), *memory, logging, "-cp", f"{kafka_jars()}/*", main_class, *arguments]


def cluster_id() -> str:
    """A random id in Kafka's format: 16 bytes as URL-safe base64, without a leading dash."""
    return "A" + base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[1:22]


def main() -> None:
    """Run a broker in the foreground until Ctrl-C; its data stays for the next time."""
    parser = argparse.ArgumentParser(prog="python -m deploy.local.kafka", description=main.__doc__)
    parser.add_argument("--port", type=int, default=9092)
    parser.add_argument("--data", type=Path, default=None, help="default: .parts/kafka-data")
    parser.add_argument("--heap", default="512m", help="Java's -Xmx")
    choices = parser.parse_args()
    kafka = Kafka(choices.data or parts_folder() / "kafka-data", port=choices.port, heap=choices.heap)
    try:
        with announced(f"Starting Apache Kafka on {kafka.bootstrap}"):
            kafka.start()
        say(f"ALLIANCE_KAFKA={kafka.bootstrap}   data: {kafka.home}   log: {kafka.log}   stop: Ctrl-C")
        Event().wait()
    finally:
        kafka.close()


if __name__ == "__main__":
    run_for_person(main)
