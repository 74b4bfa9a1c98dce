"""The log of the demonstration: the embedded broker, or a Kafka that somebody names.

In: nothing, or an address. Out: a `Log` with every topic made, as long as it is entered.
Never: mix its records with those of a log that is in use, unless told so; leave its changelogs behind.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from pipeline.app import changelog_topics
from pipeline.demo.broker import API_VERSION, EmbeddedBroker, EmbeddedBrokerError
from pipeline.demo.endings import DemoError
from pipeline.demo.plan import Label
from pipeline.doors import log
from pipeline.settings import Settings
from schemas.topics import EVENTS, TOPICS

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
    """The Kafka at `address`; its event topic must be empty unless `into_existing`."""
    token = secrets.token_hex(3)
    app_id = f"alliance-demo-{token}"
    try:
        partitions, is_empty = _look(Settings(kafka=address))
        if not is_empty and not into_existing:
            raise DemoError(
                f"The topic {EVENTS} at {address} already holds records; the demonstration would add simulated ones to "
                "them. Name another Kafka, or say --into-existing if that is what you want."
            )
        settings = Settings(kafka=address, app_id=app_id, partitions=partitions or PARTITIONS)
        log.create_topics(settings)
    except (KafkaError, ValueError) as error:
        raise DemoError(
            f"No broker answers at {address} ({type(error).__name__}); start one (`make kafka`) and say where as "
            "HOST:PORT."
        ) from None
    try:
        yield Log(
            settings=settings, label=Label() if is_empty else Label(text=token), description=f"the Kafka at {address}"
        )
    finally:
        with suppress(KafkaError):
            _delete(settings)


def _look(settings: Settings) -> tuple[int, bool]:
    """Partitions of the event topic, 0 when there is none, and whether it is empty."""
    consumer = KafkaConsumer(**log.connection(settings), group_id=None)
    try:
        if EVENTS not in consumer.topics():
            return 0, True
        partitions = [TopicPartition(EVENTS, number) for number in consumer.partitions_for_topic(EVENTS) or ()]
        first, last = consumer.beginning_offsets(partitions), consumer.end_offsets(partitions)
        return len(partitions), all(first[one] == last[one] for one in partitions)
    finally:
        consumer.close()


def _delete(settings: Settings) -> None:
    """The changelogs of this run; nobody else knows their name."""
    admin = KafkaAdminClient(**log.connection(settings))
    try:
        admin.delete_topics(list(changelog_topics(settings.app_id)))
    finally:
        admin.close()
