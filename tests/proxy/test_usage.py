"""Token usage is read from answers of every dialect, whole and streamed, however they are cut and packed."""

import json
import tracemalloc
import zlib
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.proxy.usage import KEPT, LARGEST_WHOLE, MOST_INFLATED, NOTHING, Told, Usage, tap_for

JSON = [(b"content-type", b"application/json")]
SSE = [(b"content-type", b"text/event-stream; charset=utf-8")]


def told(headers: list[tuple[bytes, bytes]], pieces: Iterable[bytes], *, curious: bool = False) -> Told:
    tap = tap_for(headers)
    assert tap is not None
    tap.curious = curious
    for piece in pieces:
        tap.feed(piece)
    return tap.told()


def events(*data: object, names: Iterable[str] = ()) -> bytes:
    named = list(names) or [""] * len(data)
    return b"".join(
        (f"event: {name}\n".encode() if name else b"")
        + b"data: "
        + (item.encode() if isinstance(item, str) else json.dumps(item).encode())
        + b"\n\n"
        for name, item in zip(named, data, strict=True)
    )


CHAT: dict[str, Any] = {
    "id": "c", "object": "chat.completion", "model": "gpt-5-2025-08-07",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": 'say "usage":{"prompt_tokens":7}'}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 20, "completion_tokens": 9, "total_tokens": 29, "prompt_tokens_details": {"cached_tokens": 16},
              "completion_tokens_details": {"reasoning_tokens": 4}},
    "service_tier": "default",
}  # fmt: skip
CHAT_USAGE = Usage(20, 9, 16, None, 4)
MESSAGES: dict[str, Any] = {
    "id": "m", "type": "message", "role": "assistant", "model": "claude-opus-4-5", "stop_reason": "tool_use",
    "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {"usage": {"input_tokens": 1, "output_tokens": 1}}}],
    "usage": {"input_tokens": 5, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 10, "output_tokens": 8},
}  # fmt: skip
MESSAGES_USAGE = Usage(115, 8, 100, 10, None)
RESPONSES: dict[str, Any] = {
    "id": "r", "object": "response", "model": "gpt-5", "output": [{"type": "message", "content": []}],
    "usage": {"input_tokens": 30, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 3,
              "output_tokens_details": {"reasoning_tokens": 1}, "total_tokens": 33},
    "user": None, "metadata": {"a": "b"},
}  # fmt: skip
RESPONSES_USAGE = Usage(30, 3, 0, None, 1)
COMPLETIONS = {
    "object": "text_completion",
    "choices": [{"text": "x", "finish_reason": "length"}],
    "usage": {"prompt_tokens": 2, "completion_tokens": 1},
}
EMBEDDINGS = {
    "object": "list",
    "data": [{"embedding": "AAAA"}],
    "usage": {"prompt_tokens": 6, "total_tokens": 6},
}

