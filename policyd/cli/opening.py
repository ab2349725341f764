"""Opening a policy for a command that needs one without mistakes.

In comes a path; out comes the program, or the exit code after everything that is wrong was printed.
Warnings are left to `policyd check`.
"""

from pathlib import Path

from policyd.cli.reading import read_source
from policyd.cli.report import report_findings, report_unusable
from policyd.policy.program import Program
from policyd.resolve.load import load
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["opened_policy"]


def opened_policy(path: str) -> Program | int:
    """The program at `path`, or the exit code."""
    source = read_source(path)
    if isinstance(source, Diagnostic):
        return report_unusable((source,))
    loaded = load(Path(path))
    if loaded.program is None:
        return report_findings(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
    return loaded.program
