"""What is wrong with what an author wrote, as a value.

A stage returns its diagnostics; it never raises them across a layer. `message` is one sentence, lower case, no full
stop, with the author's words in backticks. Codes live in `codes.py`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from policyd.text.source import Span

__all__ = ["Diagnostic", "Label", "Severity", "has_errors", "in_order"]


class Severity(StrEnum):
    """An error or a warning is a finding (exit code 1); a note informs and never fails a check."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that matters, with what to say there (`decided here`)."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding. `span` is the smallest that explains, or None where no file is at fault (a missing folder).

    `details` are further lines that belong to the finding: a witness, what a guard removed. `subject` is what it is about
    (a rule, a feature, a target, a test), by the name that a suppression calls it.
    """

    code: str
    severity: Severity
    message: str
    span: Span | None
    help: str | None = None
    labels: tuple[Label, ...] = ()
    details: tuple[str, ...] = field(default=())
    subject: str | None = None


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Sorted by file, place, code: what a person reads from top to bottom."""

    def key(d: Diagnostic) -> tuple[str, int, str, str]:
        if d.span is None:
            return ("", 0, d.code, d.message)
        return (d.span.source.name, d.span.start, d.code, d.message)

    return tuple(sorted(diagnostics, key=key))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)
