"""Requests that a web page made for a name of its own."""

from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, post, records, three
from tests.proxy.test_forwarding import keyed
from tests.upstream.scripted import run


@pytest.mark.parametrize(
    ("host", "served"),
    [
        ("localhost", True), ("LOCALHOST:8484", True), ("127.0.0.1:9", True), ("127.0.0.2", True), ("[::1]:8484", True),
        ("gateway.internal:8484", True),
        ("evil.example", False), ("evil.example:8484", False), ("localhost.evil.example", False), ("127.0.0.1.evil.example", False),
        ("10.0.0.1", False), ("[::2]", False), ("localhost:1:2", False),
    ],
)  # fmt: skip
def test_a_loopback_sidecar_serves_what_was_made_for_it(tmp_path: Path, host: str, served: bool) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='hosts = ["Gateway.internal"]') as running:
            answer = await running.ask(post("/v1/chat/completions", CHAT, host=host))
            if served:
                assert answer.status == 200
            else:
                assert (answer.status, answer.code) == (421, "caller_bad_host")
                assert running.sent_anywhere() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert "evil" not in record.get("said", "")


def test_where_callers_show_a_key_the_host_does_not_matter(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search")) as running:
            answer = await running.ask(post("/v1/chat/completions", CHAT, host="any.example", x_api_key="k"))
            assert answer.status == 200

    run(test())
