"""What the demonstration shows at one moment.

In: figures that `alliance.demo.session` has gathered. Out: plain values that `alliance.demo.screen` draws.
Never: a case, a client or a session's id (there is no field for one).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from schemas.flags import Severity


class Phase(Enum):
    """How far the demonstration is, in words for the screen."""

    STARTING = "Starting the processes"
    HISTORY = "History: sent as fast as the pipeline can process it"
    SETTLING = "History sent; the last events are being processed"
    LIVE = "Live: the last weeks, faster than real time"
    TODAY = "Caught up with today; from now on in real time"
    DONE = "Done"


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagUpdate:
    """One change of a flag; `number` rises from one to the next, `change` is the new status or what else is new."""

    number: int
    at: datetime
    change: str
    kind: str
    severity: Severity
    team: str
    therapist: str
    session_number: int
    explanation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedTherapist:
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
    """Quantiles in seconds over the latest events; `events` is their number."""

    p50: float
    p99: float
    events: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A process with its health and its address; or a remark about one."""

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
    flag_updates: tuple[FlagUpdate, ...] = ()
    #: In the order of their pseudonyms.
    therapists: tuple[PublishedTherapist, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    folder: str = ""
