"""Topics of this benchmark.

In: a broker, names. Out: topics that every client may use at once.
Never: return while a partition has no leader: librdkafka's offset query gives up there.
"""

from collections.abc import Mapping
from contextlib import closing

from kafka import KafkaConsumer

from benchmarks.peers.loads import PARTITIONS
from deploy.testbed.kafka import create_topics, partitions_of


def make(broker: str, topics: Mapping[str, Mapping[str, str]]) -> None:
    """Create these topics (name: configuration), and wait until all partitions answer."""
    create_topics(broker, dict.fromkeys(topics, PARTITIONS), topics)
    with closing(KafkaConsumer(bootstrap_servers=broker)) as consumer:
        consumer.end_offsets([place for topic in topics for place in partitions_of(consumer, topic)])
