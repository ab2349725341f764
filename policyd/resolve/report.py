"""Where the passes put what they find.

A pass is a function from frozen values to frozen values that adds its findings to a `Report`. The severity of a code
is the one in the table of codes; what the policy itself says of its findings is applied at the end (`ruled`). One mistake
that is met twice (a set used in two conditions) is one finding.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Final

from policyd.policy.program import Suppression
from policyd.policy.rulings import Ruled, ruled, unused
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Label, Severity, in_order
from policyd.text.source import Span

__all__ = ["NO_FILE", "Report", "did_you_mean", "listed", "near", "shown"]

NO_FILE: Final = "<cell>"
"""The name of a source that is part of a file's text, read by itself: places in it mean nothing to a person."""

_LONGEST_SHOWN = 60
_MOST_LISTED = 12


class Report:
    """Findings in the making. `within` re-anchors what is found in text that no file holds (a table's cell)."""

    __slots__ = ("_anchor", "_found", "_severities", "_suppressions")

    def __init__(self) -> None:
        self._found: dict[tuple[object, ...], Diagnostic] = {}
        self._anchor: Span | None = None
        self._severities: Sequence[tuple[str, Severity]] = ()
        self._suppressions: Sequence[Suppression] = ()

    def add(
        self,
        code: str,
        span: Span | None,
        message: str,
        *,
        help: str | None = None,
        labels: Iterable[Label] = (),
        details: Iterable[str] = (),
        subject: str | None = None,
    ) -> None:
        if self._anchor is not None:
            span = self._anchor
            labels = [label for label in labels if label.span.source.name != NO_FILE]
        severity = CODES[code].severity
        found = Diagnostic(code, severity, message, span, help, tuple(labels), tuple(details), subject)
        place = None if span is None else (span.source.name, span.start, span.end)
        self._found.setdefault((code, place, message), found)

    def take(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Findings of another stage, as they are."""
        for d in diagnostics:
            place = None if d.span is None else (d.span.source.name, d.span.start, d.span.end)
            self._found.setdefault((d.code, place, d.message), d)

    @contextmanager
    def within(self, span: Span) -> Iterator[None]:
        """Everything found inside is at `span`."""
        before, self._anchor = self._anchor, span
        try:
            yield
        finally:
            self._anchor = before

    @property
    def failed(self) -> bool:
        return any(d.severity is Severity.ERROR for d in self._found.values())

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        return in_order(self._found.values())

    def hear(self, severities: Sequence[tuple[str, Severity]], suppressions: Sequence[Suppression]) -> None:
        """What the policy says of its findings."""
        self._severities, self._suppressions = severities, suppressions

    def ruled(self) -> Ruled[Diagnostic]:
        """Everything that was found, as the policy says of it. Whether a suppression of a finding of this stage is needed is
        known only when all passes could finish."""
        result = ruled(self.diagnostics(), self._severities, self._suppressions)
        mine = () if self.failed else [s for s in self._suppressions if s.code.startswith("PD2")]
        idle = ruled(unused(mine, result), self._severities, ())
        return Ruled(in_order((*result.kept, *idle.kept)), result.suppressed)


def near(name: str, options: Iterable[str]) -> str | None:
    """The option that the author probably meant."""
    wanted = name[:64].lower()
    by_lower = {option[:64].lower(): option for option in options}
    close = get_close_matches(wanted, by_lower, n=1, cutoff=0.7)
    return by_lower[close[0]] if close else None


def did_you_mean(name: str, options: Iterable[str], otherwise: str | None = None) -> str | None:
    """The help line for an unknown name."""
    close = near(name, options)
    return f"did you mean `{close}`?" if close is not None else otherwise


def listed(names: Iterable[str]) -> str:
    """Names in backticks, cut to what a person reads."""
    ordered = list(names)
    text = ", ".join(f"`{n}`" for n in ordered[:_MOST_LISTED])
    more = len(ordered) - _MOST_LISTED
    return f"{text} and {more} more" if more > 0 else text


def shown(text: str) -> str:
    """An author's text, cut to what a message can carry."""
    return text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "…"
