"""Claims asked of a policy: each is proved, refuted, vacuous or not proved.

In come a program whose assertions are the claims, and its matrix, whose axes know the claims' constants; out comes an
`Answer` for each. Nothing has to be compiled: whether a claim holds depends on what the policy says and not on how it
decides. A claim that says nothing is told apart from one that holds.
"""

from dataclasses import dataclass
from enum import StrEnum

from policyd.engine.matrix import Matrix
from policyd.policy.program import Assertion, Program
from policyd.proofs.assertions import check_assertion, vacuous
from policyd.proofs.case import Case, open_case
from policyd.proofs.find import Budget
from policyd.proofs.findings import Finding

__all__ = ["Answer", "Outcome", "answers"]


class Outcome(StrEnum):
    PROVED = "proved"
    REFUTED = "refuted"
    VACUOUS = "vacuous"
    """it holds, because it speaks of no request or of no target"""
    NOT_PROVED = "not proved"


@dataclass(frozen=True, slots=True)
class Answer:
    """`finding` is None exactly where the claim is proved; a refuted one's has the witness."""

    claim: Assertion
    outcome: Outcome
    finding: Finding | None


def answers(program: Program, matrix: Matrix, budget: Budget | None = None) -> tuple[Answer, ...]:
    """One answer for each assertion of the program."""
    case = open_case(program, matrix, budget)
    return tuple(_answer(case, claim) for claim in program.assertions)


def _answer(case: Case, claim: Assertion) -> Answer:
    finding = check_assertion(case, claim)
    if finding is not None:
        return Answer(claim, Outcome.NOT_PROVED if finding.unfinished else Outcome.REFUTED, finding)
    finding = vacuous(case, claim)
    if finding is not None:
        return Answer(claim, Outcome.VACUOUS, finding)
    return Answer(claim, Outcome.PROVED, None)
