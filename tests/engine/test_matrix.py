"""Does the matrix mean what the policy means: atoms, boxes, rows, relations, and the way back to a request?"""

from datetime import date
from itertools import pairwise, product
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.engine import matrix as matrix_module
from policyd.engine import relations
from policyd.engine.axes import NumberAxis, atoms_in, build_axes, runs
from policyd.engine.boxes import TooManyBoxes
from policyd.engine.cells import cell_of, concretise, matched
from policyd.engine.matrix import MOST_ATOMS, Matrix, build_matrix
from policyd.engine.relations import context_boxes
from policyd.engine.rows import decide_by_rows
from policyd.policy.builtins import WEEKDAYS
from policyd.policy.condition import (
    FALSE,
    TRUE,
    AtLeast,
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
from policyd.policy.decision import Plan, outcome_of
from policyd.policy.evaluate import evaluate, holds
from policyd.policy.program import BoolDomain, Classify, Deny, Otherwise, Program, Raise, Route, Start
from policyd.policy.request import EVERYTHING, LONGEST_STRING, Request, admit
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity
from tests.strategies.programs import (
    DECLARED,
    FEATURES,
    LEVEL,
    READABLE,
    conditions_of,
    grid,
    one_test_on,
    possible,
    programs,
    requests,
)

TEAM = DECLARED[0]


def matrix_of(program: Program) -> Matrix:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix), matrix
    return matrix


def bare(*denies: Deny) -> Program:
    return Program(FEATURES, (), (), (), denies, (), Otherwise("no", 403, Severity.NOTE))


@given(st.data())
def test_every_atom_has_a_value_and_every_test_agrees_with_its_mask(data: st.DataObject) -> None:
    feature = data.draw(st.sampled_from(FEATURES))
    tests = data.draw(st.lists(one_test_on(feature), min_size=1, max_size=6))
    axes = build_axes(FEATURES, tests)
    program = bare()
    for axis in axes.axes:
        for atom in range(axis.size):
            value = axis.representative(atom)
            assert axis.atom_of(value) == atom
            for test in tests:
                at, mask = axes.place(test)  # type: ignore[arg-type]
                if at is not None and axes.axes[at] is axis:
                    assert bool(mask >> atom & 1) == holds(program, test, Request({feature.name: value}))
        if isinstance(axis, NumberAxis):
            edges = [axis.bounds(a) for a in range(axis.size)]
            assert all(a[1] + 1 == b[0] for a, b in pairwise(edges))
            assert sum(axis.weight(a) for a in range(axis.size)) == edges[-1][1] - edges[0][0] + 1


@given(st.integers(0, 2**40))
def test_runs_and_atoms_name_the_set_bits(mask: int) -> None:
    assert sum(1 << a for a in atoms_in(mask)) == mask
    assert sum((1 << b) - (1 << a) for a, b in runs(mask)) == mask


def test_a_prefix_as_long_as_the_longest_string_is_a_literal_and_a_longer_one_never_matches() -> None:
    long = "l" * LONGEST_STRING
    axes = build_axes(
        FEATURES, [Prefix("team", long), Prefix("team", long + "l"), OneOf("team", frozenset({"x"}))]
    )
    axis = axes.axes[0]
    assert axis.mask(Prefix("team", long)) == 1 << axis.atom_of(long)
    assert axis.mask(Prefix("team", long + "l")) == 0
    assert all(len(str(axis.representative(a))) <= LONGEST_STRING for a in range(axis.size))


def test_a_feature_that_no_test_divides_has_no_axis_and_its_tests_are_constant() -> None:
    whole = InRange("hour", 0, 23)
    matrix = matrix_of(bare(Deny("d", both(whole, OneOf("team", frozenset({"a"}))), 403, "")))
    assert [a.feature for a in matrix.axes] == ["team"]
    assert len(matrix.boxes) == 1
    assert matrix.boxes_of(negate(whole)) == ()


@given(st.data())
def test_rows_decide_as_the_reference_does(data: st.DataObject) -> None:
    program = data.draw(programs())
    matrix = matrix_of(program)
    for _ in range(5):
        request = data.draw(requests(program))
        by_rows, reference = decide_by_rows(matrix, request), evaluate(program, request)
        assert outcome_of(by_rows) == outcome_of(reference)
        if isinstance(by_rows, Plan) and isinstance(reference, Plan):
            assert by_rows.removed == reference.removed


intervals = st.tuples(st.integers(0, 9), st.integers(0, 9)).map(sorted)


