"""The exporter's own block of `/metrics`: for any therapists the same bytes as the library's."""

import gzip
import urllib.request
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parsed_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parsed_text

from consumers.exporter.exposition import Exposition
from consumers.exporter.metrics import TherapistCollector
from consumers.exporter.state import ExporterState, totals_of, window
from pipeline.runtime.health import Health
from pipeline.runtime.http import END, serve
from schemas.flags import SEVERITIES
from schemas.instruments.definition import INGREDIENTS
from schemas.summaries import Day, Publication, TherapistSummary

FIRST = date(2026, 1, 1)
COUNTS = st.integers(0, 3)
DAYS = st.dictionaries(
    st.integers(0, 200).map(lambda number: FIRST + timedelta(days=number)),
    st.builds(Day, COUNTS, COUNTS, COUNTS, COUNTS),
    max_size=12,
)
INSTANTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 7, 20), timezones=st.just(UTC))  # noqa: DTZ001 - Hypothesis wants them naive
#: Everything that a label may hold, with characters that must be escaped more often than by chance.
NAMES = st.one_of(
    st.sampled_from(["north", "south", 'a"b', "a\\b", "a\nb", "ä,{}="]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
)
POINTS = st.floats(0, 5000, allow_nan=False)


@st.composite
def summaries(draw: st.DrawFn) -> TherapistSummary:
    published = st.builds(
        Publication,
        scored_cases=st.integers(5, 10_000_000),
        score_points=POINTS,
        ingredient_points=st.dictionaries(st.sampled_from(INGREDIENTS), POINTS),
        ingredient_scored_cases=st.dictionaries(st.sampled_from(INGREDIENTS), st.integers(5, 10_000_000)),
    )
    return TherapistSummary(
        therapist_id=draw(NAMES),
        team=draw(NAMES),
        version=draw(st.integers(1, 5)),
        last_event_at=draw(st.none() | INSTANTS),
        active_cases=draw(st.sampled_from([0, 0, 1, 7, 1_234_567])),
        scored_cases=0,
        score_points=0.0,
        ingredient_points={},
        open_flag_cases=draw(st.dictionaries(st.sampled_from(SEVERITIES), st.integers(0, 9))),
        oldest_unacknowledged_at=draw(st.none() | INSTANTS),
        days=draw(DAYS),
        published=draw(st.none() | published),
    )


CHANGES = st.lists(st.one_of(summaries(), summaries(), summaries(), NAMES), max_size=12)


def updated(changes: list[TherapistSummary | str], scrapes: list[datetime]) -> tuple[ExporterState, Exposition]:
    """The state and the block after these summaries and tombstones, in order, with scrapes in between."""
    state, exposition = ExporterState(), Exposition()
    for number, change in enumerate(changes):
        name = change if isinstance(change, str) else change.therapist_id
        if state.update_therapist(name, None if isinstance(change, str) else change):
            if isinstance(change, str):
                exposition.remove(name)
            else:
                exposition.put(state.therapists[name])
        if number < len(scrapes):
            exposition.block(scrapes[number])
    return state, exposition


@settings(max_examples=300, deadline=None)
@given(CHANGES, st.lists(INSTANTS, max_size=4), INSTANTS)
def test_the_block_has_the_same_bytes_as_the_page_of_the_library(
    changes: list[TherapistSummary | str], scrapes: list[datetime], now: datetime
) -> None:
    state, exposition = updated(changes, scrapes)
    registry = CollectorRegistry()
    registry.register(TherapistCollector(state, lambda: now))
    block = exposition.block(now)
    assert block == generate_latest(registry)
    assert block + END == openmetrics.generate_latest(registry)  # type: ignore[no-untyped-call]
    samples = [sample for family in parsed_text(block.decode()) for sample in family.samples]
    if not any("\r" in change if isinstance(change, str) else "\r" in change.team for change in changes):
        assert len(samples) == sum(not line.startswith(b"#") for line in block.split(b"\n") if line)


@settings(max_examples=300, deadline=None)
@given(DAYS, st.integers(-5, 320))
def test_a_window_from_running_totals_equals_the_window_by_definition(days: dict[date, Day], number: int) -> None:
    today = FIRST + timedelta(days=number)
    assert totals_of(days).window(today) == window(days, today)


def a_summary(**overrides: object) -> TherapistSummary:
    plain: dict[str, object] = {
        "therapist_id": "t-1",
        "team": "north",
        "version": 1,
        "last_event_at": datetime(2026, 3, 1, 9, tzinfo=UTC),
        "active_cases": 0,
        "scored_cases": 0,
        "score_points": 0.0,
        "ingredient_points": {},
        "open_flag_cases": {},
        "oldest_unacknowledged_at": None,
        "days": {date(2026, 3, 1): Day(1, 1, 1, 0)},
    }
    return TherapistSummary(**{**plain, **overrides})  # type: ignore[arg-type]


def page(exposition: Exposition, now: datetime) -> str:
    return exposition.block(now).decode()


def test_a_therapist_who_left_disappears_and_comes_back_with_a_new_event() -> None:
    state, exposition = updated([a_summary()], [])
    last_day = datetime(2026, 3, 1, tzinfo=UTC)
    assert 'therapist="t-1"' in page(exposition, last_day + timedelta(days=89, hours=23))
    gone = page(exposition, last_day + timedelta(days=90))
    assert "t-1" not in gone
    assert 'team="north"' not in gone, "a team without therapists has no series, so it does not count as stale"
    back = a_summary(version=2, days={date(2026, 7, 1): Day(1, 0, 0, 0)})
    assert state.update_therapist("t-1", back)
    exposition.put(state.therapists["t-1"])
    assert 'therapist="t-1"' in page(exposition, datetime(2026, 7, 2, tzinfo=UTC))


def test_a_therapist_with_an_active_case_stays_even_if_nothing_happens_for_long() -> None:
    _, exposition = updated([a_summary(active_cases=1)], [])
    assert 'therapist="t-1"' in page(exposition, datetime(2027, 3, 1, tzinfo=UTC))


def test_a_therapist_who_moves_leaves_nothing_in_the_old_team() -> None:
    _, exposition = updated([a_summary(active_cases=1), a_summary(active_cases=1, version=2, team="south")], [])
    text = page(exposition, datetime(2026, 3, 2, tzinfo=UTC))
    assert 'team="south"' in text
    assert "north" not in text


@pytest.mark.parametrize("accept", ["text/plain", "application/openmetrics-text;version=1.0.0"])
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_the_page_is_complete_in_every_format_and_encoding(accept: str, encoding: str) -> None:
    registry = CollectorRegistry()
    Gauge("technical", "A figure of the library.", registry=registry).set(7)
    _, exposition = updated([a_summary(active_cases=1)], [])
    server = serve("127.0.0.1", 0, Health("test"), registry, lambda: exposition.block(datetime(2026, 3, 2, tzinfo=UTC)))
    url = f"http://127.0.0.1:{server.server_port}/metrics"
    request = urllib.request.Request(url, headers={"Accept": accept, "Accept-Encoding": encoding})
    with urllib.request.urlopen(request, timeout=10) as answer:
        body, headers = answer.read(), answer.headers
    server.shutdown()
    server.server_close()
    assert headers.get("Content-Encoding", "identity") == encoding
    assert headers["Content-Type"].startswith(accept.partition(";")[0])
    text = (gzip.decompress(body) if encoding == "gzip" else body).decode()
    assert text.count("# EOF") == accept.startswith("application")
    parse = parsed_openmetrics if accept.startswith("application") else parsed_text
    names = [family.name for family in parse(text)]
    assert len(names) == len(set(names)) == 14
    assert {"technical", "alliance_therapist_active_cases"} <= set(names)
