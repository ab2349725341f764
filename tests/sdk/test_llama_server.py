"""llama.cpp's own server behind a translation: what a real server makes of translated requests, and the SDK of its answers.

Needs `POLICYD_LLAMA_SERVER` (the program `llama-server`) and `POLICYD_LLAMA_MODEL` (any small model, random weights will do:
nothing here depends on what it says).
"""

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest
from anthropic.types import TextBlock

from tests.proxy.bench import Recorder, Running, post, sidecar
from tests.translate.claude_code import first_turn, second_turn
from tests.upstream.scripted import run

SERVER, MODEL = os.environ.get("POLICYD_LLAMA_SERVER"), os.environ.get("POLICYD_LLAMA_MODEL")

pytestmark = [
    pytest.mark.sdk,
    pytest.mark.skipif(
        not SERVER or not MODEL,
        reason="POLICYD_LLAMA_SERVER and POLICYD_LLAMA_MODEL name no llama-server and no model",
    ),
]

POLICY = """
edition 1
target rack { location on_prem  context 1M  speaks chat  translates messages, responses  supports tools, json, images, reasoning }
route all to rack
otherwise reject "no target may serve this request"
"""

ASK: Any = [{"role": "user", "content": "Once upon a time"}]
CITY = {"type": "object", "properties": {"city": {"enum": ["Paris", "Lyon"]}}, "required": ["city"], "additionalProperties": False}  # fmt: skip
TOOL: Any = {"name": "get_weather", "description": "weather of a city", "input_schema": CITY}


@pytest.fixture(scope="module")
def llama() -> Iterator[str]:
    """The server's address, once it is well."""
    assert SERVER is not None and MODEL is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = "--alias tiny --host 127.0.0.1 -c 32768 --jinja -t 1 -np 1 --port"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(Path(SERVER).parent)}
    command = [SERVER, "-m", MODEL, *options.split(), str(port)]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while not _is_well(url):
            assert server.poll() is None and time.monotonic() < deadline, "llama-server did not come up"
        yield url
        server.terminate()


def _is_well(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


def directly(url: str, path: str, body: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        url + path, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)


@asynccontextmanager
async def serving(folder: Path, url: str) -> AsyncIterator[Running]:
    async with Recorder() as unused, sidecar(folder, {"rack": unused}, urls={"rack": url}, policy=POLICY) as running:  # fmt: skip
        yield running


@asynccontextmanager
async def client_of(running: Running) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(
        base_url=f"http://127.0.0.1:{running.port}", api_key="of the caller", max_retries=0
    ) as client:
        yield client


def test_an_answer_is_what_the_servers_own_messages_endpoint_says(tmp_path: Path, llama: str) -> None:
    async def test() -> None:
        body: Any = {"model": "tiny", "max_tokens": 12, "messages": ASK}
        own = directly(llama, "/v1/messages", body | {"temperature": 0.0})
        body["extra_body"] = {"temperature": 0.0}
        async with serving(tmp_path, llama) as running, client_of(running) as client:
            whole = await client.messages.create(**body)
            async with client.messages.stream(**body) as stream:
                streamed = await stream.get_final_message()
        assert isinstance(whole.content[0], TextBlock) and whole.content[0].text == own["content"][0]["text"]
        assert [b.text for b in streamed.content if b.type == "text"] == [whole.content[0].text]
        assert whole.stop_reason == streamed.stop_reason == own["stop_reason"] == "max_tokens"
        assert whole.usage.output_tokens == streamed.usage.output_tokens == own["usage"]["output_tokens"]
        read = own["usage"]["input_tokens"] + own["usage"].get("cache_read_input_tokens", 0)
        for usage in (whole.usage, streamed.usage):
            assert usage.input_tokens + (usage.cache_read_input_tokens or 0) == read

    run(test())


def test_tools_calls_and_results_are_taken(tmp_path: Path, llama: str) -> None:
    """Whether a model calls a tool is the model's affair; that its server takes every shape of them is not."""

    async def test() -> None:
        async with serving(tmp_path, llama) as running, client_of(running) as client:
            use = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Lyon"}}
            result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "rain", "is_error": True}
            turns: Any = [
                *ASK,
                {"role": "assistant", "content": [{"type": "text", "text": "I look."}, use]},
                {"role": "user", "content": [result, {"type": "text", "text": "and now?"}]},
            ]
            ask: Any = {"model": "tiny", "max_tokens": 5, "tools": [TOOL], "messages": turns}
            for choice in ({"type": "auto"}, {"type": "none"}):
                whole = await client.messages.create(tool_choice=choice, **ask)
                async with client.messages.stream(tool_choice=choice, **ask) as stream:
                    streamed = await stream.get_final_message()
                assert whole.usage.output_tokens == streamed.usage.output_tokens == 5
                assert whole.stop_reason == streamed.stop_reason == "max_tokens"

    run(test())


def test_an_answer_keeps_to_a_schema(tmp_path: Path, llama: str) -> None:
    async def test() -> None:
        async with serving(tmp_path, llama) as running, client_of(running) as client:
            config: Any = {"format": {"type": "json_schema", "schema": CITY}}
            answer = await client.messages.create(
                model="tiny", max_tokens=400, messages=ASK, output_config=config
            )
            assert isinstance(answer.content[0], TextBlock)
            assert json.loads(answer.content[0].text) in ({"city": "Paris"}, {"city": "Lyon"})

    run(test())


def test_what_claude_code_sends_is_taken(tmp_path: Path, llama: str) -> None:
    async def test() -> None:
        async with serving(tmp_path, llama) as running:
            first = first_turn(tools=10, words=50, max_tokens=5, stream=False)
            second = second_turn(tools=10, words=50, max_tokens=5, stream=False)
            # A model without eyes cannot be shown an image.
            second["messages"][-1]["content"][0]["content"] = "a picture"
            for body in (first, second):
                answer = await running.ask(post("/v1/messages?beta=true", body))
                assert answer.status == 200, answer.body
                assert answer.json["stop_reason"] in {"max_tokens", "end_turn"}

    run(test())


def test_a_prompt_that_is_too_long_is_told_as_clients_know_it(tmp_path: Path, llama: str) -> None:
    async def test() -> None:
        async with serving(tmp_path, llama) as running, client_of(running) as client:
            long: Any = [{"role": "user", "content": "word " * 60_000}]
            with pytest.raises(anthropic.BadRequestError, match="prompt is too long"):
                await client.messages.create(model="tiny", max_tokens=5, messages=long)

    run(test())


def test_a_response_of_the_openai_sdk_is_streamed(tmp_path: Path, llama: str) -> None:
    async def test() -> None:
        async with serving(tmp_path, llama) as running:
            base = f"http://127.0.0.1:{running.port}/v1"
            async with openai.AsyncOpenAI(base_url=base, api_key="of the caller", max_retries=0) as client:
                ask: Any = {"model": "tiny", "input": "hi", "store": False, "max_output_tokens": 5}
                whole = await client.responses.create(**ask)
                async with client.responses.stream(**ask) as stream:
                    last = [event async for event in stream][-1]
            # The SDK has no final response of a stream that reached its limit, only the event.
            assert last.type == "response.incomplete"
            assert whole.usage is not None and last.response.usage is not None
            assert whole.usage.output_tokens == last.response.usage.output_tokens == 5
            assert whole.status == last.response.status == "incomplete"

    run(test())
