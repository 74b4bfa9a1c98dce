"""Faust's settings where they differ from its defaults, each with its reason.

In: the project's settings. Out: a Faust app without agents and tables.
Never: a setting that a practice would want to change; those are in `pipeline.runtime.settings`.
"""

import faust

from pipeline.runtime.settings import Settings
from pipeline.worker.faust.durable_producer import BATCH_BYTES
from pipeline.worker.faust.manual_ack import ManualAckEvent

#: Largest request to the broker. A refused record of almost 2 MB goes to the rejected topic with its headers.
MAX_REQUEST_BYTES = 3_000_000


def app_with_settings(settings: Settings) -> faust.App:
    """A new app; it connects to nothing before it is started."""
    session_seconds = settings.session_timeout_seconds
    return faust.App(
        settings.app_id,
        broker=[f"kafka://{address.strip()}" for address in settings.kafka.split(",")],
        Event=ManualAckEvent,
        # Outputs are idempotent, so a duplicate changes nothing. Faust's exactly-once mode protects against neither an
        # error in an agent nor a sender's duplicates (docs/decisions/0003).
        processing_guarantee="at_least_once",
        # Tables are recovered from their changelogs into memory (`state_table`).
        store="memory://",
        # The worker has an HTTP server of its own (`pipeline.runtime.http`).
        web_enabled=False,
        # Bytes in, bytes out: a record that cannot be decoded is refused by the core.
        key_serializer="raw",
        value_serializer="raw",
        # `alliance topics` creates topics, with the project's own retention.
        topic_allow_declare=False,
        # No agent or timer here runs on one worker only.
        topic_disable_leader=True,
        topic_partitions=settings.partitions,
        # A standby copy of every state would double the memory; recovery takes seconds.
        table_standby_replicas=0,
        # Counted in record sets, each up to a full fetch of one partition: more would only fill the memory.
        stream_buffer_maxsize=4,
        # Agents need not wait until their streams are empty: what was gathered is fetched again by the next owner.
        stream_wait_empty=False,
        # Recovery begins at once.
        stream_recovery_delay=0.0,
        broker_session_timeout=float(session_seconds),
        # Four heartbeats in a session timeout: three may be lost.
        broker_heartbeat_interval=max(0.5, session_seconds / 4),
        # Faust refuses a request timeout that is shorter than the session timeout.
        broker_request_timeout=max(15.0, session_seconds + 5.0),
        broker_commit_interval=1.0,
        # When no offset has moved for this long, Faust logs a warning. `stall_detector` notices it much earlier, and
        # does not count a partition that is paused.
        broker_commit_livelock_soft_timeout=3600.0,
        broker_api_version=settings.kafka_api_version or "auto",
        # A batch that waits for the broker is no reason to leave the group.
        broker_max_poll_interval=600.0,
        consumer_auto_offset_reset="earliest",
        # All in-sync replicas have a record before it counts as durable.
        producer_acks=-1,
        # Record batches are complete before they are sent (`durable_producer`), so waiting longer gains nothing.
        producer_linger=0.005,
        producer_max_batch_size=BATCH_BYTES,
        producer_max_request_size=MAX_REQUEST_BYTES,
        # How long one attempt waits for its acknowledgement before `durable_producer` sends again.
        producer_request_timeout=15.0,
    )
