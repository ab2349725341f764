"""Scope leaks: what a scoped file's rules do stays inside its scope, and where it does not, it is found."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import TRUE, Condition, both
from policyd.policy.digest import digest
from policyd.policy.excepted import excepted
from policyd.policy.program import Classify, Deny, ExceptionClause, Guard, Inclusion, Program, Route
from policyd.proofs.leaks import scope_leaks
from policyd.proofs.prove import prove, stopping
from policyd.resolve.load import load_text
from policyd.text.diagnostic import Severity
from tests.proofs.brute_more import outside
from tests.proofs.drawn import Drawn, case_of, finished, small
from tests.strategies.programs import conditions

ALIASES = ("a", "b", "a.inner")


def _owned(draw: st.DrawFn, program: Program, names: tuple[str, ...]) -> Program:
    """The rules belong to includes at random; each is put into its scope, or not."""
    plain = conditions(names, levels=False, max_leaves=2)
    none: frozenset[str] = frozenset()
    scopes = {alias: draw(plain) for alias in ALIASES}
    inclusions = tuple(Inclusion(a, f"{a}.policy", scopes[a], none, none) for a in ALIASES)
    alias = st.sampled_from((None, *ALIASES))

    def placed(condition: Condition, owner: str | None) -> Condition:
        return condition if owner is None or draw(st.booleans()) else both(scopes[owner], condition)

    def route(r: Route) -> Route:
        owner = draw(alias)
        return replace(r, include=owner, condition=placed(r.condition, owner))

    def guard(g: Guard) -> Guard:
        owner = draw(alias)
        if g.builtin or owner is None:
            return g
        return replace(g, name=f"{owner}.{g.name}", condition=placed(g.condition, owner))

    def deny(d: Deny) -> Deny:
        owner = draw(alias)
        return (
            d if owner is None else replace(d, name=f"{owner}.{d.name}", condition=placed(d.condition, owner))
        )

    def level(c: Classify) -> Classify:
        owners = [draw(alias) for _ in c.raises]
        raises = (replace(r, within=o, when=placed(r.when, o)) for r, o in zip(c.raises, owners, strict=True))
        return replace(c, raises=tuple(raises))

    return replace(
        program,
        inclusions=inclusions,
        routes=tuple(map(route, program.routes)),
        guards=tuple(map(guard, program.guards)),
        denies=tuple(map(deny, program.denies)),
        levels=tuple(map(level, program.levels)),
    )


@given(small(shape=_owned))
def test_rules_that_act_outside_are_found_and_no_others(drawn: Drawn) -> None:
    program, _, every = drawn
    scopes = {i.alias: i.scope for i in program.inclusions}
    rules = [(r.name, r.condition, r.include) for r in program.routes]
    rules += [(g.name, g.condition, g.name.rpartition(".")[0]) for g in program.guards if g.hits]
    rules += [(d.name, d.condition, d.name.rpartition(".")[0]) for d in program.denies]
    rules += [(x.name, r.when, r.within) for x in program.levels for r in x.raises]
    expected = [n for n, acts, a in rules if a in scopes and outside(program, acts, scopes[a], every)]
    found = finished(scope_leaks(case_of(program)))
    assert [f.subject for f in found] == expected
    for finding in found:
        assert finding.witness is not None
        assert any(
            n == finding.subject
            and a in scopes
            and outside(program, acts, scopes[a], [finding.witness.request])
            for n, acts, a in rules
        )


POLICY = """edition 1
level sensitivity { public < internal }
string team from identity unknown reject
classify sensitivity { starts at public  at least internal when opaque }
target rack { location on_prem context 64k speaks chat }
target away { location cloud context 64k speaks chat }
include "own.policy" scope team == "search"
route rest to away, rack
otherwise reject "no"
"""
OWN = """edition 1
guard home forbid target == away when sensitivity >= internal overridable by "team" because "x"
deny nights when hour < 6 because "x"
route mine to rack when hour > 20
classify sensitivity { at least internal when tools }
except late to home when hour > 21 until 2099-01-01 owner "team" because "x"
"""


def _loaded() -> Program:
    loaded = load_text(POLICY, files={"own.policy": OWN})
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


def _without_scope(program: Program, rule: str) -> Program:
    """The program with one rule as it would be, had the resolver forgotten the scope."""
    scope = program.inclusions[0].scope

    def bare(condition: Condition) -> Condition:
        parts = getattr(condition, "operands", (condition,))
        return both(*(p for p in parts if p != scope))

    return replace(
        program,
        routes=tuple(
            replace(r, condition=bare(r.condition)) if r.name == rule else r for r in program.routes
        ),
        guards=tuple(
            replace(g, condition=bare(g.condition)) if g.name == rule else g for g in program.guards
        ),
        denies=tuple(
            replace(d, condition=bare(d.condition)) if d.name == rule else d for d in program.denies
        ),
        levels=tuple(
            replace(x, raises=tuple(replace(r, when=bare(r.when)) for r in x.raises)) if x.name == rule else x
            for x in program.levels
        ),
    )


def test_what_is_loaded_does_not_leak() -> None:
    assert scope_leaks(case_of(_loaded())) == ()


@pytest.mark.parametrize(
    ("rule", "leaking"),
    [
        ("own.mine", ["own.mine"]),
        ("own.home", ["own.home", "own.late"]),
        ("own.nights", ["own.nights"]),
        ("sensitivity", ["sensitivity"]),
    ],
)
def test_a_rule_without_its_scope_leaks_and_is_not_served(rule: str, leaking: list[str]) -> None:
    program = _without_scope(_loaded(), rule)
    found = scope_leaks(case_of(program))
    assert [(f.code, f.subject) for f in found] == [("PD314", name) for name in leaking]
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    served = prove(program, matrix, codes=stopping(program))
    assert {d.code for d in served.refuses_to_serve} == {"PD314"}
    for finding in found:
        assert finding.severity is Severity.ERROR and finding.witness is not None
        assert finding.witness.request.values["team"] != "search"


def test_an_exception_acts_where_its_guard_does() -> None:
    """The condition of an exception carries no scope of its own: its guard's is enough."""
    program = _loaded()
    home = next(g for g in program.guards if g.name == "own.home")
    bare = ExceptionClause("own.any", "own.home", TRUE, 730_000, "team", "x")
    wide = replace(
        program,
        guards=tuple(
            replace(g, condition=excepted(g.condition, [bare])) if g is home else g for g in program.guards
        ),
        exceptions=(*program.exceptions, bare),
    )
    assert scope_leaks(case_of(wide)) == ()


def test_the_place_of_a_raise_is_no_part_of_the_name_of_a_policy() -> None:
    program = _loaded()
    level = program.levels[0]
    assert [r.within for r in level.raises] == [None, "own"]
    raises = tuple(replace(r, within=None) for r in level.raises)
    assert digest(replace(program, levels=(replace(level, raises=raises),))) == digest(program)
