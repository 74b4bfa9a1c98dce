"""Section 6: the flags of one case.

In: its scored check-ins, the actions of people, its closing, in the order of the course. Out: its flags.
Never: two live flags at once; an action on a flag that has ended.
"""

from dataclasses import dataclass, field

from tests.oracle.acceptance import Event, hex_digest
from tests.oracle.detectors import SEVERITIES, Signal, gravest, signals, usual
from tests.oracle.instruments import Instrument

LAST_CHECKIN = 6


@dataclass(frozen=True)
class ScoredCheckin:
    """A client's check-in with a total, where it stands."""

    at: int
    event: Event
    score: float
    session_number: int
    instrument: Instrument


@dataclass
class Flag:
    """A flag as it is now; instants in microseconds."""

    flag_id: str
    opening: ScoredCheckin
    leading: Signal
    kinds: list[str]
    severity: str
    updated_at: int
    status: str = "open"
    acknowledged_at: int | None = None
    discussed_at: int | None = None
    closed_at: int | None = None
    checkins_since: int = 0
    in_a_row: int = 0

    @property
    def is_live(self) -> bool:
        """It waits for somebody."""
        return self.status in ("open", "acknowledged")

    def end(self, at: int, status: str) -> None:
        """No change after this one."""
        self.status = status
        self.closed_at = self.updated_at = at

    def act(self, at: int, event_type: str) -> None:
        """What somebody did, while it lives."""
        if not self.is_live:
            return
        action = event_type.split(".")[2]
        if action == "dismissed":
            self.end(at, "dismissed")
            return
        if self.acknowledged_at is None:
            self.status, self.acknowledged_at, self.updated_at = "acknowledged", at, at
        if action == "discussed" and self.discussed_at is None:
            self.discussed_at = self.updated_at = at

    def follow(self, checkin: ScoredCheckin, spoken: list[Signal]) -> None:
        """A later scored check-in, while it lives."""
        self._worsen(checkin.at, spoken)
        self.checkins_since += 1
        self.in_a_row = self.in_a_row + 1 if checkin.score >= self.leading.target else 0
        if self.in_a_row == 2:
            self.end(checkin.at, "repaired")
        elif self.checkins_since == LAST_CHECKIN:
            self.end(checkin.at, "unrepaired")

    def _worsen(self, at: int, spoken: list[Signal]) -> None:
        new = [signal.kind for signal in spoken if signal.kind not in self.kinds]
        severity = max([self.severity, *(signal.severity for signal in spoken)], key=SEVERITIES.index)
        if new or severity != self.severity:
            self.kinds, self.severity, self.updated_at = [*self.kinds, *new], severity, at


@dataclass
class Episodes:
    """All flags of a case, the last one perhaps live; the baseline; whether the case is armed."""

    flags: list[Flag] = field(default_factory=list)
    is_armed: bool = True
    residuals: list[float] = field(default_factory=list)
    checkins: int = 0
    actions: list[Event] = field(default_factory=list)

    @property
    def live(self) -> Flag | None:
        """The live flag, if there is one."""
        return self.flags[-1] if self.flags and self.flags[-1].is_live else None

    def score(self, checkin: ScoredCheckin) -> Flag | None:
        """The next scored check-in; returns the flag that it belongs to."""
        self.checkins += 1
        number = checkin.session_number
        spoken = signals(checkin.score, number, self.residuals, self.checkins, checkin.instrument)
        flag = self.live
        if flag is not None:
            flag.follow(checkin, spoken)
            self._arm_after(flag)
            return flag
        if spoken and self.is_armed:
            return self._open(checkin, spoken)
        if not spoken:
            self.is_armed = True
        self.residuals.append(checkin.score - usual(number))
        return None

    def act(self, at: int, event: Event) -> None:
        """What somebody did about a flag of this id, raised or not."""
        self.actions.append(event)
        for flag in self.flags:
            if flag.is_live and flag.flag_id == event.data["flag_id"]:
                flag.act(at, event.type)
                self._arm_after(flag)

    def close(self, at: int) -> Flag | None:
        """The case closes; returns the flag that ends with it."""
        flag = self.live
        if flag is not None:
            flag.end(at, "unrepaired")
            self._arm_after(flag)
        return flag

    def _open(self, checkin: ScoredCheckin, spoken: list[Signal]) -> Flag:
        leading = gravest(spoken)
        flag = Flag(
            flag_id=flag_id_of(checkin.event.case_id, checkin.event.checkin_id),
            opening=checkin,
            leading=leading,
            kinds=[signal.kind for signal in spoken],
            severity=leading.severity,
            updated_at=checkin.at,
        )
        self.flags.append(flag)
        for action in self.actions:
            if action.data["flag_id"] == flag.flag_id:
                flag.act(checkin.at, action.type)
        self._arm_after(flag)
        return flag

    def _arm_after(self, flag: Flag) -> None:
        """Called where a live flag may just have ended."""
        if not flag.is_live:
            self.is_armed = flag.status == "repaired"


def flag_id_of(case_id: str, checkin_id: str) -> str:
    """The id of the flag that this check-in opens."""
    number = int(hex_digest(8, checkin_id.encode()), 16)
    return "f-" + hex_digest(12, case_id.encode(), str(number).encode())
