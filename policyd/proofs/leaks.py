"""Scope leaks: a rule of a scoped include that acts outside of the scope.

The resolver conjoins an include's scope to every rule of its file, so no policy that was loaded should have one. This
looks at what came out, for every request: a route, guard, deny or raise leaks where its condition holds outside of the
scope, an exception where it undoes its guard there. Tests and assertions change no decision and cannot leak.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from policyd.engine.boxes import Box, TooManyBoxes
from policyd.engine.matrix import Sections
from policyd.policy.condition import Condition, both
from policyd.policy.excepted import applies, without_exception
from policyd.policy.program import Deny, Guard, Inclusion
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
    """A rule of a scoped include and where it acts. `clauses`: the matrix' own boxes of that, where it has them."""

    what: str
    name: str
    acts: Condition
    inclusion: Inclusion
    span: Span | None
    clauses: range | None = None


def scope_leaks(case: Case) -> tuple[Finding, ...]:
    """One error per rule that acts outside the scope of its include."""
    out: list[Finding] = []
    scopes: dict[str, tuple[Box, ...]] = {}
    for rule in scoped_rules(case):
        alias = rule.inclusion.alias
        try:
            if alias not in scopes:
                scopes[alias] = case.boxes(rule.inclusion.scope)
            cell = _outside(case, _boxes(case, rule), scopes[alias])
        except (OutOfBudget, TooManyBoxes):
            question = f"whether {rule.what} acts outside the scope of `{alias}`"
            out.append(not_proved(rule.name, question, rule.span, severity=Severity.ERROR))
            continue
        if cell is not None:
            out.append(_finding(rule, _witness(case, rule, cell)))
    return tuple(out)


def scoped_rules(case: Case) -> Iterator[Scoped]:
    """Every rule that a scoped include brought and that can change a decision."""
    program, matrix = case.program, case.matrix
    by = {i.alias: i for i in program.inclusions}
    if not by:
        return
    for n, route in enumerate(program.routes):
        if route.include in by:
            what = f"route `{route.name}`"
            inclusion = by[route.include]
            yield Scoped(what, route.name, route.condition, inclusion, route.span, matrix.routes.span(n))
    rules: list[tuple[str, Sections, tuple[Guard | Deny, ...]]] = [
        ("guard", matrix.guards, program.guards),
        ("deny", matrix.denies, program.denies),
    ]
    for kind, sections, parts in rules:
        for n, rule in enumerate(parts):
            idle = isinstance(rule, Guard) and not rule.hits
            if _place(rule.name) in by and not idle:
                what = f"{kind} `{rule.name}`"
                inclusion = by[_place(rule.name)]
                yield Scoped(what, rule.name, rule.condition, inclusion, rule.span, sections.span(n))
    for level in program.levels:
        for raise_ in level.raises:
            if raise_.within in by:
                what = f"an `at least` of `{level.name}`"
                yield Scoped(what, level.name, raise_.when, by[raise_.within], raise_.span)
    guards = {g.name: g for g in program.written}
    for exception in program.exceptions:
        excepted = guards.get(exception.guard)
        if _place(exception.name) in by and excepted is not None and excepted.hits:
            acts = both(without_exception(excepted.condition, exception), applies(exception))
            what = f"exception `{exception.name}`"
            yield Scoped(what, exception.name, acts, by[_place(exception.name)], exception.span)


def _place(name: str) -> str:
    """The include that a qualified name comes from, `""` for the root."""
    return name.rpartition(".")[0]


def _boxes(case: Case, rule: Scoped) -> Iterable[Box]:
    return case.boxes(rule.acts) if rule.clauses is None else (case.matrix.boxes[n] for n in rule.clauses)


def _outside(case: Case, acts: Iterable[Box], scope: tuple[Box, ...]) -> Cell | None:
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
