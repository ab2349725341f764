"""Whether the guards let a target have every request.

Asked for what gets texts of requests beside any route, such as a classifier with a network: it looks before a request is
decided, so the guards must not forbid its target for any request, whatever will be found in it. Capability guards are
about what a model server can do, and are not asked.
"""

from dataclasses import dataclass
from functools import partial

from policyd.engine.matrix import Matrix
from policyd.policy.program import Guard, Program
from policyd.policy.request import Request
from policyd.proofs.case import Case, open_case
from policyd.proofs.find import Found, OutOfBudget
from policyd.proofs.reach import Question
from policyd.proofs.witness import Witness

__all__ = ["Forbidding", "forbidding"]


@dataclass(frozen=True, slots=True)
class Forbidding:
    """A guard and a request for which it forbids the target; no witness: whether there is one was not settled."""

    guard: Guard
    witness: Witness | None


def forbidding(program: Program, matrix: Matrix, target: str) -> Forbidding | None:
    """The first written guard that forbids the target for some request; None: it is proved that none does."""
    case = open_case(program, matrix)
    for guard in program.guards:
        if guard.builtin or target not in guard.hits:
            continue
        for box in case.boxes(guard.condition):
            try:
                answer = case.ask(Question(box))
            except OutOfBudget:
                return Forbidding(guard, None)
            if isinstance(answer, Found):
                return Forbidding(guard, case.witness(answer.cell, partial(_fires, case, guard)))
    return None


def _fires(case: Case, guard: Guard, request: Request) -> bool:
    return case.holds(guard.condition, request)
