"""Requests that must not pass: each is answered with a clear error, and nothing is sent anywhere."""

from pathlib import Path

import pytest

from tests.proxy.bench import CHAT, MESSAGES, Answer, get, post, records, three
from tests.upstream.scripted import run

CASES: dict[str, tuple[bytes, int, str]] = {
    "malformed JSON": (post("/v1/chat/completions", b'{"model": "gpt-5", '), 400, "caller_malformed_json"),
    "JSON that is no object": (post("/v1/chat/completions", b"[1, 2]"), 400, "caller_not_an_object"),
    "an empty body": (post("/v1/chat/completions", b""), 400, "caller_empty_body"),
    "a body that is not UTF-8": (
        post("/v1/chat/completions", b'{"model": "gpt-5", "messages": [{"role": "user", "content": "\xff\xfe"}]}'),
        400,
        "caller_not_utf8",
    ),
    "a lone surrogate": (
        post("/v1/chat/completions", b'{"model": "\\ud800", "messages": []}'), 400, "caller_malformed_json",
    ),
    "duplicate keys": (
        post("/v1/chat/completions", b'{"model": "a", "model": "b", "messages": []}'), 400, "caller_duplicate_key",
    ),
    "duplicate keys below": (
        post("/v1/messages", b'{"model": "a", "messages": [{"role": "user", "content": "x", "content": "y"}]}'),
        400,
        "caller_duplicate_key",
    ),
    "nesting without end": (post("/v1/chat/completions", b"[" * 5000), 400, "caller_too_deep"),
    "a wrong content type": (
        post("/v1/chat/completions", CHAT, content_type="text/plain"), 415, "caller_content_type",
    ),
    "no content type": (post("/v1/chat/completions", CHAT, content_type=""), 415, "caller_content_type"),
    "two content types": (
        post("/v1/messages", MESSAGES).replace(b"\r\n\r\n", b"\r\ncontent-type: text/plain\r\n\r\n", 1),
        415,
        "caller_content_type",
    ),
    "a compressed body": (
        post("/v1/chat/completions", b"\x1f\x8b\x08", content_encoding="gzip"), 415, "caller_content_encoding",
    ),
    "a reach key": (
        post("/v1/chat/completions", CHAT | {"fallbacks": [{"model": "elsewhere"}]}), 400, "caller_reach_key",
    ),
    "a body of the wrong shape": (
        post("/v1/messages", {"model": ["a"], "messages": []}), 400, "caller_wrong_shape",
    ),
    "an unknown path": (post("/v1/engines/gpt/completions", CHAT), 404, "caller_unknown_path"),
    "a path that another server would read differently": (
        post("/v1//chat/completions", CHAT), 404, "caller_unknown_path",
    ),
    "dots in a path": (post("/v1/x/../chat/completions", CHAT), 404, "caller_unknown_path"),
    "an encoded path": (post("/v1/chat%2Fcompletions", CHAT), 404, "caller_unknown_path"),
    **{
        f"a query with {char}": (post(f"/v1/chat/completions?a={char}", CHAT), 400, "caller_bad_query")
        for char in '{"^`'
    },
    "a wrong method": (get("/v1/chat/completions", "DELETE"), 405, "caller_method_not_allowed"),
    "an upgrade to a websocket": (
        get("/v1/responses").replace(b"connection: close", b"connection: upgrade\r\nupgrade: websocket"),
        426,
        "caller_upgrade_refused",
    ),
    "a claimed value outside its domain": (
        post("/v1/chat/completions", CHAT, x_latency="now"), 400, "caller_bad_value",
    ),
    "a label outside its domain": (
        post("/v1/chat/completions", CHAT, x_data_class="secret"), 400, "caller_bad_value",
    ),
    "a policy header that was sent twice": (
        post("/v1/chat/completions", CHAT, x_data_class="internal").replace(
            b"\r\n\r\n", b"\r\nX-Data-Class: internal\r\n\r\n", 1
        ),
        400,
        "caller_bad_header",
    ),
    "a policy header that is not UTF-8": (
        post("/v1/chat/completions", CHAT, x_latency="\xff"), 400, "caller_bad_value",
    ),
    "a model name without end": (
        post("/v1/chat/completions", CHAT | {"model": "m" * 2000}), 400, "caller_bad_value",
    ),
    "a body beyond the limit": (post("/v1/chat/completions", b" " * 70_000), 413, "caller_too_large"),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status", "code"), CASES.values(), ids=CASES.keys())
def test_a_bad_request_is_refused_and_nothing_is_sent(
    tmp_path: Path, request_: bytes, status: int, code: str
) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "64KiB" }') as running:
            answer = await running.ask(request_)
            assert (answer.status, answer.code) == (status, code), answer.body
            assert answer.clean
            assert answer.headers[b"x-should-retry"] == b"false"
            assert answer.headers[b"x-policyd-decision"].decode() in answer.json["error"]["message"]
            assert all(r.connections == 0 for r in running.recorders.values())

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["status"], record["outcome"]) == (status, code)


