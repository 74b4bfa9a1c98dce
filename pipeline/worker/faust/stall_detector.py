"""For how long partitions have not moved although there are records to process.

In: the positions of the partitions that have unprocessed records, now and then. Out: the longest stall in seconds.
Never: read a clock; know why a partition does not move.
"""

from collections.abc import Hashable, Mapping


class StallDetector:
    """Remembers since when each partition has been at its present position."""

    def __init__(self) -> None:
        #: Partition -> its position, and when it was first seen there (seconds on a monotonic clock).
        self._since: dict[Hashable, tuple[int, float]] = {}

    def longest_stall(self, positions: Mapping[Hashable, int], now: float) -> float:
        """For how many seconds the slowest of these partitions has not moved; others are forgotten."""
        known = self._since
        self._since = {
            tp: known[tp] if tp in known and known[tp][0] == position else (position, now)
            for tp, position in positions.items()
        }
        return max((now - since for _, since in self._since.values()), default=0.0)
