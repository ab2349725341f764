"""The bound on a target's minute: no window of 60 seconds holds more, wherever it begins."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.rates import WINDOW, Rates


def test_nothing_is_bounded_where_nothing_is_said() -> None:
    rates = Rates(None, None)
    rates.take(0.0, 10**9)
    assert rates.wait(0.0, 10**9) is None
    assert rates.left(0.0) == (None, None)


def test_requests_are_counted_and_come_back() -> None:
    rates = Rates(2, None)
    for now in (0.0, 5.0):
        assert rates.wait(now, 0) is None
        rates.take(now, 0)
    assert rates.left(5.0) == (0, None)
    assert rates.wait(5.0, 0) == pytest.approx(WINDOW + 1 - 5.0)
    assert rates.wait(WINDOW + 1, 0) is None
    assert rates.left(WINDOW + 1) == (1, None)


def test_requests_that_came_close_together_are_forgotten_with_the_last_of_them() -> None:
    rates = Rates(2, None)
    rates.take(0.0, 0)
    rates.take(0.9, 0)
    assert rates.wait(WINDOW, 0) is not None, "the second one is not a minute old"
    assert rates.wait(WINDOW + 1, 0) is None


def test_a_wait_is_as_long_as_the_tokens_need() -> None:
    rates = Rates(None, 100)
    for now, tokens in ((0.0, 50), (10.0, 40)):
        rates.take(now, tokens)
    assert rates.wait(10.0, 10) is None
    assert rates.wait(10.0, 60) == pytest.approx(WINDOW + 1 - 10.0)
    assert rates.wait(10.0, 61) == pytest.approx(WINDOW + 1)


def test_a_request_that_is_larger_than_the_bound_goes_alone() -> None:
    rates = Rates(None, 100)
    assert rates.wait(0.0, 1000) is None
    rates.take(0.0, 1)
    assert rates.wait(0.0, 1000) == pytest.approx(WINDOW + 1)


def test_what_was_had_takes_the_place_of_what_was_reserved() -> None:
    rates = Rates(None, 100)
    rates.take(0.0, 90)
    rates.take(5.0, 10)
    rates.settle(0.3, 90, 20)
    assert rates.left(5.0) == (None, 70)
    rates.settle(-9.0, 10, 0)
    assert rates.left(5.0) == (None, 70), "what is forgotten stays so"
    rates.settle(3.0, 10, 0)
    assert rates.left(5.0) == (None, 70)
    assert rates.left(61.0) == (None, 90)


def test_what_was_never_sent_is_given_back() -> None:
    rates = Rates(3, 100)
    rates.take(0.0, 60)
    rates.take(0.5, 30)
    rates.give_back(0.5, 30)
    assert rates.left(1.0) == (2, 40)
    rates.give_back(-9.0, 30)
    assert rates.left(1.0) == (2, 40), "what is forgotten stays so"
    assert rates.left(WINDOW + 2) == (3, 100)


@given(
    st.lists(st.tuples(st.floats(0, 40), st.integers(0, 60)), max_size=60),
    st.integers(1, 5),
    st.integers(60, 150),
)
def test_no_window_holds_more_than_the_bound(
    asked: list[tuple[float, int]], requests: int, tokens: int
) -> None:
    """Against brute force over every window that begins with a request."""
    rates, now, taken = Rates(requests, tokens), 0.0, []
    for pause, wanted in asked:
        now += pause
        wait = rates.wait(now, wanted)
        if wait is None:
            rates.take(now, wanted)
            taken.append((now, wanted))
        else:
            assert wait > 0
            assert Rates.wait(rates, now, wanted) == wait, "asking changes nothing"
    for began, _ in taken:
        inside = [t for at, t in taken if began <= at < began + WINDOW]
        assert len(inside) <= requests
        assert sum(inside) <= tokens


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 60)), min_size=1, max_size=30))
def test_after_the_wait_it_may_go(asked: list[tuple[float, int]]) -> None:
    rates, now = Rates(3, 100), 0.0
    for pause, wanted in asked:
        now += pause
        wait = rates.wait(now, wanted)
        if wait is not None:
            now += wait + 1e-6
            assert rates.wait(now, wanted) is None
        rates.take(now, wanted)
