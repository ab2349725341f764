"""Clauses made small: those that touch a box, renumbered from bit 0, over the atoms that they tell apart.

In: a box and some clauses of a matrix. Out: for each axis that matters inside the box its distinct rows over these clauses,
with an atom for each, as `local` searches them. It decides nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from policyd.engine.axes import runs
from policyd.engine.boxes import Box
from policyd.proofs.rows import Rows, bits

__all__ = ["Compactor", "Numbered", "Small"]

_Runs: TypeAlias = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Small:
    """An axis inside a box: its distinct rows over the clauses that were compacted, an atom for each, and the clauses with a
    constraint there. What is liked comes first."""

    number: int
    rows: list[int]
    atoms: list[int]
    constrained: int


class Numbered:
    """Some clauses, renumbered from bit 0."""

    __slots__ = ("_all", "_known", "_place", "numbers")

    def __init__(self, clauses: int) -> None:
        self._all = clauses
        self.numbers = list(bits(clauses))
        self._place = {number: 1 << at for at, number in enumerate(self.numbers)}
        self._known: dict[int, int] = {clauses: (1 << len(self.numbers)) - 1}

    def local(self, mask: int) -> int:
        """The mask in the new numbers; clauses that are not among them are left out."""
        out = self._known.get(mask)
        if out is None:
            place = self._place
            out = self._known[mask] = sum(place[n] for n in bits(mask & self._all))
        return out

    def whole(self, mask: int) -> int:
        """The mask in the old numbers; bits beyond the clauses are left out."""
        return sum(1 << self.numbers[at] for at in bits(mask & (1 << len(self.numbers)) - 1))


class Compactor:
    """Makes clauses of one matrix small. It remembers the runs of masks."""

    def __init__(self, rows: Rows) -> None:
        self._matrix = rows.matrix
        self._like = rows.like
        self._spans: dict[int, _Runs] = {}

    def compact(
        self, box: Box, numbers: Sequence[int], extra: Sequence[Box], fixed: Mapping[int, int]
    ) -> list[Small]:
        """The axes that some clause or extra box constrains inside the box, without those of `fixed`. Extra boxes have the
        numbers after the clauses."""
        boxes = self._matrix.boxes
        sides: dict[int, dict[int, int]] = {}
        bit = 1
        for clause in (*map(boxes.__getitem__, numbers), *extra):
            for axis, mask in clause.items():
                if axis in fixed:
                    continue
                inside = mask
                if axis in box:
                    room = box[axis]
                    inside = mask & room
                    if inside == room:
                        continue
                if axis in sides:
                    masks = sides[axis]
                    masks[inside] = masks.get(inside, 0) | bit
                else:
                    sides[axis] = {inside: bit}
            bit <<= 1
        return [self._small(axis, box.get(axis), masks, bit - 1) for axis, masks in sides.items()]

    def _small(self, axis: int, room: int | None, masks: Mapping[int, int], every: int) -> Small:
        """One axis, from the clauses that have each mask there."""
        toggles: dict[int, int] = {}
        constrained = 0
        for mask, clauses in masks.items():
            constrained |= clauses
            for low, high in self._runs_of(mask):
                toggles[low] = toggles.get(low, 0) ^ clauses
                toggles[high] = toggles.get(high, 0) ^ clauses
        rows, atoms = self._walk(axis, room, toggles, every & ~constrained)
        return Small(axis, rows, atoms, constrained)

    def _runs_of(self, mask: int) -> _Runs:
        out = self._spans.get(mask)
        if out is None:
            out = self._spans[mask] = runs(mask)
        return out

    def _walk(
        self, axis: int, room: int | None, toggles: dict[int, int], row: int
    ) -> tuple[list[int], list[int]]:
        """The distinct rows of an axis inside the room, and an atom for each."""
        size = len(self._matrix.rows[axis])
        liked = self._like(axis, room)
        found: dict[int, int] = {}
        first = row
        start = 0
        for end in (*sorted(toggles), size):
            if end > start:
                if start <= liked < end:
                    first = row
                    found[row] = liked
                elif row not in found:
                    if room is None:
                        found[row] = start
                    else:
                        here = (room >> start) & ((1 << (end - start)) - 1)
                        if here:
                            found[row] = start + (here & -here).bit_length() - 1
                if end >= size:
                    break
                start = end
            row ^= toggles.get(end, 0)
        rows = [first, *(r for r in found if r != first)]
        return rows, [found[r] for r in rows]
