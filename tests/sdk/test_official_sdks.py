"""The official OpenAI and Anthropic SDKs through a sidecar: to `llmock`, and to a recorder that sees every byte.

Each call is also what an application does: the base URL is the sidecar's, and nothing else is changed.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from llmock.scenarios import Fail, StreamFault
from llmock.testing import LLMockServer

from tests.proxy.bench import POLICY, SECRET, Recorder, Running, records, sidecar, three
from tests.upstream.scripted import Peer, run

pytestmark = pytest.mark.sdk

TOOL = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOL: Any = {
    "type": "function",
    "function": {"name": "get_weather", "description": "weather of a city", "parameters": TOOL},
}
ANTHROPIC_TOOL: Any = {"name": "get_weather", "description": "weather of a city", "input_schema": TOOL}
ASK: Any = [{"role": "user", "content": "what is the weather in Paris?"}]

BY_DIALECT = POLICY.replace(
    "route rest     to cloud, spare, home",
    'route rest     to cloud, home  when endpoint == messages or endpoint == count_tokens\nroute others   to spare, home',
)  # fmt: skip


@pytest.fixture(scope="module")
def llmock() -> Iterator[LLMockServer]:
    with LLMockServer() as server:
        yield server


@asynccontextmanager
async def to_llmock(folder: Path, server: LLMockServer) -> AsyncIterator[Running]:
    """`cloud` is llmock's Anthropic side, `spare` its OpenAI side, `home` a recorder."""
    async with Recorder() as home:
        urls = {"home": home.url, "cloud": f"{server.url}/anthropic", "spare": server.url}
        async with sidecar(folder, {"home": home}, urls=urls, policy=BY_DIALECT) as running:
            yield running


@asynccontextmanager
async def openai_client(port: int) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="of the caller") as client:
        yield client


@asynccontextmanager
async def anthropic_client(port: int) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=f"http://127.0.0.1:{port}", api_key="of the caller"
    ) as client:
        yield client


