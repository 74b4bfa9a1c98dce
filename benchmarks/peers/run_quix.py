"""Runner: Quix Streams, stateful, with its changelog topic and its RocksDB store.

In: a task. Out: until killed, the job, in Quix's checkpoints: sink → flush → changelog → flush → commit → RocksDB.
Never: less kind than it can be. Quix keeps bytes and hands out one state a message, so a case would be decoded and
encoded for every event. Here live states stay in a dict, and a case is encoded and reported once a checkpoint, when the
sink is flushed.
"""

from typing import Any

from quixstreams import Application, State, message_context
from quixstreams.sinks.base import BaseSink

from benchmarks.peers import job
from benchmarks.peers.task import Task, given
from pipeline.core.acceptance import Refusal
from pipeline.core.case import state as case
from pipeline.core.case.changes import NOTHING_NEW
from pipeline.worker.faust.durable_producer import OutgoingRecord

STATE = "case"


class Cases(BaseSink):  # type: ignore[misc]
    """The function of the dataframe and its sink in one: what a checkpoint has changed."""

    def __init__(self, producer: Any) -> None:
        super().__init__()
        self._producer = producer
        self._live: dict[bytes, case.State] = {}
        self._changed: dict[bytes, State] = {}
        self._outputs: list[OutgoingRecord] = []

    def process(self, value: bytes, key: bytes, timestamp_ms: int, _: Any, kept: State) -> None:
        """One message."""
        live = self._live.get(key)
        if live is None:
            encoded: bytes | None = kept.get_bytes(STATE)
            live = None if encoded is None else job.decode_state(key, encoded)
        state, facts = job.process(live, key, value, timestamp_ms)
        if isinstance(facts, Refusal):
            context = message_context()
            self._outputs += job.refused(facts, key, value, context.partition, context.offset, timestamp_ms)
        elif facts is not NOTHING_NEW:
            self._live[key] = state
            self._changed[key] = kept
            self._outputs += job.flags_of(facts)

    def add(self, *_: Any, **__: Any) -> None:
        """Nothing passes on from `process`."""

    def flush(self) -> None:
        """What Quix calls at the beginning of a checkpoint."""
        outputs, self._outputs = self._outputs, []
        changed, self._changed = self._changed, {}
        for key, kept in changed.items():
            state = self._live[key]
            outputs += job.summaries_of(state)
            assert state is not None
            kept.set_bytes(STATE, job.encode_state(state))
        for record in outputs:
            self._producer.produce(record.topic, record.value, record.key, headers=record.headers)
        if self._producer.flush():
            raise RuntimeError("the broker did not acknowledge what was sent")


def application(task: Task) -> Application:
    """Quix with this benchmark's cycle and session; else as it comes."""
    return Application(
        broker_address=task.bootstrap,
        consumer_group=task.name,
        auto_offset_reset="earliest",
        commit_interval=job.CYCLE_SECONDS,
        commit_every=job.CYCLE_RECORDS,
        state_dir=task.folder,
        loglevel="WARNING",
        consumer_extra_config={
            "session.timeout.ms": task.session_seconds * 1000,
            "heartbeat.interval.ms": task.session_seconds * 250,
            "max.partition.fetch.bytes": task.fetch_bytes,
        },
        producer_extra_config={"acks": "all", "linger.ms": 5, "batch.size": 512 * 1024},
    )


def main() -> None:
    """Work."""
    task = given()
    app = application(task)
    topic = app.topic(task.source, value_deserializer="bytes", key_deserializer="bytes")
    with app.get_producer() as producer:
        cases = Cases(producer)
        frame = app.dataframe(topic).update(cases.process, stateful=True, metadata=True)
        # The sink is there for its `flush`; no message needs to reach it.
        frame.filter(lambda _: False).sink(cases)
        app.run()


if __name__ == "__main__":
    main()
