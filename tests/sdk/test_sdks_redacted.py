"""The official SDKs on routes that redact and restore: their own parsers and accumulators read what was put back, and a
recorder has every byte that left.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from policyd.redact.placeholders import PLACEHOLDER
from tests.proxy.bench import Recorder, Running, records, sidecar
from tests.proxy.echoes import echoing
from tests.redact.samples import AWS, CARD, PRIVATE, assert_gone
from tests.sdk.test_official_sdks import anthropic_client, openai_client
from tests.upstream.scripted import run

pytestmark = pytest.mark.sdk

POLICY = """
edition 1

target both  { location cloud  context 1M  speaks chat, messages, responses                              supports tools, json, images, reasoning, stored }
target chats { location cloud  context 1M  speaks chat      translates messages, responses               supports tools, json, images, reasoning, stored }
target words { location cloud  context 1M  max_output 4k  speaks messages  translates chat               supports tools, json, images, reasoning, stored }

route shown   to both   with redact(card-number, secret, private-key)           when model == "shown"
route chatted to chats  with redact(card-number, secret, private-key) restored  when model == "chats"
route worded  to words  with redact(card-number, secret, private-key) restored  when model == "words"
route rest    to both   with redact(card-number, secret, private-key) restored
otherwise reject "no target may serve this request"
"""

SAID = f"pay with {CARD}, the key is {AWS}\n{PRIVATE}"
PARAMETERS: Any = {"type": "object", "properties": {"given": {"type": "array", "items": {"type": "string"}}}}
VALUES = [CARD, AWS, PRIVATE]


@asynccontextmanager
async def redacting(folder: Path) -> AsyncIterator[Running]:
    async with Recorder(echoing()) as both, Recorder(echoing()) as chats, Recorder(echoing()) as words:
        recorders = {"both": both, "chats": chats, "words": words}
        async with sidecar(folder, recorders, policy=POLICY) as running:
            yield running
            for recorder in recorders.values():
                for request in recorder.requests:
                    assert_gone(request, *VALUES)


@pytest.mark.parametrize("model", ["both", "words"])
def test_openai_chats_whole_and_streamed(tmp_path: Path, model: str) -> None:
    ask: Any = [{"role": "user", "content": SAID}]
    tools: Any = [{"type": "function", "function": {"name": "keep", "parameters": PARAMETERS}}]

    async def test() -> None:
        async with redacting(tmp_path) as running, openai_client(running.port) as client:
            whole = await client.chat.completions.create(model=model, messages=ask, tools=tools)
            async with client.chat.completions.stream(model=model, messages=ask, tools=tools) as stream:
                async for _ in stream:
                    pass
                streamed = await stream.get_final_completion()
            for answer in (whole, streamed):
                message = answer.choices[0].message
                assert all(value in (message.content or "") for value in VALUES)
                (call,) = message.tool_calls or []
                assert call.type == "function"
                assert json.loads(call.function.arguments) == {"given": VALUES}
            # The next turn says it all again, and the placeholders are the same.
            again: Any = [*ask, whole.choices[0].message.model_dump(exclude_none=True), {"role": "tool", "tool_call_id": whole.choices[0].message.tool_calls[0].id, "content": AWS}]  # type: ignore[index]  # fmt: skip
            await client.chat.completions.create(model=model, messages=again, tools=tools)
            bodies = [body.decode() for r in running.recorders.values() for body in r.bodies]
            first, last = (set(PLACEHOLDER.findall(body)) for body in (bodies[0], bodies[-1]))
            assert first == last
            assert len(first) == len(VALUES)

    run(test())
    assert all(line["redacted"] for line in records(tmp_path / "decisions.jsonl"))


@pytest.mark.parametrize("model", ["both", "chats"])
def test_openai_responds_whole_and_streamed(tmp_path: Path, model: str) -> None:
    tools: Any = [{"type": "function", "name": "keep", "parameters": PARAMETERS, "strict": False}]

    async def test() -> None:
        async with redacting(tmp_path) as running, openai_client(running.port) as client:
            whole = await client.responses.create(model=model, input=SAID, tools=tools, store=False)
            async with client.responses.stream(model=model, input=SAID, tools=tools, store=False) as stream:
                deltas = [e.delta async for e in stream if e.type == "response.output_text.delta"]
                streamed = await stream.get_final_response()
            assert "".join(deltas) == streamed.output_text
            for answer in (whole, streamed):
                assert all(value in answer.output_text for value in VALUES)
                (call,) = [item for item in answer.output if item.type == "function_call"]
                assert json.loads(call.arguments) == {"given": VALUES}

    run(test())


@pytest.mark.parametrize("model", ["both", "chats"])
def test_anthropic_talks_whole_and_streamed(tmp_path: Path, model: str) -> None:
    ask: Any = [{"role": "user", "content": SAID}]
    tools: Any = [{"name": "keep", "input_schema": PARAMETERS}]

    async def test() -> None:
        async with redacting(tmp_path) as running, anthropic_client(running.port) as client:
            whole = await client.messages.create(model=model, max_tokens=50, messages=ask, tools=tools)
            async with client.messages.stream(
                model=model, max_tokens=50, messages=ask, tools=tools
            ) as stream:
                said = "".join([text async for text in stream.text_stream])
                streamed = await stream.get_final_message()
            for answer in (whole, streamed):
                text = "".join(b.text for b in answer.content if b.type == "text")
                assert all(value in text for value in VALUES)
                (use,) = [b for b in answer.content if b.type == "tool_use"]
                assert use.input == {"given": VALUES}
            assert all(value in said for value in VALUES)

    run(test())


def test_without_restored_the_sdks_see_placeholders(tmp_path: Path) -> None:
    async def test() -> None:
        async with redacting(tmp_path) as running, anthropic_client(running.port) as client:
            ask: Any = [{"role": "user", "content": SAID}]
            raw = await client.messages.with_raw_response.create(model="shown", max_tokens=5, messages=ask)
            message = await raw.parse()
            text = next(b.text for b in message.content if b.type == "text")
            assert len(PLACEHOLDER.findall(text)) == len(VALUES)
            assert raw.headers["x-policyd-redacted"] == "card-number=1, private-key.pem=1, secret.aws=1"

    run(test())


def test_a_value_that_cannot_be_taken_out_is_an_error_that_is_not_sent_again(tmp_path: Path) -> None:
    parts: Any = [{"type": "text", "text": AWS[:8]}, {"type": "text", "text": AWS[8:]}]

    async def test() -> None:
        async with redacting(tmp_path) as running:
            async with anthropic_client(running.port) as client:
                with pytest.raises(anthropic.PermissionDeniedError, match="redacts"):
                    await client.messages.create(
                        model="both", max_tokens=5, messages=[{"role": "user", "content": parts}]
                    )
            async with openai_client(running.port) as other:
                with pytest.raises(openai.PermissionDeniedError, match="redacts"):
                    await other.chat.completions.create(
                        model="both", messages=[{"role": "user", "content": parts}]
                    )
            assert running.sent_anywhere() == 0

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 2
