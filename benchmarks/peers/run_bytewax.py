"""Runner: Bytewax, stateful, with its recovery store (SQLite).

In: a task. Out: the job; then the word DONE, and the process waits to be killed.
Never: less kind than it can be. A case is one `StatefulBatchLogic` that lives in memory, takes all of its records of a
batch at once and sends one summary for them; Bytewax asks it for a snapshot once an epoch. Bytewax commits nothing to
Kafka: its offsets are part of the snapshots.
"""

import signal
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSink, KafkaSinkMessage, KafkaSource, KafkaSourceMessage
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.peers import job
from benchmarks.peers.task import Task, given
from pipeline.core.acceptance import Refusal
from pipeline.core.case.changes import NOTHING_NEW
from pipeline.core.case.state import State
from pipeline.worker.faust.durable_producer import OutgoingRecord

DONE = "DONE"

Snapshot = tuple[str, bytes] | None


class CaseLogic(StatefulBatchLogic):  # type: ignore[misc]
    """One case."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._state: State = None
        self._key = b""
        if snapshot is not None:
            self._key = snapshot[0].encode()
            self._state = job.decode_state(self._key, snapshot[1])

    def on_batch(self, values: list[KafkaSourceMessage]) -> tuple[Iterable[KafkaSinkMessage], bool]:
        """All records of the case in a batch."""
        outputs: list[OutgoingRecord] = []
        is_changed = False
        for message in values:
            timestamp_ms = message.timestamp[1]
            self._state, facts = job.process(self._state, message.key, message.value, timestamp_ms)
            if isinstance(facts, Refusal):
                partition, offset = message.partition, message.offset
                outputs += job.refused(facts, message.key, message.value, partition, offset, timestamp_ms)
            elif facts is not NOTHING_NEW:
                self._key, is_changed = message.key, True
                outputs += job.flags_of(facts)
        if is_changed:
            outputs += job.summaries_of(self._state)
        sent = [KafkaSinkMessage(key, value, topic, headers or []) for topic, key, value, _, headers in outputs]
        return sent, self._state is None

    def snapshot(self) -> Snapshot:
        """What Bytewax keeps."""
        return None if self._state is None else (self._key.decode(), job.encode_state(self._state))


def flow_of(task: Task) -> Dataflow:
    """Kafka in, one stateful step, Kafka out."""
    flow = Dataflow("cases")
    fetch = {"max.partition.fetch.bytes": str(task.fetch_bytes)}
    source = KafkaSource([task.bootstrap], [task.source], tail=task.tail, add_config=fetch, batch_size=10_000)
    keyed = op.key_on("key", op.input("in", flow, source), lambda message: (message.key or b"").decode())
    told = op.key_rm("told", op.stateful_batch("case", keyed, CaseLogic))
    producer = {
        "acks": "all",
        "linger.ms": "5",
        "batch.size": str(512 * 1024),
        "queue.buffering.max.messages": "1000000",
        "partitioner": "murmur2_random",
    }
    op.output("out", told, KafkaSink([task.bootstrap], None, add_config=producer))
    return flow


def main() -> None:
    """Work to the end of the topic, or for ever when the task says so."""
    task: Any = given()
    store = Path(task.folder) / "recovery"
    if not store.exists():
        store.mkdir()
        init_db_dir(store, 1)
    cli_main(
        flow_of(task),
        epoch_interval=timedelta(seconds=job.CYCLE_SECONDS),
        recovery_config=RecoveryConfig(str(store)),
    )
    print(DONE, flush=True)
    signal.pause()


if __name__ == "__main__":
    main()
