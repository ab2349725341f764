"""What a dead route is told about: routes that leave it nothing together, and each of which is needed for that."""

from dataclasses import replace
from itertools import product

from hypothesis import given, settings

from policyd.engine.matrix import Matrix
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.case import open_case
from policyd.proofs.dead import covering, dead_rules, owners
from tests.proofs.test_find import inside, tangles
from tests.proofs.test_proofs import case_of, small


@settings(max_examples=200)
@given(small())
def test_without_any_one_of_the_covering_routes_the_dead_route_decides(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = drawn
    case = case_of(program)

    def decides(kept: list[int], index: int) -> bool:
        """By the reference, with only these routes before it."""
        routes = tuple(program.routes[i] for i in (*kept, index))
        less = replace(program, routes=routes)
        decisions = (evaluate(less, request) for request in every)
        return any(isinstance(d, Plan) and d.route == routes[-1].name for d in decisions)

    for index in range(len(program.routes)):
        clauses = covering(case, index)
        assert (clauses is None) == decides(list(range(index)), index)
        if clauses is not None:
            kept = owners(case, clauses, "route")
            assert all(route < index for route in kept)
            assert not decides(kept, index)
            assert all(decides([k for k in kept if k != route], index) for route in kept)


@settings(max_examples=60)
@given(tangles())
def test_a_large_cover_is_minimal_as_well(matrix: Matrix) -> None:
    case = open_case(matrix.program, matrix)
    every = list(product(*(range(axis.size) for axis in matrix.axes)))
    boxes = [[matrix.boxes[bit] for bit in matrix.routes.span(i)] for i in range(len(matrix.routes))]

    def decides(kept: list[int], index: int) -> bool:
        refused = [box for route in kept for box in boxes[route]]
        return any(
            any(inside(cell, b) for b in boxes[index]) and not any(inside(cell, r) for r in refused)
            for cell in every
        )

    index = len(boxes) - 1
    clauses = covering(case, index)
    assert (clauses is None) == decides(list(range(index)), index)
    if clauses is not None:
        kept = owners(case, clauses, "route")
        assert not decides(kept, index)
        assert all(decides([k for k in kept if k != route], index) for route in kept)
        finding = next(f for f in dead_rules(case) if f.subject == matrix.program.routes[index].name)
        assert not finding.unfinished
