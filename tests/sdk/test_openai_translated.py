"""The official OpenAI SDK on targets that lack the endpoint it uses: chat completions on Anthropic messages, and responses on
chat completions. Its own parsers and accumulators read what policyd made of scripted answers, and a recorder has the bytes
that were sent.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.responses import ResponseFunctionToolCall

from tests.proxy.bench import Answering, Peer, Recorder, Running, records, sidecar
from tests.translate.streams import chat_events, messages_events, sse
from tests.upstream.scripted import run

pytestmark = pytest.mark.sdk

POLICY = """
edition 1

target claude { location on_prem  context 1M  speaks messages  translates chat       supports tools, json, images, reasoning }
target rack   { location on_prem  context 1M  speaks chat      translates responses  supports tools, json, images, reasoning }

route chats      to claude  when endpoint == chat
route responding to rack    when endpoint == responses
otherwise reject "no target may serve this request"
"""

HI: Any = [{"role": "user", "content": "what is the weather in Paris?"}]
PARAMETERS: Any = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
MESSAGE: dict[str, Any] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-x",
    "content": [
        {"type": "thinking", "thinking": "I need a tool.", "signature": "sig+/="},
        {"type": "text", "text": "Let me look."},
        {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}},
        {"type": "tool_use", "id": "toolu_2", "name": "get_weather", "input": {"city": "Lyon"}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 20,
        "cache_read_input_tokens": 10,
        "cache_creation_input_tokens": 0,
        "output_tokens": 7,
    },
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "get_weather", "arguments": '{"city": "Paris"}'},
}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 5,
    "model": "tiny",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Let me look.",
                "reasoning_content": "I need a tool.",
                "tool_calls": [CALL],
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 30, "completion_tokens": 7, "prompt_tokens_details": {"cached_tokens": 10}},
}


def whole(answer: object, status: int = 200) -> Answering:
    body = json.dumps(answer).encode()

    async def answering(peer: Peer, _: bytes) -> None:
        head = b"HTTP/1.1 %d Said\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        await peer.send(head % (status, len(body)) + body)

    return answering


def streamed(body: bytes, *, cut: bool = False) -> Answering:
    """In chunks of a few bytes. `cut`: the connection ends without the last chunk."""

    async def answering(peer: Peer, _: bytes) -> None:
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        for at in range(0, len(body), 11):
            piece = body[at : at + 11]
            await peer.send(b"%x\r\n%b\r\n" % (len(piece), piece))
        if cut:
            peer.close()
        else:
            await peer.send(b"0\r\n\r\n")

    return answering


@asynccontextmanager
async def serving(
    folder: Path, answer: Answering
) -> AsyncIterator[tuple[openai.AsyncOpenAI, Running, Recorder]]:
    async with (
        Recorder(answer) as server,
        sidecar(folder, {"claude": server, "rack": server}, policy=POLICY) as running,
        openai.AsyncOpenAI(
            base_url=f"http://127.0.0.1:{running.port}/v1", api_key="of the caller", max_retries=0
        ) as client,
    ):
        yield client, running, server


def check_completion(answer: openai.types.chat.ChatCompletion) -> None:
    """That the SDK read what the server of messages said."""
    choice = answer.choices[0]
    assert choice.message.content == "Let me look."
    assert [
        (c.id, json.loads(c.function.arguments))
        for c in choice.message.tool_calls or []
        if c.type == "function"
    ] == [
        ("toolu_1", {"city": "Paris"}),
        ("toolu_2", {"city": "Lyon"}),
    ]
    assert choice.finish_reason == "tool_calls"
    assert (answer.id, answer.model) == ("msg_1", "claude-x")
    assert answer.usage is not None and answer.usage.prompt_tokens_details is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens, answer.usage.total_tokens) == (
        30,
        7,
        37,
    )
    assert answer.usage.prompt_tokens_details.cached_tokens == 10


def test_a_whole_chat_completion_of_a_server_of_messages_and_the_turn_after_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(MESSAGE)) as (client, _, server):
            ask: Any = {"model": "any", "max_completion_tokens": 50, "tools": [TOOL], "user": "u"}
            answer = await client.chat.completions.create(messages=HI, **ask)
            check_completion(answer)
            first = json.loads(server.bodies[0])
            assert first == {
                "model": "any",
                "max_tokens": 50,
                "messages": HI,
                "tools": [{"name": "get_weather", "input_schema": PARAMETERS}],
                "metadata": {"user_id": "u"},
            }
            (lines,) = server.heads
            assert lines[0] == b"POST /v1/messages HTTP/1.1"
            assert b"anthropic-version: 2023-06-01" in lines

            results = [{"role": "tool", "tool_call_id": f"toolu_{n}", "content": "rain"} for n in (1, 2)]
            turns: Any = [
                *HI,
                answer.choices[0].message.to_dict(),
                *results,
                {"role": "user", "content": "and now?"},
            ]
            await client.chat.completions.create(messages=turns, **ask)
            said = json.loads(server.bodies[1])["messages"]
            assert said[1] == {"role": "assistant", "content": MESSAGE["content"]}
            assert [block["type"] for block in said[2]["content"]] == ["tool_result", "tool_result", "text"]

    run(test())


@pytest.mark.parametrize("usage", [True, False], ids=["with usage", "without usage"])
def test_a_stream_of_messages_is_accumulated_by_the_sdk(tmp_path: Path, usage: bool) -> None:
    async def test() -> None:
        answer = streamed(sse(messages_events(MESSAGE), named=True))
        async with serving(tmp_path, answer) as (client, _, server):
            options: Any = {"stream_options": {"include_usage": True}} if usage else {}
            async with client.chat.completions.stream(
                model="any", messages=HI, tools=[TOOL], **options
            ) as stream:
                async for _ in stream:
                    pass
                final = await stream.get_final_completion()
            if usage:
                check_completion(final)
            assert (final.usage is not None) == usage
            assert final.choices[0].message.content == "Let me look."
            assert json.loads(server.bodies[0])["stream"] is True

    run(test())


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended early"])
def test_a_stream_of_messages_that_is_cut_never_ends_cleanly(tmp_path: Path, cut: bool) -> None:
    """Users of other gateways saw a truncated stream end as a clean success, with `[DONE]` and without a finish reason."""

    async def test() -> None:
        events = messages_events(MESSAGE)[:-2]
        async with serving(tmp_path, streamed(sse(events, named=True), cut=cut)) as (client, _, _server):
            with pytest.raises(openai.APIError, match="upstream"):
                async for _ in await client.chat.completions.create(model="any", messages=HI, stream=True):
                    pass
        (record,) = records(tmp_path / "decisions.jsonl")
        assert record["outcome"] == "upstream_broke"

    run(test())


def test_an_error_inside_a_stream_of_messages_is_the_sdks_own(tmp_path: Path) -> None:
    async def test() -> None:
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        events = [*messages_events(MESSAGE)[:5], error]
        async with serving(tmp_path, streamed(sse(events, named=True))) as (client, _, _server):
            with pytest.raises(openai.APIError, match="Overloaded"):
                async for _ in await client.chat.completions.create(model="any", messages=HI, stream=True):
                    pass

    run(test())


def test_an_error_of_a_server_of_messages_is_the_sdks_own(tmp_path: Path) -> None:
    async def test() -> None:
        told = {"type": "error", "error": {"type": "not_found_error", "message": "model: nope"}}
        async with serving(tmp_path, whole(told, 404)) as (client, _, _server):
            with pytest.raises(openai.NotFoundError, match="model: nope") as raised:
                await client.chat.completions.create(model="any", messages=HI)
            assert raised.value.code == "model_not_found"

    run(test())


def test_a_chat_completion_that_cannot_be_said_is_refused_with_the_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(MESSAGE)) as (client, _, server):
            with pytest.raises(openai.PermissionDeniedError, match="`n`"):
                await client.chat.completions.create(model="any", messages=HI, n=2)
            assert not server.requests

    run(test())


FUNCTION: Any = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}


def check_response(answer: openai.types.responses.Response) -> None:
    """That the SDK read what the server of chat said."""
    reasoning, _, call = answer.output
    assert reasoning.type == "reasoning" and reasoning.content is not None
    assert reasoning.content[0].text == "I need a tool."
    assert answer.output_text == "Let me look."
    assert isinstance(call, ResponseFunctionToolCall)
    assert (call.call_id, call.name, json.loads(call.arguments)) == (
        "call_1",
        "get_weather",
        {"city": "Paris"},
    )
    assert (answer.id, answer.model, answer.status) == ("resp_chatcmpl-1", "tiny", "completed")
    assert answer.usage is not None
    assert (answer.usage.input_tokens, answer.usage.output_tokens, answer.usage.total_tokens) == (30, 7, 37)
    assert answer.usage.input_tokens_details.cached_tokens == 10


def test_a_whole_response_of_a_server_of_chat_and_the_turn_after_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(COMPLETION)) as (client, _, server):
            ask: Any = {"model": "any", "store": False, "tools": [FUNCTION], "instructions": "You are brief."}
            answer = await client.responses.create(input="hi", **ask)
            check_response(answer)
            items: Any = [
                {"role": "user", "content": "hi"},
                *(item.to_dict() for item in answer.output),
                {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            ]
            await client.responses.create(input=items, **ask)
            assert json.loads(server.bodies[1])["messages"] == [
                {"role": "system", "content": "You are brief."},
                {"role": "user", "content": "hi"},
                COMPLETION["choices"][0]["message"],
                {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
            ]
            assert server.heads[0][0] == b"POST /v1/chat/completions HTTP/1.1"

    run(test())


@pytest.mark.parametrize("done", [True, False], ids=["with [DONE]", "without [DONE]"])
def test_a_stream_of_chat_is_accumulated_by_the_sdk(tmp_path: Path, done: bool) -> None:
    async def test() -> None:
        answer = streamed(sse(chat_events(COMPLETION), done=done))
        async with serving(tmp_path, answer) as (client, _, server):
            async with client.responses.stream(
                model="any", input="hi", store=False, tools=[FUNCTION]
            ) as stream:
                async for _ in stream:
                    pass
                check_response(await stream.get_final_response())
            assert json.loads(server.bodies[0])["stream_options"] == {"include_usage": True}

    run(test())


@pytest.mark.parametrize("cut", [True, False], ids=["cut", "ended early"])
def test_a_stream_of_chat_that_is_cut_never_completes_a_response(tmp_path: Path, cut: bool) -> None:
    """Users of other gateways saw `response.completed` after half an answer."""

    async def test() -> None:
        answer = streamed(sse(chat_events(COMPLETION)[:-2]), cut=cut)
        async with serving(tmp_path, answer) as (client, _, _server):
            kinds = []
            with pytest.raises(openai.APIError, match="upstream"):
                async for event in await client.responses.create(
                    model="any", input="hi", store=False, stream=True
                ):
                    kinds.append(event.type)
                    if event.type in {"error", "response.failed"}:
                        raise openai.APIError(str(event), request=None, body=None)  # type: ignore[arg-type]
            assert "response.output_text.delta" in kinds and "response.completed" not in kinds
        (record,) = records(tmp_path / "decisions.jsonl")
        assert record["outcome"] == "upstream_broke"

    run(test())


def test_a_response_that_would_be_kept_is_refused_with_the_key(tmp_path: Path) -> None:
    async def test() -> None:
        async with serving(tmp_path, whole(COMPLETION)) as (client, _, server):
            with pytest.raises(openai.PermissionDeniedError) as raised:
                await client.responses.create(model="any", input="hi")
            assert not server.requests
            assert "policyd" in str(raised.value.body) or raised.value.status_code == 403

    run(test())
