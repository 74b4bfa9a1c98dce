"""Topics in the broker: which must exist, how each is configured, and how they are created.

In: settings. Out: topics in Kafka, configured as `schemas.topics` says.
Never: delete a topic; change the retention of a topic in use, except to end a replay.
"""

from kafka import KafkaAdminClient
from kafka.admin import AlterConfigOp, ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import TopicAlreadyExistsError

from pipeline.runtime.kafka_clients import client_options
from pipeline.runtime.settings import Settings
from schemas.topics import DAY_MS, EVENTS, TOPICS, changelog_topics

CHANGELOG_CONFIG = {
    "cleanup.policy": "compact",
    "max.message.bytes": "8000000",
    # Deleted states, above all those of erased cases, must not stay in an open segment for ever.
    "max.compaction.lag.ms": str(DAY_MS),
    "delete.retention.ms": str(7 * DAY_MS),
}
#: Replayed records keep their original timestamps, and retention goes by timestamps. Such a topic holds years at once,
#: and must not begin a new segment for each week of them.
REPLAY_CONFIG = {
    "retention.ms": "-1",
    "message.timestamp.before.max.ms": str(2**63 - 1),
    "segment.ms": str(100 * 365 * DAY_MS),
}


def topic_table(settings: Settings) -> dict[str, dict[str, str]]:
    """Every topic of the system with its configuration, the changelogs included."""
    table = {topic.name: topic.config for topic in TOPICS}
    table.update(dict.fromkeys(changelog_topics(settings.app_id), CHANGELOG_CONFIG))
    return table


def create_topics(settings: Settings, for_replay: bool = False) -> list[str]:
    """Create the missing topics and return their names. `for_replay`: the events topic keeps records of any age."""
    table = topic_table(settings)
    if for_replay:
        table[EVENTS] = {**table[EVENTS], **REPLAY_CONFIG}
    admin = KafkaAdminClient(**client_options(settings))
    try:
        missing = sorted(table.keys() - set(admin.list_topics()))
        return [name for name in missing if _create(admin, name, settings, table[name])]
    finally:
        admin.close()


def end_replay(settings: Settings) -> None:
    """Give the events topic its usual retention again; Kafka then deletes records that are older."""
    config = {**dict.fromkeys(REPLAY_CONFIG, (AlterConfigOp.DELETE, None)), **topic_table(settings)[EVENTS]}
    admin = KafkaAdminClient(**client_options(settings))
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
    admin = KafkaAdminClient(**client_options(settings))
    try:
        return sorted(topic_table(settings).keys() - set(admin.list_topics()))
    finally:
        admin.close()
