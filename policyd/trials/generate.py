"""Tests for a person to confirm: what the policy says now about requests that no test has looked at.

In come a coverage and its case; out go proposals that together meet every goal that is missed, each with its request, what
the policy decides about it and what it is for. Whether that is what was meant, only a person knows. A threshold gets its two
requests, at it and one past it, even where some other request would have met the goal.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass

from policyd.policy.decision import Decision, Plan
from policyd.policy.program import Expectation, Program, TestCase, Value
from policyd.policy.request import Request
from policyd.proofs.witness import Witness
from policyd.trials.coverage import Coverage, Row, State
from policyd.trials.goals import Edge, Goal, Seen, look, met

__all__ = ["Proposal", "expected", "proposals", "wanted"]


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


def proposals(
    program: Program, coverage: Coverage, wish: Callable[[Goal], bool] = lambda _: True
) -> tuple[Proposal, ...]:
    """As few as simple greed finds, in the order of the goals."""
    missed = [r for r in coverage.of(State.MISSED) if wish(r.goal)]
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


def expected(decision: Decision) -> Expectation:
    """Exactly what was decided, with all guards that removed something."""
    removed = tuple((r.target, frozenset(r.guards)) for r in decision.removed)
    if isinstance(decision, Plan):
        return Expectation(decision.targets, exact=True, via=decision.route, removed=removed)
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
