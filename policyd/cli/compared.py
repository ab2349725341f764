"""A comparison as the command line found it, ready to be written in any form: each policy, the verdict, the exit code.

In come differences and what kept policies from being compared; out come the verdict with its sentence and the exit code. What
could not be compared is never said to be the same, nor not to be looser.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from policyd.cli.report import UNUSABLE
from policyd.cli.revisions import shown_place
from policyd.compare.difference import Denied, Difference, Verdict
from policyd.compare.recorded import Replayed
from policyd.compare.telling import denied_text, many, verdict_text
from policyd.text.diagnostic import Diagnostic

__all__ = [
    "LOOSER", "Compared", "Comparison", "called_before", "exit_code_of", "problem_text", "verdict_of", "why_not",
]  # fmt: skip

LOOSER: Final = 4
"""The exit code where something is let through that was not, or that was not to be."""

_CODES: Final = {
    Verdict.LOOSER: LOOSER,
    Verdict.DENIED: LOOSER,
    Verdict.NOT_PROVED: 3,
    Verdict.NOT_COMPARED: 1,
    Verdict.CHANGED: 1,
    Verdict.SAME: 0,
}


@dataclass(frozen=True, slots=True)
class Compared:
    """`old` and `new` are paths, one of them None where only the other side has the policy; then there is no difference, nor
    where there are `problems`: what kept it from being compared. `called` is its old name where that was another. `denied` is
    what `--deny-new` found."""

    name: str
    old: str | None
    new: str | None
    difference: Difference | None
    denied: tuple[Denied, ...] = ()
    log: Replayed | None = None
    problems: tuple[Diagnostic, ...] = ()
    called: str | None = None

    @property
    def verdict(self) -> Verdict:
        if self.problems:
            return Verdict.NOT_COMPARED
        if self.difference is not None:
            return self.difference.verdict
        if any(d.shown is not None for d in self.denied):
            return Verdict.DENIED
        return Verdict.NOT_PROVED if self.denied else Verdict.NOT_COMPARED


@dataclass(frozen=True, slots=True)
class Comparison:
    """All of it. `problems` kept everything from being compared, and then there are no policies."""

    old: str
    new: str
    policies: tuple[Compared, ...]
    problems: tuple[Diagnostic, ...] = ()

    @property
    def verdict(self) -> Verdict:
        return Verdict.NOT_COMPARED if self.problems else verdict_of(self.policies)

    @property
    def exit_code(self) -> int:
        """An answer that is missing outweighs one that is bad."""
        if self.problems or any(c.problems for c in self.policies):
            return UNUSABLE
        return exit_code_of(self.verdict)

    @property
    def sentence(self) -> str:
        """The verdict in a line; an author's words stand in backticks."""
        verdict = self.verdict
        missing = [c for c in self.policies if c.verdict is Verdict.NOT_COMPARED]
        if self.problems:
            return f"not compared: the two sides could not be compared: {problem_text(self.problems)}"
        if verdict is Verdict.NOT_COMPARED:
            more = len(missing) - 1
            rest = f", and {many(more, 'more policy', 'more policies')}" if more else ""
            return f"not compared: `{missing[0].name}` {why_not(missing[0])}{rest}"
        said = verdict_text(verdict)
        if verdict is Verdict.DENIED:
            found = [d.newly for c in self.policies for d in c.denied if d.shown is not None]
            said = f"denied: {denied_text(found[0])}"
            said += f", and {many(len(found) - 1, 'more target')} so" if len(found) > 1 else ""
        judged = sum(c.difference.judged for c in self.policies if c.difference is not None)
        if verdict is Verdict.CHANGED and judged:
            said += f"; {many(judged, 'declaration')} changed that a person must judge"
        rest = f"; {many(len(missing), 'policy', 'policies')} could not be compared" if missing else ""
        return said + rest


def why_not(compared: Compared) -> str:
    """Why a policy is not compared, as what is said of it."""
    if compared.problems:
        return f"could not be compared: {problem_text(compared.problems)}"
    if compared.old is None:
        return "is new, and there is nothing to compare it with"
    return "is gone, and there is nothing to compare it with"


def called_before(compared: Compared) -> str | None:
    """That a policy had another name, where it had."""
    return (
        None if compared.called is None else f"it was called `{compared.called}`, and is compared with that"
    )


def problem_text(problems: Sequence[Diagnostic]) -> str:
    """The first mistake with its place, and how many more there are."""
    first = problems[0]
    place = "" if first.span is None else f"{shown_place(first.span.place)}: "
    more = f" (and {many(len(problems) - 1, 'more mistake')})" if len(problems) > 1 else ""
    return f"{place}{first.message}{more}"


def verdict_of(compared: Iterable[Compared]) -> Verdict:
    """The worst of them."""
    found = {c.verdict for c in compared}
    return next((v for v in Verdict if v in found), Verdict.SAME)


def exit_code_of(verdict: Verdict) -> int:
    return _CODES[verdict]
