"""How far a partition may be committed when whole record sets are acknowledged.

In: the sets delivered (from offset, to offset) and those acknowledged. Out: the offset up to which there is no hole.
Never: pass over a set that was delivered and not acknowledged.
"""


class Progress:
    """One partition under one assignment. Offsets are "next": a set is [`start`, `end`)."""

    def __init__(self) -> None:
        #: Up to here everything has been acknowledged; None before the first set.
        self.position: int | None = None
        self._delivered: int | None = None
        #: Start -> end of what lies beyond a hole.
        self._ahead: dict[int, int] = {}

    def deliver(self, start: int, end: int) -> None:
        """A set goes to the agent; what lies between it and the one before holds no records."""
        if self.position is None:
            self.position = start
        elif self._delivered is not None and start != self._delivered:
            self._ahead[self._delivered] = start
        self._delivered = end

    def acknowledge(self, start: int, end: int) -> None:
        """All outputs of a set are durable."""
        self._ahead[start] = end

    def advance(self) -> int | None:
        """Move over what is acknowledged without a hole; the new position, or None when it is where it was."""
        stood = self.position
        if stood is None:
            return None
        position = stood
        for start in sorted(self._ahead):
            if start > position:
                break
            position = max(position, self._ahead.pop(start))
        self.position = position
        return position if position != stood else None
