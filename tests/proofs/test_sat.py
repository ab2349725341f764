"""The SAT solver agrees with our own search, its conflicts are ones, and without it a question is not proved."""

import sys
from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given, settings

from policyd.engine.matrix import Matrix
from policyd.policy.condition import OneOf, both
from policyd.policy.program import (
    EnumDomain,
    Feature,
    Group,
    Member,
    Otherwise,
    Program,
    Provenance,
    Route,
    Target,
    Unknown,
    Where,
)
from policyd.proofs.find import Budget, Covered, Finder, Found, OutOfBudget
from policyd.proofs.local import Local, Rule
from policyd.proofs.sat import Search, search
from policyd.text.diagnostic import Severity
from tests.proofs.test_find import matrix_of, tangles
from tests.proofs.test_local import cells, fits, problems, solve

LITTLE = Budget(nodes=40, alone=1, seconds=60.0)


def solver() -> Search:
    found = search()
    if found is None:
        pytest.skip("python-sat is not installed")
    return found


@settings(max_examples=300)
@given(problems() | problems(most=30))
def test_it_finds_what_our_own_search_finds(local: Local) -> None:
    answer = solver()(local, lambda: False)
    assert answer is not None
    domain, conflict = answer
    assert (domain is None) == (solve(local)[0] is None)
    if domain is not None:
        assert fits(local, tuple(mask.bit_length() - 1 for mask in domain))
        return
    rules = tuple(Rule(rule.clauses & conflict, rule.needs) for rule in local.rules)
    less = replace(local, hard=local.hard & conflict, rules=rules)
    assert not any(fits(less, cell) for cell in cells(less))


@settings(max_examples=100)
@given(tangles())
def test_a_search_that_takes_too_long_is_handed_over(matrix: Matrix) -> None:
    solver()
    answer = Finder(matrix, replace(LITTLE, alone=0)).find({}, matrix.all_routes)
    every = product(*(range(axis.size) for axis in matrix.axes))
    free = [c for c in every if not any(all(m >> c[a] & 1 for a, m in b.items()) for b in matrix.boxes)]
    assert isinstance(answer, Found) == bool(free)
    if isinstance(answer, Found):
        assert answer.cell in free
    else:
        assert isinstance(Finder(matrix).find({}, answer.clauses), Covered)


def pigeons(count: int) -> Local:
    """One pigeon more than there are holes: an axis for each pigeon, a clause for each two in one hole. Small to write, and
    without a short proof."""
    pairs = [(a, b, hole) for a in range(count + 1) for b in range(a) for hole in range(count)]
    every = (1 << len(pairs)) - 1
    rows, constrained = [], []
    for pigeon in range(count + 1):
        bearing = sum(1 << i for i, (a, b, _) in enumerate(pairs) if pigeon in (a, b))
        rows.append(
            [
                every & ~bearing
                | sum(1 << i for i, (a, b, h) in enumerate(pairs) if pigeon in (a, b) and h == hole)
                for hole in range(count)
            ]
        )
        constrained.append(bearing)
    return Local(len(pairs), rows, constrained, every)


def hard_matrix(holes: int = 4) -> Matrix:
    """The pigeons as a policy: each a feature, and a route for each two of them in one hole."""
    words = tuple(f"hole{i}" for i in range(holes))
    names = [f"pigeon{i}" for i in range(holes + 1)]
    where = Where("identity", "x")
    features = tuple(Feature(n, EnumDomain(words), Provenance.ATTESTED, where, Unknown.REJECT) for n in names)
    conditions = [
        both(OneOf(a, frozenset({word})), OneOf(b, frozenset({word})))
        for a, b in combinations(names, 2)
        for word in words
    ]
    group = (Group("order", (Member("t"),)),)
    routes = tuple(Route(f"r{i}", group, condition) for i, condition in enumerate(conditions))
    otherwise = Otherwise("no", 403, Severity.NOTE)
    return matrix_of(Program(features, (), (Target("t", ()),), (), (), routes, otherwise))


def test_pigeons_and_holes_are_refuted() -> None:
    assert solver()(pigeons(6), lambda: False) == (None, pigeons(6).hard)


def test_the_clock_ends_it() -> None:
    looks = []

    def late() -> bool:
        looks.append(1)
        return len(looks) > 2

    assert solver()(pigeons(11), late) is None
    assert len(looks) == 3


def test_where_it_does_not_finish_the_question_is_not_proved() -> None:
    matrix = hard_matrix()
    finder = Finder(matrix, LITTLE, beyond=lambda: lambda _local, _late: None)
    with pytest.raises(OutOfBudget):
        finder.find({}, matrix.all_routes)


def test_without_it_our_own_search_goes_on_to_the_end_of_its_budget() -> None:
    matrix = hard_matrix()
    with pytest.raises(OutOfBudget):
        Finder(matrix, LITTLE, beyond=lambda: None).find({}, matrix.all_routes)
    ample = replace(LITTLE, nodes=100_000)
    assert isinstance(Finder(matrix, ample, beyond=lambda: None).find({}, matrix.all_routes), Covered)


def test_a_hard_question_is_answered_with_it() -> None:
    solver()
    matrix = hard_matrix()
    answer = Finder(matrix, LITTLE).find({}, matrix.all_routes)
    assert isinstance(answer, Covered)
    assert isinstance(Finder(matrix, replace(LITTLE, nodes=100_000)).find({}, answer.clauses), Covered)


def test_no_package_means_no_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pysat.solvers", None)
    assert search() is None
