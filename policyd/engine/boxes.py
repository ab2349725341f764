"""Conditions as boxes: a disjunction of conjunctions of one-feature sets.

In comes a condition, out come boxes whose union is exactly where it holds. A box maps an axis to a mask of its atoms;
an axis that is missing is not constrained, so `{}` is everything. Boxes of one condition may overlap. A level is
opened here: `sensitivity >= confidential` is the disjunction of the ways to start or be raised there. What grows
beyond the cap is refused (`TooManyBoxes`), never cut.
"""

from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from policyd.engine.axes import Axes
from policyd.policy.condition import All, AtLeast, Condition, Const, Either, Not
from policyd.policy.levels import level_condition
from policyd.policy.program import Classify

__all__ = ["MOST_BOXES", "Box", "Boxer", "TooManyBoxes"]

Box: TypeAlias = Mapping[int, int]
_Boxes: TypeAlias = list[dict[int, int]]

MOST_BOXES: Final = 256
"""Boxes of one condition."""
_MOST_ON_THE_WAY: Final = 4096
"""Boxes of a product before it is simplified."""
_ABSORB: Final = 512


class TooManyBoxes(Exception):
    """A condition needs more than the cap. The compiler turns it into a diagnostic that names the rule."""


class Boxer:
    """Turns conditions into boxes over one set of axes, and remembers what it did for levels."""

    __slots__ = ("_axes", "_full", "_levels", "_seen")

    def __init__(self, axes: Axes, levels: Iterable[Classify]) -> None:
        self._axes = axes
        self._full = tuple(a.full for a in axes.axes)
        self._levels = {level.name: level for level in levels}
        self._seen: dict[tuple[str, int, bool], _Boxes] = {}

    def boxes(self, condition: Condition) -> tuple[Box, ...]:
        """Where the condition holds. Raises `TooManyBoxes`."""
        found = self._open(condition, positive=True)
        if len(found) > MOST_BOXES:
            raise TooManyBoxes
        return tuple(found)

    def _open(self, condition: Condition, *, positive: bool) -> _Boxes:
        match condition:
            case Const(value):
                return [{}] if value is positive else []
            case Not(operand):
                return self._open(operand, positive=not positive)
            case All(operands):
                parts = [self._open(c, positive=positive) for c in operands]
                return self._product(parts) if positive else self._union(parts)
            case Either(operands):
                parts = [self._open(c, positive=positive) for c in operands]
                return self._union(parts) if positive else self._product(parts)
            case AtLeast(name, rank):
                key = (name, rank, positive)
                if key not in self._seen:
                    inner = level_condition(self._levels[name], rank)
                    self._seen[key] = self._open(inner, positive=positive)
                return self._seen[key]
            case _:
                axis, mask = self._axes.place(condition)
                if axis is None:
                    return [{}] if bool(mask) is positive else []
                full = self._full[axis]
                if not positive:
                    mask = full & ~mask
                if not mask:
                    return []
                return [{}] if mask == full else [{axis: mask}]

    def _union(self, parts: list[_Boxes]) -> _Boxes:
        return self._simplify([b for p in parts for b in p])

    def _product(self, parts: list[_Boxes]) -> _Boxes:
        out: _Boxes = [{}]
        for part in sorted(parts, key=len):
            if len(out) * len(part) > _MOST_ON_THE_WAY * 16:
                raise TooManyBoxes
            out = [m for a in out for b in part if (m := _meet(a, b)) is not None]
            if len(part) > 1 and len(out) > 1:
                out = self._simplify(out)
        return out

    def _simplify(self, boxes: _Boxes) -> _Boxes:
        """Equal boxes once; boxes that differ in one axis merged; boxes inside another dropped."""
        if len(boxes) < 2:
            return boxes
        if not all(boxes):
            return [{}]
        boxes = _absorb(self._merge(boxes))
        if len(boxes) > _MOST_ON_THE_WAY:
            raise TooManyBoxes
        return boxes

    def _merge(self, boxes: _Boxes) -> _Boxes:
        while len(boxes) > 1:
            before = len(boxes)
            for axis in sorted({v for b in boxes for v in b}):
                groups: dict[tuple[tuple[int, int], ...], int] = {}
                out: _Boxes = []
                for box in boxes:
                    mask = box.get(axis)
                    if mask is None:
                        out.append(box)
                        continue
                    rest = tuple(sorted((v, m) for v, m in box.items() if v != axis))
                    groups[rest] = groups.get(rest, 0) | mask
                for rest, mask in groups.items():
                    merged = dict(rest)
                    if mask != self._full[axis]:
                        merged[axis] = mask
                    out.append(merged)
                boxes = out
            if len(boxes) == before:
                break
        return [{}] if not all(boxes) else boxes


def _meet(a: Mapping[int, int], b: Mapping[int, int]) -> dict[int, int] | None:
    """The intersection, or None where it is empty."""
    out = dict(a)
    for axis, mask in b.items():
        both_ = out.get(axis, -1) & mask
        if not both_:
            return None
        out[axis] = both_
    return out


def _absorb(boxes: _Boxes) -> _Boxes:
    """Without the boxes that lie inside another. Skipped for very many: it is quadratic and changes no meaning."""
    if len(boxes) > _ABSORB:
        return boxes
    kept: _Boxes = []
    for box in sorted(boxes, key=len):
        if not any(all(v in box and not box[v] & ~m for v, m in k.items()) for k in kept):
            kept.append(box)
    return kept
