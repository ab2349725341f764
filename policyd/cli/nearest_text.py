"""The nearest requests for people, as lines, and for programs, as JSON.

In come what was found and what was hoped for; out goes text: what changes from what to what, who can change it, what is
decided then, and the command that shows it. It computes nothing.
"""

import shlex
from collections.abc import Iterator

from policyd.cli.output import Style
from policyd.explain.explanation import shown_value
from policyd.explain.nearest import Change, Nearby, Nearest
from policyd.explain.whynot import Subject
from policyd.policy.program import Feature, Provenance, Value
from policyd.policy.written import given_text
from policyd.reports.values import Json, decision_json, given_json, request_json
from policyd.text.printable import printable, width
from policyd.trials.run import decision_text

__all__ = ["nearest_json", "nearest_lines"]


def nearest_lines(
    found: Nearest, subject: Subject | None, words: tuple[str, ...], style: Style
) -> Iterator[str]:
    """`words` is how a command line names the policy."""
    hoped = _hoped(subject)
    if not found.found:
        said = f"no request {hoped}" if found.proved else f"not proved whether any request {hoped}"
        paint = str if found.proved else style.yellow
        yield style.bold(paint(said)) + (": proved" if found.proved else ": the search ran out of its budget")
        return
    count = found.found[0].distance
    features = f"{count} feature" if count == 1 else f"{count} features"
    yield style.bold(f"nearest request that {hoped}: {features} away") + (
        ""
        if found.proved
        else style.yellow("  not proved to be the nearest: the search ran out of its budget")
    )
    for number, nearby in enumerate(found.found):
        if number:
            yield "  or, as near"
        yield from (f"  {line}" for line in _nearby_lines(nearby, words, style))


def nearest_json(found: Nearest, subject: Subject | None) -> dict[str, Json]:
    """See `docs/commands.md`."""
    return {
        "to": None if subject is None else {"kind": subject.kind, "name": subject.name},
        "proved": found.proved,
        "distance": found.found[0].distance if found.found else None,
        "requests": [_nearby_json(n) for n in found.found],
    }


def _hoped(subject: Subject | None) -> str:
    match subject:
        case None:
            return "has another outcome"
        case Subject("target", name):
            return f"has {name} as a candidate"
        case Subject("route", name):
            return f"is decided by route {name}"
        case Subject(kind, name):
            return f"meets {kind} {name}"


def _nearby_lines(nearby: Nearby, words: tuple[str, ...], style: Style) -> Iterator[str]:
    wide = max(width(printable(c.feature.name)) for c in nearby.changes)
    moves = [f"{_shown(c, c.before)} → {_shown(c, c.after)}" for c in nearby.changes]
    wider = max(map(width, moves))
    for change, move in zip(nearby.changes, moves, strict=True):
        name = printable(change.feature.name)
        who = "follows" if change.follows else _who(change.feature)
        gap, after = " " * (wide - width(name)), " " * (wider - width(move))
        yield f"{name}{gap}  {move}{after}  {style.dim(who)}"
    yield f"then: {printable(decision_text(nearby.decision))}"
    command = shlex.join(("policyd", "explain", *words, "--given", given_text(nearby.given)))
    yield style.dim(printable(command))


def _shown(change: Change, value: Value) -> str:
    return printable(shown_value(change.feature, value)) or '""'


def _who(feature: Feature) -> str:
    """Who can make it another value."""
    match feature.provenance, feature.where.kind:
        case Provenance.CLAIMED, "header" | "label":
            return f"the caller writes it, in header {printable(feature.where.key)}"
        case Provenance.CLAIMED, _:
            return "the caller writes it"
        case Provenance.DERIVED, _:
            return "computed from the content"
        case _, "identity":
            return "the identity says it"
        case _, "deployment":
            return "the deployment says it"
        case _, "ledger":
            return "the ledger says it"
        case _, "conversation":
            return "the conversation has reached it"
        case _:
            return "the path that is called" if feature.name == "endpoint" else "the clock says it"


def _nearby_json(nearby: Nearby) -> Json:
    return {
        "changes": [
            {
                "feature": c.feature.name,
                "from": _plain(c, c.before),
                "to": _plain(c, c.after),
                "follows": c.follows,
                "provenance": str(c.feature.provenance),
                "source": {"kind": c.feature.where.kind, "key": c.feature.where.key},
            }
            for c in nearby.changes
        ],
        "request": request_json(nearby.given),
        "decision": decision_json(nearby.decision),
    }


def _plain(change: Change, value: Value) -> Json:
    name = change.feature.name
    return given_json(((name, value),))[name]
