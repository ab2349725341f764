"""Columns of tables: what stands below a heading.

Comes in: UTF-8 bytes, and where words stand that could head a column. Goes out: the cells below those that do, row by row.

The one idea: a word heads a column where it stands in a cell of a line, and what is below are lines with as many separators.
So nothing has to know whether a text is CSV, TSV, Markdown or what a database prints, or where in a text its table begins.

Linear: a line belongs to one table, and a heading inside a table only adds to its columns. Not here: columns of fixed width
without a separator, tables of HTML, and line ends inside a cell (three lines that do not fit are passed over).
"""

import re
from collections.abc import Generator, Iterable, Iterator
from typing import Final, TypeAlias

__all__ = ["Cell", "Headings", "cells", "headings"]

Cell: TypeAlias = tuple[str, int, int]
"""The key of a heading, and the bounds of what stands in a cell below it, without blanks and quotes."""

Headings: TypeAlias = dict[int, list[tuple[int, str]]]
"""By where a line begins: where words stand in it that head a column, and their keys."""

SEPARATORS: Final = b"\t|;,"
BEFORE: Final = re.compile(rb"(?:\A|[\t|;,\r\n])[^\t|;,\r\n0-9]{0,40}\Z")
BEHIND: Final = re.compile(rb"[^\t|;,\r\n0-9]{0,40}(?:[\t|;,\r\n])")
"""A cell of a heading is short and has no number in it."""

LONGEST_ROW: Final = 4096
MISFITS: Final = 3
"""Lines in a row with another number of cells, after which a table is at its end."""

RULE: Final = re.compile(rb"[ \t|+:=\-]*[\-=][ \t|+:=\-]*\r?")
"""Between a heading and its rows: `|---|---|`, `----+----`."""

QUOTED: Final = {
    separator: re.compile(
        rb'[ \t]*"(?:[^"\n]|"")*"[^%b\n]*|[^%b\n]*' % ((re.escape(bytes((separator,))),) * 2)
    )
    for separator in SEPARATORS
}
AROUND: Final = b" \t\r\"'*`"


def headings(data: bytes, words: Iterable[Cell]) -> Headings:
    """Those of the words (keys and bounds) that may head a column."""
    found: Headings = {}
    for key, start, end in words:
        if _is_cell(data, start, end):
            line = data.rfind(b"\n", max(0, start - LONGEST_ROW), start) + 1
            if line or start < LONGEST_ROW:
                found.setdefault(line, []).append((start, key))
    return found


def cells(data: bytes, heads: Headings) -> Iterator[Cell]:
    """The cells below the headings."""
    behind = -1
    for line in sorted(heads):
        if line > behind:
            behind = yield from _table(data, line, heads)


def _is_cell(data: bytes, start: int, end: int) -> bool:
    after = BEHIND.match(data, end, end + 48)
    if after is None:
        return False
    before = BEFORE.search(data, max(0, start - 48), start)
    return before is not None and (after[0][-1] in SEPARATORS or before[0][:1] in (b"\t", b"|", b";", b","))


def _table(data: bytes, start: int, heads: Headings) -> Generator[Cell, None, int]:
    """The cells of the table that begins with this line. Returns where its last line begins."""
    end = data.find(b"\n", start, start + LONGEST_ROW)
    if end < 0:
        return start
    separator = max(SEPARATORS, key=lambda sign: data.count(sign, start, end))
    width = len(_cut(data, start, end, separator))
    if width < 2 or (width == 2 and data[start:end].rstrip()[-1:] in (b",", b";")):
        return start  # words in quotes, an element of a list, a statement of a program
    columns: dict[int, dict[str, None]] = {}
    misfits = MISFITS - 1  # the first row stands directly below
    while misfits < MISFITS:
        row = _cut(data, start, end, separator)
        if len(row) == width:
            misfits = 0 if columns else misfits
            for index, keys in columns.items():
                low, high = _inner(data, *row[index])
                for key in keys:
                    yield key, low, high
            for place, key in heads.get(start, ()):
                index = next(i for i, (_, high) in enumerate(row) if place < high)
                columns.setdefault(index, {})[key] = None
        elif start == end or data[start:end] == b"\r":
            break
        elif RULE.fullmatch(data, start, end) is None:
            misfits += 1
        if end == len(data):
            break
        start, end = end + 1, data.find(b"\n", end + 1, end + 1 + LONGEST_ROW)
        if end < 0:
            end = len(data)
            if end - start > LONGEST_ROW:
                break
    return start


def _cut(data: bytes, start: int, end: int, separator: int) -> list[tuple[int, int]]:
    """The bounds of a line's cells. A separator in double quotes is none."""
    line = data[start:end]
    if b'"' in line:
        lengths = []
        at = 0
        while at <= len(line):
            match = QUOTED[separator].match(line, at)
            stop = match.end() if match else len(line)
            lengths.append(stop - at)
            at = stop + 1
    else:
        lengths = [len(cell) for cell in line.split(bytes((separator,)))]
    bounds = []
    for length in lengths:
        bounds.append((start, start + length))
        start += length + 1
    return bounds


def _inner(data: bytes, start: int, end: int) -> tuple[int, int]:
    cell = data[start:end].rstrip(AROUND)
    inner = cell.lstrip(AROUND)
    return start + len(cell) - len(inner), start + len(cell)
