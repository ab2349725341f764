"""More findings by brute force: monotone steps, scopes, exceptions, targets and budgets, read plainly over all requests."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from policyd.policy.condition import Condition
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import EnumDomain, ExceptionClause, NamesDomain, Program, Provenance
from policyd.policy.request import EVERYTHING, Request, admit, unknown_value
from policyd.proofs.conflicts import left_of
from tests.strategies.programs import possible

__all__ = [
    "gains", "lets_through", "outcome", "outside", "reached", "steps", "unmonotone",
]  # fmt: skip

Gain = tuple[str, str | None]
"""A rule, and the target it removes (None: it denies)."""


def gains(program: Program, request: Request, twin: Request) -> set[Gain]:
    """What the twin meets and the request does not."""
    if any(holds(program, d.condition, request) for d in program.denies):
        return set()
    free, taken = firing_guards(program, request), firing_guards(program, twin)
    lost: set[Gain] = {(g, t) for t, names in taken.items() if t not in free for g in names}
    return lost | {(d.name, None) for d in program.denies if holds(program, d.condition, twin)}


def steps(program: Program, request: Request, feature: str) -> Iterator[tuple[str | None, Request]]:
    """The requests one step below: each with one finding less, or the next lower value."""
    value, domain = request.values[feature], program.feature(feature).domain
    lower: list[tuple[str | None, object]] = []
    if isinstance(domain, NamesDomain) and isinstance(value, frozenset) and value is not EVERYTHING:
        leaves = [n for n in value if not any(m.startswith(n + ".") for m in value)]
        lower = [(n, value - {n}) for n in leaves]
    elif isinstance(domain, EnumDomain) and domain.ordered:
        rank = domain.values.index(str(value))
        lower = [(None, domain.values[rank - 1])] if rank else []
    for name, less in lower:
        twin = admit(program, {**request.values, feature: less})
        assert isinstance(twin, Request)
        if possible(twin.values):
            yield name, twin


def unmonotone(
    program: Program, names: Iterable[str], requests: Sequence[Request]
) -> set[tuple[str, str | None, str]]:
    """Feature, finding and rule of every step that gains, but where a claim or an unknown gains the same already."""
    out: set[tuple[str, str | None, str]] = set()
    for feature in names:
        if program.feature(feature).where.kind == "builtin" and feature != "findings":
            continue
        found = {
            (name, gain)
            for request in requests
            for name, twin in steps(program, request, feature)
            for gain in gains(program, request, twin)
        }
        loosened = _loosened(program, feature, requests) if found else set()
        out |= {(feature, name, gain[0]) for name, gain in found if gain not in loosened}
    return out


def _loosened(program: Program, feature: str, requests: Sequence[Request]) -> set[Gain]:
    about = program.feature(feature)
    unknown = unknown_value(about)
    out: set[Gain] = set()
    if unknown is None:
        return out
    for request in requests:
        other = admit(program, {**request.values, feature: unknown})
        assert isinstance(other, Request)
        if about.provenance is Provenance.CLAIMED:
            out |= gains(program, request, other)
        if about.where.kind != "label":
            out |= gains(program, other, request)
    return out


def outside(program: Program, acts: Condition, scope: Condition, requests: Iterable[Request]) -> bool:
    """Some request meets the one condition and not the other."""
    return any(holds(program, acts, r) and not holds(program, scope, r) for r in requests)


def lets_through(
    program: Program, exception: ExceptionClause, without: Condition, requests: Iterable[Request]
) -> set[str]:
    """The targets that some request is allowed only because of the exception; `without` is its guard's condition
    without it."""
    guards = tuple(replace(g, condition=without) if g.name == exception.guard else g for g in program.guards)
    closed = replace(program, guards=guards)
    out: set[str] = set()
    for request in requests:
        if any(holds(program, d.condition, request) for d in program.denies):
            continue
        now, then = firing_guards(program, request), firing_guards(closed, request)
        out |= {t for t in then if t not in now}
    return out


def reached(program: Program, requests: Iterable[Request]) -> set[str]:
    """The targets that are a candidate of some plan."""
    decisions = (evaluate(program, r) for r in requests)
    return {t for d in decisions if isinstance(d, Plan) for t in d.targets}


def outcome(program: Program, request: Request) -> tuple[object, ...]:
    """What a decision means: the groups that are left, or the status of the rejection."""
    decision = evaluate(program, request)
    if not isinstance(decision, Plan):
        return ("reject", decision.status)
    allowed = frozenset(t.name for t in program.targets).difference(firing_guards(program, request))
    routes: Mapping[str, object] = {r.name: left_of(r, allowed) for r in program.routes}
    return ("plan", routes[decision.route])
