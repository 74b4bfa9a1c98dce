"""Sets are delivered end to end, and commits move along acknowledged ones and never over a hole."""

import random

from hypothesis import given
from hypothesis import strategies as st

from pipeline.worker.faust.committable_offsets import CommittableOffsets, StallDetector


def test_nothing_moves_before_something_is_acknowledged() -> None:
    progress = CommittableOffsets(5)
    assert progress.advance() is None
    assert progress.deliver(5, 9)
    assert progress.advance() is None


def test_a_set_that_is_acknowledged_moves_the_position_to_its_end_once() -> None:
    progress = CommittableOffsets(5)
    progress.deliver(5, 9)
    progress.acknowledge(5, 9)
    assert progress.advance() == 9
    assert progress.advance() is None


def test_a_set_behind_a_hole_waits_for_it() -> None:
    progress = CommittableOffsets(0)
    for start, end in ((0, 3), (3, 7), (7, 8)):
        assert progress.deliver(start, end)
    progress.acknowledge(7, 8)
    progress.acknowledge(3, 7)
    assert progress.advance() is None
    progress.acknowledge(0, 3)
    assert progress.advance() == 8


def test_a_set_that_does_not_begin_where_the_one_before_ended_is_not_delivered() -> None:
    progress = CommittableOffsets(10)
    assert not progress.deliver(20, 30)
    assert progress.wanted == 10
    assert progress.deliver(10, 20)
    assert not progress.deliver(25, 30)
    assert not progress.deliver(10, 20)
    assert progress.wanted == 20
    assert progress.deliver(20, 30)


def test_a_first_set_beyond_where_fetching_began_is_not_committed_past() -> None:
    progress = CommittableOffsets(5)
    progress.deliver(10, 20)
    progress.acknowledge(10, 20)
    assert progress.advance() is None


def test_a_set_of_a_former_fetch_that_reaches_over_the_new_ones_does_not_block_them() -> None:
    progress = CommittableOffsets(10)
    progress.deliver(10, 18)
    progress.deliver(18, 26)
    progress.acknowledge(10, 20)
    progress.acknowledge(18, 26)
    assert progress.advance() == 26


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.integers(0, 10_000))
def test_the_position_is_the_start_of_the_first_set_that_is_not_acknowledged(sizes: list[int], seed: int) -> None:
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    sets = list(zip([0, *ends[:-1]], ends, strict=True))
    progress = CommittableOffsets(0)
    assert all(progress.deliver(*one) for one in sets)
    waiting = set(sets)
    order = random.Random(seed).sample(sets, len(sets))
    for one in order:
        progress.acknowledge(*one)
        waiting.discard(one)
        progress.advance()
        assert progress.position == min((start for start, _ in waiting), default=ends[-1])


def test_a_partition_stands_still_from_when_it_was_first_seen_where_it_is() -> None:
    standstill = StallDetector()
    assert standstill.look({}, 0.0) == 0.0
    assert standstill.look({"a": 5}, 10.0) == 0.0
    assert standstill.look({"a": 5, "b": 1}, 14.0) == 4.0
    assert standstill.look({"a": 6, "b": 1}, 20.0) == 6.0
    assert standstill.look({"a": 6}, 21.0) == 1.0, "b is through"
    assert standstill.look({"a": 6, "b": 1}, 30.0) == 10.0
    assert standstill.look({}, 31.0) == 0.0
