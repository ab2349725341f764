"""What a changed request is looked for to have: another outcome, or a part for a target or a rule.

In come a program and what is hoped for; out goes a `Goal`, which finds a cell of a box that has it, or none, and says of
a concrete request whether it has it. The search is `find` in all its uses; the second is the reference alone.
"""

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from policyd.explain.whynot import Subject
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, holds
from policyd.policy.program import Program, Route
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.conflicts import left_of
from policyd.proofs.find import Box, Cell, Found
from policyd.proofs.kinds import outcome_by
from policyd.proofs.reach import Question

__all__ = ["Goal", "other_outcome", "takes_part"]


@dataclass(frozen=True, slots=True)
class Goal:
    """INVARIANT: `cell` finds one in a box exactly where some request of the box `has` it."""

    cell: Callable[[Case, Box], Cell | None]
    has: Callable[[Request], bool]


def other_outcome(program: Program, request: Request) -> Goal:
    """Other candidates, another order or grouping of them, or another status. What rules are called does not matter."""
    decision = evaluate(program, request)
    outcome = outcome_by(program, request, decision)

    def has(other: Request) -> bool:
        return outcome_by(program, other, evaluate(program, other)) != outcome

    if isinstance(decision, Reject):
        status = decision.status
        return Goal(lambda case, box: _first(case, _not_status(case, box, status)), has)
    targets = frozenset(decision.targets)
    return Goal(lambda case, box: _first(case, _not_plan(case, box, targets, outcome)), has)


def takes_part(program: Program, subject: Subject) -> Goal:
    """The target is a candidate, the route decides, the deny or the guard holds."""
    name = subject.name
    match subject.kind:
        case "target":
            forms = [t.name for t in program.targets if t.plain == name]
            return Goal(
                lambda case, box: _first(case, chain.from_iterable(_reaching(case, box, f) for f in forms)),
                lambda request: not set(forms).isdisjoint(_targets(program, request)),
            )
        case "route":
            place = next(i for i, r in enumerate(program.routes) if r.name == name)
            return Goal(
                lambda case, box: _first(case, _deciding(case, box, place, program.routes[place].targets)),
                lambda request: _route(program, request) == name,
            )
        case "deny":
            place = next(i for i, d in enumerate(program.denies) if d.name == name)
            condition = program.denies[place].condition
            return Goal(
                lambda case, box: _first(case, _within(case, box, case.matrix.denies[place])),
                lambda request: holds(program, condition, request),
            )
        case "guard":
            place = next(i for i, g in enumerate(program.guards) if g.name == name and not g.builtin)
            condition = program.guards[place].condition
            return Goal(
                lambda case, box: _first(case, _within(case, box, case.matrix.guards[place])),
                lambda request: holds(program, condition, request),
            )


def _first(case: Case, questions: Iterable[Question]) -> Cell | None:
    """The answer of the first question that has one."""
    for question in questions:
        answer = case.ask(question)
        if isinstance(answer, Found):
            return answer.cell
    return None


def _within(case: Case, box: Box, clauses: int, avoid: int = 0) -> Iterator[Question]:
    return (Question(part, avoid) for part in case.parts(box, clauses))


def _touching(case: Case, box: Box) -> Iterator[int]:
    """The routes that some request of the box could meet, in order."""
    touching = case.finder.touching(box, case.matrix.all_routes)
    return case.reach.side.owners(case.matrix, touching)


def _deciding(
    case: Case, box: Box, place: int, targets: Collection[str], removed: tuple[str, ...] = ()
) -> Iterator[Question]:
    """The route decides with one of these targets allowed and the removed ones not. They are gone through once for each
    part, so they are no iterator."""
    reach = case.reach
    for part in case.parts(box, case.matrix.routes[place]):
        for target in dict.fromkeys(targets):
            yield Question(part, reach.denied, (target,), removed, reach.before(place))


def _reaching(case: Case, box: Box, target: str) -> Iterator[Question]:
    # Where the guards never allow it, no route has to be looked at.
    if not isinstance(case.ask(Question(box, case.reach.denied, (target,))), Found):
        return
    for place in _touching(case, box):
        if target in case.program.routes[place].targets:
            yield from _deciding(case, box, place, (target,))


def _unserved(case: Case, box: Box) -> Question:
    """No deny holds and no route decides."""
    return Question(box, case.reach.denied, past=case.reach.before(len(case.program.routes)))


def _not_status(case: Case, box: Box, status: int) -> Iterator[Question]:
    """Anything but a rejection with this status."""
    program = case.program
    for place in _touching(case, box):
        yield from _deciding(case, box, place, program.routes[place].targets)
    before = 0
    for place, deny in enumerate(program.denies):
        if deny.status == status:
            before |= case.matrix.denies[place]
        else:
            yield from _within(case, box, case.matrix.denies[place], before)
    if program.otherwise.status != status:
        yield _unserved(case, box)


def _not_plan(
    case: Case, box: Box, targets: frozenset[str], outcome: tuple[object, ...]
) -> Iterator[Question]:
    """Anything but a plan with these candidates in this order and grouping."""
    yield from _within(case, box, case.reach.denied)
    for place in _touching(case, box):
        yield from _otherwise_planned(case, box, place, targets, outcome)
    yield _unserved(case, box)


def _otherwise_planned(
    case: Case, box: Box, place: int, targets: frozenset[str], outcome: tuple[object, ...]
) -> Iterator[Question]:
    """The route decides and does not give this plan.

    INVARIANT: it gives the plan exactly where, of its targets, those of the plan are left and no other; and only if what
    it makes of them is the plan."""
    route: Route = case.program.routes[place]
    if not targets <= frozenset(route.targets) or left_of(route, targets) != outcome:
        yield from _deciding(case, box, place, route.targets)
        return
    yield from _deciding(case, box, place, tuple(t for t in route.targets if t not in targets))
    for target in sorted(targets):
        others = tuple(t for t in route.targets if t != target)
        yield from _deciding(case, box, place, others, (target,))


def _targets(program: Program, request: Request) -> tuple[str, ...]:
    decision = evaluate(program, request)
    return decision.targets if isinstance(decision, Plan) else ()


def _route(program: Program, request: Request) -> str | None:
    decision = evaluate(program, request)
    return decision.route if isinstance(decision, Plan) else None
