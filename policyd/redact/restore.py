"""Values put back where placeholders stand: into one string, and into a string that comes in pieces.

In come strings of an answer; out go the same with values in them. The one idea: a text that comes in pieces is held from
where a placeholder may have begun, and a placeholder begins at one character that occurs in it once, so what is held is
short, and what turns out to be none of it is passed as it came.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from policyd.redact.placeholders import PLACEHOLDER, Known
from policyd.redact.places import FREE, JSON_TEXT, is_structure

__all__ = ["MOST_ADDED", "Piece", "Restorer", "Tail", "Unrestorable", "written"]

MOST_ADDED: Final = 64 * 1024 * 1024
"""Characters by which one answer may grow: a short placeholder may stand for a long value, and a model can say it often."""

DEEPEST: Final = 200
"""Levels of an answer that are looked through; no API has answers half as deep, and JSON is written to 254 only."""

_THOUGHT = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning.text", "reasoning.encrypted"})
_THOUGHT_KEYS = frozenset(
    {"reasoning_content", "reasoning", "reasoning_details", "thinking", "thinking_blocks"}
)
"""What a model thought stays as it thought it: servers vouch for the words, and take them back unchanged."""

_WORDS_OF_A_MODEL = frozenset({"text", "content"})


class Unrestorable(Exception):
    """Nothing can be put back into this answer. The message quotes no content."""


@dataclass(slots=True, eq=False)
class Piece:
    """A string of an answer that may end inside a placeholder: `holder[key]` is `kept` and then `held`."""

    holder: dict[str, Any]
    key: str
    kept: str
    held: str
    changed: Callable[[], None]
    settled: Callable[[], None]


@dataclass(slots=True, eq=False)
class Tail:
    """What of a text that comes in pieces is still open. INVARIANT: the held parts, joined, begin a placeholder."""

    pieces: list[Piece] = field(default_factory=list)
    text: str = ""
    """The held parts, joined."""

    def hold(self, piece: Piece) -> None:
        self.pieces.append(piece)
        self.text += piece.held

    def settle(self) -> None:
        """It is none after all, or the text is at its end: everything stays as it came."""
        for piece in self.pieces:
            piece.settled()
        self.pieces.clear()
        self.text = ""


class Restorer:
    """`json_answers`: what the model says is a JSON document, so values are escaped in it. What puts values back raises
    `Unrestorable`."""

    __slots__ = ("_added", "_json_answers", "known")

    def __init__(self, values: Mapping[str, str] | Known, *, json_answers: bool = False) -> None:
        self.known = values if isinstance(values, Known) else Known(values)
        self._json_answers = json_answers
        self._added = 0

    def for_one_answer(self) -> "Restorer":
        """One that has put nothing back yet."""
        return Restorer(self.known, json_answers=self._json_answers)

    def value(self, placeholder: str, *, json: bool) -> str:
        value = self.known.values[placeholder]
        value = _escaped(value) if json else value
        self._added += len(value) - len(placeholder)
        if self._added > MOST_ADDED:
            raise Unrestorable("with values put back, the answer is larger than any")
        return value

    def text(self, text: str, *, json: bool = False) -> str:
        """A whole string; the very object where nothing is put back."""
        if "[" not in text:
            return text

        def put(found: re.Match[str]) -> str:
            return self.value(found[0], json=json) if found[0] in self.known.values else found[0]

        out = PLACEHOLDER.sub(put, text)
        return text if out == text else out

    def feed(self, tail: Tail, piece: Piece, *, json: bool) -> None:
        """The next piece of a text whose open end is `tail`. It is put into `piece`, and what may begin a placeholder stays
        open."""
        text = piece.held
        before = tail.text
        whole = before + text
        out: list[str] = []
        at = 0
        if before:
            placeholder = self.known.at(whole, 0)
            if placeholder is not None:
                for earlier in tail.pieces:
                    earlier.holder[earlier.key] = earlier.kept
                    earlier.changed()
                out.append(self.value(placeholder, json=json))
                at = len(placeholder)
            elif self.known.may_begin(whole, 0):
                tail.hold(piece)
                return
            else:
                at = len(before)
        tail.settle()
        for found in PLACEHOLDER.finditer(whole, at):
            if found[0] in self.known.values:
                out += (whole[at : found.start()], self.value(found[0], json=json))
                at = found.end()
        start = self.known.open_from(whole, at)
        out.append(whole[at:start])
        held = whole[start:]
        kept = "".join(out)
        if kept + held != text:
            piece.holder[piece.key] = kept + held
            piece.changed()
        piece.kept, piece.held = kept, held
        if held:
            tail.hold(piece)
        else:
            piece.settled()

    def tree(self, value: Any, key: str = "", *, free: bool = False, depth: int = 0) -> Any:
        """A whole part of an answer, with the very objects that did not change."""
        if depth > DEEPEST:
            raise Unrestorable("the answer is deeper than any")
        if isinstance(value, str):
            if not free and is_structure(key):
                return value
            json = not free and (key in JSON_TEXT or (self._json_answers and key in _WORDS_OF_A_MODEL))
            return self.text(value, json=json)
        free = free or key in FREE
        if isinstance(value, list):
            items = [self.tree(item, key, free=free, depth=depth + 1) for item in value]
            return value if all(a is b for a, b in zip(items, value, strict=True)) else items
        if not isinstance(value, dict) or (not free and _is_thought(value)):
            return value
        out: dict[str, Any] = {}
        changed = False
        for name, item in value.items():
            if not free and name in _THOUGHT_KEYS:
                out[name] = item
                continue
            own = free or (name == "input" and isinstance(item, dict))
            put = self.text(name) if own or free else name
            put = name if put in out or (put != name and put in value) else put
            out[put] = restored = self.tree(item, name, free=own, depth=depth + 1)
            changed = changed or put != name or restored is not item
        return out if changed else value

    @property
    def json_answers(self) -> bool:
        return self._json_answers


def _is_thought(part: Mapping[str, Any]) -> bool:
    kind = part.get("type")
    return isinstance(kind, str) and kind in _THOUGHT


def written(value: Any) -> bytes:
    """JSON. Raises `Unrestorable` where it is too deep to be written, or holds what is no text."""
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError:
        raise Unrestorable("the answer cannot be written with the values put back") from None


def _escaped(value: str) -> str:
    return written(value).decode()[1:-1]
