"""The episodes of one case: which signals open a flag, and what a flag that has ended leaves behind.

In: moments at which the detectors are asked, people's actions, the closing of the case, in the order of the history.
Out: the episodes that each of them may have changed.
Never: two live flags at once; a flag for a kind that is muted.

A kind is *muted* when a flag of that kind ended without repair. It cannot open a new flag until at least one scored
check-in no longer shows it. `low` is muted after each of its flags, until `REPAIR_CHECKINS` check-ins in a row are at
or over the cut-off: it describes a state of the case, not an event.
"""

from dataclasses import dataclass, field

from pipeline.core.case.flag_lifecycle import LOW_SCORES, REPAIR_CHECKINS, Episode, Moment, opened
from pipeline.core.detection.history import History
from pipeline.core.detection.signal import Detector, Signal
from schemas.flags import SEVERITIES, Kind

_LOW: frozenset[Kind] = frozenset({"low"})
_NONE: frozenset[Kind] = frozenset()


@dataclass(slots=True)
class Episodes:
    """All flags of a case; at most one of them is live."""

    case_id: str
    history: History
    detectors: tuple[Detector, ...]
    by_flag_id: dict[str, Episode] = field(default_factory=dict)
    open_episode: Episode | None = None
    #: Index of the first point of the open episode.
    first_point: int = 0
    muted_kinds: set[Kind] = field(default_factory=set)
    #: Scored client check-ins in a row at or over the cut-off.
    over_cutoff: int = 0
    #: Actions that the history holds before the flag that they name opens.
    early_actions: dict[str, list[tuple[int, str]]] = field(default_factory=dict)

    @property
    def is_rebaselining(self) -> bool:
        """A flag for low scores ended without repair, and no check-in has been back within limits since.

        How low a score is counts as no evidence then, and each check-in updates the baseline with full weight.
        """
        return self.open_episode is None and not LOW_SCORES.isdisjoint(self.muted_kinds)

    def ask(self, moment: Moment) -> list[Episode]:
        """Ask the detectors about what has just happened."""
        if moment.score is not None:
            cutoff = self.history.model.cutoff
            is_over = cutoff is not None and moment.score >= cutoff
            self.over_cutoff = self.over_cutoff + 1 if is_over else 0
        signals = [signal for detector in self.detectors if (signal := detector(self.history)) is not None]
        episode = self.open_episode
        if episode is not None:
            episode.update(moment, signals)
            self._settle(episode)
            return [episode]
        may_open = [signal for signal in signals if signal.kind not in self.muted_kinds]
        if may_open:
            return [self._open(moment, may_open, signals)]
        if moment.score is not None and self.muted_kinds:
            still_muted = _LOW if self.over_cutoff < REPAIR_CHECKINS else _NONE
            self.muted_kinds &= still_muted.union(signal.kind for signal in signals)
        return []

    def _open(self, moment: Moment, may_open: list[Signal], signals: list[Signal]) -> Episode:
        """Open a flag of the gravest kind that may open one (the first among equals)."""
        leading = max(may_open, key=lambda signal: SEVERITIES.index(signal.severity))
        self.first_point = len(self.history.points) - (moment.score is not None)
        episode = opened(self.case_id, moment, self.history.session_number, leading, signals)
        self.by_flag_id[episode.flag_id] = self.open_episode = episode
        for acted_at, action in self.early_actions.pop(episode.flag_id, []):
            episode.act(action, acted_at)
        self._settle(episode)
        return episode

    def _settle(self, episode: Episode) -> None:
        """If the episode has just ended: mute its kinds and start again without evidence."""
        if episode.is_live:
            return
        self.open_episode = None
        is_repaired = episode.status == "repaired"
        self.muted_kinds.update(kind for kind in episode.kinds if kind == "low" or not is_repaired)
        if not is_repaired and not LOW_SCORES.isdisjoint(episode.kinds):
            self.muted_kinds |= LOW_SCORES
        self.history.end_episode(is_repaired, episode.target, self.first_point)

    def act(self, flag_id: str, action: str, at: int) -> list[Episode]:
        """A supervisor acted on a flag; an action on a flag that has ended has no effect."""
        episode = self.by_flag_id.get(flag_id)
        if episode is None:
            self.early_actions.setdefault(flag_id, []).append((at, action))
            return []
        if not episode.is_live:
            return []
        episode.act(action, at)
        self._settle(episode)
        return [episode]

    def close(self, at: int) -> list[Episode]:
        """The case closes, and an open flag with it."""
        episode = self.open_episode
        if episode is None:
            return []
        episode.close("unrepaired", at)
        self._settle(episode)
        return [episode]

    def change_therapist(self) -> None:
        """Scores given to the therapist before do not count towards the new baseline."""
        self.first_point = len(self.history.points)
