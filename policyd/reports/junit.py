"""A run as JUnit XML, which the test views of CI systems read.

In comes a `Run`; out goes one suite for each policy: a case for each assertion, for each of the policy's own tests, and for
each error or warning that is about neither. What is wrong is a failure; what could not be read or was not proved is an error;
what is suppressed, or could not be looked at, is skipped. Notes are the suite's output.

XML has no way to write some characters. Every text is made printable first, and what is still no character of XML becomes an
escape.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal as Lit
from xml.etree import ElementTree

from policyd.reports.model import Claim, Entry, PolicyReport, Run, Trial
from policyd.reports.values import place_json
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity
from policyd.text.printable import printable
from policyd.text.source import Span

__all__ = ["junit_text"]

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class _Case:
    """`outcome` is None for a case that passed; `type` is a code, and `lines` say more than `message`."""

    kind: str
    name: str
    path: str
    span: Span | None
    outcome: Lit["failure", "error", "skipped"] | None = None
    type: str = ""
    message: str = ""
    lines: tuple[str, ...] = ()


def junit_text(run: Run) -> str:
    """The document, with its declaration."""
    suites = [_suite(p.path, tuple(_cases(p)), p.entries) for p in run.policies]
    if run.entries:
        cases = tuple(_finding(e) for e in run.entries if e.diagnostic.severity is not Severity.NOTE)
        suites.append(_suite(f"policyd {run.command}", cases, run.entries))
    root = ElementTree.Element("testsuites", {"name": f"policyd {run.command}", **_totals(suites)})
    root.extend(suites)
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _totals(suites: Sequence[ElementTree.Element]) -> dict[str, str]:
    names = ("tests", "failures", "errors", "skipped")
    return {name: str(sum(int(suite.attrib[name]) for suite in suites)) for name in names}


def _suite(name: str, cases: Sequence[_Case], entries: Sequence[Entry]) -> ElementTree.Element:
    outcomes = Counter(case.outcome for case in cases)
    suite = ElementTree.Element(
        "testsuite",
        {
            "name": _text(name),
            "tests": str(len(cases)),
            "failures": str(outcomes["failure"]),
            "errors": str(outcomes["error"]),
            "skipped": str(outcomes["skipped"]),
        },
    )
    seen: Counter[tuple[str, str]] = Counter()
    for case in cases:
        seen[case.kind, case.name] += 1
        suite.append(_element(name, case, seen[case.kind, case.name]))
    notes = [e.diagnostic for e in entries if e.diagnostic.severity is Severity.NOTE]
    if notes:
        out = ElementTree.SubElement(suite, "system-out")
        out.text = "\n".join(_text(f"note[{d.code}] {d.message}") for d in notes)
    return suite


def _element(suite: str, case: _Case, number: int) -> ElementTree.Element:
    """CI systems tell cases apart by class and name, over all suites: the class names the file, and of several alike the
    later ones are numbered."""
    place = place_json(case.span)
    element = ElementTree.Element(
        "testcase",
        {
            "classname": _text(f"{suite} {case.kind}"),
            "name": _text(case.name) + (f" ({number})" if number > 1 else ""),
            "file": _text(case.path if place is None else str(place["path"])),
        },
    )
    if place is not None:
        element.set("line", str(place["line"]))
    if case.outcome == "skipped":
        ElementTree.SubElement(element, "skipped", {"message": _text(case.message)})
    elif case.outcome is not None:
        said = ElementTree.SubElement(
            element, case.outcome, {"type": case.type, "message": _text(case.message)}
        )
        said.text = "\n".join(_text(line) for line in case.lines)
    return element


def _cases(policy: PolicyReport) -> Iterator[_Case]:
    left = [e for e in policy.entries if e.diagnostic.severity is not Severity.NOTE]
    for claim in policy.claims:
        about = next((e for e in left if _is_about(e, claim)), None)
        left = [e for e in left if e is not about]
        yield _claim(claim, policy.path, about)
    for trial in policy.trials:
        about = next((e for e in left if trial.problems and _is_of(e, trial)), None)
        left = [e for e in left if e is not about]
        yield _trial(trial, policy.path, about)
    for entry in left:
        yield _finding(entry)
    if not left:
        yield _Case("findings", "no other errors or warnings", policy.path, None)
    for entry in policy.suppressed:
        by = entry.suppression
        reason = "suppressed" if by is None else f"suppressed: {by.reason}"
        yield _Case("findings", _name(entry), entry.path, entry.diagnostic.span, "skipped", message=reason)


def _claim(claim: Claim, path: str, about: Entry | None) -> _Case:
    if about is not None:
        outcome: Lit["failure", "error"] = "failure" if claim.state == "broken" else "error"
        return _wrong("assertions", claim.name, claim.span, outcome, about)
    if claim.state == "proved":
        return _Case("assertions", claim.name, path, claim.span)
    if claim.state == "unchecked":
        why = "the policy has mistakes that keep it from being proved"
        return _Case("assertions", claim.name, path, claim.span, "skipped", message=why)
    return _Case("assertions", claim.name, path, claim.span, "error", "PD302", f"{claim.text}: {claim.state}")


def _trial(trial: Trial, path: str, about: Entry | None) -> _Case:
    if about is not None:
        return _wrong("tests", trial.name, trial.span, "failure", about)
    if not trial.problems:
        return _Case("tests", trial.name, path, trial.span)
    return _Case("tests", trial.name, path, trial.span, "failure", "PD402", trial.problems[0], trial.problems)


def _finding(entry: Entry) -> _Case:
    bad = entry.unfinished or entry.diagnostic.code in ("PD001", "PD002", "PD003", "PD501")
    return _wrong("findings", _name(entry), entry.diagnostic.span, "error" if bad else "failure", entry)


def _wrong(kind: str, name: str, span: Span | None, outcome: Lit["failure", "error"], entry: Entry) -> _Case:
    found = entry.diagnostic
    place = [found.span.place] if found.span is not None else []
    lines = (*place, *found.details, *([f"help: {found.help}"] if found.help is not None else []))
    return _Case(kind, name, entry.path, span, outcome, found.code, found.message, lines)


def _name(entry: Entry) -> str:
    found = entry.diagnostic
    return f"{found.code} {CODES[found.code].title}: {found.message}"


def _is_about(entry: Entry, claim: Claim) -> bool:
    return entry.diagnostic.code in ("PD301", "PD302") and entry.subject == claim.name


def _is_of(entry: Entry, trial: Trial) -> bool:
    return entry.diagnostic.code in ("PD402", "PD403", "PD404") and entry.diagnostic.span == trial.span


def _text(text: str) -> str:
    return _NOT_XML.sub(lambda found: f"\\u{{{ord(found[0]):x}}}", printable(text))
