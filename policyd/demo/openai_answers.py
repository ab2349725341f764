"""Answers in OpenAI's shapes: chat completions, completions, responses, embeddings, models; whole and as streams.

In: what was asked, and the text to say. Out: a JSON body, or the server-sent events of a stream in order. The shapes are
those that the official SDK's types and stream accumulators read.
"""

import base64
import json
import struct
from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias

from policyd.demo.asked import Asked, ToolCall

__all__ = ["Event", "chat", "chat_stream", "completion", "completion_stream", "embeddings", "error", "models", "pieces", "response", "response_stream"]  # fmt: skip

Json: TypeAlias = dict[str, object]
Event: TypeAlias = tuple[str | None, Json | str]
"""The event's name, if the API names its events, and its data."""

CREATED: Final = 1_767_225_600
DIMENSIONS: Final = 4


def pieces(text: str) -> list[str]:
    """The text in small runs of words, as a model would stream it."""
    words = text.split(" ")
    runs = [" ".join(words[i : i + 3]) for i in range(0, len(words), 3)]
    return [run if i == 0 else " " + run for i, run in enumerate(runs)]


def chat(asked: Asked, text: str, number: int) -> Json:
    message: Json = {"role": "assistant", "content": text, "refusal": None}
    if asked.call is not None:
        message |= {"content": None, "tool_calls": [_chat_call(asked.call, number)]}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(asked)}
    return {**_chat_head(asked, number, "chat.completion"), "choices": [choice], "usage": _usage(asked, text)}


def chat_stream(asked: Asked, text: str, number: int, *, usage: bool) -> Iterator[Event]:
    head = _chat_head(asked, number, "chat.completion.chunk")

    def chunk(delta: Json, finish: str | None = None) -> Event:
        return None, {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]}  # fmt: skip

    yield chunk({"role": "assistant", "content": None if asked.call else ""})
    if asked.call is not None:
        yield chunk({"tool_calls": [{"index": 0, **_chat_call(asked.call, number)}]})
    else:
        for piece in pieces(text):
            yield chunk({"content": piece})
    yield chunk({}, _finish(asked))
    if usage:
        yield None, {**head, "choices": [], "usage": _usage(asked, text)}
    yield None, "[DONE]"


def completion(asked: Asked, text: str, number: int) -> Json:
    choice = {"index": 0, "text": text, "logprobs": None, "finish_reason": "stop"}
    return {**_completion_head(asked, number), "choices": [choice], "usage": _usage(asked, text)}


def completion_stream(asked: Asked, text: str, number: int) -> Iterator[Event]:
    head = _completion_head(asked, number)
    for piece in pieces(text):
        yield (
            None,
            {**head, "choices": [{"index": 0, "text": piece, "logprobs": None, "finish_reason": None}]},
        )
    yield None, {**head, "choices": [{"index": 0, "text": "", "logprobs": None, "finish_reason": "stop"}]}
    yield None, "[DONE]"


def response(asked: Asked, text: str, number: int) -> Json:
    return _response(asked, number, "completed", [_item(asked, text, number, "completed")], _response_usage(asked, text))  # fmt: skip


def response_stream(asked: Asked, text: str, number: int) -> Iterator[Event]:
    for sequence, event in enumerate(_response_events(asked, text, number)):
        yield str(event["type"]), {**event, "sequence_number": sequence}


def embeddings(asked: Asked, count: int, *, as_base64: bool) -> Json:
    vector = [((asked.tokens + i) % 7) / 7 for i in range(DIMENSIONS)]
    packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
    data = [{"object": "embedding", "index": i, "embedding": packed if as_base64 else vector} for i in range(count)]  # fmt: skip
    usage = {"prompt_tokens": asked.tokens, "total_tokens": asked.tokens}
    return {"object": "list", "data": data, "model": asked.model, "usage": usage}


def models(names: tuple[str, ...], owner: str) -> Json:
    data = [{"id": n, "object": "model", "created": CREATED, "owned_by": owner} for n in names]
    return {"object": "list", "data": data}


def error(status: int, message: str) -> Json:
    kind = "invalid_request_error" if status < 500 else "server_error"
    return {"error": {"message": message, "type": kind, "param": None, "code": None}}


def _chat_head(asked: Asked, number: int, kind: str) -> Json:
    return {"id": f"chatcmpl-{number}", "object": kind, "created": CREATED, "model": asked.model}


def _completion_head(asked: Asked, number: int) -> Json:
    return {"id": f"cmpl-{number}", "object": "text_completion", "created": CREATED, "model": asked.model}


def _chat_call(call: ToolCall, number: int) -> Json:
    function = {"name": call.name, "arguments": json.dumps(dict(call.arguments))}
    return {"id": f"call_{number}", "type": "function", "function": function}


def _finish(asked: Asked) -> str:
    return "stop" if asked.call is None else "tool_calls"


def _usage(asked: Asked, text: str) -> Json:
    said = len(pieces(text))
    return {"prompt_tokens": asked.tokens, "completion_tokens": said, "total_tokens": asked.tokens + said}


def _response_usage(asked: Asked, text: str) -> Json:
    said = len(pieces(text))
    return {
        "input_tokens": asked.tokens,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": said,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": asked.tokens + said,
    }


def _response(asked: Asked, number: int, status: str, output: list[Json], usage: Json | None) -> Json:
    return {
        "id": f"resp_{number}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "model": asked.model,
        "output": output,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage,
    }


def _item(asked: Asked, text: str, number: int, status: str) -> Json:
    if asked.call is not None:
        arguments = json.dumps(dict(asked.call.arguments)) if status == "completed" else ""
        return {"type": "function_call", "id": f"fc_{number}", "call_id": f"call_{number}", "name": asked.call.name, "arguments": arguments, "status": status}  # fmt: skip
    content = [_part(text)] if status == "completed" else []
    return {"type": "message", "id": f"msg_{number}", "role": "assistant", "status": status, "content": content}  # fmt: skip


def _part(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _response_events(asked: Asked, text: str, number: int) -> Iterator[Json]:
    begun = _response(asked, number, "in_progress", [], None)
    done = _item(asked, text, number, "completed")
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    yield {"type": "response.output_item.added", "output_index": 0, "item": _item(asked, text, number, "in_progress")}  # fmt: skip
    inner = _message_events(text, number) if asked.call is None else _call_events(asked.call, number)
    yield from inner
    yield {"type": "response.output_item.done", "output_index": 0, "item": done}
    yield {"type": "response.completed", "response": response(asked, text, number)}


def _message_events(text: str, number: int) -> Iterator[Json]:
    place: Mapping[str, object] = {"item_id": f"msg_{number}", "output_index": 0, "content_index": 0}
    yield {"type": "response.content_part.added", **place, "part": _part("")}
    for piece in pieces(text):
        yield {"type": "response.output_text.delta", **place, "delta": piece, "logprobs": []}
    yield {"type": "response.output_text.done", **place, "text": text, "logprobs": []}
    yield {"type": "response.content_part.done", **place, "part": _part(text)}


def _call_events(call: ToolCall, number: int) -> Iterator[Json]:
    place: Mapping[str, object] = {"item_id": f"fc_{number}", "output_index": 0}
    arguments = json.dumps(dict(call.arguments))
    yield {"type": "response.function_call_arguments.delta", **place, "delta": arguments}
    yield {
        "type": "response.function_call_arguments.done",
        **place,
        "name": call.name,
        "arguments": arguments,
    }
