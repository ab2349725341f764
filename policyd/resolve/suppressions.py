"""What a policy says of findings: `severity` and `suppress`.

In come the placed statements; out go the severity of each code that has one, and the suppressions that mean something
today. Whether a suppression matches a finding is known only where findings are: see `policyd.policy.rulings`.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final

from policyd.policy.builtins import DATES
from policyd.policy.program import Suppression
from policyd.resolve.files import Placed, Space
from policyd.resolve.report import Report, did_you_mean
from policyd.syntax import nodes
from policyd.text.codes import CODES
from policyd.text.diagnostic import Label, Severity

__all__ = ["read_severities", "read_suppressions"]

_NEVER_GREEN: Final = "PD309"
_HOLE: Final = "PD306"
_OF_SUPPRESSIONS: Final = frozenset({"PD321", "PD322"})


def read_severities(statements: Iterable[Placed], report: Report) -> tuple[tuple[str, Severity], ...]:
    """The severity that each code has in this policy, where it says one."""
    statements = tuple(statements)
    ends = (item.statement for item in statements if isinstance(item.statement, nodes.Otherwise))
    holes = next((otherwise for otherwise in ends if otherwise.holes is not None), None)
    first: dict[str, nodes.SeverityChoice] = {}
    for item in statements:
        choice = item.statement
        if not isinstance(choice, nodes.SeverityChoice) or not _is_roots(item, choice, report):
            continue
        code = choice.code
        fixed = f"the severity of `{code.text}` cannot be changed"
        if not _is_known(code, report) or not _is_free(code, fixed, report):
            continue
        if code.text in first:
            label = Label(first[code.text].span, "first said here")
            message = f"`{code.text}` has a severity already"
            report.add("PD202", code.span, message, help="keep one of them", labels=(label,))
        elif code.text == _HOLE and holes is not None:
            label = Label(holes.span, f"`holes {holes.holes}` is said here")
            message = f"the severity of `{_HOLE}` is what `otherwise … holes` says"
            report.add("PD323", code.span, message, help="keep one of the two", labels=(label,))
        else:
            first[code.text] = choice
    return tuple((code, Severity(choice.severity)) for code, choice in first.items())


def _is_roots(item: Placed, choice: nodes.SeverityChoice, report: Report) -> bool:
    if not item.space.path:
        return True
    include = item.space.include
    labels = () if include is None else (Label(include.path.span, "the file is included with a scope here"),)
    report.add(
        "PD270",
        choice.code.span,
        "a file that is included with a scope cannot choose severities: they hold for everyone",
        help="move it to the root file",
        labels=labels,
    )
    return False


def read_suppressions(
    statements: Sequence[Placed], today: date | None, report: Report
) -> tuple[Suppression, ...]:
    """The suppressions that mean something today, in written order; without a `today` none has expired."""
    return tuple(
        _suppression(item, item.statement, statements)
        for item in statements
        if isinstance(item.statement, nodes.Suppress) and _means_something(item.statement, today, report)
    )


def _suppression(item: Placed, statement: nodes.Suppress, statements: Sequence[Placed]) -> Suppression:
    subject = statement.subject
    written = subject.text if isinstance(subject, nodes.Ident) else subject.value
    names = tuple(dict.fromkeys(space.qualify(written) for space in item.space.outward()))
    files = frozenset(_files(item.space, statements)) if item.space.path else None
    until, because = statement.until.ordinal, statement.because.value
    return Suppression(statement.code.text, written, names, until, because, files, subject.span)


def _files(space: Space, statements: Sequence[Placed]) -> Iterator[str]:
    """The files of a scoped include, and of what it includes."""
    for item in statements:
        if space.holds(item.space):
            yield item.statement.span.source.name
            if item.table is not None:
                yield item.table.name


def _means_something(statement: nodes.Suppress, today: date | None, report: Report) -> bool:
    code, until = statement.code, statement.until
    sound = _is_known(code, report) and _is_free(code, f"`{code.text}` cannot be suppressed", report)
    if sound and code.text in _OF_SUPPRESSIONS:
        advice = "correct or remove the suppression that it names"
        message = f"`{code.text}` cannot be suppressed: it is about suppressions"
        report.add("PD323", code.span, message, help=advice)
        sound = False
    if not statement.because.value.strip():
        report.add("PD225", statement.because.span, "a suppression says why, and this reason is empty")
        sound = False
    if not DATES.low <= until.ordinal <= DATES.high:
        report.add("PD254", until.span, "a suppression ends between 2001-01-01 and 2099-12-31")
        return False
    if sound and today is not None and until.ordinal < today.toordinal():
        report.add(
            "PD322",
            until.span,
            f"the suppression of {code.text} has expired and means nothing",
            help="mend what it hid, or look at it again and renew it",
        )
        return False
    return sound


def _is_known(code: nodes.Ident, report: Report) -> bool:
    if code.text in CODES:
        return True
    advice = did_you_mean(code.text, CODES, "docs/rules.md lists the codes")
    report.add("PD201", code.span, f"there is no code `{code.text}`", help=advice)
    return False


def _is_free(code: nodes.Ident, what: str, report: Report) -> bool:
    """Whether the author decides on findings of this code: on those that do not stop a sidecar by themselves."""
    if code.text == _NEVER_GREEN:
        why, advice = "what is not proved is never green", "simplify the conditions that it names"
    elif not code.text.startswith(("PD2", "PD3")):
        why, advice = "it is no finding of a policy's meaning", None
    elif CODES[code.text].severity is Severity.ERROR:
        why, advice = "a policy that has one does not serve", "mend what it finds"
    else:
        return True
    report.add("PD323", code.span, f"{what}: {why}", help=advice)
    return False
