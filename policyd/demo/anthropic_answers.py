"""Answers in Anthropic's shapes: messages, count_tokens, models; whole and as streams.

In: what was asked, and the text to say. Out: a JSON body, or the server-sent events of a stream in order. The shapes are
those that the official SDK's types and stream accumulator read.
"""

import json
from collections.abc import Iterator
from typing import Final

from policyd.demo.asked import Asked
from policyd.demo.openai_answers import Event, Json, pieces

__all__ = ["count", "error", "message", "message_stream", "models"]

CREATED_AT: Final = "2026-01-01T00:00:00Z"


def message(asked: Asked, text: str, number: int) -> Json:
    return {
        **_head(asked, number),
        "content": [_block(asked, text, number)],
        "stop_reason": _stop(asked),
        "usage": _usage(asked, len(pieces(text))),
    }


def message_stream(asked: Asked, text: str, number: int) -> Iterator[Event]:
    for event in _events(asked, text, number):
        yield str(event["type"]), event


def count(asked: Asked) -> Json:
    return {"input_tokens": asked.tokens}


def models(names: tuple[str, ...]) -> Json:
    data = [{"type": "model", "id": n, "display_name": n, "created_at": CREATED_AT} for n in names]
    return {"data": data, "has_more": False, "first_id": names[0], "last_id": names[-1]}


def error(status: int, text: str) -> Json:
    kind = {404: "not_found_error"}.get(status, "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": text}}


def _head(asked: Asked, number: int) -> Json:
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": asked.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": _usage(asked, 1),
    }


def _block(asked: Asked, text: str, number: int) -> Json:
    if asked.call is None:
        return {"type": "text", "text": text}
    return {"type": "tool_use", "id": f"toolu_{number}", "name": asked.call.name, "input": dict(asked.call.arguments)}  # fmt: skip


def _events(asked: Asked, text: str, number: int) -> Iterator[Json]:
    yield {"type": "message_start", "message": _head(asked, number)}
    if asked.call is None:
        empty: Json = {"type": "text", "text": ""}
        deltas: list[Json] = [{"type": "text_delta", "text": piece} for piece in pieces(text)]
    else:
        empty = {**_block(asked, text, number), "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(dict(asked.call.arguments))}]
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "ping"}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    stopped = {"stop_reason": _stop(asked), "stop_sequence": None}
    yield {"type": "message_delta", "delta": stopped, "usage": {"output_tokens": len(deltas)}}
    yield {"type": "message_stop"}


def _stop(asked: Asked) -> str:
    return "end_turn" if asked.call is None else "tool_use"


def _usage(asked: Asked, said: int) -> Json:
    return {"input_tokens": asked.tokens, "output_tokens": said}
