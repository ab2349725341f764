"""Why a policy decides one request as it does, as data.

In come a program and a request; out goes an `Explanation` that the text and the JSON of `policyd explain` are written
from. Everything in it is the reference's reading; which features the compiled policy looked at is added from outside.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal as Lit

from policyd.policy.condition import Condition, Has, features_of, tests_of
from policyd.policy.decision import Decision, Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds, level_rank
from policyd.policy.levels import level_condition
from policyd.policy.program import (
    MAX_NUMBER,
    Classify,
    Deny,
    Fact,
    Feature,
    Guard,
    NumberDomain,
    Program,
    Raise,
    Route,
    Target,
    Value,
)
from policyd.policy.quiet import quiet_value
from policyd.policy.redacted import seen_after
from policyd.policy.request import EVERYTHING, Request
from policyd.policy.variants import covers
from policyd.policy.wording import condition_text
from policyd.policy.written import number_text, value_text
from policyd.text.source import Span

__all__ = [
    "Cause", "Explanation", "FeatureValue", "Left", "LevelReading", "Looked", "RouteReading", "RouteState", "TargetReading",
    "deny_cause", "explanation_of", "guard_cause", "shown_value", "targets_of",
]  # fmt: skip

RouteState = Lit["decides", "passed over", "does not match", "not reached"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A guard that removed a target, or a deny that holds. `what` is its predicate as written; for a capability guard
    the sentence that a person needs. `exceptions` are those to this guard, with whether they apply."""

    name: str
    what: str
    condition: str
    because: str
    builtin: bool = False
    exceptions: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class TargetReading:
    """A target of a route: a candidate exactly when no cause removed it."""

    name: str
    removed_by: tuple[Cause, ...]


@dataclass(frozen=True, slots=True)
class Left:
    """What guards see of a request on a route that decides `after redaction`: the findings that are left (None: all that are
    not taken out may be there) and the levels as they are computed from them, each with its value as the request came."""

    findings: tuple[str, ...] | None
    levels: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True)
class RouteReading:
    """A route in the order of decision. Targets are read only where its condition holds and it was reached."""

    name: str
    state: RouteState
    condition: str
    targets: tuple[TargetReading, ...]
    span: Span | None
    left: Left | None = None


@dataclass(frozen=True, slots=True)
class LevelReading:
    """A classified level: where it starts and everything that raises it at least to `value`, or would have."""

    name: str
    value: str
    starts_at: str
    starts_because: str
    raised: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FeatureValue:
    """A feature's value in this request; `given` says whether the person wrote it, `completed` that it is not quiet
    because it belongs to what the person wrote: the answer's part of a context, the day of a date."""

    name: str
    value: Value
    shown: str
    given: bool
    completed: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """Which features the compiled policy asked for, in the order it asked, and which it could do without."""

    at: tuple[str, ...]
    not_needed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Explanation:
    decision: Decision
    denies: tuple[Cause, ...]
    routes: tuple[RouteReading, ...]
    levels: tuple[LevelReading, ...]
    features: tuple[FeatureValue, ...]
    looked: Looked | None


def explanation_of(
    program: Program, request: Request, *, given: Iterable[str], looked: Looked | None = None
) -> Explanation:
    """The whole reading of one request."""
    decision = evaluate(program, request)
    denied = isinstance(decision, Reject) and decision.by != ("otherwise",)
    return Explanation(
        decision=decision,
        denies=tuple(
            deny_cause(program, d) for d in program.denies if denied and holds(program, d.condition, request)
        ),
        routes=_routes(program, request, decision, denied=denied),
        levels=tuple(_level(program, level, request) for level in program.levels),
        features=_features(program, request, frozenset(given)),
        looked=looked,
    )


def _routes(
    program: Program, request: Request, decision: Decision, *, denied: bool
) -> tuple[RouteReading, ...]:
    forbidden = firing_guards(program, request)
    reached = not denied
    out: list[RouteReading] = []
    for route in program.routes:
        matches = reached and holds(program, route.condition, request)
        decides = matches and isinstance(decision, Plan) and decision.route == route.name
        state: RouteState = (
            "not reached"
            if not reached
            else "decides"
            if decides
            else "passed over"
            if matches
            else "does not match"
        )
        targets = targets_of(program, request, route, forbidden) if matches else ()
        out.append(
            RouteReading(
                route.name,
                state,
                condition_text(program, route.condition),
                targets,
                route.span,
                _left(program, request, route) if matches else None,
            )
        )
        reached = reached and not decides
    return tuple(out)


def _left(program: Program, request: Request, route: Route) -> Left | None:
    redaction = next((t.redaction for t in program.targets if t.name in route.targets), None)
    if redaction is None or not redaction.after:
        return None
    found = request.values["findings"]
    findings = (
        None
        if found is EVERYTHING or not isinstance(found, frozenset)
        else tuple(sorted(name for name in found if not covers(redaction, name)))
    )
    by_name = {level.name: level for level in program.levels}

    def rank(level: Classify) -> int:
        """INVARIANT: of the lowest value every level is at least."""
        ranks = range(1, len(level.values))
        seen = (
            r
            for r in ranks
            if holds(program, seen_after(level_condition(level, r), redaction, by_name), request)
        )
        return max(seen, default=0)

    return Left(
        findings,
        tuple(
            (level.name, level.values[rank(level)], level.values[level_rank(program, level, request)])
            for level in program.levels
        ),
    )


