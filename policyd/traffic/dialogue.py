"""Who said what in a request: one walk over a body of any dialect, for the features that are about the task.

In comes a reading and its endpoint, out goes a `Dialogue`: how much was said, by whom, how the system prompt opens, what a
person said last. The one idea: agents wrap what a person says in much that no person wrote (reminders, environments, tool
results, greetings of their own), and only what is left when that is put aside tells the task and the language.

One pass, linear in the parts of a body; of the texts themselves only bounded beginnings are looked into. Not here: what
follows from it (`task`, `complexity`, `code_shape`).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from policyd.traffic.reading import Reading

__all__ = ["SAMPLE", "Dialogue", "dialogue_of"]

SAMPLE: Final = 16 * 1024
"""Characters of the conversation, from its beginning, whose lines are looked at for code."""

LONGEST_SAID: Final = 16 * 1024
"""Characters of one part of what a person said that are looked into: its beginning, and as many of its end."""

ENOUGH_SAID: Final = 64 * 1024
"""Characters of what persons said that are remembered, the last first."""

LONGEST_OPENING: Final = 400

_TAGGED: Final = re.compile(r"\s*<([A-Za-z][\w-]{0,63})[ >]")
_HARNESS: Final = (
    "This is the Qwen Code. We are setting up the context",
    "This is the Gemini CLI. We are setting up the context",
    "I have *added these files to the chat*",
    "Here are some *read only* files",
    "Here are summaries of some files present in my git repo",
    "Here are *read-only* ",
)
"""How messages begin that an agent writes in a person's name: Qwen Code and Gemini CLI, aider."""

_GREETINGS: Final = frozenset({
    "Got it. Thanks for the context!", "Ok, any changes I propose will be to those files.", "Ok.",
    "Ok, I won't try and edit those files without asking first.",
    "Ok, I will use that as the true, current contents of the files.",
    "Ok, I will use these files as references.",
})  # fmt: skip
"""Answers that agents write in the model's name before a person has said anything."""

_BILLING: Final = "x-anthropic-billing-header:"
_FILL: Final = (
    "<fim_prefix>",
    "<|fim_prefix|>",
    "<|fim_begin|>",
    "<｜fim▁begin｜>",
    "<fim-prefix>",
    "[SUFFIX]",
)
"""Marks by which model families are asked to fill a gap."""

_SYSTEM: Final = frozenset({"system", "developer"})


@dataclass(slots=True)
class Dialogue:
    """What one request holds. `opening`: how its system prompt begins. `said`: what persons said, the last message first, each
    the texts of its parts. `asked`: how the last message of a person begins, whoever wrote it. `sample`: the beginning of the
    conversation without the system prompt. `characters`: of all its texts. `messages`: those of persons, models and tools.
    `answers`: of the model. `acts`: calls and results of tools. `offered`: tools. `filling`: a gap is to be filled. `continued`: the server is to go on from what it keeps."""

    opening: str = ""
    said: list[tuple[str, ...]] = field(default_factory=list)
    asked: str = ""
    sample: list[str] = field(default_factory=list)
    characters: int = 0
    messages: int = 0
    answers: int = 0
    acts: int = 0
    offered: int = 0
    filling: bool = False
    continued: bool = False
    _sampled: int = 0

    @property
    def first(self) -> bool:
        """Nobody has answered yet: no model, no tool, no kept conversation."""
        return not (self.answers or self.acts or self.continued)

    def open_with(self, text: str) -> None:
        start = text[:LONGEST_OPENING].strip()
        if not self.opening and start and not start.startswith(_BILLING):
            self.opening = start

    def take(self, text: str) -> None:
        """A text of the conversation, whoever said it."""
        self.characters += len(text)
        if self._sampled < SAMPLE:
            piece = text[: SAMPLE - self._sampled]
            self._sampled += len(piece)
            self.sample.append(piece)


def dialogue_of(endpoint: str, reading: Reading) -> Dialogue:
    """The dialogue of a request to this endpoint, by the endpoint's name as policies write it."""
    body = reading.body
    found = Dialogue()
    match endpoint:
        case "chat" | "messages" | "count_tokens":
            _system(found, body.get("system"))
            _messages(found, body.get("messages"), reading.sealed)
        case "responses":
            _system(found, body.get("instructions"))
            _messages(found, body.get("input"), reading.sealed)
        case _:
            _prompts(found, body.get("prompt" if endpoint == "completions" else "input"))
    found.offered += sum(len(v) for k in ("tools", "functions") if isinstance(v := body.get(k), list))
    found.continued = any(body.get(key) for key in ("previous_response_id", "conversation"))
    suffix = body.get("suffix")
    found.filling = bool(isinstance(suffix, str) and suffix) or any(mark in found.asked for mark in _FILL)
    # Collected from the first message on; what was said last is asked about first.
    found.said.reverse()
    return found


