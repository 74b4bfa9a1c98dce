"""Up to which offset a partition may be committed when whole record sets are acknowledged.

In: where fetching began, the sets that were fetched, the sets that were acknowledged. Out: whether a set may be
delivered; the offset before which everything is acknowledged.
Never: let a set be delivered that does not begin where the set before it ended; commit past a set that is not
acknowledged.
"""


class CommittableOffsets:
    """One partition under one assignment. As in Kafka, an offset is that of the next record: a set is [start, end)."""

    def __init__(self, position: int) -> None:
        #: Everything before this offset has been acknowledged.
        self.position = position
        #: Where the next set that is delivered must begin.
        self.next_start = position
        #: Start -> end of the sets that have been acknowledged after `position`.
        self._acknowledged: dict[int, int] = {}

    def deliver(self, start: int, end: int) -> bool:
        """Whether this set may go to the agent. If not, the records from `next_start` on must be fetched again."""
        if start != self.next_start:
            return False
        self.next_start = end
        return True

    def deliver_again_from(self, start: int) -> None:
        """The next set that is delivered begins at this offset, even if its records were delivered before."""
        self.next_start = start

    def acknowledge(self, start: int, end: int) -> None:
        """All outputs of a set are durable. Sets may overlap: the same records may have been fetched in other sets."""
        self._acknowledged[start] = max(end, self._acknowledged.get(start, end))

    def advance(self) -> int | None:
        """Move to the end of what is acknowledged without a gap; the new position, or None if it did not change."""
        position = self.position
        for start in sorted(self._acknowledged):
            if start > position:
                break
            position = max(position, self._acknowledged.pop(start))
        has_moved, self.position = position != self.position, position
        return position if has_moved else None
