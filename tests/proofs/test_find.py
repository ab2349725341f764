"""`find` against brute force: nothing missed, nothing invented, every cover really covers."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.engine.axes import runs
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import Condition, InRange, both, negate
from policyd.policy.program import Group, Member, Otherwise, Program, Route
from policyd.proofs.find import Budget, Covered, Finder, Found, bits, meet
from policyd.text.diagnostic import Severity
from tests.strategies.programs import FEATURES, TARGETS, programs

MANY = st.sampled_from((0, 3, 150))
"""From how many clauses on a search begins with a few of them."""


def matrix_of(program: Program) -> Matrix:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return matrix


def inside(cell: tuple[int, ...], box: dict[int, int]) -> bool:
    return all(mask >> cell[axis] & 1 for axis, mask in box.items())


@st.composite
def questions(draw: st.DrawFn) -> tuple[Matrix, dict[int, int], int, tuple[dict[int, int], ...]]:
    names = draw(
        st.lists(
            st.sampled_from(("team", "latency", "risk", "urgent", "findings", "tokens")),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    matrix = matrix_of(draw(programs(names, max_routes=8)))
    axes = matrix.axes

    def box() -> dict[int, int]:
        some = draw(st.lists(st.integers(0, len(axes) - 1), max_size=3, unique=True)) if axes else []
        return {a: draw(st.integers(1, axes[a].full)) for a in some}

    avoid = draw(st.integers(0, matrix.every))
    extra = tuple(b for b in (box() for _ in range(draw(st.integers(0, 2)))) if b)
    return matrix, box(), avoid, extra


@given(questions(), MANY)
def test_finds_a_cell_iff_there_is_one(
    question: tuple[Matrix, dict[int, int], int, tuple[dict[int, int], ...]], many: int
) -> None:
    matrix, box, avoid, extra = question
    every = list(product(*(range(axis.size) for axis in matrix.axes)))
    if len(every) > 20_000:
        return
    refused = [matrix.boxes[i] for i in bits(avoid)]
    free = [c for c in every if inside(c, box) and not any(inside(c, r) for r in (*refused, *extra))]
    answer = Finder(matrix, Budget(many=many)).find(box, avoid, extra)
    if isinstance(answer, Found):
        assert answer.cell in free
    else:
        assert not free
        assert answer.clauses & ~avoid == 0


@given(questions(), MANY)
def test_a_cover_covers_the_box(
    question: tuple[Matrix, dict[int, int], int, tuple[dict[int, int], ...]], many: int
) -> None:
    matrix, box, avoid, _ = question
    answer = Finder(matrix, Budget(many=many)).find(box, avoid)
    if isinstance(answer, Covered):
        assert isinstance(Finder(matrix).find(box, answer.clauses), Covered)


@given(st.integers(0, 2**40))
def test_runs_are_the_set_bits(mask: int) -> None:
    assert sum((1 << high) - (1 << low) for low, high in runs(mask)) == mask
    assert [b for low, high in runs(mask) for b in range(low, high)] == sorted(bits(mask))


@settings(max_examples=50)
@given(
    st.dictionaries(st.integers(0, 4), st.integers(1, 15)),
    st.dictionaries(st.integers(0, 4), st.integers(1, 15)),
)
def test_meet_is_the_intersection(a: dict[int, int], b: dict[int, int]) -> None:
    both = meet(a, b)
    for cell in product(range(4), repeat=5):
        assert (inside(cell, a) and inside(cell, b)) == (both is not None and inside(cell, both))


@st.composite
def tangles(draw: st.DrawFn) -> Matrix:
    """Many boxes of two or three sides each over a few axes: propagation alone does not solve these."""

    def side(name: str) -> Condition:
        low = draw(st.integers(0, 3))
        return InRange(name, low, draw(st.integers(low, 3)))

    names = ("risk", "hour", "messages", "tokens", "max_output")[: draw(st.integers(3, 5))]
    boxes = [
        both(*(side(n) for n in draw(st.lists(st.sampled_from(names), min_size=2, max_size=3, unique=True))))
        for _ in range(draw(st.integers(6, 30)))
    ]
    # Every number is one of 0 to 3, or the four of them cover the axis together.
    bounds = [negate(InRange(n, 0, 3)) for n in names]
    group = (Group("order", (Member("t0"),)),)
    routes = tuple(Route(f"r{i}", group, c) for i, c in enumerate([*bounds, *boxes]))
    return matrix_of(Program(FEATURES, (), TARGETS, (), (), routes, Otherwise("no", 403, Severity.NOTE)))


@settings(max_examples=300)
@given(tangles(), MANY)
def test_a_tangle_of_boxes_is_searched_to_the_end(matrix: Matrix, many: int) -> None:
    boxes = [matrix.boxes[i] for i in bits(matrix.all_routes)]
    every = product(*(range(axis.size) for axis in matrix.axes))
    free = [c for c in every if not any(inside(c, b) for b in boxes)]
    answer = Finder(matrix, Budget(many=many)).find({}, matrix.all_routes)
    assert isinstance(answer, Found) == bool(free)
    if isinstance(answer, Found):
        assert answer.cell in free
    else:
        assert isinstance(Finder(matrix).find({}, answer.clauses), Covered)
