"""Findings of proofs as their author wants them: graded, suppressed for a time, and suppressions that are not needed.

In come the findings of the analyses that ran; out come those that count, and those that do not, each with the suppression
that says so. A suppression of a code that was looked for and not found is a finding of its own, unless a question was left
open: the finding could be there.
"""

from collections.abc import Set

from policyd.policy.program import Program, Suppression
from policyd.policy.rulings import ruled, unused
from policyd.proofs.findings import Finding
from policyd.text.diagnostic import Diagnostic

__all__ = ["ruled_findings"]


def ruled_findings(
    found: list[Finding], program: Program, looked_for: Set[str]
) -> tuple[tuple[Finding, ...], tuple[tuple[Diagnostic, Suppression], ...]]:
    result = ruled(found, program.severities, program.suppressions)
    suppressed = tuple((finding.diagnostic(), by) for finding, by in result.suppressed)
    if any(f.unfinished for f in found):
        return result.kept, suppressed
    judged = [s for s in program.suppressions if s.code in looked_for]
    idle = tuple(_finding(d) for d in unused(judged, result))
    return (*result.kept, *ruled(idle, program.severities, ()).kept), suppressed


def _finding(d: Diagnostic) -> Finding:
    return Finding(d.code, d.severity, d.subject or "", d.message, d.span, d.help, d.labels)
