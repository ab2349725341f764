"""Clocks, cuts and slow callers: each fault has its own kind, and none leaves a connection or memory behind."""

import asyncio
from dataclasses import replace

import pytest

from policyd.proxy.upstream.answer import HIGH_WATER
from policyd.proxy.upstream.errors import Kind, UpstreamBroken, UpstreamError, UpstreamUnreachable
from tests.upstream.scripted import (
    OK,
    PATIENT,
    Client,
    Peer,
    Scripted,
    answering,
    run,
    target,
    until,
    unused_port,
)

STREAM = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def silence(peer: Peer, _: int) -> None:
    await peer.request()
    await peer.gone()


async def one_chunk_then_silence(peer: Peer, _: int) -> None:
    await peer.request()
    await peer.send(STREAM + b"5\r\nhello\r\n")
    await peer.gone()


async def endless(peer: Peer, _: int) -> None:
    await peer.request()
    await peer.send(STREAM)
    while True:
        await peer.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")


async def drip(peer: Peer, _: int) -> None:
    """A chunk whenever the client could have read the last one: never idle, never over."""
    await peer.request()
    await peer.send(STREAM)
    while True:
        await peer.send(b"1\r\nx\r\n")
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("script", "limits", "kind"),
    [
        pytest.param(silence, {"first_byte": 0.05}, Kind.FIRST_BYTE_TIMEOUT, id="no first byte"),
        pytest.param(one_chunk_then_silence, {"idle": 0.05}, Kind.IDLE_TIMEOUT, id="silence in the middle"),
        pytest.param(drip, {"total": 0.1, "idle": 5.0}, Kind.TOTAL_TIMEOUT, id="an answer without end"),
        pytest.param(silence, {"total": 0.05}, Kind.TOTAL_TIMEOUT, id="the total is the shortest"),
    ],
)
def test_each_clock_has_its_own_kind(script: object, limits: dict[str, float], kind: Kind) -> None:
    async def main() -> None:
        async with (
            Scripted(script) as server,  # type: ignore[arg-type]
            Client(target(server.port, timeouts=replace(PATIENT, **limits))) as client,
        ):
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is kind
            await until(lambda: server.open == 0)

    run(main())


def test_the_callers_deadline_counts_when_it_is_the_earlier_one() -> None:
    async def main() -> None:
        async with Scripted(silence) as server, Client(target(server.port)) as client:
            with pytest.raises(UpstreamBroken) as caught:
                await client.upstream.open(client.permit(), deadline=asyncio.get_running_loop().time() + 0.05)
            assert caught.value.kind is Kind.TOTAL_TIMEOUT

    run(main())


def test_a_head_that_drips_is_bounded_by_the_first_byte_timeout() -> None:
    async def dripping_head(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"a: b\r\n")
            await asyncio.sleep(0.01)

    async def main() -> None:
        async with (
            Scripted(dripping_head) as server,
            Client(target(server.port, timeouts=replace(PATIENT, first_byte=0.1))) as client,
        ):
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is Kind.FIRST_BYTE_TIMEOUT

    run(main())


def test_nobody_listening_is_refused() -> None:
    async def main() -> None:
        with unused_port() as port:
            async with Client(target(port)) as client:
                with pytest.raises(UpstreamUnreachable) as caught:
                    await client.open()
                assert caught.value.kind is Kind.REFUSED
                pool = client.upstream.pool("a")
                assert pool is not None and pool.open == 0

    run(main())


