"""The worker put together: a Faust app with two agents, each with a state table.

In: settings, instruments, the practice's prior. Out: an app that a worker runs.
Never: decide anything: what concerns cases is in `pipeline.core`, what concerns Faust in `pipeline.worker.faust`.
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from time import monotonic
from typing import Any

import faust

from pipeline.core.detection.prior import Prior
from pipeline.core.therapist import changelog as therapist_changelog
from pipeline.runtime.broker_probe import probe_broker
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from pipeline.runtime.settings import Settings
from pipeline.worker import therapist_agent
from pipeline.worker.case_agent import CaseAgent, CaseCodec
from pipeline.worker.faust.app_settings import app_with_settings
from pipeline.worker.faust.consumer import use_record_sets
from pipeline.worker.faust.durable_producer import DurableProducer
from pipeline.worker.faust.exits import exit_when_fenced
from pipeline.worker.faust.group_commit import GroupCommit, Work
from pipeline.worker.faust.manual_ack import events_of
from pipeline.worker.faust.paused_partitions import PausedPartitions
from pipeline.worker.faust.resume_endpoint import ResumeEndpoint, resume_partition
from pipeline.worker.faust.stall_detector import StallDetector
from pipeline.worker.faust.state_cache import StateCache
from pipeline.worker.faust.state_table import StateTable, disable_data_dir, wait_for_recovery_without_timeout
from pipeline.worker.therapist_agent import TherapistAgent
from schemas.instruments.definition import Instrument
from schemas.topics import CASE_TABLE, CASES, EVENTS, THERAPIST_TABLE, changelog_topics

#: How long a rebalance waits for the batches in progress before the partitions go.
REVOKE_SECONDS = 8.0
BROKER_PROBE_SECONDS = 2.0
#: States kept decoded; the others are kept as bytes and decoded when they are needed.
DECODED_CASES = 5_000
DECODED_THERAPISTS = 1_000


def create_app(
    settings: Settings,
    instruments: Mapping[str, Instrument],
    prior: Prior,
    health: Health,
    meters: Meters,
    resume_endpoint: ResumeEndpoint,
    *,
    events: str = EVENTS,
    only_cases: bool = False,
) -> faust.App:
    """An app ready for `run_app`; its topics must exist (`alliance topics`).

    Benchmarks name another topic of events, or ask for the agent `cases` alone.
    """
    app = app_with_settings(settings)
    wait_for_recovery_without_timeout(app)
    disable_data_dir(app)
    use_record_sets(app, delivered=[events, CASES], recovered=changelog_topics(settings.app_id))
    producer, paused = DurableProducer(app, health), PausedPartitions(health, meters)

    codec = CaseCodec(instruments, prior)
    states = _states(app, CASE_TABLE, settings, codec.decode, codec.encode, DECODED_CASES)
    cases = CaseAgent(states, producer, instruments, codec.models, meters, paused)
    commits = [_add_agent(app, "cases", events, cases.work)]
    if not only_cases:
        decode, encode = therapist_agent.decode, therapist_changelog.encode
        states = _states(app, THERAPIST_TABLE, settings, decode, encode, DECODED_THERAPISTS)
        commits.append(_add_agent(app, "therapists", CASES, TherapistAgent(states, producer, meters).work))

    _follow_rebalances(app, commits, paused, resume_endpoint)
    _probe_regularly(app, settings, health, meters)
    return app


def run_app(app: faust.App, log_level: str) -> None:
    """Run the app until the process is asked to end."""
    # Faust configures logging again. Its debug messages hold records, so its level is never below INFO.
    level = "info" if log_level == "debug" else log_level
    worker = faust.Worker(app, loglevel=level, redirect_stdouts=False, quiet=True)
    # The spinner writes terminal codes, also into a log file.
    worker.spinner = None
    worker.execute_from_commandline()


def _states(
    app: faust.App,
    name: str,
    settings: Settings,
    decode: Callable[[bytes, bytes], Any],
    encode: Callable[[Any], bytes],
    max_decoded: int,
) -> StateCache:
    """The states of a new table, which Faust fills from its changelog."""
    table = StateTable(
        app, name=name, partitions=settings.partitions, decode=decode, encode=encode, max_decoded=max_decoded
    )
    app.tables.add(table)
    return table.states


def _add_agent(app: faust.App, name: str, topic: str, work: Work) -> GroupCommit:
    """An agent that hands every event to a group commit; no exception can leave it."""
    commit = GroupCommit(app, name, work)
    channel = app.topic(topic, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @app.agent(channel, name=name)  # type: ignore[untyped-decorator]
    async def gather(stream: Any) -> None:
        await app.add_runtime_dependency(commit)
        async for event in events_of(stream):
            await commit.add(event)

    return commit


def _follow_rebalances(
    app: faust.App, commits: list[GroupCommit], paused: PausedPartitions, resume_endpoint: ResumeEndpoint
) -> None:
    """Finish the batches in progress before partitions go, or end the process; begin again after an assignment."""

    @app.on_partitions_revoked.connect  # type: ignore[untyped-decorator]
    async def on_revoked(_: Any, revoked: Any, **__: Any) -> None:
        if revoked and app.consumer.has_lost_membership() and any(commit.idle_lock.locked() for commit in commits):
            exit_when_fenced()
        waits = [asyncio.ensure_future(commit.on_partitions_revoked()) for commit in commits]
        _, unfinished = await asyncio.wait(waits, timeout=REVOKE_SECONDS)
        if unfinished:
            exit_when_fenced()

    @app.on_partitions_assigned.connect  # type: ignore[untyped-decorator]
    async def on_assigned(_: Any, assigned: Any, **__: Any) -> None:
        for commit in commits:
            commit.on_partitions_assigned()
        paused.on_partitions_assigned(tp.partition for tp in assigned if tp.topic == EVENTS)
        # The first agent's: only `cases` pauses partitions.
        resume_endpoint.connect(partial(resume_partition, app, commits[0], paused))


def _probe_regularly(app: faust.App, settings: Settings, health: Health, meters: Meters) -> None:
    """Tell health whether the broker answers, and a metric for how long a partition has not moved."""
    stall_detector = StallDetector()

    @app.timer(BROKER_PROBE_SECONDS)  # type: ignore[untyped-decorator]
    async def probe() -> None:
        meters.stalled.set(stall_detector.longest_stall(app.consumer.lagging_positions(), monotonic()))
        await asyncio.to_thread(probe_broker, settings.kafka, health)
        if not app.rebalancing and not app.in_recovery:
            health.is_ready()
