"""Redundant rules and conditions: what could go without any request being decided otherwise.

A rule is redundant when removing it changes no outcome although it decides or removes something; a part of a condition
(one of several joined by `and`, or by `or`) when the rule without it does the same. A dead rule is reported as such and
not again here. What is redundant may be so on purpose (a guard as a second fence, a route that says what a default would do
anyway), so these are notes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal as Lit
from typing import TypeAlias

from policyd.engine.boxes import TooManyBoxes
from policyd.policy.condition import All, Condition, Const, Either, Not, OneOf, both, negate, tests_of
from policyd.policy.excepted import applies
from policyd.policy.program import Deny, Guard, Route
from policyd.policy.wording import condition_text
from policyd.proofs.case import Case
from policyd.proofs.dead import covering, dead_deny, dead_guard, named
from policyd.proofs.find import Cell, OutOfBudget
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.matters import Region, deny_matters, guard_matters, route_matters
from policyd.text.diagnostic import Label, Severity

__all__ = ["redundant"]

_SHOWN = 50
"""Redundant conditions that get a note each."""

_NEAR = 4
"""Routes whose cells are tried before any search."""

_Matters: TypeAlias = Callable[[Case, int, Region], bool]
_Kind: TypeAlias = Lit["route", "guard", "deny"]


@dataclass(frozen=True, slots=True)
class _Rule:
    kind: _Kind
    index: int
    rule: Route | Guard | Deny
    clauses: int

    @property
    def name(self) -> str:
        return f"{self.kind} `{self.rule.name}`"

    @property
    def matters(self) -> _Matters:
        return {"route": route_matters, "guard": guard_matters, "deny": deny_matters}[self.kind]


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a rule's condition, and where the rule would apply as well without it (a condition), or no longer would
    (an alternative)."""

    what: Condition
    word: Lit["condition", "alternative"]
    region: Condition


def redundant(case: Case) -> tuple[Finding, ...]:
    """One finding per redundant rule, and one per redundant part of a rule that is needed."""
    out: list[Finding] = []
    notes: list[Finding] = []
    for rule in _rules(case):
        try:
            if _is_dead(case, rule):
                continue
            near = _near(case, rule)
            boxes = tuple(case.parts({}, rule.clauses))
            rests = _rests(case, rule)
            if not rule.matters(case, rule.index, Region(boxes, near=near)):
                if not any(guard_matters(case, i, Region(tuple(case.parts({}, c)))) for i, c in rests):
                    out.append(_rule_finding(case, rule))
                continue
            if rests:
                continue
        except OutOfBudget:
            out.append(not_proved(rule.rule.name, f"whether {rule.name} changes anything", rule.rule.span))
            continue
        for part in _parts(case, rule):
            try:
                if not rule.matters(case, rule.index, _region(case, rule, part, near)):
                    notes.append(_part_finding(case, rule, part))
            except (OutOfBudget, TooManyBoxes):
                question = f"whether a part of {rule.name} changes anything"
                out.append(not_proved(rule.rule.name, question, rule.rule.span))
    return (*out, *_first_of(notes))


def _rules(case: Case) -> Iterator[_Rule]:
    for index, route in enumerate(case.program.routes):
        yield _Rule("route", index, route, case.matrix.routes[index])
    for index, deny in enumerate(case.program.denies):
        yield _Rule("deny", index, deny, case.matrix.denies[index])
    for index, guard in enumerate(case.program.guards):
        if guard.hits and not guard.builtin and not guard.after:
            yield _Rule("guard", index, guard, case.matrix.guards[index])


def _rests(case: Case, rule: _Rule) -> tuple[tuple[int, int], ...]:
    """What is left of a guard after redactions, with its clauses. A part of a condition is of them all, so none of it is
    looked at alone."""
    if rule.kind != "guard":
        return ()
    return tuple(
        (i, case.matrix.guards[i])
        for i, g in enumerate(case.program.guards)
        if g.after and g.name == rule.rule.name
    )


def _near(case: Case, rule: _Rule) -> tuple[Cell, ...]:
    """What this route and the next ones are known to decide: what tells them apart is likely to be close by."""
    if rule.kind != "route":
        return ()
    cells = (case.deciding.get(i) for i in range(rule.index, rule.index + _NEAR))
    return tuple(cell for cell in cells if cell is not None)


def _is_dead(case: Case, rule: _Rule) -> bool:
    match rule.rule:
        case Route():
            if rule.index not in case.deciding:
                covering(case, rule.index)
            return case.deciding[rule.index] is None
        case Deny():
            return dead_deny(case, rule.index) is not None
        case Guard() as guard:
            return dead_guard(case, rule.index, guard) is not None