def _prompts(found: Dialogue, value: object) -> None:
    for prompt in value if isinstance(value, list) else (value,):
        if isinstance(prompt, str):
            found.messages += 1
            found.take(prompt)
            found.asked = prompt[:LONGEST_OPENING]
            found.said.append((_ends(prompt),))


def _system(found: Dialogue, value: object) -> None:
    for text in _texts(value):
        found.characters += len(text)
        found.open_with(text)


def _messages(found: Dialogue, value: object, sealed: frozenset[int]) -> None:
    if isinstance(value, str):
        value = [{"role": "user", "content": value}]
    kept = 0
    for message in value if isinstance(value, list) else ():
        if isinstance(message, str):
            kept += _turn(found, {"content": message}, "user", sealed)
            found.messages += 1
            continue
        if not isinstance(message, dict):
            continue
        role = message.get("role")
        if isinstance(role, str) and role in _SYSTEM:
            _system(found, message.get("content"))
            continue
        found.messages += 1
        if role is None:
            _item(found, message)
            continue
        kept += _turn(found, message, role, sealed)
        # What was said long ago makes room for what was said since.
        while kept > ENOUGH_SAID and len(found.said) > 1:
            kept -= sum(map(len, found.said.pop(0)))


def _turn(found: Dialogue, message: Mapping[str, Any], role: object, sealed: frozenset[int]) -> int:
    """One message of a person, a model or a tool; the characters of what a person said in it are returned."""
    content = message.get("content")
    if role in ("tool", "function"):
        found.acts += 1
        _take_all(found, content)
        return 0
    calls = message.get("tool_calls")
    found.acts += len(calls) if isinstance(calls, list) else bool(message.get("function_call"))
    own: list[str] = []
    for kind, text in _parts(content):
        if kind == "call":
            found.acts += 1
        elif kind == "result":
            found.acts += 1
            _take_all(found, text)
        elif isinstance(text, str) and id(text) not in sealed:
            own.append(text)
    if role == "assistant":
        greeting = len(own) == 1 and own[0].strip() in _GREETINGS and not calls
        found.answers += not greeting
        for text in own:
            found.take(text)
        return 0
    by_person = [text for text in own if not _of_an_agent(text)]
    found.characters += sum(map(len, own)) - sum(map(len, by_person))
    for text in by_person:
        found.take(text)
    said = tuple(map(_ends, by_person))
    if said:
        found.said.append(said)
        found.asked = said[0][:LONGEST_OPENING]
    return sum(map(len, said))


def _item(found: Dialogue, item: Mapping[str, Any]) -> None:
    """An input item of responses that is no message."""
    kind = item.get("type")
    kind = kind if isinstance(kind, str) else ""
    if kind == "additional_tools":
        found.messages -= 1
        tools = item.get("tools")
        found.offered += len(tools) if isinstance(tools, list) else 0
    elif kind.endswith("_call"):
        found.acts += 1
        for key in ("arguments", "input"):
            _take_all(found, item.get(key))
    elif kind.endswith("_output"):
        found.acts += 1
        _take_all(found, item.get("output"))


def _take_all(found: Dialogue, content: object) -> None:
    for text in _texts(content):
        found.take(text)


def _texts(content: object) -> Iterator[str]:
    """The texts of a content that holds nothing but texts and what is no text."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, list):
        for part in content:
            text = part.get("text") if isinstance(part, dict) else part
            if isinstance(text, str):
                yield text


def _parts(content: object) -> Iterator[tuple[str, object]]:
    """What a message holds: `("text", …)`, `("call", …)`, `("result", its content)`."""
    if isinstance(content, str):
        yield "text", content
    elif isinstance(content, list):
        for part in content:
            if isinstance(part, str):
                yield "text", part
            elif isinstance(part, dict):
                kind = part.get("type")
                if isinstance(kind, str) and kind.endswith("tool_use"):
                    yield "call", part
                elif isinstance(kind, str) and kind.endswith("tool_result"):
                    yield "result", part.get("content")
                else:
                    yield "text", part.get("text")


def _ends(text: str) -> str:
    if len(text) <= 2 * LONGEST_SAID:
        return text
    return f"{text[:LONGEST_SAID]}\n{text[-LONGEST_SAID:]}"


def _of_an_agent(text: str) -> bool:
    """Whether an agent wrote this in a person's name: nothing but one element (`<system-reminder>…</system-reminder>`), or one
    of the known beginnings."""
    if text.lstrip().startswith(_HARNESS):
        return True
    tag = _TAGGED.match(text)
    return tag is not None and text.rstrip().endswith(f"</{tag[1]}>")
