"""What the demonstration reads of the processes (published figures, latencies, health), and what it makes of counts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from alliance.demo import metrics
from alliance.demo.figures import Counts
from alliance.demo.plan import Expected
from alliance.demo.summary import Outcome, complaints, lines
from consumers.exporter.series import TherapistCollector
from consumers.exporter.state import ExporterState
from pipeline.runtime.health import Health
from pipeline.runtime.http import serve
from pipeline.runtime.metrics import Meters
from schemas.summaries import Publication, TherapistSummary

AT = datetime(2026, 11, 4, 13, 24, tzinfo=UTC)
GONE = "http://127.0.0.1:9"


def a_summary(name: str, published: Publication | None) -> TherapistSummary:
    return TherapistSummary(
        therapist_id=name,
        team="north",
        version=9,
        last_event_at=AT,
        active_cases=7,
        scored_cases=6,
        score_points=5.55,
        ingredient_points={"trust": 5.5},
        open_flag_cases={"urgent": 2},
        oldest_unacknowledged_at=None,
        days={},
        published=published,
    )


def exported(*summaries: TherapistSummary) -> metrics.Samples:
    """What a real exporter's page with these therapists says."""
    state, registry = ExporterState(), CollectorRegistry()
    for summary in summaries:
        state.update_therapist(summary.therapist_id, summary)
    registry.register(TherapistCollector(state, lambda: AT))
    server = serve("127.0.0.1", 0, Health("exporter"), registry)
    try:
        return metrics.samples(f"http://127.0.0.1:{server.server_port}")
    finally:
        server.shutdown()
        server.server_close()


def test_only_what_disclosure_control_published_becomes_a_mean() -> None:
    published = Publication(scored_cases=5, score_points=4.65, ingredient_points={"trust": 4.6})
    second, first = metrics.therapists(exported(a_summary("t-2", None), a_summary("t-1", published)))[::-1]
    assert (first.therapist, first.scored_cases) == ("t-1", 5)
    assert first.mean == pytest.approx(0.93)
    assert (second.therapist, second.mean, second.scored_cases) == ("t-2", None, None)
    assert (second.active_cases, second.open_flags["urgent"]) == (7, 2)


def test_a_process_that_does_not_answer_is_starting_and_has_no_samples() -> None:
    assert metrics.health(GONE) == "starting"
    assert metrics.samples(GONE) == {}
    assert metrics.therapists({}) == ()


def test_health_is_one_word_or_says_what_is_waited_for() -> None:
    health = Health("worker")
    server = serve("127.0.0.1", 0, health, CollectorRegistry())
    address = f"http://127.0.0.1:{server.server_port}"
    try:
        assert metrics.health(address) == "starting"
        health.is_ready()
        assert metrics.health(address) == "ok"
        health.waits_for("broker", "no broker answers")
        assert metrics.health(address) == "waiting for broker"
    finally:
        server.shutdown()
        server.server_close()


def test_a_quantile_lies_inside_its_bucket_as_prometheus_has_it() -> None:
    buckets = {0.1: 50.0, 0.5: 90.0, 1.0: 100.0, float("inf"): 100.0}
    assert metrics.quantile(buckets, 0.5) == pytest.approx(0.1)
    assert metrics.quantile(buckets, 0.7) == pytest.approx(0.3)
    assert metrics.quantile(buckets, 0.99) == pytest.approx(0.95)
    assert metrics.quantile({0.1: 0.0, float("inf"): 3.0}, 0.5) == 0.1


def test_latency_is_that_of_the_last_moments_and_of_one_stage() -> None:
    meters, latency = Meters("1"), metrics.RecentLatency("store")
    seconds = meters.latency.labels("store")

    def seen() -> metrics.Samples:
        return {
            sample.name: [(other.labels, other.value) for other in family.samples if other.name == sample.name]
            for family in meters.registry.collect()
            for sample in family.samples
        }

    seconds.observe(40.0)
    meters.latency.labels("cases").observe(3000.0)
    assert latency.take(seen(), 0.0) is None
    for _ in range(10):
        seconds.observe(0.02)
    recent = latency.take(seen(), 5.0)
    assert recent is not None
    assert (recent.events, recent.p99 <= 0.025) == (10, True)
    assert latency.take(seen(), 30.0) is None


OUTCOME = Outcome(
    practice="a practice",
    sent=110,
    expected=Expected(accepted=96, refused=3, duplicates=5, checkins=40),
    supervised=6,
    counts=Counts(archived=102, refused=3, summarised=102, flags=4, live_flags=1),
    checkins=40,
    flags={("drop", "repaired"): 3, ("drop", "open"): 1},
    caught={"withdrawal": (1, 9), "confrontation": (4, 5)},
    therapists=4,
    published=3,
    seconds=2.0,
    seconds_in_all=5.0,
)


def test_a_run_in_which_all_adds_up_is_not_complained_about() -> None:
    assert complaints(OUTCOME) == []
    text = "\n".join(lines(OUTCOME))
    assert "110 sent = 102 archived + 3 refused + 5 duplicates" in text
    assert "drop            4: 1 open, 3 repaired" in text
    assert "5 of 14 (confrontation 4 of 5; withdrawal 1 of 9)" in text
    assert "3 of 4 with published scores" in text
    assert "55 events/s" in text


@pytest.mark.parametrize(
    "wrong",
    [
        replace(OUTCOME, sent=109),
        replace(OUTCOME, checkins=39),
        *(
            replace(OUTCOME, counts=replace(OUTCOME.counts, **{name: 101}))
            for name in ("archived", "refused", "summarised")
        ),
    ],
)
def test_whatever_does_not_add_up_is_said(wrong: Outcome) -> None:
    assert len(complaints(wrong)) == 1
