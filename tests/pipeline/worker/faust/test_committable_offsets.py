"""Record sets are delivered without a gap, and commits never move past a set that is not acknowledged."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.worker.faust.committable_offsets import CommittableOffsets


def test_nothing_moves_before_something_is_acknowledged() -> None:
    offsets = CommittableOffsets(5)
    assert offsets.advance() is None
    assert offsets.deliver(5, 9)
    assert offsets.advance() is None


def test_a_set_that_is_acknowledged_moves_the_position_to_its_end_once() -> None:
    offsets = CommittableOffsets(5)
    offsets.deliver(5, 9)
    offsets.acknowledge(5, 9)
    assert offsets.advance() == 9
    assert offsets.advance() is None


def test_a_set_after_an_unacknowledged_one_waits_for_it() -> None:
    offsets = CommittableOffsets(0)
    for start, end in ((0, 3), (3, 7), (7, 8)):
        assert offsets.deliver(start, end)
    offsets.acknowledge(7, 8)
    offsets.acknowledge(3, 7)
    assert offsets.advance() is None
    offsets.acknowledge(0, 3)
    assert offsets.advance() == 8


def test_a_set_that_does_not_begin_where_the_one_before_ended_is_not_delivered() -> None:
    offsets = CommittableOffsets(10)
    assert not offsets.deliver(20, 30)
    assert offsets.next_start == 10
    assert offsets.deliver(10, 20)
    assert not offsets.deliver(25, 30)
    assert not offsets.deliver(10, 20)
    assert offsets.next_start == 20
    assert offsets.deliver(20, 30)


def test_a_first_set_beyond_where_fetching_began_is_not_committed_past() -> None:
    offsets = CommittableOffsets(5)
    offsets.deliver(10, 20)
    offsets.acknowledge(10, 20)
    assert offsets.advance() is None


def test_a_set_of_an_earlier_fetch_that_overlaps_the_new_ones_does_not_block_them() -> None:
    offsets = CommittableOffsets(10)
    offsets.deliver(10, 18)
    offsets.deliver(18, 26)
    offsets.acknowledge(10, 20)
    offsets.acknowledge(18, 26)
    assert offsets.advance() == 26


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 10_000))
def test_the_position_is_the_start_of_the_first_set_that_is_not_acknowledged(sizes: list[int], seed: int) -> None:
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    sets = list(zip([0, *ends[:-1]], ends, strict=True))
    offsets = CommittableOffsets(0)
    assert all(offsets.deliver(*record_set) for record_set in sets)
    waiting = set(sets)
    order = random.Random(seed).sample(sets, len(sets))
    for record_set in order:
        offsets.acknowledge(*record_set)
        waiting.discard(record_set)
        offsets.advance()
        assert offsets.position == min((start for start, _ in waiting), default=ends[-1])
