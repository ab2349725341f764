"""Searches past routes against brute force over all cells: nothing missed, nothing invented, every cover really covers."""

from itertools import product

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix
from policyd.proofs.case import open_case
from policyd.proofs.find import Budget, Found
from policyd.proofs.reach import Hunt, Reach
from tests.proofs.test_find import MANY, inside, matrix_of
from tests.strategies.programs import programs

NAMES = ("team", "latency", "risk", "urgent", "findings", "tokens")


@st.composite
def hunts(draw: st.DrawFn) -> tuple[Matrix, Hunt]:
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True))
    matrix = matrix_of(draw(programs(names, max_routes=8)))
    axes = matrix.axes
    bounded = draw(st.lists(st.integers(0, len(axes) - 1), max_size=2, unique=True)) if axes else []
    guards = st.lists(st.sampled_from([t.name for t in matrix.program.targets]), max_size=2, unique=True)
    routes = (
        draw(st.lists(st.integers(0, max(0, len(matrix.routes) - 1)), max_size=8))
        if len(matrix.routes)
        else []
    )
    past = 0
    for route in routes:
        past |= matrix.routes[route]
    choices = draw(st.lists(st.integers(0, matrix.every), max_size=3))
    return matrix, Hunt(
        {a: draw(st.integers(1, axes[a].full)) for a in bounded},
        draw(st.integers(0, matrix.every)) & draw(st.integers(0, matrix.every)),
        tuple(matrix.guards_on[t] for t in draw(guards)),
        (past,),
        tuple(choices) or (0,),
    )


def reached(reach: Reach, hunt: Hunt, cell: tuple[int, ...]) -> bool:
    matched = reach.finder.matched(cell)
    return (
        inside(cell, dict(hunt.box))
        and not matched & (hunt.avoid | reach.matrix.relations)
        and all(need & matched for need in hunt.removed)
        and any(not choice & matched for choice in hunt.choices)
        and reach.first_live(matched, hunt.past[0]) is None
    )


@settings(max_examples=300)
@given(hunts(), MANY)
def test_a_cell_is_reached_iff_there_is_one(drawn: tuple[Matrix, Hunt], many: int) -> None:
    matrix, hunt = drawn
    every = list(product(*(range(axis.size) for axis in matrix.axes)))
    assume(len(every) <= 5_000)
    case = open_case(matrix.program, matrix, Budget(many=many))
    reached_by = [cell for cell in every if reached(case.reach, hunt, cell)]
    # The second time it may begin with the cell that it found the first time.
    for _ in range(2):
        answer = case.reach.hunt(hunt)
        if isinstance(answer, Found):
            assert answer.cell in reached_by
            continue
        assert not reached_by
        less = Hunt(
            hunt.box,
            hunt.avoid & answer.clauses,
            hunt.removed,
            (hunt.past[0] & answer.clauses,),
            tuple(choice & answer.clauses for choice in hunt.choices),
        )
        relations = matrix.relations & ~answer.clauses
        for cell in every:
            assert case.finder.matched(cell) & relations or not reached(case.reach, less, cell)
