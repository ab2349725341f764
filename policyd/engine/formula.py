"""Formulas: conditions over atoms, with negation gone, ready to be restricted to a leaf and written as source.

In comes a condition, out comes a tree of `And` and `Or` over `Some(axis, mask)`. Negation is the complement of a mask
and levels are opened, so only three kinds of node are left. Unlike boxes a formula is never longer than what the author
wrote, which is why source is made of it where a rule has several boxes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias, assert_never

from policyd.engine.axes import Axes
from policyd.engine.boxes import Box
from policyd.policy.condition import All, AtLeast, Condition, Const, Either, Not
from policyd.policy.levels import level_condition
from policyd.policy.program import Classify

__all__ = [
    "ALWAYS", "NEVER", "And", "Formula", "Formulas", "Or", "Some", "box_formula", "conjunction", "costs_at_most", "cost_of",
    "disjunction", "rest_beyond", "restrict", "size_of",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Some:
    """The request's atom on `axis` is one of `mask`: neither none of them nor all."""

    axis: int
    mask: int


@dataclass(frozen=True, slots=True)
class And:
    """All parts; `()` is always true."""

    parts: tuple["Formula", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any part; `()` is never true."""

    parts: tuple["Formula", ...]


Formula: TypeAlias = Some | And | Or

ALWAYS: Final = And(())
NEVER: Final = Or(())


def conjunction(parts: Iterable[Formula]) -> Formula:
    """All of the parts, flat, with tests of one axis met and constants folded."""
    masks: dict[int, int] = {}
    rest: dict[Formula, None] = {}
    for part in _flat(parts, And):
        match part:
            case Some(axis, mask):
                mask &= masks.get(axis, -1)
                if not mask:
                    return NEVER
                masks[axis] = mask
            case Or(()):
                return NEVER
            case _:
                rest[part] = None
    found = (*(Some(a, m) for a, m in masks.items()), *rest)
    return found[0] if len(found) == 1 else And(found)


def disjunction(parts: Iterable[Formula], full: Mapping[int, int] | tuple[int, ...]) -> Formula:
    """Any of the parts, flat, with tests of one axis joined and constants folded. `full`: each axis' whole mask."""
    masks: dict[int, int] = {}
    rest: dict[Formula, None] = {}
    for part in _flat(parts, Or):
        match part:
            case Some(axis, mask):
                mask |= masks.get(axis, 0)
                if mask == full[axis]:
                    return ALWAYS
                masks[axis] = mask
            case And(()):
                return ALWAYS
            case _:
                rest[part] = None
    found = (*(Some(a, m) for a, m in masks.items()), *rest)
    return found[0] if len(found) == 1 else Or(found)


def _flat(parts: Iterable[Formula], kind: type[And] | type[Or]) -> Iterable[Formula]:
    for part in parts:
        if isinstance(part, kind):
            yield from part.parts
        else:
            yield part


def box_formula(box: Box, known: Box) -> Formula:
    """The box as a formula where the atoms of `known` axes are already decided to lie inside it."""
    found = tuple(Some(a, m) for a, m in box.items() if a not in known)
    return found[0] if len(found) == 1 else And(found)


class Formulas:
    """Formulas over one set of axes; each level and rank is opened once."""

    __slots__ = ("_axes", "_levels", "_seen", "full")

    def __init__(self, axes: Axes, levels: Iterable[Classify]) -> None:
        self._axes = axes
        self.full = tuple(a.full for a in axes.axes)
        self._levels = {level.name: level for level in levels}
        self._seen: dict[tuple[str, int, bool], Formula] = {}

    def of(self, condition: Condition, *, positive: bool = True) -> Formula:
        match condition:
            case Const(value):
                return ALWAYS if value is positive else NEVER
            case Not(operand):
                return self.of(operand, positive=not positive)
            case All(operands) | Either(operands):
                parts = [self.of(c, positive=positive) for c in operands]
                if isinstance(condition, All) is positive:
                    return conjunction(parts)
                return disjunction(parts, self.full)
            case AtLeast(name, rank):
                key = (name, rank, positive)
                if key not in self._seen:
                    self._seen[key] = self.of(level_condition(self._levels[name], rank), positive=positive)
                return self._seen[key]
            case _:
                axis, mask = self._axes.place(condition)
                if axis is None:
                    return ALWAYS if bool(mask) is positive else NEVER
                mask = mask if positive else self.full[axis] & ~mask
                if mask == self.full[axis]:
                    return ALWAYS
                return Some(axis, mask) if mask else NEVER


def restrict(formula: Formula, known: Box, full: tuple[int, ...]) -> Formula:
    """The formula for requests whose atoms lie in `known`, without what that decides."""
    match formula:
        case Some(axis, mask):
            inside = known.get(axis)
            if inside is None:
                return formula
            if not inside & ~mask:
                return ALWAYS
            return formula if inside & mask else NEVER
        case And(parts):
            return conjunction(restrict(p, known, full) for p in parts)
        case Or(parts):
            return disjunction((restrict(p, known, full) for p in parts), full)
        case _:
            assert_never(formula)


def size_of(formula: Formula) -> int:
    """The number of tests."""
    return 1 if isinstance(formula, Some) else sum(size_of(p) for p in formula.parts)


def cost_of(formula: Formula, costs: tuple[int, ...]) -> int:
    """The cost of the costliest feature in it."""
    if isinstance(formula, Some):
        return costs[formula.axis]
    return max((cost_of(p, costs) for p in formula.parts), default=0)


def costs_at_most(formula: Formula, most: int, costs: tuple[int, ...], full: tuple[int, ...]) -> Formula:
    """Where the formula is true whatever the features costlier than `most` are. (Sufficient, not always necessary.)"""
    match formula:
        case Some(axis, _):
            return formula if costs[axis] <= most else NEVER
        case And(parts):
            return conjunction(costs_at_most(p, most, costs, full) for p in parts)
        case Or(parts):
            return disjunction((costs_at_most(p, most, costs, full) for p in parts), full)
        case _:
            assert_never(formula)


def rest_beyond(formula: Formula, most: int, costs: tuple[int, ...], full: tuple[int, ...]) -> Formula:
    """A formula equal to this one wherever `costs_at_most` is false, without the alternatives that then are false."""
    match formula:
        case Some():
            return formula
        case Or(parts):
            return disjunction(
                (rest_beyond(p, most, costs, full) for p in parts if cost_of(p, costs) > most), full
            )
        case And(parts):
            dear = [p for p in parts if cost_of(p, costs) > most]
            if len(dear) != 1:
                return formula
            cheap = [p for p in parts if cost_of(p, costs) <= most]
            return conjunction([*cheap, rest_beyond(dear[0], most, costs, full)])
        case _:
            assert_never(formula)
