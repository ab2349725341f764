"""Requests that two servers in a row could read differently: each is turned away with a clear error, none is forwarded.

A caller that gets a front server and this one to disagree about where a request ends, for whom it is or what its path is
sends a request that nobody decided about. So whatever has two readings has none here.
"""

import asyncio
import json
import re
from pathlib import Path

import pytest

from policyd.proxy.chunk_lines import MANY, ChunkLines, end_of_head
from tests.proxy.bench import CHAT, get, parsed, post, records, three
from tests.upstream.scripted import run, until

BODY = json.dumps(CHAT).encode()
LENGTH = b"content-length: %d" % len(BODY)
CHUNKS = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
CHUNKED = b"transfer-encoding: chunked"
PATH = b"/v1/chat/completions"


def told(*headers: bytes, body: bytes = BODY, line: bytes = b"POST " + PATH + b" HTTP/1.1", host: bytes = b"host: localhost") -> bytes:  # fmt: skip
    """A request with these headers after the ones that every request has."""
    lines = [line, *([host] if host else []), b"content-type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def of_target(target: bytes, method: bytes = b"POST", version: bytes = b"HTTP/1.1") -> bytes:
    return told(LENGTH, line=method + b" " + target + b" " + version)


LENGTHS = {
    "two equal lengths": told(LENGTH, LENGTH),
    "two different lengths": told(LENGTH, b"content-length: 3"),
    "a list of lengths": told(b"content-length: %d, %d" % (len(BODY), len(BODY))),
    "a length with a sign": told(b"content-length: +%d" % len(BODY)),
    "a negative length": told(b"content-length: -1"),
    "a length in hexadecimal": told(b"content-length: 0x%x" % len(BODY)),
    "a length with a space inside": told(b"content-length: 1 2"),
    "a length beyond every integer": told(b"content-length: 99999999999999999999999"),
    "an empty length": told(b"content-length:"),
    "a length in other digits": told("content-length: ٣".encode()),
}
CODINGS = {
    "a length and chunks": told(LENGTH, CHUNKED, body=CHUNKS),
    "chunks and a length": told(CHUNKED, LENGTH, body=CHUNKS),
    "chunks and a length of zero": told(CHUNKED, b"content-length: 0", body=CHUNKS),
    "two codings, both chunked": told(CHUNKED, CHUNKED, body=CHUNKS),
    "a list of two chunked": told(b"transfer-encoding: chunked, chunked", body=CHUNKS),
    "another coding before chunks": told(b"transfer-encoding: gzip, chunked", body=CHUNKS),
    "another coding before chunks, in two headers": told(b"transfer-encoding: gzip", CHUNKED, body=CHUNKS),
    "chunks before another coding": told(b"transfer-encoding: chunked, identity", body=CHUNKS),
    "the coding identity": told(b"transfer-encoding: identity", body=CHUNKS),
    "the coding identity and a length": told(b"transfer-encoding: identity", LENGTH),
    "an unknown coding": told(b"transfer-encoding: xchunked", body=CHUNKS),
    "a coding with a parameter": told(b"transfer-encoding: chunked;q=1", body=CHUNKS),
    "a coding in quotes": told(b'transfer-encoding: "chunked"', body=CHUNKS),
    "a coding behind a vertical tab": told(b"transfer-encoding: \x0bchunked", body=CHUNKS),
    "an empty coding": told(b"transfer-encoding:", body=CHUNKS),
    "a folded coding": told(b"transfer-encoding:\r\n chunked", body=CHUNKS),
    "chunks behind an offer of another protocol": told(
        CHUNKED, b"connection: Upgrade", b"upgrade: h2c", body=CHUNKS
    ),
    "chunks in HTTP/1.0": told(CHUNKED, body=CHUNKS, line=b"POST " + PATH + b" HTTP/1.0"),
}
CHUNK_LINES = {
    "a chunk with an extension": CHUNKS.replace(b"\r\n", b";a=b\r\n", 1),
    "a chunk with a bare semicolon": CHUNKS.replace(b"\r\n", b";\r\n", 1),
    "a chunk with a quoted extension": CHUNKS.replace(b"\r\n", b';a="b\r\n"\r\n', 1),
    "an extension that ends in a bare line feed": CHUNKS.replace(b"\r\n", b";\n", 1),
    "an extension of the last chunk": CHUNKS.replace(b"\r\n0\r\n", b"\r\n0;a=b\r\n"),
    "a space behind the size": CHUNKS.replace(b"\r\n", b" \r\n", 1),
    "a size with a prefix": b"0x" + CHUNKS,
    "a size with a sign": b"+" + CHUNKS,
    "a negative size": b"-1\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size beyond every integer": b"fffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n",
    "a size with more digits than any has": b"0" * 17 + CHUNKS,
    "no size": b"\r\n" + BODY + b"\r\n0\r\n\r\n",
    "chunks with bare line feeds": CHUNKS.replace(b"\r\n", b"\n"),
    "a chunk that is longer than it says": CHUNKS.replace(BODY, BODY + b"X"),
    "a trailer": CHUNKS[:-2] + b"x-a: b\r\n\r\n",
    "a trailer with a length": CHUNKS[:-2] + b"content-length: 3\r\n\r\n",
}  # fmt: skip
HEADERS = {
    "a folded header": told(LENGTH, b"x-a: b\r\n c"),
    "a folded first header": told(LENGTH, host=b" folded: yes\r\nhost: localhost"),
    "a folded host": told(LENGTH, host=b"host:\r\n localhost"),
    "line feeds alone": told(LENGTH, body=b"").replace(b"\r\n", b"\n") + BODY,
    "one line feed alone": told(LENGTH, b"x-a: b\nx-c: d"),
    "a carriage return alone": told(LENGTH, b"x-a: b\rc"),
    "a carriage return alone before a header": told(LENGTH, b"x-a: b\rx-data-class: internal"),
    "a NUL in a value": told(LENGTH, b"x-a: b\0c"),
    "a NUL in a name": told(LENGTH, b"x\0a: b"),
    "a control in a value": told(LENGTH, b"x-a: b\x01c"),
    "a delete in a value": told(LENGTH, b"x-a: b\x7fc"),
    "a space in a name": told(LENGTH, b"x a: b"),
    "a space before the colon": told(b"content-length : %d" % len(BODY)),
    "a tab before the colon": told(LENGTH, b"x-a\t: b"),
    "a name without a colon": told(LENGTH, b"x-a"),
    "no name": told(LENGTH, b": b"),
    "a name beyond ASCII": told(LENGTH, "x-ä: b".encode()),
    "no host": told(LENGTH, host=b""),
    "two hosts": told(LENGTH, b"host: localhost"),
    "two different hosts": told(LENGTH, b"host: elsewhere"),
    "two hosts in HTTP/1.0": told(LENGTH, b"host: localhost", line=b"POST " + PATH + b" HTTP/1.0"),
}
LINES = {
    "an absolute address": of_target(b"http://localhost" + PATH),
    "the absolute address of another host": of_target(b"http://elsewhere" + PATH),
    "an absolute address over TLS": of_target(b"https://elsewhere" + PATH),
    "the address of a tunnel": b"CONNECT elsewhere:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    "a path without its slash": of_target(PATH[1:]),
    "a fragment": of_target(PATH + b"#x"),
    "a fragment behind the query": of_target(PATH + b"?a=b#x"),
    "a NUL in the path": of_target(PATH + b"\0"),
    "a space in the path": of_target(PATH.replace(b"chat", b"chat /")),
    "a byte beyond ASCII in the path": of_target(PATH + "ä".encode()),
    "a tab behind the method": told(LENGTH, line=b"POST\t" + PATH + b" HTTP/1.1"),
    "a space behind the version": told(LENGTH, line=b"POST " + PATH + b" HTTP/1.1 "),
    "a method in lower case": of_target(PATH, b"post"),
    "an unknown method": of_target(PATH, b"FETCH"),
    "HTTP/0.9": b"GET /v1/models\r\n\r\n",
    "HTTP/1.2": of_target(PATH, version=b"HTTP/1.2"),
    "HTTP/2.0": of_target(PATH, version=b"HTTP/2.0"),
    "a version of two digits": of_target(PATH, version=b"HTTP/1.10"),
    "another protocol": of_target(PATH, version=b"ICE/1.0"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(64),
    "nothing that is HTTP": b"NONSENSE\r\n\r\n",
}
REFUSED = LENGTHS | CODINGS | HEADERS | LINES | {n: told(CHUNKED, body=c) for n, c in CHUNK_LINES.items()}


@pytest.mark.parametrize("raw", REFUSED.values(), ids=REFUSED.keys())
def test_what_can_be_read_in_two_ways_is_turned_away(tmp_path: Path, raw: bytes) -> None:
    async def test() -> str:
        async with three(tmp_path) as running:
            answer = await running.ask(raw)
            assert (answer.status, answer.code, answer.clean) == (400, "caller_not_http", True), answer.raw
            assert answer.headers[b"connection"] == b"close"
            assert answer.headers[b"x-should-retry"] == b"false"
            assert answer.headers[b"x-policyd-policy"] == running.serving.sidecar.live.tag
            decision = answer.headers[b"x-policyd-decision"].decode()
            assert decision in answer.json["error"]["message"]
            assert all(r.connections == 0 for r in running.recorders.values())
            return decision

    decisions: list[str] = []

    async def keep() -> None:
        decisions.append(await test())

    run(keep())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["status"], record["outcome"]) == (400, "caller_not_http")
    assert record["decision"] == decisions[0]


@pytest.mark.parametrize("raw", CHUNK_LINES.values(), ids=CHUNK_LINES.keys())
@pytest.mark.parametrize("size", [1, 7])
def test_pieces_of_any_size_are_read_alike(tmp_path: Path, raw: bytes, size: int) -> None:
    request = told(CHUNKED, body=raw)

    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.transport.set_write_buffer_limits(0)
            for at in range(0, len(request), size):
                writer.write(request[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            assert parsed(await reader.read()).code == "caller_not_http"
            writer.close()
            assert running.sent_anywhere() == 0

    run(test())


ALIKE = {
    "chunks": told(CHUNKED, body=CHUNKS),
    "the coding in capitals": told(b"transfer-encoding: CHUNKED", body=CHUNKS),
    "the coding behind a tab": told(b"transfer-encoding:\tchunked", body=CHUNKS),
    "sizes with zeros in front": told(CHUNKED, body=b"000" + CHUNKS),
    "sizes in capitals": told(CHUNKED, body=CHUNKS.replace(b"%x" % len(BODY), b"%X" % len(BODY))),
    "one chunk for each byte": told(CHUNKED, body=b"".join(b"1\r\n%b\r\n" % BODY[n : n + 1] for n in range(len(BODY))) + b"0\r\n\r\n"),
    "empty lines before the request": b"\r\n\r\n" + told(LENGTH),
    "empty lines before chunks": b"\r\n\r\n" + told(CHUNKED, body=CHUNKS),
    "HTTP/1.0": told(LENGTH, line=b"POST " + PATH + b" HTTP/1.0"),
    "HTTP/1.0 without a host": told(LENGTH, line=b"POST " + PATH + b" HTTP/1.0", host=b""),
    "a length with zeros in front": told(b"content-length: 000%d" % len(BODY)),
    "an offer to speak HTTP/2": told(LENGTH, b"connection: Upgrade, HTTP2-Settings", b"upgrade: h2c", b"http2-settings: AAMAAABkAAQAoAAA"),
    "a coding with an underscore, which is a header like any other": told(LENGTH, b"transfer_encoding: chunked"),
}  # fmt: skip


@pytest.mark.parametrize("raw", ALIKE.values(), ids=ALIKE.keys())
def test_what_every_server_reads_alike_is_served_and_said_anew(tmp_path: Path, raw: bytes) -> None:
    """What reaches the target is policyd's own framing, whatever the caller's was: one length, and the very body."""

    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(raw)
            first = await reader.readuntil(b'{"fine":true}')
            writer.close()
            assert first.startswith(b"HTTP/1.1 200")
            (head,) = running.recorders["cloud"].heads
            assert running.recorders["cloud"].bodies == [BODY]
            names = [line.partition(b":")[0].lower() for line in head[1:]]
            assert names.count(b"content-length") == names.count(b"host") == 1
            assert not {
                b"transfer-encoding",
                b"transfer_encoding",
                b"upgrade",
                b"connection",
                b"http2-settings",
            } & set(names)

    run(test())


def test_a_request_hidden_behind_another_is_never_read(tmp_path: Path) -> None:
    """The classic: a body that a front server counts by its length holds a second request."""
    hidden = post("/v1/messages", CHAT)

    async def test() -> None:
        async with three(tmp_path) as running:
            for raw in (
                told(b"content-length: %d" % (5 + len(hidden)), CHUNKED, body=b"0\r\n\r\n" + hidden),
                told(CHUNKED, b"content-length: 4", body=b"0\r\n\r\n" + hidden),
                told(b"content-length: 0", LENGTH, body=hidden),
                told(b"content-length: 2", line=b"GET / HTTP/1.1", body=b"{}" + hidden),
                told(LENGTH, b"connection: upgrade", b"upgrade: websocket", body=BODY + hidden),
            ):
                await running.ask(raw)
            assert running.sent_anywhere() == 0

    run(test())
    assert "messages" not in {r["endpoint"] for r in records(tmp_path / "decisions.jsonl")}


PATHS = (
    "/v1/chat/completions/", "/v1//chat/completions", "//v1/chat/completions", "/v1/./chat/completions", "/./v1/chat/completions",
    "/v1/x/../chat/completions", "/../v1/chat/completions", "/v1/chat/..;/chat/completions", "/v1/chat%2fcompletions",
    "/v1/chat%2Fcompletions", "/v1%2fchat/completions", "/%76%31/chat/completions", "/v1/%63hat/completions", "/v1/%2e/chat/completions",
    "/v1/%2e%2e/v1/chat/completions", "/v1/chat/completions%00", "/v1/chat/completions%20", "/v1/chat/completions;x=1",
    "/v1;x/chat/completions", "/V1/chat/completions", "/v1/Chat/Completions", "/v1/chat\\completions", "/v1/chat/completions.json",
    "/v1/chat/completions%3fa=b", "/v1/chat/completions%23", "/v1/chat/completions/..%2fcompletions", "/v1/chat/completions&a=b",
    "/v1/chat/completions:generate", "/v1/chat/completions//", "/v1/models%2f", "/elsewhere/v1/chat/completions",
)  # fmt: skip


@pytest.mark.parametrize("prefix", ["", "/llm"], ids=["without a prefix", "below a prefix"])
def test_tricks_with_paths_are_unknown_paths(tmp_path: Path, prefix: str) -> None:
    async def test() -> None:
        async with three(tmp_path, listen=f'prefix = "{prefix}"') as running:
            for path in PATHS:
                answer = await running.ask(post(prefix + path, CHAT))
                assert (answer.status, answer.code) == (404, "caller_unknown_path"), path
            assert running.sent_anywhere() == 0
            assert (await running.ask(post(prefix + PATH.decode(), CHAT))).status == 200

    run(test())


QUERIES = (
    "?model=other&a=%00", "?a=b;c=d", "?a[]=1", "?a=1&a=2", "?%6dodel=x", "?a=%0d%0ax-evil:1", "?a=b?c=d",
)  # fmt: skip


def test_a_query_is_passed_on_as_it_came_and_adds_no_line(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            for query in QUERIES:
                assert (await running.ask(post(PATH.decode() + query, CHAT))).status == 200
            lines = [head[0] for head in running.recorders["cloud"].heads]
            assert lines == [b"POST %b%b HTTP/1.1" % (PATH, query.encode()) for query in QUERIES]
            assert not any(
                line.startswith(b"x-evil") for head in running.recorders["cloud"].heads for line in head
            )

    run(test())


@pytest.mark.parametrize(
    ("head", "shape"),
    [
        (b"POST /v1/messages HTTP/1.1\r\nhost: x\r\nbad\r\n\r\n", "anthropic"),
        (
            b"GET /v1/models HTTP/1.1\r\nhost: x\r\nanthropic-version: 2023-06-01\r\naccept: x\r\nbad\r\n\r\n",
            "anthropic",
        ),
        (b"GET /v1/models HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\naccept: x\r\nbad\r\n\r\n", "anthropic"),
        (b"POST /v1/responses HTTP/1.1\r\nhost: x\r\nbad\r\n\r\n", "openai"),
        (b"NONSENSE\r\n\r\n", "both"),
    ],
)
def test_a_broken_request_is_answered_in_its_dialect_as_far_as_one_can_tell(
    tmp_path: Path, head: bytes, shape: str
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            body = (await running.ask(head)).json
            assert (body.get("type") == "error") == (shape != "openai")
            assert ("request_id" in body) == (shape != "openai")
            assert ("param" in body["error"]) == (shape != "anthropic")
            assert body["error"]["type"] == "invalid_request_error"

    run(test())


def test_what_the_caller_sent_stands_neither_in_the_answer_nor_in_the_log(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(told(LENGTH, b"x-word WORD: 1", b"authorization: WORD", body=b"WORD"))
            assert answer.status == 400
            assert b"WORD" not in answer.raw

    run(test())
    assert b"WORD" not in (tmp_path / "decisions.jsonl").read_bytes()


def test_a_request_that_breaks_off_inside_its_body_has_one_answer_and_one_record(tmp_path: Path) -> None:
    decisions: list[str] = []

    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(told(CHUNKED, body=CHUNKS[:-5]))
            await writer.drain()
            await until(lambda: running.serving.sidecar.held > 0)
            writer.write(b"0;x\r\n\r\n")
            answer = parsed(await reader.read())
            writer.close()
            assert (answer.status, answer.code, answer.clean) == (400, "caller_not_http", True)
            decisions.append(answer.headers[b"x-policyd-decision"].decode())
            assert running.sent_anywhere() == 0

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["endpoint"], record["status"], record["outcome"]) == ("chat", 400, "caller_not_http")
    assert [record["decision"]] == decisions


def test_a_connection_is_not_used_again_after_an_offer_of_another_protocol(tmp_path: Path) -> None:
    """The parser gives what follows to the other protocol, so nothing that follows is read as a request."""

    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            offer = told(LENGTH, b"connection: Upgrade", b"upgrade: h2c")
            writer.write(offer + post("/v1/messages", CHAT))
            raw = await reader.read()
            writer.close()
            assert len(re.findall(rb"HTTP/1.1 \d+", raw)) == 1
            assert b"connection: close" in raw
            assert running.sent_anywhere() == 1

    run(test())


@pytest.mark.parametrize("size", [1, 40, len(BODY)], ids=["byte by byte", "in pieces", "at once"])
def test_the_body_behind_an_offer_of_another_protocol_may_come_later(tmp_path: Path, size: int) -> None:
    """Java's client offers HTTP/2 with every request in the clear, and sends head and body apart."""

    async def test() -> None:
        async with three(tmp_path) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(
                told(LENGTH, b"connection: Upgrade", b"upgrade: h2c", b"expect: 100-continue", body=b"")
            )
            await reader.readuntil(b"\r\n\r\n")
            for at in range(0, len(BODY), size):
                writer.write(BODY[at : at + size])
                await writer.drain()
                await asyncio.sleep(0)
            answer = parsed(await reader.read())
            writer.close()
            assert (answer.status, answer.clean) == (200, True)
            assert running.recorders["cloud"].bodies == [BODY]

    run(test())


def test_methods_that_no_endpoint_has_are_told_which_it_has(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            for method in ("PUT", "DELETE", "PATCH", "TRACE", "OPTIONS", "PROPFIND"):
                answer = await running.ask(get("/v1/messages", method))
                assert (answer.status, answer.headers[b"allow"]) == (405, b"POST, HEAD")
                answer = await running.ask(get("/v1/models", method))
                assert (answer.status, answer.headers[b"allow"]) == (405, b"GET, HEAD")
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize("cut", range(1, len(b"a\r\n\r\nbody")))
def test_the_end_of_a_head_is_found_wherever_it_is_cut(cut: int) -> None:
    head = b"a\r\n\r\nbody"
    before, data = head[:cut], head[cut:]
    if b"\r\n\r\n" not in before:
        assert data[end_of_head(before, data) :] == b"body"
    assert head[end_of_head(b"", head) :] == b"body"
    assert (b"\r\n\r\n" + head)[end_of_head(b"", b"\r\n\r\n" + head) :] == b"body"


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_behind_the_last_chunk_nothing_is_looked_at(size: int) -> None:
    lines = ChunkLines()
    raw = CHUNKS + b"GET / HTTP/1.1;x\r\n"
    assert all(lines.feed(raw[at : at + size]) for at in range(0, len(raw), size))


def test_many_tiny_chunks_are_not_taken_and_many_of_some_size_are() -> None:
    """A chunk of one byte costs as much work as a large one, and a body of 32 MiB could have 32 million of them."""
    tiny = ChunkLines()
    assert tiny.feed(b"1\r\nx\r\n" * MANY)
    assert not tiny.feed(b"1\r\nx\r\n")
    some = ChunkLines()
    assert some.feed(b"40\r\n" + b"x" * 64 + b"\r\n") and all(
        some.feed(b"40\r\n" + b"x" * 64 + b"\r\n") for _ in range(2 * MANY)
    )


def test_a_body_in_too_many_tiny_chunks_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(told(CHUNKED, body=b"1\r\n \r\n" * 100_000))
            assert (answer.status, answer.code) == (400, "caller_not_http")
            assert running.sent_anywhere() == 0

    run(test())


def test_a_path_counts_as_part_of_the_head(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { header = "4KiB" }') as running:
            for size, code in (
                (3_000, "caller_unknown_path"),
                (5_000, "caller_not_http"),
                (100_000, "caller_not_http"),
            ):
                answer = await running.ask(get("/" + "x" * size))
                assert answer.code == code

    run(test())
