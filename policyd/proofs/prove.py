"""All proofs of a policy, on one screen.

In: a program and its matrix. Out: a `Report`: what is proved, what is found, each finding with a witness that the
reference has confirmed, and what could not be finished. Everything here is a use of `find`.
"""

from dataclasses import dataclass

from policyd.engine.matrix import Matrix
from policyd.policy.program import Program
from policyd.proofs.assertions import check_assertion, vacuous
from policyd.proofs.case import open_case
from policyd.proofs.conflicts import conflicting_includes
from policyd.proofs.dead import dead_rules
from policyd.proofs.find import Budget
from policyd.proofs.findings import Finding
from policyd.proofs.holes import dead_ends, holes
from policyd.proofs.loosens import claimed_loosens, unknown_loosens
from policyd.text.diagnostic import Diagnostic, Severity, in_order

__all__ = ["Report", "prove"]


@dataclass(frozen=True, slots=True)
class Report:
    """`proved`: the names of the assertions that hold for every possible request."""

    findings: tuple[Finding, ...]
    proved: tuple[str, ...]

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return in_order(f.diagnostic() for f in self.findings)

    @property
    def unfinished(self) -> tuple[Finding, ...]:
        """Questions that outgrew their budget: not proved, exit code 3."""
        return tuple(f for f in self.findings if f.unfinished)

    @property
    def refuses_to_serve(self) -> tuple[Diagnostic, ...]:
        """Broken or unproved assertions and other errors; a sidecar does not start on them."""
        return in_order(f.diagnostic() for f in self.findings if f.severity is Severity.ERROR)


def prove(
    program: Program, matrix: Matrix, budget: Budget | None = None, *, claims_only: bool = False
) -> Report:
    """Every proof. `claims_only` leaves out what never stops a sidecar: only assertions and conflicting includes."""
    case = open_case(program, matrix, budget)
    broken = {a.name: check_assertion(case, a) for a in program.assertions}
    findings = [f for f in broken.values() if f is not None]
    findings += conflicting_includes(case)
    if not claims_only:
        findings += [f for a in program.assertions if (f := vacuous(case, a)) is not None]
        findings += claimed_loosens(case)
        findings += unknown_loosens(case)
        findings += dead_rules(case)
        findings += holes(case)
        findings += dead_ends(case)
    return Report(tuple(findings), tuple(name for name, f in broken.items() if f is None))
