"""What commands found out, as the data that reports are written from; and the texts of those reports.

In come what the pipeline says of a policy and how a command ends; out go a `PolicyReport`, and for a whole `Run` a writer
for each format. Imported only where a format for machines is wanted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from policyd.cli.formats import Writer
from policyd.cli.output import Style
from policyd.cli.page_text import page_lines
from policyd.cli.pages import page_of
from policyd.cli.report import CLEAN, FINDINGS, NOT_PROVED
from policyd.pipeline import Checked
from policyd.policy.digest import digest
from policyd.policy.program import Assertion, Program
from policyd.policy.program import Suppression as Said
from policyd.proofs.findings import Finding, outcome_text
from policyd.proofs.witness import Witness
from policyd.reports.annotations import annotations
from policyd.reports.document import run_json
from policyd.reports.junit import junit_text
from policyd.reports.model import (
    AssertionState,
    Claim,
    Entry,
    PolicyReport,
    Run,
    Shown,
    Suppression,
    Trial,
    Verdict,
)
from policyd.reports.places import Base
from policyd.reports.sarif import Page, sarif_text
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Severity, in_order
from policyd.text.source import Span
from policyd.trials.run import TestResult, expectation_text

__all__ = ["Run", "checked_report", "entries_of", "rules_of", "tested_report", "unusable_report", "writers"]

_VERDICTS: Final[Mapping[int, Verdict]] = {CLEAN: "ok", FINDINGS: "findings", NOT_PROVED: "not proved"}
_RELATIVE_LINK: Final = re.compile(r"\[([^\]]*)\]\((?!https?:)[^)]*\)")

_Key: TypeAlias = tuple[str, Span | None, str]
"""What tells one finding of a policy from another."""


def checked_report(
    path: str, checked: Checked, found: Iterable[Diagnostic], code: int, *, notes: bool
) -> PolicyReport:
    """What `policyd check` says of a policy: `found` with what a deployment file lacks, `code` how it ends."""
    proofs = {_key(f.diagnostic()): f for f in checked.findings}
    suppressed = tuple(_entry(d, path, None, by) for d, by in checked.suppressed)
    program = checked.program
    claims = () if program is None else tuple(_claim(a, checked) for a in program.assertions)
    return PolicyReport(
        path,
        None if program is None else digest(program),
        _VERDICTS.get(code, "unusable"),
        code,
        tuple(_entry(d, path, proofs.get(_key(d))) for d in _listed(found, notes=notes)),
        suppressed,
        claims,
        tuple(_trial(result) for result in checked.tests),
        () if program is None else rules_of(program),
    )


def tested_report(
    path: str, program: Program, results: Iterable[TestResult], found: Iterable[Diagnostic], code: int
) -> PolicyReport:
    """What `policyd test` says of a policy: only its tests, and what is wrong with them."""
    return PolicyReport(
        path,
        digest(program),
        _VERDICTS.get(code, "unusable"),
        code,
        entries_of(path, found),
        trials=tuple(_trial(result) for result in results),
        rules=rules_of(program),
    )


def unusable_report(path: str, found: Iterable[Diagnostic], code: int) -> PolicyReport:
    """A policy of which nothing is known but what is wrong with it."""
    return PolicyReport(path, None, _VERDICTS.get(code, "unusable"), code, entries_of(path, found))


def entries_of(path: str, found: Iterable[Diagnostic], *, notes: bool = True) -> tuple[Entry, ...]:
    """Findings without a witness. `path` is the file at fault where one of them has no place."""
    return tuple(_entry(d, path) for d in _listed(found, notes=notes))


def rules_of(program: Program) -> tuple[tuple[str, int], ...]:
    """How many rules of each kind an author wrote."""
    return (
        ("guards", len(program.written)),
        ("denies", len(program.denies)),
        ("routes", len(program.routes)),
    )


def writers(run: Run) -> dict[str, Writer]:
    """A writer for each format for machines."""
    base = _base()
    return {
        "json": partial(run_json, run),
        "sarif": lambda: sarif_text(run, base=base, pages=_pages(), home=_home()),
        "github": partial(annotations, run, base=base),
        "junit": partial(junit_text, run),
    }


def _base() -> Base:
    """The repository's root is the nearest folder from here up that holds `.git`, or this one."""
    here = Path.cwd()
    root = next((p for p in (here, *here.parents) if (p / ".git").exists()), here)
    return Base(str(here), str(root))


def _home() -> str | None:
    """Where the documents of this version are served, if its package says so."""
    from importlib import metadata  # noqa: PLC0415  only SARIF asks

    try:
        addresses = metadata.metadata("policyd").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        return None
    named = dict(line.split(", ", 1) for line in addresses if ", " in line)
    return named.get("Rules")


def _pages() -> dict[str, Page]:
    return {code: _page(page_of(code)) for code in CODES}


def _page(markdown: str) -> Page:
    """The title is the rule's own; what is left begins with a paragraph that says what the code means."""
    body = _RELATIVE_LINK.sub(r"\1", markdown.partition("\n")[2].strip()) + "\n"
    lines = page_lines(body, style=Style(colour=False), width=10_000)
    text = "\n".join(lines)
    return Page(text.partition("\n")[0], text, body)


def _listed(found: Iterable[Diagnostic], *, notes: bool) -> Sequence[Diagnostic]:
    return [d for d in in_order(found) if notes or d.severity is not Severity.NOTE]


def _key(found: Diagnostic) -> _Key:
    return found.code, found.span, found.message


def _entry(found: Diagnostic, path: str, proof: Finding | None = None, by: Said | None = None) -> Entry:
    said = (None, None) if proof is None or proof.said is None else proof.said
    return Entry(
        found,
        path,
        found.subject or "",
        None if proof is None else _shown(proof.witness, said[0]),
        None if proof is None else _shown(proof.twin, said[1]),
        found.code in ("PD302", "PD309") if proof is None else proof.unfinished,
        None if by is None else Suppression(by.because, date.fromordinal(by.until).isoformat(), by.span),
    )


def _shown(witness: Witness | None, said: str | None) -> Shown | None:
    if witness is None:
        return None
    return Shown(witness.given, witness.decision, said or outcome_text(witness))


def _claim(assertion: Assertion, checked: Checked) -> Claim:
    return Claim(assertion.name, assertion.text, _state(assertion, checked), assertion.span)


def _state(assertion: Assertion, checked: Checked) -> AssertionState:
    if assertion.name in checked.proved:
        return "proved"
    codes = {d.code for d in checked.diagnostics if d.subject == assertion.name}
    if "PD301" in codes:
        return "broken"
    return "not proved" if "PD302" in codes else "unchecked"


def _trial(result: TestResult) -> Trial:
    case = result.case
    return Trial(
        case.name, case.given, expectation_text(case.expect), result.problems, result.decision, case.span
    )
