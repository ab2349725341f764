"""A run as GitHub workflow commands, which a pull request shows beside the line that they are about.

In come a `Run` and where the repository is; out goes one line for each finding that counts. A line begins with a command of
ours and holds no line break, so nothing that an author writes can be a command of its own: GitHub reads one command from
the beginning of a line and unescapes what is behind it.
"""

import re
from collections.abc import Iterator
from typing import Final

from policyd.reports.model import Entry, Run
from policyd.reports.places import Base
from policyd.reports.values import place_json
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity
from policyd.text.printable import printable

__all__ = ["annotations"]

_WORDS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}
_IN_MESSAGE: Final = re.compile(r"[%\r\n]")
_IN_PROPERTY: Final = re.compile(r"[%\r\n:,]")


def annotations(run: Run, *, base: Base) -> str:
    """The lines, each with its line break; none for a run without findings."""
    counting = (e for e in run.all_entries() if e.suppression is None)
    return "".join(f"{_line(entry, base)}\n" for entry in counting)


def _line(entry: Entry, base: Base) -> str:
    found = entry.diagnostic
    message = [found.message, *found.details]
    if found.help is not None:
        message.append(f"help: {found.help}")
    properties = ",".join(f"{name}={_property(value)}" for name, value in _properties(entry, base))
    return f"::{_WORDS[found.severity]} {properties}::{_data([*map(printable, message)])}"


def _properties(entry: Entry, base: Base) -> Iterator[tuple[str, str]]:
    """GitHub takes columns only for what stands on one line."""
    found = entry.diagnostic
    place = place_json(found.span)
    yield "file", base.path(entry.path if found.span is None else found.span.source.name)
    if place is not None:
        yield "line", str(place["line"])
        yield "endLine", str(place["end_line"])
        if place["line"] == place["end_line"]:
            yield "col", str(place["column"])
            yield "endColumn", str(place["end_column"])
    yield "title", f"{found.code}: {CODES[found.code].title}"


def _data(lines: list[str]) -> str:
    return _IN_MESSAGE.sub(_percent, "\n".join(lines))


def _property(value: str) -> str:
    return _IN_PROPERTY.sub(_percent, printable(value))


def _percent(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"
