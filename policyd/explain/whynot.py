"""Why not: what keeps a target, a route, a deny or a guard from having a part in one decision.

In come a program, a request and what was hoped for; out goes a `WhyNot`: everything that stands in the way, not the first
thing only. A target may be removed by guards, not be named by the route that decides, or both; a route may fail a
condition, come too late, or be left without targets. The reference says what holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeAlias
from typing import Literal as Lit

from policyd.explain.explanation import (
    Cause,
    RouteState,
    TargetReading,
    deny_cause,
    guard_cause,
    targets_of,
)
from policyd.explain.parts import Reason, reasons
from policyd.policy.condition import Condition
from policyd.policy.decision import Decision, Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import Guard, Program, Route
from policyd.policy.request import Request
from policyd.policy.variants import plain_name
from policyd.policy.wording import condition_text
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Span

__all__ = ["Kind", "Removal", "RouteStep", "Subject", "WhyNot", "subject_of", "why_not"]

_ACCEPTED: Final = "name a target, or write `target:NAME`, `route:NAME`, `deny:NAME` or `guard:NAME`"
Kind: TypeAlias = Lit["target", "route", "deny", "guard"]


@dataclass(frozen=True, slots=True)
class Subject:
    """What was hoped for, by its kind: a target and a route may have one name."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Removal:
    """A guard that removes the target, and the part of its condition that holds."""

    cause: Cause
    holding: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RouteStep:
    """A route that could lead to what was hoped for. `matches`: its condition holds, whether or not it was reached;
    `failing` says why not; `targets` are its targets where it matches."""

    name: str
    state: RouteState
    matches: bool
    condition: str
    failing: tuple[Reason, ...]
    targets: tuple[TargetReading, ...]
    span: Span | None


@dataclass(frozen=True, slots=True)
class WhyNot:
    """`takes_part`: nothing is in the way, it is so. `denies` hold and end the decision before any route. `decided_by` is
    the route that decides, or None. `removals`: of a target, by every guard. `routes`: of a target those that name it, of
    a route itself. `failing`: of a deny or a guard, the part of its condition that does not hold."""

    subject: Subject
    takes_part: bool
    decided_by: str | None
    decides_at: Span | None
    denies: tuple[Cause, ...] = ()
    removals: tuple[Removal, ...] = ()
    routes: tuple[RouteStep, ...] = ()
    condition: str = ""
    failing: tuple[Reason, ...] = ()


def subject_of(program: Program, text: str) -> Subject | Diagnostic:
    """`claude`, or `target:claude` where a route has that name too."""
    names: Mapping[Kind, tuple[str, ...]] = {
        "target": tuple(t.name for t in program.declared),
        "route": tuple(r.name for r in program.routes),
        "deny": tuple(d.name for d in program.denies),
        "guard": tuple(g.name for g in program.written),
    }
    kind, colon, name = text.partition(":")
    asked = next((k for k in names if colon and k == kind), None)
    if asked is not None and name in names[asked]:
        return Subject(asked, name)
    if colon and asked is None:
        return _unclear(f"`{kind}` is no kind that can be asked for", _ACCEPTED)
    wanted = name if asked is not None else text
    within = (asked,) if asked is not None else tuple(names)
    found = [Subject(k, wanted) for k in within if wanted in names[k]]
    if len(found) == 1:
        return found[0]
    if found:
        kinds = " and ".join(f"a {s.kind}" for s in found)
        cure = " or ".join(f"`{s.kind}:{wanted}`" for s in found)
        return _unclear(f"`{wanted}` is {kinds}", f"write {cure}")
    what = asked or "target, route, deny or guard"
    near = get_close_matches(wanted[:200], [n for k in within for n in names[k]], n=1, cutoff=0.6)
    listed = ", ".join(f"`{n}`" for n in names[asked or "target"][:12])
    cure = f"did you mean `{near[0]}`?" if near else f"the {asked or 'target'}s are {listed or 'none'}"
    if not near and asked is None:
        cure = f"{_ACCEPTED}; {cure}"
    return _unclear(f"the policy has no {what} `{wanted}`", cure)


