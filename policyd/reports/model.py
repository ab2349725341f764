"""What a command found out, as the data that every format is written from.

The one idea: a report is complete before any format is written, so that all formats say the same. Nothing is decided
here; exit codes and verdicts come from the command.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal as Lit
from typing import TypeAlias

from policyd.policy.decision import Decision
from policyd.policy.program import Value
from policyd.reports.values import Json
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Span

__all__ = [
    "AssertionState",
    "Claim",
    "Entry",
    "PolicyReport",
    "Run",
    "Shown",
    "Suppression",
    "Trial",
    "Verdict",
    "without_notes",
]

Given: TypeAlias = tuple[tuple[str, Value | None], ...]
"""Features of a request and their values; None is unknown. What is not named is quiet."""

AssertionState = Lit["proved", "broken", "not proved", "unchecked"]
"""`unchecked`: the policy has mistakes that keep it from being compiled."""

Verdict = Lit["ok", "findings", "not proved", "unusable"]


@dataclass(frozen=True, slots=True)
class Shown:
    """A request that shows something: what of it is not quiet, what is decided about it, and the words for it."""

    given: Given
    decision: Decision
    outcome: str


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why a finding does not count, and until which day (ISO), as the author wrote it."""

    reason: str
    until: str | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One finding. `subject` is the rule, feature or assertion that it is about, where it is known. `path` is the file
    at fault where the diagnostic has no span. `unfinished`: a question that outgrew its budget."""

    diagnostic: Diagnostic
    path: str
    subject: str = ""
    witness: Shown | None = None
    twin: Shown | None = None
    unfinished: bool = False
    suppression: Suppression | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An assertion and what became of it."""

    name: str
    text: str
    state: AssertionState
    span: Span | None


@dataclass(frozen=True, slots=True)
class Trial:
    """One of a policy's own tests. `problems` is empty exactly when it passed."""

    name: str
    given: Given
    expected: str
    problems: tuple[str, ...]
    decision: Decision | None
    span: Span | None


@dataclass(frozen=True, slots=True)
class PolicyReport:
    """`digest` is None where no program could be read. `rules`: how many of each kind, (`guards`, 3) and so on. `further`:
    what else a command found out, as JSON under a name of its own."""

    path: str
    digest: str | None
    verdict: Verdict
    exit_code: int
    entries: tuple[Entry, ...]
    suppressed: tuple[Entry, ...] = ()
    claims: tuple[Claim, ...] = ()
    trials: tuple[Trial, ...] = ()
    rules: tuple[tuple[str, int], ...] = ()
    further: tuple[tuple[str, Json], ...] = ()

    def count(self, severity: Severity) -> int:
        return sum(e.diagnostic.severity is severity for e in self.entries)


@dataclass(frozen=True, slots=True)
class Run:
    """A command's whole result. `entries` are findings that belong to no policy: a path without one, a deployment file."""

    command: str
    version: str
    exit_code: int
    policies: tuple[PolicyReport, ...]
    entries: tuple[Entry, ...] = ()

    def all_entries(self) -> Iterator[Entry]:
        """Every finding that counts, and then every suppressed one."""
        yield from self.entries
        for policy in self.policies:
            yield from policy.entries
        for policy in self.policies:
            yield from policy.suppressed


def without_notes(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    return tuple(e for e in entries if e.diagnostic.severity is not Severity.NOTE)
