"""Clients that are slow, silent, half gone or too many: each is bounded by a limit of the deployment, and the others are served."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from policyd.deploy.model import Listen
from policyd.proxy import wire
from policyd.proxy.serve import open_listener
from tests.proxy.bench import CHAT, OK, Running, get, parsed, post, records, three
from tests.upstream.scripted import CERTS, Peer, run, until

WHOLE = post("/v1/chat/completions", CHAT, connection="")
HEAD = WHOLE.partition(b"\r\n\r\n")[0]


def limits(**values: str | int) -> str:
    return f"limits = {{ {', '.join(f'{k} = {v!r}' for k, v in values.items())} }}"


@asynccontextmanager
async def connected(running: Running) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def still_serves(running: Running) -> None:
    assert (await running.ask(post("/v1/chat/completions", CHAT))).status == 200


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes) -> bytes:
    """Sends the piece over and over, until the connection ends; gives what came."""
    ended = asyncio.create_task(whatever_comes(reader))
    while not ended.done():
        writer.write(piece)
        await asyncio.sleep(0.005)
    return await ended


async def whatever_comes(reader: asyncio.StreamReader) -> bytes:
    """What came before the end, however that came."""
    data = b""
    try:
        while piece := await reader.read(65536):
            data += piece
    except ConnectionError:
        pass
    return data


@pytest.mark.parametrize(
    "began",
    [b"P", b"POST /v1/chat/completions HTTP/1.1\r\n", HEAD],
    ids=["one byte", "a line", "all but the end"],
)
def test_a_head_that_stops_is_answered_and_ended(tmp_path: Path, began: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path, extra=limits(head_time="100ms")) as running:
            async with connected(running) as (reader, writer):
                writer.write(began)
                answer = parsed(await reader.read())
                assert (answer.status, answer.code, answer.clean) == (400, "caller_slow", True)
                assert answer.headers[b"connection"] == b"close"
                assert running.sent_anywhere() == 0
            await still_serves(running)

    run(test())
    assert [r["outcome"] for r in records(tmp_path / "decisions.jsonl")] == ["caller_slow", "answered"]


@pytest.mark.parametrize("piece", [b"x", b"x: y\r\n"], ids=["a header without end", "headers without end"])
def test_a_head_that_trickles_in_has_no_more_time_than_one_that_stops(tmp_path: Path, piece: bytes) -> None:
    async def test() -> None:
        limit = limits(head_time="200ms")
        async with three(tmp_path, extra=limit) as running, connected(running) as (reader, writer):
            writer.write(HEAD + b"\r\n")
            assert b"caller_slow" in await drip(reader, writer, piece)

    run(test())


def test_empty_lines_do_not_keep_a_connection(tmp_path: Path) -> None:
    """Empty lines before a request are none of it, and each of them would start an idle timer anew."""

    async def test() -> None:
        async with three(tmp_path, extra=limits(head_time="100ms")) as running:
            for before in (b"", WHOLE):
                async with connected(running) as (reader, writer):
                    writer.write(before)
                    if before:
                        await reader.readuntil(b'{"fine":true}')
                    assert await drip(reader, writer, b"\r\n") == b""

    run(test())


@pytest.mark.parametrize("served", [False, True], ids=["from its beginning", "after a request"])
def test_a_connection_that_says_nothing_is_closed(tmp_path: Path, served: bool) -> None:
    async def test() -> None:
        async with (
            three(tmp_path, extra=limits(idle_time="100ms")) as running,
            connected(running) as (reader, writer),
        ):
            if served:
                writer.write(WHOLE)
                await reader.readuntil(b'{"fine":true}')
            assert await reader.read() == b""

    run(test())


def test_an_answer_that_takes_longer_than_a_head_or_an_idle_connection_may_is_given(tmp_path: Path) -> None:
    async def test() -> None:
        async def slow(peer: Peer, _: bytes) -> None:
            await asyncio.sleep(0.5)
            await peer.send(OK)

        async with three(
            tmp_path, extra=limits(idle_time="50ms", head_time="50ms", body_time="50ms")
        ) as running:
            running.recorders["cloud"].answer = slow
            await still_serves(running)

    run(test())


@pytest.mark.parametrize("framing", ["length", "chunks"])
def test_a_body_that_stops_is_refused_and_its_place_is_given_back(tmp_path: Path, framing: str) -> None:
    began = (
        WHOLE[:-5]
        if framing == "length"
        else post("/v1/chat/completions", b"", content_length="", transfer_encoding="chunked", connection="")
        + b"fff\r\n{"
    )

    async def test() -> None:
        async with three(tmp_path, extra=limits(body_time="100ms")) as running:
            async with connected(running) as (reader, writer):
                writer.write(began)
                head = await reader.readuntil(b"caller_slow")
                assert head.startswith(b"HTTP/1.1 400")
                assert running.serving.sidecar.held == 0
            await still_serves(running)

    run(test())


def test_a_body_that_trickles_in_has_no_more_time(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra=limits(body_time="200ms")) as running:
            async with connected(running) as (reader, writer):
                writer.write(post("/v1/chat/completions", b"", content_length="1000000", connection=""))
                assert b"caller_slow" in await drip(reader, writer, b" ")
            assert running.serving.sidecar.held == 0
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize(
    "request_",
    [
        post("/v1/nowhere", b"", content_length="1000000", connection=""),
        get("/v1/models", content_length="1000000").replace(b"connection: close", b"connection: keep-alive"),
        get("/", content_length="1000000").replace(b"connection: close", b"connection: keep-alive"),
    ],
    ids=["of a refused request", "of a list of models", "of a probe"],
)
def test_a_body_that_nobody_waits_for_does_not_keep_a_connection(
    tmp_path: Path, request_: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire.bounded_protocol, "__kwdefaults__", {"linger": 0.1})

    async def test() -> None:
        async with three(tmp_path) as running, connected(running) as (reader, writer):
            writer.write(request_)
            assert (await drip(reader, writer, b" ")).startswith(b"HTTP/1.1 ")

    run(test())


def test_a_refused_request_whose_body_comes_late_costs_no_connection(tmp_path: Path) -> None:
    """Clients send head and body apart, and a refusal may be faster than the body."""

    async def test() -> None:
        async with three(tmp_path) as running, connected(running) as (reader, writer):
            refused = post("/v1/nowhere", CHAT, connection="")
            head, _, body = refused.partition(b"\r\n\r\n")
            writer.write(head + b"\r\n\r\n")
            await reader.readuntil(b"}}")
            writer.write(body)
            writer.write(WHOLE)
            assert b"200 OK" in await reader.readuntil(b'{"fine":true}')

    run(test())


@pytest.mark.parametrize("sent", [b"", HEAD, WHOLE[:-5]], ids=["nothing", "a head", "half a body"])
def test_a_client_that_closes_its_side_early_is_let_go(tmp_path: Path, sent: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path) as running, connected(running) as (reader, writer):
            writer.write(sent)
            writer.write_eof()
            await reader.read()
            await until(lambda: running.serving.sidecar.held == 0)
            assert running.sent_anywhere() == 0

    run(test())


def test_a_client_that_vanishes_is_asked_for_by_the_system() -> None:
    """A machine that loses its power sends no end: only the system's own probes tell. They cost nothing here."""
    with (
        open_listener(Listen("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) <= 60


def test_one_connection_too_many_is_told_so_and_closed(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra=limits(connections=3)) as running:
            held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
            for reader, writer in held:
                writer.write(WHOLE)
                await reader.readuntil(b'{"fine":true}')
            for request in (WHOLE, b"", post("/v1/messages", CHAT)):
                answer = await running.ask(request)
                assert (answer.status, answer.code, answer.clean) == (503, "internal_overload", True)
                assert (answer.headers[b"connection"], answer.headers[b"retry-after"]) == (b"close", b"1")
                assert answer.headers[b"x-policyd-decision"]
                # Nobody knows yet which dialect is spoken.
                assert answer.json["type"] == "error"
                assert "param" in answer.json["error"]
            # Who is connected is served, and a place that becomes free is given.
            held[1][1].write(WHOLE)
            await held[1][0].readuntil(b'{"fine":true}')
            assert running.sent_anywhere() == 4
            held[0][1].close()
            while (await running.ask(post("/v1/chat/completions", CHAT))).status != 200:
                await asyncio.sleep(0.01)
            # The admin side counts for itself.
            assert (await running.admin("/livez")).status == 200
            for _, writer in held:
                writer.transport.abort()

    run(test())


def test_far_too_many_connections_are_not_even_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_TOLD", 2)

    async def test() -> None:
        async with three(tmp_path, extra=limits(connections=1)) as running:
            held = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(3)]
            assert all([b"503" in await reader.readline() for reader, _ in held[1:]])
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            with pytest.raises(ConnectionError):
                writer.write(WHOLE)
                assert await reader.read() == b""
                raise ConnectionResetError
            for _, other in (*held, (reader, writer)):
                other.transport.abort()

    run(test())


def test_slow_heads_on_every_connection_free_them_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra=limits(connections=20, head_time="200ms")) as running:
            slow = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(20)]
            for _, writer in slow:
                writer.write(HEAD)
            assert (await running.ask(WHOLE)).status == 503
            for reader, writer in slow:
                assert b"caller_slow" in await reader.read()
                writer.close()
            while (await running.ask(post("/v1/chat/completions", CHAT))).status != 200:
                await asyncio.sleep(0.01)

    run(test())


