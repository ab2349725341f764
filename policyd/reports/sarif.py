"""A run as SARIF 2.1.0, the form in which code scanning takes findings.

In come a `Run`, the page of every code and where the repository is; out goes one SARIF log with one run. Every result has a
place, as GitHub asks for; a finding without one is placed at the beginning of its file. Its fingerprint is made of what the
finding is about and not of where it stands, so that it stays the same finding when lines move.

A message may hold an author's words, and SARIF reads `[text](target)` in a message as a link. No author makes one: a space
keeps the brackets apart. Hidden characters are escapes, as in a terminal.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from policyd.reports.model import Entry, Run
from policyd.reports.places import Base
from policyd.reports.values import Json, decision_json, document_text, place_json, request_json
from policyd.text.codes import CODES, Code
from policyd.text.diagnostic import Severity
from policyd.text.printable import printable
from policyd.text.source import Span

__all__ = ["MOST_RESULTS", "Page", "sarif_text"]

MOST_RESULTS: Final = 25_000
"""GitHub refuses a run with more. The worst come first, and a notification says how many were left out."""

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT: Final = "%SRCROOT%"
_FINGERPRINT: Final = "policydFinding/v1"
_MOST_PLACES: Final = 1_000
_LINES: Final = re.compile(r":\d+(:\d+)?|\bline \d+")
_GRADES: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "recommendation"}


@dataclass(frozen=True, slots=True)
class Page:
    """What is known of a code: its first paragraph, the whole page as plain text and as Markdown."""

    summary: str
    text: str
    markdown: str


def sarif_text(run: Run, *, base: Base, pages: Mapping[str, Page], home: str | None = None) -> str:
    """The log. `pages` has each code's; `home` is the address of the folder that serves them, where there is one."""
    codes = sorted(CODES.values(), key=lambda c: c.code)
    numbers = {code.code: number for number, code in enumerate(codes)}
    entries = sorted(run.all_entries(), key=lambda e: list(Severity).index(e.diagnostic.severity))
    seen: Counter[str] = Counter()
    driver: dict[str, Json] = {
        "name": "policyd",
        "semanticVersion": run.version,
        "rules": [_rule(code, pages[code.code], home) for code in codes],
    }
    one_run: dict[str, Json] = {
        "tool": {"driver": driver},
        "invocations": [_invocation(run, left_out=max(0, len(entries) - MOST_RESULTS))],
        "originalUriBaseIds": {_ROOT: {"description": {"text": "the root of the repository"}}},
        "columnKind": "unicodeCodePoints",
        "results": [
            _result(e, number=numbers[e.diagnostic.code], base=base, seen=seen)
            for e in entries[:MOST_RESULTS]
        ],
    }
    if home is not None:
        driver["informationUri"] = home
    return document_text({"$schema": _SCHEMA, "version": "2.1.0", "runs": [one_run]})


def _rule(code: Code, page: Page, home: str | None) -> Json:
    rule: dict[str, Json] = {
        "id": code.code,
        "name": "".join(word.capitalize() for word in re.findall(r"[a-z0-9]+", code.title.lower())),
        "shortDescription": {"text": code.title[0].upper() + code.title[1:]},
        "fullDescription": {"text": page.summary},
        "help": {"text": page.text, "markdown": page.markdown},
        "defaultConfiguration": {"level": str(code.severity)},
        "properties": {
            "tags": ["policy"],
            "precision": "very-high",
            "problem.severity": _GRADES[code.severity],
        },
    }
    if home is not None:
        rule["helpUri"] = f"{home.rstrip('/')}/{code.code}.md"
    return rule


def _invocation(run: Run, *, left_out: int) -> Json:
    invocation: dict[str, Json] = {
        "executionSuccessful": run.exit_code in (0, 1, 3),
        "exitCode": run.exit_code,
    }
    if left_out:
        text = f"{left_out} further findings are left out: code scanning takes {MOST_RESULTS} at most"
        invocation["toolExecutionNotifications"] = [{"level": "warning", "message": {"text": text}}]
    return invocation


def _result(entry: Entry, *, number: int, base: Base, seen: Counter[str]) -> Json:
    found = entry.diagnostic
    labels = [label for label in found.labels if label.span != found.span]
    result: dict[str, Json] = {
        "ruleId": found.code,
        "ruleIndex": number,
        "level": str(found.severity),
        "message": {"text": _message(entry)},
        "locations": [_location(found.span, entry.path, base)],
        "partialFingerprints": {_FINGERPRINT: _fingerprint(entry, base, seen)},
        "suppressions": [*_suppressions(entry, base)],
        "properties": _properties(entry),
    }
    if labels:
        result["relatedLocations"] = [
            {**_location(label.span, entry.path, base), "id": i, "message": {"text": _words(label.text)}}
            for i, label in enumerate(labels[:_MOST_PLACES], 1)
        ]
    return result


def _message(entry: Entry) -> str:
    found = entry.diagnostic
    lines = [found.message, *found.details]
    if found.help is not None:
        lines.append(f"help: {found.help}")
    return "\n".join(_words(line) for line in lines)


def _words(text: str) -> str:
    return printable(text).replace("](", "] (")


def _location(span: Span | None, path: str, base: Base) -> dict[str, Json]:
    uri, relative = base.uri(path if span is None else span.source.name)
    artifact: dict[str, Json] = {"uri": uri}
    if relative:
        artifact["uriBaseId"] = _ROOT
    region: dict[str, Json] = {"startLine": 1}
    place = place_json(span)
    if place is not None:
        region = {
            "startLine": place["line"],
            "startColumn": place["column"],
            "endLine": place["end_line"],
            "endColumn": place["end_column"],
        }
    return {"physicalLocation": {"artifactLocation": artifact, "region": region}}


def _fingerprint(entry: Entry, base: Base, seen: Counter[str]) -> str:
    """What the finding is about: its code, its file and its subject, or its message without places. Of several alike, the
    first is the first in its file."""
    found = entry.diagnostic
    file = base.path(entry.path if found.span is None else found.span.source.name)
    about = entry.subject or _LINES.sub("", found.message)
    words = "\0".join((found.code, file, about))
    digest = blake2b(words.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    seen[digest] += 1
    return f"{digest}:{seen[digest]}"


def _suppressions(entry: Entry, base: Base) -> Iterator[Json]:
    by = entry.suppression
    if by is None:
        return
    until = f" (until {by.until})" if by.until else ""
    suppression: dict[str, Json] = {
        "kind": "inSource",
        "status": "accepted",
        "justification": printable(by.reason) + until,
    }
    if by.span is not None:
        suppression["location"] = _location(by.span, entry.path, base)
    yield suppression


def _properties(entry: Entry) -> Json:
    properties: dict[str, Json] = {"unfinished": entry.unfinished}
    if entry.subject:
        properties["subject"] = entry.subject
    for name, shown in (("witness", entry.witness), ("twin", entry.twin)):
        if shown is not None:
            properties[name] = {
                **request_json(shown.given),
                "outcome": shown.outcome,
                "decision": decision_json(shown.decision),
            }
    return properties
