"""Pairs of random policies: a policy and one that was edited, or two that have little in common."""

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from policyd.policy.program import Program
from tests.strategies.programs import READABLE, SMALL, conditions, programs

__all__ = ["edited_pairs", "names_of_pair"]

_PARTS = ("guards", "denies", "routes")


@st.composite
def names_of_pair(draw: st.DrawFn) -> tuple[str, ...]:
    """Few features, so that all requests can be listed: some that stand alone, or two of any kind."""
    small = st.lists(st.sampled_from(SMALL), min_size=1, max_size=3, unique=True)
    return tuple(draw(small | st.lists(st.sampled_from(READABLE), min_size=1, max_size=2, unique=True)))


@st.composite
def edited_pairs(draw: st.DrawFn, names: Sequence[str]) -> tuple[Program, Program]:
    """An old and a new policy over the same features."""
    old = draw(programs(names, max_routes=4, max_guards=3))
    if draw(st.integers(0, 3)) == 0:
        return old, draw(programs(names, max_routes=4, max_guards=3))
    new = old
    for _ in range(draw(st.integers(1, 3))):
        new = draw(_edited(new, names))
    return old, new


@st.composite
def _edited(draw: st.DrawFn, program: Program, names: Sequence[str]) -> Program:
    """One edit of the kind a person makes: a rule gone, another condition, another order, other words, another level."""
    part = draw(st.sampled_from(_PARTS))
    rules = list(getattr(program, part))
    what = draw(st.sampled_from(["drop", "condition", "swap", "words", "level", "status", "hits"]))
    if what == "level":
        other = draw(programs(names, max_routes=0, max_guards=0, max_denies=0))
        return replace(program, levels=other.levels)
    if what == "status":
        return replace(
            program, otherwise=replace(program.otherwise, status=draw(st.sampled_from([403, 429])))
        )
    if not rules:
        return program
    at = draw(st.integers(0, len(rules) - 1))
    if what == "drop":
        del rules[at]
    elif what == "condition":
        rules[at] = replace(rules[at], condition=draw(conditions(names)))
    elif what == "swap":
        to = draw(st.integers(0, len(rules) - 1))
        rules[at], rules[to] = rules[to], rules[at]
    elif what == "words":
        rules[at] = replace(rules[at], name=f"{rules[at].name}_renamed")
    elif part == "guards":
        hits = draw(st.sets(st.sampled_from([t.name for t in program.targets]), max_size=3))
        rules[at] = replace(rules[at], hits=frozenset(hits))
    return replace(program, **{part: tuple(rules)})
