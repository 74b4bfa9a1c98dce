"""Runner: a script on librdkafka, with one dict of states and the worker's own order of durable steps.

In: a task. Out: until killed, cycles of what is there: flags, summaries, refusals → flush → states → flush → commit.
Never: faster by leaving out a step. After a start the states come back out of the changelog, decoded when asked for.
"""

from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, Producer, TopicPartition

from benchmarks.peers import job
from benchmarks.peers.task import Task, given
from pipeline.core.acceptance import Refusal
from pipeline.core.case.changes import NOTHING_NEW
from pipeline.core.case.state import State
from pipeline.worker.faust.durable_producer import OutgoingRecord


class Script:
    """One consumer, one producer, one dict."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._changelog = task.changelog
        self._states: dict[bytes, State] = {}
        #: Out of the changelog, and not asked for yet.
        self._encoded: dict[bytes, bytes] = {}
        self._consumer = Consumer(
            {
                "bootstrap.servers": task.bootstrap,
                "group.id": task.name,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "session.timeout.ms": task.session_seconds * 1000,
                "heartbeat.interval.ms": task.session_seconds * 250,
                "max.partition.fetch.bytes": task.fetch_bytes,
            }
        )
        self._producer = Producer(
            {
                "bootstrap.servers": task.bootstrap,
                "acks": "all",
                "linger.ms": 5,
                "batch.size": 512 * 1024,
                "partitioner": "murmur2_random",
                "queue.buffering.max.messages": 1_000_000,
                "delivery.report.only.error": True,
                "on_delivery": _stop,
            }
        )

    def run(self) -> None:
        """Work."""
        self._consumer.subscribe([self._task.source], on_assign=self._recover)
        while True:
            messages = self._consumer.consume(job.CYCLE_RECORDS, timeout=0.1)
            if messages:
                self._cycle(messages)

    def _cycle(self, messages: list[Any]) -> None:
        outputs: list[OutgoingRecord] = []
        changed: dict[bytes, tuple[int, State]] = {}
        for message in messages:
            if message.error():
                raise RuntimeError(str(message.error()))
            key = message.key()
            timestamp_ms = message.timestamp()[1]
            state, facts = job.process(self._state(key), key, message.value(), timestamp_ms)
            if isinstance(facts, Refusal):
                partition, offset = message.partition(), message.offset()
                outputs += job.refused(facts, key, message.value(), partition, offset, timestamp_ms)
            elif facts is not NOTHING_NEW:
                self._states[key] = state
                changed[key] = message.partition(), state
                outputs += job.flags_of(facts)
        for _, state in changed.values():
            outputs += job.summaries_of(state)
        self._deliver(outputs)
        self._deliver(
            OutgoingRecord(self._changelog, key, job.encode_state(state), partition)
            for key, (partition, state) in changed.items()
            if state is not None
        )
        self._consumer.commit(asynchronous=False)

    def _state(self, key: bytes) -> State:
        state = self._states.get(key)
        if state is None and key in self._encoded:
            state = self._states[key] = job.decode_state(key, self._encoded.pop(key))
        return state

    def _deliver(self, records: Any) -> None:
        produce = self._producer.produce
        for topic, key, value, partition, headers in records:
            produce(topic, value, key, -1 if partition is None else partition, headers=headers or [])
        if self._producer.flush(60):
            raise RuntimeError("the broker did not acknowledge within a minute")

    def _recover(self, _: Any, assigned: list[TopicPartition]) -> None:
        """Read the changelogs of these partitions to their ends."""
        reader = Consumer({"bootstrap.servers": self._task.bootstrap, "group.id": f"{self._task.name}-recovery"})
        places = [TopicPartition(self._changelog, tp.partition, OFFSET_BEGINNING) for tp in assigned]
        ends = {place.partition: reader.get_watermark_offsets(place)[1] for place in places}
        behind = {partition for partition, end in ends.items() if end}
        reader.assign(places)
        while behind:
            for message in reader.consume(10_000, timeout=0.1):
                self._encoded[message.key()] = message.value()
                if message.offset() + 1 >= ends[message.partition()]:
                    behind.discard(message.partition())
        reader.close()


def _stop(error: Any, _: Any) -> None:
    raise RuntimeError(f"a record was not acknowledged: {error}")


if __name__ == "__main__":
    Script(given()).run()
