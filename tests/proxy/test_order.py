"""The order of candidates: always the plan's, each once, and free only inside a group."""

from collections.abc import Iterator

import pytest

from policyd.policy.decision import Candidates, Plan
from policyd.proxy.order import Observed, Standing, in_order_to_try, smoothed

CALM = Standing({}, {}, {})


def drawn(*numbers: float) -> Iterator[float]:
    return iter(numbers)


def test_a_written_order_stays() -> None:
    plan = Plan("r", (Candidates("order", ("c", "a", "b")),))
    assert in_order_to_try(plan, CALM, lambda: 0.5) == ("c", "a", "b")


@pytest.mark.parametrize(
    ("standing", "draws", "order"),
    [
        (CALM, (0.9, 0.1), ("b", "a", "z")),
        (Standing({"b": 3}, {}, {}), (0.9, 0.1), ("a", "b", "z")),
    ],
)
def test_any_picks_the_least_busy_and_shares_ties(
    standing: Standing, draws: tuple[float, ...], order: tuple[str, ...]
) -> None:
    plan = Plan("r", (Candidates("any", ("a", "b")), Candidates("order", ("z",))))
    assert in_order_to_try(plan, standing, drawn(*draws).__next__) == order


def test_cheapest_goes_by_price() -> None:
    plan = Plan("r", (Candidates("cheapest", ("a", "b", "c")),))
    assert in_order_to_try(plan, Standing({}, {}, {"a": 3, "b": 1, "c": 2}), lambda: 0.0) == ("b", "c", "a")


def test_fastest_goes_by_what_was_observed_and_tries_what_was_not() -> None:
    plan = Plan("r", (Candidates("fastest", ("a", "b", "c")),))
    assert in_order_to_try(plan, Standing({}, {"a": 0.2, "b": 0.1}, {}), lambda: 0.0) == ("c", "b", "a")


def test_a_group_stays_in_its_place_and_a_target_is_tried_once() -> None:
    plan = Plan("r", (Candidates("order", ("x", "a")), Candidates("any", ("a", "b"))))
    assert in_order_to_try(plan, Standing({"a": 0, "b": 9}, {}, {}), lambda: 0.0) == ("x", "a", "b")


def test_what_is_observed_counts_and_smooths() -> None:
    seen = Observed()
    seen.began("a")
    seen.began("a")
    seen.ended("a")
    seen.first_byte("a", 1.0)
    seen.first_byte("a", 2.0)
    now = seen.standing({})
    assert now.in_flight["a"] == 1
    assert now.first_byte["a"] == pytest.approx(1.3)
    assert smoothed(None, 4.0) == 4.0
