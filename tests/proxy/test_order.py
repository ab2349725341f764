"""The order of candidates: always the plan's, each once, and free only inside a group."""

from collections import Counter
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.decision import Candidates, Plan
from policyd.proxy.order import EXPLORED, Seen, Standing, in_order_to_try, is_fixed, smoothed

ANY = Plan("r", (Candidates("any", ("a", "b")), Candidates("order", ("z",))))
FASTEST = Plan("r", (Candidates("fastest", ("a", "b", "c")),))
EIGHT = tuple(f"t{n}" for n in range(8))


def drawn(*numbers: float) -> Callable[[], float]:
    """These, then the middle for ever."""
    numbers_: Iterator[float] = chain(numbers, repeat(0.5))
    return numbers_.__next__


def first(plan: Plan, standing: Standing, draw: Callable[[], float]) -> str:
    return in_order_to_try(plan, standing, draw)[0]


def test_a_written_order_stays() -> None:
    plan = Plan("r", (Candidates("order", ("c", "a", "b")),))
    assert is_fixed(plan) and not is_fixed(ANY)
    assert in_order_to_try(plan, Standing({"c": Seen(ready=False)}), drawn()) == ("c", "a", "b")


def test_any_shares_ties_and_avoids_the_busy() -> None:
    assert [first(ANY, Standing(), drawn(n)) for n in (0.0, 0.9)] == ["a", "b"]
    assert {first(ANY, Standing({"b": Seen(3)}), drawn(n)) for n in (0.0, 0.9)} == {"a"}


def test_any_weighs_load_with_speed() -> None:
    seen = {"a": Seen(1, 0.1), "b": Seen(0, 1.0)}
    assert {first(ANY, Standing(seen), drawn(n)) for n in (0.0, 0.9)} == {"a"}
    unknown = {"a": Seen(1, 0.1), "b": Seen(0)}
    assert {first(ANY, Standing(unknown), drawn(n)) for n in (0.0, 0.9)} == {"b"}


def test_any_of_many_is_the_better_of_two_and_not_always_the_best() -> None:
    plan, random = Plan("r", (Candidates("any", EIGHT),)), Random(1)
    seen = {t: Seen(n) for n, t in enumerate(EIGHT)}
    picked = Counter(first(plan, Standing(seen), random.random) for _ in range(2000))
    assert 1000 * 2 / 8 < picked["t0"] < 2000 * 3 / 8, "a herd would all go to the first"
    assert picked["t7"] == 0, "the busiest of all loses to every other"


def test_cheapest_goes_by_what_the_request_costs_and_then_by_load() -> None:
    plan = Plan("r", (Candidates("cheapest", ("a", "b", "c")),))
    standing = Standing({"b": Seen(5)}, {"a": 3.0, "b": 1.0, "c": 2.0})
    assert in_order_to_try(plan, standing, drawn()) == ("b", "c", "a")
    equal = Standing({"a": Seen(5), "b": Seen(0), "c": Seen(9)}, {"a": 1.0, "b": 1.0, "c": 2.0})
    assert {first(plan, equal, drawn(n)) for n in (0.0, 0.4, 0.9)} == {"b"}


def test_fastest_goes_by_what_was_observed_and_tries_what_was_not() -> None:
    seen = {"a": Seen(0, 0.2), "b": Seen(0, 0.1)}
    assert in_order_to_try(FASTEST, Standing(seen), drawn(0.9)) == ("c", "b", "a")


def test_fastest_looks_at_the_others_now_and_then() -> None:
    seen = {"a": Seen(0, 0.2), "b": Seen(0, 0.1), "c": Seen(0, 0.3)}
    random = Random(2)
    picked = Counter(first(FASTEST, Standing(seen), random.random) for _ in range(5000))
    assert 0 < picked["a"] < 5000 * EXPLORED and 0 < picked["c"] < 5000 * EXPLORED
    assert picked["b"] > 5000 * (1 - 2 * EXPLORED)


