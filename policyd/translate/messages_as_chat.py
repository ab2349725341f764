"""A whole answer of Anthropic's messages, said as one of OpenAI's chat completions; and its errors.

In come the parsed answer and the body that the caller sent; out goes the caller's answer. The one idea: the blocks of
one kind make up one field. Chat has one text and one list of calls, so what stood between a call and a text is no longer
told; the words are all there. `created` is 0, for the messages API does not say when it answered.

Thinking is said as `reasoning_content`, and as `reasoning_details` with its signatures, which a client that sends back the
message it got brings back.
"""

from typing import Any, Final

import orjson

from policyd.translate.asking import Json
from policyd.translate.chat_words import answered, finish_of, refusal_of, usage_of
from policyd.translate.loss import Unsayable
from policyd.translate.openai_errors import in_words, of_messages, parsed, said
from policyd.translate.thoughts import detail_of

__all__ = ["error", "whole"]

_THOUGHTS: Final = {"thinking": ("thinking", "signature"), "redacted_thinking": ("data",)}


def whole(answer: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Raises `Unsayable`."""
    del asked  # A whole answer is the same whatever was asked: chat always tells its usage.
    blocks = answer.get("content")
    if answer.get("type") != "message" or not isinstance(blocks, list):
        raise Unsayable("the answer is not a message")
    finish = finish_of(answer.get("stop_reason"))
    out: Json = {
        "id": answered(answer, "id"),
        "object": "chat.completion",
        "created": 0,
        "model": answered(answer, "model"),
        "choices": [
            {
                "index": 0,
                "message": _message(blocks) | {"refusal": refusal_of(answer)},
                "logprobs": None,
                "finish_reason": finish,
            }
        ],
    }
    usage = usage_of(answer.get("usage"))
    return out if usage is None else out | {"usage": usage}


def _message(blocks: list[object]) -> Json:
    texts: list[str] = []
    reasoning: list[str] = []
    thoughts: list[Json] = []
    calls: list[Json] = []
    for block in blocks:
        if not isinstance(block, dict):
            raise Unsayable("a block of the answer is not an object")
        match block.get("type"):
            case "text" if not block.get("citations"):
                texts.append(answered(block, "text"))
            case "thinking" | "redacted_thinking" as kind:
                thoughts.append({"type": kind} | {key: answered(block, key) for key in _THOUGHTS[kind]})
                reasoning.append(thoughts[-1].get("thinking", ""))
            case "tool_use":
                calls.append(_call(block))
            case _:
                raise Unsayable("chat has no word for a block of the answer")
    message: Json = {"role": "assistant", "content": "".join(texts) if texts else None}
    if any(reasoning):
        message["reasoning_content"] = "".join(reasoning)
    if thoughts:
        message["reasoning_details"] = [detail_of(t, i) for i, t in enumerate(thoughts)]
    return message | ({"tool_calls": calls} if calls else {})


def _call(block: Json) -> Json:
    if not isinstance(block.get("input"), dict):
        raise Unsayable("the arguments of a call are not an object")
    arguments = orjson.dumps(block["input"]).decode()
    function = {"name": answered(block, "name"), "arguments": arguments}
    return {"id": answered(block, "id"), "type": "function", "function": function}


_OVERLOADED: Final = 529
"""Anthropic's own status; OpenAI's clients know 503."""


def error(status: int, body: bytes) -> tuple[int, bytes]:
    """An error answer as chat says errors; of bytes that are none of Anthropic's, the status alone is told."""
    value = parsed(body)
    told = of_messages(value if isinstance(value, dict) else {}, in_words(status, body))
    return 503 if status == _OVERLOADED else status, said(status, told)
