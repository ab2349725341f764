"""A request that would meet a goal, or the proof that there is none.

In come a case and a goal; out goes the smallest request that a search over all requests finds and the reference confirms,
or None: no request meets the goal. At a threshold the request stands exactly at it, or one past it, where such a request
meets the goal at all. What a request must bring and the goal does not care about is taken from the tests that the policy
has, so that a person recognises it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TypeAlias

from policyd.engine.boxes import Box, TooManyBoxes
from policyd.engine.cells import cell_of, matched
from policyd.policy.builtins import DATES, WEEKDAYS
from policyd.policy.condition import both
from policyd.policy.evaluate import evaluate, holds
from policyd.policy.possible import agree
from policyd.policy.program import EnumDomain, Program, Value
from policyd.policy.quiet import quiet_request, quiet_value
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import Found, OutOfBudget, meet
from policyd.proofs.reach import Question
from policyd.proofs.witness import Claim, Disagreement, Witness
from policyd.trials.arrival import arrives, is_served
from policyd.trials.goals import Edge, Goal, at_readers, look, met

__all__ = ["Until", "ask", "familiar", "never"]

Until: TypeAlias = Callable[[], bool]
"""Whether it is too late to ask anything more."""

_FOLLOWING = ("tokens", "max_output", "date", "weekday")
"""What follows from `context_needed`, from `weekday` or from `date` where it is left out."""


def never() -> bool:
    """For whoever has time."""
    return False


@dataclass(frozen=True, slots=True)
class _Wish:
    """A goal, and of the requests that meet it: those at its edge, those that a route serves."""

    goal: Goal
    edge: bool = False
    served: bool = False


@dataclass(frozen=True, slots=True)
class _Attempt:
    """A wish, the boxes to look in, and what a request found there has to be."""

    goal: Goal
    boxes: Sequence[Box]
    claim: Claim
    served: bool


def ask(case: Case, goal: Goal, until: Until = never) -> Witness | None:
    """Raises `OutOfBudget` where neither is found out, or where `until` says that it is late before that."""
    for wish in _wishes(case.program, goal):
        try:
            witness = _found(case, _attempt(case, wish), until)
        except (OutOfBudget, TooManyBoxes):
            continue
        if witness is not None:
            claim = _claim(case, wish.goal, served=wish.served)
            there = _exactly(case.program, wish.goal, witness, claim)
            return _confirmed(case, goal, familiar(case.program, there, _staying(goal, there, claim)))
    try:
        witness = _found(case, _attempt(case, _Wish(goal)), until)
    except TooManyBoxes:
        raise OutOfBudget from None
    return (
        None
        if witness is None
        else _confirmed(case, goal, familiar(case.program, witness, _claim(case, goal)))
    )


def _staying(goal: Goal, witness: Witness, claim: Claim) -> Claim:
    """The claim, and nobody moves off the edge again."""
    if not isinstance(goal.edge, Edge):
        return claim
    feature = goal.edge.feature
    at = witness.request.values[feature]
    return lambda request: request.values[feature] == at and claim(request)


def _confirmed(case: Case, goal: Goal, witness: Witness) -> Witness:
    if not met(case.program, goal, look(case.program, witness.request)):
        raise Disagreement(f"{goal.text}: the reference does not confirm {witness.request.values!r}")
    return witness


def _wishes(program: Program, goal: Goal) -> Iterator[_Wish]:
    """Better requests than any that meets the goal, the best first: they stand at its edge, a rule turns with the level
    that the goal is about, and a route serves them."""
    goals = (*at_readers(program, goal), goal)
    for edge in (True, False) if goal.edge is not None else (False,):
        for g in goals:
            yield from (
                _Wish(g, edge, served) for served in (True, False) if g.stage == "guard" or not served
            )


def _attempt(case: Case, wish: _Wish) -> _Attempt:
    goal = wish.goal
    claim = _claim(case, goal, served=wish.served)
    match goal.edge if wish.edge else None:
        case None:
            return _Attempt(goal, case.boxes(goal.where), claim, wish.served)
        case Edge() as edge:
            atoms = _atoms(case, edge)
            near = (
                meet(box, {at: 1 << atom for at, atom in atoms.items()}) for box in case.boxes(goal.where)
            )
            boxes = tuple(box for box in near if box is not None) if atoms else ()
            axes = case.matrix.axes

            def there(request: Request) -> bool:
                return all(axes[at].atom_of(request.values[axes[at].feature]) == a for at, a in atoms.items())

            return _Attempt(goal, boxes, lambda r: there(r) and claim(r), wish.served)
        case condition:
            closer = replace(goal, where=both(goal.where, condition))
            closer_claim = _claim(case, closer, served=wish.served)
            return _Attempt(closer, case.boxes(closer.where), closer_claim, wish.served)


def _atoms(case: Case, edge: Edge) -> dict[int, int]:
    """The axis and the atom that the edge's value is in, and what follows from the value; empty where nothing tests it."""
    values: dict[str, Value] = {edge.feature: edge.value}
    if edge.feature == "date":
        values["weekday"] = WEEKDAYS[date.fromordinal(int(edge.value)).weekday()]
    places = {
        at: case.matrix.axes[at].atom_of(v)
        for f, v in values.items()
        if (at := case.matrix.table.of(f)) is not None
    }
    return places if case.matrix.table.of(edge.feature) is not None else {}


