"""Marks against brute force: yes if and only if some possible request does it."""

from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.graph.gather import Room
from policyd.graph.model import Bunch, DenyStep, Drawing, GuardStep, RouteStep
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, holds, level_rank
from policyd.policy.program import BoolDomain, EnumDomain, Program
from policyd.policy.request import Request
from tests.graph.drawn import ROOT, drawing_of, program_at
from tests.proofs import brute
from tests.strategies.programs import SMALL, programs

GROUPS = (
    SMALL,
    ("latency", "origin", "urgent", "header:x-data-class"),
    ("tokens", "context_needed", "max_output", "team"),
    ("findings", "opaque", "latency"),
)


@st.composite
def small(draw: st.DrawFn) -> tuple[Program, tuple[str, ...], list[Request]]:
    """A program, what of its grid can be told apart by, and its grid."""
    group = draw(st.sampled_from(GROUPS))
    names = tuple(draw(st.lists(st.sampled_from(group), min_size=1, max_size=3, unique=True)))
    program = draw(programs(names, max_routes=5))
    reading = names
    if any(g.builtin for g in program.guards) and "context_needed" not in names:
        reading = (*names, "context_needed")
    every = brute.grid_of(program, reading)
    assume(every is not None)
    assert every is not None
    by = tuple(n for n in names if isinstance(program.feature(n).domain, EnumDomain | BoolDomain))
    return program, by, every


def value_of(program: Program, name: str, request: Request) -> str:
    if any(level.name == name for level in program.levels):
        level = program.level(name)
        return level.values[level_rank(program, level, request)]
    value = request.values[name]
    if isinstance(value, bool):
        return name if value else f"not {name}"
    return str(value)


def rules(drawing: Drawing) -> tuple[list[DenyStep], list[GuardStep], list[RouteStep]]:
    assert not any(isinstance(r, Bunch) for r in (*drawing.denies, *drawing.guards, *drawing.routes))
    return list(drawing.denies), list(drawing.guards), list(drawing.routes)  # type: ignore[arg-type]


@given(small())
def test_a_target_is_reached_iff_some_request_of_the_grid_reaches_it(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, by, every = drawn
    drawing = drawing_of(program, by)
    assert not drawing.not_proved
    plans = [(q, d) for q in every if isinstance(d := evaluate(program, q), Plan)]
    for target in drawing.targets:
        reaching = [(q, d.route) for q, d in plans if target.name in d.targets]
        assert (target.mark == "yes") == bool(reaching)
        for dimension, marks in zip(drawing.dimensions, target.cells, strict=True):
            found = {value_of(program, dimension.name, q) for q, _ in reaching}
            marked = {v for v, m in zip(dimension.values, marks, strict=True) if m == "yes"}
            assert marked == found, (target.name, dimension.name)
        assert {v.route for v in target.via if v.mark == "yes"} == {route for _, route in reaching}


@given(small())
def test_a_rule_is_marked_dead_iff_it_decides_no_request(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, by, every = drawn
    denies, guards, routes = rules(drawing := drawing_of(program, by))
    decisions = [evaluate(program, q) for q in every]
    plans = [d for d in decisions if isinstance(d, Plan)]
    rejections = {d.by[0] for d in decisions if isinstance(d, Reject)}
    assert {d.name for d in denies if d.mark == "yes"} == rejections - {"otherwise"}
    assert (drawing.otherwise.mark == "yes") == ("otherwise" in rejections)
    for route in routes:
        mine = [d for d in plans if d.route == route.name]
        assert (route.mark == "yes") == bool(mine)
        reached = {t for d in mine for t in d.targets}
        members = [c for choice in route.choices for c in choice.members]
        assert {c.target for c in members if c.mark == "yes"} == reached
    written = [g for g in program.guards if not g.builtin]
    for step, guard in zip(guards, written, strict=True):
        assert (step.mark == "yes") == any(holds(program, guard.condition, q) for q in every)
        assert {c.target for c in step.hits} == guard.hits


@given(small(), st.integers(0, 40))
def test_what_is_not_finished_is_never_a_yes_or_a_no_that_is_wrong(
    drawn: tuple[Program, tuple[str, ...], list[Request]], steps: int
) -> None:
    program, by, _ = drawn
    whole = {t.name: t for t in drawing_of(program, by).targets}
    for target in drawing_of(program, by, steps=steps).targets:
        pairs = [(target.mark, whole[target.name].mark)]
        for part, full in zip(target.cells, whole[target.name].cells, strict=True):
            pairs.extend(zip(part, full, strict=True))
        assert all(mark in ("not proved", right) for mark, right in pairs)


def test_without_steps_nothing_is_proved_and_that_is_counted() -> None:
    drawing = drawing_of(program_at(ROOT / "policies/regulated.policy"), steps=0)
    assert {t.mark for t in drawing.targets} == {"not proved"}
    assert drawing.not_proved > 20


@given(small(), st.integers(1, 3))
def test_a_small_room_leaves_out_only_what_it_counts(
    drawn: tuple[Program, tuple[str, ...], list[Request]], most: int
) -> None:
    program, _, _ = drawn
    drawing = drawing_of(program, room=Room(most, most, most, most))
    for kind, steps, whole in (
        ("route", drawing.routes, program.routes),
        ("deny", drawing.denies, program.denies),
        ("guard", drawing.guards, [g for g in program.guards if not g.builtin]),
    ):
        assert sum(s.count if isinstance(s, Bunch) else 1 for s in steps) == len(whole), kind  # type: ignore[attr-defined]
        assert all(s.count > 1 for s in steps if isinstance(s, Bunch))  # type: ignore[attr-defined]
    assert len(drawing.targets) + drawing.more_targets == len(program.targets)
