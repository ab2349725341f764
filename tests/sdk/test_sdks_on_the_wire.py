"""What the official SDKs do on the wire besides plain calls: Azure's class, base64 embeddings, pages, counts, compression, prefixes."""

import base64
import gzip
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from policyd.traffic.tokens import count_till_limit
from tests.proxy.bench import Answering, records, three
from tests.proxy.test_forwarding import keyed
from tests.sdk.test_official_sdks import ASK, anthropic_client, openai_client
from tests.upstream.scripted import Peer, run

pytestmark = pytest.mark.sdk

COMPLETION = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-5",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "sunny"}}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}
CHUNK: dict[str, Any] = {
    "id": "c1",
    "object": "chat.completion.chunk",
    "created": 1,
    "model": "gpt-5",
    "choices": [{"index": 0, "delta": {"role": "assistant", "content": "sunny"}, "finish_reason": None}],
}


def answering(body: object, *, coding: str = "") -> Answering:
    data = json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%b\r\n"
    more = b""
    if coding:
        data, more = gzip.compress(data, mtime=0), b"content-encoding: gzip\r\n"

    async def answer(peer: Peer, _: bytes) -> None:
        await peer.send(head % (len(data), more) + data)

    return answer


def streaming(*chunks: object) -> Answering:
    events = b"".join(b"data: %b\n\n" % json.dumps(c).encode() for c in chunks) + b"data: [DONE]\n\n"
    raw = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"

    async def answer(peer: Peer, _: bytes) -> None:
        await peer.send(raw % (len(events), events))

    return answer


@asynccontextmanager
async def azure_client(port: int, **more: Any) -> AsyncIterator[openai.AsyncAzureOpenAI]:
    async with openai.AsyncAzureOpenAI(
        azure_endpoint=f"http://127.0.0.1:{port}", api_key="caller-key", api_version="2024-10-21", **more
    ) as client:
        yield client


@pytest.mark.parametrize("named", [{}, {"azure_deployment": "gpt-5"}], ids=["by the model", "by the client"])
def test_azures_class_chats_whole_and_streamed(tmp_path: Path, named: dict[str, str]) -> None:
    model = "elsewhere" if named else "gpt-5"

    async def test() -> None:
        async with three(tmp_path, identity=keyed("caller-key", "search")) as running:
            cloud = running.recorders["cloud"]
            async with azure_client(running.port, **named) as client:
                cloud.answer = answering(COMPLETION)
                whole = await client.chat.completions.create(model=model, messages=ASK)
                assert whole.choices[0].message.content == "sunny"
                cloud.answer = streaming(CHUNK)
                stream = await client.chat.completions.create(model=model, messages=ASK, stream=True)
                text = "".join([c.choices[0].delta.content or "" async for c in stream if c.choices])
                assert text == "sunny"
            assert {h[0] for h in cloud.heads} == {b"POST /v1/chat/completions HTTP/1.1"}
            assert {json.loads(b)["model"] for b in cloud.bodies} == {"gpt-5"}
            assert not any(b"caller-key" in request for request in cloud.requests)

    run(test())
    assert {r["features"]["model"] for r in records(tmp_path / "decisions.jsonl")} == {"gpt-5"}


def test_azures_class_asks_for_responses_embeddings_and_models(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("caller-key", "search")) as running:
            cloud = running.recorders["cloud"]
            async with azure_client(running.port) as client:
                cloud.answer = answering(
                    {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": []}
                )
                assert (await client.responses.create(model="gpt-5", input="hi", store=False)).id == "r"
                cloud.answer = answering(_embedding([0.5]))
                assert (await client.embeddings.create(model="ada", input="a")).data[0].embedding == [0.5]
                assert [m.id async for m in client.models.list()] == ["cloud", "spare", "home"]
            assert [h[0] for h in cloud.heads] == [
                b"POST /v1/responses HTTP/1.1",
                b"POST /v1/embeddings HTTP/1.1",
            ]

    run(test())


def test_azures_class_reads_a_refusal_and_does_not_send_it_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            three(tmp_path, identity=keyed("caller-key", "blocked")) as running,
            azure_client(running.port) as client,
        ):
            with pytest.raises(openai.PermissionDeniedError) as refused:
                await client.chat.completions.create(
                    model="gpt-5", messages=ASK, extra_headers={"x-latency": "batch"}
                )
            assert refused.value.code == "policy_denied"

    run(test())
    assert len(records(tmp_path / "decisions.jsonl")) == 1


