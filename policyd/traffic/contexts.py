"""What stands around a text: the object that it is a value in, and the text before and after it.

Comes in: a parsed body and the strings that a reader sealed. Goes out: more texts for the detectors.

The one idea: two things are lost when strings are looked at one by one. `{"password": "…"}` is a label and a value only
as JSON, so every object is written out once more, compactly, with long strings cut to their ends. And a model reads one
message after the other, so a key may be cut in two between them: the ends of neighbouring texts are joined.

Both are linear in the body, and each message is a text of its own, so what did not change since the last turn is
remembered by the scanner.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

__all__ = ["FIRST", "NEIGHBOUR", "SPOKEN", "compact", "neighbours", "number_row", "outlines", "seams"]

SEAM: Final = 512
"""Characters on each side of the border between two parts of a list that are scanned once more, joined."""

NEIGHBOUR: Final = 192
"""The same for texts in neighbouring messages and blocks."""

WHOLE: Final = 256
"""A string up to this length stands whole in an outline: labelled secrets have at most 128 characters."""

GROUP: Final = 1024
"""Characters from which a text of outlines is long enough."""

TELLING: Final = 10**8
"""Whole numbers from here on have the nine digits that the shortest national numbers have."""

NESTED: Final = frozenset({dict, list})
PLAIN: Final = frozenset({int, float, bool, type(None)})

HEAD: Final = 192
TAIL: Final = 48

DEEPEST: Final = 128
"""Levels that are outlined. JSON in a string may have more; its strings are scanned one by one all the same."""


def outlines(body: Mapping[str, Any], sealed: frozenset[int]) -> Iterator[str]:
    """The body as compact JSON, an element of a top-level list or another top-level object to a line. Short ones share a
    text, because each text costs the scanner a look-up."""
    group: list[str] = []
    size = 0
    for line in _lines(body, sealed):
        group.append(line)
        size += len(line)
        if size >= GROUP:
            yield "\n".join(group)
            group, size = [], 0
    if group:
        yield "\n".join(group)


def _lines(body: Mapping[str, Any], sealed: frozenset[int]) -> Iterator[str]:
    plain: dict[str, Any] = {}
    for key, value in body.items():
        if isinstance(value, list):
            nested = False
            for item in value:
                if type(item) in NESTED:
                    nested = True
                    if not _is_bare_message(item):
                        yield compact(item, sealed)
            if not nested:
                plain[key] = value
        elif isinstance(value, dict):
            yield compact({key: value}, sealed)
        elif not _says_nothing(key, value):
            plain[key] = value
    if plain:
        yield compact(plain, sealed)


def _is_bare_message(item: object) -> bool:
    """A role and words: no label stands beside the words, and they are scanned themselves."""
    return (
        isinstance(item, dict)
        and len(item) == 2
        and isinstance(item.get("role"), str)
        and isinstance(item.get("content"), str)
        and len(item["role"]) <= 16
    )


def _says_nothing(key: str, value: object) -> bool:
    """A setting that can be no number of a person and no secret. The model's name is scanned as every string is."""
    if isinstance(value, int):
        return -TELLING < value < TELLING
    return value is None or isinstance(value, float) or key == "model"


def compact(value: object, sealed: frozenset[int] = frozenset()) -> str:
    """One value as JSON, without what is sealed."""
    return orjson.dumps(_cut(value, sealed, DEEPEST)).decode()


def _cut(value: object, sealed: frozenset[int], depth: int) -> object:
    if isinstance(value, str):
        if id(value) in sealed:
            return ""
        return value if len(value) <= WHOLE else f"{value[:HEAD]}…{value[-TAIL:]}"
    if isinstance(value, dict):
        if depth == 0:
            return None
        return {k: v if type(v) in PLAIN else _cut(v, sealed, depth - 1) for k, v in value.items()}
    if isinstance(value, list):
        if depth == 0:
            return None
        return [v if type(v) in PLAIN else _cut(v, sealed, depth - 1) for v in value]
    return value


def number_row(row: list[Any]) -> str | None:
    """A short list of whole numbers as one number: a card may come in groups, and JSON drops a group's leading zeros."""
    if (
        not 2 <= len(row) <= 19
        or type(row[0]) is not int
        or not all(type(item) is int and 0 <= item < 10**8 for item in row)
    ):
        return None
    if len(row) == 4:
        return " ".join(f"{item:04d}" for item in row)
    return "".join(str(item) for item in row)


SPOKEN: Final = (
    "reasoning_content", "reasoning", "reasoning_details", "thinking", "summary", "source", "data", "text", "content", "refusal",
    "output", "input", "stdout", "stderr", "prompt_string",
)  # fmt: skip
"""Keys whose strings a model reads in a row, in the order in which a server shows them, whatever order they came in. Names, ids and
titles between them do not separate them here."""

FIRST: Final = ("system", "instructions", "documents", "messages", "input", "prompt", "suffix")
"""The top-level keys that hold them."""


def neighbours(body: Mapping[str, Any], sealed: frozenset[int]) -> Iterator[str]:
    """The seams between each text that a model reads and the next, and between each and the next of the same role, where
    others speak in between."""
    spoken: list[str] = []
    turns: dict[str, list[tuple[int, int]]] = {}
    for key in FIRST:
        if key not in body:
            continue
        value = body[key]
        for item in value if isinstance(value, list) else (value,):
            first = len(spoken)
            _speak(item, sealed, spoken)
            if isinstance(item, dict) and len(spoken) > first:
                turns.setdefault(_role(item), []).append((first, len(spoken)))
    yield from seams(spoken, NEIGHBOUR)
    for spans in turns.values():
        # A role that speaks once, or only in one stretch, has no other seams than those above.
        if spans[-1][1] - spans[0][0] > sum(behind - first for first, behind in spans):
            yield from _apart(spoken, spans)


def _role(item: Mapping[str, Any]) -> str:
    """Who speaks: items of responses have a type where messages have a role."""
    role = item.get("role") or item.get("type")
    return role if isinstance(role, str) else ""


def _apart(spoken: list[str], spans: list[tuple[int, int]]) -> Iterator[str]:
    """The seams within one role. Short texts of others in between are not in them."""
    return seams([text for first, behind in spans for text in spoken[first:behind]], NEIGHBOUR)


def _speak(value: object, sealed: frozenset[int], out: list[str]) -> None:
    if isinstance(value, str):
        if value and id(value) not in sealed:
            out.append(value)
    elif isinstance(value, list):
        for item in value:
            _speak(item, sealed, out)
    elif isinstance(value, dict):
        if _is_bare_message(value):
            if value["content"] and id(value["content"]) not in sealed:
                out.append(value["content"])
            return
        for key in SPOKEN:
            item = value.get(key)
            if item is None:
                continue
            if isinstance(item, str):
                if key != "source" and item and id(item) not in sealed:
                    out.append(item)
            elif not (key == "input" and isinstance(item, dict)):
                _speak(item, sealed, out)


def seams(parts: list[str], width: int = SEAM) -> Iterator[str]:
    """What stands across the borders of adjacent parts: the last `width` characters before a border and the first after
    it; runs of parts shorter than that are joined whole. Linear in the length of the parts."""
    if len(parts) < 2:
        return
    run = [parts[0][-width:]]
    for part in parts[1:]:
        if len(part) <= width:
            run.append(part)
            continue
        run.append(part[:width])
        yield "".join(run)
        run = [part[-width:]]
    if len(run) > 1:
        yield "".join(run)
