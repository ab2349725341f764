"""Goals and planted mistakes are said as what they are: whatever is printed is read again and compared."""

import re
from datetime import date
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.policy.condition import Condition
from policyd.policy.evaluate import holds
from policyd.policy.program import Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.resolve.load import load_text
from policyd.trials.altered import altered
from policyd.trials.asking import ask
from policyd.trials.coverage import coverage_of
from policyd.trials.goals import goals_of
from policyd.trials.mutants import mutants_of
from tests.trials.drawn import case_of

WORDS = ("a", "b", "c", "d")
SCALES: dict[str, tuple[str, ...]] = {
    "risk": tuple(map(str, range(6))),
    "sens": WORDS,
    "claim": WORDS,
    "cost": WORDS,
    "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
    "date": tuple(f"2026-12-{d}" for d in range(24, 29)),
}
GOAL = re.compile(r".*: `([^`]*)`(?: of `[^`]*`)? (holds|does not hold)(?:, number .*)?")
BECAME = re.compile(r"`([^`]*)` became `([^`]*)`")


def policy(condition: str, let: str = "") -> Program:
    text = (
        "edition 1\nlevel sens { a < b < c < d }\n"
        'level claim { a < b < c < d } from header "x-claim" unknown a\n'
        'enum cost { a, b, c, d } from header "x-cost" unknown a\n'
        'int risk 0..5 from header "x-risk" unknown 0\n'
        'classify sens { starts at a at least header "x-l" }\n'
        "target t { location on_prem context 1M speaks chat }\n"
        f'{let}route r to t when {condition}\notherwise reject "no"\n'
    )
    loaded = load_text(text)
    assert loaded.program is not None, (condition, loaded.diagnostics)
    return loaded.program


@st.composite
def atoms(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(SCALES)))
    values = SCALES[name]
    one = st.sampled_from(values)
    form = draw(st.sampled_from(("compare", "set", "range"))) if name != "cost" else "set"
    negated = draw(st.sampled_from(("", "not ")))
    if form == "compare":
        return f"{name} {draw(st.sampled_from(('==', '!=', '<', '<=', '>', '>=')))} {draw(one)}"
    if form == "range":
        low, high = sorted(draw(st.tuples(st.integers(0, len(values) - 1), st.integers(0, len(values) - 1))))
        return f"{name} {negated}in {values[low]}..{values[high]}"
    some = draw(st.lists(one, min_size=1, max_size=3, unique=True))
    return f"{name} {negated}in {{ {', '.join(some)} }}"


conditions = st.recursive(
    atoms(),
    lambda inner: st.one_of(
        inner.map(lambda c: f"not ({c})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}) and ({p[1]})"),
        st.tuples(inner, inner).map(lambda p: f"({p[0]}) or ({p[1]})"),
    ),
    max_leaves=3,
)


def is_constant(program: Program) -> bool:
    return not any(g.kind == "conditions" for g in goals_of(program))


def truths(program: Program, condition: Condition) -> tuple[bool, ...]:
    """What it says of every value of every scale, the others quiet."""
    places = {"sens": "header:x-l"}
    out: list[bool] = []
    for name, words in SCALES.items():
        feature = places.get(name, name)
        first = date(2026, 12, 20).toordinal()
        values = range(first, first + 12) if name == "date" else map(int, words) if name == "risk" else words
        for value in values:
            request = quiet_request(program, {feature: value})
            assert isinstance(request, Request)
            out.append(holds(program, condition, request))
    return tuple(out)


@settings(max_examples=80)
@given(conditions)
def test_the_side_that_a_goal_names_is_true_of_its_request(condition: str) -> None:
    program = policy(condition)
    goals = goals_of(program)
    assert len({g.text for g in goals}) == len(goals)
    case = case_of(program)
    for goal in goals:
        found = GOAL.fullmatch(goal.text)
        assert (found is not None) == (goal.kind == "conditions"), goal.text
        witness = ask(case, goal)
        if found is None or witness is None:
            continue
        said = policy(found[1]).routes[0].condition
        assert holds(program, said, witness.request) == (found[2] == "holds"), (goal.text, witness.given)