def test_a_reset_inside_the_body_is_a_reset() -> None:
    async def resetting(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(STREAM + b"5\r\nhello\r\n")
        await taken.wait()
        peer.reset()

    taken = asyncio.Event()

    async def main() -> None:
        async with Scripted(resetting) as server, Client(target(server.port)) as client:
            exchange = await client.open()
            assert await anext(exchange) == b"hello"
            taken.set()
            with pytest.raises(UpstreamBroken) as caught:
                await anext(exchange)
            assert caught.value.kind is Kind.RESET

    run(main())


@pytest.mark.parametrize("moment", ["waiting for the head", "between two chunks", "waiting for a chunk"])
def test_a_cancelled_caller_ends_the_upstreams_work_at_once(moment: str) -> None:
    async def main() -> None:
        script = silence if moment == "waiting for the head" else one_chunk_then_silence
        async with Scripted(script) as server, Client(target(server.port)) as client:
            pool = client.upstream.pool("a")
            assert pool is not None
            if moment == "waiting for the head":
                task = asyncio.ensure_future(client.open())
                await until(lambda: any(c._answer is not None for c in pool._all))
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
            else:
                exchange = await client.open()
                assert await anext(exchange) == b"hello"
                if moment == "between two chunks":
                    exchange.close()
                else:
                    waiting = asyncio.ensure_future(anext(exchange))
                    await asyncio.sleep(0)
                    waiting.cancel()
                    await asyncio.gather(waiting, return_exceptions=True)
                await until(lambda: server.open == 0)
                with pytest.raises(UpstreamBroken):
                    await anext(exchange)
            await until(lambda: server.open == 0 and pool.open == 0)

    run(main())


def test_closing_after_the_end_keeps_the_connection() -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as server, Client(target(server.port)) as client:
            for _ in range(3):
                exchange = await client.open()
                await until(lambda: exchange.finished)  # noqa: B023
                exchange.close()
            assert server.connections == 1

    run(main())


def test_a_slow_caller_bounds_what_is_held() -> None:
    """The server wants to send for ever; the client holds little more than the high-water mark and a read."""

    async def main() -> None:
        sent = 0

        async def counting(peer: Peer, _: int) -> None:
            nonlocal sent
            await peer.request()
            await peer.send(STREAM)
            while True:
                peer.writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await peer.writer.drain()
                sent += 65536

        async with Scripted(counting) as server, Client(target(server.port)) as client:
            exchange = await client.open()
            held = exchange._answer
            await until(lambda: held.full)
            settled, turns = sent, 0
            while turns < 200:
                await asyncio.sleep(0)
                settled, turns = (sent, 0) if sent != settled else (settled, turns + 1)
            assert held._held <= HIGH_WATER + 512 * 1024
            taken = 0
            while taken < 8 * 1024 * 1024:
                taken += len(await anext(exchange))
                assert held._held <= HIGH_WATER + 512 * 1024
            exchange.close()
            await until(lambda: server.open == 0)

    run(main())


def test_a_paused_answer_is_not_idle() -> None:
    """The caller is slow, not the target: only the total may end it."""

    async def main() -> None:
        async with (
            Scripted(endless) as server,
            Client(target(server.port, timeouts=replace(PATIENT, idle=0.05, total=0.4))) as client,
        ):
            exchange = await client.open()
            await until(lambda: exchange._answer.error is not None)
            assert isinstance(exchange._answer.error, UpstreamError)
            assert exchange._answer.error.kind is Kind.TOTAL_TIMEOUT

    run(main())


def test_a_large_body_goes_out_whole_and_a_large_answer_comes_back_whole() -> None:
    body = b'{"model":"m","x":"' + bytes(range(0x61, 0x7B)) * 120_000 + b'"}'

    async def main() -> None:
        received: list[bytes] = []

        async def echo(peer: Peer, _: int) -> None:
            while request := await peer.request():
                data = request.partition(b"\r\n\r\n")[2]
                received.append(data)
                await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(data) + data)

        async with Scripted(echo) as server, Client(target(server.port)) as client:
            for _ in range(2):
                assert await client.fetch(body=body) == (200, body)
            assert received == [body, body]
            assert server.connections == 1

    run(main())


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_an_answer_before_the_request_was_read_is_taken_and_the_connection_ends(connection: bytes) -> None:
    """A server that refuses a large body at once, without reading it."""
    refusal = b"HTTP/1.1 413 Too Large\r\ncontent-length: 4\r\nconnection: " + connection + b"\r\n\r\nbig!"

    async def main() -> None:
        async def early(peer: Peer, _: int) -> None:
            await peer.reader.readuntil(b"\r\n\r\n")
            await peer.send(refusal)
            await ended.wait()
            await peer.gone()

        ended = asyncio.Event()
        async with Scripted(early) as server, Client(target(server.port)) as client:
            pool = client.upstream.pool("a")
            assert pool is not None
            body = b'{"model":"m","x":"' + b"x" * 32_000_000 + b'"}'
            assert await client.fetch(body=body) == (413, b"big!")
            assert pool.idle == 0
            ended.set()
            await until(lambda: server.open == 0 and pool.open == 0)

    run(main())


def test_closing_the_client_ends_what_is_under_way() -> None:
    async def main() -> None:
        async with Scripted(one_chunk_then_silence) as server, Client(target(server.port)) as client:
            exchange = await client.open()
            assert await anext(exchange) == b"hello"
            await client.upstream.aclose()
            with pytest.raises(UpstreamBroken) as caught:
                await anext(exchange)
            assert caught.value.kind is Kind.RESET
            await until(lambda: server.open == 0)

    run(main())
