"""The pieces of JSON that several commands write: requests, decisions, places and diagnostics, always in one form.

In come values of the policy; out go plain dictionaries and lists, and with `document_text` the text. A request in JSON
is what `policyd explain POLICY REQUEST.json` reads, and its `line` what `--given` reads.

The text is ASCII: what could hide, turn the direction or break a line is an escape for every reader. Half a surrogate
pair, which only a file's name can hold, is no character in JSON and is written out.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import TypeAlias

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.decision import Candidates, Decision, Plan, Removal
from policyd.policy.program import MAX_NUMBER, Value
from policyd.policy.request import EVERYTHING
from policyd.policy.variants import plain_decision, redaction_of
from policyd.policy.written import given_text
from policyd.text.diagnostic import Diagnostic
from policyd.text.source import Span

__all__ = [
    "Json", "decision_json", "diagnostic_json", "document_text", "given_json", "place_json", "request_json",
]  # fmt: skip

Json: TypeAlias = bool | int | float | str | list["Json"] | dict[str, "Json"] | None

_COUNTED = frozenset(f.name for f in BUILTIN_FEATURES if f.unknown == MAX_NUMBER)
_HALF = re.compile("[\ud800-\udfff]")


def document_text(document: Mapping[str, Json]) -> str:
    """A document as text, with a line break at its end."""
    return json.dumps(_sound(dict(document)), ensure_ascii=True, allow_nan=False, indent=2) + "\n"


def given_json(given: Iterable[tuple[str, Value | None]]) -> dict[str, Json]:
    """`{"team": "search", "findings": ["secret"], "tokens": null}`: null is unknown, what is not named is quiet."""
    return {name: _value(name, value) for name, value in given}


def request_json(given: Iterable[tuple[str, Value | None]]) -> dict[str, Json]:
    """A request as values and as the line for `policyd explain --given`."""
    pairs = tuple(given)
    return {"given": given_json(pairs), "line": given_text(pairs)}


def decision_json(decision: Decision) -> dict[str, Json]:
    """`kind` is `plan` with `route` and `candidates`, or `reject` with `by`, `reasons` and `status`."""
    redaction = redaction_of(decision.targets) if isinstance(decision, Plan) else ""
    decision = plain_decision(decision)
    if isinstance(decision, Plan):
        head: dict[str, Json] = {
            "kind": "plan",
            "route": decision.route,
            "candidates": [_candidates(group) for group in decision.groups],
        }
        if redaction:
            head["redaction"] = redaction
    else:
        head = {
            "kind": "reject",
            "by": [*decision.by],
            "reasons": [*decision.reasons],
            "status": decision.status,
        }
    return head | {
        "removed": [_removal(removal) for removal in decision.removed],
        "passed_over": [*decision.passed_over],
    }


def place_json(span: Span | None) -> dict[str, Json] | None:
    """Lines and columns count from 1, columns in characters; the end is the first character that is not part of it."""
    if span is None:
        return None
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(max(span.start, span.end))
    return {
        "path": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }


def diagnostic_json(diagnostic: Diagnostic, title: str) -> dict[str, Json]:
    """What is wrong, where, and the cure. `title` is the code's own, the same for each of its findings."""
    return {
        "code": diagnostic.code,
        "title": title,
        "severity": str(diagnostic.severity),
        "message": diagnostic.message,
        "help": diagnostic.help,
        "place": place_json(diagnostic.span),
        "related": [{"place": place_json(label.span), "text": label.text} for label in diagnostic.labels],
        "details": [*diagnostic.details],
    }


def _value(name: str, value: Value | None) -> Json:
    if value is None or value is EVERYTHING or (value == MAX_NUMBER and name in _COUNTED):
        return None
    if isinstance(value, frozenset):
        return [*sorted(value)]
    if name == "date" and isinstance(value, int):
        return date.fromordinal(value).isoformat()
    return value


def _candidates(group: Candidates) -> Json:
    return {"pick": group.pick, "targets": [*group.targets]}


def _removal(removal: Removal) -> Json:
    return {"target": removal.target, "guards": [*removal.guards]}


def _sound(value: Json) -> Json:
    """The same without halves of surrogate pairs, which are no text."""
    match value:
        case str():
            return _HALF.sub(lambda half: f"\\u{{{ord(half[0]):x}}}", value)
        case list():
            return [_sound(item) for item in value]
        case dict():
            return {str(_sound(key)): _sound(item) for key, item in value.items()}
        case _:
            return value
