"""Tests for a person to confirm: what the policy says now about requests that no test has looked at.

In come a coverage and its case; out go proposals that together meet every goal that is missed, each with its request, what
the policy decides about it and what it is for. Whether that is what was meant, only a person knows. A threshold gets its two
requests, at it and one past it, even where some other request would have met the goal.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from policyd.policy.decision import Decision, Plan
from policyd.policy.program import Expectation, Program, Redaction, TestCase, Value
from policyd.policy.request import Request
from policyd.policy.variants import plain_decision, taken_out
from policyd.proofs.case import Case
from policyd.proofs.witness import Witness
from policyd.trials.asking import Until, never
from policyd.trials.coverage import Row, State, bare_edges, coverage_of
from policyd.trials.goals import Edge, Goal, Seen, goals_of, look, met

__all__ = ["EDGES", "Proposal", "expected", "missing", "proposals", "wanted"]

EDGES: Final = "edges"
"""The word for thresholds that no test stands at, next to the kinds of goals."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A test that passes now. `purposes` says in words what it is for, the first being its reason."""

    name: str
    given: tuple[tuple[str, Value | None], ...]
    expect: Expectation
    purposes: tuple[str, ...]

    @property
    def case(self) -> TestCase:
        return TestCase(self.name, self.given, self.expect)


def proposals(program: Program, rows: Iterable[Row]) -> tuple[Proposal, ...]:
    """As few as simple greed finds for the goals that these rows say are missed, in the order of the goals."""
    order = {g.text: i for i, g in enumerate(goals_of(program))}
    found = {(r.goal, r.goal.span): r for r in rows if r.state is State.MISSED}
    missed = sorted(found.values(), key=lambda r: order[r.goal.text])
    chosen: dict[int, tuple[Witness, list[int]]] = {}
    seen: list[tuple[int, Seen]] = []
    # Tests of conditions come first: their requests stand at thresholds and meet what the rules as a whole ask for.
    for number in sorted(range(len(missed)), key=lambda i: missed[i].goal.kind != "conditions"):
        row = missed[number]
        assert row.witness is not None, "INVARIANT: a goal that is missed has a request that meets it"
        by = next((n for n, s in seen if _serves(program, row, s)), None)
        if by is not None:
            chosen[by][1].append(number)
            continue
        chosen[number] = (row.witness, [number])
        seen.append((number, look(program, row.witness.request)))
    taken = {t.name for t in program.tests}
    return tuple(_proposal(missed, *chosen[number], taken) for number in sorted(chosen))


def wanted(words: Collection[str]) -> Callable[[Goal], bool]:
    """Goals of these kinds, or about rules of these names; all of them without words."""
    return lambda goal: not words or goal.kind in words or goal.rule in words


def missing(case: Case, words: Collection[str] = (), *, until: Until = never) -> tuple[Row, ...]:
    """What tests are missing for: goals that no test meets, and thresholds that none stands at; only what the words ask
    for, of which `edges` is one. Questions that outgrew their budget, or that `until` left no time for, are rows as well."""
    wish = wanted([w for w in words if w != EDGES])
    rows: list[Row] = []
    if list(words) != [EDGES]:
        found = coverage_of(case, until=until).of(State.MISSED, State.NOT_PROVED)
        rows = [r for r in found if wish(r.goal)]
    return (*rows, *(r for r in bare_edges(case, until=until) if EDGES in words or wish(r.goal)))


def expected(decision: Decision) -> Expectation:
    """Exactly what was decided, with what is taken out and all guards that removed something."""
    taken = taken_out(decision.targets) if isinstance(decision, Plan) else ()
    decision = plain_decision(decision)
    removed = tuple((r.target, frozenset(r.guards)) for r in decision.removed)
    if isinstance(decision, Plan):
        redaction = Redaction(taken) if taken else None
        return Expectation(decision.targets, True, decision.route, removed=removed, redaction=redaction)
    return Expectation(None, by=decision.by, status=decision.status, removed=removed)


def _serves(program: Program, row: Row, seen: Seen) -> bool:
    """Whether the request meets the goal, and stands at its threshold if the goal's own request does."""
    assert row.witness is not None
    edge = row.goal.edge
    if isinstance(edge, Edge) and _at(row.witness.request, edge) and not _at(seen.request, edge):
        return False
    return met(program, row.goal, seen)


def _at(request: Request, edge: Edge) -> bool:
    return request.values[edge.feature] == edge.value


def _proposal(missed: Sequence[Row], witness: Witness, numbers: list[int], taken: set[str]) -> Proposal:
    purposes = tuple(missed[n].goal.text for n in numbers)
    name = next(n for n in _names(purposes[0]) if n not in taken)
    taken.add(name)
    return Proposal(name, witness.given, expected(witness.decision), purposes)


def _names(purpose: str) -> Iterator[str]:
    plain = purpose.replace("`", "").replace('"', "'")
    yield plain
    number = 2
    while True:
        yield f"{plain} ({number})"
        number += 1
