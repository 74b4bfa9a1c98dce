"""The topics of the log: names, keys and clean-up.

Out: one row for each topic, used by `alliance topics`, the worker and the consumers.
Never: talk to a broker (that is `pipeline.runtime.topic_admin`).
"""

from typing import Literal

import msgspec

DAY_MS = 24 * 60 * 60 * 1000

#: The largest value of an event that is accepted, in bytes.
MAX_EVENT_BYTES = 64 * 1024

EVENTS = "alliance.events.v1"
FLAGS = "alliance.flags.v1"
CASES = "alliance.cases.v1"
THERAPISTS = "alliance.therapists.v1"
REJECTED = "alliance.rejected.v1"

#: The worker's two tables of state; each has a changelog topic of its own.
CASE_TABLE = "cases-state"
THERAPIST_TABLE = "therapists-state"


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One topic: its key, how old records are removed, and its purpose."""

    name: str
    key: str
    cleanup: Literal["delete", "compact"]
    purpose: str
    retention_ms: int | None = None
    max_message_bytes: int = 1_048_588

    @property
    def config(self) -> dict[str, str]:
        """Kafka topic configuration, values as strings."""
        config = {"cleanup.policy": self.cleanup, "max.message.bytes": str(self.max_message_bytes)}
        if self.retention_ms is not None:
            config["retention.ms"] = str(self.retention_ms)
        if self.cleanup == "compact":
            # A tombstone must be kept for longer than the longest outage of a consumer, and a deleted value must not
            # stay in an open segment for ever.
            config["delete.retention.ms"] = str(7 * DAY_MS)
            config["max.compaction.lag.ms"] = str(DAY_MS)
        return config


TOPICS: tuple[Topic, ...] = (
    Topic(
        name=EVENTS,
        key="case_id",
        cleanup="delete",
        retention_ms=28 * DAY_MS,
        purpose="everything that happened to a case, in order",
    ),
    Topic(name=FLAGS, key="flag_id", cleanup="compact", purpose="the latest snapshot of each flag"),
    Topic(
        name=CASES,
        key="therapist_id",
        cleanup="delete",
        retention_ms=7 * DAY_MS,
        purpose="the latest summary of each case, for its therapist",
    ),
    Topic(name=THERAPISTS, key="therapist_id", cleanup="compact", purpose="the latest summary of each therapist"),
    Topic(
        name=REJECTED,
        key="as received",
        cleanup="delete",
        retention_ms=28 * DAY_MS,
        # A refused record is kept completely, with its own headers and those that are added.
        max_message_bytes=2 * 1_048_588,
        purpose="refused records: original bytes and headers, reason, where from",
    ),
)


def changelog_topics(app_id: str) -> tuple[str, str]:
    """The compacted topics behind the worker's two tables."""
    return f"{app_id}-{CASE_TABLE}-changelog", f"{app_id}-{THERAPIST_TABLE}-changelog"
