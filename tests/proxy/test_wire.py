"""The connection to a client: trailers, pipelines, clients that do not read, and refusals inside a body."""

import asyncio
import json
from pathlib import Path

import pytest
import uvicorn

from policyd.deploy.model import Limits
from policyd.proxy.early import plain
from policyd.proxy.errand import Send
from policyd.proxy.wire import bounded_protocol
from tests.proxy.bench import CHAT, OK, Running, parsed, post, records, three
from tests.proxy.test_failover import SSE, chunk
from tests.upstream.scripted import Peer, run, until

BODY = json.dumps(CHAT).encode()
CHUNKED = post("/v1/chat/completions", b"", content_length="", transfer_encoding="chunked", connection="")
WHOLE = CHUNKED + b"%x\r\n%b\r\n0\r\n" % (len(BODY), BODY)


@pytest.mark.parametrize(
    "trailer",
    [
        b"x-data-class: confidential",
        b"x-api-key: k",
        b"content-type: text/plain",
        b"x-evil: 1",
        b"expect: 100-continue",
    ],
    ids=lambda t: t.decode(),
)
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "after the body"])
def test_a_request_with_trailers_is_refused(tmp_path: Path, trailer: bytes, apart: bool) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(WHOLE if apart else WHOLE + trailer + b"\r\n\r\n")
            await writer.drain()
            if apart:
                # The body is there and the request is not complete: its stages have begun.
                await until(lambda: running.serving.sidecar.held == len(BODY))
                writer.write(trailer + b"\r\n\r\n")
            answer = parsed(await reader.read())
            writer.close()
            assert (answer.status, answer.clean) == (400, True)
            assert answer.json["error"]["code"] == "caller_not_http"
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize("piece", [b"x-a: " + b"x" * 8000, b"0" * 8000], ids=["a trailer", "a chunk's line"])
def test_what_does_not_end_behind_the_body_is_bounded(tmp_path: Path, piece: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { header = "4KiB" }') as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(WHOLE[:-3])
            writer.write(b"0\r\n" + piece if piece.startswith(b"x") else b"1;" + piece)
            # Twice: what comes with the end of the body counts from the next read on.
            await writer.drain()
            answered = asyncio.create_task(reader.read())
            while not answered.done():
                writer.write(b"x" * 1000)
                try:
                    await writer.drain()
                except ConnectionError:
                    break
                await asyncio.sleep(0)
            assert parsed(await answered).status == 400
            writer.close()
            assert running.sent_anywhere() == 0

    run(test())


def test_chunks_without_trailers_are_served(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(
                WHOLE.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n", 1) + b"\r\n"
            )
            assert answer.status == 200
            assert running.recorders["cloud"].bodies == [BODY]

    run(test())


async def generating_until_left(running: Running, left: asyncio.Event) -> None:
    async def generating(peer: Peer, _: bytes) -> None:
        await peer.send(SSE + chunk(b"data: {}\n\n"))
        await peer.gone()
        left.set()

    running.recorders["cloud"].answer = generating


def test_a_client_that_pipelines_and_leaves_is_noticed(tmp_path: Path) -> None:
    async def test() -> None:
        left = asyncio.Event()
        async with three(tmp_path) as running:
            await generating_until_left(running, left)
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            request = post("/v1/chat/completions", CHAT | {"stream": True}, connection="")
            writer.write(request + request)
            await reader.readuntil(b"data: {}")
            writer.close()
            async with asyncio.timeout(5):
                await left.wait()
            assert running.sent_anywhere() == 1

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "client_gone"


def test_of_pipelined_requests_the_first_is_answered_and_the_connection_ends(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(post("/v1/chat/completions", CHAT, connection="") * 3)
            answer = parsed(await reader.read())
            writer.close()
            assert (answer.status, answer.clean, answer.body) == (200, True, OK.partition(b"\r\n\r\n")[2])
            assert answer.headers[b"connection"] == b"close"
            assert running.sent_anywhere() == 1

    run(test())


def test_requests_one_after_the_other_share_a_connection(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            for _ in range(3):
                writer.write(post("/v1/chat/completions", CHAT, connection=""))
                await reader.readuntil(b'{"fine":true}')
            writer.close()
            assert running.sent_anywhere() == 3

    run(test())


def test_a_client_that_takes_nothing_is_left(tmp_path: Path) -> None:
    async def test() -> None:
        left = asyncio.Event()

        async def pouring(peer: Peer, _: bytes) -> None:
            try:
                await peer.send(SSE)
                while True:
                    await peer.send(chunk(b"data: " + b"x" * 65536 + b"\n\n"))
            finally:
                left.set()

        async with three(tmp_path, extra='limits = { unread = "200ms" }') as running:
            running.recorders["cloud"].answer = pouring
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=1024)
            writer.write(post("/v1/chat/completions", CHAT | {"stream": True}))
            async with asyncio.timeout(20):
                await left.wait()
            await until(lambda: bool(running.log_path.read_bytes()))
            assert running.serving.sidecar.held == 0
            writer.transport.abort()
            assert reader is not None

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == "client_gone"


def test_a_client_that_takes_nothing_of_a_whole_answer_is_left() -> None:
    """The answer is given to the connection at once, so nobody waits any more but the connection."""
    answered = asyncio.Event()

    async def app(_: object, __: object, send: Send) -> None:
        headers = [(b"content-length", b"%d" % (64 << 20)), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(64 << 20), "more_body": False})
        answered.set()

    async def test() -> None:
        protocol = bounded_protocol(lambda: Limits(header=4096, unread=0.1), plain)
        config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None)
        state = uvicorn.Server(config).server_state
        config.load()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: protocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
        )
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname(), limit=1024)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await answered.wait()
        await until(lambda: not state.connections)
        writer.transport.abort()
        server.close()

    run(test())


def test_a_refusal_inside_a_large_body_reaches_the_client(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "64KiB" }') as running:
            answer = await running.ask(post("/v1/chat/completions", b" " * (24 * 1024 * 1024)))
            assert (answer.status, answer.code, answer.clean) == (413, "caller_too_large", True)

    run(test())


def test_bytes_that_are_only_promised_hold_no_place(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "1MiB", in_flight = "1MiB" }') as running:
            idle = []
            for _ in range(4):
                pair = await asyncio.open_connection("127.0.0.1", running.port)
                pair[1].write(post("/v1/chat/completions", b"", content_length="1000000"))
                await pair[1].drain()
                idle.append(pair)
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert answer.status == 200
            for _, writer in idle:
                writer.close()

    run(test())