def _embedding(vector: list[float]) -> dict[str, Any]:
    packed = base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
    data = [{"object": "embedding", "index": 0, "embedding": packed}]
    return {"object": "list", "model": "ada", "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def test_embeddings_in_base64_arrive_bit_by_bit(tmp_path: Path) -> None:
    """The SDK asks for base64 unless it is told otherwise, and unpacks it by itself."""
    vector = [
        float(struct.unpack("<f", struct.pack("<I", bits))[0])
        for bits in range(0x3F000000, 0x3F000000 + 3072 * 7, 7)
    ]

    async def test() -> None:
        async with three(tmp_path) as running, openai_client(running.port) as client:
            cloud = running.recorders["cloud"]
            cloud.answer = answering(_embedding(vector))
            answer = await client.embeddings.create(model="ada", input=["a", "b"])
            assert answer.data[0].embedding == vector
            (body,) = cloud.bodies
            assert json.loads(body)["encoding_format"] == "base64"
            raw = await client.embeddings.with_raw_response.create(
                model="ada", input="a", encoding_format="base64"
            )
            assert json.loads(raw.content) == _embedding(vector)

    run(test())


@pytest.mark.parametrize("coding", ["", "gzip"])
def test_a_compressed_answer_is_read_by_the_sdk(tmp_path: Path, coding: str) -> None:
    async def test() -> None:
        async with three(tmp_path) as running, openai_client(running.port) as client:
            running.recorders["cloud"].answer = answering(COMPLETION, coding=coding)
            answer = await client.chat.completions.create(model="gpt-5", messages=ASK)
            assert answer.choices[0].message.content == "sunny"

    run(test())


MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}


@pytest.mark.parametrize("form", ["api_key", "auth_token"])
def test_both_credentials_of_anthropics_sdk_are_known_and_kept_here(tmp_path: Path, form: str) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("caller-key", "search")) as running:
            cloud = running.recorders["cloud"]
            cloud.answer = answering(MESSAGE)
            url = f"http://127.0.0.1:{running.port}"
            given: dict[str, Any] = {form: "caller-key"}
            async with anthropic.AsyncAnthropic(base_url=url, **given) as client:
                answer = await client.messages.create(model="m", max_tokens=5, messages=ASK)
                assert answer.content[0].type == "text"
                beta = await client.beta.messages.create(
                    model="m", max_tokens=5, messages=ASK, betas=["a-1", "b-2"], extra_query={"beta": "true"}
                )
                assert beta.id == "msg_1"
                assert [m.id async for m in client.models.list(limit=1)] == ["cloud", "spare", "home"]
                assert (await client.models.retrieve("spare")).id == "spare"
                with pytest.raises(anthropic.NotFoundError):
                    await client.models.retrieve("nothing")
            assert [h[0] for h in cloud.heads] == [
                b"POST /v1/messages HTTP/1.1",
                b"POST /v1/messages?beta=true HTTP/1.1",
            ]
            assert any(line.lower() == b"anthropic-beta: a-1,b-2" for line in cloud.heads[1])
            assert not any(b"caller-key" in request for request in cloud.requests)

    run(test())


def test_a_count_that_is_made_here_is_what_the_sdk_expects(tmp_path: Path) -> None:
    async def test() -> None:
        async with (
            three(tmp_path, targets={"cloud": "counts_tokens = false"}) as running,
            anthropic_client(running.port) as client,
        ):
            answer = await client.messages.with_raw_response.count_tokens(model="m", messages=ASK)
            assert answer.headers["x-policyd-counted"] == "here"
            text = ASK[0]["content"]
            assert (await answer.parse()).input_tokens >= count_till_limit([text], 1000)
            assert running.sent_anywhere() == 0

    run(test())


def test_both_sdks_work_below_a_prefix(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, listen='prefix = "/llm"') as running:
            running.recorders["cloud"].answer = answering(COMPLETION)
            url = f"http://127.0.0.1:{running.port}/llm"
            async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="k") as client:
                assert (await client.chat.completions.create(model="m", messages=ASK)).id == "c1"
            running.recorders["cloud"].answer = answering(MESSAGE)
            async with anthropic.AsyncAnthropic(base_url=url, api_key="k") as other:
                assert (await other.messages.create(model="m", max_tokens=5, messages=ASK)).id == "msg_1"

    run(test())
