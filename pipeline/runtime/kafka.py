"""The log as the doors see it: topics to create, a producer that tells what became of each record.

In: settings. Out: topics, records.
Never: judge a record.
"""

from typing import Any

from kafka import KafkaAdminClient, KafkaProducer
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import TopicAlreadyExistsError

from pipeline.runtime.settings import Settings
from schemas.topics import DAY_MS, EVENTS, TOPICS, changelog_topics

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": "8000000",
    # What was deleted, an erased case above all, must not wait for ever in an open segment.
    "max.compaction.lag.ms": str(DAY_MS),
    "delete.retention.ms": str(7 * DAY_MS),
}
#: What is replayed has its original timestamps, and retention goes by them: years may lie in the log at once, and a
#: segment must not begin with every week of them.
REPLAY_CONFIG = {
    "retention.ms": "-1",
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "segment.ms": str(100 * 365 * DAY_MS),
}


def connection(settings: Settings) -> dict[str, Any]:
    """What every kafka-python client is made with."""
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka, "reconnect_backoff_max_ms": 2_000}
    if settings.api_version is not None:
        options["api_version"] = settings.api_version
    return options


def producer(settings: Settings) -> KafkaProducer:
    """A producer that waits for all replicas and keeps the order.

    Not kafka-python's idempotent one: after a batch has expired that one neither sends nor fails any more (3.0.12).
    Duplicates change nothing further on, and with one request in flight the order stays.
    """
    return KafkaProducer(
        **connection(settings),
        acks="all",
        enable_idempotence=False,
        max_in_flight_requests_per_connection=1,
        linger_ms=5,
        batch_size=65_536,
        max_request_size=2_000_000,
        max_block_ms=10_000,
        delivery_timeout_ms=30_000,
        request_timeout_ms=10_000,
    )


def topic_table(settings: Settings) -> dict[str, dict[str, str]]:
    """Every topic of the system with its configuration, the changelogs included."""
    table = {topic.name: topic.config for topic in TOPICS}
    table.update(dict.fromkeys(changelog_topics(settings.app_id), CHANGELOG_CONFIG))
    return table


def create_topics(settings: Settings, for_replay: bool = False) -> list[str]:
    """Create what is missing; the names created. `for_replay`: the events topic keeps records of any age."""
    table = topic_table(settings)
    if for_replay:
        table[EVENTS] = {**table[EVENTS], **REPLAY_CONFIG}
    admin = KafkaAdminClient(**connection(settings))
    try:
        missing = sorted(table.keys() - set(admin.list_topics()))
        return [name for name in missing if _create(admin, name, settings, table[name])]
    finally:
        admin.close()


def end_replay(settings: Settings) -> None:
    """Give the events topic the retention of an installation in use; records that are older leave."""
    config = {**dict.fromkeys(REPLAY_CONFIG, (AlterConfigOp.DELETE, None)), **topic_table(settings)[EVENTS]}
    admin = KafkaAdminClient(**connection(settings))
    try:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, EVENTS, config)])
    finally:
        admin.close()


def _create(admin: KafkaAdminClient, name: str, settings: Settings, config: dict[str, str]) -> bool:
    topic = NewTopic(name, settings.partitions, settings.replication, topic_configs=config)
    try:
        admin.create_topics([topic])
    except TopicAlreadyExistsError:
        return False
    return True


def missing_topics(settings: Settings) -> list[str]:
    """Topics that do not exist yet."""
    admin = KafkaAdminClient(**connection(settings))
    try:
        return sorted(topic_table(settings).keys() - set(admin.list_topics()))
    finally:
        admin.close()
