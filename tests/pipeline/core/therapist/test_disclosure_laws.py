"""The law of disclosure control: nothing that was ever published says anything about fewer than three clients.

In: random practices of two therapists: forms of several instruments, partly answered, withdrawn, handed over, closed,
opened again, erased. Out: every figure that was published, as an equation over the single answers; the law asks whether
any sum and difference of them leaves the answers of one or two clients alone.
Never: a rounded figure; rounding only makes the attack harder, and the law must hold without it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any, NamedTuple
from unittest.mock import patch

import numpy as np
from hypothesis import event, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from deploy.testbed.builders import ITEMS
from deploy.testbed.in_memory import INSTRUMENTS
from pipeline.core.therapist import disclosure
from pipeline.core.therapist.disclosure import FEWEST_CASES, FEWEST_CONTRIBUTORS, TOTAL
from pipeline.core.therapist.state import TherapistState, step
from schemas.summaries import CaseSummary, Publication
from tests.support.sizes import sized

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
THERAPISTS = ("t-1", "t-2")
#: A prime under 2**31: ranks are worked out in whole numbers, and a product of two still fits into 64 bits.
PRIME = 2_147_483_629
MILLION = 1_000_000

#: An answer: whose, in which of their check-ins, to which item.
Answer = tuple[int, int, str]
#: How often each answer counts in a figure, modulo PRIME.
Form = dict[Answer, int]


#: A form: the instrument, and the places of the items that were left out. A plain one has a total and no ingredient.
WHOLE, PARTLY, PLAIN = ("checkin-4/1", ()), ("checkin-4/1", (2,)), ("plain", ())


@dataclass(frozen=True)
class Checkin:
    """One form of one client: its scores as numbers, and what they are made of."""

    at: datetime
    scores: Mapping[str, float]
    forms: Mapping[str, Form]


class Happening(NamedTuple):
    """An event of a case; the newest one says whose the case is."""

    at: datetime
    therapist: str
    checkin: Checkin | None = None
    is_closure: bool = False


@dataclass
class Case:
    """A case as its events have left it."""

    number: int
    version: int = 0
    is_erased: bool = False
    events: list[Happening] = field(default_factory=list)
    named: set[str] = field(default_factory=set)

    @property
    def newest(self) -> Happening | None:
        """The event that says whose the case is and whether it is closed."""
        return max(self.events, key=lambda happening: happening.at, default=None)

    @property
    def owner(self) -> str:
        """The therapist of the case; None if nothing of it counts."""
        return "" if self.newest is None or self.is_erased else self.newest.therapist

    def scored(self, of: str) -> Checkin | None:
        """The check-in that counts for this therapist."""
        if self.newest is None or self.owner != of or self.newest.is_closure:
            return None
        return self.latest

    @property
    def latest(self) -> Checkin | None:
        """The latest check-in with a total, to whichever therapist it was given."""
        given = self._given()
        return given[-1].checkin if given else None

    def _given(self) -> list[Happening]:
        """The check-ins with a total, in the order of their time."""
        given = [event for event in self.events if event.checkin is not None and event.checkin.forms]
        return sorted(given, key=lambda happening: happening.at)

    def summary(self, of: str) -> CaseSummary:
        """As `pipeline.core.case.state` would tell it."""
        left = CaseSummary(
            case_id=f"c-{self.number}", therapist_id=of, team="north", version=self.version, status="left"
        )
        if self.is_erased:
            return replace(left, status="erased")
        if self.newest is None or of != self.owner:
            return left
        latest, status = self.latest, "closed" if self.newest.is_closure else "active"
        mine = replace(left, status=status, last_event_at=self.newest.at)
        if latest is None:
            return mine
        ingredients = {name: score for name, score in latest.scores.items() if name != TOTAL}
        return replace(
            mine,
            score=latest.scores[TOTAL],
            ingredients=ingredients,
            scored_at=latest.at,
            scored_here=self._given()[-1].therapist == of,
        )


def forms_of(instrument: str, left_out: Sequence[int], who: int, which: int) -> dict[str, Form]:
    """Total and ingredients of a form as means of its answers; none without a total."""
    if instrument == PLAIN[0]:
        return {TOTAL: mean([(who, which, "only")])}
    chosen = INSTRUMENTS[instrument]
    answered = [item.id for place, item in enumerate(chosen.items) if place not in left_out]
    if len(answered) < chosen.missing.total_at_least:
        return {}
    forms = {TOTAL: mean([(who, which, item) for item in answered])}
    for rule in chosen.ingredient_rules:
        items = [item for item in rule.items if item in answered]
        if len(items) >= rule.at_least:
            forms[rule.ingredient] = mean([(who, which, item) for item in items])
    return forms


def mean(answers: Sequence[Answer]) -> Form:
    """One part of each."""
    return dict.fromkeys(answers, pow(len(answers), -1, PRIME))


@dataclass
class Practice:
    """Cases, the two therapists' states, and everything that an onlooker has seen published."""

    cases: dict[int, Case] = field(default_factory=dict)
    states: dict[str, TherapistState] = field(default_factory=dict)
    seen: list[Form] = field(default_factory=list)
    #: The check-in in each therapist's latest summary of each case; None: no scored one.
    summarised: dict[tuple[str, int], Checkin | None] = field(default_factory=dict)
    minutes: int = 0
    counter: int = 0

    def checkin(self, who: int, of: str, form: tuple[str, Sequence[int]], delay: int) -> None:
        """A client answers an instrument, perhaps not all of it; known `delay` days late."""
        forms, at = forms_of(*form, who, self._next()), self._now() - timedelta(days=delay)
        scores = {name: self._next() * 7_919 % MILLION / MILLION for name in forms}
        self._happens(who, Happening(at, of, Checkin(at, scores, forms)))

    def held(self, who: int, of: str) -> None:
        """A session: the case is this therapist's from now on."""
        self._happens(who, Happening(self._now(), of))

    def close(self, who: int) -> None:
        """The case ends, with the therapist whose it is."""
        if owner := self._case(who).owner:
            self._happens(who, Happening(self._now(), owner, is_closure=True))

    def void(self, who: int) -> None:
        """The latest check-in counts no more."""
        case = self._case(who)
        given = [event for event in case.events if event.checkin is not None]
        if given:
            case.events.remove(max(given, key=lambda happening: happening.at))

    def erase(self, who: int) -> None:
        """The case is forgotten."""
        self._case(who).is_erased = True

    def has_erased(self, who: int) -> bool:
        """Whether everything about the case is refused from now on."""
        return who in self.cases and self.cases[who].is_erased

    def tell(self, who: int) -> None:
        """The summaries of a case go to everyone it has named, the others first."""
        case = self._case(who)
        case.version += 1
        for name in sorted(case.named, key=lambda therapist: therapist == case.owner):
            before = self.states.get(name)
            published = before.publication.published if before else None
            self.summarised[name, who] = case.scored(name)
            self.states[name], _ = step(before, case.summary(name))
            self._look(name, published)

    def ingredients(self, name: str) -> set[str]:
        """The ingredients that are shown of a therapist."""
        published = self.states[name].publication.published
        return set() if published is None else published.ingredient_points.keys() & set(ITEMS)

    def _look(self, name: str, before: Publication | None) -> None:
        """Each new publication is an equation over enough check-ins."""
        now = self.states[name].publication.published
        figures = dict(figures_of(now))
        moved = {figure: shown for figure, shown in figures.items() if dict(figures_of(before)).get(figure) != shown}
        for figure, (number, points) in moved.items():
            checkins = self._checkins(name, figure)
            assert number == len(checkins) >= FEWEST_CASES
            assert abs(points - sum(checkin.scores[figure] for checkin in checkins)) < 1e-3
            self.seen.append({answer: times for checkin in checkins for answer, times in checkin.forms[figure].items()})
        for figure in figures:
            assert len(self._checkins(name, figure)) >= FEWEST_CASES, "too few are left to show it still"

    def _checkins(self, name: str, figure: str) -> list[Checkin]:
        """The check-ins in a figure now."""
        mine = [checkin for (whose, _), checkin in self.summarised.items() if whose == name]
        return [checkin for checkin in mine if checkin is not None and figure in checkin.forms]

    def _happens(self, who: int, event: Happening) -> None:
        case = self._case(who)
        case.events.append(event)
        case.named.add(event.therapist)

    def _case(self, who: int) -> Case:
        return self.cases.setdefault(who, Case(who))

    def _now(self) -> datetime:
        self.minutes += 1440
        return START + timedelta(minutes=self.minutes)

    def _next(self) -> int:
        self.counter += 1
        return self.counter


