"""Model servers that repeat what they were given: the placeholders of a request, in words and in a call, whole or streamed in
pieces of three characters, in each dialect.
"""

import json
from typing import Any

from policyd.redact.placeholders import PLACEHOLDER
from tests.proxy.bench import Answering, Peer

__all__ = ["echoing", "repeated"]

Json = dict[str, Any]


def repeated(body: bytes) -> tuple[str, str]:
    """What the server says, and the arguments of its call."""
    words = list(dict.fromkeys(PLACEHOLDER.findall(body.decode())))
    return f"you said {' and '.join(words)}.", json.dumps({"given": words})


def echoing(*, more: bytes = b"") -> Answering:
    async def answer(peer: Peer, request: bytes) -> None:
        head, _, body = request.partition(b"\r\n\r\n")
        path, asked = head.split(b" ")[1].partition(b"?")[0].decode(), json.loads(body)
        text, arguments = repeated(body)
        if asked.get("stream"):
            kind, data = b"text/event-stream", _stream(path, text, arguments)
        else:
            kind, data = b"application/json", json.dumps(_whole(path, text, arguments)).encode()
        line = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n"
        await peer.send(line % (kind, len(data), more) + data)

    return answer


USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


def _whole(path: str, text: str, arguments: str) -> Json:
    function = {"name": "keep", "arguments": arguments}
    if path.endswith("/messages"):
        content = [{"type": "text", "text": text}, _use(json.loads(arguments))]
        return _message(content) | {"stop_reason": "tool_use"}
    if path.endswith("/count_tokens"):
        return {"input_tokens": 7}
    if path.endswith("/responses"):
        return _response([_said(text), _called(arguments)])
    if path.endswith("/embeddings"):
        return {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.5]}], "usage": USAGE}  # fmt: skip
    message = {
        "role": "assistant",
        "content": text,
        "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
    }
    choice = {"index": 0, "message": message, "text": text, "finish_reason": "tool_calls"}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": USAGE}  # fmt: skip


def _message(content: list[Json]) -> Json:
    usage = {"input_tokens": 3, "output_tokens": 5}
    return {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content, "stop_reason": None, "stop_sequence": None, "usage": usage}  # fmt: skip


def _use(given: Json) -> Json:
    return {"type": "tool_use", "id": "toolu_1", "name": "keep", "input": given}


def _said(text: str) -> Json:
    part = {"type": "output_text", "text": text, "annotations": []}
    return {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}


def _called(arguments: str) -> Json:
    return {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "keep", "arguments": arguments, "status": "completed"}  # fmt: skip


def _response(output: list[Json]) -> Json:
    return {
        "id": "resp_1", "object": "response", "created_at": 1, "model": "m", "status": "completed", "output": output, "tools": [],
        "tool_choice": "auto", "parallel_tool_calls": True, "metadata": {},
        "usage": {"input_tokens": 3, "output_tokens": 5, "total_tokens": 8, "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}},
    }  # fmt: skip


def _stream(path: str, text: str, arguments: str) -> bytes:
    words = [text[i : i + 3] for i in range(0, len(text), 3)]
    parts = [arguments[i : i + 3] for i in range(0, len(arguments), 3)]
    if path.endswith("/messages"):
        return _events(_of_messages(words, parts), named=True)
    if path.endswith("/responses"):
        return _events(_of_responses(text, arguments, words, parts), named=True)
    return _events(_of_chat(words, parts)) + b"data: [DONE]\n\n"


def _events(events: list[Json], *, named: bool = False) -> bytes:
    names = (f"event: {event['type']}\n" if named else "" for event in events)
    return "".join(
        f"{name}data: {json.dumps(event)}\n\n" for name, event in zip(names, events, strict=True)
    ).encode()


def _of_chat(words: list[str], parts: list[str]) -> list[Json]:
    def chunk(delta: Json, reason: str | None = None) -> Json:
        return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}  # fmt: skip

    first = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "keep", "arguments": ""}}
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": word}) for word in words),
        chunk({"tool_calls": [first]}),
        *(chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]}) for part in parts),
        chunk({}, "tool_calls"),
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": USAGE},
    ]  # fmt: skip


def _of_messages(words: list[str], parts: list[str]) -> list[Json]:
    return [
        {"type": "message_start", "message": _message([])},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": _use({})},
        *({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": p}} for p in parts),
        {"type": "content_block_stop", "index": 1},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None}, "usage": {"output_tokens": 5}},
        {"type": "message_stop"},
    ]  # fmt: skip


def _of_responses(text: str, arguments: str, words: list[str], parts: list[str]) -> list[Json]:
    at: Json = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    call: Json = {"output_index": 1, "item_id": "fc_1"}
    said, called = _said(text), _called(arguments)
    part = {"type": "output_text", "text": "", "annotations": []}
    events = [
        {"type": "response.created", "response": _response([]) | {"status": "in_progress"}},
        {"type": "response.output_item.added", "output_index": 0, "item": said | {"content": [], "status": "in_progress"}},
        {"type": "response.content_part.added", "part": part, **at},
        *({"type": "response.output_text.delta", "delta": w, "logprobs": [], **at} for w in words),
        {"type": "response.output_text.done", "text": text, "logprobs": [], **at},
        {"type": "response.content_part.done", "part": part | {"text": text}, **at},
        {"type": "response.output_item.done", "output_index": 0, "item": said},
        {"type": "response.output_item.added", "output_index": 1, "item": called | {"arguments": "", "status": "in_progress"}},
        *({"type": "response.function_call_arguments.delta", "delta": p, **call} for p in parts),
        {"type": "response.function_call_arguments.done", "arguments": arguments, "name": "keep", **call},
        {"type": "response.output_item.done", "output_index": 1, "item": called},
        {"type": "response.completed", "response": _response([said, called])},
    ]  # fmt: skip
    return [event | {"sequence_number": number} for number, event in enumerate(events)]
