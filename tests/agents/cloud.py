"""A stand-in for a provider in the cloud that remembers what reached it, and can ask an agent to use one of its tools.

In: HTTP requests of both APIs, as an ASGI application. Out: answers that say `the cloud answers`; and, as long as `asks`
names a tool that the request offers and the conversation has no result of yet, a call of that tool. So an agent reads a file
at the cloud's wish, and what it read is in its next request. It has no model and checks no credential.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count
from typing import Any, Final

from policyd.demo import anthropic_answers, openai_answers
from policyd.demo.asked import ToolCall, asked_of
from policyd.demo.openai_answers import Event, Json

__all__ = ["SAID", "Arrived", "Cloud"]

SAID: Final = "the cloud answers this"
MODELS: Final = ("frontier",)
RESULTS: Final = frozenset({"tool", "tool_result", "function_call_output", "custom_tool_call_output"})


@dataclass(frozen=True, slots=True)
class Arrived:
    """One request as it arrived: its path, its headers with names in lower case, its body."""

    path: str
    headers: dict[str, str]
    body: bytes

    def holds(self, text: str) -> bool:
        return text.encode() in self.body or text in self.path or text in str(self.headers)


class Cloud:
    """`asks`: the tool that the cloud wants called, once in a conversation; None: it never asks."""

    def __init__(self) -> None:
        self.arrived: list[Arrived] = []
        self.asks: ToolCall | None = None
        self._numbers = count(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = b""
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if not message.get("more_body"):
                break
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        self.arrived.append(Arrived(scope["path"], headers, body))
        status, answer = self._answer(scope["path"], body)
        kind = b"application/json" if isinstance(answer, dict) else b"text/event-stream"
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        data = json.dumps(answer).encode() if isinstance(answer, dict) else b"".join(map(_event, answer))
        await send({"type": "http.response.body", "body": data})

    def _answer(self, path: str, body: bytes) -> tuple[int, Json | Iterable[Event]]:
        if path == "/v1/models":
            return 200, openai_answers.models(MODELS, "cloud")
        said = json.loads(body or b"{}")
        asked = replace(asked_of(said), call=self._call(said))
        number, streams = next(self._numbers), asked.stream
        match path:
            case "/v1/messages":
                make = anthropic_answers.message_stream if streams else anthropic_answers.message
                return 200, make(asked, SAID, number)
            case "/v1/messages/count_tokens":
                return 200, anthropic_answers.count(asked)
            case "/v1/responses":
                say = openai_answers.response_stream if streams else openai_answers.response
                return 200, say(asked, SAID, number)
            case "/v1/chat/completions" if streams:
                usage = bool((said.get("stream_options") or {}).get("include_usage"))
                return 200, openai_answers.chat_stream(asked, SAID, number, usage=usage)
            case "/v1/chat/completions":
                return 200, openai_answers.chat(asked, SAID, number)
            case _:
                return 404, openai_answers.error(404, f"no such endpoint: {path}")

    def _call(self, body: Json) -> ToolCall | None:
        offered = self.asks is not None and f'"{self.asks.name}"' in json.dumps(body.get("tools"))
        return self.asks if offered and not _has_result(body) else None


def _has_result(node: object) -> bool:
    match node:
        case list():
            return any(map(_has_result, node))
        case dict():
            return bool({node.get("type"), node.get("role")} & RESULTS) or any(
                _has_result(node.get(key)) for key in ("messages", "input", "content")
            )
        case _:
            return False


def _event(event: Event) -> bytes:
    name, data = event
    text = data if isinstance(data, str) else json.dumps(data)
    return (f"event: {name}\n" if name else "").encode() + f"data: {text}\n\n".encode()
