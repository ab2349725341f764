"""Nothing of a prompt, a header, a credential or an answer is in any metric, span or complaint, wherever it was planted."""

import json
from pathlib import Path

import pytest

from policyd.proxy import app
from tests.proxy.bench import CHAT, MESSAGES, closing, get, post, saying, three
from tests.proxy.test_usage import events
from tests.proxy.test_usage_chunk import chunked
from tests.telemetry.collector import collecting
from tests.telemetry.test_push import telemetry
from tests.upstream.scripted import run

PLANTED = "xyzzy"
"""In everything below, with its place behind it; a search for it finds all of them."""

ANSWER = events(
    {"id": "xyzzy-id", "model": "xyzzy-model", "choices": [{"delta": {"content": "xyzzy-said", "role": "xyzzy-role"}}]},
    {"model": "gpt-5-xyzzy", "choices": [{"delta": {}, "finish_reason": "xyzzyreason"}]},
    {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2, "xyzzy-key": 1}, "system_fingerprint": "xyzzy"},
    "[DONE]",
)  # fmt: skip
WHOLE = json.dumps({"model": "xyzzy-model", "xyzzy": 1, "choices": [{"message": {"content": "xyzzy"}, "finish_reason": "xyzzy"}], "usage": {"prompt_tokens": 1}}).encode()  # fmt: skip
OK = b"HTTP/1.1 200 OK\r\nx-xyzzy: xyzzy\r\ncontent-type: application/json; x=xyzzy\r\ncontent-length: %d\r\n\r\n%b" % (len(WHOLE), WHOLE)  # fmt: skip
REFUSED = b'HTTP/1.1 400 xyzzy\r\ncontent-type: application/json\r\ncontent-length: 24\r\n\r\n{"error":"xyzzy-refused"'
BROKEN = b"HTTP/1.1 200 OK\r\nxyzzy"
HEADERS = {
    "authorization": "Bearer xyzzy-key",
    "x-api-key": "xyzzy-key",
    "user-agent": "xyzzy/1",
    "x-xyzzy": "xyzzy",
    "cookie": "xyzzy=xyzzy",
    "tracestate": "xyzzy=1",
    "baggage": "xyzzy=1",
    "traceparent": "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01",
}
PROMPT = {
    **CHAT,
    "model": "xyzzy-asked",
    "user": "xyzzy-user",
    "messages": [{"role": "user", "content": "xyzzy-prompt"}],
}


@pytest.mark.parametrize("ratio", ["1", "0"], ids=["sampled", "by the caller's word"])
def test_no_secret_is_exported_wherever_it_was_planted(
    tmp_path: Path, ratio: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("xyzzy-credential")
    credential = 'credential = { file = "secret" }'
    pages: list[bytes] = []

    async def test() -> None:
        with collecting() as collector:
            targets = dict.fromkeys(("home", "cloud", "spare"), credential)
            async with three(
                tmp_path, extra=telemetry(collector.url, sample_ratio=ratio), targets=targets
            ) as running:
                cloud, spare = running.recorders["cloud"], running.recorders["spare"]
                for answer in (chunked(ANSWER), OK, REFUSED, BROKEN):
                    cloud.answer = saying(answer)
                    for body in (PROMPT, {**PROMPT, "stream": True}):
                        await running.ask(post("/v1/chat/completions?xyzzy=xyzzy", body, HEADERS))
                    await running.ask(
                        post(
                            "/v1/messages?beta=true", {**MESSAGES, "metadata": {"user_id": "xyzzy"}}, HEADERS
                        )
                    )
                cloud.answer = spare.answer = closing
                await running.ask(post("/v1/chat/completions", PROMPT, HEADERS))
                await running.ask(post("/v1/chat/completions", PROMPT, {**HEADERS, "x-latency": "xyzzy"}))
                await running.ask(post("/v1/chat/completions", {"xyzzy": PLANTED, "route": "xyzzy"}, HEADERS))
                await running.ask(post("/v1/chat/completions", b'{"xyzzy', HEADERS))
                await running.ask(post("/v1/xyzzy", PROMPT, HEADERS))
                await running.ask(get("/v1/models/xyzzy", authorization="xyzzy"))
                await running.ask(b"POST /xyzzy HTTP/9.9\r\nxyzzy\r\n\r\n")

                def broken(*_: object) -> None:
                    raise ValueError("xyzzy in an error of ours")

                monkeypatch.setattr(app, "read_request", broken)
                await running.ask(post("/v1/chat/completions", PROMPT, HEADERS))
                assert any(PLANTED.encode() in request for request in cloud.requests)
                pages.append((await running.admin("/metrics")).body)
            assert len(collector.spans) > 20
            exported = [b"%b %b" % (path.encode(), body) for path, _, body in collector.requests]
            heads = [json.dumps(heads) for _, heads, _ in collector.requests]
            for text in (*exported, *pages):
                assert PLANTED.encode() not in text.lower()
            assert PLANTED not in "".join(heads).lower()

    run(test())
    assert PLANTED not in "".join(capfd.readouterr()).lower()
