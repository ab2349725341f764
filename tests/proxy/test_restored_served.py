"""Answers with values put back, as a caller sees them: those that cannot be restored, and large ones, which nobody waits for."""

import json
import threading
from pathlib import Path

import pytest

from policyd.proxy import restored
from policyd.proxy.errand import LARGE
from policyd.redact.placeholders import PLACEHOLDER
from policyd.redact.restore import Restorer
from tests.proxy.bench import Peer, records
from tests.proxy.test_redaction import redacting, request_of
from tests.redact.samples import AWS
from tests.upstream.scripted import run

DEEP = 400


async def answer_with(peer: Peer, kind: bytes, body: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n\r\n"
    await peer.send(head % (kind, len(body)) + body)


def word_in(request: bytes) -> bytes:
    found = PLACEHOLDER.search(request.decode())
    assert found is not None
    return found[0].encode()


@pytest.mark.parametrize("size", [0, 2 * LARGE])
def test_after_an_answer_too_deep_the_next_target_is_asked(tmp_path: Path, size: int) -> None:
    async def deep(peer: Peer, request: bytes) -> None:
        body = b'{"choices":[],"x":%b"%b"%b,"y":"%b"}'
        await answer_with(
            peer, b"application/json", body % (b"[" * DEEP, word_in(request), b"]" * DEEP, b"y" * size)
        )

    async def test() -> None:
        async with redacting(tmp_path) as running:
            running.recorders["cloud"].answer = deep
            answer = await running.ask(request_of("chat", text=AWS))
            assert answer.status == 200
            assert AWS in answer.json["choices"][0]["message"]["content"]

    run(test())
    (line,) = records(tmp_path / "decisions.jsonl")
    assert line["target"] == "spare"


def test_a_stream_with_an_event_too_deep_is_broken_off(tmp_path: Path) -> None:
    async def deep(peer: Peer, request: bytes) -> None:
        said = b'data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}\n\n'
        body = said + b'data: {"x":%b"%b"%b}\n\n' % (b"[" * DEEP, word_in(request), b"]" * DEEP)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%b\r\n" % (len(said), said))
        await peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - len(said), body[len(said) :]))

    async def test() -> None:
        async with redacting(tmp_path) as running:
            for target in ("cloud", "spare"):
                running.recorders[target].answer = deep
            answer = await running.ask(request_of("chat", text=AWS, stream=True))
            assert b"internal_error" not in answer.raw
            assert answer.status == 503 or not answer.clean

    run(test())


def test_a_large_answer_is_restored_beside_the_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    restored_whole = restored.restored_whole

    def noted(body: bytes, restorer: Restorer) -> bytes:
        threads.append(threading.get_ident())
        return restored_whole(body, restorer)

    monkeypatch.setattr(restored, "restored_whole", noted)

    async def large(peer: Peer, request: bytes) -> None:
        message = {"role": "assistant", "content": word_in(request).decode() + "x" * 2 * LARGE}
        body = {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": message}]}
        await answer_with(peer, b"application/json", json.dumps(body).encode())

    async def test() -> None:
        async with redacting(tmp_path) as running:
            running.recorders["cloud"].answer = large
            answer = await running.ask(request_of("chat", text=AWS))
            assert answer.json["choices"][0]["message"]["content"].startswith(AWS)
            assert threads and threading.get_ident() not in threads

    run(test())