def _found(case: Case, attempt: _Attempt, until: Until) -> Witness | None:
    for question in _questions(case, attempt):
        if until():
            raise OutOfBudget
        answer = case.ask(question)
        if isinstance(answer, Found):
            return case.witness(answer.cell, attempt.claim)
    return None


def _claim(case: Case, goal: Goal, *, served: bool = False) -> Claim:
    """The goal as the matrix sees it; the reference has the last word."""

    def claim(request: Request) -> bool:
        if not holds(case.program, goal.where, request):
            return False
        mask = matched(case.matrix, cell_of(case.matrix, request))
        return arrives(case, goal, mask) and (not served or is_served(case, mask))

    return claim


def _questions(case: Case, attempt: _Attempt) -> Iterator[Question]:
    """Questions of which one has an answer exactly where a request in the boxes gets to the goal's stage."""
    reach, matrix, goal, boxes = case.reach, case.matrix, attempt.goal, attempt.boxes
    match goal.stage:
        case "anywhere":
            yield from (Question(box, reach.denied) for box in boxes)
            yield from (Question(box) for box in boxes)
        case "deny":
            before = 0
            for mask in matrix.denies[: goal.index]:
                before |= mask
            yield from (Question(box, before) for box in boxes)
        case "route":
            past = reach.before(goal.index)
            for target in case.program.routes[goal.index].targets:
                yield from (Question(box, reach.denied, (target,), past=past) for box in boxes)
        case "guard":
            yield from _tried(case, goal, boxes, served=attempt.served)
        case "otherwise":
            past = reach.before(len(case.program.routes))
            yield from (Question(box, reach.denied, past=past) for box in boxes)


def _tried(case: Case, goal: Goal, boxes: Sequence[Box], *, served: bool) -> Iterator[Question]:
    """A route that leads to a target of the guard is tried; with `served`, it also has a target left and decides."""
    hits = case.program.guards[goal.index].hits
    boxes = [box for box in boxes if isinstance(case.ask(Question(box, case.reach.denied)), Found)]
    for index, route in enumerate(case.program.routes):
        if hits.isdisjoint(route.targets):
            continue
        past = case.reach.before(index)
        left: tuple[tuple[str, ...], ...] = tuple((t,) for t in route.targets) if served else ((),)
        for box in boxes:
            for part in case.parts(box, case.matrix.routes[index]):
                yield from (Question(part, case.reach.denied, allowed, past=past) for allowed in left)


def _exactly(program: Program, goal: Goal, witness: Witness, claim: Claim) -> Witness:
    """The witness moved right to the threshold, which lies in the same atom; as it is where nothing like that exists."""
    if not isinstance(goal.edge, Edge):
        return witness
    for trial in _moved(dict(witness.given), goal.edge):
        request = _possible(program, trial)
        if request is not None and claim(request):
            return _witness(program, trial, request)
    return witness


def _moved(given: dict[str, Value | None], edge: Edge) -> Iterator[dict[str, Value | None]]:
    """The given values with the edge's, and without what would contradict it."""
    moved = {**given, edge.feature: edge.value}
    yield moved
    yield {n: v for n, v in moved.items() if n == edge.feature or n not in _FOLLOWING}
    day = given.get("date")
    if edge.feature == "weekday" and isinstance(day, int):
        near = sorted(
            range(max(day - 6, DATES.low), min(day + 6, DATES.high) + 1), key=lambda d: abs(d - day)
        )
        others = {n: v for n, v in given.items() if n != "weekday"}
        yield from (
            {**others, "date": d} for d in near if WEEKDAYS[date.fromordinal(d).weekday()] == edge.value
        )


def familiar(program: Program, witness: Witness, claim: Claim) -> Witness:
    """The witness with values that the policy's tests use for what has to be given, and with labels as low as they can
    be, as far as the claim still holds."""
    given = dict(witness.given)
    for name, old in witness.given:
        for value in _better(program, name, old):
            trial = {**given, name: value}
            request = _possible(program, trial)
            if request is not None and claim(request):
                given, witness = trial, _witness(program, trial, request)
                break
    return witness


def _better(program: Program, name: str, value: Value | None) -> tuple[Value, ...]:
    """Values to prefer to this one, the best first."""
    feature = program.feature(name)
    if (
        feature.where.kind in {"label", "conversation"}
        and isinstance(feature.domain, EnumDomain)
        and isinstance(value, str)
    ):
        return feature.domain.values[: feature.domain.values.index(value)]
    return _used(program, name) if quiet_value(feature) is None else ()


def _used(program: Program, name: str) -> tuple[Value, ...]:
    """Values that tests give, the most frequent first."""
    counts: dict[Value, int] = {}
    for case in program.tests:
        for given, value in case.given:
            if given == name and value is not None:
                counts[value] = counts.get(value, 0) + 1
    return tuple(sorted(counts, key=lambda v: -counts[v]))[:8]


def _possible(program: Program, given: Mapping[str, Value | None]) -> Request | None:
    request = quiet_request(program, given)
    return request if isinstance(request, Request) and agree(request.values) else None


def _witness(program: Program, given: Mapping[str, Value | None], request: Request) -> Witness:
    ordered = tuple((f.name, given[f.name]) for f in program.features if f.name in given)
    return Witness(ordered, request, evaluate(program, request))
