"""What a model server receives, byte for byte, and what comes back."""

import asyncio
import json
from hashlib import sha256
from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, MESSAGES, OK, Recorder, post, records, saying, sidecar, three
from tests.upstream.scripted import Peer, run


def keyed(key: str, team: str) -> str:
    digest = sha256(key.encode()).hexdigest()
    return f'kind = "api-keys"\n[[identity.keys]]\nsha256 = "{digest}"\nteam = "{team}"\n'


def test_a_request_arrives_as_it_was_sent_but_for_credentials_hop_and_model(tmp_path: Path) -> None:
    body = b'{ "logit_bias": {"1": 1.50 }, "stop": [ ],\n "model" : "gpt-5" ,"messages":[{"role":"user","content":"\\u00e9"}]}'

    async def test() -> None:
        (tmp_path / "token").write_text("target-secret")
        credential = f'credential = {{ file = "{tmp_path}/token", style = "x-api-key" }}\nmodel = "big-one"'
        async with three(
            tmp_path, identity=keyed("caller-key", "search"), targets={"cloud": credential}
        ) as running:
            answer = await running.ask(
                post(
                    "/v1/chat/completions?beta=true&key=caller-key",
                    body,
                    authorization="Bearer caller-key",
                    cookie="a=caller-key",
                    x_latency="interactive",
                    x_forwarded_for="10.0.0.1",
                    baggage="k=v",
                    x_policyd_target="home",
                    x_custom="stays",
                    accept_encoding="gzip, br",
                    connection="close, x-hop",
                    x_hop="goes",
                )
            )
            assert answer.status == 200
            cloud = running.recorders["cloud"]
            (request,) = cloud.requests
            (head,) = cloud.heads
            assert head[0] == b"POST /v1/chat/completions?beta=true HTTP/1.1"
            sent = body.replace(b'"gpt-5"', b'"big-one"')
            assert sorted(head[1:]) == sorted(
                [
                    b"host: " + cloud.url.removeprefix("http://").encode(),
                    b"x-api-key: target-secret",
                    b"content-type: application/json",
                    b"x-custom: stays",
                    b"accept-encoding: gzip, br",
                    b"content-length: %d" % len(sent),
                ]
            )
            assert request.partition(b"\r\n\r\n")[2] == sent
            assert b"caller-key" not in request

    run(test())


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", CHAT),
        ("/v1/completions", {"model": "m", "prompt": "hi"}),
        ("/v1/responses", {"model": "m", "input": "hi", "store": False}),
        ("/v1/embeddings", {"model": "m", "input": ["a", "b"]}),
        ("/v1/messages", MESSAGES),
        ("/v1/messages/count_tokens", {"model": "m", "messages": [{"role": "user", "content": "hi"}]}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_every_endpoint_is_forwarded_and_answered(tmp_path: Path, path: str, body: dict[str, object]) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(post(path, body))
            assert (answer.status, answer.body, answer.clean) == (200, b'{"fine":true}', True)
            assert answer.headers[b"x-policyd-target"] == b"cloud"
            assert answer.headers[b"x-policyd-route"] == b"rest"
            assert answer.headers[b"x-policyd-attempts"] == b"1"
            assert answer.headers[b"x-policyd-policy"].decode() == running.serving.sidecar.live.ready.digest
            (request,) = running.recorders["cloud"].requests
            assert request.startswith(b"POST " + path.encode() + b" HTTP/1.1\r\n")
            assert json.loads(request.partition(b"\r\n\r\n")[2]) == body

    run(test())


ANSWERS = {
    "a length": OK,
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "a compressed body": b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x00\xff",
    "no body": b"HTTP/1.1 204 No Content\r\n\r\n",
    "an error about the request": b"HTTP/1.1 422 No\r\ncontent-length: 2\r\n\r\n{}",
    "an odd status": b"HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n",
}


@pytest.mark.parametrize("raw", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_answer_is_passed_on_unchanged(tmp_path: Path, raw: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = saying(raw)
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            expected = b"hello world" if b"chunked" in raw else raw.partition(b"\r\n\r\n")[2]
            assert answer.status == int(raw.split()[1])
            assert answer.body == expected
            assert (b"gzip" in raw) == (answer.headers.get(b"content-encoding") == b"gzip")
            assert answer.clean or answer.status == 204

    run(test())


def test_a_stream_arrives_piece_by_piece_as_it_is_sent(tmp_path: Path) -> None:
    async def test() -> None:
        go_on = asyncio.Event()

        async def streaming(peer: Peer, _: bytes) -> None:
            await peer.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
            )
            await peer.send(b"b\r\ndata: one\n\n\r\n")
            await go_on.wait()
            await peer.send(b"b\r\ndata: two\n\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")

        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = streaming
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT | {"stream": True}))
            first = await reader.readuntil(b"data: one\n\n")
            assert b"data: two" not in first
            go_on.set()
            rest = await reader.read()
            assert b"data: two\n\n" in rest
            assert rest.endswith(b"0\r\n\r\n")
            writer.close()

    run(test())


def test_a_large_body_and_a_large_answer_pass(tmp_path: Path) -> None:
    text = "word " * 400_000
    answer_body = b"x" * 3_000_000

    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = saying(
                    b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(answer_body), answer_body)
                )
            body = {"model": "m", "messages": [{"role": "user", "content": text}]}
            answer = await running.ask(post("/v1/chat/completions", body))
            assert answer.body == answer_body
            assert answer.headers[b"x-policyd-route"] == b"long"
            assert json.loads(running.recorders["home"].bodies[0]) == body

    run(test())


def test_connections_are_kept_and_requests_follow_each_other(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            for _ in range(5):
                writer.write(post("/v1/chat/completions", CHAT, connection="keep-alive"))
                assert await reader.readuntil(b'{"fine":true}')
            writer.close()
            assert running.recorders["cloud"].connections == 1
            assert len(running.recorders["cloud"].requests) == 5

    run(test())


def test_a_path_prefix_and_aliases_of_the_target_are_used(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as home, Recorder() as cloud, Recorder() as spare:
            recorders = {"home": home, "cloud": cloud, "spare": spare}
            more = {"cloud": 'model = "pinned"\naliases = { "fast" = "small-one" }'}
            async with sidecar(
                tmp_path, recorders, urls={"cloud": cloud.url + "/apps/anthropic"}, targets=more
            ) as running:
                for model in ("fast", "other"):
                    await running.ask(post("/v1/messages", MESSAGES | {"model": model}))
            assert [head[0] for head in cloud.heads] == [b"POST /apps/anthropic/v1/messages HTTP/1.1"] * 2
            assert [json.loads(body)["model"] for body in cloud.bodies] == ["small-one", "pinned"]

    run(test())


def test_the_record_of_a_request_holds_what_was_decided_and_done_and_no_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            body = CHAT | {"messages": [{"role": "user", "content": "a sentence that nobody else may read"}]}
            await running.ask(post("/v1/chat/completions", body, x_latency="batch"))

    run(test())
    raw = (tmp_path / "decisions.jsonl").read_bytes()
    assert b"nobody else" not in raw
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["features"]["latency"] == "batch"
    assert record["features"]["team"] == "search"
    assert record["features"]["model"] == "gpt-5"
    assert record["features"]["findings"] == []
    assert record["route"] == "rest"
    assert record["target"] == "cloud"
    assert [(a["target"], a["outcome"], a["status"]) for a in record["attempts"]] == [
        ("cloud", "answered", 200)
    ]
    assert record["bytes_out"] == 13
    assert record["outcome"] == "answered"
