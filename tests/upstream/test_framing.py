"""What is an answer, and what only looks like one: every framing and every cut, byte for byte.

Each row is a server's bytes, then the close of the connection, and what the client makes of it.
"""

import pytest

from policyd.proxy.upstream.answer import MAX_HEAD_BYTES, MAX_HEAD_COUNT
from policyd.proxy.upstream.errors import Kind, UpstreamBroken
from tests.upstream.scripted import OK, Client, Peer, Scripted, answering, answering_then_closing, run, target

H = b"HTTP/1.1 200 OK\r\n"
CHUNKED = H + b"transfer-encoding: chunked\r\n\r\n"

WHOLE = {
    "a length": (H + b"content-length: 5\r\n\r\nhello", b"hello"),
    "an empty body by length": (H + b"content-length: 0\r\n\r\n", b""),
    "chunks": (CHUNKED + b"3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", b"hello"),
    "chunks with extensions": (CHUNKED + b"5;a=b;c=\"d\"\r\nhello\r\n0;z\r\n\r\n", b"hello"),
    "chunks in capitals and with zeros": (CHUNKED + b"00A\r\nhellohello\r\n0\r\n\r\n", b"hellohello"),
    "no chunk but the last": (CHUNKED + b"0\r\n\r\n", b""),
    "until the close": (H + b"\r\nhello", b"hello"),
    "nothing until the close": (H + b"\r\n", b""),
    "HTTP/1.0 until the close": (b"HTTP/1.0 200 OK\r\n\r\nhello", b"hello"),
    "connection: close with a length": (H + b"connection: close\r\ncontent-length: 5\r\n\r\nhello", b"hello"),
    "interim answers first": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK, b"ok"),
    "no reason phrase": (b"HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nok", b"ok"),
    "a 204 without a body": (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
    "a 304 whose length is of another answer": (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 99\r\n\r\n", b""),
}  # fmt: skip

BROKEN = {
    "no byte": (b"", Kind.RESET),
    "a cut status line": (b"HTTP/1.1 20", Kind.TRUNCATED),
    "a cut head": (H + b"content-len", Kind.TRUNCATED),
    "only an interim answer": (b"HTTP/1.1 100 Continue\r\n\r\n", Kind.TRUNCATED),
    "a short body": (H + b"content-length: 6\r\n\r\nhello", Kind.TRUNCATED),
    "no body at all": (H + b"content-length: 6\r\n\r\n", Kind.TRUNCATED),
    "a cut chunk": (CHUNKED + b"5\r\nhel", Kind.TRUNCATED),
    "no last chunk": (CHUNKED + b"5\r\nhello\r\n", Kind.TRUNCATED),
    "a last chunk without its end": (CHUNKED + b"5\r\nhello\r\n0\r\n", Kind.TRUNCATED),
    "a chunk size that is no number": (CHUNKED + b"xyz\r\nhello\r\n0\r\n\r\n", Kind.MALFORMED),
    "a chunk size beyond 64 bits": (CHUNKED + b"1" * 17 + b"\r\nhello\r\n", Kind.MALFORMED),
    "a chunk longer than its size": (CHUNKED + b"2\r\nhello\r\n0\r\n\r\n", Kind.MALFORMED),
    "a length and chunks": (H + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", Kind.MALFORMED),
    "two lengths": (H + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello", Kind.MALFORMED),
    "a negative length": (H + b"content-length: -5\r\n\r\nhello", Kind.MALFORMED),
    "a length that is no number": (H + b"content-length: 0x5\r\n\r\nhello", Kind.MALFORMED),
    "another transfer coding": (H + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", Kind.MALFORMED),
    "chunked twice": (H + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", Kind.MALFORMED),
    "a switch of protocols": (b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", Kind.MALFORMED),
    "a status of two digits": (b"HTTP/1.1 20 OK\r\n\r\n", Kind.MALFORMED),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", Kind.MALFORMED),
    "HTTP/2": (b"HTTP/2.0 200 OK\r\n\r\n", Kind.MALFORMED),
    "a folded header": (H + b"a: b\r\n c\r\ncontent-length: 0\r\n\r\n", Kind.MALFORMED),
    "a space before the colon": (H + b"content-length : 0\r\n\r\n", Kind.MALFORMED),
    "a NUL in a value": (H + b"a: b\0c\r\ncontent-length: 0\r\n\r\n", Kind.MALFORMED),
    "too many headers": (H + b"a: b\r\n" * (MAX_HEAD_COUNT + 1) + b"\r\n", Kind.MALFORMED),
    "a header too large": (H + b"a: " + b"b" * (MAX_HEAD_BYTES + 1) + b"\r\n\r\n", Kind.MALFORMED),
    "a header that never ends": (H + b"a" * (3 * MAX_HEAD_BYTES), Kind.MALFORMED),
    "interim answers without end": (b"HTTP/1.1 102 Processing\r\n\r\n" * 9000, Kind.MALFORMED),
    "a trailer too large": (CHUNKED + b"0\r\nt: " + b"x" * (3 * MAX_HEAD_BYTES), Kind.MALFORMED),
    "a chunk extension too large": (CHUNKED + b"5;" + b"x" * (3 * MAX_HEAD_BYTES), Kind.MALFORMED),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_answer_is_given_byte_for_byte(case: str) -> None:
    data, body = WHOLE[case]

    async def main() -> None:
        async with Scripted(answering_then_closing(data)) as server, Client(target(server.port)) as client:
            _, received = await client.fetch()
            assert received == body

    run(main())


@pytest.mark.parametrize("case", WHOLE)
def test_a_whole_answer_survives_any_split(case: str) -> None:
    data, body = WHOLE[case]

    async def byte_by_byte(peer: Peer, _: int) -> None:
        await peer.request()
        for position in range(len(data)):
            await peer.send(data[position : position + 1])

    async def main() -> None:
        async with Scripted(byte_by_byte) as server, Client(target(server.port)) as client:
            _, received = await client.fetch()
            assert received == body

    run(main())


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_answer_is_never_a_clean_end(case: str) -> None:
    data, kind = BROKEN[case]

    async def main() -> None:
        async with Scripted(answering_then_closing(data)) as server, Client(target(server.port)) as client:
            with pytest.raises(UpstreamBroken) as caught:
                await client.fetch()
            assert caught.value.kind is kind
            assert server.connections == 1

    run(main())


def test_what_arrived_before_a_cut_is_given_first() -> None:
    async def main() -> None:
        script = answering_then_closing(H + b"content-length: 9\r\n\r\nhello")
        async with Scripted(script) as server, Client(target(server.port)) as client:
            exchange = await client.open()
            pieces: list[bytes] = []
            with pytest.raises(UpstreamBroken):
                async for piece in exchange:
                    pieces.append(piece)
            assert b"".join(pieces) == b"hello"
            assert not exchange.finished

    run(main())


def test_a_head_request_has_no_body_whatever_its_length_says() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(H + b"content-length: 99\r\n\r\n")) as server,
            Client(target(server.port)) as client,
        ):
            for _ in range(3):
                assert await client.fetch(method=b"HEAD") == (200, b"")
            assert server.connections == 1

    run(main())


def test_a_body_after_head_ends_the_connection_and_not_the_answer() -> None:
    async def main() -> None:
        async with (
            Scripted(answering(H + b"content-length: 2\r\n\r\nok")) as server,
            Client(target(server.port)) as client,
        ):
            assert await client.fetch(method=b"HEAD") == (200, b"")
            assert await client.fetch(method=b"HEAD") == (200, b"")
            assert server.connections == 2

    run(main())


def test_trailers_come_with_the_end_and_do_not_leak_into_the_next_answer() -> None:
    async def main() -> None:
        data = CHUNKED + b"5\r\nhello\r\n0\r\nx-usage: 7\r\nx-last: yes\r\n\r\n"
        async with Scripted(answering(data)) as server, Client(target(server.port)) as client:
            for _ in range(2):
                exchange = await client.open()
                assert exchange.headers == [(b"transfer-encoding", b"chunked")]
                assert b"".join([piece async for piece in exchange]) == b"hello"
                assert exchange.trailers == [(b"x-usage", b"7"), (b"x-last", b"yes")]
            assert server.connections == 1

    run(main())


def test_headers_come_in_order_with_lower_case_names_and_their_own_values() -> None:
    async def main() -> None:
        data = (
            H
            + b"Set-Cookie: a=1\r\nset-cookie: b=2\r\nX-Odd:\tsp aced\r\nContent-Encoding: gzip\r\ncontent-length: 2\r\n\r\n\x1f\x8b"
        )
        async with Scripted(answering(data)) as server, Client(target(server.port)) as client:
            exchange = await client.open()
            assert exchange.headers == [
                (b"set-cookie", b"a=1"),
                (b"set-cookie", b"b=2"),
                (b"x-odd", b"sp aced"),
                (b"content-encoding", b"gzip"),
                (b"content-length", b"2"),
            ]
            assert b"".join([piece async for piece in exchange]) == b"\x1f\x8b"

    run(main())


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_answer_and_never_followed(status: int) -> None:
    async def main() -> None:
        async with Scripted(answering(OK)) as elsewhere:
            location = f"http://127.0.0.1:{elsewhere.port}/v1/chat/completions"
            data = (
                f"HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()
            )
            async with Scripted(answering(data)) as server, Client(target(server.port)) as client:
                assert await client.fetch() == (status, b"")
                assert elsewhere.connections == 0

    run(main())


def test_a_second_answer_nobody_asked_for_is_dropped_with_its_connection() -> None:
    async def main() -> None:
        data = OK + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil"
        async with Scripted(answering(data)) as server, Client(target(server.port)) as client:
            for _ in range(3):
                assert await client.fetch() == (200, b"ok")
            assert server.connections == 3

    run(main())
