"""The reference: what a policy means, read plainly. Everything clever elsewhere is tested against this.

Total over every admitted request: no error, no I/O, no clock. Cost is no concern here.
"""

from typing import assert_never

from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    Flag,
    Has,
    InRange,
    Not,
    OneOf,
    Prefix,
)
from policyd.policy.decision import Candidates, Decision, Plan, Reject, Removal
from policyd.policy.program import Classify, Group, Member, Program, Route
from policyd.policy.rendezvous import split_order
from policyd.policy.request import Request

__all__ = ["allowed_groups", "evaluate", "firing_guards", "holds", "level_rank", "removals", "split_key"]


def holds(program: Program, condition: Condition, request: Request) -> bool:
    """Whether the condition is true of the request."""
    values = request.values
    match condition:
        case Const(value):
            return value
        case Not(operand):
            return not holds(program, operand, request)
        case All(operands):
            return all(holds(program, c, request) for c in operands)
        case Either(operands):
            return any(holds(program, c, request) for c in operands)
        case InRange(feature, low, high):
            return low <= values[feature] <= high  # type: ignore[operator]
        case OneOf(feature, options):
            return values[feature] in options
        case Prefix(feature, text):
            return values[feature].startswith(text)  # type: ignore[union-attr]
        case Has(feature, name):
            return name in values[feature]  # type: ignore[operator]
        case Flag(feature):
            return values[feature] is True
        case AtLeast(level, rank):
            return level_rank(program, program.level(level), request) >= rank
        case _:
            assert_never(condition)


def level_rank(program: Program, level: Classify, request: Request) -> int:
    """The level's rank: where it starts, raised to the maximum of everything that raises it."""
    rank = next(s.rank for s in level.starts if holds(program, s.when, request))
    for raise_ in level.raises:
        if holds(program, raise_.when, request):
            to = (
                raise_.to
                if isinstance(raise_.to, int)
                else level.values.index(str(request.values[raise_.to]))
            )
            rank = max(rank, to)
    return rank


def firing_guards(program: Program, request: Request) -> dict[str, tuple[str, ...]]:
    """For each target that is forbidden for this request, the names of all guards that forbid it, sorted."""
    by: dict[str, set[str]] = {}
    for guard in program.guards:
        if holds(program, guard.condition, request):
            for target in guard.hits:
                by.setdefault(target, set()).add(guard.name)
    return {target: tuple(sorted(names)) for target, names in by.items()}


def split_key(request: Request, by: str | None) -> str:
    """The text that a split hashes. INVARIANT: `by` names a string, enum or number feature."""
    return str(request.values[by]) if by is not None else ""


def allowed_groups(route: Route, forbidden: frozenset[str], request: Request) -> tuple[Candidates, ...]:
    """What is left of a route's groups: empty ones gone, splits ordered, neighbouring `order` runs merged. A group with
    one member left is `order`."""
    out: list[Candidates] = []
    for group in route.groups:
        members = tuple(m for m in group.members if m.target not in forbidden)
        if not members:
            continue
        left = _candidates(group, members, request)
        if out and left.pick == "order" and out[-1].pick == "order":
            out[-1] = Candidates("order", out[-1].targets + left.targets)
        else:
            out.append(left)
    return tuple(out)


def removals(route: Route, by: dict[str, tuple[str, ...]]) -> tuple[Removal, ...]:
    """The route's forbidden targets in written order."""
    return tuple(Removal(t, by[t]) for t in route.targets if t in by)


def evaluate(program: Program, request: Request) -> Decision:
    """The decision, with a complete trace."""
    denies = [d for d in program.denies if holds(program, d.condition, request)]
    if denies:
        return Reject(tuple(d.name for d in denies), tuple(d.because for d in denies), denies[0].status)
    by = firing_guards(program, request)
    forbidden = frozenset(by)
    passed_over: list[Route] = []
    for route in program.routes:
        if not holds(program, route.condition, request):
            continue
        groups = allowed_groups(route, forbidden, request)
        if groups:
            return Plan(route.name, groups, removals(route, by), tuple(r.name for r in passed_over))
        passed_over.append(route)
    removed = {r.target: r for route in passed_over for r in removals(route, by)}
    otherwise = program.otherwise
    return Reject(
        ("otherwise",),
        (otherwise.reason,),
        otherwise.status,
        tuple(removed.values()),
        tuple(r.name for r in passed_over),
    )


def _candidates(group: Group, members: tuple[Member, ...], request: Request) -> Candidates:
    targets = tuple(m.target for m in members)
    if len(targets) == 1:
        return Candidates("order", targets)
    if group.pick == "split":
        return Candidates("order", split_order(split_key(request, group.by), members))
    return Candidates(group.pick, targets)
