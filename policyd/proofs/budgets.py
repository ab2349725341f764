"""Budgets and limits that never matter: whether they are used up or not, every request is decided alike.

Either no rule asks for `exceeded(NAME)`, or some do and it makes no difference to any outcome (the groups that are left, or
the status of the rejection). Where it does make one, a request that some asking rule decides shows it nearly always, so
that is tried first; that it makes none is a comparison of two programs, the one with the budget exceeded and the one
without.
"""

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain, islice
from typing import Final

from policyd.policy.condition import Condition, features_of
from policyd.policy.program import Budget as Spending
from policyd.policy.program import Feature, Program
from policyd.policy.specialise import specialise
from policyd.proofs.case import Case
from policyd.proofs.changes import is_same
from policyd.proofs.find import Cell, Found, OutOfBudget, bits, meet
from policyd.proofs.findings import Finding, not_proved
from policyd.proofs.gains import tested_at
from policyd.proofs.pairs import Outcome, outcome
from policyd.proofs.reach import Question
from policyd.proofs.together import put_together
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["idle_budgets"]

_TRIED: Final = 8
"""Clauses that ask for a budget and are tried, and other routes that are tried with each."""
_SHOWN: Final = 3


def idle_budgets(case: Case) -> tuple[Finding, ...]:
    """One warning per budget or limit that no decision depends on."""
    out: list[Finding] = []
    by_ledger = {f.where.key: f for f in case.program.features if f.where.kind == "ledger"}
    for budget in case.program.budgets:
        feature = by_ledger.get(budget.name)
        if feature is None or not _read(case.program, feature):
            out.append(_finding(budget, f"no rule asks for `exceeded({budget.name})`", ()))
            continue
        matters = _matters(case, feature)
        if matters is None:
            what = f"{_kind(budget)} `{budget.name}`"
            out.append(not_proved(budget.name, f"whether {what} ever matters", budget.span))
        elif not matters:
            spans = chain.from_iterable(
                tested_at(case.program, c, feature.name) for c in _conditions(case.program)
            )
            why = f"`exceeded({budget.name})` changes no decision"
            out.append(_finding(budget, why, tuple(islice(dict.fromkeys(spans), _SHOWN))))
    return tuple(out)


def _conditions(program: Program) -> Iterator[Condition]:
    for part in (program.guards, program.denies, program.routes):
        yield from (rule.condition for rule in part)


def _read(program: Program, feature: Feature) -> bool:
    levels = (c for x in program.levels for c in (*(s.when for s in x.starts), *(r.when for r in x.raises)))
    return any(feature.name in features_of(c) for c in chain(_conditions(program), levels))


def _matters(case: Case, feature: Feature) -> bool | None:
    """Whether some request is decided otherwise when the feature is the other way round; None where that is not proved."""
    axis = case.matrix.table.of(feature.name)
    if axis is not None and _shown(case, axis):
        return True
    with_, without = (specialise(case.program, feature.name, value) for value in (True, False))
    together = put_together(with_, without, case.finder.budget)
    if isinstance(together, tuple):
        return None
    same = is_same(together)
    return None if same is None else not same


def _shown(case: Case, axis: int) -> bool:
    """Whether one of a few requests is decided otherwise when only this axis is the other way round."""
    asking = tuple(islice(bits(case.matrix.constrained[axis]), _TRIED))
    likely = chain.from_iterable(_likely(case, number) for number in asking)
    questions = chain((_plain(case, number) for number in asking), islice(likely, 4 * _TRIED))
    for question in questions:
        try:
            answer = case.ask(question)
        except OutOfBudget:
            continue
        if isinstance(answer, Found) and _outcome(case, answer.cell) != _outcome(
            case, _turned(answer.cell, axis)
        ):
            return True
    return False


def _plain(case: Case, number: int) -> Question:
    """For a request of the clause that its rule decides, or that its guard leaves to the routes."""
    clause = case.matrix.clauses[number]
    if clause.owner_kind == "route":
        targets, past = case.reach.side.targets[clause.owner], case.reach.before(clause.owner)
        return Question(clause.box, case.reach.denied, past=past, some=targets)
    if clause.owner_kind == "deny":
        return Question(clause.box, case.reach.side.denied_before(clause.owner))
    return Question(clause.box, case.reach.denied)


def _likely(case: Case, number: int) -> Iterator[Question]:
    """For requests that something else decides when the clause does not hold: another route behind its route, or a route
    that leads to what only its guard removes."""
    matrix, side, clause = case.matrix, case.reach.side, case.matrix.clauses[number]
    if clause.owner_kind == "deny":
        return
    if clause.owner_kind == "route":
        base = _plain(case, number)
        behind = case.finder.touching(clause.box, matrix.all_routes & ((1 << number) - 1))
        for other in islice(bits(behind), _TRIED):
            yield replace(base, box=meet(clause.box, matrix.boxes[other]) or clause.box)
        return
    led = case.finder.touching(clause.box, matrix.all_routes)
    for other in islice(bits(led), _TRIED):
        route = matrix.clauses[other].owner
        box = meet(clause.box, matrix.boxes[other]) or clause.box
        for target in sorted(case.program.guards[clause.owner].hits.intersection(side.targets[route])):
            avoid = case.reach.denied | side.guards_on[target] & ~(1 << number)
            yield Question(box, avoid, past=case.reach.before(route))


def _turned(cell: Cell, axis: int) -> Cell:
    return tuple(1 - atom if number == axis else atom for number, atom in enumerate(cell))


def _outcome(case: Case, cell: Cell) -> Outcome:
    return outcome(case.matrix, case.reach.side, case.finder.matched(cell))[1]


def _kind(budget: Spending) -> str:
    return "budget" if budget.unit == "money" else "limit"


def _finding(budget: Spending, why: str, spans: tuple[Span, ...]) -> Finding:
    return Finding(
        "PD315",
        Severity.WARNING,
        budget.name,
        f"{_kind(budget)} `{budget.name}` never matters: {why}",
        budget.span,
        f"say what happens when it is used up, as in `deny … when exceeded({budget.name}) status 429 …`, or remove it",
        tuple(Label(span, "asked for here") for span in spans),
    )
