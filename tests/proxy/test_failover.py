"""Failover along the plan, and what is told when an answer breaks after it began."""

import json
from pathlib import Path

import pytest

from tests.proxy.bench import (
    CHAT,
    MESSAGES,
    Answering,
    closing,
    hanging,
    post,
    records,
    saying,
    status,
    three,
)
from tests.upstream.scripted import Peer, run, unused_port

FAULTS: dict[str, tuple[Answering, str]] = {
    "it closes at once": (closing, "reset"),
    "it hangs": (hanging, "first_byte_timeout"),
    "it answers nonsense": (saying(b"220 smtp.example ESMTP\r\n\r\n"), "malformed"),
    "it is down": (status(503), "status_503"),
    "it is saturated": (status(429, extra=b"retry-after: 7\r\n"), "status_429"),
    "it is overloaded": (status(529), "status_529"),
    "it breaks": (status(500), "status_500"),
    "a gateway finds no server": (status(502), "status_502"),
    "a gateway waited in vain": (status(504), "status_504"),
    "it refuses the deployment's credential": (status(401), "status_401"),
    "it redirects": (status(307, extra=b"location: http://elsewhere.example/\r\n"), "status_3xx"),
    "it ends before its first byte": (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n"), "truncated"),
}


async def _then_close(peer: Peer, request: bytes, answering: Answering) -> None:
    await answering(peer, request)
    peer.close()


@pytest.mark.parametrize(("fault", "word"), FAULTS.values(), ids=FAULTS.keys())
def test_the_next_candidate_answers(tmp_path: Path, fault: Answering, word: str) -> None:
    async def test() -> None:
        quick = {"cloud": 'first_byte_timeout = "0.2s"'}
        async with three(tmp_path, targets=quick) as running:

            async def failing(peer: Peer, request: bytes) -> None:
                await fault(peer, request)
                if word == "truncated":
                    peer.close()

            running.recorders["cloud"].answer = failing
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.body) == (200, b'{"fine":true}')
            assert answer.headers[b"x-policyd-target"] == b"spare"
            assert answer.headers[b"x-policyd-attempts"] == b"2"
            assert len(running.recorders["spare"].requests) == 1
            assert running.recorders["home"].connections == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    first, second = record["attempts"]
    assert first["outcome"] == word
    assert (second["target"], second["outcome"]) == ("spare", "answered")


def test_a_target_that_refuses_the_connection_is_passed(tmp_path: Path) -> None:
    async def test() -> None:
        with unused_port() as port:
            async with three(tmp_path, urls={"cloud": f"http://127.0.0.1:{port}"}) as running:
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                assert answer.headers[b"x-policyd-target"] == b"spare"

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["attempts"][0]["outcome"] == "refused"


@pytest.mark.parametrize("code", [400, 403, 404, 413, 422])
def test_an_error_about_the_request_is_not_tried_elsewhere(tmp_path: Path, code: int) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = status(code)
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.json) == (code, {"status": code})
            assert running.recorders["spare"].connections == 0

    run(test())


def test_the_last_answer_passes_through_with_its_advice(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = status(429, extra=b"retry-after: 7\r\n")
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.json) == (429, {"status": 429})
            assert answer.headers[b"retry-after"] == b"7"
            assert answer.headers[b"x-policyd-attempts"] == b"3"

    run(test())


def test_nobody_answers(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = closing
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.code) == (503, "upstream_unavailable")
            assert "cloud: reset, spare: reset, home: reset" in answer.json["error"]["message"]
            assert answer.headers[b"x-policyd-attempts"] == b"3"

    run(test())


def test_nobody_answers_in_time(tmp_path: Path) -> None:
    async def test() -> None:
        quick = dict.fromkeys(("cloud", "spare", "home"), 'first_byte_timeout = "0.1s"')
        async with three(tmp_path, targets=quick) as running:
            for recorder in running.recorders.values():
                recorder.answer = hanging
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.code) == (504, "upstream_timeout")

    run(test())


