"""Source files and places in them.

A `Source` is one file's text under the name a person knows it by; a `Span` is a half-open range of character offsets
in it. Everything that can be wrong with what an author wrote points at a `Span`.
"""

from bisect import bisect_right
from dataclasses import dataclass, field

__all__ = ["Source", "Span"]


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One file's text. `name` is what a diagnostic prints: the path as the person gave it."""

    name: str
    text: str
    line_starts: tuple[int, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(i + 1 for i, ch in enumerate(self.text) if ch == "\n")
        object.__setattr__(self, "line_starts", tuple(starts))

    def position(self, offset: int) -> tuple[int, int]:
        """The 1-based line and 1-based column (in characters) of an offset."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a 1-based line, without its line break."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


@dataclass(frozen=True, slots=True)
class Span:
    """Characters `start` (included) to `end` (excluded) of `source`."""

    source: Source
    start: int
    end: int

    def through(self, other: "Span") -> "Span":
        """From the beginning of this span to the end of `other`, in one source."""
        return Span(self.source, self.start, other.end)

    @property
    def place(self) -> str:
        """`path:line:col`, which editors and terminals make clickable."""
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]