def test_hundreds_of_idle_connections_are_in_nobodys_way(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            idle = [await asyncio.open_connection("127.0.0.1", running.port) for _ in range(300)]
            for _, writer in idle[:100]:
                writer.write(b"POST /v1/chat")
            for _ in range(5):
                await still_serves(running)
            for reader, writer in idle[100:]:
                writer.write(WHOLE)
                await reader.readuntil(b'{"fine":true}')
            for _, writer in idle:
                writer.transport.abort()

    run(test())


@pytest.mark.parametrize("case", ["a large body", "no HTTP", "a slow head"])
def test_a_refusal_reaches_its_client_over_tls_too(tmp_path: Path, case: str) -> None:
    tls = f'tls = {{ certificate = "{CERTS}/leaf.pem", key = {{ file = "{CERTS}/leaf.key" }} }}'
    sent = {
        "a large body": post("/v1/chat/completions", b" " * 2_000_000),
        "no HTTP": b"NONSENSE\r\n\r\n",
        "a slow head": HEAD,
    }[case]
    limit = limits(body="64KiB", head_time="100ms" if case == "a slow head" else "15s")

    async def test() -> None:
        async with three(tmp_path, extra=limit, listen=tls) as running:
            context = ssl.create_default_context(cafile=str(CERTS / "ca.pem"))
            context.check_hostname = False
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port, ssl=context)
            writer.write(sent)
            answer = parsed(await reader.read())
            writer.transport.abort()
            assert (answer.status, answer.clean) == (413 if case == "a large body" else 400, True)
            assert running.sent_anywhere() == 0

    run(test())
