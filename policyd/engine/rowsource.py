"""Source that looks clauses up in bit rows: for leaves with many rules, and for routes after one that was passed over.

In come clauses in order, out come expressions and lines over compact rows: only these clauses have bits, and only the
features they read have tables. Rows of cheap features are ANDed at once. A costly feature is asked for only while the
clause on top reads it (`NEED`), cheapest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.engine.axes import NameAxis
from policyd.engine.boxes import Box
from policyd.engine.room import MOST_NAMES, Room
from policyd.engine.source import Writer, segments
from policyd.engine.tree import CHEAP

__all__ = ["NameRows", "RowSource", "row_source"]


class NameRows(dict[frozenset[str], int]):
    """The clauses that accept a set of names; remembers sets it was asked."""

    __slots__ = ("names", "room")

    def __init__(self, names: Sequence[tuple[str, int, int]], room: Room) -> None:
        super().__init__()
        self.names = tuple(names)
        self.room = room

    def __missing__(self, value: frozenset[str]) -> int:
        row = -1
        for name, absent, present in self.names:
            row &= present if name in value else absent
        if len(value) <= MOST_NAMES and self.room.take():
            self[value] = row
        return row


@dataclass(frozen=True, slots=True)
class RowSource:
    """`cheap`: expressions to AND at once. `costly`: expressions in order of cost; bit `j` of `need[i]` says that clause
    `i` reads `costly[j]`."""

    cheap: tuple[str, ...]
    costly: tuple[str, ...]
    need: tuple[int, ...]

    def fetch(self, indent: str) -> list[str]:
        """Lines that AND the cheapest feature of `k` into `m` and note it in `got`."""
        lines = []
        for j, row in enumerate(self.costly):
            lines.append(f"{indent}{'elif' if j else 'if'} k & {1 << j}:")
            lines.append(f"{indent}    m &= {row}; got |= {1 << j}")
        return lines


def row_source(writer: Writer, boxes: Sequence[Box]) -> RowSource:
    """`boxes[i]` is the clause of bit `i`, without what is already decided."""
    features: dict[str, list[int]] = {}
    for axis in sorted({a for b in boxes for a in b}, key=lambda a: (writer.costs[a], a)):
        features.setdefault(writer.axes[axis].feature, []).append(axis)
    cheap: list[str] = []
    costly: list[str] = []
    needs = [0] * len(boxes)
    for axes in features.values():
        rows = {axis: _stretches(boxes, axis, writer.axes[axis].size) for axis in axes}
        if isinstance(writer.axes[axes[0]], NameAxis):
            names = [(str(writer.axes[a].name), rows[a][0][1], rows[a][-1][1]) for a in axes]
            text = f"{writer.thing(NameRows(names, writer.room))}[{writer.read(axes[0])}]"
        else:
            text = writer.table(axes[0], rows[axes[0]])
        if writer.costs[axes[0]] <= CHEAP:
            cheap.append(text)
            continue
        for i, box in enumerate(boxes):
            if any(a in box for a in axes):
                needs[i] |= 1 << len(costly)
        costly.append(text)
    return RowSource(tuple(cheap), tuple(costly), tuple(needs))


def _stretches(boxes: Sequence[Box], axis: int, size: int) -> tuple[tuple[int, int], ...]:
    """For each stretch of atoms, the boxes that accept it."""
    marks = [(mask, 1 << bit) for bit, box in enumerate(boxes) if (mask := box.get(axis)) is not None]
    return segments(marks, (1 << len(boxes)) - 1 - sum(bit for _, bit in marks), size)
