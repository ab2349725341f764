"""From a cell that a search found back to a request beside the one it began with.

In come the request, its matrix and another cell; out comes a request of that cell that keeps every value which the cell
leaves it, and moves a number, a date or a level no further than it has to.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import product
from typing import Final

from policyd.engine.axes import EnumAxis, NameAxis, NumberAxis
from policyd.engine.cells import cell_of, concretise
from policyd.engine.matrix import Matrix
from policyd.explain.apart import counted
from policyd.policy.builtins import ENDPOINTS, UNSCANNED, WEEKDAYS
from policyd.policy.condition import Condition, Flag, InRange, OneOf
from policyd.policy.possible import agree
from policyd.policy.program import MAX_NUMBER, Program, Value
from policyd.policy.request import EVERYTHING, Request, admit, expand_names
from policyd.policy.tasks import ACTING, TASKS, TIED, task_agrees
from policyd.proofs.witness import Disagreement

__all__ = ["beside", "pins"]

_COUNTED: Final = ("tokens", "max_output", "context_needed")
_DAYS: Final = ("date", "weekday")
_TASKS: Final = sorted(TASKS, key=lambda task: task not in {"chat", "agent"})
"""The plain ones first: what a request is without a sign of another task."""


def pins(request: Request, read: frozenset[str]) -> tuple[Condition, ...]:
    """Tests that give the request's own values atoms of their own, in the features that depend on each other: then a cell
    that keeps some of them and moves the others has a request that does."""
    out: list[Condition] = []
    for name in (*_COUNTED, "date"):
        if not read & {*(_COUNTED if name in _COUNTED else _DAYS)}:
            continue
        value = request.values[name]
        assert isinstance(value, int)
        out.append(InRange(name, value, value))
    if "opaque" in read:
        out += [Flag(name) for name in UNSCANNED]
    if "task" in read:
        out += [Flag(name) for name in ACTING]
        out.append(OneOf("endpoint", frozenset({str(request.values["endpoint"])})))
    return tuple(out)


def beside(program: Program, matrix: Matrix, request: Request, cell: Sequence[int]) -> Request:
    """INVARIANT: the cell is possible, and the matrix knows the request's `pins`."""
    here = cell_of(matrix, request)
    moved = {axis.feature for axis, a, b in zip(matrix.axes, cell, here, strict=True) if a != b}
    plain = concretise(matrix, cell)
    nearer = _moved(matrix, request, cell, moved, plain)
    for values in (nearer, _kept(request, moved, plain)):
        _agree_on_findings(matrix, cell, values)
        _agree_on_task(matrix, cell, request, values)
        found = admit(program, values)
        if isinstance(found, Request) and agree(found.values) and cell_of(matrix, found) == list(cell):
            return found
    raise Disagreement(f"the search found {plain!r} beside {request.values!r}, which is no request")


def _kept(request: Request, moved: set[str], plain: Mapping[str, Value]) -> dict[str, Value]:
    """The plain values of whatever moved; features that depend on each other together."""
    names = set(moved)
    for together in (_COUNTED, _DAYS):
        if names & {*together}:
            names |= {*together}
    values = {**request.values, **{n: plain[n] for n in names}}
    if any(values.get(n) is True for n in UNSCANNED):
        values["opaque"] = True
    return values


def _agree_on_findings(matrix: Matrix, cell: Sequence[int], values: dict[str, Value]) -> None:
    """What cannot be taken out was found, and is known where it is known what was found."""
    found, left = values.get("findings"), values.get("unredactable")
    if not isinstance(found, frozenset) or not isinstance(left, frozenset):
        return
    asked = {
        feature: expand_names(name for name, there in _asked(matrix, cell, feature).items() if there)
        for feature in ("findings", "unredactable")
    }
    if (found is EVERYTHING) != (left is EVERYTHING):
        found = asked["findings"] if found is EVERYTHING else found
        left = asked["unredactable"] if left is EVERYTHING else left
    if found is not EVERYTHING:
        # INVARIANT: the cell is possible, so what it asks to be left may be found.
        found |= asked["unredactable"]
        left &= found
    values["findings"], values["unredactable"] = found, left


def _agree_on_task(matrix: Matrix, cell: Sequence[int], request: Request, values: dict[str, Value]) -> None:
    """Of the tasks, endpoints and tools that go together, those of the cell that change the fewest."""
    if task_agrees(values):
        return
    every: tuple[Sequence[Value], ...] = (ENDPOINTS, _TASKS, *((False, True) for _ in ACTING))
    choices: list[list[Value]] = []
    for name, words in zip(TIED, every, strict=True):
        at = matrix.table.of(name)
        axis = None if at is None else matrix.axes[at]
        choices.append([w for w in words if axis is None or at is None or axis.atom_of(w) == cell[at]])

    def changes(combination: dict[str, Value]) -> tuple[int, int]:
        changed = [name for name, value in combination.items() if value != request.values[name]]
        return len(counted(changed)), len(changed)

    together = (dict(zip(TIED, chosen, strict=True)) for chosen in product(*choices))
    nearest = min((c for c in together if task_agrees(c)), key=changes, default=None)
    assert nearest is not None, "INVARIANT: the cell is possible"
    values.update(nearest)


