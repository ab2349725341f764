"""A wall clock that jumps by hours, as after a suspend or a correction: nothing that is timed moves, what the policy asks does."""

import ast
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

import policyd
from tests.proxy.bench import CHAT, OK, POLICY, Recorder, closing, hanging, post, records, three
from tests.proxy.test_failover import SSE, chunk
from tests.upstream.scripted import Peer, run, until

NOON: Final = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
JUMPS: Final = (timedelta(hours=9), timedelta(hours=-9), timedelta(days=400), timedelta(days=-400))
ASK = post("/v1/chat/completions", CHAT)

BY_CLOCK = POLICY.replace(
    "route rest ", "route night  to home                when hour >= 20 or date >= 2027-06-01\nroute rest "
)


class Wall:
    """The wall clock, set by hand."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> float:
        return self.now.timestamp()


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_an_answer_under_way_outlives_the_jump(tmp_path: Path, jump: timedelta) -> None:
    """A clock that was set forward ended every request at once: its deadline had passed."""
    wall = Wall()

    async def test() -> None:
        go_on = asyncio.Event()
        begun = asyncio.Event()

        async def streaming(peer: Peer, _: bytes) -> None:
            await peer.send(SSE + chunk(b"data: {}\n\n"))
            begun.set()
            await go_on.wait()
            await peer.send(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")

        async with three(tmp_path, clock=wall) as running:
            running.recorders["cloud"].answer = streaming
            asking = asyncio.create_task(running.ask(ASK))
            await begun.wait()
            wall.now += jump
            other = await running.ask(post("/v1/chat/completions", CHAT, x_data_class="confidential"))
            assert other.status == 200
            go_on.set()
            answer = await asking
            assert (answer.status, answer.clean) == (200, True)

    run(test())
    for record in records(tmp_path / "decisions.jsonl"):
        assert record["outcome"] == "answered"
        assert [0 <= a["ms"] < 60_000 for a in record["attempts"]] == [True]


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_timeout_comes_when_it_is_due_and_not_later(tmp_path: Path, jump: timedelta) -> None:
    """A clock that was set back kept requests waiting for hours: their deadline lay in the future."""
    wall = Wall()

    async def test() -> None:
        quick = dict.fromkeys(("home", "cloud", "spare"), 'first_byte_timeout = "300ms"')
        async with three(tmp_path, clock=wall, targets=quick) as running:
            for recorder in running.recorders.values():
                recorder.answer = hanging
            asking = asyncio.create_task(running.ask(ASK))
            await until(lambda: running.sent_anywhere() == 1)
            wall.now += jump
            answer = await asking
            assert (answer.status, answer.code) == (504, "upstream_timeout")

    run(test())


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_breaker_and_a_rate_know_no_wall_clock(tmp_path: Path, jump: timedelta) -> None:
    """A clock that was set forward gave everyone a new minute, and every broken server its traffic back."""
    wall = Wall()

    async def test() -> None:
        targets = {
            "cloud": 'breaker = { faults = 1, open = "1h" }',
            "spare": "load = { requests_per_minute = 2 }",
        }
        async with three(tmp_path, clock=wall, targets=targets) as running:
            running.recorders["cloud"].answer = closing
            targets_of = [(await running.ask(ASK)).headers[b"x-policyd-target"] for _ in range(2)]
            assert targets_of == [b"spare", b"spare"]
            tried = len(running.recorders["cloud"].requests)
            wall.now += jump
            assert (await running.ask(ASK)).headers[b"x-policyd-target"] == b"home"
            assert len(running.recorders["cloud"].requests) == tried

    run(test())


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_breaker_opens_again_in_its_own_time(tmp_path: Path, jump: timedelta) -> None:
    wall = Wall()

    async def test() -> None:
        async with three(
            tmp_path, clock=wall, targets={"cloud": 'breaker = { faults = 1, open = "50ms" }'}
        ) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = closing
            assert (await running.ask(ASK)).headers[b"x-policyd-target"] == b"spare"
            wall.now += jump

            async def ok(peer: Peer, _: bytes) -> None:
                await peer.send(OK)

            cloud.answer = ok
            async with asyncio.timeout(10):
                while (await running.ask(ASK)).headers[b"x-policyd-target"] != b"cloud":
                    pass

    run(test())


@pytest.mark.parametrize("jump", JUMPS, ids=str)
def test_a_health_check_keeps_its_pace(tmp_path: Path, jump: timedelta) -> None:
    wall = Wall()

    async def test() -> None:
        health = '[targets.cloud.health]\npath = "/health"\ninterval = "20ms"\nunhealthy_after = 1\nhealthy_after = 1'
        async with three(tmp_path, clock=wall, probing=True, targets={"cloud": health}) as running:
            cloud = running.recorders["cloud"]
            await until(lambda: len(cloud.requests) > 2)
            wall.now += jump
            before = len(cloud.requests)
            cloud.answer = closing
            await until(lambda: running.serving.out.is_out("cloud") is not None)
            (out,) = (await running.admin("/readyz")).json["targets"]["out"]
            assert 0 <= out["reasons"][0]["seconds"] < 60
            assert len(cloud.requests) > before

    run(test())


def test_what_the_policy_asks_of_the_clock_follows_it_both_ways(tmp_path: Path) -> None:
    wall = Wall()

    async def test() -> None:
        async with three(tmp_path, clock=wall, policy=BY_CLOCK) as running:
            for moment, target in (
                (NOON, b"cloud"),
                (NOON + timedelta(hours=9), b"home"),
                (NOON, b"cloud"),
                (NOON - timedelta(hours=9), b"cloud"),
                (NOON + timedelta(days=400), b"home"),
                (NOON - timedelta(days=400), b"cloud"),
            ):
                wall.now = moment
                assert (await running.ask(ASK)).headers[b"x-policyd-target"] == target

    run(test())
    days = [r["features"]["date"] for r in records(tmp_path / "decisions.jsonl")]
    assert days == ["2026-11-20", "2026-11-20", "2026-11-20", "2026-11-20", "2027-12-25", "2025-10-16"]


WALL_CLOCK: Final = {
    "app.py": "the time of a request: its record, and what the policy asks",
    "serve.py": "the default of the same, and the day for which a policy is read",
    "reload.py": "the time of a load, and the day for which a policy is read",
    "telemetry/push.py": "times that a collector reads",
    "telemetry/spans.py": "times that a collector reads",
    "telemetry/vitals.py": "when the process began",
    "jwt.py": "when a caller's token ends",
}
"""Modules of the proxy that may look at the wall clock, and what for. Everything that is timed is timed monotonically."""


def test_only_what_dates_something_looks_at_the_wall_clock() -> None:
    root = Path(policyd.__file__).parent / "proxy"
    looking = set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id="time"), attr="time" | "time_ns"):
                    looking.add(path.relative_to(root).as_posix())
                case ast.Attribute(attr="now" | "today" | "utcnow", value=ast.Name(id="datetime" | "date")):
                    looking.add(path.relative_to(root).as_posix())
                case ast.ImportFrom(module="time", names=names) if {n.name for n in names} & {
                    "time",
                    "time_ns",
                }:
                    looking.add(path.relative_to(root).as_posix())
    assert looking <= set(WALL_CLOCK), sorted(looking - set(WALL_CLOCK))


def test_the_recorder_that_is_not_asked_is_a_judge(tmp_path: Path) -> None:
    """The jumps above never send anything to a target that the policy forbids."""
    wall = Wall()

    async def test() -> None:
        async with Recorder() as home, three(tmp_path, clock=wall, urls={"home": home.url}) as running:
            for jump in JUMPS:
                wall.now += jump
                await running.ask(post("/v1/chat/completions", CHAT, x_data_class="confidential"))
            assert len(home.requests) == len(JUMPS)
            assert running.recorders["cloud"].connections == running.recorders["spare"].connections == 0

    run(test())