CHAT_STREAM = events(
    {"model": "gpt-5", "choices": [{"delta": {"role": "assistant"}}], "usage": None},
    {"model": "gpt-5", "choices": [{"delta": {"content": '"usage":{"prompt_tokens":1}'}}], "usage": None},
    {"model": "gpt-5", "choices": [{"delta": {}, "finish_reason": "stop"}], "usage": None},
    {"model": "gpt-5", "choices": [], "usage": CHAT["usage"]},
    "[DONE]",
)
MESSAGES_STREAM = events(
    {"type": "message_start", "message": {"model": "claude-opus-4-5", "content": [], "usage": {**MESSAGES["usage"], "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "input": {"usage": {"input_tokens": 9999, "output_tokens": 9999}}}},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 8}},
    {"type": "message_stop"},
    names=("message_start", "content_block_start", "message_delta", "message_stop"),
)  # fmt: skip
RESPONSES_STREAM = events(
    {
        "type": "response.created",
        "response": {"id": "r", "model": "gpt-5", "usage": None},
        "sequence_number": 0,
    },
    {"type": "response.output_text.delta", "delta": "x", "sequence_number": 1},
    {"type": "response.completed", "response": RESPONSES, "sequence_number": 2},
    names=("response.created", "response.output_text.delta", "response.completed"),
)


@pytest.mark.parametrize(
    ("answer", "usage"),
    [
        (CHAT, CHAT_USAGE),
        (MESSAGES, MESSAGES_USAGE),
        (RESPONSES, RESPONSES_USAGE),
        (COMPLETIONS, Usage(2, 1)),
        (EMBEDDINGS, Usage(6)),
        ({"input_tokens": 12}, None),
        ({"choices": []}, None),
        ({"usage": None}, None),
        ({"usage": {"prompt_tokens": -1, "completion_tokens": True}}, None),
        ({"usage": {"prompt_tokens": 10**12, "completion_tokens": 1}}, Usage(None, 1)),
        ([1], None),
    ],
    ids=["chat", "messages", "responses", "completions", "embeddings", "count tokens", "no usage", "null", "no numbers", "absurd", "a list"],
)  # fmt: skip
@pytest.mark.parametrize("padding", [0, LARGEST_WHOLE * 3], ids=["small", "large"])
def test_a_whole_answer(answer: Any, usage: Usage | None, padding: int) -> None:
    body = json.dumps(
        {"padding": "x" * padding, **answer} if padding and isinstance(answer, dict) else answer
    )
    data = body.encode()
    assert told(JSON, [data]).usage == usage
    assert told(JSON, [data[i : i + 1000] for i in range(0, len(data), 1000)]).usage == usage
    assert told(JSON, [data], curious=True).usage == usage


@pytest.mark.parametrize(
    ("stream", "usage"),
    [(CHAT_STREAM, CHAT_USAGE), (MESSAGES_STREAM, MESSAGES_USAGE), (RESPONSES_STREAM, RESPONSES_USAGE)],
    ids=["chat", "messages", "responses"],
)
@pytest.mark.parametrize("crlf", [False, True], ids=["lf", "crlf"])
@pytest.mark.parametrize("size", [1, 7, 64, 100_000])
def test_a_stream_however_it_is_cut(stream: bytes, usage: Usage, size: int, crlf: bool) -> None:
    data = stream.replace(b"\n", b"\r\n") if crlf else stream
    assert told(SSE, (data[i : i + size] for i in range(0, len(data), size))).usage == usage


def test_a_stream_without_its_last_line_break_is_read_to_the_end() -> None:
    assert told(SSE, [CHAT_STREAM.removesuffix(b"\n\ndata: [DONE]\n\n")]).usage == CHAT_USAGE


def test_words_of_the_model_are_not_taken_for_a_usage() -> None:
    """Tool calls of a model are objects in the messages API, so a model could write a usage there."""
    lying = {**MESSAGES, "usage": None}
    assert told(JSON, [json.dumps(lying).encode()]).usage is None
    assert told(JSON, [json.dumps({"p": "x" * LARGEST_WHOLE * 2, **lying}).encode()]).usage is None
    assert told(SSE, [events({"type": "content_block_start", "content_block": {"input": {"usage": {"input_tokens": 1}}}})]).usage is None  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "body", "found"),
    [
        (JSON, json.dumps(CHAT).encode(), Told(CHAT_USAGE, "gpt-5-2025-08-07", ("stop",))),
        (JSON, json.dumps(MESSAGES).encode(), Told(MESSAGES_USAGE, "claude-opus-4-5", ("tool_use",))),
        (SSE, CHAT_STREAM, Told(CHAT_USAGE, "gpt-5", ("stop",))),
        (SSE, MESSAGES_STREAM, Told(MESSAGES_USAGE, "claude-opus-4-5", ("tool_use",))),
        (SSE, RESPONSES_STREAM, Told(RESPONSES_USAGE, "gpt-5", ())),
    ],
    ids=["chat", "messages", "chat stream", "messages stream", "responses stream"],
)
def test_model_and_reasons_are_found_where_they_are_asked_for(
    headers: list[tuple[bytes, bytes]], body: bytes, found: Told
) -> None:
    assert told(headers, [body], curious=True) == found


@pytest.mark.parametrize("wbits", [31, 15], ids=["gzip", "deflate"])
@pytest.mark.parametrize(("headers", "body"), [(JSON, json.dumps(CHAT).encode()), (SSE, CHAT_STREAM)])
def test_a_compressed_answer_is_unpacked_beside(
    headers: list[tuple[bytes, bytes]], body: bytes, wbits: int
) -> None:
    packer = zlib.compressobj(wbits=wbits)
    packed = packer.compress(body) + packer.flush()
    coded = [*headers, (b"content-encoding", b"gzip" if wbits == 31 else b"deflate")]
    assert told(coded, [packed[i : i + 50] for i in range(0, len(packed), 50)]).usage == CHAT_USAGE


@pytest.mark.parametrize(
    ("coding", "body"),
    [(b"gzip", zlib.compress(b" " * (MOST_INFLATED + 1) + json.dumps(CHAT).encode())), (b"gzip", b"\x00not packed")],
    ids=["it unpacks to more than is looked at", "it is not packed"],
)  # fmt: skip
def test_what_cannot_be_unpacked_is_unknown(coding: bytes, body: bytes) -> None:
    assert told([*JSON, (b"content-encoding", coding)], [body]) == NOTHING


@pytest.mark.parametrize(
    "headers",
    [[], [(b"content-type", b"text/html")], [*JSON, (b"content-encoding", b"br")]],
    ids=["no type", "html", "brotli"],
)
def test_what_cannot_be_read_has_no_tap(headers: list[tuple[bytes, bytes]]) -> None:
    assert tap_for(headers) is None


@given(st.lists(st.binary(max_size=200), max_size=30), st.sampled_from([JSON, SSE]))
def test_any_bytes_are_survived(pieces: list[bytes], headers: list[tuple[bytes, bytes]]) -> None:
    assert isinstance(told(headers, pieces, curious=True), Told)


@pytest.mark.parametrize("event", [b'data: {"usage":null,"choices":[{}]}\n\n', b"x" * 5000], ids=["events", "no line ends"])  # fmt: skip
def test_a_very_long_stream_takes_no_more_memory_than_a_short_one(event: bytes) -> None:
    """Users of other gateways saw them keep whole streams to find the usage at their end."""
    tap = tap_for(SSE)
    assert tap is not None
    tap.feed(event * 10)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            tap.feed(event)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 4 * KEPT
    tap.feed(b"\n\n" + CHAT_STREAM)
    assert tap.told().usage == CHAT_USAGE
