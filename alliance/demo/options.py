"""What a person asks of the demonstration, and the two ways in which it can end early.

In: the options of `alliance demo`. Out: plain values; two exceptions.
Never: an import that takes time (every command of `alliance` loads this file).
"""

from dataclasses import dataclass


class DemoError(Exception):
    """Something went wrong that is not a bug of the demonstration; the message is for people and says what to do."""


class Stopped(Exception):
    """The person has ended the demonstration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of the command. `days_per_second`: how fast simulated time runs in the live weeks."""

    therapists: int = 40
    weeks: int = 26
    seed: int = 1
    once: bool = False
    days_per_second: float = 0.1
    keep: bool = False
    #: host:port of a real Kafka; empty: the embedded broker.
    broker: str = ""
    into_existing: bool = False
