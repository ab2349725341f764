"""Tables in a picture: columns as wide as what is in them, rows in groups, every other row shaded.

In come columns and rows of cells, a cell being a box or a mark; out comes one box. It knows nothing of policies.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.graph.model import Mark
from policyd.graph.scene import SIGN, Box, Sign, SignKind, Stroke, one_line

__all__ = ["Column", "Group", "mark_cell", "table", "words_cell"]

_GAP = 15
_PAD = 14
_ROW = 38
_HEAD = 24
_BAND = 32
_WIDEST_HEAD = 160


@dataclass(frozen=True, slots=True)
class Column:
    """`over` is the heading that neighbouring columns share."""

    head: str
    over: str = ""
    centred: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Rows under one heading."""

    head: Box
    rows: tuple[tuple[Box, ...], ...]


def mark_cell(mark: Mark, says: str) -> Box:
    kind: SignKind = "yes" if mark == "yes" else "no" if mark == "no" else "not-proved"
    return Box(SIGN, SIGN, signs=(Sign(0, 0, kind, says),))


def words_cell(text: str, *, font: str = "text", look: str = "", room: int = 190) -> Box:
    line = one_line(text, font, 0, 9, room=room, look=look)
    return Box(line.width, 18, texts=(line,))


def table(columns: Sequence[Column], groups: Sequence[Group], *, least: int = 0) -> Box:
    """At least so many pixels wide."""
    widths = _widths(columns, groups)
    wide = max(
        least,
        sum(widths) + _GAP * (len(widths) - 1) + 2 * _PAD,
        *(g.head.width + 2 * _PAD for g in groups),
        0,
    )
    starts = [_PAD]
    for w in widths[:-1]:
        starts.append(starts[-1] + w + _GAP)
    boxes, strokes, y = _headings(columns, widths, starts, wide)
    for group in groups:
        head = group.head.at(_PAD - 1, (_BAND - group.head.height) // 2)
        band = Box(wide - 2, _BAND, "band", x=1, y=y, round=0, boxes=(head,))
        boxes.append(band)
        y += _BAND
        for number, row in enumerate(group.rows):
            line = _row(columns, row, widths, starts, wide, shaded=bool(number % 2))
            boxes.append(line.at(1, y))
            y += line.height
    return Box(wide, y + 5, "table", round=8, boxes=tuple(boxes), strokes=tuple(strokes))


def _widths(columns: Sequence[Column], groups: Sequence[Group]) -> list[int]:
    out = [one_line(c.head, "small", 0, 0, room=_WIDEST_HEAD).width for c in columns]
    for group in groups:
        for row in group.rows:
            out = [max(w, cell.width) for w, cell in zip(out, row, strict=True)]
    for over, first, last in _shared(columns):
        room = sum(out[first : last + 1]) + _GAP * (last - first)
        lacking = one_line(over, "label", 0, 0, room=_WIDEST_HEAD).width - room
        if lacking > 0:
            out[last] += lacking
    return out


def _shared(columns: Sequence[Column]) -> list[tuple[str, int, int]]:
    """Each heading over columns, with the first and the last of them."""
    out: list[tuple[str, int, int]] = []
    for number, column in enumerate(columns):
        if out and out[-1][0] == column.over:
            out[-1] = (column.over, out[-1][1], number)
        else:
            out.append((column.over, number, number))
    return [found for found in out if found[0]]


def _headings(
    columns: Sequence[Column], widths: Sequence[int], starts: Sequence[int], wide: int
) -> tuple[list[Box], list[Stroke], int]:
    shared = _shared(columns)
    strokes: list[Stroke] = []
    texts = []
    y = 8
    if shared:
        for over, first, last in shared:
            end = starts[last] + widths[last]
            texts.append(
                one_line(over, "label", starts[first], y + 9, room=end - starts[first], look="muted")
            )
            strokes.append(Stroke(((starts[first], y + 19), (end, y + 19)), "hair"))
        y += 22
    for column, w, x in zip(columns, widths, starts, strict=True):
        middle = x + w // 2 if column.centred else x
        texts.append(
            one_line(column.head, "small", middle, y + 11, room=w, look="muted", centred=column.centred)
        )
    y += _HEAD
    return [Box(wide, y, texts=tuple(texts))], strokes, y


def _row(
    columns: Sequence[Column],
    row: Sequence[Box],
    widths: Sequence[int],
    starts: Sequence[int],
    wide: int,
    *,
    shaded: bool,
) -> Box:
    height = max(_ROW, *(cell.height + 12 for cell in row))
    boxes = tuple(
        cell.at(x - 1 + ((w - cell.width) // 2 if column.centred else 0), (height - cell.height) // 2)
        for column, cell, w, x in zip(columns, row, widths, starts, strict=True)
    )
    return Box(wide - 2, height, "row shaded" if shaded else "row", round=0, boxes=boxes)
