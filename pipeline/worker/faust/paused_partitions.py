"""Which partitions of the events topic are stopped because they bring bad records.

In: what became of each record; somebody's word that the rest may pass. Out: whether a partition may be taken; the same
in health, in a metric and in the log.
Never: decide when to stop (`pipeline.core.rejection_limit` does); be touched from another thread than the app's.
"""

import logging
from collections.abc import Iterable, Set

from pipeline.core.rejection_limit import RejectionLimit
from pipeline.runtime.health import Health
from pipeline.runtime.metrics import Meters
from schemas.refusals import Reason

log = logging.getLogger(__name__)


def part_of(partition: int) -> str:
    """Under what name health tells of a stopped partition; the rules of Prometheus know it."""
    return f"partition-{partition}"


class PausedPartitions:
    """One `RejectionLimit` for each partition that this worker has."""

    def __init__(self, health: Health, meters: Meters) -> None:
        self._health = health
        self._meters = meters
        self._floods: dict[int, RejectionLimit] = {}
        self._stopped: set[int] = set()

    @property
    def partitions(self) -> Set[int]:
        """Those that are stopped."""
        return self._stopped

    def take(self, partition: int, offset: int, refusal: Reason | None) -> bool:
        """Note what became of a record (None: accepted); whether it was one too many and the partition is stopped."""
        flood = self._floods.get(partition)
        if flood is None:
            flood = self._floods[partition] = RejectionLimit(partition)
        stop = flood.take(offset, refusal)
        if stop is None:
            return False
        log.warning("Stopped: %s.", stop.sentence)
        self._health.waits_for(part_of(partition), stop.sentence)
        self._stopped.add(partition)
        self._meters.stopped.set(len(self._stopped))
        return True

    def let_pass(self, partition: int, before: int) -> None:
        """Somebody has looked: what lies before this offset may pass."""
        log.warning("Partition %d goes on; what lies before offset %d may pass.", partition, before)
        self._floods[partition].let_pass(before)
        self._go_on({partition})

    def keep_only(self, partitions: Iterable[int]) -> None:
        """After a rebalance: of ours a stop stays; counting begins anew, since what is not committed comes again."""
        mine = set(partitions)
        self._go_on(self._stopped - mine)
        self._floods = {one: flood for one, flood in self._floods.items() if one in self._stopped}

    def _go_on(self, partitions: Set[int]) -> None:
        self._stopped -= partitions
        for partition in partitions:
            self._health.has(part_of(partition))
        self._meters.stopped.set(len(self._stopped))
