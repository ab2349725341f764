"""The nearest request, against brute force: really another outcome, really the nearest, and none only where there is none."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from policyd.explain.apart import counted, differing, led_by
from policyd.explain.goals import Goal, other_outcome, takes_part
from policyd.explain.nearest import Nearest, nearest
from policyd.explain.whynot import Kind, Subject
from policyd.policy.condition import TRUE, Condition, Flag, OneOf, both, either, negate
from policyd.policy.program import (
    MAX_NUMBER,
    Deny,
    Group,
    Guard,
    Member,
    Otherwise,
    Program,
    Route,
    Value,
)
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request, admit
from policyd.proofs.find import Budget
from policyd.text.diagnostic import Severity
from tests.proofs.brute import grid_of
from tests.strategies.programs import FEATURES, SMALL, TARGETS, grid, programs, values_near

TRIPLE = ("tokens", "max_output", "context_needed")
GROUPS = (
    SMALL,
    (*TRIPLE, "team"),
    ("project", "latency", "header:x-data-class", "opaque", "images"),
    ("findings", "team", "exceeded(month)"),
    ("date", "weekday", "hour"),
    ("task", "tools", "server_tools", "endpoint"),
    ("findings", "unredactable", "team"),
)


class Drawn:
    """A program over a few features, one request, and every request that the program and the request's own values tell
    apart."""

    def __init__(self, program: Program, request: Request, every: list[Request]) -> None:
        self.program = program
        self.request = request
        self.every = every

    def __repr__(self) -> str:
        program = self.program
        parts = (*program.levels, *program.guards, *program.denies, *program.routes)
        values = {n: v for n, v in self.request.values.items() if v not in (False, 0, "")}
        return "\n".join((*map(repr, parts), repr(values)))


@st.composite
def cases(draw: st.DrawFn) -> Drawn:
    group = draw(st.sampled_from(GROUPS))
    names = draw(st.lists(st.sampled_from(group), min_size=1, max_size=3, unique=True))
    program = draw(programs(names, max_routes=4, max_guards=3))
    reading = list(names)
    if any(g.builtin for g in program.guards) and "context_needed" not in names:
        reading.append("context_needed")
    if "images" in reading and "opaque" not in reading:
        reading.append("opaque")
    if "task" in reading:
        reading += [n for n in GROUPS[-2] if n not in reading]
    if "unredactable" in reading and "findings" not in reading:
        reading.append("findings")
    grid = grid_of(program, reading, most=400)
    assume(grid)
    assert grid is not None
    request = draw(st.sampled_from(grid))
    return Drawn(program, request, list(around(program, request, grid)))


def around(program: Program, request: Request, grid: list[Request]) -> Iterator[Request]:
    """The grid, with every prompt, answer and context that fit each other beside the request's own."""
    yield from grid
    triples = sorted(set(fitting(program, request)))
    rests = {
        tuple(sorted((n, v) for n, v in r.values.items() if n not in TRIPLE and n != "findings")): r
        for r in grid
    }
    for rest, triple in product(rests.values(), triples):
        other = admit(program, {**rest.values, **dict(zip(TRIPLE, triple, strict=True))})
        assert isinstance(other, Request)
        yield other


def fitting(program: Program, request: Request) -> Iterator[tuple[int, int, int]]:
    near: list[set[int]] = []
    for name in TRIPLE:
        own: Value = request.values[name]
        assert isinstance(own, int)
        near.append({int(v) for v in values_near(program, program.feature(name))} | {own})  # type: ignore[arg-type]
    tokens, answers, needed = near
    mine = [request.values[name] for name in TRIPLE]
    assert all(isinstance(v, int) for v in mine)
    tokens |= {c - int(mine[1]) for c in needed if c >= int(mine[1])}  # type: ignore[arg-type]
    answers |= {c - int(mine[0]) for c in needed if c >= int(mine[0])}  # type: ignore[arg-type]
    for t, m in product(tokens, answers):
        if m < MAX_NUMBER:
            yield t, m, min(MAX_NUMBER, t + m)
        else:
            yield from ((t, m, c) for c in needed | {t} if c >= t)


def least(program: Program, request: Request, every: list[Request], goal: Goal) -> int | None:
    """The smallest number of counted differences by which some request reaches the goal; None where none does."""
    return min((len(counted(differing(program, request, r))) for r in every if goal.has(r)), default=None)


def check(program: Program, request: Request, goal: Goal, found: Nearest, distance: int | None) -> None:
    assert found.proved
    assert bool(found.found) == (distance is not None)
    for nearby in found.found:
        changed = differing(program, request, nearby.request)
        assert goal.has(nearby.request)
        assert tuple(c.feature.name for c in nearby.changes) == changed
        assert nearby.distance == len(counted(changed)) == distance
        again = quiet_request(program, dict(nearby.given))
        assert isinstance(again, Request) and again.values == nearby.request.values
    changes = [counted(c.feature.name for c in n.changes) for n in found.found]
    assert len(set(changes)) == len(changes)


