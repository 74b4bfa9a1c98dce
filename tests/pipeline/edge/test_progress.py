"""Commits move along acknowledged sets and never over a hole."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.edge.progress import Progress


def test_nothing_moves_before_something_is_acknowledged() -> None:
    progress = Progress()
    assert progress.advance() is None
    progress.deliver(5, 9)
    assert progress.advance() is None


def test_a_set_that_is_acknowledged_moves_the_position_to_its_end_once() -> None:
    progress = Progress()
    progress.deliver(5, 9)
    progress.acknowledge(5, 9)
    assert progress.advance() == 9
    assert progress.advance() is None


def test_a_set_behind_a_hole_waits_for_it() -> None:
    progress = Progress()
    for start, end in ((0, 3), (3, 7), (7, 8)):
        progress.deliver(start, end)
    progress.acknowledge(7, 8)
    progress.acknowledge(3, 7)
    assert progress.advance() is None
    progress.acknowledge(0, 3)
    assert progress.advance() == 8


def test_offsets_without_records_between_two_sets_are_no_hole() -> None:
    progress = Progress()
    progress.deliver(0, 3)
    progress.deliver(6, 9)
    progress.acknowledge(0, 3)
    assert progress.advance() == 6
    progress.acknowledge(6, 9)
    assert progress.advance() == 9


def test_a_set_of_a_former_fetch_that_reaches_over_the_new_ones_does_not_block_them() -> None:
    progress = Progress()
    progress.deliver(10, 18)
    progress.deliver(18, 26)
    progress.acknowledge(10, 20)
    progress.acknowledge(18, 26)
    assert progress.advance() == 26


@given(st.lists(st.integers(1, 9), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_the_position_is_the_start_of_the_first_set_that_is_not_acknowledged(sizes: list[int], chance: object) -> None:
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]
    sets = list(zip([0, *ends[:-1]], ends, strict=True))
    progress = Progress()
    for one in sets:
        progress.deliver(*one)
    open_sets = set(sets)
    order = list(sets)
    chance.shuffle(order)  # type: ignore[attr-defined]
    for one in order:
        progress.acknowledge(*one)
        open_sets.discard(one)
        progress.advance()
        assert progress.position == min((start for start, _ in open_sets), default=ends[-1])
