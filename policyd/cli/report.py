"""Diagnostics on their way to a person: sorted, rendered, and what they mean for the exit code.

Findings of a check are its result and go to standard output. What keeps a command from starting (an unreadable file, a
request that cannot be read) goes to standard error.
"""

import sys
from collections.abc import Iterable
from typing import Final

from policyd.cli.output import style_for
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.render import render

__all__ = [
    "CLEAN",
    "FINDINGS",
    "NOT_PROVED",
    "UNUSABLE",
    "exit_code",
    "findings_text",
    "report_findings",
    "report_unusable",
    "worst",
]

CLEAN: Final = 0
FINDINGS: Final = 1
UNUSABLE: Final = 2
NOT_PROVED: Final = 3

_UNREADABLE = frozenset({"PD001", "PD002", "PD003", "PD501"})
"""Findings that say an input was not there or could not be read, wherever it was named."""


def report_findings(diagnostics: Iterable[Diagnostic], *, notes: bool = True) -> int:
    """Print findings; the exit code they ask for."""
    found = in_order(diagnostics)
    sys.stdout.write(findings_text(found, notes=notes, colour=style_for(sys.stdout).colour))
    return exit_code(found)


def findings_text(diagnostics: Iterable[Diagnostic], *, notes: bool, colour: bool) -> str:
    """Findings as a person reads them, a blank line after each."""
    shown = (d for d in in_order(diagnostics) if notes or d.severity is not Severity.NOTE)
    return "".join(render(d, colour=colour).rstrip("\n") + "\n\n" for d in shown)


def report_unusable(diagnostics: Iterable[Diagnostic]) -> int:
    """Print what keeps the command from its work, and say so by the exit code."""
    sys.stderr.write(findings_text(diagnostics, notes=True, colour=style_for(sys.stderr).colour))
    return UNUSABLE


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """0 where nothing or only notes were found, 2 where a file could not be read, else 1."""
    counted = [d for d in diagnostics if d.severity is not Severity.NOTE]
    if any(d.code in _UNREADABLE for d in counted):
        return UNUSABLE
    return FINDINGS if counted else CLEAN


def worst(codes: Iterable[int]) -> int:
    """One exit code for several policies. An answer that is missing outweighs one that is bad: unusable input, then not
    proved, then findings."""
    found = frozenset(codes)
    return next((c for c in (UNUSABLE, NOT_PROVED, FINDINGS) if c in found), CLEAN)
