"""Targets that send requests on: nothing reaches them that could say to where."""

from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, POLICY, post, records, three
from tests.upstream.scripted import run

ONWARD = "target cloud  { onward yes  location cloud"
FIRST = (
    POLICY.replace("target cloud  { location cloud", ONWARD)
    .replace("target home   { location", "target home   { onward no  location")
    .replace("target spare  { location", "target spare  { onward no  location")
)
ONLY = FIRST.replace("route rest     to cloud, spare, home", "route rest     to cloud")
PINNED = {"cloud": 'model = "pinned"'}
STRANGE = CHAT | {"strange_key": 1}


def test_an_unknown_key_bars_a_target_that_sends_on(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=FIRST, targets=PINNED) as running:
            answer = await running.ask(post("/v1/chat/completions", STRANGE))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert running.recorders["cloud"].connections == 0

    run(test())


def test_where_every_target_sends_on_the_key_is_named(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, policy=ONLY, targets=PINNED) as running:
            answer = await running.ask(post("/v1/chat/completions", STRANGE))
            assert (answer.status, answer.code) == (400, "caller_unknown_key")
            assert "strange_key" in answer.json["error"]["message"]
            assert running.sent_anywhere() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert "strange_key" not in record["said"]


@pytest.mark.parametrize("target", ["cloud", "spare"])
def test_known_headers_only_reach_a_target_that_sends_on(tmp_path: Path, target: str) -> None:
    policy = FIRST.replace("to cloud, spare, home", f"to {target}")

    async def test() -> None:
        async with three(tmp_path, policy=policy, targets=PINNED) as running:
            request = post("/v1/chat/completions?beta=true&via=x", CHAT, x_custom="1", x_stainless_os="Linux")
            assert (await running.ask(request)).status == 200
            ((first, *head),) = running.recorders[target].heads
            assert (b"x-custom: 1" in head) is (target == "spare")
            assert (b"via=x" in first) is (target == "spare")
            assert b"x-stainless-os: Linux" in head
            assert b"content-type: application/json" in head

    run(test())
