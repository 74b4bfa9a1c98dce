"""The limit on refused records: how many a partition may bring until it is paused for an operator to look.

In: whether each record of one partition was accepted or refused, in log order. Out: None, or the limit that this
record exceeded.
Never: look at the content of a record; count a record that an operator has accepted.

Without a limit, one broken sender or one wrong release would move every check-in to the rejected topic (the dead
letters), while the therapists' figures would still look healthy. A record refused as `erased` is no fault of its
sender: it counts as accepted.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from schemas.refusals import Reason

#: This many refused records in a row exceed the limit.
MAX_IN_A_ROW = 100
#: Refused records that are more than this share of the last `WINDOW` records exceed it, too.
MAX_SHARE = 0.5
WINDOW = 1000


@dataclass(frozen=True, slots=True)
class LimitExceeded:
    """Why no record after `offset` is processed until an operator resumes the partition."""

    partition: int
    offset: int
    refused: int
    #: The number of latest records among which `refused` were counted.
    of: int
    #: The most frequent reason.
    reason: Reason

    @property
    def sentence(self) -> str:
        """For health and the log: what is wrong, and the next step."""
        how_many = f"the last {self.of}" if self.refused == self.of else f"{self.refused} of the last {self.of}"
        return (
            f"{how_many} records of partition {self.partition} were refused, most of them as {self.reason}; "
            f"fix the sender, then continue with `alliance resume {self.partition}`"
        )


@dataclass(slots=True)
class RejectionLimit:
    """What became of the latest records of one partition. Each call changes it in place."""

    partition: int
    #: An operator has accepted the records before this offset: they do not count.
    accepted_before: int = 0
    _counted: int = 0
    #: The refused ones among the latest `WINDOW` records: number in the count, and reason. The accepted ones, which are
    #: nearly all, take no memory.
    _refused: deque[tuple[int, Reason]] = field(default_factory=deque)
    _in_a_row: int = 0

    def record(self, offset: int, refusal: Reason | None) -> LimitExceeded | None:
        """Count a record (`refusal` None: it was accepted). Returns the limit if this record exceeds it."""
        if offset < self.accepted_before:
            return None
        self._counted += 1
        if refusal is None or refusal is Reason.ERASED:
            self._in_a_row = 0
            return None
        self._count_refused(refusal)
        if self._in_a_row >= MAX_IN_A_ROW:
            return self._exceeded(offset, self._in_a_row)
        if self._counted >= WINDOW and len(self._refused) > MAX_SHARE * WINDOW:
            return self._exceeded(offset, WINDOW)
        return None

    def accept_before(self, offset: int) -> None:
        """An operator has looked: records before this offset do not count, and counting begins again after it."""
        self.accepted_before = offset
        self._counted = self._in_a_row = 0
        self._refused.clear()

    def _count_refused(self, refusal: Reason) -> None:
        self._in_a_row += 1
        self._refused.append((self._counted, refusal))
        while self._refused[0][0] <= self._counted - WINDOW:
            self._refused.popleft()

    def _exceeded(self, offset: int, of: int) -> LimitExceeded:
        reasons = Counter(reason for number, reason in self._refused if number > self._counted - of)
        (reason, _), *_ = reasons.most_common(1)
        return LimitExceeded(self.partition, offset, reasons.total(), of, reason)
