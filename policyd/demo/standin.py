"""A stand-in for a model server: it speaks the OpenAI and the Anthropic API and remembers what reached it.

In: HTTP requests, as an ASGI application. Out: short answers that say who answers and what was asked, and `received`, the
record that the tour's proof rests on. It has no model, checks no credential and keeps nothing on disk.
"""

import asyncio
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from dataclasses import dataclass
from itertools import count
from typing import Any, Final, TypeAlias

from policyd.demo import anthropic_answers, openai_answers
from policyd.demo.asked import Asked, asked_of, reply_text
from policyd.demo.openai_answers import Event, Json

__all__ = ["Received", "Standin"]

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

REMEMBERED: Final = 10_000
JSON: Final = (b"content-type", b"application/json")
SSE: Final = (b"content-type", b"text/event-stream; charset=utf-8")


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes

    def header(self, name: str) -> str | None:
        return next((v for k, v in self.headers if k == name), None)

    def contains(self, text: str) -> bool:
        """Whether the text stands anywhere in the request: body, headers, path or query."""
        places = (self.path, self.query, *(f"{k}: {v}" for k, v in self.headers))
        return text.encode() in self.body or any(text in place for place in places)


@dataclass(frozen=True, slots=True)
class _Answer:
    """A JSON body with its status, or the events of a stream."""

    status: int = 200
    body: Json | None = None
    events: Iterable[Event] = ()


class Standin:
    """One stand-in server. `pace` is the pause between two events of a stream, in seconds, so that a person sees it
    stream. Only the last `REMEMBERED` requests are kept."""

    def __init__(self, name: str, *, models: tuple[str, ...], pace: float = 0.0) -> None:
        self.name = name
        self.received: deque[Received] = deque(maxlen=REMEMBERED)
        self._models = models
        self._pace = pace
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body = await _whole_body(receive)
        if body is None:
            return
        request = Received(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            tuple((k.decode("latin-1"), v.decode("latin-1")) for k, v in scope["headers"]),
            body,
        )
        self.received.append(request)
        answer = self._answer(request)
        if answer.body is not None:
            await _send_json(send, answer.status, answer.body, with_body=request.method != "HEAD")
        else:
            await self._send_events(send, answer.events)

    def _answer(self, request: Received) -> _Answer:
        match request.method, request.path:
            case (("GET" | "HEAD"), "/"):
                return _Answer(body={"name": self.name})
            case "GET", "/v1/models" if request.header("anthropic-version") is not None:
                return _Answer(body=anthropic_answers.models(self._models))
            case "GET", "/v1/models":
                return _Answer(body=openai_answers.models(self._models, self.name))
            case "POST", path:
                return self._answer_post(path, request)
            case _:
                return _Answer(404, openai_answers.error(404, f"no such endpoint: {request.path}"))

    def _answer_post(self, path: str, request: Received) -> _Answer:
        error = anthropic_answers.error if path.startswith("/v1/messages") else openai_answers.error
        try:
            decoded = json.loads(request.body)
        except ValueError:
            return _Answer(400, error(400, "the body is not JSON"))
        if not isinstance(decoded, dict):
            return _Answer(400, error(400, "the body is not a JSON object"))
        return self._answer_body(path, decoded) or _Answer(404, error(404, f"no such endpoint: {path}"))

    def _answer_body(self, path: str, body: Json) -> _Answer | None:
        asked, number = asked_of(body), next(self._numbers)
        text = reply_text(self.name, asked)
        match path:
            case "/v1/chat/completions":
                events = openai_answers.chat_stream(asked, text, number, usage=_wants_usage(body))
                return _either(asked, openai_answers.chat(asked, text, number), events)
            case "/v1/completions":
                events = openai_answers.completion_stream(asked, text, number)
                return _either(asked, openai_answers.completion(asked, text, number), events)
            case "/v1/responses":
                events = openai_answers.response_stream(asked, text, number)
                return _either(asked, openai_answers.response(asked, text, number), events)
            case "/v1/embeddings":
                inputs = body.get("input")
                many = (
                    len(inputs)
                    if isinstance(inputs, list) and inputs and not isinstance(inputs[0], int)
                    else 1
                )
                packed = body.get("encoding_format") == "base64"
                return _Answer(body=openai_answers.embeddings(asked, many, as_base64=packed))
            case "/v1/messages":
                events = anthropic_answers.message_stream(asked, text, number)
                return _either(asked, anthropic_answers.message(asked, text, number), events)
            case "/v1/messages/count_tokens":
                return _Answer(body=anthropic_answers.count(asked))
            case _:
                return None

    async def _send_events(self, send: Send, events: Iterable[Event]) -> None:
        await send(
            {"type": "http.response.start", "status": 200, "headers": [SSE, (b"cache-control", b"no-cache")]}
        )
        for name, data in events:
            await send({"type": "http.response.body", "body": _sse(name, data), "more_body": True})
            await asyncio.sleep(self._pace)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _either(asked: Asked, whole: Json, events: Iterator[Event]) -> _Answer:
    return _Answer(events=events) if asked.stream else _Answer(body=whole)


def _wants_usage(body: Json) -> bool:
    options = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _sse(name: str | None, data: Json | str) -> bytes:
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()


async def _whole_body(receive: Receive) -> bytes | None:
    """The request's body, or None when the caller left before it was complete."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


async def _send_json(send: Send, status: int, body: Json, *, with_body: bool) -> None:
    raw = json.dumps(body).encode()
    headers = [JSON, (b"content-length", str(len(raw)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": raw if with_body else b""})
