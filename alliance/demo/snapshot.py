"""What the demonstration shows at one moment.

In: nothing. Out: plain values, made by `alliance.demo.run` and drawn by `alliance.demo.view`.
Never: a case, a client or a session's id (there is no field for one).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from schemas.flags import Severity


class Phase(Enum):
    """Where the demonstration stands, in words for the screen."""

    STARTING = "Starting the processes"
    HISTORY = "History: sent as fast as it goes"
    SETTLING = "History sent; the last of it is being processed"
    LIVE = "Live: the last weeks in quickened time"
    TODAY = "Caught up with today; the rest comes in real time"
    DONE = "Done"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagNews:
    """One thing that became known of a flag; `number` rises from one to the next."""

    number: int
    at: datetime
    news: str
    kind: str
    severity: Severity
    team: str
    therapist: str
    session_number: int
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TherapistLine:
    """One therapist as published: `mean` (0-1) and the number of clients behind it, or neither."""

    therapist: str
    team: str
    mean: float | None
    scored_cases: int | None
    active_cases: int
    sessions_held: int
    checkins_completed: int
    open_flags: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Quantiles in seconds, over how many events of the last moments."""

    p50: float
    p99: float
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A process: what it says of its health and where to look at it; or a remark about one."""

    name: str
    health: str = ""
    url: str = ""
    remark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that is on the screen. `clock` is simulated time."""

    phase: Phase
    practice: str
    to_send: int = 0
    sent: int = 0
    to_store: int = 0
    stored: int = 0
    summarised: int = 0
    refused: int = 0
    duplicates: int = 0
    supervised: int = 0
    per_second: float = 0.0
    #: From a record's Kafka timestamp to its row in SQL, and to the durable decision whether there is a flag.
    to_row: Latency | None = None
    to_flag: Latency | None = None
    clock: datetime | None = None
    live_flags: int = 0
    flag_count: int = 0
    #: The newest first.
    news: tuple[FlagNews, ...] = ()
    #: In the order of their pseudonyms.
    therapists: tuple[TherapistLine, ...] = ()
    places: tuple[Place, ...] = ()
    folder: str = ""