def why_not(program: Program, request: Request, subject: Subject) -> WhyNot:
    seen = _seen(program, request)
    match subject.kind:
        case "target":
            return _why_not_target(seen, subject)
        case "route":
            return _why_not_route(seen, subject)
        case "deny":
            condition = next(d.condition for d in program.denies if d.name == subject.name)
        case "guard":
            condition = next(g.condition for g in program.guards if g.name == subject.name)
    return _why_not_held(seen, subject, condition)


@dataclass(frozen=True, slots=True)
class _Seen:
    """One request's decision, and what every route's reading needs of it. `place` is the deciding route's place."""

    program: Program
    request: Request
    decision: Decision
    forbidden: Mapping[str, tuple[str, ...]]
    place: int | None

    def holds(self, condition: Condition) -> bool:
        return holds(self.program, condition, self.request)

    def decider(self) -> tuple[str | None, Span | None]:
        if self.place is None:
            return None, None
        route = self.program.routes[self.place]
        return route.name, route.span

    def denies(self) -> tuple[Cause, ...]:
        if self.place is not None:
            return ()
        return tuple(deny_cause(self.program, d) for d in self.program.denies if self.holds(d.condition))


def _seen(program: Program, request: Request) -> _Seen:
    decision = evaluate(program, request)
    place = None
    if isinstance(decision, Plan):
        place = next(i for i, r in enumerate(program.routes) if r.name == decision.route)
    return _Seen(program, request, decision, firing_guards(program, request), place)


def _why_not_target(seen: _Seen, subject: Subject) -> WhyNot:
    program, request, name = seen.program, seen.request, subject.name
    forms = forms_of(program, name)
    guards = [(g, f) for g in program.guards if (f := _hit(g, forms)) and seen.holds(g.condition)]
    return WhyNot(
        subject,
        isinstance(seen.decision, Plan) and any(f in seen.decision.targets for f in forms),
        *seen.decider(),
        seen.denies(),
        tuple(
            Removal(
                guard_cause(program, request, g, program.target(f)), reasons(program, g.condition, request)
            )
            for g, f in guards
        ),
        tuple(_step(seen, i, r) for i, r in enumerate(program.routes) if any(f in r.targets for f in forms)),
    )


def forms_of(program: Program, name: str) -> tuple[str, ...]:
    """The target and its variants, as far as routes name them; the target alone where none does."""
    named = dict.fromkeys(t for r in program.routes for t in r.targets)
    return tuple(t for t in named if plain_name(t) == name) or (name,)


def _hit(guard: Guard, forms: tuple[str, ...]) -> str | None:
    return next((f for f in forms if f in guard.hits), None)


def _why_not_route(seen: _Seen, subject: Subject) -> WhyNot:
    place = next(i for i, r in enumerate(seen.program.routes) if r.name == subject.name)
    step = _step(seen, place, seen.program.routes[place])
    return WhyNot(subject, place == seen.place, *seen.decider(), seen.denies(), routes=(step,))


def _why_not_held(seen: _Seen, subject: Subject, condition: Condition) -> WhyNot:
    held = seen.holds(condition)
    return WhyNot(
        subject,
        held,
        *seen.decider(),
        condition=condition_text(seen.program, condition),
        failing=() if held else reasons(seen.program, condition, seen.request),
    )


def _step(seen: _Seen, place: int, route: Route) -> RouteStep:
    program, request = seen.program, seen.request
    matches = seen.holds(route.condition)
    return RouteStep(
        route.name,
        _state(seen, place, matches=matches),
        matches,
        condition_text(program, route.condition),
        () if matches else reasons(program, route.condition, request),
        targets_of(program, request, route, seen.forbidden) if matches else (),
        route.span,
    )


def _state(seen: _Seen, place: int, *, matches: bool) -> RouteState:
    if seen.place is None:
        # INVARIANT: a rejection by `otherwise` has looked at every route, one by a deny at none.
        looked = isinstance(seen.decision, Reject) and seen.decision.by == ("otherwise",)
        return "not reached" if not looked else "passed over" if matches else "does not match"
    if place == seen.place:
        return "decides"
    return "not reached" if place > seen.place else "passed over" if matches else "does not match"


def _unclear(message: str, cure: str) -> Diagnostic:
    return Diagnostic("PD012", Severity.ERROR, message, None, cure)