def figures_of(published: Publication | None) -> Iterator[tuple[str, tuple[int, float]]]:
    """Each figure with its count and sum."""
    if published is not None:
        yield TOTAL, (published.scored_cases, published.score_points)
        for name, points in published.ingredient_points.items():
            yield name, (published.ingredient_scored_cases[name], points)


def leaks(seen: Sequence[Form]) -> list[tuple[int, ...]]:
    """Groups of fewer than three clients about whom some combination of the equations speaks alone."""
    clients = sorted({answer[0] for form in seen for answer in form})
    columns = {answer: place for place, answer in enumerate(sorted({answer for form in seen for answer in form}))}
    matrix = np.zeros((len(seen), len(columns)), dtype=np.int64)
    for row, form in enumerate(seen):
        for answer, times in form.items():
            matrix[row, columns[answer]] = times
    owner = np.array([answer[0] for answer in columns])
    whole = rank(matrix)
    groups = combinations(clients, FEWEST_CONTRIBUTORS - 1)
    return [group for group in groups if rank(matrix[:, ~np.isin(owner, group)]) < whole]


def rank(matrix: "np.ndarray[tuple[int, int], np.dtype[np.int64]]") -> int:
    """By elimination, modulo PRIME."""
    left = matrix.copy() % PRIME
    found = 0
    for column in range(left.shape[1]):
        (rows,) = np.nonzero(left[found:, column])
        if not len(rows):
            continue
        pivot = found + rows[0]
        left[[found, pivot]] = left[[pivot, found]]
        left[found] = left[found] * pow(int(left[found, column]), -1, PRIME) % PRIME
        below = left[found + 1 :]
        below -= below[:, [column]] * left[found] % PRIME
        below %= PRIME
        found += 1
        if found == left.shape[0]:
            break
    return found