def test_openai_chat_whole_and_streamed(tmp_path: Path, llmock: LLMockServer) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, openai_client(running.port) as client:
            whole = await client.chat.completions.with_raw_response.create(model="gpt-4o", messages=ASK)
            assert whole.headers["x-policyd-target"] == "spare"
            assert whole.parse().choices[0].message.content
            text = ""
            stream = await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
            async for chunk in stream:
                text += chunk.choices[0].delta.content or "" if chunk.choices else ""
            assert text

    run(test())
    assert [r["features"]["stream"] for r in records(tmp_path / "decisions.jsonl")] == [False, True]


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_openai_tools(tmp_path: Path, llmock: LLMockServer, streamed: bool) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, openai_client(running.port) as client:
            messages = list(ASK)
            if streamed:
                async with client.chat.completions.stream(
                    model="gpt-4o", messages=messages, tools=[OPENAI_TOOL]
                ) as stream:
                    message = (await stream.get_final_completion()).choices[0].message
            else:
                answer = await client.chat.completions.create(
                    model="gpt-4o", messages=messages, tools=[OPENAI_TOOL]
                )
                message = answer.choices[0].message
            assert message.tool_calls is not None
            call = message.tool_calls[0]
            assert call.type == "function"
            assert call.function.name == "get_weather"
            messages += [
                {
                    "role": "assistant",
                    "tool_calls": [
                        {
                            "id": call.id,
                            "type": "function",
                            "function": {"name": call.function.name, "arguments": call.function.arguments},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": call.id, "content": "sunny"},
            ]
            final = await client.chat.completions.create(
                model="gpt-4o", messages=messages, tools=[OPENAI_TOOL]
            )
            assert final.choices[0].message.content

    run(test())
    assert all(r["features"]["tools"] for r in records(tmp_path / "decisions.jsonl"))


def test_openai_responses_embeddings_and_models(tmp_path: Path, llmock: LLMockServer) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, openai_client(running.port) as client:
            answer = await client.responses.create(model="gpt-4o", input="say hello", store=False)
            assert answer.output_text
            async with client.responses.stream(model="gpt-4o", input="say hello", store=False) as stream:
                async for _ in stream:
                    pass
                assert (await stream.get_final_response()).output_text
            vectors = await client.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
            assert len(vectors.data) == 2
            assert [m.id async for m in client.models.list()] == ["spare", "home"]

    run(test())


def test_anthropic_messages_whole_and_streamed(tmp_path: Path, llmock: LLMockServer) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, anthropic_client(running.port) as client:
            whole = await client.messages.with_raw_response.create(
                model="claude-of-tomorrow", max_tokens=100, messages=ASK
            )
            assert whole.headers["x-policyd-target"] == "cloud"
            assert (await whole.parse()).content[0].type == "text"
            async with client.messages.stream(
                model="claude-of-tomorrow", max_tokens=100, messages=ASK
            ) as stream:
                assert "".join([text async for text in stream.text_stream])
                assert (await stream.get_final_message()).stop_reason == "end_turn"
            assert [m.id async for m in client.models.list()] == ["cloud", "home"]

    run(test())


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_anthropic_tools(tmp_path: Path, llmock: LLMockServer, streamed: bool) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, anthropic_client(running.port) as client:
            messages = list(ASK)
            options: Any = {"model": "claude-of-tomorrow", "max_tokens": 100, "tools": [ANTHROPIC_TOOL]}
            if streamed:
                async with client.messages.stream(messages=messages, **options) as stream:
                    message = await stream.get_final_message()
            else:
                message = await client.messages.create(messages=messages, **options)
            call = next(block for block in message.content if block.type == "tool_use")
            assert call.name == "get_weather"
            messages += [
                {"role": "assistant", "content": [b.model_dump(include={"type", "id", "name", "input", "text"}) for b in message.content]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": "sunny"}]},
            ]  # fmt: skip
            final = await client.messages.create(messages=messages, **options)
            assert final.content[0].type == "text"

    run(test())


def test_refusals_are_the_sdks_own_errors_and_are_not_sent_again(tmp_path: Path) -> None:
    policy = POLICY.replace("route rest     to cloud, spare, home", "route rest     to cloud, spare")
    secret: Any = [{"role": "user", "content": SECRET}]

    async def test() -> None:
        async with three(tmp_path, policy=policy) as running:
            async with anthropic_client(running.port) as client:
                with pytest.raises(anthropic.PermissionDeniedError) as refused:
                    await client.messages.create(model="m", max_tokens=9, messages=secret)
                assert "DLP-7" in str(refused.value)
                assert refused.value.request_id is not None
                with pytest.raises(anthropic.BadRequestError):
                    await client.messages.create(
                        model="m", max_tokens=9, messages=ASK, extra_headers={"x-latency": "now"}
                    )
            async with openai_client(running.port) as other:
                with pytest.raises(openai.PermissionDeniedError) as denied:
                    await other.chat.completions.create(model="m", messages=secret)
                assert denied.value.code == "policy_denied"
                with pytest.raises(openai.BadRequestError):
                    await other.chat.completions.create(
                        model="m", messages=ASK, extra_body={"fallbacks": ["x"]}
                    )
            assert running.sent_anywhere() == 0

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 4


def test_a_saturated_target_is_passed_before_the_client_notices(tmp_path: Path, llmock: LLMockServer) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, anthropic_client(running.port) as client:
            running.recorders["home"].answer = _message
            llmock.state.scenarios.add(Fail(529))
            answer = await client.messages.with_raw_response.create(
                model="claude-of-tomorrow", max_tokens=100, messages=ASK
            )
            assert answer.headers["x-policyd-target"] == "home"
            assert answer.headers["x-policyd-attempts"] == "2"

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 1


async def _message(peer: Any, _: bytes) -> None:
    body = json.dumps(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "hello"}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 1, "output_tokens": 1},
        }
    ).encode()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))  # fmt: skip


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_stream_that_is_cut_is_an_error_in_the_sdk(
    tmp_path: Path, llmock: LLMockServer, dialect: str
) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running:
            llmock.state.scenarios.add(StreamFault("disconnect", after_chunks=2))
            if dialect == "openai":
                async with openai_client(running.port) as client:
                    stream = await client.chat.completions.create(model="gpt-4o", messages=ASK, stream=True)
                    with pytest.raises(openai.APIError, match="upstream_broke"):
                        async for _ in stream:
                            pass
            else:
                async with anthropic_client(running.port) as other:
                    with pytest.raises(anthropic.APIStatusError, match="upstream_broke"):
                        async with other.messages.stream(
                            model="claude-of-tomorrow", max_tokens=100, messages=ASK
                        ) as events:
                            await events.get_final_message()

    run(test())


