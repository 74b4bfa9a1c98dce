"""In: conditions. Out: answers in time, or failures that say what was awaited."""

import pytest

from deploy.testbed.waiting import wait_until


def test_waiting_returns_the_first_answer_that_holds() -> None:
    answers = iter([0, None, 7])
    assert wait_until(lambda: next(answers), timeout=5, what="a number") == 7


def test_waiting_in_vain_fails_and_names_what_was_awaited() -> None:
    with pytest.raises(AssertionError, match=r"not within 0\.1 s: the moon \(last answer: 0\)"):
        wait_until(lambda: 0, timeout=0.1, what="the moon")


def test_what_was_awaited_may_be_put_into_words_at_the_end() -> None:
    seen: list[int] = []
    with pytest.raises(AssertionError, match="nothing but 1"):
        wait_until(lambda: seen.append(1), timeout=0, what=lambda: f"nothing but {seen[0]}")
