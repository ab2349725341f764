"""Diagnostics as a person reads them in a terminal.

In comes a diagnostic; out goes its text: place, severity, code and message on the first line, which editors and
terminals make clickable, then the source line with carets under the span, further places, details and help. An
author's text can hold anything, so nothing is printed before it is made printable. Nothing is written anywhere here.
"""

from collections.abc import Iterable

from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable, width
from policyd.text.source import Span

__all__ = ["render", "render_all"]

_CLIP = 120
_TAB = 4
_COLOURS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.NOTE: "36"}


def render(diagnostic: Diagnostic, *, colour: bool) -> str:
    """Several lines without a line break after the last."""
    tint = _COLOURS[diagnostic.severity]
    span = diagnostic.span
    place = "" if span is None else _paint(printable(span.place), "1", colour) + ": "
    head = _paint(f"{diagnostic.severity}[{diagnostic.code}]", f"1;{tint}", colour)
    lines = [f"{place}{head} {_paint(printable(diagnostic.message), '1', colour)}"]
    labels = [label for label in diagnostic.labels if span is None or label.span != span]
    shown = ([span] if span is not None and span.source.text else []) + [label.span for label in labels]
    gutter = max((len(str(_line_of(place_))) for place_ in shown), default=1)
    if span is not None and span.source.text:
        lines += _excerpt(span, "^", "", gutter, tint, colour)
    for label in labels:
        if span is None or label.span.source is not span.source:
            lines.append(f"{' ' * gutter}--> {printable(label.span.place)}")
        lines += _excerpt(label.span, "-", printable(label.text), gutter, "34", colour)
    lines += [f"  {printable(detail)}" for detail in diagnostic.details]
    if diagnostic.help is not None:
        lines.append(f"{_paint('help:', '1;32', colour)} {printable(diagnostic.help)}")
    return "\n".join(lines)


def render_all(diagnostics: Iterable[Diagnostic], *, colour: bool) -> str:
    """Every diagnostic, a blank line between them, and how many there are of each severity; empty for none."""
    found = tuple(diagnostics)
    if not found:
        return ""
    counted = [(sum(d.severity is severity for d in found), severity) for severity in Severity]
    summary = ", ".join(
        f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counted if count
    )
    return "\n\n".join([*(render(d, colour=colour) for d in found), summary])


def _line_of(span: Span) -> int:
    return span.source.position(span.start)[0]


def _excerpt(span: Span, mark: str, text: str, gutter: int, tint: str, colour: bool) -> list[str]:
    number, column = span.source.position(span.start)
    line = span.source.line(number)
    begin = min(column - 1, len(line))
    end = max(begin, min(begin + (span.end - span.start), len(line)))
    before, under, after = _laid_out(line, begin, end)
    before, after = _clipped(before, under, after)
    if width(under) > _CLIP:
        under = _cut(under, _CLIP)
        after = ""
    marks = mark * max(1, width(under))
    note = f" {text}" if text else ""
    bar = _paint("|", "34", colour)
    return [
        f"{number:>{gutter}} {bar} {before}{under}{after}".rstrip(),
        f"{' ' * gutter} {bar} {' ' * width(before)}{_paint(marks + note, tint, colour)}",
    ]


def _laid_out(line: str, begin: int, end: int) -> tuple[str, str, str]:
    """The line before, in and after the span, tabs as spaces and hidden characters as escapes."""
    parts: list[list[str]] = [[], [], []]
    column = 0
    for index, ch in enumerate(line):
        shown = " " * (_TAB - column % _TAB) if ch == "\t" else printable(ch)
        column += width(shown)
        parts[(index >= begin) + (index >= end)].append(shown)
    return "".join(parts[0]), "".join(parts[1]), "".join(parts[2])


def _clipped(before: str, under: str, after: str) -> tuple[str, str]:
    """A long line shortened on both sides of the span, with `…` where something is left out."""
    room = max(0, _CLIP - width(under))
    if width(before) + width(after) <= room:
        return before, after
    kept = max(room // 2, room - width(after))
    if width(before) > kept:
        tail = _cut(before[::-1], max(0, kept - 1))[::-1]
        before = "…" + tail
    room -= width(before)
    if width(after) > room:
        after = _cut(after, max(0, room - 1)) + "…"
    return before, after


def _cut(text: str, cells: int) -> str:
    taken = 0
    for index, ch in enumerate(text):
        taken += width(ch)
        if taken > cells:
            return text[:index]
    return text


def _paint(text: str, codes: str, colour: bool) -> str:
    return f"\x1b[{codes}m{text}\x1b[0m" if colour else text
