"""Meters: a batch counts as its events one by one."""

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from pipeline.runtime.metrics import SECONDS, ManyAtOnce, Meters

amounts = st.floats(0, 5000) | st.sampled_from(SECONDS)


def page_of(batches: list[list[float]], at_once: bool) -> list[str]:
    registry = CollectorRegistry()
    histogram = ManyAtOnce("h_seconds", "…", ["stage"], buckets=SECONDS, registry=registry).labels("x")
    for batch in batches:
        if at_once:
            histogram.observe_all(batch)
        else:
            for amount in batch:
                histogram.observe(amount)
    return [
        line
        for line in generate_latest(registry).decode().splitlines()
        if line.startswith(("h_seconds_bucket", "h_seconds_count"))
    ]


@given(st.lists(st.lists(amounts, max_size=30), max_size=4))
def test_many_observed_at_once_are_the_same_as_one_by_one(batches: list[list[float]]) -> None:
    assert page_of(batches, at_once=True) == page_of(batches, at_once=False)


def test_a_batch_is_counted_by_type_and_reason() -> None:
    meters = Meters("1")
    meters.count({"alliance.session.held.v1": 3}, {"not-json": 2})
    meters.count({"alliance.session.held.v1": 1}, {})
    assert meters.registry.get_sample_value("alliance_events_total", {"type": "alliance.session.held.v1"}) == 4
    assert meters.registry.get_sample_value("alliance_rejected_total", {"reason": "not-json"}) == 2
