"""Which partitions of the events topic are paused because too many of their records were refused.

In: whether each record was accepted or refused; an operator's word that a partition may continue. Out: which
partitions are paused, for the agent, for health, for a metric and for the log.
Never: decide when to pause (that is `pipeline.core.rejection_limit`); be called from another thread than the app's.
"""

import logging
from collections.abc import Iterable, Set

from pipeline.core.rejection_limit import RejectionLimit
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from schemas.refusals import Reason

log = logging.getLogger(__name__)


def health_part(partition: int) -> str:
    """The name of a paused partition in health; `deploy/prometheus/rules/alerts.yml` relies on it."""
    return f"partition-{partition}"


class PausedPartitions:
    """One `RejectionLimit` for each partition that this worker has."""

    def __init__(self, health: Health, meters: Meters) -> None:
        self._health = health
        self._meters = meters
        self._limits: dict[int, RejectionLimit] = {}
        self._paused: set[int] = set()

    @property
    def partitions(self) -> Set[int]:
        """The paused ones."""
        return self._paused

    def record(self, partition: int, offset: int, refusal: Reason | None) -> bool:
        """Count a record (None: it was accepted). True if it exceeds the limit, so that the partition is now paused."""
        limit = self._limits.get(partition)
        if limit is None:
            limit = self._limits[partition] = RejectionLimit(partition)
        exceeded = limit.record(offset, refusal)
        if exceeded is None:
            return False
        log.warning("Paused: %s.", exceeded.sentence)
        self._health.waits_for(health_part(partition), exceeded.sentence)
        self._paused.add(partition)
        self._meters.paused.set(len(self._paused))
        return True

    def accept_before(self, partition: int, offset: int) -> None:
        """An operator resumes the partition: records before this offset are processed without the limit."""
        log.warning("Partition %d resumes; records before offset %d do not count for the limit.", partition, offset)
        self._limits[partition].accept_before(offset)
        self._unpause({partition})

    def on_partitions_assigned(self, partitions: Iterable[int]) -> None:
        """After a rebalance a paused partition of this worker stays paused. For the others the count begins again at
        zero, since what is not committed is fetched again."""
        self._unpause(self._paused - set(partitions))
        self._limits = {partition: self._limits[partition] for partition in self._paused}

    def _unpause(self, partitions: Set[int]) -> None:
        self._paused -= partitions
        for partition in partitions:
            self._health.has(health_part(partition))
        self._meters.paused.set(len(self._paused))
