"""A `WhyNot` for people, as lines, and for programs, as JSON.

In comes the explanation; out goes text. Everything an author or a caller wrote is escaped for the terminal; JSON carries
it as it is. It computes nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from policyd.cli.explanation_text import cause_json
from policyd.cli.output import Style
from policyd.explain.explanation import Cause
from policyd.explain.parts import Reason
from policyd.explain.whynot import Removal, RouteStep, WhyNot
from policyd.policy.variants import plain_name
from policyd.reports.values import Json, place_json
from policyd.text.printable import printable
from policyd.text.source import Span

__all__ = ["why_not_json", "why_not_lines"]

_MOST_ROUTES: Final = 6


def why_not_lines(why: WhyNot, style: Style) -> Iterator[str]:
    """Everything that stands in the way, indented below the question."""
    subject = why.subject
    yield style.bold(f"why not {'' if subject.kind == 'target' else f'{subject.kind} '}{subject.name}?")
    for line in _lines(why, style):
        yield f"  {line}"


def why_not_json(why: WhyNot) -> dict[str, Json]:
    """See `docs/commands.md`."""
    return {
        "kind": why.subject.kind,
        "name": why.subject.name,
        "takes_part": why.takes_part,
        "decided_by": why.decided_by,
        "denied_by": [cause_json(c) for c in why.denies],
        "removed_by": [
            {**cause_json(r.cause), "holding": [_reason_json(h) for h in r.holding]} for r in why.removals
        ],
        "routes": [_step_json(s) for s in why.routes],
        "when": why.condition or None,
        "failing": [_reason_json(r) for r in why.failing],
    }


def _lines(why: WhyNot, style: Style) -> Iterator[str]:
    match why.subject.kind:
        case "target":
            yield from _target_lines(why, style)
        case "route":
            yield from _route_lines(why, style)
        case _:
            if why.takes_part:
                yield f"it holds: {printable(why.condition)}"
            yield from _failing_lines("it does not hold", why.failing)


def _target_lines(why: WhyNot, style: Style) -> Iterator[str]:
    if why.takes_part:
        yield f"it is a candidate: route {why.decided_by} decides and names it{_at(why.decides_at, style)}"
        return
    yield from _deny_lines(why.denies, style)
    for removal in why.removals:
        yield from _removal_lines(removal, style)
    if not why.routes:
        yield "no route names it"
        return
    if why.decided_by is not None and all(step.state != "decides" for step in why.routes):
        yield f"route {why.decided_by}, which decides, does not name it{_at(why.decides_at, style)}"
    others = [step for step in why.routes if step.state != "decides"]
    for step in others[:_MOST_ROUTES]:
        yield from _naming_lines(step, why, style)
    if len(others) > _MOST_ROUTES:
        yield style.dim(f"{len(others) - _MOST_ROUTES} further routes name it")


def _naming_lines(step: RouteStep, why: WhyNot, style: Style) -> Iterator[str]:
    """A route that names the target and did not decide."""
    place = _at(step.span, style)
    match step.state:
        case "passed over":
            yield f"route {step.name} names it, and no target of it was left{place}"
        case "not reached" if why.decided_by is None:
            yield f"route {step.name} names it, and no route is reached{place}"
        case "not reached" if step.matches:
            yield f"route {step.name} names it and would match, but comes after {why.decided_by}{place}"
        case "not reached":
            yield f"route {step.name} names it, comes after {why.decided_by} and does not match{place}"
            yield from _reason_lines(step.failing)
        case _:
            yield f"route {step.name} names it and does not match{place}"
            yield from _reason_lines(step.failing)


def _route_lines(why: WhyNot, style: Style) -> Iterator[str]:
    (step,) = why.routes
    if why.takes_part:
        yield f"it decides{_at(step.span, style)}"
        return
    yield from _deny_lines(why.denies, style)
    if why.decided_by is not None and step.state == "not reached":
        yield f"route {why.decided_by} decides before it{_at(why.decides_at, style)}"
    yield from _failing_lines("its condition does not hold", step.failing)
    if step.matches:
        left = [plain_name(t.name) for t in step.targets if not t.removed_by]
        said = "its condition holds" if step.condition != "true" else "it takes every request"
        yield f"{said}, and {' and '.join(left) or 'no target of it'} {'are' if len(left) > 1 else 'is'} left"
        for target in step.targets:
            if target.removed_by:
                guards = " and ".join(dict.fromkeys(c.name for c in target.removed_by))
                yield f"  {plain_name(target.name)} removed by {guards}"


def _deny_lines(denies: Sequence[Cause], style: Style) -> Iterator[str]:
    for cause in denies:
        when = printable(cause.condition)
        yield f"denied by {cause.name} before any route: when {when}{_at(cause.span, style)}"
        yield f'  because "{printable(cause.because)}"'


def _removal_lines(removal: Removal, style: Style) -> Iterator[str]:
    cause = removal.cause
    if cause.builtin:
        yield f"removed by {cause.name}: {printable(cause.what)}"
        return
    when = "" if cause.condition == "true" else f" when {printable(cause.condition)}"
    yield f"removed by {cause.name}: {printable(cause.what)}{when}{_at(cause.span, style)}"
    yield from _reason_lines(removal.holding, holds=True)
    yield f'  because "{printable(cause.because)}"'
    for exception in cause.exceptions:
        yield f"  exception {printable(exception)}"


def _failing_lines(title: str, failing: Sequence[Reason]) -> Iterator[str]:
    if failing:
        yield title
        yield from _reason_lines(failing)


def _reason_lines(reasons: Sequence[Reason], *, holds: bool = False) -> Iterator[str]:
    for reason in reasons:
        here = ", ".join(f"{name} is {value}" for name, value in reason.here)
        since = "".join(f", by {text}" for text in reason.since)
        mark = "holds" if holds else "fails"
        yield printable(f"  {mark}: {reason.text}  ({here}{since})")


def _at(span: Span | None, style: Style) -> str:
    return "" if span is None else style.dim(f"  ({printable(span.place)})")


def _reason_json(reason: Reason) -> Json:
    return {"condition": reason.text, "here": dict(reason.here), "since": [*reason.since]}


def _step_json(step: RouteStep) -> Json:
    return {
        "name": step.name,
        "state": step.state,
        "matches": step.matches,
        "when": step.condition,
        "failing": [_reason_json(r) for r in step.failing],
        "targets": [
            {"name": plain_name(t.name), "removed_by": [*dict.fromkeys(c.name for c in t.removed_by)]}
            for t in step.targets
        ],
        "place": place_json(step.span),
    }