@given(st.lists(st.tuples(intervals, intervals), min_size=2, max_size=6))
def test_boxes_inside_one_another_are_dropped_and_nothing_else(
    corners: list[tuple[list[int], list[int]]],
) -> None:
    """Rectangles of two numbers, which often lie inside each other: the union stays, whatever is simplified."""
    parts = [both(InRange("risk", *x), InRange("hour", *y)) for x, y in corners]
    program = bare(Deny("d", either(*parts), 403, "x"))
    matrix = matrix_of(program)
    boxes = matrix.boxes_of(program.denies[0].condition)
    request = next(grid(program, []))
    for risk, hour in product(range(10), range(10)):
        cell = cell_of(matrix, Request({**request.values, "risk": risk, "hour": hour}))
        inside = any(all(m >> cell[v] & 1 for v, m in b.items()) for b in boxes)
        assert inside == any(x[0] <= risk <= x[1] and y[0] <= hour <= y[1] for x, y in corners)


@given(st.data())
def test_boxes_hold_exactly_where_the_condition_does(data: st.DataObject) -> None:
    program = data.draw(programs(max_assertions=2))
    matrix = matrix_of(program)
    request = data.draw(requests(program))
    cell = cell_of(matrix, request)
    for condition in conditions_of(program):
        inside = any(all(m >> cell[v] & 1 for v, m in b.items()) for b in matrix.boxes_of(condition))
        assert inside == holds(program, condition, request)


@given(programs())
def test_sections_and_rows_agree_with_the_clauses(program: Program) -> None:
    matrix = matrix_of(program)
    for owner in range(len(program.routes)):
        mask = matrix.routes[owner]
        assert [matrix.clauses[b].owner for b in atoms_in(mask)] == [owner] * mask.bit_count()
    assert sum(matrix.routes) == matrix.all_routes
    assert sum(matrix.denies) == matrix.all_denies
    assert sum(matrix.guards) == matrix.all_guards
    assert matrix.all_routes | matrix.all_denies | matrix.all_guards | matrix.relations == matrix.every
    for axis, rows in enumerate(matrix.rows):
        for bit, box in enumerate(matrix.boxes):
            assert bool(matrix.constrained[axis] >> bit & 1) == (axis in box)
            mask = box.get(axis, matrix.axes[axis].full)
            assert mask == sum(1 << a for a, row in enumerate(rows) if row >> bit & 1)


def split(cuts: list[int], largest: int) -> list[tuple[int, int]]:
    starts = [0, *cuts]
    return [(a, b - 1) for a, b in zip(starts, [*cuts, largest + 1], strict=True)]


LARGEST = 7
CUTS = st.sets(st.integers(1, LARGEST), max_size=4).map(sorted)


@given(CUTS, CUTS, CUTS)
def test_the_context_relation_excludes_exactly_the_impossible_cells(
    tokens: list[int], answers: list[int], needed: list[int]
) -> None:
    sides = [split(c, LARGEST) for c in (tokens, answers, needed)]
    boxes = list(context_boxes(*sides, LARGEST))
    concrete = [
        (t, o, n)
        for t, o, n in product(range(LARGEST + 1), repeat=3)
        if n >= t and (o == LARGEST or n == min(LARGEST, t + o))
    ]
    for cell in product(*(range(len(s)) for s in sides)):
        excluded = any(all(m >> a & 1 for m, a in zip(b, cell, strict=True)) for b in boxes)
        realised = any(
            all(s[a][0] <= v <= s[a][1] for s, a, v in zip(sides, cell, point, strict=True))
            for point in concrete
        )
        assert excluded != realised


@pytest.mark.parametrize("days", range(1, 10))
@pytest.mark.parametrize("word", ["mon", "sat"])
def test_a_date_excludes_exactly_the_weekdays_that_none_of_its_days_has(days: int, word: str) -> None:
    first = date(2026, 3, 3).toordinal()
    tests = (InRange("date", first, first + days - 1), OneOf("weekday", frozenset({word})))
    matrix = matrix_of(bare(*(Deny(f"d{i}", t, 403, "") for i, t in enumerate(tests))))
    at, of = matrix.table.of("date"), matrix.table.of("weekday")
    assert at is not None and of is not None
    dates, words = matrix.axes[at], matrix.axes[of]
    assert isinstance(dates, NumberAxis)
    for cell in product(range(dates.size), range(words.size)):
        low, high = dates.bounds(cell[0])
        held = {WEEKDAYS[date.fromordinal(d).weekday()] for d in range(low, min(high, low + 30) + 1)}
        point = [cell[0] if i == at else cell[1] for i in range(2)]
        excluded = bool(matched(matrix, point) & matrix.relations)
        assert excluded == (cell[1] not in {words.atom_of(w) for w in held})


@given(st.data())
def test_a_possible_request_is_in_no_relation(data: st.DataObject) -> None:
    program = data.draw(programs(["tokens", "max_output", "context_needed", "findings", "date", "weekday"]))
    matrix = matrix_of(program)
    request = data.draw(requests(program))
    if possible(request.values):
        assert not matched(matrix, cell_of(matrix, request)) & matrix.relations


