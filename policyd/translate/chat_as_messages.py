"""A whole answer of chat completions, or an error, said as one of Anthropic messages.

In comes what the server said and what the caller asked; out goes a `message`. The one idea: only what the answer says is
said, and what makes no sense is `Unsayable` rather than half an answer. Reasoning is shown where the caller asked to see
it. Streams are `chat_stream_as_messages`'s.
"""

import hashlib
from typing import Any

import orjson

from policyd.translate.anthropic_words import error_of, reasoning_in, stop_of, usage_of
from policyd.translate.loss import Unsayable
from policyd.translate.marks import mark_of
from policyd.translate.messages_to_chat import wants_thinking

__all__ = ["call_id", "error", "whole"]


def whole(answer: dict[str, Any], asked: dict[str, Any]) -> dict[str, Any]:
    """The message for a complete chat completion. Raises `Unsayable`."""
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise Unsayable("the answer has no choice")
    choice = choices[0]
    message = choice.get("message")
    if not isinstance(message, dict):
        raise Unsayable("the answer has no message")
    cut = choice.get("finish_reason") == "length"
    content = _thinking(message) if wants_thinking(asked) else []
    content += _texts(message.get("content"))
    refusal = message.get("refusal")
    if isinstance(refusal, str) and refusal:
        content.append({"type": "text", "text": refusal})
    name = answer.get("id")
    identity = name if isinstance(name, str) and name else "msg_unnamed"
    calls = _calls(message, identity, cut=cut)
    reason, sequence = stop_of(choice, called=bool(calls), refused=bool(refusal))
    model = answer.get("model")
    return {
        "id": identity,
        "type": "message",
        "role": "assistant",
        "model": model if isinstance(model, str) else "",
        "content": content + calls,
        "stop_reason": reason,
        "stop_sequence": sequence,
        "usage": usage_of(answer.get("usage")),
    }


def error(status: int, body: bytes) -> tuple[int, bytes]:
    """The error for a status of 400 or more and its body, which may hold anything."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = body.decode("utf-8", "replace")
    return status, orjson.dumps(error_of(said, status))


def call_id(answer: str, index: int, given: object) -> str:
    """The id of a call: the server's own, or one that no other call of the conversation has."""
    if isinstance(given, str) and given:
        return given
    return "toolu_" + hashlib.blake2s(f"{answer}/{index}".encode(), digest_size=12).hexdigest()


def _thinking(message: dict[str, Any]) -> list[dict[str, Any]]:
    found = reasoning_in(message)
    if found is None:
        return []
    key, said = found
    return [{"type": "thinking", "thinking": said, "signature": mark_of(key)}]


def _texts(content: object) -> list[dict[str, Any]]:
    """The text of an answer, which some servers give in parts. Anthropic has no block of white space alone, and refuses one that
    is sent back."""
    if content is None:
        return []
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content.strip() else []
    if not isinstance(content, list):
        raise Unsayable("the answer's content is neither a string nor a list")
    out = []
    for part in content:
        if not isinstance(part, dict) or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise Unsayable("the answer has content that is no text")
        if part["text"].strip():
            out.append({"type": "text", "text": part["text"]})
    return out


def _calls(message: dict[str, Any], answer: str, *, cut: bool) -> list[dict[str, Any]]:
    """The calls of tools. `cut`: the answer reached its limit, so the last one may be incomplete."""
    calls = message.get("tool_calls") or []
    if not isinstance(calls, list):
        raise Unsayable("the answer's calls are no list")
    if not calls and isinstance(message.get("function_call"), dict):
        calls = [{"function": message["function_call"]}]
    out = []
    for index, call in enumerate(calls):
        function = call.get("function") if isinstance(call, dict) else None
        name = function.get("name") if isinstance(function, dict) else None
        if not isinstance(function, dict) or not isinstance(name, str) or not name:
            raise Unsayable("a call in the answer names no function")
        given = _input(function.get("arguments"), cut=cut and index == len(calls) - 1)
        identity = call_id(answer, index, call.get("id"))
        out.append({"type": "tool_use", "id": identity, "name": name, "input": given})
    return out


def _input(arguments: object, *, cut: bool) -> dict[str, Any]:
    """The arguments as an object. Of a call that was cut nothing can be read, and `max_tokens` says that it was."""
    if isinstance(arguments, dict):
        return arguments
    if arguments is None or arguments == "":
        return {}
    try:
        value = orjson.loads(arguments) if isinstance(arguments, str) else None
    except orjson.JSONDecodeError:
        value = {} if cut else None
    if not isinstance(value, dict):
        raise Unsayable("the arguments of a call in the answer are no JSON object")
    return value