@pytest.mark.parametrize(
    "request_",
    [
        post("/v1/WORD", CHAT),
        get("/v1/models/WORD"),
        post("/v1/chat/completions", CHAT, x_latency="WORD"),
        post("/v1/chat/completions", CHAT, x_data_class="WORD"),
        post("/v1/chat/completions", b'{"model": "gpt-5", "messages": [], "WORD": 1, "WORD": 2}'),
    ],
    ids=["path", "model", "header", "label", "key"],
)
def test_what_the_caller_wrote_is_told_to_the_caller_and_not_to_the_log(
    tmp_path: Path, request_: bytes
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(request_)
            assert b"WORD" in answer.body

    run(test())
    assert b"WORD" not in (tmp_path / "decisions.jsonl").read_bytes()
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["said"]


def test_a_body_that_is_streamed_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { body = "1KiB" }') as running:
            head = post("/v1/chat/completions", b"", content_length="", transfer_encoding="chunked")
            answer = await running.ask(head + b"400\r\n" + b" " * 1024 + b"\r\n1\r\n \r\n0\r\n\r\n")
            assert (answer.status, answer.code) == (413, "caller_too_large")
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize(
    "raw",
    [b"NONSENSE\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"POST /v1/messages HTTP/1.1\r\ncontent-length: x\r\n\r\n",
     b"POST /v1/messages HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
    ids=["no HTTP", "an unknown version", "a length that is no number", "a length and chunks"],
)  # fmt: skip
def test_what_is_not_http_is_refused_by_the_server(tmp_path: Path, raw: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            answer = await running.ask(raw)
            assert answer.status == 400
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize(
    "head",
    [b"x-pad: " + b"x" * 5000, b"".join(b"x-%d: y\r\n" % n for n in range(1200)) + b"\r\n"],
    ids=["a header that does not end", "headers without number"],
)
def test_headers_beyond_the_limit_are_refused(tmp_path: Path, head: bytes) -> None:
    async def test() -> None:
        async with three(tmp_path, extra='limits = { header = "4KiB" }') as running:
            answer = await running.ask(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n" + head)
            assert answer.status == 400
            assert running.sent_anywhere() == 0

    run(test())


KEYS = """
kind = "api-keys"
[[identity.keys]]
sha256 = "0c6b9ae4ba4cf6a8b8ac06c9ee2bd0d5c5b9a4d4d5ea6f6c7b9f3d6a0f1fd0a7"
team = "search"
"""


@pytest.mark.parametrize(
    "headers",
    [{}, {"authorization": "Bearer wrong"}, {"x_api_key": "wrong"}, {"authorization": "Basic c2VhcmNo"}],
    ids=["none", "an unknown bearer", "an unknown x-api-key", "another scheme"],
)
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/chat/completions"])
def test_missing_and_unknown_credentials(tmp_path: Path, path: str, headers: dict[str, str]) -> None:
    async def test() -> Answer:
        async with three(tmp_path, identity=KEYS) as running:
            answer = await running.ask(post(path, CHAT, **headers))
            assert running.sent_anywhere() == 0
            return answer

    async def check() -> None:
        answer = await test()
        assert (answer.status, answer.code) == (401, "caller_unidentified")
        assert answer.json["error"]["type"] == "authentication_error"

    run(check())


def test_the_root_answers_without_a_credential_and_says_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=KEYS) as running:
            for method in ("HEAD", "GET"):
                answer = await running.ask(get("/", method))
                assert (answer.status, answer.body) == (200, b"")
                assert answer.headers[b"x-policyd-decision"]
                assert answer.headers[b"x-policyd-policy"] == running.serving.sidecar.live.tag

    run(test())
