"""The log of the demonstration: the embedded broker, or a Kafka that somebody names.

In: nothing, or an address. Out: a `Log` with every topic made, as long as it is entered.
Never: mix its records with those of a log that is in use, unless told so; leave its changelogs behind.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from alliance.demo.broker import API_VERSION, EmbeddedBroker, EmbeddedBrokerError
from alliance.demo.endings import DemoError
from alliance.demo.plan import Label
from pipeline.runtime.broker_probe import is_reachable
from pipeline.runtime.kafka_clients import client_options
from pipeline.runtime.settings import Settings
from pipeline.runtime.topic_admin import create_topics
from schemas.topics import EVENTS, TOPICS, changelog_topics

PARTITIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Where the log is, as settings say it, and how this run's records are told from others."""

    settings: Settings
    label: Label
    description: str


@contextmanager
def embedded_log() -> Iterator[Log]:
    """A broker inside this process, gone with it."""
    settings = Settings(kafka_api_version=".".join(map(str, API_VERSION)), partitions=PARTITIONS)
    topics = [topic.name for topic in TOPICS] + list(changelog_topics(settings.app_id))
    try:
        broker = EmbeddedBroker(dict.fromkeys(topics, PARTITIONS))
    except EmbeddedBrokerError as error:
        raise DemoError(str(error)) from None
    with broker:
        yield Log(
            settings=Settings(
                kafka=broker.bootstrap, kafka_api_version=settings.kafka_api_version, partitions=PARTITIONS
            ),
            label=Label(),
            description=f"embedded, {broker.bootstrap}",
        )


@contextmanager
def real_log(address: str, into_existing: bool) -> Iterator[Log]:
    """The Kafka at `address`; the topics must be empty unless `into_existing`."""
    if not re.fullmatch(r"[^\s:]+:\d{1,5}", address) or not is_reachable(address):
        raise DemoError(f"No broker answers at {address}; start one (`make kafka`) and say where as HOST:PORT.")
    try:
        settings, label = _made_ready(address, into_existing)
    except KafkaError as error:
        raise DemoError(
            f"The broker at {address} did not answer as a Kafka should ({type(error).__name__}); is it one, and is it "
            "well?"
        ) from None
    try:
        yield Log(settings=settings, label=label, description=f"the Kafka at {address}")
    finally:
        with suppress(KafkaError):
            _delete(settings)


def _made_ready(address: str, into_existing: bool) -> tuple[Settings, Label]:
    """All topics made, with settings of a name that nobody else uses."""
    partitions, holding = _look(Settings(kafka=address))
    if holding and not into_existing:
        raise DemoError(
            f"At {address} there are records already ({', '.join(holding)}), and the demonstration would mix simulated "
            "ones with them; name another Kafka, or say --into-existing if that is what you want."
        )
    token = secrets.token_hex(3)
    settings = Settings(kafka=address, app_id=f"alliance-demo-{token}", partitions=partitions or PARTITIONS)
    create_topics(settings)
    return settings, Label(text=token if holding else "")


def _look(settings: Settings) -> tuple[int, list[str]]:
    """Partitions of the event topic, 0 when there is none; and which of the topics hold records."""
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


def _delete(settings: Settings) -> None:
    """The changelogs of this run; nobody else knows their name."""
    admin = KafkaAdminClient(**client_options(settings))
    try:
        admin.delete_topics(list(changelog_topics(settings.app_id)))
    finally:
        admin.close()
