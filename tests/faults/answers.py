"""What a model server says when nothing is wrong: whole answers and streams of each API, and its errors.

In come the path that was asked and a source of chance; out go bytes. Each answer names the place and the request, so that
an answer that went to the wrong client, or that was put together from two, can be told.
"""

import json
from random import Random
from typing import Any, Final

__all__ = ["error_body", "error_event", "events_of", "garbled_event", "whole_of"]

_USAGE: Final = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
_TOKENS: Final = {"input_tokens": 12, "output_tokens": 7}


def _words(name: str, chance: Random) -> list[str]:
    count = chance.choice([1, 3, 8, 8, 8, 40])
    size = chance.choice([4, 4, 20, 200, 3000])
    return [f"{name} ", *("x" * size + " " for _ in range(count))]


def _completion(name: str, text: str, endpoint: str) -> dict[str, Any]:
    if endpoint == "completions":
        choice: dict[str, Any] = {"index": 0, "text": text, "finish_reason": "stop", "logprobs": None}
    else:
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    kind = "text_completion" if endpoint == "completions" else "chat.completion"
    return {"id": name, "object": kind, "created": 1, "model": "m", "choices": [choice], "usage": _USAGE}


def _message(name: str, content: list[dict[str, Any]], stop: str | None) -> dict[str, Any]:
    return {
        "id": name, "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": stop,
        "stop_sequence": None, "usage": _TOKENS,
    }  # fmt: skip


def _response(name: str, text: str, status: str) -> dict[str, Any]:
    part = {"type": "output_text", "text": text, "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": [part]}
    return {
        "id": name, "object": "response", "created_at": 1, "model": "m", "status": status,
        "output": [item] if text else [], "usage": _TOKENS | {"total_tokens": 19}, "error": None,
    }  # fmt: skip


def whole_of(endpoint: str, name: str, chance: Random) -> bytes:
    """The body of an answer that is not streamed."""
    text = "".join(_words(name, chance))
    match endpoint:
        case "messages":
            said: dict[str, Any] = _message(name, [{"type": "text", "text": text}], "end_turn")
        case "count_tokens":
            said = {"input_tokens": 12}
        case "responses":
            said = _response(name, text, "completed")
        case "embeddings":
            said = {
                "object": "list", "model": name, "data": [{"object": "embedding", "index": 0, "embedding": "AACAPw=="}],
                "usage": {"prompt_tokens": 12, "total_tokens": 12},
            }  # fmt: skip
        case _:
            said = _completion(name, text, endpoint)
    return json.dumps(said).encode()


def events_of(endpoint: str, name: str, chance: Random) -> list[bytes]:
    """The events of a streamed one, the last of which ends it."""
    words = _words(name, chance)
    if endpoint == "messages":
        start = _message(name, [], None)
        block = {"type": "text", "text": ""}
        stop = {"delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": _TOKENS}
        return [
            _named("message_start", message=start),
            _named("content_block_start", index=0, content_block=block),
            *(_named("content_block_delta", index=0, delta={"type": "text_delta", "text": w}) for w in words),
            _named("content_block_stop", index=0),
            _named("message_delta", **stop),
            _named("message_stop"),
        ]
    if endpoint == "responses":
        return [
            _named("response.created", response=_response(name, "", "in_progress")),
            *(_named("response.output_text.delta", item_id="msg_1", output_index=0, content_index=0, delta=w) for w in words),
            _named("response.completed", response=_response(name, "".join(words), "completed")),
        ]  # fmt: skip
    first = {"role": "assistant", "content": ""}
    return [
        _chunk(name, endpoint, first, None),
        *(_chunk(name, endpoint, {"content": word}, None) for word in words),
        _chunk(name, endpoint, {}, "stop"),
        b"data: [DONE]\n\n",
    ]


def _chunk(name: str, endpoint: str, delta: dict[str, str], finish: str | None) -> bytes:
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    choice |= {"text": delta.get("content", "")} if endpoint == "completions" else {"delta": delta}
    kind = "text_completion" if endpoint == "completions" else "chat.completion.chunk"
    said = {"id": name, "object": kind, "created": 1, "model": "m", "choices": [choice]}
    return b"data: %b\n\n" % json.dumps(said).encode()


def _named(event: str, **data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (event.encode(), json.dumps({"type": event, **data}).encode())


def error_body(endpoint: str, status: int, name: str) -> bytes:
    """As the API says an error of its own."""
    if endpoint in {"messages", "count_tokens"}:
        kind = {429: "rate_limit_error", 529: "overloaded_error"}.get(status, "api_error")
        return json.dumps({"type": "error", "error": {"type": kind, "message": name}}).encode()
    return json.dumps({"error": {"message": name, "type": "server_error", "code": None}}).encode()


def error_event(endpoint: str, name: str) -> bytes:
    """As the API says it inside a stream."""
    if endpoint == "messages":
        return _named("error", error={"type": "overloaded_error", "message": name})
    if endpoint == "responses":
        return _named("error", code="server_error", message=name, param=None)
    return (
        b"data: %b\n\n"
        % json.dumps({"error": {"message": name, "type": "server_error", "code": None}}).encode()
    )


def garbled_event(endpoint: str, name: str) -> bytes:
    """An event whose data is no JSON."""
    lead = b"event: content_block_delta\n" if endpoint == "messages" else b""
    return b'%bdata: {"id": "%b", "cho\n\n' % (lead, name.encode())
