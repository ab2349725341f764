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

__all__ = ["opened_origin", "opened_policy", "readable"]


def opened_policy(path: str) -> Program | int:
    """The program at `path`, or the exit code."""
    origin = readable(file_origin(path, today=date.today()))
    return report_unusable((origin,)) if isinstance(origin, Diagnostic) else opened_origin(origin)


def readable(origin: Origin) -> Origin | Diagnostic:
    """The file's origin, or why the file cannot be read."""
    source = read_source(str(origin.path))
    return source if isinstance(source, Diagnostic) else origin


def opened_origin(origin: Origin) -> Program | int:
    """The program that the origin has, or the exit code."""
    loaded = origin.load()
    if loaded.program is None:
        return report_findings(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
    wrong = mismatch(origin, loaded.program, None)
    return loaded.program if wrong is None else report_unusable((wrong,))
