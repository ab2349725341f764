"""The official Anthropic SDK on a target that speaks only chat completions: its own parsers and accumulators read what
policyd made of scripted answers, and a recorder has the bytes that were sent.
"""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest
from anthropic.types import TextBlock, ThinkingBlock, ToolUseBlock

from tests.proxy.bench import Answering, Peer, Recorder, Running, post, records, sidecar
from tests.upstream.scripted import run

pytestmark = pytest.mark.sdk

POLICY = """
edition 1

target first   { location on_prem  context 1M  speaks chat  translates messages  supports tools, json, images, reasoning }
target second  { location on_prem  context 1M  speaks chat, messages  supports tools, json, images, reasoning }

route only_chat  to first          when model == "chat"
route all        to first, second  when model != "chat"
otherwise reject "no target may serve this request"
"""

TOOL: Any = {
    "name": "get_weather",
    "description": "weather of a city",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
ASK: Any = [{"role": "user", "content": "what is the weather in Paris?"}]
USAGE = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "prompt_tokens_details": {"cached_tokens": 10},
}


def head(kind: bytes, status: bytes = b"200 OK") -> bytes:
    return b"HTTP/1.1 %b\r\ncontent-type: %b\r\nx-request-id: req-of-the-server\r\n" % (status, kind)


def whole(answer: object, status: bytes = b"200 OK") -> Answering:
    body = json.dumps(answer).encode() if not isinstance(answer, bytes) else answer

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(head(b"application/json", status) + b"content-length: %d\r\n\r\n" % len(body) + body)

    return answering


def streamed(events: Sequence[object], *, done: bool = True, cut: bool = False) -> Answering:
    """Each event in chunks of a few bytes. `cut`: the connection ends without the last chunk."""

    async def answering(peer: Peer, _: bytes) -> None:
        lines = [b"data: " + json.dumps(event).encode() + b"\n\n" for event in events]
        body = b"".join(lines) + (b"data: [DONE]\n\n" if done else b"")
        await peer.send(head(b"text/event-stream; charset=utf-8") + b"transfer-encoding: chunked\r\n\r\n")
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if cut:
            peer.close()
        else:
            await peer.send(b"0\r\n\r\n")

    return answering


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, **more}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "tiny",
        "choices": [choice],
    }


def usage_chunk(usage: dict[str, Any]) -> dict[str, Any]:
    return {**chunk({}), "choices": [], "usage": usage}


def call(index: int, arguments: str, **more: str) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": more["name"]} if "name" in more else {})
    return {"index": index, "function": function} | (
        {"id": more["id"], "type": "function"} if "id" in more else {}
    )


@asynccontextmanager
async def serving(folder: Path, answer: Answering) -> AsyncIterator[tuple[Running, Recorder]]:
    async with (
        Recorder(answer) as first,
        Recorder() as second,
        sidecar(folder, {"first": first, "second": second}, policy=POLICY) as running,
    ):
        yield running, first


@asynccontextmanager
async def client_of(running: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=f"http://127.0.0.1:{running.port}", api_key="of the caller", max_retries=0
    ) as client:
        yield client


ANSWER = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "I need a tool.",
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
                    },
                    {
                        "id": "call_2",
                        "type": "function",
                        "function": {"name": "get_weather", "arguments": '{"city": "Lyon"}'},
                    },
                ],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": USAGE,
}

STREAM = [
    chunk({"role": "assistant", "content": ""}),
    chunk({"reasoning_content": "I need "}),
    chunk({"reasoning_content": "a tool."}),
    chunk({"content": "Let me "}),
    chunk({"content": "look."}),
    chunk({"tool_calls": [call(0, "", id="call_1", name="get_weather")]}),
    chunk({"tool_calls": [call(0, '{"city": ')]}),
    chunk({"tool_calls": [call(0, '"Paris"}')]}),
    chunk({"tool_calls": [call(1, '{"city"', id="call_2", name="get_weather")]}),
    chunk({"tool_calls": [call(1, ': "Lyon"}')]}),
    chunk({}, "tool_calls"),
    usage_chunk(USAGE),
]


