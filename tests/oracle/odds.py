"""Section 4.2: the two odds of a strain, and which sign they come from.

In: ratios. Out: the evidence. Never: a look at what the ratios were made of.
"""

from dataclasses import dataclass, field
from math import log

SIGNS = ("score", "earlier", "ingredient", "response_style", "missing", "therapist")
LIMIT = 3.0
LEAST, MOST = 1e-9, 1e12


@dataclass
class Odds:
    """Against (`C`), away (`W`), and what each sign has added."""

    against: float = 0.0
    away: float = 0.0
    signs: dict[str, float] = field(default_factory=lambda: dict.fromkeys(SIGNS, 0.0))

    def pass_on(self, session_number: int) -> None:
        """A session, or an appointment that the client missed, goes by."""
        c = 0.25 if session_number <= 2 else 1.0
        self.against = 0.8 * self.against + 0.35 * c
        self.away = 0.8 * self.away + 0.65 * c
        earlier = 0.8 * (self.signs["earlier"] + self.signs["score"])
        self.signs = {name: 0.8 * value for name, value in self.signs.items()} | {"earlier": earlier, "score": 0.0}

    def update(self, sign: str, x: float, y: float) -> None:
        """Something that is x times as likely in a strain of the one kind, y times in one of the other."""
        self.against = max(LEAST, min(x * self.against, MOST))
        self.away = max(LEAST, min(y * self.away, MOST))
        h = self.away / (self.against + self.away)
        self.signs[sign] += (1 - h) * log(x) + h * log(y)

    @property
    def evidence(self) -> float:
        """The logarithm of the odds."""
        return log(max(self.against + self.away, 1e-9))

    @property
    def probability_unstrained(self) -> float:
        """How probable it is that nothing is wrong: the weight with which a check-in is learned."""
        return 1 / (1 + 0.03 * (self.against + self.away))

    def leads(self, sign: str) -> bool:
        """Whether there is enough evidence, and this sign has much or most of it."""
        value = self.signs[sign]
        return self.evidence >= LIMIT and value > 0 and (value >= 1.5 or value == max(self.signs.values()))
