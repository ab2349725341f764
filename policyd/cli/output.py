"""What reaches a person's terminal: colours only where they are wanted, lines, tables.

In come strings; out go strings and the one place that writes them. Results go to standard output, errors to standard
error. It decides nothing about content.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TextIO

from policyd.text.printable import printable, width

__all__ = ["Style", "complain", "say", "style_for", "table"]


@dataclass(frozen=True, slots=True)
class Style:
    """Paints words, or leaves them alone when `colour` is false."""

    colour: bool

    def bold(self, text: str) -> str:
        return self._paint("1", text)

    def dim(self, text: str) -> str:
        return self._paint("2", text)

    def red(self, text: str) -> str:
        return self._paint("31", text)

    def green(self, text: str) -> str:
        return self._paint("32", text)

    def yellow(self, text: str) -> str:
        return self._paint("33", text)

    def _paint(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.colour and text else text


def style_for(stream: TextIO, environ: Mapping[str, str] | None = None) -> Style:
    """Colours on a terminal, unless `NO_COLOR` (no-color.org) or `TERM=dumb` says otherwise."""
    env = os.environ if environ is None else environ
    wanted = not env.get("NO_COLOR") and env.get("TERM") != "dumb"
    return Style(wanted and stream.isatty())


def say(text: str = "") -> None:
    """A result, on standard output."""
    sys.stdout.write(text + "\n")


def complain(text: str) -> None:
    """An error, on standard error."""
    sys.stderr.write(text + "\n")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], style: Style) -> str:
    """Left-aligned columns, two spaces apart; the last one is not padded."""
    cells = [tuple(printable(c) for c in row) for row in rows]
    widths = [max(width(r[i]) for r in (tuple(header), *cells)) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        return "  ".join(c + " " * (w - width(c)) for c, w in zip(row, widths, strict=True)).rstrip()

    return "\n".join((style.bold(line(header)), *(line(r) for r in cells)))