def check(message: anthropic.types.Message) -> None:
    """That the SDK read what the server said."""
    thinking, text, first, second = message.content
    assert isinstance(thinking, ThinkingBlock) and thinking.thinking == "I need a tool."
    assert isinstance(text, TextBlock) and text.text == "Let me look."
    assert isinstance(first, ToolUseBlock) and first.input == {"city": "Paris"} and first.id == "call_1"
    assert isinstance(second, ToolUseBlock) and second.input == {"city": "Lyon"} and second.id == "call_2"
    assert message.stop_reason == "tool_use"
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (20, 10, 7)
    assert (message.role, message.model, message.id) == ("assistant", "tiny", "chatcmpl-1")


def test_a_whole_answer_with_thinking_text_and_parallel_calls(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(ANSWER)) as (running, server), client_of(running) as client:
            raw = await client.messages.with_raw_response.create(
                model="chat",
                max_tokens=50,
                messages=ASK,
                tools=[TOOL],
                thinking={"type": "adaptive"},
                system="You are brief.",
            )
            check(await raw.parse())
            assert raw.headers["x-policyd-target"] == "first"
            assert raw.headers["request-id"] == "req-of-the-server"
            (sent,) = server.bodies
            body = json.loads(sent)
            assert body == {
                "model": "chat",
                "messages": [{"role": "system", "content": "You are brief."}, *ASK],
                "max_tokens": 50,
                "tools": [
                    {
                        "type": "function",
                        "function": {
                            "name": "get_weather",
                            "description": "weather of a city",
                            "parameters": TOOL["input_schema"],
                        },
                    }
                ],
            }
            (lines,) = server.heads
            assert lines[0] == b"POST /v1/chat/completions HTTP/1.1"
            assert not any(line.lower().startswith(b"anthropic-") for line in lines)

    run(test())


@pytest.mark.parametrize("done", [True, False], ids=["with [DONE]", "without [DONE]"])
def test_a_stream_is_accumulated_by_the_sdk(tmp_path: Path, done: bool) -> None:
    async def test() -> None:
        async with (
            serving(tmp_path, streamed(STREAM, done=done)) as (running, server),
            client_of(running) as client,
        ):
            kinds: list[str] = []
            async with client.messages.stream(
                model="chat", max_tokens=50, messages=ASK, tools=[TOOL], thinking={"type": "adaptive"}
            ) as stream:
                async for event in stream:
                    kinds.append(event.type)
                check(await stream.get_final_message())
            assert kinds.count("content_block_start") == kinds.count("content_block_stop") == 4
            assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
            body = json.loads(server.bodies[0])
            assert body["stream"] is True and body["stream_options"] == {"include_usage": True}

    run(test())


def test_the_next_turn_brings_calls_results_and_thinking_back(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(ANSWER)) as (running, server), client_of(running) as client:
            ask: Any = {
                "model": "chat",
                "max_tokens": 50,
                "tools": [TOOL],
                "thinking": {"type": "adaptive"},
            }
            answer = await client.messages.create(messages=ASK, **ask)
            results: Any = [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
                {"type": "tool_result", "tool_use_id": "call_2", "content": "no such city", "is_error": True},
                {"type": "text", "text": "and now?"},
            ]
            turns: Any = [
                *ASK,
                {"role": "assistant", "content": answer.content},
                {"role": "user", "content": results},
            ]
            await client.messages.create(messages=turns, **ask)
            said = json.loads(server.bodies[1])["messages"]
            message = ANSWER["choices"][0]["message"]  # type: ignore[index]
            assert said[1]["tool_calls"][0]["id"] == message["tool_calls"][0]["id"]
            assert json.loads(said[1]["tool_calls"][1]["function"]["arguments"]) == {"city": "Lyon"}
            assert said[1]["content"] == "Let me look." and said[1]["reasoning_content"] == "I need a tool."
            assert said[2:] == [
                {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
                {"role": "tool", "tool_call_id": "call_2", "content": "Error: no such city"},
                {"role": "user", "content": "and now?"},
            ]
            assert b"signature" not in server.bodies[1]

    run(test())


def test_an_answer_to_a_caller_that_wants_no_thinking_begins_with_its_text(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(ANSWER)) as (running, _), client_of(running) as client:
            answer = await client.messages.create(model="chat", max_tokens=50, messages=ASK, tools=[TOOL])
            assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]

    run(test())


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (400, {"error": {"message": "bad", "type": "x", "code": 400}}, anthropic.BadRequestError, "bad"),
        (404, {"object": "error", "message": "no model", "code": 404}, anthropic.NotFoundError, "no model"),
        (422, {"detail": "not so"}, anthropic.UnprocessableEntityError, "not so"),
        (400, b"plain words", anthropic.BadRequestError, "plain words"),
        (
            400,
            {"error": {"message": "m", "code": "context_length_exceeded"}},
            anthropic.BadRequestError,
            "prompt is too long: m",
        ),
    ],
)
def test_an_error_is_the_sdks_own(
    tmp_path: Path, status: int, body: object, error: type[anthropic.APIStatusError], said: str
) -> None:
    async def test() -> None:
        answering = whole(body, b"%d Said" % status)
        async with serving(tmp_path, answering) as (running, _), client_of(running) as client:
            with pytest.raises(error) as raised:
                await client.messages.create(model="chat", max_tokens=50, messages=ASK)
            assert raised.value.body == {
                "type": "error",
                "error": {
                    "type": "not_found_error" if status == 404 else "invalid_request_error",
                    "message": said,
                },
            }

    run(test())


