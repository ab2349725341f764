"""Scope leaks: a rule of a scoped include that acts outside of the scope.

The resolver conjoins an include's scope to every rule of its file, so no policy that was loaded should have one. This
looks at what came out, for every request: a route, guard, deny or raise leaks where its condition holds outside of the
scope, an exception where it undoes its guard there. Tests and assertions change no decision and cannot leak.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from policyd.engine.boxes import Box, TooManyBoxes
from policyd.policy.condition import Condition, both
from policyd.policy.excepted import applies, without_exception
from policyd.policy.program import Inclusion, Program
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Cell, Found, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["Scoped", "scope_leaks", "scoped_rules"]


@dataclass(frozen=True, slots=True)
class Scoped:
    """A rule of a scoped include and where it acts."""

    what: str
    name: str
    acts: Condition
    inclusion: Inclusion
    span: Span | None


def scope_leaks(case: Case) -> tuple[Finding, ...]:
    """One error per rule that acts outside the scope of its include."""
    out: list[Finding] = []
    scopes: dict[str, tuple[Box, ...]] = {}
    for rule in scoped_rules(case.program):
        alias = rule.inclusion.alias
        try:
            if alias not in scopes:
                scopes[alias] = case.boxes(rule.inclusion.scope)
            cell = _outside(case, case.boxes(rule.acts), scopes[alias])
        except (OutOfBudget, TooManyBoxes):
            question = f"whether {rule.what} acts outside the scope of `{alias}`"
            out.append(not_proved(rule.name, question, rule.span, severity=Severity.ERROR))
            continue
        if cell is not None:
            out.append(_finding(rule, _witness(case, rule, cell)))
    return tuple(out)


def scoped_rules(program: Program) -> Iterator[Scoped]:
    """Every rule that a scoped include brought and that can change a decision."""
    if not program.inclusions:
        return
    by = {i.alias: i for i in program.inclusions}
    for route in program.routes:
        if route.include in by:
            what = f"route `{route.name}`"
            yield Scoped(what, route.name, route.condition, by[route.include], route.span)
    for guard in program.guards:
        if _place(guard.name) in by and guard.hits:
            what = f"guard `{guard.name}`"
            yield Scoped(what, guard.name, guard.condition, by[_place(guard.name)], guard.span)
    for deny in program.denies:
        if _place(deny.name) in by:
            yield Scoped(f"deny `{deny.name}`", deny.name, deny.condition, by[_place(deny.name)], deny.span)
    for level in program.levels:
        for raise_ in level.raises:
            if raise_.within in by:
                what = f"an `at least` of `{level.name}`"
                yield Scoped(what, level.name, raise_.when, by[raise_.within], raise_.span)
    guards = {g.name: g for g in program.guards if not g.builtin}
    for exception in program.exceptions:
        excepted = guards.get(exception.guard)
        if _place(exception.name) in by and excepted is not None and excepted.hits:
            acts = both(without_exception(excepted.condition, exception), applies(exception))
            what = f"exception `{exception.name}`"
            yield Scoped(what, exception.name, acts, by[_place(exception.name)], exception.span)


def _place(name: str) -> str:
    """The include that a qualified name comes from, `""` for the root."""
    return name.rpartition(".")[0]


def _outside(case: Case, acts: tuple[Box, ...], scope: tuple[Box, ...]) -> Cell | None:
    for box in acts:
        if any(_within(case, box, part) for part in scope):
            continue
        case.finder.start()
        answer = case.finder.find(box, case.matrix.relations, scope)
        if isinstance(answer, Found):
            return answer.cell
    return None


def _within(case: Case, inner: Box, outer: Box) -> bool:
    """The one box lies in the other: what every rule of a scoped file has, and cheap to see."""
    return all(not inner.get(axis, case.matrix.axes[axis].full) & ~mask for axis, mask in outer.items())


def _witness(case: Case, rule: Scoped, cell: Cell) -> Witness:
    def claim(request: Request) -> bool:
        return case.holds(rule.acts, request) and not case.holds(rule.inclusion.scope, request)

    return case.witness(cell, claim)


def _finding(rule: Scoped, witness: Witness) -> Finding:
    span = rule.inclusion.span
    return Finding(
        "PD314",
        Severity.ERROR,
        rule.name,
        f"{rule.what} acts outside the scope of its include `{rule.inclusion.alias}`",
        rule.span or span,
        "policyd itself puts the scope around every rule of the file, so this is its mistake: report the policy",
        () if span is None else (Label(span, "its scope is stated here"),),
        witness,
    )
