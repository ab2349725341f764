"""An explanation for people, as lines, and for programs, as JSON.

In comes an `Explanation`; out goes text. Everything an author or a caller wrote is escaped for the terminal; JSON carries
it as it is. It computes nothing.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from policyd.cli.output import Style
from policyd.explain.explanation import Cause, Explanation, Left, LevelReading, RouteReading
from policyd.policy.decision import Decision, Plan
from policyd.policy.program import Value
from policyd.policy.request import EVERYTHING
from policyd.policy.variants import plain_decision, plain_name, redaction_of
from policyd.reports.values import Json
from policyd.text.printable import printable
from policyd.text.source import Span
from policyd.trials.run import decision_text

__all__ = ["cause_json", "completed_lines", "explanation_json", "explanation_lines", "headline"]


def explanation_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    """What a person reads from top to bottom: the decision, then why."""
    yield from headline(explanation.decision, style)
    yield ""
    yield from _deny_lines(explanation, style)
    yield from _route_lines(explanation, style)
    if explanation.levels:
        yield style.bold("levels")
        for level in explanation.levels:
            yield from _level_lines(level)
        yield ""
    yield from _feature_lines(explanation, style)


def headline(decision: Decision, style: Style) -> Iterator[str]:
    """The decision and, of a rejection, its reasons."""
    paint = style.green if isinstance(decision, Plan) else style.red
    yield style.bold(paint(decision_text(decision)))
    if not isinstance(decision, Plan):
        for reason in decision.reasons:
            yield f"  because {_quoted(reason)}"


def explanation_json(
    explanation: Explanation, *, policy: str, digest: str, more: Mapping[str, Json] = MappingProxyType({})
) -> str:
    """One object, indented. The keys are part of the command's contract; see `docs/commands.md`. `more` are further ones."""
    decision = plain_decision(explanation.decision)
    if isinstance(decision, Plan):
        decided: dict[str, object] = {
            "kind": "plan",
            "route": decision.route,
            "candidates": [{"pick": g.pick, "targets": list(g.targets)} for g in decision.groups],
            **_redaction(_targets_of(explanation.decision)),
        }
    else:
        decided = {
            "kind": "reject",
            "by": list(decision.by),
            "reasons": list(decision.reasons),
            "status": decision.status,
        }
    looked = explanation.looked
    document: dict[str, object] = {
        "policy": policy,
        "digest": digest,
        "decision": decided,
        "denies": [cause_json(c) for c in explanation.denies],
        "routes": [_route_json(r) for r in explanation.routes],
        "levels": {
            level.name: {
                "value": level.value,
                "starts_at": level.starts_at,
                "starts_when": level.starts_because,
                "raised": list(level.raised),
            }
            for level in explanation.levels
        },
        "features": {
            f.name: {"value": _plain(f.value), "given": f.given, "completed": f.completed}
            for f in explanation.features
        },
        "looked_at": None if looked is None else list(looked.at),
        "not_needed": None if looked is None else list(looked.not_needed),
        **more,
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def _deny_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    if not explanation.denies:
        return
    yield style.bold("denied by")
    for cause in explanation.denies:
        yield f"  {style.red(cause.name)}  when {printable(cause.condition)}{_at(cause.span, style)}"
        yield f"    because {_quoted(cause.because)}"
    yield ""


def _route_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    routes = [r for r in explanation.routes if r.state != "not reached"]
    if routes:
        yield style.bold("routes, in order")
    for route in routes:
        redaction = redaction_of(t.name for t in route.targets)
        redacts = f", with {redaction}" if redaction else ""
        yield f"  {route.name}  {_state_text(route, style)}{redacts}{_at(route.span, style)}"
        if route.left is not None:
            yield f"    guards see  {_left_text(route.left)}"
        for target in route.targets:
            name = plain_name(target.name)
            if not target.removed_by:
                yield f"    {style.green(name)}  {'a candidate' if route.state == 'decides' else 'allowed'}"
                continue
            yield f"    {style.yellow(name)}  removed by {' and '.join(_names(target.removed_by))}"
            for cause in target.removed_by:
                yield from (f"      {line}" for line in _cause_lines(cause, style))
    left = len(explanation.routes) - len(routes)
    if routes:
        if left:
            yield style.dim(f"  {left} further {'route' if left == 1 else 'routes'} not reached")
        yield ""


def _left_text(left: Left) -> str:
    """`findings { }, sensitivity internal (as it came: confidential)`."""
    if left.findings is None:
        found = "every finding that is not taken out"
    else:
        found = f"findings {{ {', '.join(left.findings)} }}" if left.findings else "no finding"
    levels = (
        f"{name} {value}" + ("" if value == came else f" (as it came: {came})")
        for name, value, came in left.levels
    )
    return printable(", ".join((found, *levels)))


def _state_text(route: RouteReading, style: Style) -> str:
    condition = printable(route.condition)
    match route.state:
        case "decides":
            return style.green("decides") + ("" if condition == "true" else f": {condition}")
        case "passed over":
            return style.yellow("passed over, no target was left") + (
                "" if condition == "true" else f": {condition}"
            )
        case _:
            return style.dim(f"does not match: {condition}")


def _cause_lines(cause: Cause, style: Style) -> Iterator[str]:
    if cause.builtin:
        yield f"{cause.name}: {printable(cause.what)}"
        return
    when = "" if cause.condition == "true" else f" when {printable(cause.condition)}"
    yield f"{cause.name}: {printable(cause.what)}{when}{_at(cause.span, style)}"
    yield f"  because {_quoted(cause.because)}"
    for exception in cause.exceptions:
        yield f"  exception {printable(exception)}"


def _level_lines(level: LevelReading) -> Iterator[str]:
    yield f"  {level.name} is {level.value}"
    when = "" if level.starts_because == "true" else f" when {printable(level.starts_because)}"
    yield f"    starts at {level.starts_at}{when}"
    yield from (f"    {printable(text)}" for text in level.raised)


def _feature_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    given = [f"{f.name} = {printable(f.shown)}" for f in explanation.features if f.given]
    completed = tuple(completed_lines(explanation, style))
    rest = "" if completed else "; everything else is quiet"
    yield f"{style.bold('given')}       {', '.join(given) or 'nothing'}{rest}"
    yield from completed
    looked = explanation.looked
    if looked is not None:
        yield f"{style.bold('looked at')}   {', '.join(looked.at) or 'nothing'}"
        yield f"{style.bold('not needed')}  {', '.join(looked.not_needed) or 'nothing'}"


def completed_lines(explanation: Explanation, style: Style) -> Iterator[str]:
    """What was added to the request because it belongs to what was given; no line where that is nothing."""
    added = [f"{f.name} = {printable(f.shown)}" for f in explanation.features if f.completed]
    if added:
        yield f"{style.bold('completed')}   {', '.join(added)}, by what is given; everything else is quiet"


def _names(causes: tuple[Cause, ...]) -> list[str]:
    return list(dict.fromkeys(c.name for c in causes))


def _at(span: Span | None, style: Style) -> str:
    return "" if span is None else style.dim(f"  ({printable(span.place)})")


def _quoted(text: str) -> str:
    return f'"{printable(text)}"'


def cause_json(cause: Cause) -> dict[str, Json]:
    """A guard or a deny with its reason."""
    return {
        "name": cause.name,
        "what": cause.what,
        "when": cause.condition,
        "because": cause.because,
        "builtin": cause.builtin,
        "exceptions": list(cause.exceptions),
        "place": None if cause.span is None else cause.span.place,
    }


def _redaction(names: Iterable[str]) -> dict[str, str]:
    """What is taken out on the way to these targets of one route; no key where nothing is."""
    said = redaction_of(names)
    return {"redaction": said} if said else {}


def _targets_of(decision: Decision) -> tuple[str, ...]:
    return decision.targets if isinstance(decision, Plan) else ()


def _route_json(route: RouteReading) -> dict[str, object]:
    return {
        "name": route.name,
        "state": route.state,
        "when": route.condition,
        "targets": [
            {"name": plain_name(t.name), "removed_by": [cause_json(c) for c in t.removed_by]}
            for t in route.targets
        ],
        **_redaction(t.name for t in route.targets),
        **({} if route.left is None else {"guards_see": _left_json(route.left)}),
        "place": None if route.span is None else route.span.place,
    }


def _left_json(left: Left) -> dict[str, object]:
    findings = None if left.findings is None else list(left.findings)
    return {"findings": findings, "levels": {name: value for name, value, _ in left.levels}}


def _plain(value: Value) -> object:
    """A value that JSON has: names as a sorted list, every name as `null`, which reads back as unknown."""
    if value is EVERYTHING:
        return None
    return sorted(value) if isinstance(value, frozenset) else value
