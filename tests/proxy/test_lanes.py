"""Threads for weighing: a large body stands in nobody's way, and nobody's work goes on."""

import asyncio
from threading import Event

import pytest

from policyd.proxy.lanes import LARGE_BODY, Lanes, Stopped, WorkStopped, until_stopped

LARGE = LARGE_BODY + 1


def test_a_small_body_does_not_wait_for_a_large_one() -> None:
    async def test() -> None:
        lanes, free = Lanes(small=1), Event()
        large = asyncio.create_task(lanes.run(lambda _: free.wait(), LARGE, 60))
        await asyncio.sleep(0)
        assert await lanes.run(lambda _: "weighed", 100, 60) == "weighed"
        assert not large.done()
        free.set()
        assert await large

    asyncio.run(test())


def until_told(stopped: Stopped) -> None:
    while not stopped():
        pass


def test_work_whose_time_is_over_gives_its_thread_back() -> None:
    async def test() -> None:
        lanes = Lanes(small=1)
        with pytest.raises(TimeoutError):
            await lanes.run(until_told, LARGE, 0.05)
        # There is one thread for large bodies, and it is free again.
        assert await lanes.run(lambda _: 1, LARGE, 60) == 1

    asyncio.run(test())


def test_work_of_a_client_that_left_gives_its_thread_back() -> None:
    async def test() -> None:
        lanes, begun = Lanes(small=1), Event()

        def work(stopped: Stopped) -> None:
            begun.set()
            until_told(stopped)

        task = asyncio.create_task(lanes.run(work, LARGE, 60))
        await asyncio.to_thread(begun.wait)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await lanes.run(lambda _: 1, LARGE, 60) == 1

    asyncio.run(test())


def test_steps_end_when_the_work_is_stopped() -> None:
    seen: list[int] = []
    with pytest.raises(WorkStopped):
        for step in until_stopped(range(10), lambda: len(seen) == 3):
            seen.append(step)
    assert seen == [0, 1, 2]
