"""Witnesses: concrete requests that show a finding, as small as they get, re-checked by the reference.

In: a cell that a search found and a claim about requests. Out: a `Witness` for which the *reference* says the claim
holds. A cell whose request does not satisfy the claim means that search and reference disagree: our bug, and an error.

Small means: whatever can be quiet is quiet, numbers are the least that do, sets hold nothing that is not needed.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policyd.engine.axes import NumberAxis
from policyd.engine.cells import cell_of, concretise, matched
from policyd.engine.matrix import Matrix
from policyd.policy.decision import Decision
from policyd.policy.evaluate import evaluate
from policyd.policy.possible import agree
from policyd.policy.program import NumberDomain, Program, Value
from policyd.policy.quiet import quiet_request, quiet_value
from policyd.policy.request import EVERYTHING, Request, admit
from policyd.proofs.find import Cell

__all__ = ["Claim", "Disagreement", "Witness", "smallest", "told", "witness_of"]

Claim: TypeAlias = Callable[[Request], bool]

_SMALLER_TRIES = 12
"""How many smaller values of one number feature are tried."""


class Disagreement(Exception):
    """A search found a request that the reference does not confirm. Ours, never the author's."""


@dataclass(frozen=True, slots=True)
class Witness:
    """`given` is what is not quiet, in the features' order; `request` the whole; `decision` the reference's."""

    given: tuple[tuple[str, Value | None], ...]
    request: Request
    decision: Decision


def witness_of(
    program: Program, matrix: Matrix, cell: Cell, claim: Claim, quick: Callable[[int], bool] | None = None
) -> Witness:
    """The smallest request near the cell for which the claim holds, with its decision."""
    given, request = smallest(program, matrix, cell, claim, quick)
    return Witness(given, request, evaluate(program, request))


def smallest(
    program: Program, matrix: Matrix, cell: Cell, claim: Claim, quick: Callable[[int], bool] | None = None
) -> tuple[tuple[tuple[str, Value | None], ...], Request]:
    """The smallest request near the cell for which the claim holds: what of it is not quiet, and the whole.

    `quick` is the claim in terms of the clauses that match a request. Where it is given, it tells which smaller requests
    to prefer, and the reference only confirms the last of them."""
    values = dict(concretise(matrix, cell))
    request = admit(program, values)
    if not isinstance(request, Request) or not (quick is not None or claim(request)):
        raise Disagreement(f"the search found {values!r}, which the reference does not confirm")
    given = told(program, request)
    settled = _settle(program, matrix, given, claim, quick)
    if settled is None:
        _confirm(claim, request)
    else:
        given, request = settled
    return _ordered(program, given), request


def told(
    program: Program, request: Request, unknown: frozenset[str] = frozenset()
) -> dict[str, Value | None]:
    """What has to be given for this request, the features of `unknown` as unknown: whatever is not quiet, and what quiet
    values would complete in another way. In the features' order."""

    def values(names: set[str]) -> dict[str, Value | None]:
        return {
            f.name: None if f.name in unknown else request.values[f.name]
            for f in program.features
            if f.name in names
        }

    names = unknown | {f.name for f in program.features if request.values[f.name] != quiet_value(f)}
    read = quiet_request(program, values({*names}))
    if isinstance(read, Request):
        names |= {f.name for f in program.features if read.values[f.name] != request.values[f.name]}
    return values({*names})


def _settle(
    program: Program,
    matrix: Matrix,
    given: dict[str, Value | None],
    claim: Claim,
    quick: Callable[[int], bool] | None,
) -> tuple[dict[str, Value | None], Request] | None:
    """Drop and shrink what can be, one at a time, as long as the claim holds."""

    def holds(trial: Mapping[str, Value | None]) -> Request | None:
        request = quiet_request(program, trial)
        if not isinstance(request, Request) or not agree(request.values):
            return None
        held = claim(request) if quick is None else quick(matched(matrix, cell_of(matrix, request)))
        return request if held else None

    best = holds(given)
    if best is None:
        return None
    for name in list(given):
        for trial in _smaller(program, matrix, given, name):
            request = holds(trial)
            if request is not None:
                given, best = trial, request
                break
    _confirm(claim, best)
    return given, best


def _confirm(claim: Claim, request: Request) -> None:
    if not claim(request):
        raise Disagreement(f"the search found {request.values!r}, which the reference does not confirm")


def _smaller(
    program: Program, matrix: Matrix, given: dict[str, Value | None], name: str
) -> Iterator[dict[str, Value | None]]:
    """Requests with less of one feature: without it, then with a smaller number, then with fewer names."""
    without = {k: v for k, v in given.items() if k != name}
    yield without
    value = given[name]
    feature = program.feature(name)
    if isinstance(feature.domain, NumberDomain) and isinstance(value, int):
        for low in _starts(matrix, name, value):
            yield {**given, name: low}
    if isinstance(value, frozenset) and value is not EVERYTHING:
        names = sorted(value)
        for one in names:
            yield {**given, name: frozenset({one})}
        yield from _fewer(given, name, names)


def _starts(matrix: Matrix, name: str, below: int) -> list[int]:
    """The least values of the feature's atoms, smallest first."""
    at = matrix.table.of(name)
    axis = None if at is None else matrix.axes[at]
    if not isinstance(axis, NumberAxis):
        return []
    starts = (axis.bounds(atom)[0] for atom in range(min(axis.size, _SMALLER_TRIES)))
    return [low for low in starts if low < below]


def _fewer(given: dict[str, Value | None], name: str, names: list[str]) -> Iterator[dict[str, Value | None]]:
    for dropped in names:
        kept = frozenset(n for n in names if n != dropped and not n.startswith(dropped + "."))
        if kept:
            yield {**given, name: kept}


def _ordered(program: Program, given: Mapping[str, Value | None]) -> tuple[tuple[str, Value | None], ...]:
    return tuple((f.name, given[f.name]) for f in program.features if f.name in given)
