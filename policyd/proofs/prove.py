"""All proofs of a policy, on one screen.

In: a program and its matrix. Out: a `Report`: what is proved, what is found, each finding with a witness that the
reference has confirmed, and what could not be finished. Everything here is a use of `find`. `ANALYSES` says which
analysis finds which codes, so that a sidecar asks only the questions whose answers can stop it.
"""

from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass, replace
from typing import Final

from policyd.engine.matrix import Matrix
from policyd.policy.program import Program, Suppression
from policyd.proofs.assertions import check_assertion, vacuous
from policyd.proofs.budgets import idle_budgets
from policyd.proofs.case import Case, open_case
from policyd.proofs.conflicts import conflicting_includes
from policyd.proofs.dead import dead_rules
from policyd.proofs.find import Budget
from policyd.proofs.findings import Finding
from policyd.proofs.holes import dead_ends, holes
from policyd.proofs.idle import idle_tests
from policyd.proofs.lacking import lacking_capabilities
from policyd.proofs.leaks import scope_leaks
from policyd.proofs.loosens import claimed_loosens, unknown_loosens
from policyd.proofs.monotone import not_monotone
from policyd.proofs.openings import openings
from policyd.proofs.redactions import opened_by_redaction, redactions_in_vain
from policyd.proofs.redundant import redundant
from policyd.proofs.suppress import ruled_findings
from policyd.proofs.unreached import unreached_targets
from policyd.proofs.unredacted import unredacted_elsewhere
from policyd.proofs.untranslated import untranslated
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Severity, in_order

__all__ = ["ANALYSES", "Analysis", "Report", "prove", "stopping"]


@dataclass(frozen=True, slots=True)
class Report:
    """`proved`: the names of the assertions that hold for every possible request. `suppressed`: what was found and does not
    count, with who says so; `findings` are without it."""

    findings: tuple[Finding, ...]
    proved: tuple[str, ...]
    suppressed: tuple[tuple[Diagnostic, Suppression], ...] = ()

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


@dataclass(frozen=True, slots=True)
class Analysis:
    """A question about every possible request. `codes`: what it finds, besides PD309 where it is not proved."""

    codes: frozenset[str]
    run: Callable[[Case], tuple[Finding, ...]]


def _vacuous(case: Case) -> tuple[Finding, ...]:
    return tuple(f for a in case.program.assertions if (f := vacuous(case, a)) is not None)


ANALYSES: Final = (
    Analysis(frozenset({"PD308"}), conflicting_includes),
    Analysis(frozenset({"PD314"}), scope_leaks),
    Analysis(frozenset({"PD310"}), _vacuous),
    Analysis(frozenset({"PD303"}), claimed_loosens),
    Analysis(frozenset({"PD304"}), unknown_loosens),
    Analysis(frozenset({"PD305"}), dead_rules),
    Analysis(frozenset({"PD306"}), holes),
    Analysis(frozenset({"PD307"}), dead_ends),
    Analysis(frozenset({"PD311", "PD312"}), redundant),
    Analysis(frozenset({"PD313"}), not_monotone),
    Analysis(frozenset({"PD315"}), idle_budgets),
    Analysis(frozenset({"PD316", "PD317"}), openings),
    Analysis(frozenset({"PD318"}), unreached_targets),
    Analysis(frozenset({"PD319"}), lacking_capabilities),
    Analysis(frozenset({"PD320"}), idle_tests),
    Analysis(frozenset({"PD324"}), untranslated),
    Analysis(frozenset({"PD325"}), opened_by_redaction),
    Analysis(frozenset({"PD326"}), redactions_in_vain),
    Analysis(frozenset({"PD328"}), unredacted_elsewhere),
)
"""Every analysis but the assertions, which are proved first and always. An analysis is one function and one row."""


def prove(
    program: Program, matrix: Matrix, budget: Budget | None = None, *, codes: Set[str] | None = None
) -> Report:
    """The assertions, and every analysis that finds one of `codes`; every one of all where that is not said."""
    case = open_case(program, matrix, budget)
    broken = {a.name: check_assertion(case, a) for a in program.assertions}
    findings = [f for f in broken.values() if f is not None]
    stops = stopping(program)
    asked = [a for a in ANALYSES if codes is None or a.codes & codes]
    for analysis in asked:
        found = analysis.run(case)
        findings += _strict(found) if analysis.codes & stops else found
    proved = tuple(name for name, f in broken.items() if f is None)
    kept, suppressed = ruled_findings(findings, program, frozenset(c for a in asked for c in a.codes))
    return Report(kept, proved, suppressed)


def stopping(program: Program) -> frozenset[str]:
    """The codes whose findings stop a sidecar with this policy: what is an error by itself, and what the author makes
    one."""
    errors = {
        code for analysis in ANALYSES for code in analysis.codes if CODES[code].severity is Severity.ERROR
    }
    errors |= {code for code, severity in program.severities if severity is Severity.ERROR}
    if program.otherwise.holes is Severity.ERROR:
        errors.add("PD306")
    if "PD321" in errors:
        errors |= {s.code for s in program.suppressions}
    return frozenset(errors)


def _strict(found: Iterable[Finding]) -> tuple[Finding, ...]:
    """Of an analysis whose findings stop a sidecar, what is not proved stops it as well."""
    return tuple(replace(f, severity=Severity.ERROR) if f.unfinished else f for f in found)
