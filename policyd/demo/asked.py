"""What a request asks a model for, the same for every API: the text, the tool it wants called, how it wants the answer.

In: a decoded body. Out: `Asked`. It reads leniently, because a stand-in answers everybody; it judges nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

__all__ = ["Asked", "ToolCall", "asked_of", "excerpt", "reply_text"]

CHARACTERS_PER_TOKEN: Final = 4
EXCERPT: Final = 60
TEXT_KEYS: Final = ("text", "content", "output", "input", "prompt", "messages")
"""Where the APIs keep text that a model reads, in the order of a conversation when several are present."""


@dataclass(frozen=True, slots=True)
class ToolCall:
    name: str
    arguments: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """`last` is the text of the last message, `tokens` a rough count over all text, `call` the tool to call, or None."""

    model: str
    last: str
    tokens: int
    stream: bool
    call: ToolCall | None


def asked_of(body: Mapping[str, object]) -> Asked:
    conversation = next((body[k] for k in ("messages", "input", "prompt") if k in body), "")
    last = conversation[-1] if isinstance(conversation, list) and conversation else conversation
    text = "\n".join(_texts(last))
    everything = sum(len(t) for k in ("system", "instructions", *TEXT_KEYS) for t in _texts(body.get(k)))
    return Asked(
        model=str(body.get("model", "")),
        last=text,
        tokens=max(1, everything // CHARACTERS_PER_TOKEN),
        stream=body.get("stream") is True,
        call=_wanted_call(text, body.get("tools")),
    )


def excerpt(text: str) -> str:
    """The end of the text on one line: agents put what the person typed last."""
    line = " ".join(text.split())
    return line if len(line) <= EXCERPT else "..." + line[-EXCERPT:]


def reply_text(name: str, asked: Asked) -> str:
    """Which stand-in answers, as which model, and what it was asked."""
    return f'{name} answers as {asked.model or "(no model named)"}. You asked: "{excerpt(asked.last)}"'


def _texts(node: object) -> Iterator[str]:
    match node:
        case str():
            yield node
        case list():
            for item in node:
                yield from _texts(item)
        case dict():
            for key in TEXT_KEYS:
                yield from _texts(node.get(key))


def _wanted_call(text: str, tools: object) -> ToolCall | None:
    """A tool is called when the last message says `call NAME`; every argument the tool requires echoes the message."""
    if not isinstance(tools, list):
        return None
    for tool in tools:
        if not isinstance(tool, dict):
            continue
        function = tool.get("function")
        declared = function if isinstance(function, dict) else tool
        name = declared.get("name")
        if isinstance(name, str) and re.search(rf"\bcall {re.escape(name)}\b", text):
            schema = declared.get("parameters") or declared.get("input_schema") or {}
            required = schema.get("required") if isinstance(schema, dict) else None
            return ToolCall(name, {str(key): excerpt(text) for key in required or ()})
    return None
