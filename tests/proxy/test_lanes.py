"""Threads for weighing: a large body stands in nobody's way, and nobody's work goes on."""

import asyncio
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from policyd.proxy.lanes import CALLER, LARGE_BODY, Lanes, Stopped, WorkStopped, _Lane, until_stopped
from tests.conversations.given import KEYS
from tests.proxy.bench import CHAT, SECRET, post, three

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


@pytest.mark.parametrize("size", [100, LARGE])
def test_callers_take_turns_however_much_one_of_them_sends(size: int) -> None:
    async def test() -> None:
        lanes, begun, free = Lanes(small=1), Event(), Event()
        order: list[str] = []

        def first(_: Stopped) -> None:
            begun.set()
            free.wait()

        async def ask(caller: str) -> None:
            CALLER.set({"user": caller})
            await lanes.run(lambda _: order.append(caller), size, 60)

        blocking = asyncio.create_task(lanes.run(first, size, 60))
        await asyncio.to_thread(begun.wait)
        asked = [
            asyncio.create_task(ask(caller)) for caller in ("ana", "ana", "ana", "ana", "ben", "cem", "ben")
        ]
        await asyncio.sleep(0)
        free.set()
        await asyncio.gather(blocking, *asked)
        assert order == ["ana", "ben", "cem", "ana", "ben", "ana", "ana"]

    asyncio.run(test())


def test_work_that_nobody_waits_for_any_longer_is_not_begun() -> None:
    async def test() -> None:
        lanes, begun, free = Lanes(small=1), Event(), Event()

        def first(_: Stopped) -> None:
            begun.set()
            free.wait()

        blocking = asyncio.create_task(lanes.run(first, LARGE, 60))
        await asyncio.to_thread(begun.wait)
        never: list[int] = []
        with pytest.raises(TimeoutError):
            await lanes.run(lambda _: never.append(1), LARGE, 0.01)
        free.set()
        await blocking
        assert await lanes.run(lambda _: 2, LARGE, 60) == 2 and not never

    asyncio.run(test())


def test_each_request_is_weighed_for_its_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whose: list[object] = []
    submit = _Lane.submit

    def noted(lane: _Lane, caller: Any, *rest: Any) -> Any:
        whose.append(dict(caller))
        return submit(lane, caller, *rest)

    monkeypatch.setattr(_Lane, "submit", noted)
    keys = [sha256(key.encode()).hexdigest() for key in ("key-of-ana", "key-of-ben")]

    async def test() -> None:
        async with three(tmp_path, identity=KEYS % tuple(keys)) as running:
            for key in ("key-of-ana", "key-of-ben"):
                text = {**CHAT, "messages": [{"role": "user", "content": SECRET + " a text" * 2000}]}
                request = post("/v1/chat/completions", text, authorization=f"Bearer {key}")
                assert (await running.ask(request)).status == 200

    asyncio.run(test())
    users = [caller["user"] for caller in whose if isinstance(caller, dict)]
    assert set(users) == {"ana", "ben"} and users == sorted(users)