@given(cases())
def test_the_nearest_other_outcome_is_the_nearest(drawn: Drawn) -> None:
    program, request, every = drawn.program, drawn.request, drawn.every
    goal = other_outcome(program, request)
    check(program, request, goal, nearest(program, request, goal), least(program, request, every, goal))


@given(cases(), st.data())
def test_the_nearest_request_that_reaches_a_target_or_rule_is_the_nearest(
    drawn: Drawn, data: st.DataObject
) -> None:
    program, request, every = drawn.program, drawn.request, drawn.every
    names: dict[Kind, list[str]] = {
        "target": [t.name for t in program.targets],
        "route": [r.name for r in program.routes],
        "deny": [d.name for d in program.denies],
        "guard": [g.name for g in program.guards if not g.builtin],
    }
    subject = data.draw(st.sampled_from([Subject(k, n) for k, ns in names.items() for n in ns]))
    goal = takes_part(program, subject)
    check(program, request, goal, nearest(program, request, goal), least(program, request, every, goal))


@st.composite
def plans_by_clauses(draw: st.DrawFn) -> Program:
    """Routes with several clauses and the same targets in one order, and guards that take some of them away: what is
    another plan is found in a later clause, and in one of the route that decides already."""
    tests: list[Condition] = [Flag("urgent"), Flag("tools"), OneOf("latency", frozenset({"batch"}))]
    clause = st.sets(st.sampled_from(range(6)), min_size=1, max_size=2).map(
        lambda chosen: both(*(tests[i] if i < 3 else negate(tests[i - 3]) for i in sorted(chosen)))
    )
    names = [t.name for t in TARGETS][:3]
    groups = (Group("order", tuple(map(Member, names[: draw(st.integers(2, 3))]))),)
    routes = [
        Route(f"r{i}", groups, either(*draw(st.lists(clause, min_size=2, max_size=4))))
        for i in range(draw(st.integers(1, 2)))
    ]
    if draw(st.booleans()):
        routes.append(Route("rest", groups, TRUE))
    guards = tuple(
        Guard(f"g{i}", frozenset({draw(st.sampled_from(names))}), draw(clause), "", "")
        for i in range(draw(st.integers(1, 3)))
    )
    return small(guards=guards, routes=tuple(routes))


@given(plans_by_clauses(), st.data())
def test_another_plan_is_looked_for_in_every_clause_of_a_route(program: Program, data: st.DataObject) -> None:
    every = list(grid(program, ("urgent", "tools", "latency")))
    request = data.draw(st.sampled_from(every))
    goal = other_outcome(program, request)
    check(program, request, goal, nearest(program, request, goal), least(program, request, every, goal))


def test_a_second_clause_of_the_deciding_route_gives_a_candidate_more() -> None:
    """In the first clause the guard always fires; in the second it need not."""
    batch = OneOf("latency", frozenset({"batch"}))
    program = small(
        guards=(Guard("g", frozenset({"t1"}), batch, "", ""),),
        routes=(replace(BOTH, condition=either(batch, Flag("urgent"))), replace(BOTH, name="s", groups=ONE)),
    )
    request = request_of(program, urgent=True, latency="batch")
    found = nearest(program, request, other_outcome(program, request))
    assert found.proved
    assert [[c.feature.name for c in n.changes] for n in found.found] == [["latency"]]


def test_a_second_clause_of_the_deciding_route_gives_a_candidate_less() -> None:
    batch = OneOf("latency", frozenset({"batch"}))
    program = small(
        guards=(replace(NO_T0, condition=both(Flag("urgent"), negate(batch))),),
        routes=(replace(BOTH, condition=either(batch, Flag("urgent"))), replace(BOTH, name="s")),
    )
    request = request_of(program, latency="batch")
    found = nearest(program, request, other_outcome(program, request))
    assert found.proved
    assert {c.feature.name for c in found.found[0].changes} == {"urgent", "latency"}


@given(cases())
@settings(max_examples=25)
def test_out_of_budget_is_never_said_to_be_the_nearest(drawn: Drawn) -> None:
    program, request, every = drawn.program, drawn.request, drawn.every
    goal = other_outcome(program, request)
    found = nearest(program, request, goal, Budget(nodes=2, seconds=60.0, together=60.0))
    distance = least(program, request, every, goal)
    if found.proved:
        check(program, request, goal, found, distance)
    for nearby in found.found:
        assert goal.has(nearby.request)
        assert distance is not None and nearby.distance >= distance


