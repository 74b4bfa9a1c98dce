"""Random histories of one case: sessions, check-ins, corrections, voided check-ins, actions, closures, conflicts.

In: Hypothesis. Out: lists of distinct CloudEvents in no particular order.
Never: an erasure (its effect on later events is a refusal, which depends on order by design).
"""

from hypothesis import strategies as st

from deploy.testbed.builders import ITEMS, Json, a_checkin, a_closure, a_held, a_missed, a_void, an_action, at
from pipeline.core.case.flag_lifecycle import flag_id
from pipeline.core.records import digest64

SESSIONS = st.integers(1, 14)
#: Mostly at the ceiling, sometimes far down: enough to open and to repair flags.
SCORES = st.sampled_from([9.5, 10.0, 9.0, 9.2, 8.0, 4.0, 2.5, 6.0])
ANSWERS = st.one_of(
    SCORES.map(lambda score: dict.fromkeys(ITEMS, score)),
    st.fixed_dictionaries({item: st.one_of(st.none(), SCORES) for item in ITEMS}),
)


@st.composite
def _checkins(draw: st.DrawFn) -> Json:
    session = draw(SESSIONS)
    revision = draw(st.sampled_from([1, 1, 1, 1, 2, 3]))
    named = draw(st.booleans()) or revision > 1
    overrides: Json = {"answers": draw(ANSWERS), "revision": revision}
    if named:
        overrides["checkin_id"] = f"k-{session}"
        overrides["id"] = f"k-{session}-{revision}-{draw(st.integers(0, 1))}"
    if draw(st.sampled_from([False, False, False, True])):
        overrides["time"] = at(session, 65 + draw(st.integers(0, 20_000)))
    if draw(st.sampled_from([False] * 9 + [True])):
        overrides["therapist"], overrides["team"] = "t-2", "south"
    rater = draw(st.sampled_from(["client", "client", "client", "therapist"]))
    return a_checkin(session, rater=rater, **overrides)


def _flag_ids(session: int) -> list[str]:
    return [
        flag_id("c-1", digest64(f"k-{session}")),
        flag_id("c-1", digest64(f"urn:alliance:tests#checkin-client-{session}")),
        flag_id("c-1", f"missing-{digest64(f's-{session}')}"),
    ]


@st.composite
def _actions(draw: st.DrawFn) -> Json:
    target = draw(st.sampled_from(_flag_ids(draw(SESSIONS))))
    action = draw(st.sampled_from(["acknowledged", "discussed", "dismissed"]))
    return an_action(action, target, draw(SESSIONS), id=f"{action}-{target}")


def _events() -> st.SearchStrategy[Json]:
    return st.one_of(
        _checkins(),
        SESSIONS.map(a_held),
        SESSIONS.map(a_missed),
        _actions(),
        SESSIONS.map(lambda session: a_void(f"k-{session}", session)),
        st.integers(10, 14).map(a_closure),
    )


@st.composite
def histories(draw: st.DrawFn, most: int = 12) -> list[Json]:
    """Events of case c-1: a run of check-ins, and whatever else happens in a practice, up to `most` of each.

    The same (source, id) may be there twice with different contents.
    """
    run = [
        a_checkin(session, score, checkin_id=f"k-{session}", id=f"k-{session}-1-0")
        for session, score in enumerate(draw(st.lists(SCORES, max_size=most)), start=1)
    ]
    return run + draw(st.lists(_events(), min_size=0 if run else 1, max_size=most))