@settings(max_examples=200)
@given(atoms(), st.booleans())
def test_a_mistake_is_what_its_words_say(test: str, negated: bool) -> None:
    program = policy(f"not ({test})" if negated else test)
    own = program.routes[0].condition
    for change in altered(program, own):
        found = BECAME.fullmatch(change.said)
        if found is None:
            assert change.said.endswith("was dropped") or " was dropped from " in change.said
            continue
        assert found[1] != found[2], change.said
        was, now = (truths(program, policy(text).routes[0].condition) for text in found.groups())
        before, after = truths(program, own), truths(program, change.condition)
        turned = was != before
        assert was == (tuple(not x for x in before) if turned else before), change.said
        assert now == (tuple(not x for x in after) if turned else after), change.said


def test_a_whole_test_is_dropped_or_an_end_of_it_moved() -> None:
    program = policy("sens == c and risk != 3")
    said = {x.said for x in altered(program, program.routes[0].condition)}
    assert said == {
        "`sens == c` was dropped",
        "`sens == c` became `sens != c`",
        "`sens == c` became `sens >= b and sens < d`",
        "`sens == c` became `sens >= c`",
        "`sens == c` became `sens < d`",
        "`risk != 3` was dropped",
        "`risk != 3` became `risk == 3`",
        "`risk != 3` became `not (risk in 2..3)`",
        "`risk != 3` became `not (risk in 3..4)`",
    }


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("weekday != fri", ["`weekday != fri`"]),
        ("not (weekday != fri)", ["`weekday != fri`"]),
        ("risk != 3", ["`risk <= 2` of `risk != 3`", "`risk >= 4` of `risk != 3`"]),
        ("sens == b", ["`sens >= b` of `sens == b`", "`sens < c` of `sens == b`"]),
        ("sens < c", ["`sens < c`"]),
        ("sens == d", ["`sens == d`"]),
    ],
)
def test_a_goal_names_the_threshold_it_is_about(condition: str, expected: list[str]) -> None:
    texts = [g.text for g in goals_of(policy(condition)) if g.kind == "conditions"]
    sides = chain.from_iterable((f"route `r`: {e} holds", f"route `r`: {e} does not hold") for e in expected)
    assert texts == list(sides)


def test_parts_of_an_exception_are_the_exceptions() -> None:
    text = (
        "edition 1\nstring team from identity unknown reject\n"
        "target t { location on_prem context 1k speaks chat }\ntarget u { location cloud context 1k speaks chat }\n"
        'guard home only location == on_prem when hour > 8 overridable by "ciso" because "x"\n'
        'except pilot to home when team == "lab" until 2030-01-01 owner "ciso" because "a pilot"\n'
        'route all to u, t\notherwise reject "no"\n'
    )
    program = load_text(text).program
    assert program is not None
    about = [r.goal for r in coverage_of(case_of(program)).rows if "date <= 2030-01-01" in r.goal.text]
    assert {g.rule for g in about} == {"pilot"}
    assert about[0].text == "exception `pilot` to guard `home`: `date <= 2030-01-01` holds"
    said = [m.said for m in mutants_of(program)]
    assert '`team == "lab"` was dropped in exception `pilot` to guard `home`' in said
    assert "`hour > 8` was dropped in guard `home`" in said


@pytest.mark.parametrize("condition", ["late and late", "late and not late", "late or (risk > 2 and late)"])
def test_a_let_that_is_used_twice_is_two_tests(condition: str) -> None:
    program = policy(condition, "let late = sens == c\n")
    own = program.routes[0].condition
    for change in altered(program, own):
        found = BECAME.fullmatch(change.said)
        assert found is None or found[1] != found[2], change.said
    goals = [
        g.text
        for g in goals_of(program)
        if "`sens >= c` of `sens == c` holds" in g.text or "sens >= c` holds" in g.text
    ]
    assert len(set(goals)) == len(goals) == 2
