"""What the demonstration sends: a simulated practice, split into a history and the weeks that go on live.

In: size, seed and the instant at which it ends. Out: a `Plan`: records in the order of their arrival, what is expected
to become of them, and where ruptures were planted.
Never: an event that happens after the end, a clock, a random number that does not come from the seed.

Nothing is perfect in it, on purpose: some events come late, some come twice, and now and then a sender that is set up
wrongly sends a check-in that must be refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any, NamedTuple

from alliance.simulation.parameters import PracticeParameters
from alliance.simulation.practice import Simulation, simulate
from schemas.codec import encode

LIVE_DAYS = 28
LATE_SHARE = 0.01
TWICE_SHARE = 0.01
#: One in so many check-ins is followed by one of a sender that is set up wrongly.
SPOILED_EVERY = 200
SPOILED_ANSWER = 11.0
CHECKIN = "alliance.checkin.submitted.v1"


class Sending(NamedTuple):
    """One record and when it arrives, in seconds since 1970; `at` never falls and is never before the event's time."""

    at: float
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How large a practice, how many weeks of it, under which seed."""

    therapists: int = 40
    weeks: int = 26
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """Tells this run's cases and therapists from those that a log already holds; empty: no need."""

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
    """What is to become of records sent, in numbers; all of them together are what was sent."""

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

    history: list[Sending]
    live: list[Sending]
    live_from: datetime
    end: datetime
    expected: Expected
    expected_of_history: Expected
    teams: int
    therapists: int
    truth: list[dict[str, Any]]


def make_plan(wishes: Wishes, end: datetime, live_days: float, label: Label) -> Plan:
    """The practice's events up to `end`, a midnight; the last `live_days` are kept back."""
    simulation = simulate(_parameters(wishes, end))
    live_from = end - timedelta(days=live_days)
    arrivals = list(_arrivals(simulation, label))
    ats = accumulate((arrival.event_at for arrival in arrivals), max)
    sendings = [Sending(at, one.key, one.value) for at, one in zip(ats, arrivals, strict=True)]
    split = sum(one.at < live_from.timestamp() for one in sendings)
    return Plan(
        history=sendings[:split],
        live=sendings[split:],
        live_from=live_from,
        end=end,
        expected=_expected(arrivals),
        expected_of_history=_expected(arrivals[:split]),
        teams=min(simulation.parameters.teams, wishes.therapists),
        therapists=len({event["data"].get("therapist_id") for event in simulation.events} - {None}),
        truth=[row | {"case_id": label.case(row["case_id"])} for row in simulation.truth],
    )


def _parameters(wishes: Wishes, end: datetime) -> PracticeParameters:
    return PracticeParameters(
        first_day=end - timedelta(weeks=wishes.weeks),
        seed=wishes.seed,
        therapists=wishes.therapists,
        weeks=wishes.weeks,
        late_share=LATE_SHARE,
        duplicated_share=TWICE_SHARE,
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
            if checkins % SPOILED_EVERY == 0:
                yield _arrival(_spoiled(event), "refused", False)
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


def _spoiled(event: dict[str, Any]) -> dict[str, Any]:
    """The same check-in as a sender with a wrong scale would send it."""
    answers = dict.fromkeys(event["data"]["answers"], SPOILED_ANSWER)
    return event | {"id": f"{event['id']}-wrong-scale", "data": event["data"] | {"answers": answers}}


def _expected(arrivals: list[_Arrival]) -> Expected:
    fates = [arrival.fate for arrival in arrivals]
    return Expected(
        accepted=fates.count("accepted"),
        refused=fates.count("refused"),
        duplicates=fates.count("duplicates"),
        checkins=sum(arrival.is_checkin for arrival in arrivals),
    )
