"""A breaker that opens is seen by who looks after a sidecar: on standard error, in `/targets` and in `/readyz`."""

import re
from pathlib import Path

import pytest

from policyd.proxy.breaker import BreakerState
from tests.proxy.bench import OK, saying, status, three
from tests.proxy.test_reliability import ASK, BRITTLE, FOR_LONG, view
from tests.upstream.scripted import run

LIMITED = "\nload = { max_in_flight = 7, requests_per_minute = 5 }"


def told(capfd: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capfd.readouterr().err.splitlines() if "breaker" in line]


def test_an_open_breaker_is_shown(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Elsewhere a target got nothing for hours, every page that people looked at said that it was well."""

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": FOR_LONG + LIMITED}) as running:
            before = {t["target"]: t for t in (await running.admin("/targets")).json}
            assert before["cloud"]["breaker"] == {"state": "closed", "seconds_left": None}
            running.recorders["cloud"].answer = status(500)
            for _ in range(4):
                answer = await running.ask(ASK)
                assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            shown = {t["target"]: t for t in (await running.admin("/targets")).json}
            cloud = shown["cloud"]
            assert cloud["breaker"]["state"] == "open" and 3000 < cloud["breaker"]["seconds_left"] <= 3600
            assert cloud["load"] == {
                "in_flight": 0, "most_in_flight": 7, "in_flight_bytes": 0, "waiting": 0, "requests_left": 3, "tokens_left": None,
            }  # fmt: skip
            assert cloud["in_service"], "that is what was found out about it, and not how it does"
            assert shown["spare"]["breaker"]["state"] == "closed"
            assert shown["spare"]["load"]["requests_left"] is None
            ready = await running.admin("/readyz")
            assert (ready.status, ready.json["targets"]["breaker_open"]) == (200, ["cloud"])

    run(test())
    (line,) = told(capfd)
    assert re.fullmatch(
        r"policyd: target `cloud` failed .* left alone for 3600 seconds, .*breaker is open.*", line
    )


def test_it_is_said_once_that_it_opened_and_once_that_it_closed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": BRITTLE}) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = status(503)
            while len(cloud.requests) < 5:  # The last ones are trials, and those that fail are no news.
                await running.ask(ASK)
            cloud.answer = saying(OK)
            while view(running, "cloud").breaker is not BreakerState.CLOSED:
                await running.ask(ASK)
            await running.ask(ASK)

    run(test())
    opened, closed = told(capfd)
    assert "`cloud` failed several times" in opened
    assert "`cloud` answers again" in closed