@pytest.mark.parametrize(
    ("names", "counting"),
    [
        ({"tokens", "context_needed"}, {"tokens"}),
        ({"context_needed"}, {"context_needed"}),
        ({"date", "weekday"}, {"date"}),
        ({"images", "opaque"}, {"images"}),
        ({"images", "remote_content", "opaque"}, {"images", "remote_content"}),
        ({"opaque", "findings", "team"}, {"opaque", "findings", "team"}),
        ({"tools", "task"}, {"tools"}),
        ({"endpoint", "server_tools", "task"}, {"endpoint", "server_tools"}),
        ({"findings", "unredactable"}, {"findings"}),
    ],
)
def test_what_follows_another_change_does_not_count(names: set[str], counting: set[str]) -> None:
    assert counted(names) == counting
    assert led_by(counting) >= names


def request_of(program: Program, **values: object) -> Request:
    request = quiet_request(program, {"team": "a", "origin": "eu", **values})
    assert isinstance(request, Request)
    return request


def opaque_is_denied() -> Program:
    return Program(
        features=FEATURES,
        levels=(),
        targets=TARGETS,
        guards=(),
        denies=(Deny("unscanned", Flag("opaque"), 403, "nobody looked into it"),),
        routes=(Route("rest", (Group("order", (Member("t0"),)),), TRUE),),
        otherwise=Otherwise("nothing fits", 403, Severity.NOTE),
    )


def test_a_request_with_images_is_not_made_transparent_by_itself() -> None:
    """The policy does not read `images`, and a request that keeps them stays opaque."""
    program = opaque_is_denied()
    request = request_of(program, images=True)
    (nearby,) = nearest(program, request, other_outcome(program, request)).found
    changes = [(c.feature.name, c.after, c.follows) for c in nearby.changes]
    assert changes == [("images", False, False), ("opaque", False, True)]


def test_both_kinds_of_unscanned_content_have_to_go() -> None:
    program = opaque_is_denied()
    request = request_of(program, images=True, remote_content=True)
    (nearby,) = nearest(program, request, other_outcome(program, request)).found
    assert nearby.distance == 2
    assert {c.feature.name for c in nearby.changes} == {"images", "remote_content", "opaque"}


def small(
    *, guards: tuple[Guard, ...] = (), denies: tuple[Deny, ...] = (), routes: tuple[Route, ...] = ()
) -> Program:
    return replace(opaque_is_denied(), guards=guards, denies=denies, routes=routes)


BOTH = Route("rest", (Group("order", (Member("t0"), Member("t1"))),), TRUE)
ONE = (Group("order", (Member("t0"),)),)
NO_T0 = Guard("g", frozenset({"t0"}), Flag("urgent"), "", "")
D403, D429 = Deny("d0", Flag("urgent"), 403, ""), Deny("d1", Flag("tools"), 429, "")


@pytest.mark.parametrize(
    ("program", "given_", "changes"),
    [
        (small(guards=(NO_T0,), routes=(BOTH,)), {}, {"urgent"}),
        (small(guards=(NO_T0,), routes=(BOTH,)), {"urgent": True}, {"urgent"}),
        (small(denies=(D403, D429)), {"urgent": True}, {"urgent", "tools"}),
        (small(denies=(D429, D403)), {"urgent": True}, {"tools"}),
        (small(routes=(replace(BOTH, condition=Flag("urgent")),)), {"urgent": True}, {"urgent"}),
        (small(routes=(replace(BOTH, condition=Flag("urgent")),)), {}, {"urgent"}),
        (small(routes=(BOTH,)), {}, None),
    ],
    ids=[
        "a candidate less", "a candidate more", "the first deny has the status", "a deny before it has another",
        "nothing is left but otherwise", "otherwise is left", "nothing changes the outcome",
    ],
)  # fmt: skip
def test_every_kind_of_other_outcome_is_one(
    program: Program, given_: dict[str, object], changes: set[str] | None
) -> None:
    request = request_of(program, **given_)
    found = nearest(program, request, other_outcome(program, request))
    assert found.proved
    names = [{c.feature.name for c in n.changes if not c.follows} for n in found.found]
    assert names == ([] if changes is None else [changes])


def test_what_a_search_comes_across_first_is_not_taken_for_the_nearest() -> None:
    """The first route is met first and takes two changes; neither of them alone does."""
    far = Route("far", (Group("order", (Member("t0"),)),), both(Flag("tools"), Flag("stored")))
    near = Route("near", (Group("order", (Member("t0"),)),), Flag("urgent"))
    program = small(routes=(far, near))
    found = nearest(program, request_of(program), takes_part(program, Subject("target", "t0")))
    assert found.proved
    assert [[c.feature.name for c in n.changes] for n in found.found] == [["urgent"]]
