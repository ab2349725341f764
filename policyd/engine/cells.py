"""Cells and requests: from a request to its atoms, and from atoms back to a request a person can read.

A cell is one atom per axis, in the order of the matrix' axes. `concretise` picks values inside the cell that agree with
each other where features depend on one another, quiet where the cell leaves the choice, and small.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from policyd.engine.axes import EnumAxis, NameAxis, NumberAxis
from policyd.engine.matrix import Matrix
from policyd.policy.builtins import ENDPOINTS, UNSCANNED, WEEKDAYS
from policyd.policy.program import (
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
    Value,
)
from policyd.policy.quiet import quiet_value
from policyd.policy.request import Request, expand_names
from policyd.policy.tasks import ACTING, TASKS, agreeing, task_agrees

__all__ = ["cell_of", "concretise", "free_value", "matched"]


def cell_of(matrix: Matrix, request: Request) -> list[int]:
    """The request's atom on each axis."""
    return [axis.atom_of(request.values[axis.feature]) for axis in matrix.axes]


def matched(matrix: Matrix, cell: Sequence[int]) -> int:
    """The clauses that hold in the cell."""
    mask = matrix.every
    for rows, atom in zip(matrix.rows, cell, strict=True):
        mask &= rows[atom]
    return mask


def concretise(matrix: Matrix, cell: Sequence[int]) -> Mapping[str, Value]:
    """A value for every feature of the program, to be given to `admit`.

    INVARIANT: the cell is possible (no relation of the matrix matches it); then so are the values."""
    values: dict[str, Value] = {f.name: free_value(f) for f in matrix.program.features}
    for axis, atom in zip(matrix.axes, cell, strict=True):
        if isinstance(axis, NameAxis):
            held = values[axis.feature]
            assert isinstance(held, frozenset)
            if atom:
                values[axis.feature] = expand_names({*held, axis.name})
        elif axis.atom_of(values[axis.feature]) != atom:
            values[axis.feature] = axis.representative(atom)
    if any(values.get(name) is True for name in UNSCANNED):
        # INVARIANT: the cell is possible, so an axis of `opaque`, if there is one, says the same.
        values["opaque"] = True
    _agree_on_findings(values)
    _agree_on_context(matrix, cell, values)
    _agree_on_day(matrix, cell, values)
    _agree_on_task(matrix, cell, values)
    return values


def free_value(feature: Feature) -> Value:
    """The quiet value, or the plainest one of the domain where a request must bring its own."""
    quiet = quiet_value(feature)
    if quiet is not None:
        return quiet
    match feature.domain:
        case NumberDomain(low, _, _):
            return low
        case EnumDomain(words, _):
            return words[0]
        case StringDomain():
            return "x"
        case BoolDomain():
            return False
        case NamesDomain():
            return frozenset()


def _bounds(matrix: Matrix, cell: Sequence[int], feature: str) -> tuple[int, int] | None:
    """The cell's interval of a number feature, the whole domain without an axis, None without the feature."""
    at = matrix.table.of(feature)
    if at is not None:
        axis = matrix.axes[at]
        assert isinstance(axis, NumberAxis)
        return axis.bounds(cell[at])
    domain = next((f.domain for f in matrix.program.features if f.name == feature), None)
    return (domain.low, domain.high) if isinstance(domain, NumberDomain) else None


def _agree_on_findings(values: dict[str, Value]) -> None:
    """What cannot be taken out was found. INVARIANT: the cell is possible, so what its axes of findings say stays."""
    found, left = values.get("findings"), values.get("unredactable")
    if isinstance(found, frozenset) and isinstance(left, frozenset) and left:
        values["findings"] = found | left


def _agree_on_context(matrix: Matrix, cell: Sequence[int], values: dict[str, Value]) -> None:
    """`tokens`, `max_output` and `context_needed` that fit each other, with a `max_output` that the client set if any
    fits, and as many of the tokens in the prompt as can be."""
    tokens, answer, needed = (_bounds(matrix, cell, n) for n in ("tokens", "max_output", "context_needed"))
    if tokens is None or answer is None or needed is None:
        return
    largest = next(f.domain.high for f in matrix.program.features if f.name == "context_needed")  # type: ignore[union-attr]
    fitting = _fit(tokens, answer, needed, largest)
    assert fitting is not None, "INVARIANT: the cell is possible"
    values["tokens"], values["max_output"], values["context_needed"] = fitting


def _fit(
    tokens: tuple[int, int], answer: tuple[int, int], needed: tuple[int, int], largest: int
) -> tuple[int, int, int] | None:
    """Values in the three intervals that satisfy the relation (see `relations.py`), small ones first."""
    most = min(answer[1], largest - 1)
    if answer[0] <= most:
        prompt = min(tokens[1], max(tokens[0], needed[0] - answer[0]))
        reply = min(most, max(answer[0], needed[0] - prompt))
        total = min(largest, prompt + reply)
        if needed[0] <= total <= needed[1]:
            return prompt, reply, total
    if answer[1] == largest and needed[1] >= tokens[0]:
        return tokens[0], largest, max(needed[0], tokens[0])
    return None


def _agree_on_task(matrix: Matrix, cell: Sequence[int], values: dict[str, Value]) -> None:
    """A task, an endpoint and tools of the cell that go together."""
    if task_agrees(values):
        return
    words: list[tuple[str, ...]] = []
    for name, every in (("task", TASKS), ("endpoint", ENDPOINTS)):
        at = matrix.table.of(name)
        axis = None if at is None else matrix.axes[at]
        assert axis is None or isinstance(axis, EnumAxis)
        words.append(every if axis is None or at is None else axis.groups[cell[at]])
    free = [name for name in ACTING if matrix.table.of(name) is None]
    has = any(values.get(name) is True for name in ACTING if name not in free)
    acting = (True,) if has else (False, True) if free else (False,)
    here = (str(values["endpoint"]), *words[1])
    pairs = (pair for word in here for pair in agreeing(words[0], (word,), acting))
    task, endpoint, having = next(pairs, ("", "", False))
    assert task, "INVARIANT: the cell is possible"
    values["task"], values["endpoint"] = task, endpoint
    for name in free:
        values[name] = having and not has and name == free[0]


def _agree_on_day(matrix: Matrix, cell: Sequence[int], values: dict[str, Value]) -> None:
    """The first date of the cell's interval whose weekday is one of the cell's."""
    dates = _bounds(matrix, cell, "date")
    if dates is None or "weekday" not in values:
        return
    at = matrix.table.of("weekday")
    axis = None if at is None else matrix.axes[at]
    assert axis is None or isinstance(axis, EnumAxis)
    for day in range(dates[0], min(dates[0] + 6, dates[1]) + 1):
        word = WEEKDAYS[date.fromordinal(day).weekday()]
        if axis is None or at is None or axis.atom_of(word) == cell[at]:
            values["date"], values["weekday"] = day, word
            return
    raise AssertionError("INVARIANT: the cell is possible")
