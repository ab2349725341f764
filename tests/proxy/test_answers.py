"""Answers as they pass: compressed, with trailers, behind interim answers, and longer than any memory."""

import asyncio
import gzip
import resource
import zlib
from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, Answer, Recorder, Running, parsed, post, sidecar, three
from tests.proxy.test_failover import SSE, chunk
from tests.upstream.scripted import Peer, Scripted, run

TEXT = b'{"answer": "' + b"words and words " * 400 + b'"}'
EVENTS = b"".join(b'data: {"n": %d}\n\n' % n for n in range(50)) + b"data: [DONE]\n\n"


def _zlib(data: bytes) -> bytes:
    return zlib.compress(data)


ZSTD = bytes.fromhex("28b52ffd04584900007b2266696e65223a20747275657d") + bytes(4)
"""The frame of a small text. Nothing here reads it, so its checksum need not be right."""
BROTLI = bytes.fromhex("8b05807b2266696e65223a747275657d03")
CODED = {"gzip": gzip.compress(TEXT, mtime=0), "deflate": _zlib(TEXT), "br": BROTLI, "zstd": ZSTD, "gzip, br": bytes(range(256)) * 3}  # fmt: skip


@pytest.mark.parametrize("framing", ["length", "chunks"])
@pytest.mark.parametrize(("coding", "body"), CODED.items(), ids=CODED.keys())
def test_a_compressed_answer_passes_byte_for_byte_with_its_headers(
    tmp_path: Path, coding: str, body: bytes, framing: str
) -> None:
    head = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nvary: Accept-Encoding\r\netag: W/"1"\r\ncontent-encoding: %b\r\n'
    head %= coding.encode()

    async def compressing(peer: Peer, request: bytes) -> None:
        assert b"accept-encoding: gzip, deflate, br, zstd\r\n" in request
        if framing == "length":
            await peer.send(head + b"content-length: %d\r\n\r\n%b" % (len(body), body))
        else:
            await peer.send(head + b"transfer-encoding: chunked\r\n\r\n")
            for at in range(0, len(body), 7):
                await peer.send(chunk(body[at : at + 7]))
            await peer.send(b"0\r\n\r\n")

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = compressing
            answer = await running.ask(
                post("/v1/chat/completions", CHAT, accept_encoding="gzip, deflate, br, zstd")
            )
            assert (answer.status, answer.body, answer.clean) == (200, body, True)
            assert answer.headers[b"content-encoding"] == coding.encode()
            assert answer.headers[b"vary"] == b"Accept-Encoding"
            assert answer.headers[b"etag"] == b'W/"1"'

    run(test())


def test_a_compressed_stream_that_is_cut_is_no_whole_one(tmp_path: Path) -> None:
    """Nothing can be added to a compressed stream, and its end is not clean."""
    body = gzip.compress(EVENTS, mtime=0)

    async def cutting(peer: Peer, _: bytes) -> None:
        await peer.send(SSE.replace(b"\r\n\r\n", b"\r\ncontent-encoding: gzip\r\n\r\n") + chunk(body[:40]))
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = cutting
            answer = await running.ask(post("/v1/chat/completions", CHAT | {"stream": True}))
            assert (answer.body, answer.clean) == (body[:40], False)

    run(test())


TRAILED = (
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum, set-cookie\r\n\r\n"
    b"5\r\nhello\r\n0\r\nx-sum: 7\r\nset-cookie: a=b\r\nx-policyd-target: other\r\n\r\n"
)


def test_the_trailers_of_an_answer_end_here(tmp_path: Path) -> None:
    """They are no headers, could contradict those that were passed, and no client of these APIs reads any (RFC 9110, 6.5.1)."""

    async def trailing(peer: Peer, _: bytes) -> None:
        await peer.send(TRAILED)

    async def test() -> None:
        async with three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = trailing
            for _ in range(2):
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                assert (answer.body, answer.clean) == (b"hello", True)
                assert answer.headers[b"x-policyd-target"] == b"cloud"
                assert not {b"trailer", b"x-sum", b"set-cookie"} & set(answer.headers)
                assert b"x-sum" not in answer.raw
            assert cloud.connections == 1

    run(test())


