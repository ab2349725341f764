"""What `policyd check` says of a policy after its findings, as text.

In come what was found and how the check ended; out go a line of what the policy is and a line for each assertion that is
proved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from policyd.cli.output import Style
from policyd.cli.report import CLEAN, FINDINGS, NOT_PROVED
from policyd.cli.test import tests_text
from policyd.pipeline import Checked
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable

__all__ = ["CheckedText", "hint_text", "verdict_text"]

_MOST_EXPLAINED = 3


@dataclass(frozen=True, slots=True)
class CheckedText:
    path: str
    checked: Checked
    found: Sequence[Diagnostic]
    code: int
    seconds: float

    def lines(self, style: Style) -> str:
        return "".join(f"{line}\n" for line in self._lines(style))

    def _lines(self, style: Style) -> Iterator[str]:
        checked, program = self.checked, self.checked.program
        parts = [_verdict(self.code, self.found, style)]
        if program is not None:
            parts.append(_rules_text(program))
            parts.append(_proved_text(program, len(checked.proved)))
            if checked.tests:
                parts.append(tests_text(checked.tests))
        if checked.suppressed:
            parts.append(_suppressed_text([by.until for _, by in checked.suppressed]))
        parts.append(f"{self.seconds:.2f} s")
        yield f"{printable(self.path)}: {', '.join(parts)}"
        for assertion in () if program is None else program.assertions:
            if assertion.name in checked.proved:
                yield f"  {style.green('proved')} {assertion.name}: {printable(assertion.text)}"


def verdict_text(path: str, found: Sequence[Diagnostic], style: Style) -> str:
    """The line of a file in which something is wrong."""
    return f"{printable(path)}: {_verdict(FINDINGS, found, style)}\n"


def hint_text(found: Sequence[Diagnostic], style: Style) -> str:
    """Where the codes of errors and warnings are explained, the worst first; empty where there are none."""
    counted = [d.code for s in (Severity.ERROR, Severity.WARNING) for d in found if d.severity is s]
    codes = [*dict.fromkeys(counted)][:_MOST_EXPLAINED]
    if not codes:
        return ""
    verb = "explains it" if len(set(counted)) == 1 else "explains them"
    return style.dim(f"`policyd rule {' '.join(codes)}` {verb}") + "\n"


def _verdict(code: int, found: Sequence[Diagnostic], style: Style) -> str:
    if code == CLEAN:
        return style.green("ok")
    counts = [
        (sum(d.severity is severity for d in found), severity)
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    said = [f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts if count]
    if code == NOT_PROVED:
        said.insert(0, "not proved")
    return style.red(", ".join(said))


def _rules_text(program: Program) -> str:
    rules = (
        ("guard", len(program.written)),
        ("deny", len(program.denies)),
        ("route", len(program.routes)),
    )
    plural = {"guard": "guards", "deny": "denies", "route": "routes"}
    listed = ", ".join(f"{n} {name if n == 1 else plural[name]}" for name, n in rules if n)
    total = sum(n for _, n in rules)
    return f"{total} {'rule' if total == 1 else 'rules'} ({listed})"


def _suppressed_text(until: Sequence[int]) -> str:
    """What was found and does not count, and until which day (the first of them)."""
    count = "1 finding" if len(until) == 1 else f"{len(until)} findings"
    later = "" if len(set(until)) == 1 else " or later"
    return f"{count} suppressed until {date.fromordinal(min(until))}{later}"


def _proved_text(program: Program, proved: int) -> str:
    total = len(program.assertions)
    if not total:
        return "no assertions"
    if proved == total:
        return f"{total} {'assertion' if total == 1 else 'assertions'} proved"
    return f"{proved} of {total} {'assertion' if total == 1 else 'assertions'} proved"
