"""Whole answers as the streams in which servers say them, and the official SDK reading what a translation made of them.

A stream is cut finely on purpose: every piece of words and of arguments comes in two.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import openai
import orjson

__all__ = ["chat_events", "fed", "messages_events", "sdk", "sse"]

Json = dict[str, Any]


def sse(events: list[Json], *, done: bool = False, named: bool = False) -> bytes:
    out = b""
    for event in events:
        out += b"event: %b\n" % event["type"].encode() if named else b""
        out += b"data: %b\n\n" % orjson.dumps(event)
    return out + (b"data: [DONE]\n\n" if done else b"")


def fed(stream: Any, *pieces: bytes) -> bytes:
    return b"".join(stream.feed(piece) for piece in pieces) + bytes(stream.end())


def sdk(body: bytes, *, status: int = 200, content_type: str = "text/event-stream") -> openai.OpenAI:
    """A client of the official SDK whose server answers so."""

    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(status, content=body, headers={"content-type": content_type})

    http = httpx.Client(transport=httpx.MockTransport(answer))
    return openai.OpenAI(api_key="none", base_url="http://127.0.0.1:1/v1", http_client=http, max_retries=0)


def _halves(words: str) -> Iterator[str]:
    middle = len(words) // 2
    yield words[:middle]
    yield words[middle:]


def messages_events(answer: Json) -> list[Json]:
    """The events of Anthropic's API for an answer."""
    start = answer | {"content": [], "stop_reason": None, "stop_sequence": None, "stop_details": None}
    start["usage"] = answer["usage"] | {"output_tokens": 1}
    out: list[Json] = [{"type": "message_start", "message": start}, {"type": "ping"}]
    for index, block in enumerate(answer["content"]):
        first, deltas = _block(block)
        out.append({"type": "content_block_start", "index": index, "content_block": first})
        out += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        out.append({"type": "content_block_stop", "index": index})
    ending = {key: answer.get(key) for key in ("stop_reason", "stop_sequence", "stop_details")}
    out.append(
        {
            "type": "message_delta",
            "delta": ending,
            "usage": {"output_tokens": answer["usage"]["output_tokens"]},
        }
    )
    return [*out, {"type": "message_stop"}]


def _block(block: Json) -> tuple[Json, list[Json]]:
    match block["type"]:
        case "text":
            return {"type": "text", "text": ""}, [
                {"type": "text_delta", "text": half} for half in _halves(block["text"])
            ]
        case "thinking":
            words = [{"type": "thinking_delta", "thinking": half} for half in _halves(block["thinking"])]
            signed = {"type": "signature_delta", "signature": block["signature"]}
            return {"type": "thinking", "thinking": "", "signature": ""}, [*words, signed]
        case "tool_use":
            written = orjson.dumps(block["input"]).decode() if block["input"] else ""
            parts = [{"type": "input_json_delta", "partial_json": half} for half in _halves(written)]
            return block | {"input": {}}, parts
    return block, []


def chat_events(answer: Json, *, usage: bool = True) -> list[Json]:
    """The chunks of OpenAI's API for an answer."""
    choice = answer["choices"][0]
    head = {
        "id": answer["id"],
        "object": "chat.completion.chunk",
        "created": answer["created"],
        "model": answer["model"],
    }
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    for key in ("reasoning_content", "content", "refusal"):
        if choice["message"].get(key):
            deltas += [{key: half} for half in _halves(choice["message"][key])]
    for index, call in enumerate(choice["message"].get("tool_calls") or []):
        kind = call["type"]
        key = "arguments" if kind == "function" else "input"
        deltas.append({"tool_calls": [{"index": index} | call | {kind: call[kind] | {key: ""}}]})
        deltas += [{"tool_calls": [{"index": index, kind: {key: half}}]} for half in _halves(call[kind][key])]
    out = [head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    out.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": choice["finish_reason"]}]})
    return [*out, head | {"choices": [], "usage": answer["usage"]}] if usage else out
