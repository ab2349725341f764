"""Boxes of cells in the words of a policy: `latency == batch and context_needed > 64k`.

In comes a box, or many disjoint ones; out comes a condition that holds exactly in it, or its text. The one idea: a mask of
atoms is the union of what its atoms stand for, so it reads like something an author could have written.
"""

from collections.abc import Iterable, Sequence

from policyd.engine.axes import Axis, BoolAxis, EnumAxis, NameAxis, NumberAxis, StringAxis, atoms_in, runs
from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.policy.condition import (
    Condition,
    Flag,
    Has,
    InRange,
    OneOf,
    Prefix,
    both,
    either,
    negate,
)
from policyd.policy.wording import condition_text

__all__ = ["box_condition", "box_text", "merged_boxes"]


def box_text(matrix: Matrix, box: Box) -> str:
    """The box as one condition; `true` where it is everything."""
    return condition_text(matrix.program, box_condition(matrix, box))


def box_condition(matrix: Matrix, box: Box) -> Condition:
    """A condition that holds exactly in the box."""
    return both(*(_within(matrix.axes[axis], mask) for axis, mask in sorted(box.items())))


def merged_boxes(matrix: Matrix, boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The same cells in fewer boxes: those that differ on one axis only become one, until none do. Linear in the boxes for
    each pass, and not always the fewest."""
    left = [dict(box) for box in boxes]
    full = [axis.full for axis in matrix.axes]
    while True:
        count = len(left)
        for axis in sorted({axis for box in left for axis in box}):
            left = _merged_on(left, axis, full[axis])
        if len(left) == count:
            return tuple(sorted(left, key=len))


def _merged_on(boxes: Sequence[dict[int, int]], axis: int, full: int) -> list[dict[int, int]]:
    groups: dict[tuple[tuple[int, int], ...], int] = {}
    for box in boxes:
        rest = tuple(sorted((a, m) for a, m in box.items() if a != axis))
        groups[rest] = groups.get(rest, 0) | box.get(axis, full)
    out = []
    for rest, mask in groups.items():
        merged = dict(rest)
        if mask != full:
            merged[axis] = mask
        out.append(merged)
    return out


def _within(axis: Axis, mask: int) -> Condition:
    match axis:
        case NumberAxis():
            ranges = ((axis.bounds(low)[0], axis.bounds(high - 1)[1]) for low, high in runs(mask))
            return either(*(InRange(axis.feature, low, high) for low, high in ranges))
        case EnumAxis():
            return OneOf(
                axis.feature, frozenset(word for atom in atoms_in(mask) for word in axis.groups[atom])
            )
        case StringAxis():
            return _strings(axis, mask)
        case BoolAxis():
            return Flag(axis.feature) if mask == 2 else negate(Flag(axis.feature))
        case NameAxis():
            has = Has(axis.feature, axis.name)
            return has if mask == 2 else negate(has)


def _strings(axis: StringAxis, mask: int) -> Condition:
    """A string axis' atoms are literals, and the other strings below each mentioned prefix."""
    inside = {word for word, atom in axis.index.items() if mask >> atom & 1}
    outside = frozenset(axis.index).difference(inside)
    opened = {prefix for prefix, atom in axis.prefixes.items() if mask >> atom & 1}
    if not opened:
        return OneOf(axis.feature, frozenset(inside))
    if len(opened) == len(axis.prefixes):
        return negate(OneOf(axis.feature, outside))
    parts = [
        _below(axis, prefix, opened, outside)
        for prefix in sorted(opened)
        if not _covered(prefix, opened, axis)
    ]
    alone = frozenset(word for word in inside if not any(word.startswith(p) for p in opened))
    return either(*([OneOf(axis.feature, alone)] if alone else []), *parts)


def _covered(prefix: str, opened: set[str], axis: StringAxis) -> bool:
    """Whether the nearest mentioned prefix above is in as well, so that what is below it is said there."""
    return _above(prefix, axis) in opened


def _above(prefix: str, axis: StringAxis) -> str | None:
    above = [p for p in axis.prefixes if p != prefix and prefix.startswith(p)]
    return max(above, key=len, default=None)


def _below(axis: StringAxis, prefix: str, opened: set[str], outside: frozenset[str]) -> Condition:
    """The strings below a prefix, without those below a deeper one that is out and without literals that are out; a deeper
    one that is in again below one that is out is added."""
    parts: list[Condition] = [Prefix(axis.feature, prefix)] if prefix else []
    back: list[Condition] = []
    for deeper in sorted(p for p in axis.prefixes if p != prefix and p.startswith(prefix)):
        if deeper not in opened and (_above(deeper, axis) in opened):
            parts.append(negate(Prefix(axis.feature, deeper)))
            back.extend(OneOf(axis.feature, frozenset({w})) for w in sorted(axis.index) if w.startswith(deeper) and w not in outside)  # fmt: skip
    not_in = frozenset(w for w in outside if w.startswith(prefix))
    if not_in:
        parts.append(negate(OneOf(axis.feature, not_in)))
    return either(both(*parts), *back)
