"""Which goals the tests of a policy meet, which they miss, and which no test could meet.

In come a program, its compiled matrix as a case, and its tests; out goes a `Coverage` with every goal as one row. A goal
is left out of the count only where a search over all requests has proved that none meets it; a search that outgrew its
budget counts as a goal that is missed. Tests that fail show nothing and do not count. Rows of tables are tests.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from policyd.policy.program import Program, TestCase
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.find import OutOfBudget
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.asking import Until, ask, never
from policyd.trials.goals import KINDS, Edge, Goal, Kind, Seen, goals_of, look, met
from policyd.trials.run import run_tests

__all__ = ["Coverage", "Row", "State", "bare_edges", "below_minimum", "coverage_of", "seen_by_tests"]


class State(StrEnum):
    COVERED = "covered"
    MISSED = "missed"
    IMPOSSIBLE = "impossible"
    """proved: no request meets the goal"""
    NOT_PROVED = "not proved"
    """missed by the tests, and whether any request meets it is not proved"""


@dataclass(frozen=True, slots=True)
class Row:
    """One goal. `witness` would meet it, where it is missed; `test` is the first test that does, where it is covered.
    `asked`: whether a search was begun, where neither is known; the time was up before, otherwise."""

    goal: Goal
    state: State
    witness: Witness | None = None
    test: str | None = None
    asked: bool = True


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every goal of a policy, in written order."""

    rows: tuple[Row, ...]

    def of(self, *states: State, kind: Kind | None = None) -> tuple[Row, ...]:
        return tuple(r for r in self.rows if r.state in states and kind in {None, r.goal.kind})

    def counts(self, kind: Kind | None = None) -> tuple[int, int]:
        """Goals that are covered, and goals that a test could cover."""
        covered = len(self.of(State.COVERED, kind=kind))
        return covered, covered + len(self.of(State.MISSED, State.NOT_PROVED, kind=kind))

    @property
    def kinds(self) -> Iterator[Kind]:
        """Those that the policy has anything of, in their order."""
        present = {r.goal.kind for r in self.rows if r.state is not State.IMPOSSIBLE}
        return (k for k in KINDS if k in present)

    def reaches(self, minimum: int) -> bool:
        """Whether at least so many of a hundred goals are covered; rounding helps nobody."""
        covered, feasible = self.counts()
        return covered * 100 >= minimum * feasible

    @property
    def percent(self) -> str:
        """In whole percent, rounded down: `100 %` means all."""
        covered, feasible = self.counts()
        return f"{covered * 100 // feasible if feasible else 100} %"


def coverage_of(case: Case, tests: Sequence[TestCase] | None = None, *, until: Until = never) -> Coverage:
    """Of the case's own tests, or of these instead. No question is asked once `until` says that it is late; what a test
    covers is known without."""
    shown = tuple(seen_by_tests(case.program, case.program.tests if tests is None else tests))
    return Coverage(tuple(_row(case, goal, shown, until) for goal in goals_of(case.program)))


def seen_by_tests(program: Program, tests: Iterable[TestCase]) -> Iterator[tuple[str, Seen]]:
    """The requests of the tests that pass, with the tests' names."""
    for result in run_tests(program, tests=tuple(tests)):
        request = quiet_request(program, dict(result.case.given)) if result.passed else None
        if isinstance(request, Request):
            yield result.case.name, look(program, request)


def _row(case: Case, goal: Goal, shown: Sequence[tuple[str, Seen]], until: Until) -> Row:
    test = next((name for name, seen in shown if met(case.program, goal, seen)), None)
    if test is not None:
        return Row(goal, State.COVERED, test=test)
    if until():
        return Row(goal, State.NOT_PROVED, asked=False)
    try:
        witness = ask(case, goal, until)
    except OutOfBudget:
        return Row(goal, State.NOT_PROVED)
    return Row(goal, State.IMPOSSIBLE if witness is None else State.MISSED, witness)


def bare_edges(case: Case, *, until: Until = never) -> tuple[Row, ...]:
    """Sides of thresholds that no test looks at exactly, although one could, with the request that does. They are goals
    that may be covered: a test far from a threshold does not notice that it is one off."""
    shown = [seen for _, seen in seen_by_tests(case.program, case.program.tests)]
    out: list[Row] = []
    for goal in goals_of(case.program):
        if not isinstance(goal.edge, Edge) or any(_at_edge(case.program, goal, s) for s in shown):
            continue
        if until():
            out.append(Row(goal, State.NOT_PROVED, asked=False))
            continue
        try:
            witness = ask(case, goal, until)
        except OutOfBudget:
            out.append(Row(goal, State.NOT_PROVED))
            continue
        if witness is not None and _at_edge(case.program, goal, look(case.program, witness.request)):
            out.append(Row(goal, State.MISSED, witness))
    return tuple(out)


def _at_edge(program: Program, goal: Goal, seen: Seen) -> bool:
    edge = goal.edge
    return (
        isinstance(edge, Edge)
        and seen.request.values[edge.feature] == edge.value
        and met(program, goal, seen)
    )


def below_minimum(name: str, coverage: Coverage, minimum: int) -> Diagnostic | None:
    """An error where the tests cover less than was asked for."""
    if coverage.reaches(minimum):
        return None
    covered, feasible = coverage.counts()
    return Diagnostic(
        "PD405",
        Severity.ERROR,
        f"the tests of `{name}` cover {covered} of {feasible} goals ({coverage.percent}), and {minimum} % is the least",
        None,
        "`policyd test --coverage` lists what is missing, `policyd test --generate` writes the tests to confirm",
    )