def test_what_an_sdk_sends_arrives_byte_for_byte(tmp_path: Path) -> None:
    """The same call straight to a recorder and through the sidecar: the bodies are equal, and of the headers only those
    about the hop and the credential differ."""

    async def calls(port: int) -> None:
        async with openai_client(port) as client:
            await client.chat.completions.create(
                model="gpt-4o",
                messages=[{"role": "user", "content": "é \U0001f600"}],
                tools=[OPENAI_TOOL],
                temperature=0.1,
                extra_body={"new_key": 1.0},
                extra_query={"beta": "true"},
                extra_headers={"x-trace": "7"},
            )
        async with anthropic_client(port) as other:
            await other.messages.create(model="m", max_tokens=9, messages=ASK, tools=[ANTHROPIC_TOOL])

    async def test() -> None:
        async with Recorder() as straight, three(tmp_path) as running:
            await calls(int(straight.url.rsplit(":", 1)[1]))
            await calls(running.port)
            through = running.recorders["cloud"]
            assert through.bodies == straight.bodies
            for sent, arrived in zip(straight.heads, through.heads, strict=True):
                assert arrived[0] == sent[0]
                assert _kept(arrived) == _kept(sent)
                assert not any(b"of the caller" in line for line in arrived)
                assert any(b"of the caller" in line for line in sent)

    run(test())


def _kept(head: list[bytes]) -> list[bytes]:
    """The lines that do not speak about the hop or the credential, lower-case names, sorted."""
    hop = (b"host", b"connection", b"authorization", b"x-api-key", b"content-length")
    lines = [line.split(b": ", 1) for line in head[1:]]
    return sorted(name.lower() + b": " + value for name, value in lines if name.lower() not in hop)


def test_many_sdk_calls_at_once(tmp_path: Path, llmock: LLMockServer) -> None:
    async def test() -> None:
        async with to_llmock(tmp_path, llmock) as running, openai_client(running.port) as client:
            answers = await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-4o", messages=[{"role": "user", "content": f"n {n}"}]
                    )
                    for n in range(20)
                )
            )
            assert all(a.choices[0].message.content for a in answers)

    run(test())


def test_a_cut_stream_of_responses_tells_the_sdk_why(tmp_path: Path) -> None:
    """The SDK raises what stands under `error`, in the streams of every API, and knows nothing else as an error: it would
    only say that the connection broke."""
    begun = b'event: response.created\ndata: {"type":"response.created","response":{"id":"r"}}\n\n'

    async def cutting(peer: Peer, _: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        await peer.send(head + b"%x\r\n%b\r\n" % (len(begun), begun))
        peer.close()

    async def test() -> None:
        async with three(tmp_path) as running, openai_client(running.port) as client:
            running.recorders["cloud"].answer = cutting
            stream = await client.responses.create(model="gpt-5", input="hi", store=False, stream=True)
            with pytest.raises(openai.APIError, match="policyd upstream_broke, decision ") as raised:
                async for _ in stream:
                    pass
            assert raised.value.code == "upstream_broke"

    run(test())
