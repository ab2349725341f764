"""Redirects: whatever the code and wherever it leads, nobody follows it, and nobody is told where it led."""

from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, MESSAGES, POLICY, Recorder, post, records, sidecar, status
from tests.upstream.scripted import run

CLOUD = POLICY.replace("route rest     to cloud, spare, home", "route rest     to cloud")
PLACES = [
    b"location",
    b"Location",
    b"content-location",
    b"refresh",
    b"link",
    b"alt-svc",
    b"operation-location",
    b"azure-asyncoperation",
]
ASKED = {"chat": ("/v1/chat/completions", CHAT), "messages": ("/v1/messages", MESSAGES)}


@pytest.mark.parametrize("code", range(300, 400))
def test_no_redirect_is_followed(tmp_path: Path, code: int) -> None:
    """300, 304 and codes that nobody has assigned as well: what a client does with them is not known."""
    path, body = ASKED["messages" if code % 2 else "chat"]

    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare, Recorder() as elsewhere:
            named = b"".join(b"%b: %b/v1\r\n" % (place, elsewhere.url.encode()) for place in PLACES[:4])
            cloud.answer = status(code, extra=named)
            async with sidecar(
                tmp_path, {"home": home, "cloud": cloud, "spare": spare}, policy=CLOUD
            ) as running:
                answer = await running.ask(post(path, body))
                assert not 300 <= answer.status < 400
                assert (answer.status, answer.code) == (502, "upstream_redirect")
                assert elsewhere.url.encode() not in answer.raw
                assert elsewhere.connections == home.connections == spare.connections == 0
                assert len(cloud.requests) == 1

    run(test())
    assert records(tmp_path / "decisions.jsonl")[0]["outcome"] == "upstream_redirect"


@pytest.mark.parametrize("code", [200, 201, 400, 404, 500, 503])
@pytest.mark.parametrize("place", PLACES, ids=lambda p: p.decode())
def test_no_answer_says_where_to_go(tmp_path: Path, code: int, place: bytes) -> None:
    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare, Recorder() as elsewhere:
            cloud.answer = status(code, extra=b"%b: %b/v1\r\n" % (place, elsewhere.url.encode()))
            async with sidecar(
                tmp_path, {"home": home, "cloud": cloud, "spare": spare}, policy=CLOUD
            ) as running:
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                assert elsewhere.url.encode() not in answer.raw
                assert elsewhere.connections == 0

    run(test())