Event = tuple[Any, ...]

CLIENTS = st.integers(0, 8)
FORMS = st.one_of(
    st.sampled_from([WHOLE, PARTLY, PARTLY, PLAIN, ("checkin-4/1", (0,)), ("srs/3", ()), ("wai-sr/1", ())]),
    st.tuples(st.sampled_from(["checkin-4/1", "wai-sr/1"]), st.lists(st.integers(0, 11), max_size=4).map(tuple)),
)
#: What each client usually answers: mostly one kind, so that the odd one could be identified.
HABITS = st.one_of(
    st.just([PLAIN] * 9), st.just([WHOLE] * 9), st.lists(st.sampled_from([WHOLE, PARTLY]), min_size=9, max_size=9)
)
CHECKINS = st.tuples(
    st.just("checkin"), CLIENTS, st.sampled_from(["t-1"] * 6 + ["t-2"]), FORMS, st.sampled_from([0] * 9 + [3])
)
#: What happens to one client, or to several at once.
CHANGES = st.one_of(st.just(("void",)), st.just(("close",)), st.tuples(st.just("held"), st.sampled_from(THERAPISTS)))
SEVERAL = st.tuples(CHANGES, st.lists(CLIENTS, min_size=1, max_size=6, unique=True)).map(
    lambda pair: [(pair[0][0], who, *pair[0][1:]) for who in pair[1]]
)
ERASURES = st.tuples(st.just("erase"), CLIENTS)
EVENTS = st.one_of(
    CHECKINS.map(lambda happening: [happening]),
    SEVERAL,
    SEVERAL,
    st.one_of(CHECKINS, ERASURES).map(lambda happening: [happening]),
)


@st.composite
def weeks(draw: st.DrawFn) -> list[Event]:
    """Some clients answer as they usually do; in between whatever else happens."""
    habits, events = draw(HABITS), []
    for _ in range(draw(st.integers(2, 10))):
        usual = draw(st.permutations(range(9)))[: draw(st.integers(1, 8))]
        events += [("checkin", who, "t-1", habits[who], 0) for who in usual]
        for others in draw(st.lists(EVENTS, max_size=2)):
            place = draw(st.integers(0, len(events)))
            events[place:place] = others
    return events


def lived(events: Sequence[Event], batch: int = 1) -> Practice:
    """The practice after these events, summarised in batches; without rounding."""
    practice = Practice()
    with patch.object(disclosure, "STEP", 1e-9):
        for start in range(0, len(events), batch):
            portion = [event for event in events[start : start + batch] if not practice.has_erased(event[1])]
            for kind, who, *more in portion:
                getattr(practice, kind)(who, *more)
            for who in dict.fromkeys(who for _, who, *_ in portion):
                practice.tell(who)
    return practice


