"""The Faust app: two agents, two changelog-backed tables.

In: settings and instruments. Out: an app that a worker runs.
Never: logic; everything that decides is in `pipeline.core`, everything that knows Faust's ways in
`pipeline.worker.faust`.
"""

import asyncio
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any

import faust
from faust.types import TP

from pipeline.core.detection.prior import Prior
from pipeline.core.therapist import changelog as therapist
from pipeline.runtime.broker_probe import probe_broker
from pipeline.runtime.health import Health
from pipeline.runtime.http import Reply
from pipeline.runtime.metrics import Meters
from pipeline.runtime.settings import Settings
from pipeline.worker import therapist_agent as therapists_room
from pipeline.worker.case_agent import CaseCodec, Cases
from pipeline.worker.faust.committable_offsets import StallDetector
from pipeline.worker.faust.consumer import use_record_sets, use_records
from pipeline.worker.faust.durable_producer import BATCH_BYTES, DurableProducer
from pipeline.worker.faust.exits import exit_when_fenced
from pipeline.worker.faust.group_commit import GroupCommit, Work
from pipeline.worker.faust.manual_ack import ManualAckEvent, events_of
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.resume_endpoint import ResumeEndpoint
from pipeline.worker.faust.state_table import StateTable, disable_data_dir, wait_for_recovery_without_timeout
from pipeline.worker.therapist_agent import Therapists
from schemas.instruments.definition import Instrument
from schemas.topics import CASE_TABLE, CASES, EVENTS, THERAPIST_TABLE, changelog_topics

#: How long a rebalance waits for the batch under way before the partitions go.
SETTLE_SECONDS = 8.0
BROKER_PROBE_SECONDS = 2.0
#: States kept live; all others are kept as bytes and made live when they are asked for.
DECODED_CASES = 5_000
DECODED_THERAPISTS = 1_000


def create_app(
    settings: Settings,
    instruments: Mapping[str, Instrument],
    prior: Prior,
    health: Health,
    meters: Meters,
    desk: ResumeEndpoint,
    *,
    events: str = EVENTS,
    only_cases: bool = False,
) -> faust.App:
    """An app ready for `faust.Worker`; topics must exist (`alliance topics`).

    Another topic of events, or the agent `cases` alone, is for measuring.
    """
    app = _bare_app(settings)
    wait_for_recovery_without_timeout(app)
    disable_data_dir(app)
    if settings.engine == "sets":
        use_record_sets(app, delivered=[events, CASES], recovered=changelog_topics(settings.app_id))
    else:
        use_records(app)
    outbox, stops = DurableProducer(app, health), PausedPartitions(health, meters)
    codec = CaseCodec(instruments, prior)
    case_table = _table(app, CASE_TABLE, settings, codec.decode, codec.encode, DECODED_CASES)
    cases = Cases(case_table.states, outbox, instruments, codec.models, meters, stops)
    cycles = [_agent(app, "cases", events, cases.work)]
    if not only_cases:
        therapist_table = _table(
            app, THERAPIST_TABLE, settings, therapists_room.decode, therapist.encode, DECODED_THERAPISTS
        )
        cycles.append(_agent(app, "therapists", CASES, Therapists(therapist_table.states, outbox, meters).work))

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def settle(_: Any, revoked: Any, **__: Any) -> None:
        if revoked and app.consumer.has_lost_membership() and any(one.at_rest.locked() for one in cycles):
            exit_when_fenced()
        settling = [asyncio.ensure_future(one.settle()) for one in cycles]
        _, unsettled = await asyncio.wait(settling, timeout=SETTLE_SECONDS)
        if unsettled:
            exit_when_fenced()

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def begin(_: Any, assigned: Any, **__: Any) -> None:
        for one in cycles:
            one.open()
        stops.keep_only(tp.partition for tp in assigned if tp.topic == EVENTS)
        desk.open(lambda partition: _resume(app, cycles[0], stops, partition))

    standstill = StallDetector()

    @app.timer(BROKER_PROBE_SECONDS)  # type: ignore[untyped-decorator]
    async def probe() -> None:
        meters.standstill.set(standstill.look(app.consumer.behind(), monotonic()))
        await asyncio.to_thread(probe_broker, settings.kafka, health)
        if not app.rebalancing and not app.in_recovery:
            health.is_ready()

    return app


def run_app(app: faust.App, log_level: str) -> None:
    """Run the app until the process is asked to end."""
    # Faust sets up logging once more; its debug lines hold records, so it never gets below INFO.
    level = "info" if log_level == "debug" else log_level
    worker = faust.Worker(app, loglevel=level, redirect_stdouts=False, quiet=True)
    # It writes terminal codes, into a log too.
    worker.spinner = None
    worker.execute_from_commandline()


async def _resume(app: faust.App, cycle: GroupCommit, stops: PausedPartitions, partition: int) -> Reply:
    """Let all pass that lies in a stopped partition at this moment."""
    place = TP(EVENTS, partition)
    if place not in app.consumer.assignment():
        return Reply(404, f"This worker does not have partition {partition}. Ask another one: --worker HOST:PORT.")
    if partition not in stops.partitions:
        return Reply(409, f"Partition {partition} is not stopped. The worker's /health names those that are.")
    end = (await app.consumer.highwaters(place))[place]
    async with cycle.at_rest:
        if partition in stops.partitions:
            stops.let_pass(partition, before=end)
            cycle.wake(partition)
    return Reply(200, f"Partition {partition} goes on; what lies in it before offset {end} passes, good or bad.")


def _bare_app(settings: Settings) -> faust.App:
    return faust.App(
        settings.app_id,
        broker=[f"kafka://{one.strip()}" for one in settings.kafka.split(",")],
        Event=ManualAckEvent,
        processing_guarantee="at_least_once",
        store="memory://",
        web_enabled=False,
        key_serializer="raw",
        value_serializer="raw",
        topic_allow_declare=False,
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        table_standby_replicas=0,
        stream_wait_empty=False,
        # Of record sets where the engine is `sets`.
        stream_buffer_maxsize=4 if settings.engine == "sets" else 4096,
        stream_recovery_delay=0.0,
        broker_session_timeout=float(settings.session_timeout_seconds),
        broker_heartbeat_interval=max(0.5, settings.session_timeout_seconds / 4),
        broker_request_timeout=max(15.0, settings.session_timeout_seconds + 5.0),
        broker_commit_interval=1.0,
        broker_commit_livelock_soft_timeout=3600.0,
        broker_api_version=settings.kafka_api_version or "auto",
        broker_max_poll_interval=600.0,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_linger=0.005,
        producer_max_batch_size=BATCH_BYTES,
        producer_max_request_size=3_000_000,
        producer_request_timeout=15.0,
    )


def _table(
    app: faust.App,
    name: str,
    settings: Settings,
    decode: Callable[[bytes, bytes], Any],
    encode: Callable[[Any], bytes],
    most_decoded: int,
) -> StateTable:
    table = StateTable(
        app, name=name, partitions=settings.partitions, decode=decode, encode=encode, most_decoded=most_decoded
    )
    app.tables.add(table)
    return table


def _agent(app: faust.App, name: str, topic: str, work: Work) -> GroupCommit:
    """An agent that hands every event to a cycle; no exception can leave it."""
    cycle = GroupCommit(app, name, work)
    channel = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(channel, name=name)  # type: ignore[untyped-decorator]
    async def gather(stream: Any) -> None:
        await app.add_runtime_dependency(cycle)
        async for event in events_of(stream):
            await cycle.add(event)

    return cycle
