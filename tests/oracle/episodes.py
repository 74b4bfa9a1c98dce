"""Section 6: the flags of one case.

In: moments at which the detectors are asked, the actions of people, the closing, in the order of the timeline.
Out: flags. Never: two live flags at once; an action on a flag that has ended.
"""

from dataclasses import dataclass, field, replace

from tests.oracle.acceptance import Event, hex_digest
from tests.oracle.detectors import SEVERITIES, Signal, gravest, signals
from tests.oracle.strain import ScoredCheckin, Strain

LAST_COUNTED = 6
LOW_SCORES = frozenset({"drop", "waning"})


@dataclass(frozen=True)
class Moment:
    """Something happened, and the detectors are asked. `checkin` is a scored check-in of the client."""

    at: int
    anchor: str
    therapist_id: str
    team: str
    checkin: ScoredCheckin | None = None
    #: A client's check-in, scored or not, one that is missing, an appointment that the client missed.
    is_counted: bool = False


@dataclass
class Flag:
    """A flag as it is now; instants in microseconds."""

    flag_id: str
    case_id: str
    opening: Moment
    session_number: int
    #: The signal that it opened with; what graver ones add to the evidence joins it.
    leading: Signal
    kinds: list[str]
    severity: str
    updated_at: int
    status: str = "open"
    acknowledged_at: int | None = None
    discussed_at: int | None = None
    closed_at: int | None = None
    #: The scored check-ins of the episode.
    checkins: list[ScoredCheckin] = field(default_factory=list)
    counted: int = 0
    in_a_row: int = 0

    @property
    def is_live(self) -> bool:
        """It has not ended."""
        return self.status in ("open", "acknowledged")

    def end(self, at: int, status: str) -> None:
        """No change after this one."""
        self.status = status
        self.closed_at = self.updated_at = at

    def act(self, at: int, event_type: str) -> None:
        """A supervisor acted on it, while it is live."""
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

    def follow(self, moment: Moment, spoken: list[Signal]) -> None:
        """The detectors are asked again, while it lives."""
        for signal in spoken:
            self._join(moment.at, signal)
        if not moment.is_counted:
            return
        self.counted += 1
        if moment.checkin is not None:
            self.checkins.append(moment.checkin)
            self.in_a_row = self.in_a_row + 1 if moment.checkin.score >= self.leading.target else 0
        if self.in_a_row == 2:
            self.end(moment.at, "repaired")
        elif self.counted == LAST_COUNTED:
            self.end(moment.at, "unrepaired")

    def _join(self, at: int, signal: Signal) -> None:
        if signal.kind not in self.kinds:
            self.kinds, self.updated_at = [*self.kinds, signal.kind], at
        if SEVERITIES.index(signal.severity) > SEVERITIES.index(self.severity):
            self.severity, self.updated_at = signal.severity, at
            self.leading = replace(self.leading, evidence=self.leading.evidence | signal.evidence)


@dataclass
class Episodes:
    """All flags of a case, the last one perhaps live; which kinds are muted."""

    case_id: str
    strain: Strain = field(default_factory=Strain)
    flags: list[Flag] = field(default_factory=list)
    muted: set[str] = field(default_factory=set)
    #: The latest scored check-ins in a row that were not under the cut-off.
    not_under: int = 0
    actions: list[Event] = field(default_factory=list)

    @property
    def live(self) -> Flag | None:
        """The live flag, if there is one."""
        return self.flags[-1] if self.flags and self.flags[-1].is_live else None

    @property
    def is_rebaselining(self) -> bool:
        """Whether low scores update the baseline and count as no evidence."""
        return self.live is None and not self.muted.isdisjoint(LOW_SCORES)

    def ask(self, moment: Moment) -> bool:
        """What the detectors say now; returns whether the moment belongs to an episode."""
        if moment.checkin is not None:
            cutoff = moment.checkin.instrument.cutoff
            self.not_under = self.not_under + 1 if cutoff is not None and moment.checkin.score >= cutoff else 0
        spoken = signals(self.strain)
        flag = self.live
        if flag is not None:
            flag.follow(moment, spoken)
            self._settle(flag)
            return True
        fresh = [signal for signal in spoken if signal.kind not in self.muted]
        if fresh:
            self._open(moment, gravest(fresh), spoken)
            return True
        if moment.checkin is not None:
            silent = self.muted - {signal.kind for signal in spoken}
            self.muted -= silent if self.not_under >= 2 else silent - {"low"}
        return False

    def act(self, at: int, event: Event) -> None:
        """A supervisor acted on a flag of this id, raised or not."""
        self.actions.append(event)
        flag = self.live
        if flag is not None and flag.flag_id == event.data["flag_id"]:
            flag.act(at, event.type)
            self._settle(flag)

    def close(self, at: int) -> None:
        """The case closes."""
        flag = self.live
        if flag is not None:
            flag.end(at, "unrepaired")
            self._settle(flag)

    def _open(self, moment: Moment, leading: Signal, spoken: list[Signal]) -> None:
        flag = Flag(
            flag_id=flag_id_of(self.case_id, moment.anchor),
            case_id=self.case_id,
            opening=moment,
            session_number=self.strain.sessions,
            leading=leading,
            kinds=[signal.kind for signal in spoken],
            severity=leading.severity,
            updated_at=moment.at,
            checkins=[] if moment.checkin is None else [moment.checkin],
        )
        self.flags.append(flag)
        for action in self.actions:
            if action.data["flag_id"] == flag.flag_id:
                flag.act(moment.at, action.type)
        self._settle(flag)

    def _settle(self, flag: Flag) -> None:
        """Called where a live flag may just have ended."""
        if flag.is_live:
            return
        is_repaired = flag.status == "repaired"
        self.muted |= {"low"}.intersection(flag.kinds) if is_repaired else {*flag.kinds}
        if not is_repaired and not LOW_SCORES.isdisjoint(flag.kinds):
            self.muted |= LOW_SCORES
        self.strain.end_episode(is_repaired, flag.leading.target, flag.checkins)


def number_of(*parts: str) -> str:
    """The 64-bit number of a name, in decimal."""
    return str(int(hex_digest(8, *(part.encode() for part in parts)), 16))


def flag_id_of(case_id: str, anchor: str) -> str:
    """The id of the flag that opens at this anchor."""
    return "f-" + hex_digest(12, case_id.encode(), anchor.encode())
