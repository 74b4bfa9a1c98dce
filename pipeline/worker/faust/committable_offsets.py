"""How far a partition may be committed when whole record sets are acknowledged.

In: where fetching began; the sets fetched (from offset, to offset); those acknowledged. Out: which set may be
delivered, and the offset up to which there is no hole.
And for how long partitions have stood still.
Never: let a set be delivered that does not begin where the one before ended, or pass over one not acknowledged.
"""

from collections.abc import Hashable, Mapping


class CommittableOffsets:
    """One partition under one assignment. Offsets are "next": a set is [`start`, `end`)."""

    def __init__(self, position: int) -> None:
        #: Up to here everything has been acknowledged.
        self.position = position
        #: Where the next set to deliver must begin.
        self.wanted = position
        #: Start -> end of what has been acknowledged beyond `position`.
        self._ahead: dict[int, int] = {}

    def deliver(self, start: int, end: int) -> bool:
        """Whether this set may go to the agent; another one must be fetched from `wanted`."""
        if start != self.wanted:
            return False
        self.wanted = end
        return True

    def go_back(self, start: int) -> None:
        """The next set to deliver is the one that begins here, delivered before or not."""
        self.wanted = start

    def acknowledge(self, start: int, end: int) -> None:
        """All outputs of a set are durable; it may be of an earlier fetch, cut in another way."""
        self._ahead[start] = max(end, self._ahead.get(start, end))

    def advance(self) -> int | None:
        """Move over what is acknowledged without a hole; the new position, or None when it is where it was."""
        position = self.position
        for start in sorted(self._ahead):
            if start > position:
                break
            position = max(position, self._ahead.pop(start))
        moved, self.position = position != self.position, position
        return position if moved else None


class StallDetector:
    """For how long partitions have not moved although something lies ahead of them."""

    def __init__(self) -> None:
        #: Partition -> position, and when it was first seen there (seconds, monotonic).
        self._since: dict[Hashable, tuple[int, float]] = {}

    def look(self, behind: Mapping[Hashable, int], now: float) -> float:
        """Take note of the position of each partition that is behind; the seconds of the one that has stood longest."""
        known = self._since
        self._since = {
            place: known[place] if place in known and known[place][0] == position else (position, now)
            for place, position in behind.items()
        }
        return max((now - since for _, since in self._since.values()), default=0.0)
