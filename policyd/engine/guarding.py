"""Guard functions: which guards fire, for one set of candidates, asking for costly features only where they matter.

In come the guards that can fire in a leaf and hit the candidates, out comes the name of a generated function
`(v, P)` that collects the fired guards as bits and looks the answer up in `P` (see `plans.py`). Cheap guards are
evaluated fully, so that the answer names them all. A costly guard is first evaluated as far as it is decided without
costly features, and then only while it can still remove a candidate that is left.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from policyd.engine.axes import BoolAxis, NameAxis
from policyd.engine.boxes import Box
from policyd.engine.formula import ALWAYS, NEVER, Formula, Some, cost_of, costs_at_most, rest_beyond
from policyd.engine.plans import Left
from policyd.engine.room import Room
from policyd.engine.source import Writer, segments
from policyd.engine.tree import CHEAP

__all__ = ["WIDE", "Firing", "guard_function"]

WIDE: Final = 64
"""Tests of guards one after the other, beyond which the guards are looked up in rows."""


@dataclass(frozen=True, slots=True)
class Firing:
    """A guard in a leaf: where it fires there, as a formula and as boxes, and the candidates it forbids as bits."""

    formula: Formula
    boxes: tuple[Box, ...]
    hits: int


@dataclass(slots=True)
class _Unit:
    """Guards that are decided together: those with one formula, or all those that look at one axis."""

    formulas: dict[Formula, int]
    hits: int
    cost: int


def guard_function(writer: Writer, firing: Sequence[Firing], whole: int, tail: str) -> str | None:
    """The function's name, or None where the guards are too many to be tried one after the other.

    `whole`: the candidates as bits. `tail`: an expression of `m`, the fired guards (bit `i` is `firing[i]`)."""
    certain = sum(1 << i for i, f in enumerate(firing) if f.formula == ALWAYS)
    cheap, costly = _units(writer, firing)
    if len(cheap) + len(costly) > WIDE:
        return None
    body = [f"m = {certain}"]
    for unit in cheap:
        body.extend(_cheap_lines(writer, unit))
    if costly:
        body.extend(
            _costly_lines(writer, costly, [f.hits for f in firing], whole, certain, start=bool(cheap))
        )
    body.append(f"return {tail}")
    return writer.function("guards", "v, P", body)


def _units(writer: Writer, firing: Sequence[Firing]) -> tuple[list[_Unit], list[_Unit]]:
    cheap: dict[Formula, tuple[int, int]] = {}
    costly: dict[Formula, tuple[int, int]] = {}

    def note(where: dict[Formula, tuple[int, int]], formula: Formula, bit: int, hits: int) -> None:
        bits, all_hits = where.get(formula, (0, 0))
        where[formula] = (bits | 1 << bit, all_hits | hits)

    for bit, guard in enumerate(firing):
        formula = guard.formula
        if formula == ALWAYS:
            continue
        if cost_of(formula, writer.costs) <= CHEAP:
            note(cheap, formula, bit, guard.hits)
            continue
        sure = costs_at_most(formula, CHEAP, writer.costs, writer.full)
        if sure != NEVER:
            note(cheap, sure, bit, guard.hits)
            formula = rest_beyond(formula, CHEAP, writer.costs, writer.full)
        note(costly, formula, bit, guard.hits)
    return _grouped(writer, cheap), sorted(_grouped(writer, costly), key=lambda u: u.cost)


def _grouped(writer: Writer, found: dict[Formula, tuple[int, int]]) -> list[_Unit]:
    """One unit per formula, or per axis where several formulas look at one axis that has a table."""
    units: dict[object, _Unit] = {}
    for formula, (bits, hits) in found.items():
        key: object = formula
        if isinstance(formula, Some) and not isinstance(writer.axes[formula.axis], BoolAxis | NameAxis):
            key = formula.axis
        unit = units.setdefault(key, _Unit({}, 0, cost_of(formula, writer.costs)))
        unit.formulas[formula] = bits
        unit.hits |= hits
    return list(units.values())


def _fired(writer: Writer, unit: _Unit) -> str | None:
    """For a unit with several formulas, an expression for its fired guards."""
    if len(unit.formulas) == 1:
        return None
    tests = [(f, bits) for f, bits in unit.formulas.items() if isinstance(f, Some)]
    axis = tests[0][0].axis
    return writer.table(axis, segments([(f.mask, bits) for f, bits in tests], 0, writer.axes[axis].size))


def _cheap_lines(writer: Writer, unit: _Unit) -> list[str]:
    fired = _fired(writer, unit)
    if fired is not None:
        return [f"m |= {fired}"]
    ((formula, bits),) = unit.formulas.items()
    return [f"if {writer.expression(formula)}: m |= {bits}"]


def _costly_lines(
    writer: Writer, units: Sequence[_Unit], hits: Sequence[int], whole: int, certain: int, *, start: bool
) -> list[str]:
    """`c` is what is left of the candidates."""
    table = writer.left(whole, tuple(hits))
    lines = []
    if start:
        lines.append(f"c = {table}[m]" if certain else f"c = {table}[m] if m else {whole}")
    else:
        lines.append(f"c = {Left(whole, hits, Room(0))[certain]}")
    for at, unit in enumerate(units):
        more = at + 1 < len(units)
        lines.append(f"if c & {unit.hits}:")
        fired = _fired(writer, unit)
        if fired is not None:
            lines.append(f"    m |= {fired}")
            if more:
                lines.append(f"    c = {table}[m]")
            continue
        ((formula, bits),) = unit.formulas.items()
        lines.append(f"    if {writer.expression(formula)}:")
        lines.append(f"        m |= {bits}")
        if more:
            lines.append(f"        c &= {whole & ~unit.hits}")
    return lines
