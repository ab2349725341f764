"""Opening a policy for a command that needs one without mistakes.

In comes a path, or what a sidecar serves; out comes the program, or the exit code after everything that is wrong was
printed. Exceptions that have expired are left out, as in `policyd check`, to which warnings are left.
"""

from datetime import date

from policyd.cli.origins import Origin, file_origin, mismatch
from policyd.cli.reading import read_source
from policyd.cli.report import report_findings, report_unusable
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["opened_origin", "opened_policy"]


def opened_policy(path: str) -> Program | int:
    """The program at `path`, or the exit code."""
    source = read_source(path)
    if isinstance(source, Diagnostic):
        return report_unusable((source,))
    return opened_origin(file_origin(path, today=date.today()))


def opened_origin(origin: Origin) -> Program | int:
    """The program that the origin has, or the exit code."""
    loaded = origin.load()
    if loaded.program is None:
        return report_findings(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
    wrong = mismatch(origin, loaded.program, None)
    return loaded.program if wrong is None else report_unusable((wrong,))