INTERIM = {
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
    "102": b"HTTP/1.1 102 Processing\r\n\r\n",
    "103": b"HTTP/1.1 103 Early Hints\r\nlink: </elsewhere>; rel=preload\r\nset-cookie: a=b\r\nx-policyd-target: other\r\n\r\n",
    "many": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" * 5 + b"HTTP/1.1 103 Early Hints\r\nx-a: b\r\n\r\n",
    "an unknown one": b"HTTP/1.1 199 Odd\r\nx-a: b\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM.keys())
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_interim_answers_are_swallowed(tmp_path: Path, interim: bytes, streamed: bool) -> None:
    final = (
        SSE + chunk(EVENTS) + b"0\r\n\r\n"
        if streamed
        else b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nx-final: 1\r\n\r\n{}"
    )

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(interim)
        await asyncio.sleep(0)
        await peer.send(final)

    async def test() -> None:
        async with three(tmp_path) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = answering
            for _ in range(2):
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                assert (answer.status, answer.clean) == (200, True)
                assert answer.body == (EVENTS if streamed else b"{}")
                assert not {b"link", b"set-cookie", b"x-a"} & set(answer.headers)
                assert answer.headers[b"x-policyd-target"] == b"cloud"
                assert answer.raw.count(b"HTTP/1.1") == 1
            assert cloud.connections == 1

    run(test())


@pytest.mark.parametrize(
    "raw",
    [b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n", b"HTTP/1.1 103 Hints\r\nx: y\r\n\r\n" * 9000],
    ids=["another protocol", "hints without end"],
)  # fmt: skip
def test_an_interim_answer_that_is_none_is_a_fault_of_the_target(tmp_path: Path, raw: bytes) -> None:
    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(raw)

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert answer.headers[b"x-policyd-target"] == b"spare"

    run(test())


LONG = 200 * 1024 * 1024
PIECE = b"data: " + b"x" * (64 * 1024 - 8) + b"\n\n"


async def pouring(peer: Peer, counted: list[int], most: int) -> None:
    await peer.send(SSE)
    while counted[0] < most:
        await peer.send(chunk(PIECE))
        counted[0] += len(PIECE)
    await peer.send(chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")


def grown() -> int:
    """Bytes of memory at the highest so far; of this whole process, both ends of the wire included."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


async def asked(running: Running) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", running.port, limit=128 * 1024)
    writer.write(post("/v1/chat/completions", CHAT | {"stream": True}))
    return reader, writer


def test_a_stream_of_two_hundred_megabytes_passes_in_little_memory(tmp_path: Path) -> None:
    counted = [0]

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = lambda peer, _: pouring(peer, counted, LONG)
            reader, writer = await asked(running)
            head = await reader.readuntil(b"\r\n\r\n")
            before, received = grown(), 0
            tail = b""
            while piece := await reader.read(1 << 20):
                received += len(piece)
                tail = (tail + piece)[-64:]
            writer.close()
            assert head.startswith(b"HTTP/1.1 200")
            assert counted[0] >= LONG
            assert received > counted[0]
            assert tail.endswith(b"\n\n\r\n0\r\n\r\n")
            assert grown() - before < 48 * 1024 * 1024

    run(test())


def test_a_client_that_reads_slowly_slows_the_target_down(tmp_path: Path) -> None:
    """What a target sends is not piled up for a client that does not take it: the target has to wait."""
    counted = [0]

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = lambda peer, _: pouring(peer, counted, LONG)
            reader, writer = await asked(running)
            await reader.readuntil(b"\r\n\r\n")
            # Until nothing moves any more: every buffer on the way is full.
            still, before = 0, -1
            while still < 50:
                await asyncio.sleep(0.01)
                still, before = (still + 1 if counted[0] == before else 0), counted[0]
            assert counted[0] < 24 * 1024 * 1024
            await reader.readexactly(32 * 1024 * 1024)
            assert counted[0] > 32 * 1024 * 1024
            writer.transport.abort()

    run(test())


def test_a_target_that_does_not_read_holds_one_body_and_no_more(tmp_path: Path) -> None:
    """The other direction: the body that waits is the one that was admitted, and it is given back with the attempt."""
    body = CHAT | {"messages": [{"role": "user", "content": "word " * 500_000}]}

    async def deaf(peer: Peer, _: int) -> None:
        peer.writer.transport.pause_reading()
        await asyncio.Event().wait()

    async def test() -> None:
        async with Recorder() as cloud, Recorder() as spare, Scripted(deaf) as home:
            urls = {"home": f"http://127.0.0.1:{home.port}", "cloud": cloud.url, "spare": spare.url}
            more = {"home": 'first_byte_timeout = "300ms"\ntotal_timeout = "1s"'}
            recorders = {"cloud": cloud, "spare": spare}
            async with sidecar(tmp_path, recorders, urls=urls, targets=more) as running:
                answer = await running.ask(post("/v1/chat/completions", body))
                assert (answer.status, answer.code) == (504, "upstream_timeout")
                assert running.serving.sidecar.held == 0
                assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize("size", [1, 2, 3, 17, 4096, 70_000])
def test_a_stream_in_pieces_of_any_size_arrives_whole(tmp_path: Path, size: int) -> None:
    text = EVENTS * (200 if size > 100 else 1)

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(SSE)
        for at in range(0, len(text), size):
            await peer.send(chunk(text[at : at + size]))
        await peer.send(b"0\r\n\r\n")

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            answer: Answer = await running.ask(post("/v1/chat/completions", CHAT | {"stream": True}))
            assert (answer.body, answer.clean) == (text, True)

    run(test())


def test_a_long_answer_with_a_length_passes_whole(tmp_path: Path) -> None:
    size = 40 * 1024 * 1024

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/octet-stream\r\ncontent-length: %d\r\n\r\n" % size
        )
        for _ in range(size // (1 << 20)):
            await peer.send(bytes(1 << 20))

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            reader, writer = await asked(running)
            answer = parsed(await reader.read())
            writer.close()
            assert (answer.status, len(answer.body), answer.clean) == (200, size, True)

    run(test())


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
END = b"content-length: 2\r\n\r\n{}"
ODD = {
    "a control in a value": HEAD + b"x-a: b\x01c\r\n" + END,
    "a NUL in a value": HEAD + b"x-a: b\0c\r\n" + END,
    "a name that is no token": HEAD + b"x(a): b\r\n" + END,
    "a space before the colon": HEAD + b"x-a : b\r\n" + END,
    "no name": HEAD + b": b\r\n" + END,
    "a folded header": HEAD + b"x-a: b\r\n c\r\n" + END,
    "line feeds alone": (HEAD + END).replace(b"\r\n", b"\n"),
    "a carriage return alone": HEAD + b"x-a: b\rset-cookie: c\r\n" + END,
    "two equal lengths": HEAD + b"content-length: 2\r\n" + END,
    "two lengths": HEAD + b"content-length: 3\r\n" + END,
    "a length and chunks": HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "another coding": HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    "chunks with line feeds alone": HEAD + b"transfer-encoding: chunked\r\n\r\n2\n{}\n0\n\n",
    "another version": b"HTTP/2.0 200 OK\r\n" + END,
    "no version": b"{}\r\n\r\n",
    "a status of two digits": b"HTTP/1.1 99 X\r\n" + END,
    "a status of four digits": b"HTTP/1.1 2000 X\r\n" + END,
    "a status that HTTP does not have": b"HTTP/1.1 600 X\r\n" + END,
    "nothing changed": b"HTTP/1.1 304 Not Modified\r\n\r\n",
}  # fmt: skip


@pytest.mark.parametrize("raw", ODD.values(), ids=ODD.keys())
def test_an_answer_with_two_readings_is_no_answer(tmp_path: Path, raw: bytes) -> None:
    """What a client behind this one could read differently never gets there: the next candidate is asked."""

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(raw)
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert (answer.status, answer.headers[b"x-policyd-target"]) == (200, b"spare")
            assert b"set-cookie" not in answer.headers

    run(test())


def test_what_follows_an_answer_is_never_taken_for_the_next_one(tmp_path: Path) -> None:
    """A target that sends two answers at once would answer the next caller with what was meant for nobody."""
    planted = HEAD + b"x-planted: 1\r\n" + END

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(HEAD + END + planted)

    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = answering
            for _ in range(3):
                answer = await running.ask(post("/v1/chat/completions", CHAT))
                assert (answer.status, answer.body, answer.clean) == (200, b"{}", True)
                assert b"x-planted" not in answer.headers
            assert running.recorders["cloud"].connections == 3

    run(test())
