"""When a partition brings so many bad records that somebody should look before the worker takes more of them.

In: the fate of each record of one partition, in the order of the log. Out: nothing, or why to stop after this record.
Never: the content of a record; a record counted that somebody has said may pass.

One sender that has gone wrong would else fill the rejected topic with what was meant to be check-ins, and the figures
would go on looking well. A refusal as `erased` is no fault of the sender's and counts as good.
"""

from collections import Counter, deque
from dataclasses import dataclass, field

from schemas.refusals import Reason

#: So many refused records one after another.
MOST_IN_A_ROW = 100
#: More than this share of so many latest records.
WINDOW = 1000
MOST_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Stop:
    """Why no record after `offset` is to be taken until somebody lets them pass."""

    partition: int
    offset: int
    refused: int
    of: int
    #: The commonest reason among them.
    reason: Reason

    @property
    def sentence(self) -> str:
        """For health and the log: what is wrong and the next step."""
        how_many = f"the last {self.of} records" if self.refused == self.of else f"{self.refused} of the last {self.of}"
        return (
            f"partition {self.partition} brings bad records: {how_many} were refused, most of them as {self.reason}; "
            f"mend the sender, then let the rest pass with `alliance resume {self.partition}`"
        )


@dataclass(slots=True)
class RejectionLimit:
    """What has come of the latest records of one partition. Used up by each step, as a case's state is."""

    partition: int
    #: Records before this offset may pass, whatever becomes of them.
    passes_before: int = 0
    _taken: int = 0
    #: Place among those taken, and reason; of the latest `WINDOW` records only. Good ones, the many, leave no trace.
    _refused: deque[tuple[int, Reason]] = field(default_factory=deque)
    _in_a_row: int = 0

    def take(self, offset: int, refusal: Reason | None) -> Stop | None:
        """Note what became of a record (None: it was accepted); the stop when it was one too many."""
        if offset < self.passes_before:
            return None
        self._taken += 1
        if refusal is None or refusal is Reason.ERASED:
            self._in_a_row = 0
            return None
        self._note(refusal)
        if self._in_a_row >= MOST_IN_A_ROW:
            return self._stop(offset, self._in_a_row)
        if self._taken >= WINDOW and len(self._refused) > MOST_SHARE * WINDOW:
            return self._stop(offset, WINDOW)
        return None

    def let_pass(self, before: int) -> None:
        """Somebody has looked: what lies before this offset may pass, and counting begins anew after it."""
        self.passes_before = before
        self._taken = self._in_a_row = 0
        self._refused.clear()

    def _note(self, refusal: Reason) -> None:
        self._in_a_row += 1
        self._refused.append((self._taken, refusal))
        while self._refused[0][0] <= self._taken - WINDOW:
            self._refused.popleft()

    def _stop(self, offset: int, of: int) -> Stop:
        among = Counter(reason for place, reason in self._refused if place > self._taken - of)
        (reason, _), *_ = among.most_common(1)
        return Stop(self.partition, offset, among.total(), of, reason)