def test_one_deadline_holds_for_all_attempts(tmp_path: Path) -> None:
    async def test() -> None:
        quick = dict.fromkeys(("cloud", "spare", "home"), 'total_timeout = "0.3s"')
        async with three(tmp_path, targets=quick) as running:
            for recorder in running.recorders.values():
                recorder.answer = hanging
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert (answer.status, answer.code) == (504, "upstream_timeout")
            assert running.recorders["spare"].connections == 0

    run(test())


def test_a_credential_that_every_target_refuses_is_not_shown(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = status(401, extra=b"x-shows: sk-ab***yz\r\n")
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.code) == (502, "upstream_credential")
            assert b"sk-ab" not in answer.raw

    run(test())


def test_a_redirect_is_not_followed_and_not_shown(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            spare = running.recorders["spare"]
            for name in ("cloud", "home", "spare"):
                running.recorders[name].answer = status(302, extra=b"location: %b/\r\n" % spare.url.encode())
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.code) == (502, "upstream_redirect")
            assert b"location" not in answer.headers
            assert len(spare.requests) == 1

    run(test())


SSE = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


BROKEN = {
    "chat": ("/v1/chat/completions", CHAT, b"data: "),
    "responses": ("/v1/responses", {"model": "m", "input": "hi", "store": False}, b"event: error\ndata: "),
    "messages": ("/v1/messages", MESSAGES, b"event: error\ndata: "),
}


@pytest.mark.parametrize(("path", "body", "begins"), BROKEN.values(), ids=BROKEN.keys())
@pytest.mark.parametrize(
    "begun",
    [b'data: {"a":1}\n\n', b'data: {"a":1}\n\ndata: {"a'],
    ids=["between events", "inside an event"],
)
def test_a_stream_that_breaks_ends_with_an_error_and_never_cleanly(
    tmp_path: Path, path: str, body: dict[str, object], begins: bytes, begun: bytes
) -> None:
    async def test() -> None:
        async def breaking(peer: Peer, _: bytes) -> None:
            await peer.send(SSE + chunk(begun))
            peer.close()

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = breaking
            answer = await running.ask(post(path, body | {"stream": True}))
            assert answer.status == 200
            assert not answer.clean
            whole, end, part = begun.partition(b"\n\n")
            assert answer.body.startswith(whole + end)
            # What is looked at for its usage comes event by event, without the part of one.
            event = answer.body.removeprefix(whole + end).removeprefix(part).lstrip(b"\n")
            assert event.startswith(begins)
            said = json.loads(event.split(b"data: ", 1)[1])
            assert "upstream_broke" in json.dumps(said)
            assert b"[DONE]" not in answer.body
            assert running.recorders["spare"].connections == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "upstream_broke"


def test_a_stream_that_stalls_is_ended_with_an_error(tmp_path: Path) -> None:
    async def test() -> None:
        async def stalling(peer: Peer, _: bytes) -> None:
            await peer.send(SSE + chunk(b"data: {}\n\n"))
            await peer.gone()

        async with three(tmp_path, targets={"cloud": 'idle_timeout = "0.2s"'}) as running:
            running.recorders["cloud"].answer = stalling
            answer = await running.ask(post("/v1/messages", MESSAGES | {"stream": True}))
            assert not answer.clean
            assert b"upstream_timeout" in answer.body

    run(test())


@pytest.mark.parametrize(
    "head",
    [b"content-type: application/json\r\ncontent-length: 100\r\n", b"content-type: text/event-stream\r\ncontent-length: 100\r\n",
     b"content-type: text/event-stream\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n"],
    ids=["JSON", "events with a length", "compressed events"],
)  # fmt: skip
def test_an_answer_without_room_for_an_error_is_cut(tmp_path: Path, head: bytes) -> None:
    async def test() -> None:
        async def breaking(peer: Peer, _: bytes) -> None:
            data = b"part"
            await peer.send(
                b"HTTP/1.1 200 OK\r\n%b\r\n%b" % (head, chunk(data) if b"chunked" in head else data)
            )
            peer.close()

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = breaking
            answer = await running.ask(post("/v1/messages", MESSAGES))
            assert answer.body == b"part"
            assert not answer.clean

    run(test())