@pytest.mark.parametrize("pick", ["any", "cheapest", "fastest"])
def test_those_that_would_be_passed_over_come_last_and_are_not_left_out(pick: str) -> None:
    plan = Plan("r", (Candidates(pick, ("a", "b", "c")),))  # type: ignore[arg-type]
    standing = Standing({"a": Seen(0, 0.01, ready=False), "b": Seen(9, 9.0), "c": Seen(9, 9.0)})
    assert in_order_to_try(plan, standing, drawn(0.9))[-1] == "a"
    none = Standing({t: Seen(ready=False) for t in "abc"})
    assert sorted(in_order_to_try(plan, none, drawn(0.9))) == ["a", "b", "c"]


@pytest.mark.parametrize("pick", ["any", "fastest"])
def test_a_conversation_stays_where_it_was(pick: str) -> None:
    plan, random = Plan("r", (Candidates(pick, EIGHT),)), Random(3)  # type: ignore[arg-type]
    places = set()
    for name in map(str, range(60)):
        standing = Standing({t: Seen(1, 0.1) for t in EIGHT}, conversation=name)
        place = {first(plan, standing, random.random) for _ in range(5)}
        assert len(place) == 1
        places |= place
    assert places == set(EIGHT), "and not all of them in one place"


def test_a_conversation_moves_only_where_its_place_is_gone() -> None:
    plan = Plan("r", (Candidates("any", EIGHT),))
    for name in map(str, range(40)):
        place = first(plan, Standing(conversation=name), drawn())
        for gone in EIGHT:
            standing = Standing({gone: Seen(ready=False)}, conversation=name)
            assert (first(plan, standing, drawn()) == place) is (gone != place)


def test_a_conversation_leaves_a_place_that_has_clearly_more_to_do() -> None:
    plan = Plan("r", (Candidates("any", ("a", "b", "c", "d")),))
    place = first(plan, Standing(conversation="x"), drawn())
    others = [t for t in "abcd" if t != place]
    busy = Standing({place: Seen(9), **{t: Seen(2) for t in others}}, conversation="x")
    assert first(plan, busy, drawn()) != place
    usual = Standing({place: Seen(3), **{t: Seen(3) for t in others}}, conversation="x")
    assert first(plan, usual, drawn()) == place


def test_a_conversation_leaves_a_place_that_is_much_slower_where_speed_is_asked_for() -> None:
    place = first(FASTEST, Standing({t: Seen(0, 1.0) for t in "abc"}, conversation="x"), drawn())
    others = [t for t in "abc" if t != place]
    slower = Standing({place: Seen(0, 2.5), **{t: Seen(0, 1.0) for t in others}}, conversation="x")
    assert first(FASTEST, slower, drawn()) != place
    little = Standing({place: Seen(0, 1.5), **{t: Seen(0, 1.0) for t in others}}, conversation="x")
    assert first(FASTEST, little, drawn()) == place


def test_a_group_stays_in_its_place_and_a_target_is_tried_once() -> None:
    plan = Plan("r", (Candidates("order", ("x", "a")), Candidates("any", ("a", "b"))))
    assert in_order_to_try(plan, Standing({"a": Seen(0), "b": Seen(9)}), drawn()) == ("x", "a", "b")


GROUPS = st.lists(
    st.builds(
        Candidates,
        st.sampled_from(["order", "any", "cheapest", "fastest"]),
        st.lists(st.sampled_from(EIGHT), min_size=1, max_size=5, unique=True).map(tuple),
    ),
    min_size=1,
    max_size=4,
)
STANDING = st.builds(
    Standing,
    st.dictionaries(
        st.sampled_from(EIGHT),
        st.builds(Seen, st.integers(0, 9), st.none() | st.floats(0, 9), st.booleans()),
    ),
    st.dictionaries(st.sampled_from(EIGHT), st.floats(0, 9)),
    st.none() | st.text(max_size=3),
)


@given(GROUPS, STANDING, st.randoms(use_true_random=False))
def test_an_order_adds_none_leaves_none_out_and_moves_none_past_its_group(
    groups: list[Candidates], standing: Standing, random: Random
) -> None:
    plan = Plan("r", tuple(groups))
    order = in_order_to_try(plan, standing, random.random)
    assert sorted(order) == sorted(set(plan.targets))
    left = list(order)
    for group in groups:
        new = [t for t in group.targets if t in left]
        assert set(left[: len(new)]) == set(new)
        left = left[len(new) :]


def test_what_is_observed_is_smoothed() -> None:
    assert smoothed(None, 4.0) == 4.0
    assert smoothed(1.0, 2.0) == pytest.approx(1.3)