def test_a_stream_that_is_cut_never_ends_cleanly(tmp_path: Path) -> None:
    """Users of other gateways saw a truncated stream end as a clean success, without its last event."""

    async def test() -> None:
        for cut, done in ((True, False), (False, False), (False, True)):
            folder = tmp_path / f"{cut}{done}"
            folder.mkdir()
            answering = streamed(STREAM[:5], done=done, cut=cut)
            async with serving(folder, answering) as (running, _), client_of(running) as client:
                with pytest.raises(anthropic.APIStatusError) as raised:
                    async with client.messages.stream(model="chat", max_tokens=50, messages=ASK) as stream:
                        await stream.get_final_message()
                assert "upstream_broke" in str(raised.value)
            (record,) = records(folder / "decisions.jsonl")
            assert record["outcome"] == "upstream_broke"

    run(test())


def test_an_error_inside_a_stream_is_an_error_event(tmp_path: Path) -> None:
    async def test() -> None:
        broken = {"error": {"message": "out of memory", "type": "internal", "code": 500}}
        answering = streamed([*STREAM[:5], broken])
        async with serving(tmp_path, answering) as (running, _), client_of(running) as client:
            with pytest.raises(anthropic.APIStatusError, match="out of memory"):
                async with client.messages.stream(model="chat", max_tokens=50, messages=ASK) as stream:
                    await stream.get_final_message()

    run(test())


def test_an_error_before_anything_was_said_leads_to_the_next_target(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, streamed([{"error": {"message": "out of memory"}}])) as (running, first):
            answer = await running.ask(
                post("/v1/messages", {"model": "any", "max_tokens": 5, "messages": ASK, "stream": True})
            )
            assert answer.headers[b"x-policyd-target"] == b"second"
            assert len(first.requests) == 1

    run(test())


@pytest.mark.parametrize(
    ("key", "value"),
    [("top_k", 5), ("speed", "fast"), ("temperature", 0.5), ("stop_sequences", ["a"] * 5)],
)
def test_what_cannot_be_said_goes_only_where_it_needs_no_translation(
    tmp_path: Path, key: str, value: object
) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(ANSWER)) as (running, first):
            lost = key != "temperature"
            body = {"model": "any", "max_tokens": 5, "messages": ASK, key: value}
            answer = await running.ask(post("/v1/messages", body))
            assert answer.headers[b"x-policyd-target"] == (b"second" if lost else b"first")
            assert len(first.requests) == (0 if lost else 1)
            refused = await running.ask(post("/v1/messages", body | {"model": "chat"}))
            assert refused.status == (403 if lost else 200)
            if lost:
                assert refused.json["error"]["policyd"]["by"] == ["translates"]
                assert f"(`{key}`: " in refused.json["error"]["message"]
        assert f"`{key}`".encode() not in (tmp_path / "decisions.jsonl").read_bytes()

    run(test())
