"""The places at a target: bounds on requests and bytes, a line in which nobody overtakes, and nothing lost on the way."""

import asyncio
from collections.abc import Awaitable

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.proxy.seats import Seats
from tests.upstream.scripted import run, until

LONG = 30.0


async def _all_done(tasks: list[asyncio.Task[bool]]) -> list[bool]:
    return list(await asyncio.gather(*tasks))


def test_places_are_bounded_by_requests_and_bytes() -> None:
    seats = Seats(3, 100, 0)
    assert seats.take(60)
    assert not seats.take(41)
    assert seats.take(40)
    assert not seats.take(1)
    assert seats.take(0)
    assert not seats.take(0), "three requests"
    assert (seats.taken, seats.held, seats.full) == (3, 100, True)


def test_a_body_that_is_larger_than_the_bound_goes_alone() -> None:
    seats = Seats(3, 100, 0)
    assert seats.take(500)
    assert not seats.take(1)
    seats.give(500)
    assert seats.take(1)
    assert not seats.take(500)


def test_nobody_waits_where_nobody_may() -> None:
    async def test() -> None:
        seats = Seats(1, None, 0)
        assert await seats.wait(1, LONG)
        assert not await seats.wait(1, LONG)

    run(test())


def test_a_wait_is_bounded() -> None:
    async def test() -> None:
        seats = Seats(1, None, 5)
        assert seats.take(1)
        assert not await seats.wait(1, 0.01)
        assert (seats.taken, seats.waiting) == (1, 0)

    run(test())


def test_whoever_waits_longest_is_next_and_nobody_overtakes() -> None:
    async def test() -> None:
        seats, order = Seats(1, 100, 5), []

        async def one(name: str, size: int) -> None:
            assert await seats.wait(size, LONG)
            order.append(name)
            seats.give(size)

        assert seats.take(50)
        tasks = []
        for n, (name, size) in enumerate((("large", 100), ("small", 1), ("last", 1))):
            tasks.append(asyncio.create_task(one(name, size)))
            await until(lambda n=n: seats.waiting == n + 1)  # type: ignore[misc]
        assert not seats.take(1), "it would overtake"
        seats.give(50)
        await asyncio.gather(*tasks)
        assert order == ["large", "small", "last"]
        assert (seats.taken, seats.held) == (0, 0)

    run(test())


def test_one_that_leaves_the_line_lets_the_next_through() -> None:
    async def test() -> None:
        seats = Seats(2, 100, 5)
        assert seats.take(60)
        large = asyncio.create_task(seats.wait(90, LONG))
        await until(lambda: seats.waiting == 1)
        small = asyncio.create_task(seats.wait(10, LONG))
        await until(lambda: seats.waiting == 2)
        large.cancel()
        assert await small
        assert (seats.taken, seats.held, seats.waiting) == (2, 70, 0)

    run(test())


def test_a_place_that_comes_together_with_a_cancellation_is_given_back() -> None:
    async def test() -> None:
        seats = Seats(1, None, 5)
        assert seats.take(1)
        waiting = asyncio.create_task(seats.wait(1, LONG))
        await until(lambda: seats.waiting == 1)
        seats.give(1)
        waiting.cancel()
        await until(waiting.done)
        assert waiting.cancelled()
        assert (seats.taken, seats.held) == (0, 0)

    run(test())


def test_whoever_waits_is_let_through_when_the_target_is_bound_anew() -> None:
    async def test() -> None:
        seats = Seats(1, 10, 5)
        assert seats.take(1)
        tasks = [asyncio.create_task(seats.wait(100, LONG)) for _ in range(3)]
        await until(lambda: seats.waiting == 3)
        seats.retire()
        assert await _all_done(tasks) == [True, True, True]

    run(test())


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["ask", "end", "leave"]), st.integers(0, 120)), max_size=40))
def test_the_bounds_hold_and_nothing_is_lost_whatever_happens(acts: list[tuple[str, int]]) -> None:
    async def test() -> None:
        seats, under_way = Seats(3, 100, 4), []
        waiting: list[tuple[asyncio.Task[bool], int]] = []

        def settle() -> None:
            for task, size in [w for w in waiting if w[0].done()]:
                waiting.remove((task, size))
                if not task.cancelled() and task.result():
                    under_way.append(size)

        async def turn() -> None:
            for _ in range(4):
                await asyncio.sleep(0)
            settle()
            assert seats.taken == len(under_way) <= 3
            assert seats.held == sum(under_way)
            assert seats.held <= 100 or seats.taken == 1

        for what, number in acts:
            match what:
                case "ask":
                    waiting.append((asyncio.create_task(seats.wait(number, LONG)), number))
                case "end" if under_way:
                    seats.give(under_way.pop(number % len(under_way)))
                case "leave" if waiting:
                    waiting[number % len(waiting)][0].cancel()
            await turn()
        while under_way:
            seats.give(under_way.pop())
            await turn()
        assert not waiting
        assert (seats.taken, seats.held, seats.waiting) == (0, 0, 0)

    _now(test())


def _now(test: Awaitable[None]) -> None:
    async def main() -> None:
        await test

    asyncio.run(main())
