"""Where each key of a TOML text stands.

In: text that `tomllib` accepts. Out: for every path (`("targets", "gpu", "url")`; a number counts the tables of an
array) the place of its key and of its value. It does not read values; `tomllib` does. A path that a header implies
(`[targets.gpu]` implies `targets`) stands at that header.
"""

import re
import tomllib
from dataclasses import dataclass, field
from typing import Final, TypeAlias

__all__ = ["Path", "Place", "Places", "locate"]

Path: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BASIC: Final = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL: Final = re.compile(r"'[^'\n]*'")
_MULTI_BASIC: Final = re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}(?!")', re.DOTALL)
_MULTI_LITERAL: Final = re.compile(r"'''.*?'{3,5}(?!')", re.DOTALL)
_SCALAR: Final = re.compile(r"[^,\]}\n#]*[^,\]}\n#\s]")


@dataclass(frozen=True, slots=True)
class Place:
    """Half-open character ranges of a key and of its value; a table that a header opens has an empty value."""

    key: tuple[int, int]
    value: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Places:
    known: dict[Path, Place]

    def nearest(self, path: Path) -> Place | None:
        """The place of the path, or of the longest part of it that stands in the text."""
        for length in range(len(path), 0, -1):
            place = self.known.get(path[:length])
            if place is not None:
                return place
        return None


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0
    known: dict[Path, Place] = field(default_factory=dict)
    arrays: dict[Path, int] = field(default_factory=dict)

    def document(self) -> None:
        table: Path = ()
        while self.skip(_BLANK) < len(self.text):
            if self.text.startswith("[[", self.at):
                table = self.header(2, array=True)
            elif self.text[self.at] == "[":
                table = self.header(1, array=False)
            else:
                self.pair(table)

    def header(self, brackets: int, *, array: bool) -> Path:
        self.at += brackets
        keys = self.keys()
        self.at += brackets
        path: Path = ()
        for position, (name, span) in enumerate(keys):
            path = (*path, name)
            self.note(path, span, (span[1], span[1]))
            last = position == len(keys) - 1
            if last and array:
                self.arrays[path] = self.arrays.get(path, -1) + 1
            if path in self.arrays:
                path = (*path, self.arrays[path])
                self.note(path, span, (span[1], span[1]))
        return path

    def pair(self, table: Path) -> None:
        keys = self.keys()
        path = table
        for name, span in keys:
            path = (*path, name)
            self.note(path, span, (span[1], span[1]))
        self.at += 1  # the equals sign
        self.skip(_SPACE)
        value = self.value(path)
        self.known[path] = Place(keys[-1][1], value)

    def keys(self) -> list[tuple[str, tuple[int, int]]]:
        found: list[tuple[str, tuple[int, int]]] = []
        while True:
            start = self.skip(_SPACE)
            quote = self.text[start]
            pattern = _BASIC if quote == '"' else _LITERAL if quote == "'" else _BARE
            raw = self.take(pattern)
            name = str(tomllib.loads(f"k = {raw}")["k"]) if quote in "\"'" else raw
            found.append((name, (start, self.at)))
            if self.text[self.skip(_SPACE)] != ".":
                return found
            self.at += 1

    def value(self, path: Path) -> tuple[int, int]:
        start = self.at
        match self.text[start]:
            case '"':
                self.take(_MULTI_BASIC if self.text.startswith('"""', start) else _BASIC)
            case "'":
                self.take(_MULTI_LITERAL if self.text.startswith("'''", start) else _LITERAL)
            case "[":
                self.array(path)
            case "{":
                self.inline_table(path)
            case _:
                self.take(_SCALAR)
        return start, self.at

    def array(self, path: Path) -> None:
        self.at += 1
        index = 0
        while self.text[self.skip(_BLANK)] != "]":
            span = self.value((*path, index))
            self.known[(*path, index)] = Place(span, span)
            index += 1
            if self.text[self.skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def inline_table(self, path: Path) -> None:
        self.at += 1
        while self.text[self.skip(_BLANK)] != "}":
            self.pair(path)
            if self.text[self.skip(_BLANK)] == ",":
                self.at += 1
        self.at += 1

    def note(self, path: Path, key: tuple[int, int], value: tuple[int, int]) -> None:
        self.known.setdefault(path, Place(key, value))

    def skip(self, pattern: re.Pattern[str]) -> int:
        found = pattern.match(self.text, self.at)
        if found is not None:
            self.at = found.end()
        return self.at

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        assert found is not None, "INVARIANT: tomllib accepted the text"
        self.at = found.end()
        return found.group()


def locate(text: str) -> Places:
    reader = _Reader(text)
    reader.document()
    return Places(reader.known)
