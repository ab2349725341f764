"""A whole answer of OpenAI's chat completions, said as a response; and its errors.

In come the parsed answer and the body that the caller sent; out goes the response. The one idea: one message there is several
items here, in the order reasoning, words, calls. What the caller asked comes back in it, as the API does.
"""

from typing import Any

import orjson

from policyd.translate.asking import Json
from policyd.translate.loss import Unsayable
from policyd.translate.openai_errors import in_words, of_chat, parsed, said
from policyd.translate.responses_tools import called, names_of
from policyd.translate.responses_words import (
    call_item,
    ended_so,
    message_item,
    opened,
    reasoning_item,
    refusal_part,
    status_of,
    text_part,
    usage_of,
)

__all__ = ["call_of", "error", "nothing_else", "reasoning_in", "spoken", "the_choice", "whole", "written"]


def whole(answer: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """Raises `Unsayable`."""
    choice = the_choice(answer)
    if choice is None or not isinstance(choice.get("message"), dict):
        raise Unsayable("the answer holds no message")
    ending = status_of(choice.get("finish_reason"))
    items = _items(choice["message"], str(answer.get("id") or ""), names_of(asked))
    response = opened(asked, answer) | ending | {"output": ended_so(items, ending["status"])}
    return response | {"usage": usage_of(answer.get("usage"))}


def the_choice(answer: Json) -> Json | None:
    """The one choice of an answer or a chunk, None where a chunk has none. Raises `Unsayable` for more."""
    choices = answer.get("choices")
    if choices == [] or (choices is None and isinstance(answer.get("usage"), dict)):
        return None
    if not isinstance(choices, list) or len(choices) != 1 or not isinstance(choices[0], dict):
        raise Unsayable("the answer is not one choice")
    choice: Json = choices[0]
    if choice.get("index", 0) != 0:
        raise Unsayable("the answer is not the first choice")
    return choice


def _items(message: Json, response: str, names: dict[str, tuple[str, str]]) -> list[Json]:
    nothing_else(message)
    items: list[Json] = []
    reasoning = reasoning_in(message)
    if reasoning:
        items.append(reasoning_item(response, 0, reasoning))
    parts = []
    for key, part in (("content", text_part), ("refusal", refusal_part)):
        words = spoken(message, key)
        if words:
            parts.append(part(words))
    if parts:
        items.append(message_item(response, len(items), parts))
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Unsayable("the answer's calls are no list")
    for number, call in enumerate(calls):
        told = call_of(call, f"call_{response}_{number}")
        items.append(call_item(response, len(items), told, called(told["name"], names)))
    return items


def reasoning_in(message: Json) -> str:
    """Servers have two names for it."""
    return spoken(message, "reasoning_content") or spoken(message, "reasoning")


def spoken(message: Json, key: str) -> str:
    """The words of a message or a delta under a key; none where it is absent or null. Raises `Unsayable`."""
    words = message.get(key)
    if isinstance(words, str):
        return words
    if words is None:
        return ""
    if isinstance(words, list):
        return "".join(_part(part) for part in words)
    raise Unsayable("the words of the answer are not a text")


def nothing_else(message: Json) -> None:
    """Raises `Unsayable` where a message or a delta holds something that a response cannot."""
    if message.get("function_call") or message.get("audio") or message.get("annotations"):
        raise Unsayable("responses have no word for a part of the answer")


def _part(part: object) -> str:
    """Some servers say the content in parts."""
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    raise Unsayable("responses have no word for a part of the answer")


def call_of(call: object, otherwise: str) -> Json:
    """A call's `id`, `name` and `arguments` or `input`. `otherwise` is its id where the server gave it none, which is all
    that ties the result to it. Raises `Unsayable`."""
    kind = call.get("type") or "function" if isinstance(call, dict) else None
    inner = call.get(kind) if isinstance(call, dict) and kind in ("function", "custom") else None
    if not isinstance(call, dict) or not isinstance(inner, dict):
        raise Unsayable("responses have no word for a call in the answer")
    key = "arguments" if kind == "function" else "input"
    out = {"id": call.get("id") or otherwise, "name": inner.get("name"), key: written(inner.get(key))}
    if not all(isinstance(value, str) for value in out.values()) or not out["name"]:
        raise Unsayable("a call in the answer has no name")
    return out


def written(arguments: object) -> object:
    """Arguments as the text of JSON that they should be; some servers give the object itself."""
    if arguments is None:
        return ""
    return orjson.dumps(arguments).decode() if isinstance(arguments, dict) else arguments


def error(status: int, body: bytes) -> tuple[int, bytes]:
    """An error answer. Both APIs say errors alike; servers of chat do not all."""
    value = parsed(body)
    told = value.get("error", value) if isinstance(value, dict) else None
    return status, said(status, of_chat(told, in_words(status, body)))