def _moved(
    matrix: Matrix, request: Request, cell: Sequence[int], moved: set[str], plain: Mapping[str, Value]
) -> dict[str, Value]:
    values = _kept(request, moved, plain)
    for axis, atom in zip(matrix.axes, cell, strict=True):
        before = request.values[axis.feature]
        if axis.feature not in moved:
            continue
        if isinstance(axis, NumberAxis) and axis.feature not in (*_COUNTED, *_DAYS):
            values[axis.feature] = _clamped(before, axis.bounds(atom))
        elif isinstance(axis, EnumAxis) and axis.ordered and axis.feature not in _DAYS:
            words = axis.groups[atom]
            values[axis.feature] = words[-1] if atom < axis.atom_of(before) else words[0]
        elif isinstance(axis, NameAxis):
            values[axis.feature] = _names(matrix, cell, axis.feature, before)
    if moved & {*_COUNTED}:
        values.update(_context(matrix, cell, request, plain))
    if moved & {*_DAYS}:
        values.update(_day(matrix, cell, request, plain))
    return values


def _names(matrix: Matrix, cell: Sequence[int], feature: str, before: Value) -> Value:
    """What the request has, without the names that the cell denies and with those that it asks for."""
    assert isinstance(before, frozenset)
    asked = _asked(matrix, cell, feature)
    denied = [name for name, there in asked.items() if not there]
    held = () if before is EVERYTHING else before
    kept = {n for n in held if not any(n == d or n.startswith(d + ".") for d in denied)}
    return expand_names(kept | {name for name, there in asked.items() if there})


def _asked(matrix: Matrix, cell: Sequence[int], feature: str) -> dict[str, bool]:
    """What the cell says of each name of the feature that the policy tests."""
    return {
        axis.name: bool(atom)
        for axis, atom in zip(matrix.axes, cell, strict=True)
        if isinstance(axis, NameAxis) and axis.feature == feature
    }


def _context(
    matrix: Matrix, cell: Sequence[int], request: Request, plain: Mapping[str, Value]
) -> dict[str, Value]:
    """The nearest prompt whose context lies where it has to, with the answer's most as it is if the cell leaves it."""
    bounds = [_bounds(matrix, cell, name) for name in _COUNTED]
    if None in bounds:
        return {n: plain[n] for n in _COUNTED}
    tokens, answer, needed = (b for b in bounds if b is not None)
    before = [request.values[n] for n in _COUNTED]
    most = _clamped(before[1], answer)
    if most >= MAX_NUMBER:
        prompt = _clamped(before[0], (tokens[0], min(tokens[1], needed[1])))
        total = _clamped(before[2], (max(needed[0], prompt), needed[1]))
    else:
        prompt = _clamped(before[0], (max(tokens[0], needed[0] - most), min(tokens[1], needed[1] - most)))
        total = min(MAX_NUMBER, prompt + most)
    return {"tokens": prompt, "max_output": most, "context_needed": total}


def _day(
    matrix: Matrix, cell: Sequence[int], request: Request, plain: Mapping[str, Value]
) -> dict[str, Value]:
    """The nearest date of the cell whose weekday is the cell's."""
    dates = _bounds(matrix, cell, "date")
    at = matrix.table.of("weekday")
    before = request.values["date"]
    if dates is None or not isinstance(before, int):
        return {n: plain[n] for n in _DAYS}
    start = _clamped(before, dates)
    for day in sorted(range(start - 6, start + 7), key=lambda d: abs(d - before)):
        word = WEEKDAYS[date.fromordinal(day).weekday()]
        if dates[0] <= day <= dates[1] and (at is None or matrix.axes[at].atom_of(word) == cell[at]):
            return {"date": day, "weekday": word}
    return {n: plain[n] for n in _DAYS}


def _bounds(matrix: Matrix, cell: Sequence[int], feature: str) -> tuple[int, int] | None:
    at = matrix.table.of(feature)
    axis = None if at is None else matrix.axes[at]
    return axis.bounds(cell[at]) if isinstance(axis, NumberAxis) and at is not None else None


def _clamped(value: Value, bounds: tuple[int, int]) -> int:
    assert isinstance(value, int)
    return max(bounds[0], min(value, bounds[1]))