def _parts(case: Case, rule: _Rule) -> Iterator[_Part]:
    """What a person could strike out: one of several parts joined by `and` or by `or`, at the top or one level below.
    A scope that an include brings and an exception of a guard are no such parts."""
    operands = (
        rule.rule.condition.operands if isinstance(rule.rule.condition, All) else (rule.rule.condition,)
    )
    given = _given(case, rule)
    several = len(set(operands) - given) > 1
    for number, operand in enumerate(operands):
        if operand in given:
            continue
        others = _but(operands, number, negated=True)
        if several:
            yield _Part(operand, "condition", both(others, negate(operand)))
        if isinstance(operand, Either):
            for place, one in enumerate(operand.operands):
                rest = _but(operand.operands, place, negated=False)
                yield _Part(one, "alternative", both(others, one, rest))


def _but(operands: tuple[Condition, ...], number: int, *, negated: bool) -> Condition:
    """All operands but one hold (`negated`), or none of them does. What they say of one feature's words is said at once:
    a condition may list thousands, and each of them is asked about."""
    words: dict[str, set[str]] = {}
    rest: list[Condition] = []
    for place, operand in enumerate(operands):
        if place == number:
            continue
        test = operand.operand if negated and isinstance(operand, Not) else operand
        if isinstance(test, OneOf) and negated is isinstance(operand, Not):
            words.setdefault(test.feature, set()).update(test.values)
        else:
            rest.append(operand if negated else negate(operand))
    return both(*(negate(OneOf(f, frozenset(values))) for f, values in words.items()), *rest)


def _given(case: Case, rule: _Rule) -> frozenset[Condition]:
    """The parts of a condition that nobody wrote there."""
    out: set[Condition] = {Const(value=True)}
    for inclusion in case.program.inclusions:
        scope = inclusion.scope
        out.update(scope.operands if isinstance(scope, All) else (scope,))
    if rule.kind == "guard":
        out.update(negate(applies(e)) for e in case.program.exceptions)
    return frozenset(out)


def _region(case: Case, rule: _Rule, part: _Part, near: tuple[Cell, ...]) -> Region:
    return Region(case.boxes(part.region), rule.clauses if part.word == "condition" else 0, near)


def _rule_finding(case: Case, rule: _Rule) -> Finding:
    labels: tuple[Label, ...] = ()
    if rule.kind == "route":
        why = "without it the routes behind it decide its requests alike"
        help_ = "remove it, or change what stands behind it"
        labels = _behind(case, rule.index)
    elif rule.kind == "deny":
        why = "other denies, or `otherwise`, reject its requests alike"
        help_ = "remove it"
    else:
        why = "no plan would have a target that it removes"
        help_ = "keep it if it is a second fence on purpose: `suppress` says so and why; else remove it"
    message = f"{rule.name} changes nothing: {why}"
    return Finding("PD311", Severity.NOTE, rule.rule.name, message, rule.rule.span, help_, labels)


def _behind(case: Case, index: int) -> tuple[Label, ...]:
    """Which route decides, without this one, the request that is remembered of it."""
    cell = case.deciding[index]
    assert cell is not None, "INVARIANT: the route is not dead"
    matched = case.finder.matched(cell)
    behind = case.reach.first_live(matched, ~case.matrix.routes[index])
    span = None if behind is None else case.program.routes[behind].span
    return () if span is None else (Label(span, "decides alike"),)


def _part_finding(case: Case, rule: _Rule, part: _Part) -> Finding:
    text = condition_text(case.program, part.what)
    message = (
        f"{part.word} `{text}` of {rule.name} changes nothing: every request is decided alike without it"
    )
    spans = [t.span for t in tests_of(part.what) if t.span is not None]
    labels = () if rule.rule.span is None else (Label(rule.rule.span, "in this rule"),)
    return Finding(
        "PD312",
        Severity.NOTE,
        rule.rule.name,
        message,
        spans[0] if spans else rule.rule.span,
        "leave it out, or keep it for those who read the policy",
        labels if spans else (),
    )


def _first_of(notes: list[Finding]) -> Iterator[Finding]:
    """The first fifty, and one note for all the others."""
    yield from notes[:_SHOWN]
    if len(notes) > _SHOWN:
        rest = notes[_SHOWN:]
        message = f"{len(rest)} more parts of conditions change nothing, of {named(dict.fromkeys(f.subject for f in rest))}"
        yield Finding("PD312", Severity.NOTE, "conditions", message, rest[0].span)