def targets_of(
    program: Program, request: Request, route: Route, forbidden: Mapping[str, tuple[str, ...]]
) -> tuple[TargetReading, ...]:
    """The route's targets, each with the guards that remove it. `forbidden` is what `firing_guards` says."""
    readings = []
    for name in dict.fromkeys(route.targets):
        causes = tuple(
            guard_cause(program, request, guard, program.target(name))
            for guard in program.guards
            if name in forbidden and name in guard.hits and holds(program, guard.condition, request)
        )
        readings.append(TargetReading(name, causes))
    return tuple(readings)


def deny_cause(program: Program, deny: Deny) -> Cause:
    return Cause(deny.name, "", condition_text(program, deny.condition), deny.because, span=deny.span)


def guard_cause(program: Program, request: Request, guard: Guard, target: Target) -> Cause:
    """A guard that removes the target from the request."""
    if guard.builtin:
        what = _capability_text(guard, target, request)
        return Cause(guard.name, what, condition_text(program, guard.condition), "", builtin=True)
    exceptions = tuple(
        f"{e.name} ({_exception_state(program, e.when, e.until, request)}; owner {e.owner})"
        for e in program.exceptions
        if e.guard == guard.name
    )
    condition = condition_text(program, guard.condition)
    return Cause(guard.name, guard.text, condition, guard.because, exceptions=exceptions, span=guard.span)


def _exception_state(program: Program, when: Condition, until: int, request: Request) -> str:
    day = request.values.get("date")
    if isinstance(day, int) and day > until:
        return f"ended on {value_text(until, unit='date')}"
    applies = "holds" if holds(program, when, request) else "does not hold"
    return f"`{condition_text(program, when)}` {applies}, until {value_text(until, unit='date')}"


def _capability_text(guard: Guard, target: Target, request: Request) -> str:
    values = request.values
    match guard.name:
        case "context":
            needed = values["context_needed"]
            shown = "an unknown number of" if needed == MAX_NUMBER else number_text(int(needed))  # type: ignore[arg-type]
            return f"the request needs {shown} tokens of context, the target has {_fact_text(target.fact('context'))}"
        case "speaks":
            spoken = _fact_text(target.fact("speaks"))
            return f"the request calls `{values['endpoint']}`, the target speaks {spoken}"
        case "translates":
            spoken = _fact_text(target.fact("speaks"))
            return f"the request calls `{values['endpoint']}` and says what cannot be said in {spoken} without loss"
        case "redacts":
            left = [
                t.name for t in tests_of(guard.condition) if isinstance(t, Has) and _holds_name(t, request)
            ]
            return f"`{'` and `'.join(left)}` cannot be taken out of the request where it stands"
        case _:
            flags = [t for t in _flags(guard.condition) if values.get(t) is True]
            supports = _fact_text(target.fact("supports"))
            return f"the request uses {', '.join(flags) or 'more'}, the target supports {supports}"


def _holds_name(test: Has, request: Request) -> bool:
    held = request.values[test.feature]
    return isinstance(held, frozenset) and test.name in held


def _flags(condition: Condition) -> tuple[str, ...]:
    return tuple(sorted(features_of(condition)))


def _fact_text(fact: Fact | None) -> str:
    if fact is None:
        return "nothing"
    if isinstance(fact, frozenset):
        return ", ".join(sorted(fact)) or "nothing"
    return value_text(fact)


def _level(program: Program, level: Classify, request: Request) -> LevelReading:
    start = next(s for s in level.starts if holds(program, s.when, request))
    return LevelReading(
        name=level.name,
        value=level.values[level_rank(program, level, request)],
        starts_at=level.values[start.rank],
        starts_because=condition_text(program, start.when),
        raised=tuple(
            _raise_text(program, level, r, request)
            for r in level.raises
            if holds(program, r.when, request) and _raise_rank(level, r, request) > start.rank
        ),
    )


def _raise_rank(level: Classify, raise_: Raise, request: Request) -> int:
    return raise_.to if isinstance(raise_.to, int) else level.values.index(str(request.values[raise_.to]))


def _raise_text(program: Program, level: Classify, raise_: Raise, request: Request) -> str:
    to = level.values[_raise_rank(level, raise_, request)]
    why = condition_text(program, raise_.when)
    if isinstance(raise_.to, str):
        label = (
            "the conversation has reached it"
            if raise_.to.startswith("conversation:")
            else f"the caller's {raise_.to.removeprefix('header:')} header says so"
        )
        why = label if why == "true" else f"{label}, and {why}"
        return f"at least {to}: {why}"
    return f"at least {to} when {why}" if why != "true" else f"at least {to}"


def _features(program: Program, request: Request, given: frozenset[str]) -> tuple[FeatureValue, ...]:
    out = []
    for feature in program.features:
        value = request.values[feature.name]
        told = feature.name in given
        completed = not told and value != quiet_value(feature)
        out.append(FeatureValue(feature.name, value, shown_value(feature, value), told, completed))
    return tuple(out)


def shown_value(feature: Feature, value: Value) -> str:
    """A feature's value as a person reads it."""
    unit = feature.domain.unit if isinstance(feature.domain, NumberDomain) else "count"
    if value == MAX_NUMBER and not isinstance(value, bool) and feature.unknown == MAX_NUMBER:
        return "unknown"
    return value_text(value, unit=unit)
