"""Before a compiled policy is used it must agree with the reference on the edges of its own rules.

In come the matrix and the compiled decision, out come diagnostics (none: it agrees). Requests are drawn from the policy itself: for every
clause the corners of its box and the atoms just outside, and random cells. The number is bounded by the work that the
reference takes, so that large policies start in time; they are compared with the rows more often than with the
reference. The draws depend on the policy alone.
"""

from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from policyd.engine.axes import NameAxis, atoms_in
from policyd.engine.cells import free_value
from policyd.engine.matrix import Matrix
from policyd.engine.rows import decide_by_rows
from policyd.policy.decision import Decision, outcome_of
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Value
from policyd.policy.request import EVERYTHING, Request, expand_names
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["self_test", "sample_requests"]

_WORK: Final = 20_000
"""Rules that the reference may look at, in all requests together."""
_MOST: Final = 400
_LEAST: Final = 12


def self_test(matrix: Matrix, decide: Callable[[Request], Decision]) -> tuple[Diagnostic, ...]:
    """A diagnostic for the first request on which the compiled policy and the reference disagree."""
    program = matrix.program
    rules = 1 + len(program.routes) + len(program.guards) + len(program.denies)
    by_reference = max(_LEAST, min(_MOST, _WORK // rules))
    for number, request in enumerate(sample_requests(matrix, _MOST)):
        if number < by_reference:
            expected = evaluate(program, request)
        else:
            expected = decide_by_rows(matrix, request)
        found = decide(request)
        if outcome_of(found) != outcome_of(expected):
            return (_disagreement(request, str(outcome_of(expected)), str(outcome_of(found))),)
    return ()


def _disagreement(request: Request, expected: str, found: str) -> Diagnostic:
    given = tuple(f"{name} = {value!r}" for name, value in request.values.items())
    return Diagnostic(
        "PD605",
        Severity.ERROR,
        f"the compiled policy decides {found} where the policy means {expected}",
        None,
        help="this is a mistake in policyd, not in the policy; report it with the request below",
        details=given,
    )


def sample_requests(matrix: Matrix, most: int) -> Iterator[Request]:
    """Requests at the edges of clauses, then at random; the same for the same policy."""
    random = Random(len(matrix.clauses))
    base = {f.name: free_value(f) for f in matrix.program.features}
    clauses = [b for b, c in enumerate(matrix.clauses) if c.owner_kind != "relation"]
    random.shuffle(clauses)
    given = 0
    for bit in clauses:
        for cell in _edges(matrix, bit, random):
            if given >= most * 3 // 4:
                break
            given += 1
            yield _request(matrix, base, cell, random)
    while given < most:
        given += 1
        cell = {a: random.randrange(axis.size) for a, axis in enumerate(matrix.axes) if random.random() < 0.7}
        yield _request(matrix, base, cell, random)


def _edges(matrix: Matrix, bit: int, random: Random) -> Iterator[dict[int, int]]:
    """A cell in the clause's box at its low ends, one at its high ends, and one just outside."""
    box = {a: tuple(atoms_in(m)) for a, m in matrix.boxes[bit].items()}
    yield {a: atoms[0] for a, atoms in box.items()}
    yield {a: atoms[-1] for a, atoms in box.items()}
    if box:
        axis = random.choice(sorted(box))
        outside = tuple(atoms_in(matrix.axes[axis].full & ~matrix.boxes[bit][axis]))
        if outside:
            yield {**{a: random.choice(atoms) for a, atoms in box.items()}, axis: random.choice(outside)}


def _request(matrix: Matrix, base: dict[str, Value], cell: dict[int, int], random: Random) -> Request:
    """A request with the cell's atoms. Values need not be possible together: a decision is defined for all."""
    values = dict(base)
    names: set[str] = set()
    for at, axis in enumerate(matrix.axes):
        atom = cell.get(at)
        if isinstance(axis, NameAxis):
            if atom or (atom is None and random.random() < 0.1):
                names.add(axis.name)
                values[axis.feature] = expand_names(names)
        elif atom is None:
            if random.random() < 0.3:
                values[axis.feature] = axis.representative(random.randrange(axis.size))
        else:
            values[axis.feature] = axis.representative(atom)
    if names and random.random() < 0.1:
        feature = next(a.feature for a in matrix.axes if isinstance(a, NameAxis))
        values[feature] = EVERYTHING
    return Request(values)
