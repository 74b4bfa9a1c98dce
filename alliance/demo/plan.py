"""What the demonstration sends: a simulated practice, split into a history and the last weeks, which are sent live.

In: the options and the instant at which it ends. Out: a `Plan`: records in the order of their arrival, how many of them
must be accepted, refused or recognised as duplicates, and where ruptures were planted.
Never: an event that happens after the end, a clock, a random number that does not come from the seed.

Some of it is wrong on purpose, as in a real practice: some events arrive late, some arrive twice, and now and then a
sender with a wrong configuration sends a check-in that must be refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from alliance.demo.options import DemoOptions
from alliance.simulation.parameters import PracticeParameters
from alliance.simulation.practice import Simulation, simulate
from schemas.codec import encode

LIVE_DAYS = 28
LATE_SHARE = 0.01
DUPLICATED_SHARE = 0.01
#: After this many check-ins one arrives from a sender with a wrong configuration.
WRONG_SCALE_EVERY = 200
WRONG_SCALE_ANSWER = 11.0
CHECKIN = "alliance.checkin.submitted.v1"


class PlannedRecord(NamedTuple):
    """One record and when it arrives, in seconds since 1970; `at` never falls and is never before the event's time."""

    at: float
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Marks this run's cases and therapists if the log holds others; empty if it holds none."""

    text: str = ""

    @property
    def case_prefix(self) -> str:
        """How the ids of this run's cases begin."""
        return f"c-{self.text}-" if self.text else ""

    @property
    def therapist_prefix(self) -> str:
        """How the ids of this run's therapists begin."""
        return f"t-{self.text}-" if self.text else ""

    def case(self, case_id: str) -> str:
        """The case_id of this run."""
        return self.case_prefix + case_id.removeprefix("c-") if self.text else case_id

    def therapist(self, therapist_id: str) -> str:
        """The therapist_id of this run."""
        return self.therapist_prefix + therapist_id.removeprefix("t-") if self.text else therapist_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How many records must be accepted, refused and recognised as duplicates; together they are what was sent."""

    accepted: int = 0
    refused: int = 0
    duplicates: int = 0
    checkins: int = 0

    @property
    def sent(self) -> int:
        """Records sent."""
        return self.accepted + self.refused + self.duplicates


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """`history` ends and `live` begins at `live_from`; `expected` is about both together."""

    history: list[PlannedRecord]
    live: list[PlannedRecord]
    live_from: datetime
    end: datetime
    expected: Expected
    expected_of_history: Expected
    teams: int
    therapists: int
    truth: list[dict[str, Any]]


def make_plan(options: DemoOptions, end: datetime, live_days: float, label: Label) -> Plan:
    """The practice's events up to `end`, a midnight; the last `live_days` are kept back."""
    simulation = simulate(_parameters(options, end))
    live_from = end - timedelta(days=live_days)
    arrivals = list(_arrivals(simulation, label))
    times = accumulate((arrival.event_at for arrival in arrivals), max)
    records = [PlannedRecord(at, arrival.key, arrival.value) for at, arrival in zip(times, arrivals, strict=True)]
    split = sum(record.at < live_from.timestamp() for record in records)
    return Plan(
        history=records[:split],
        live=records[split:],
        live_from=live_from,
        end=end,
        expected=_expected(arrivals),
        expected_of_history=_expected(arrivals[:split]),
        teams=min(simulation.parameters.teams, options.therapists),
        therapists=len({event["data"].get("therapist_id") for event in simulation.events} - {None}),
        truth=[row | {"case_id": label.case(row["case_id"])} for row in simulation.truth],
    )


def _parameters(options: DemoOptions, end: datetime) -> PracticeParameters:
    return PracticeParameters(
        first_day=end - timedelta(weeks=options.weeks),
        seed=options.seed,
        therapists=options.therapists,
        weeks=options.weeks,
        late_share=LATE_SHARE,
        duplicated_share=DUPLICATED_SHARE,
    )


class _Arrival(NamedTuple):
    event_at: float
    key: bytes
    value: bytes
    fate: str
    is_checkin: bool


def _arrivals(simulation: Simulation, label: Label) -> Iterable[_Arrival]:
    known: set[int] = set()
    checkins = 0
    for index in simulation.delivery:
        event = _labelled(simulation.events[index], label)
        is_checkin = event["type"] == CHECKIN
        yield _arrival(event, "duplicates" if index in known else "accepted", is_checkin)
        if is_checkin and index not in known:
            checkins += 1
            if checkins % WRONG_SCALE_EVERY == 0:
                yield _arrival(_with_wrong_scale(event), "refused", False)
        known.add(index)


def _arrival(event: dict[str, Any], fate: str, is_checkin: bool) -> _Arrival:
    at = datetime.fromisoformat(event["time"]).timestamp()
    return _Arrival(at, event["subject"].encode(), encode(event), fate, is_checkin and fate == "accepted")


def _labelled(event: dict[str, Any], label: Label) -> dict[str, Any]:
    if not label.text:
        return event
    data = dict(event["data"])
    if "therapist_id" in data:
        data["therapist_id"] = label.therapist(data["therapist_id"])
    return event | {"subject": label.case(event["subject"]), "data": data}


def _with_wrong_scale(event: dict[str, Any]) -> dict[str, Any]:
    """The same check-in as a sender with a wrong scale would send it."""
    answers = dict.fromkeys(event["data"]["answers"], WRONG_SCALE_ANSWER)
    return event | {"id": f"{event['id']}-wrong-scale", "data": event["data"] | {"answers": answers}}


def _expected(arrivals: list[_Arrival]) -> Expected:
    fates = [arrival.fate for arrival in arrivals]
    return Expected(
        accepted=fates.count("accepted"),
        refused=fates.count("refused"),
        duplicates=fates.count("duplicates"),
        checkins=sum(arrival.is_checkin for arrival in arrivals),
    )
