"""Cases in which everything happens that the rules speak of, far more often than in any practice.

In: a seed. Out: CloudEvents in no particular order of arrival; people act on flags whose ids are handed in.
Never: anything of the pipeline; the chance is `random.Random`, so a seed is a history.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any

from tests.oracle import shapes
from tests.oracle.instruments import Instrument, load
from tests.oracle.messages import START

INSTRUMENTS = load()
#: How the client of a case usually answers: a mood changes it for some sessions.
MOODS = (
    "usual",
    "usual",
    "usual",
    "top",
    "low",
    "very low",
    "one item",
    "invariant",
    "same again",
    "turned",
    "sliding",
    "silent",
    "silent",
    "away",
    "sudden",
    "half empty",
)
#: Moods that may last for a long time.
LASTING = ("low", "very low", "invariant")
SHARES = {"usual": 0.9, "top": 1.0, "low": 0.72, "very low": 0.4, "one item": 0.9, "invariant": 0.9, "turned": 0.1}
TEAMS = {"t1": "north", "t2": "south", "t3": "south"}

Json = dict[str, Any]


@dataclass
class TurbulentCase:
    """One case; `chance` decides everything."""

    case_id: str
    chance: Random
    flag_ids: Sequence[str] = ()
    instruments: Mapping[str, Instrument] = field(default_factory=lambda: INSTRUMENTS)
    level: float = 0.9
    mood: str = "usual"
    instrument: str = "checkin-4/1"
    last_answers: Json = field(default_factory=dict)
    written: int = 0
    quiet: bool = False
    #: All answers of the client are always the same.
    straight_lines: bool = False
    therapist: str = "t1"
    #: How often another therapist takes over, or replaces the therapist for one event.
    moving: float = 0.0
    #: How often a check-in is by another instrument.
    mixed: float = 0.0
    #: The mood stays until this week.
    until: int = 0

    def events(self) -> Iterator[Json]:
        """The events of the case."""
        others = [name for name in self.instruments if name not in INSTRUMENTS]
        self.instrument = self.chance.choice([*INSTRUMENTS, "checkin-4/1", "wai-sr/1", *others, *others])
        self.level = self.chance.choice([0.95, 0.9, 0.85, 0.7])
        self.quiet = self.chance.random() < 0.5
        self.straight_lines = self.chance.random() < 0.12
        self.mixed = self.chance.choice([0.0, 0.0, 0.05, 0.4])
        self.moving = self.chance.choice([0.0, 0.0, 0.04, 0.2])
        self.mood = self.chance.choice(["usual"] * 9 + ["away"])
        sessions = self.chance.randint(1, 30)
        for week in range(sessions):
            yield from self._week(week)
        for flag_id in self.flag_ids:
            for _ in range(self.chance.randint(0, 2)):
                action = self.chance.choice(["acknowledged", "discussed", "dismissed"])
                yield self._event(
                    f"alliance.flag.{action}.v1", self.chance.uniform(0, 7 * sessions), flag_id=flag_id, by="p"
                )

    def _week(self, week: int) -> Iterator[Json]:
        chance = self.chance
        day = 7.0 * week + chance.choice([0, 0, 0, chance.uniform(0, 3)])
        if chance.random() < self.moving:
            self.therapist = chance.choice([*TEAMS])
        if week >= self.until and chance.random() < 0.3:
            self.mood = chance.choice(MOODS)
            if self.mood in LASTING and chance.random() < 0.5:
                self.until = week + chance.randint(4, 16)
        if chance.random() < (0.9 if self.mood == "away" else 0.0 if self.quiet else 0.12):
            by = chance.choice(["client", "client", "therapist", "unknown"])
            yield self._event(shapes.MISSED, day, **self._session(week), by=by)
            while chance.random() < 0.25:
                by = chance.choice(["client", "therapist"])
                yield self._event(shapes.MISSED, day + chance.choice([0, 0.1, 8]), **self._session(week), by=by)
            if chance.random() < 0.8:
                return
        if chance.random() < 0.8:
            yield self._event(shapes.HELD, day, **self._session(week))
        if chance.random() < (0.0 if self.mood == "silent" else 0.97 if self.quiet else 0.75):
            yield from self._checkin(day, week, "client")
        if chance.random() < 0.6:
            yield from self._checkin(day, week, "therapist")
        if chance.random() < 0.03:
            yield self._event(
                shapes.CLOSED, day + 1, therapist_id=self._session(week)["therapist_id"], reason="planned"
            )

    def _checkin(self, day: float, week: int, rater: str) -> Iterator[Json]:
        chance = self.chance
        when = day + chance.choice([0, 0.05, 0.05, 0.05, 0.05, 7, 8.5])
        data = {
            **self._session(week),
            "rater": rater,
            "instrument": self._instrument(),
            "checkin_id": f"{rater}-{week}",
        }
        if rater == "client":
            data["answers"] = self._answers(data["instrument"])
        else:
            mood, self.mood = self.mood, chance.choice(["usual"] * 6 + ["low", "top"])
            data["answers"] = self._answers(data["instrument"])
            self.mood = mood
        yield self._event(shapes.CHECKIN, when, **data)
        if chance.random() < 0.03:
            again = {**data, "revision": 2, "answers": self._answers(data["instrument"])}
            yield self._event(shapes.CHECKIN, when + chance.uniform(-1, 9), **again)
        if chance.random() < 0.02:
            yield self._event(shapes.VOIDED, when + 1, checkin_id=data["checkin_id"])

    def _instrument(self) -> str:
        return self.chance.choice([*self.instruments]) if self.chance.random() < self.mixed else self.instrument

    def _answers(self, instrument: str) -> Json:
        chance, scale = self.chance, self.instruments[instrument]
        if self.mood == "same again" and set(self.last_answers) <= _items(scale):
            return self._same_but_for_a_null(scale)
        if self.mood == "sliding":
            self.level = max(0.3, self.level - 0.04)
        if self.mood == "sudden":
            self.level = chance.uniform(0.1, 1.1)
        middle = SHARES.get(self.mood, self.level) if self.mood not in ("usual", "one item") else self.level
        wavering = 0.0 if self.mood in ("top", "invariant") else chance.gauss(0, 0.05)
        answers: Json = {item: _answer(scale, item, middle + wavering + self._of_item()) for item in _order(scale)}
        if self.mood == "half empty":
            answers = {item: answer for item, answer in answers.items() if chance.random() < 0.6}
        if self.mood == "one item":
            item = _order(scale)[0]
            answers[item] = _answer(scale, item, middle - 0.5)
        for item in _order(scale):
            if chance.random() < (0.01 if self.quiet else 0.05):
                answers[item] = None
                if chance.random() < 0.5:
                    del answers[item]
        self.last_answers = answers
        return answers

    def _same_but_for_a_null(self, scale: Instrument) -> Json:
        """The last answers; sometimes with what was absent as null, or the other way round."""
        if self.chance.random() < 0.3:
            given = {item: answer for item, answer in self.last_answers.items() if answer is not None}
            self.last_answers = dict.fromkeys(_order(scale)) | given if len(given) == len(self.last_answers) else given
        return self.last_answers

    def _of_item(self) -> float:
        is_even = self.straight_lines or self.mood in ("top", "invariant") or self.chance.random() < 0.1
        return 0.0 if is_even else self.chance.gauss(0, 0.03)

    def _session(self, week: int) -> Json:
        therapist = self.chance.choice([*TEAMS]) if self.chance.random() < self.moving / 4 else self.therapist
        return {"session_id": f"s{week}", "therapist_id": therapist, "team": TEAMS[therapist]}

    def _event(self, kind: str, day: float, **data: Any) -> Json:
        self.written += 1
        return {
            "specversion": "1.0",
            "id": f"e{self.written}",
            "source": "clinic",
            "type": kind,
            "subject": self.case_id,
            "time": (START + timedelta(days=round(day, 2))).isoformat(),
            "data": data,
        }


def turbulent(
    seed: int,
    cases: int,
    flag_ids: Mapping[str, Sequence[str]] | None = None,
    instruments: Mapping[str, Instrument] = INSTRUMENTS,
) -> list[Json]:
    """The events of this many cases, a few of them late."""
    events = []
    for number in range(cases):
        case_id = f"c{number}"
        case = TurbulentCase(case_id, Random(f"{seed}/{number}"), (flag_ids or {}).get(case_id, ()), instruments)
        events += [*case.events()]
    chance = Random(seed)
    places = {
        id(event): place + (chance.randint(0, 60) if chance.random() < 0.1 else 0) for place, event in enumerate(events)
    }
    return sorted(events, key=lambda event: places[id(event)])


def _items(scale: Instrument) -> set[str]:
    return {item["id"] for item in scale.definition["items"]}


def _order(scale: Instrument) -> list[str]:
    return [item["id"] for item in scale.definition["items"]]


def _answer(scale: Instrument, item: str, share: float) -> float:
    """The nearest answer that the instrument allows, after its reversal."""
    (definition,) = [found for found in scale.definition["items"] if found["id"] == item]
    low, high = scale.definition["minimum"], scale.definition["maximum"]
    share = min(1.0, max(0.0, share))
    share = 1 - share if definition.get("reversed") else share
    return float(round(low + share * (high - low), scale.definition["decimals"]))
