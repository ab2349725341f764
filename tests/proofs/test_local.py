"""The search of small problems against brute force: nothing missed, nothing invented, every conflict really is one."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.proofs.local import Local, Rule, Solver


@st.composite
def problems(draw: st.DrawFn, *, most: int = 9) -> Local:
    """Clauses over two to four axes of two or three atoms; some are hard, some meet needs, some belong to rules, and some
    are several of these."""
    count = draw(st.integers(1, most))
    sizes = draw(st.lists(st.integers(2, 3), min_size=2, max_size=4))
    rows = []
    constrained = []
    for size in sizes:
        bearing = draw(st.integers(0, (1 << count) - 1))
        drawn = draw(st.lists(st.integers(0, (1 << count) - 1), min_size=size, max_size=size))
        rows.append([(row | ~bearing) & ((1 << count) - 1) for row in drawn])
        constrained.append(bearing)
    masks = st.integers(1, (1 << count) - 1)
    rules = st.builds(Rule, masks, st.lists(masks, max_size=2).map(tuple))
    return Local(
        count,
        rows,
        constrained,
        draw(st.integers(0, (1 << count) - 1)),
        tuple(draw(st.lists(masks, max_size=2))),
        tuple(draw(st.lists(rules, max_size=4))),
    )


def cells(local: Local) -> Iterator[tuple[int, ...]]:
    return product(*(range(len(rows)) for rows in local.rows))


def fits(local: Local, cell: tuple[int, ...]) -> bool:
    matched = (1 << local.count) - 1
    for rows, atom in zip(local.rows, cell, strict=True):
        matched &= rows[atom]
    if matched & local.hard or not all(need & matched for need in local.needs):
        return False
    return all(not r.clauses & matched or all(n & matched for n in r.needs) for r in local.rules)


def solve(local: Local) -> tuple[list[int] | None, int]:
    return Solver(local, lambda: None).solve()


@settings(max_examples=600)
@given(problems() | problems(most=30))
def test_a_solution_is_found_iff_there_is_one(local: Local) -> None:
    domain, _ = solve(local)
    assert (domain is not None) == any(fits(local, cell) for cell in cells(local))
    if domain is not None:
        assert all(domain)
        left = [
            [a for a in range(len(rows)) if mask >> a & 1]
            for rows, mask in zip(local.rows, domain, strict=True)
        ]
        assert all(fits(local, cell) for cell in product(*left))


@settings(max_examples=600)
@given(problems() | problems(most=30))
def test_what_a_conflict_names_leaves_nothing_on_its_own(local: Local) -> None:
    domain, conflict = solve(local)
    if domain is not None:
        return
    rules = tuple(Rule(rule.clauses & conflict, rule.needs) for rule in local.rules)
    less = replace(local, hard=local.hard & conflict, rules=rules)
    assert not any(fits(less, cell) for cell in cells(less))


PAIRS = tuple((a, b, hole) for a in range(3) for b in range(a) for hole in range(2))
CROWDED = ((1 << len(PAIRS)) - 1) << 2
"""Clauses after two others: three pigeons that share two holes, which only a search refutes."""


UNEQUAL = (CROWDED + 4, (CROWDED + 4) * 2)
"""Two more clauses behind them."""
EVERY = CROWDED | 0b11 | sum(UNEQUAL)


def crowded(*axes: tuple[list[int], int]) -> tuple[list[list[int]], list[int]]:
    """Rows and constraints of these axes, and of one for each pigeon, which matter on the second atom of the first axis."""
    rows = [
        [row | EVERY & ~clauses & ~(0 if number or at else CROWDED) for at, row in enumerate(given)]
        for number, (given, clauses) in enumerate(axes)
    ]
    constrained = [clauses | (0 if number else CROWDED) for number, (_, clauses) in enumerate(axes)]
    for pigeon in range(3):
        own = sum(1 << 2 + i for i, (a, b, _) in enumerate(PAIRS) if pigeon in (a, b))
        here = [sum(1 << 2 + i for i, (_, _, h) in enumerate(PAIRS) if h == hole) for hole in range(2)]
        rows.append([EVERY & ~own | own & at for at in here])
        constrained.append(own)
    return rows, constrained


def test_where_the_first_way_to_meet_a_need_leads_nowhere_the_second_is_tried() -> None:
    """Two clauses meet the need, and the pigeons are crowded inside the first."""
    rows, constrained = crowded(([0b10, 0b01], 0b11))
    local = Local(EVERY.bit_length(), rows, constrained, CROWDED, (0b11,))
    domain, _ = solve(local)
    assert domain is not None
    assert domain[0] == 0b01
    assert solve(replace(local, needs=(0b01,)))[0] is None


def test_where_it_is_crowded_outside_a_rule_its_needs_are_met_inside() -> None:
    """The clause that meets the need brings two axes that have to differ, so nothing follows without a branch."""
    one, other = UNEQUAL
    rows, constrained = crowded(
        ([0b01, 0], 0b01),
        ([0b10 | one | other, 0], 0b10 | one | other),
        ([one, other], one | other),
        ([one, other], one | other),
    )
    local = Local(EVERY.bit_length(), rows, constrained, CROWDED | one | other, (), (Rule(0b01, (0b10,)),))
    domain, _ = solve(local)
    assert domain is not None
    assert domain[:2] == [0b01, 0b01]
    assert {domain[2], domain[3]} == {0b01, 0b10}
