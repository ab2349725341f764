"""What an author says of findings, applied to them: how much each counts, and which are lived with for a time.

In come findings of one stage (diagnostics, or a proof's own) with the severities and suppressions of a policy; out come
the findings that count, each as much as the author says, and those that are suppressed. A suppression that nothing
matches is a finding as well. What may be suppressed is decided where the statements are read, not here.
"""

from collections.abc import Iterable
from dataclasses import Field, dataclass, replace
from difflib import get_close_matches
from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

from policyd.policy.program import Suppression
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Span

__all__ = ["Ruled", "ruled", "unused"]


class _Finding(Protocol):
    """A diagnostic, or a finding that becomes one."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def code(self) -> str: ...
    @property
    def severity(self) -> Severity: ...
    @property
    def subject(self) -> str | None: ...
    @property
    def span(self) -> Span | None: ...


_MOST_LISTED: Final = 5
_F = TypeVar("_F", bound=_Finding)


@dataclass(frozen=True, slots=True)
class Ruled(Generic[_F]):
    """What counts, and what does not for now, each with the suppression that says so."""

    kept: tuple[_F, ...]
    suppressed: tuple[tuple[_F, Suppression], ...]


def ruled(
    found: Iterable[_F],
    severities: Iterable[tuple[str, Severity]],
    suppressions: Iterable[Suppression],
) -> Ruled[_F]:
    """The findings as the author wants them. Of two suppressions of one finding the first is the one that counts."""
    chosen = dict(severities)
    of_code: dict[str, list[Suppression]] = {}
    for suppression in suppressions:
        of_code.setdefault(suppression.code, []).append(suppression)
    kept: list[_F] = []
    suppressed: list[tuple[_F, Suppression]] = []
    for finding in found:
        severity = chosen.get(finding.code, finding.severity)
        graded = finding if severity is finding.severity else replace(finding, severity=severity)
        candidates = of_code.get(finding.code, ())
        by = next((s for s in candidates if s.covers(finding.code, finding.subject, finding.span)), None)
        if by is None:
            kept.append(graded)
        else:
            suppressed.append((graded, by))
    return Ruled(tuple(kept), tuple(suppressed))


def unused(suppressions: Iterable[Suppression], result: Ruled[_F]) -> tuple[Diagnostic, ...]:
    """A finding for each of the suppressions, which are about the codes that were looked for, that nothing matched."""
    used = {id(by) for _, by in result.suppressed}
    return tuple(_unused(s, result) for s in suppressions if id(s) not in used)


def _unused(suppression: Suppression, result: Ruled[_F]) -> Diagnostic:
    code, subject = suppression.code, suppression.subject
    help_, labels = _instead(suppression, result)
    return Diagnostic(
        "PD321",
        CODES["PD321"].severity,
        f"no finding {code} is about `{subject}`: there is nothing to suppress",
        suppression.span,
        help_,
        labels,
        subject=subject,
    )


def _instead(suppression: Suppression, result: Ruled[_F]) -> tuple[str, tuple[Label, ...]]:
    """What the author may have meant."""
    for finding, by in result.suppressed:
        if suppression.covers(finding.code, finding.subject, finding.span) and by.span is not None:
            return "remove it", (Label(by.span, "suppressed here already"),)
    for finding in result.kept:
        if suppression.speaks_of(finding.code, finding.subject):
            labels = () if finding.span is None else (Label(finding.span, "found here"),)
            return (
                "a file that is included with a scope suppresses what is found in its own files only",
                labels,
            )
    subjects = {f.subject.lower(): f.subject for f in result.kept if f.subject and f.code == suppression.code}
    near = get_close_matches(suppression.subject.lower(), subjects, 1, 0.7)
    if near:
        return f"did you mean `{subjects[near[0]]}`?", ()
    codes = sorted({f.code for f in result.kept if f.subject in suppression.names})
    if codes:
        return f"what is found about `{suppression.subject}` is {' and '.join(codes)}", ()
    if subjects:
        shown = [f"`{s}`" for s in sorted(subjects.values())]
        more = ", …" if len(shown) > _MOST_LISTED else ""
        return f"remove it; {suppression.code} is found about {', '.join(shown[:_MOST_LISTED])}{more}", ()
    return "remove it", ()
