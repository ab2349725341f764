"""The findings by brute force: the same definitions, read over every request that the constants can tell apart."""

from collections.abc import Iterable, Sequence
from datetime import date
from itertools import product
from math import prod

from policyd.policy.builtins import DATES, UNSCANNED, WEEKDAYS
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import MAX_NUMBER, Assertion, Program, Provenance, Value
from policyd.policy.quiet import quiet_value
from policyd.policy.request import Request, admit, unknown_value
from policyd.proofs.conflicts import first_within
from policyd.proofs.holes import meets_dead_end
from tests.strategies.programs import complete, possible, values_near

__all__ = [
    "breaks", "broken_by", "conflicts", "dead", "dead_end_routes", "gained", "grid_of", "has_hole", "loosening",
]  # fmt: skip


def breaks(program: Program, assertion: Assertion, request: Request) -> bool:
    """The request is a counterexample to the assertion."""
    if not holds(program, assertion.condition, request):
        return False
    decision = evaluate(program, request)
    if assertion.kind == "never rejected":
        return isinstance(decision, Reject)
    return isinstance(decision, Plan) and not assertion.targets.isdisjoint(decision.targets)


def broken_by(program: Program, assertion: Assertion, requests: Iterable[Request]) -> bool:
    return any(breaks(program, assertion, r) for r in requests)


def dead(program: Program, requests: Sequence[Request]) -> set[str]:
    """Routes and denies that decide no request, guards with targets that apply to none."""
    alive: set[str] = set()
    for request in requests:
        decision = evaluate(program, request)
        alive.add(decision.route if isinstance(decision, Plan) else decision.by[0])
        alive |= {g.name for g in program.guards if holds(program, g.condition, request)}
    rules = [r.name for r in program.routes] + [d.name for d in program.denies]
    rules += [g.name for g in program.guards if g.hits and not g.builtin]
    return set(rules) - alive


def has_hole(program: Program, requests: Iterable[Request]) -> bool:
    return any(
        isinstance(d, Reject) and d.by == ("otherwise",) for d in (evaluate(program, r) for r in requests)
    )


def dead_end_routes(program: Program, requests: Sequence[Request]) -> set[str]:
    return {r.name for r in program.routes if any(meets_dead_end(program, r, q) for q in requests)}


def gained(program: Program, gains: Request, loses: Request) -> set[str]:
    """The rules that the second request meets and the first does not: a guard on a target that the first is allowed, or
    a deny where the first is not denied."""
    denied = {d.name for d in program.denies if holds(program, d.condition, gains)}
    if denied:
        return set()
    free = firing_guards(program, gains)
    taken = firing_guards(program, loses)
    rules = {name for target, names in taken.items() if target not in free for name in names}
    return rules | {d.name for d in program.denies if holds(program, d.condition, loses)}


def loosening(
    program: Program, names: Sequence[str], requests: Sequence[Request], *, claimed: bool
) -> set[tuple[str, str]]:
    """Pairs of a feature and a rule that it gets around."""
    out: set[tuple[str, str]] = set()
    for feature in program.features:
        asked = feature.provenance is Provenance.CLAIMED if claimed else feature.where.kind != "label"
        if feature.name not in names or not asked:
            continue
        if unknown_value(feature) is None:
            continue
        pairs = ({"tokens", "context_needed"}, {"findings", "unredactable"})
        together = next((pair for pair in pairs if feature.name in pair), {feature.name})
        unknown = {n: unknown_value(program.feature(n)) for n in together}
        for request in requests:
            other = admit(program, {**request.values, **unknown})
            assert isinstance(other, Request)
            if not possible(other.values):
                continue
            told = (request, other) if claimed else (other, request)
            out |= {(feature.name, rule) for rule in gained(program, *told)}
    return out


def conflicts(program: Program, requests: Iterable[Request], first: str, second: str) -> bool:
    """Some request gets different plans from the two includes."""
    for request in requests:
        if any(holds(program, d.condition, request) for d in program.denies):
            continue
        a, b = (first_within(program, request, alias) for alias in (first, second))
        if a is not None and b is not None and a[1] != b[1]:
            return True
    return False


_COUNTED = ("tokens", "max_output", "context_needed")


def grid_of(program: Program, names: Sequence[str], *, most: int = 500) -> list[Request] | None:
    """Every possible request that the constants tell apart, features that depend on each other together; None where
    that is too many for a test."""
    quiet = {
        f.name: values_near(program, f)[0] if quiet_value(f) is None else quiet_value(f)
        for f in program.features
    }
    plain = [n for n in names if n not in _COUNTED and n not in ("date", "weekday")]
    axes = [[((n, v),) for v in values_near(program, program.feature(n))] for n in plain]
    if any(n in _COUNTED for n in names):
        axes.append(_counted(program))
    if "date" in names or "weekday" in names:
        axes.append(_days(program))
    if prod(map(len, axes)) > most:
        return None
    out = []
    for point in product(*axes):
        values = {**quiet, **{n: v for part in point for n, v in part}}
        if any(values[name] for name in UNSCANNED):
            if "opaque" in names and not values["opaque"]:
                continue
            values["opaque"] = True
        complete(values, names)
        request = admit(program, values)
        assert isinstance(request, Request)
        if possible(request.values):
            out.append(request)
    return out


def _counted(program: Program) -> list[tuple[tuple[str, Value], ...]]:
    """Tokens, the answer's most and the context that fit each other."""
    tokens, most, needed = (
        {int(v) for v in values_near(program, program.feature(n))} | {MAX_NUMBER} for n in _COUNTED
    )  # type: ignore[arg-type]
    prompts = tokens | {c - m for c in needed for m in most if c - m >= 0}
    answers = most | {c - t for c in needed for t in tokens if c - t >= 0}
    out: set[tuple[tuple[str, Value], ...]] = set()
    for t in prompts:
        for m in answers:
            fitting = {c for c in needed | {t} if c >= t} if m == MAX_NUMBER else {min(MAX_NUMBER, t + m)}
            if t == MAX_NUMBER:
                fitting = {MAX_NUMBER}
            out |= {(("tokens", t), ("max_output", m), ("context_needed", c)) for c in fitting}
    return sorted(out)  # type: ignore[arg-type]


def _days(program: Program) -> list[tuple[tuple[str, Value], ...]]:
    """Every date near a constant and the six days after it, each with its weekday."""
    starts = {int(v) for v in values_near(program, program.feature("date"))}  # type: ignore[arg-type]
    days = {d + i for d in starts for i in range(7) if d + i <= DATES.high}
    return [(("date", d), ("weekday", WEEKDAYS[date.fromordinal(d).weekday()])) for d in sorted(days)]