@given(st.data())
def test_a_cell_in_no_relation_has_a_possible_request(data: st.DataObject) -> None:
    names = data.draw(st.lists(st.sampled_from(READABLE), min_size=1, max_size=8, unique=True))
    program = data.draw(programs(names))
    matrix = matrix_of(program)
    cell = [data.draw(st.integers(0, a.size - 1)) for a in matrix.axes]
    assume(not matched(matrix, cell) & matrix.relations)
    request = admit(program, concretise(matrix, cell))
    assert isinstance(request, Request)
    assert cell_of(matrix, request) == cell
    assert possible(request.values)


def test_unknown_findings_are_every_name() -> None:
    program = bare(Deny("d", both(Has("findings", "a"), Has("findings", "b.c")), 403, ""))
    matrix = matrix_of(program)
    request = next(grid(program, []))
    assert cell_of(matrix, request) == [0, 0]
    assert cell_of(matrix, Request({**request.values, "findings": EVERYTHING})) == [1, 1]


def parity(names: list[str]) -> Condition:
    """An odd number of the flags is set: 2 to the power of one less than their number boxes, and none can be merged."""
    out: Condition = FALSE
    for name in names:
        out = either(both(out, negate(Flag(name))), both(negate(out), Flag(name)))
    return out


FLAGS = [f.name for f in FEATURES if isinstance(f.domain, BoolDomain)]


def test_a_condition_with_too_many_alternatives_is_refused_by_name() -> None:
    routes = (Route("fine", (), parity(FLAGS[:9])), Route("wide", (), parity(FLAGS[:10])))
    deny = Deny("wider", parity(FLAGS[:11]), 403, "")
    found = build_matrix(Program(FEATURES, (), (), (), (deny,), routes, Otherwise("no", 403, Severity.NOTE)))
    assert isinstance(found, tuple)
    assert [(d.code, d.message.split("`")[1]) for d in found] == [("PD601", "wider"), ("PD601", "wide")]


def test_an_ad_hoc_condition_over_the_cap_raises() -> None:
    matrix = build_matrix(bare(), [parity(FLAGS[:10])])
    assert isinstance(matrix, Matrix)
    with pytest.raises(TooManyBoxes):
        matrix.boxes_of(parity(FLAGS[:10]))
    assert len(matrix.boxes_of(parity(FLAGS[:9]))) == 256


def test_too_many_atoms_are_refused_by_feature() -> None:
    teams = [frozenset({f"team{i}"}) for i in range(MOST_ATOMS)]
    found = build_matrix(bare(*(Deny(f"d{i}", OneOf("team", t), 403, "") for i, t in enumerate(teams))))
    assert isinstance(found, tuple)
    assert [d.code for d in found] == ["PD602"]
    assert "`team`" in found[0].message


def test_a_level_is_opened_into_its_inputs() -> None:
    level = Classify(
        "sensitivity",
        LEVEL,
        (Start(0, OneOf("team", frozenset({"docs"}))), Start(1, TRUE)),
        (Raise("header:x-data-class", TRUE), Raise(2, OneOf("team", frozenset({"risk"})))),
    )
    deny = Deny("d", AtLeast("sensitivity", 2), 403, "")
    program = Program(FEATURES, (level,), (), (), (deny,), (), Otherwise("no", 403, Severity.NOTE))
    matrix = matrix_of(program)
    assert [a.feature for a in matrix.axes] == ["team", "header:x-data-class"]
    assert len(matrix.boxes) == 2


def test_a_table_beyond_its_bytes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "MOST_ROW_BYTES", 50)
    found = build_matrix(bare(Deny("d", OneOf("team", frozenset({"a"})), 403, "")))
    assert isinstance(found, tuple)
    assert [d.code for d in found] == ["PD603"]


def test_constants_too_many_to_relate_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_CORNERS", 5)
    parts = [InRange("tokens", 5, 6), InRange("max_output", 7, 8), InRange("context_needed", 9, 10)]
    denies = [Deny(f"d{i}", test, 403, "") for i, test in enumerate(parts)]
    found = build_matrix(bare(*denies))
    assert isinstance(found, tuple)
    assert [d.code for d in found] == ["PD604"]
    assert isinstance(build_matrix(bare(*denies[1:])), Matrix)


def test_every_cap_has_a_row_and_a_page() -> None:
    pages = Path(__file__).parents[2] / "docs" / "rules"
    for code in ("PD601", "PD602", "PD603", "PD604", "PD605"):
        assert (
            (pages / f"{code}.md").read_text(encoding="utf-8").startswith(f"# {code}: {CODES[code].title}\n")
        )
