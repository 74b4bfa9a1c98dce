"""Where the demonstration runs: its Kafka, its folder, its settings and the processes of the pipeline.

In: the options. Out: an `Environment` while it is entered.
Never: a process or a folder left behind (unless the person keeps it, or an error leaves its logs there); simulated
records among those of a Kafka that is in use, unless asked for; this run's changelogs left on a real Kafka.
"""

import os
import re
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

import pipeline
from alliance.demo.broker import API_VERSION, EmbeddedBroker, EmbeddedBrokerError
from alliance.demo.options import DemoError, DemoOptions, Stopped
from alliance.demo.plan import Label
from pipeline.ingest.gateway.api_keys import make_key
from pipeline.runtime.broker_probe import is_reachable
from pipeline.runtime.kafka_clients import client_options
from pipeline.runtime.processes import (
    LOOPBACK,
    Child,
    ProcessError,
    free_ports,
    last_lines,
    leave_to_reaper,
    take_from_reaper,
)
from pipeline.runtime.settings import PREFIX, Settings
from pipeline.runtime.topic_admin import create_topics
from schemas.topics import EVENTS, TOPICS, changelog_topics

PROCESSES = ("worker", "store", "exporter", "gateway")
PARTITIONS = 8
STORE_FILE = "store.sqlite"
#: How long all processes together may take to end by themselves before they are killed.
GRACE_SECONDS = 6.0
#: Where `pipeline` and `alliance` are found by the processes, also if the package is not installed.
_SOURCES = Path(pipeline.__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """A Kafka with every topic, as settings name it; `label` tells this run's records from others."""

    settings: Settings
    label: Label
    description: str


class DemoProcesses:
    """Starts commands of `alliance`, each with a log in the folder, and ends them together."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        """The processes run in `folder`, so that the files that they write are there."""
        self._folder = folder
        self._logs = folder / "logs"
        self._logs.mkdir()
        self._environment = {**_inherited_environment(), **as_environment(settings)}
        self._children: dict[str, Child] = {}

    def start(self, command: str) -> None:
        """Start `alliance COMMAND` and return at once."""
        child = Child(
            command,
            [sys.executable, "-u", "-m", "alliance.cli", command],
            self._logs / f"{command}.log",
            env=self._environment,
            cwd=self._folder,
        )
        self._children[command] = child
        child.start()

    def check(self) -> None:
        """Raise `DemoError` if one of them has ended by itself: which, how, and the end of its log."""
        for command, child in self._children.items():
            if not child.running:
                code = child.exit_code or 0
                ending = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
                output = last_lines(child.output()) or "(it wrote nothing)"
                lines = "".join(f"\n  {line}" for line in output.splitlines())
                raise DemoError(f"The {command} {ending}; its log is {child.log} and its last lines are:{lines}")

    def close(self) -> None:
        """End all of them; those that take too long are killed."""
        for child in self._children.values():
            child.send(signal.SIGTERM)
        deadline = monotonic() + GRACE_SECONDS
        for child in self._children.values():
            child.kill_after(deadline - monotonic())


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What a session works with. `addresses`: where each process answers, by the name of its command."""

    log: EventLog
    settings: Settings
    folder: Path
    database: Path
    addresses: Mapping[str, str]
    gateway_remark: str
    processes: DemoProcesses


@contextmanager
def open_environment(options: DemoOptions) -> Iterator[Environment]:
    """Everything that a session needs, with no process started yet; all of it ends with the block."""
    log = real_log(options.broker, options.into_existing) if options.broker else embedded_log()
    with log as event_log, _folder(options.keep) as folder:
        settings, api_key = _settings(event_log, folder)
        missing = _missing_for_the_gateway()
        names = [name for name in PROCESSES if name != "gateway" or not missing]
        with closing(DemoProcesses(folder, settings)) as processes:
            yield Environment(
                log=event_log,
                settings=settings,
                folder=folder,
                database=folder / STORE_FILE,
                addresses={name: f"http://{LOOPBACK}:{getattr(settings, f'{name}_port')}" for name in names},
                gateway_remark=missing or f"API key {api_key}",
                processes=processes,
            )


@contextmanager
def _folder(keep: bool) -> Iterator[Path]:
    """A temporary folder. It stays if the person keeps it, and after an error, since it holds the logs."""
    folder = Path(tempfile.mkdtemp(prefix="alliance-demo-"))
    if not keep:
        leave_to_reaper("folder", folder)
    stays = keep
    try:
        yield folder
    except Stopped:
        raise
    except BaseException:
        stays = True
        raise
    finally:
        if not stays:
            shutil.rmtree(folder, ignore_errors=True)
        take_from_reaper("folder", folder)


def _settings(log: EventLog, folder: Path) -> tuple[Settings, str]:
    """The settings of all processes, and the one API key of the gateway."""
    try:
        worker, store, exporter, gateway = free_ports(len(PROCESSES))
    except ProcessError as error:
        raise DemoError(str(error)) from None
    api_key, line = make_key("demo")
    keys = folder / "api-keys"
    keys.write_text(f"{line}\n")
    settings = replace(
        log.settings,
        database=f"sqlite:///{folder / STORE_FILE}",
        host=LOOPBACK,
        worker_port=worker,
        store_port=store,
        exporter_port=exporter,
        gateway_port=gateway,
        api_keys=str(keys),
    )
    return settings, api_key


def _missing_for_the_gateway() -> str:
    """Why there is no gateway; empty when there can be one."""
    missing = [name for name in ("fastapi", "uvicorn") if find_spec(name) is None]
    return f"left out, it needs {' and '.join(missing)}: pip install 'alliance-monitor[gateway]'" if missing else ""


def as_environment(settings: Settings) -> dict[str, str]:
    """Settings as the environment variables that they are read from."""
    return {PREFIX + field.name.upper(): str(getattr(settings, field.name)) for field in fields(settings)}


def _inherited_environment() -> dict[str, str]:
    """This process's environment without the settings of a real installation, and with the path to the sources."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    paths = [str(_SOURCES), *filter(None, [inherited.get("PYTHONPATH")])]
    return {**inherited, "PYTHONPATH": os.pathsep.join(paths)}


@contextmanager
def embedded_log() -> Iterator[EventLog]:
    """A broker inside this process, gone with it."""
    settings = Settings(kafka_api_version=".".join(map(str, API_VERSION)), partitions=PARTITIONS)
    topics = [topic.name for topic in TOPICS] + list(changelog_topics(settings.app_id))
    try:
        broker = EmbeddedBroker(dict.fromkeys(topics, PARTITIONS))
    except EmbeddedBrokerError as error:
        raise DemoError(str(error)) from None
    with broker:
        yield EventLog(
            settings=replace(settings, kafka=broker.bootstrap),
            label=Label(),
            description=f"embedded, {broker.bootstrap}",
        )


@contextmanager
def real_log(address: str, into_existing: bool) -> Iterator[EventLog]:
    """The Kafka at `address`; the topics must be empty unless `into_existing`."""
    if not re.fullmatch(r"[^\s:]+:\d{1,5}", address) or not is_reachable(address):
        raise DemoError(f"No broker answers at {address}; start one (`make kafka`) and name it as HOST:PORT.")
    try:
        settings, label = _prepared(address, into_existing)
    except KafkaError as error:
        raise DemoError(
            f"The broker at {address} did not answer as a Kafka does ({type(error).__name__}). Check that it is a "
            "Kafka and that it is healthy."
        ) from None
    try:
        yield EventLog(settings=settings, label=label, description=f"the Kafka at {address}")
    finally:
        with suppress(KafkaError):
            _delete_changelogs(settings)


def _prepared(address: str, into_existing: bool) -> tuple[Settings, Label]:
    """All topics created, with settings under an application name that no other run uses."""
    partitions, holding = _look(Settings(kafka=address))
    if holding and not into_existing:
        raise DemoError(
            f"At {address} there are records already ({', '.join(holding)}), and the demonstration would mix simulated "
            "ones with them. Name another Kafka, or add --into-existing to mix them."
        )
    token = secrets.token_hex(3)
    settings = Settings(kafka=address, app_id=f"alliance-demo-{token}", partitions=partitions or PARTITIONS)
    create_topics(settings)
    return settings, Label(text=token if holding else "")


def _look(settings: Settings) -> tuple[int, list[str]]:
    """Partitions of the event topic, 0 when the topic does not exist; and which of the topics hold records."""
    consumer = KafkaConsumer(**client_options(settings), group_id=None)
    try:
        known = consumer.topics()
        counts = {
            topic.name: len(consumer.partitions_for_topic(topic.name) or ()) for topic in TOPICS if topic.name in known
        }
        return counts.get(EVENTS, 0), [name for name, count in counts.items() if _holds(consumer, name, count)]
    finally:
        consumer.close()


def _holds(consumer: KafkaConsumer, topic: str, partition_count: int) -> bool:
    partitions = [TopicPartition(topic, number) for number in range(partition_count)]
    return bool(consumer.beginning_offsets(partitions) != consumer.end_offsets(partitions))


def _delete_changelogs(settings: Settings) -> None:
    """The changelogs of this run; no other run has its application name."""
    admin = KafkaAdminClient(**client_options(settings))
    try:
        admin.delete_topics(list(changelog_topics(settings.app_id)))
    finally:
        admin.close()