@settings(max_examples=sized(150, 5_000), deadline=None)
@given(weeks(), st.sampled_from([1, 1, 1, 3]))
def test_no_combination_of_published_figures_is_about_fewer_than_three_clients(events: list[Event], batch: int) -> None:
    practice = lived(events, batch)
    event(f"{min(len(practice.seen), 12)} publications")
    assert leaks(practice.seen) == []


def answers(*clients: int, of: str = "t-1", form: tuple[str, Sequence[int]] = PLAIN) -> list[Event]:
    """Each of these clients gives a check-in."""
    return [("checkin", who, of, form, 0) for who in clients]


def totals(practice: Practice) -> list[set[int]]:
    """The clients in each total that was published, in order."""
    return [{who for who, _, item in form} for form in practice.seen if all(item == "only" for *_, item in form)]


def test_an_ingredient_waits_for_three_clients_that_answered_it_however_many_answered_something_else() -> None:
    practice = lived(answers(*range(5), form=WHOLE) + answers(5, 6, 7) + [*answers(0, form=WHOLE), *answers(5, 6)] * 12)
    assert len(practice.seen) > 2
    assert leaks(practice.seen) == []


def test_an_ingredient_that_fewer_than_five_clients_have_left_is_taken_back_and_comes_back_with_three() -> None:
    rounds = answers(*range(5), form=WHOLE) * 5
    practice = lived(rounds)
    assert practice.ingredients("t-1") == set(ITEMS)
    practice = lived(rounds + answers(0, form=PARTLY))
    assert practice.ingredients("t-1") == set(ITEMS) - {"goals"}
    back = rounds + answers(0, form=PARTLY) + answers(0, form=WHOLE)
    assert practice.ingredients("t-1") == set(ITEMS) - {"goals"}
    practice = lived(back + answers(*range(1, 5), *range(5), *range(5), form=WHOLE))
    assert practice.ingredients("t-1") == set(ITEMS)
    assert leaks(practice.seen) == []


def test_check_ins_that_are_back_after_a_void_are_no_news() -> None:
    there_and_back = [event for who in (0, 1) for event in (*answers(who, of="t-2"), ("void", who))]
    practice = lived(answers(*range(8)) + there_and_back + answers(3))
    assert totals(practice) == [set(range(5)), set(range(8))]
    assert totals(lived(answers(*range(8)) + there_and_back + answers(3, 4, 5)))[2:] == [set(range(8))]


def test_check_ins_that_come_along_from_another_therapist_are_no_news() -> None:
    """With them, t-2's total before and after, and t-1's, would leave clients 0 and 4 alone."""
    both = answers(*range(5)) + answers(*range(10, 15), of="t-2")
    moved: list[Event] = [("held", who, "t-2") for who in (1, 2, 3)]
    assert totals(lived(both + moved)) == [set(range(5)), set(range(10, 15))]
    practice = lived(both + moved + answers(1, 10, 11, of="t-2"))
    assert totals(practice)[2:] == [{1, 2, 3, *range(10, 15)}]
    assert leaks(practice.seen) == []


def test_erased_cases_leave_the_figures_with_the_next_news_and_at_once_where_fewer_than_five_stay() -> None:
    practice = lived([*answers(*range(6)), ("erase", 0), *answers(1, 2)])
    assert totals(practice) == [set(range(5)), set(range(1, 6))]
    practice = lived([*answers(*range(5)), ("erase", 0)])
    assert practice.states["t-1"].publication.published is None


def test_the_attacks_that_the_law_must_see_are_seen() -> None:
    """The judge is judged: published in these ways, one or two clients would have been given away."""
    whole, lacking = [forms_of(*WHOLE, who, 0) for who in range(6)], forms_of(*PARTLY, 9, 0)

    def total_of(forms: Sequence[Mapping[str, Form]], figure: str) -> Form:
        return {answer: times for form in forms for answer, times in form.get(figure, {}).items()}

    figures = (TOTAL, *ITEMS)
    assert leaks([total_of(whole, TOTAL)]) == []
    assert leaks([total_of(whole, figure) for figure in figures]) == []
    assert leaks([total_of(whole[:2], "goals")])
    assert leaks([total_of(whole, TOTAL), total_of(whole[1:], TOTAL)])
    assert leaks([total_of([*whole, lacking], figure) for figure in figures]), "total less ingredients: the one without"
    assert leaks([total_of(whole[:4], TOTAL), total_of(whole[3:], TOTAL), total_of(whole, TOTAL)])
