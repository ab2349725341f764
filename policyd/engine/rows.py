"""A decision straight from the rows: AND them, look at the top bit.

It shares no code with the reference and none with generated source, which makes it the second opinion that both are
compared with. It needs every feature of the request and is slower than generated source.
"""

from collections.abc import Mapping

from policyd.engine.cells import cell_of, matched
from policyd.engine.matrix import Matrix
from policyd.policy.decision import Candidates, Decision, Plan, Reject, Removal
from policyd.policy.program import Group, Route, Value
from policyd.policy.rendezvous import split_order
from policyd.policy.request import Request

__all__ = ["decide_by_rows", "remaining"]


def decide_by_rows(matrix: Matrix, request: Request) -> Decision:
    """The decision, its `removed` with all guards, without what was passed over."""
    program = matrix.program
    mask = matched(matrix, cell_of(matrix, request))
    denied = mask & matrix.all_denies
    if denied:
        deny = program.denies[matrix.clauses[denied.bit_length() - 1].owner]
        return Reject((deny.name,), (deny.because,), deny.status)
    forbidden = {t: hit for t, on in matrix.guards_on.items() if (hit := mask & on)}
    live = mask & matrix.all_routes
    while live:
        index = matrix.clauses[live.bit_length() - 1].owner
        route = program.routes[index]
        groups = remaining(route, forbidden, request.values)
        if groups:
            return Plan(route.name, groups, _removed(matrix, route, forbidden))
        live &= ~matrix.routes[index]
    return Reject(("otherwise",), (program.otherwise.reason,), program.otherwise.status)


def remaining(
    route: Route, forbidden: Mapping[str, object], values: Mapping[str, Value]
) -> tuple[Candidates, ...]:
    """The route's groups without forbidden targets, splits ordered by their feature's value."""
    groups: list[Candidates] = []
    for group in route.groups:
        left = _left(group, forbidden, values)
        if left is None:
            continue
        if groups and left.pick == groups[-1].pick == "order":
            left = Candidates("order", groups.pop().targets + left.targets)
        groups.append(left)
    return tuple(groups)


def _left(group: Group, forbidden: Mapping[str, object], values: Mapping[str, Value]) -> Candidates | None:
    members = tuple(m for m in group.members if m.target not in forbidden)
    if not members:
        return None
    targets = tuple(m.target for m in members)
    if len(targets) == 1 or group.pick == "order":
        return Candidates("order", targets)
    if group.pick == "split":
        key = str(values[group.by]) if group.by is not None else ""
        return Candidates("order", split_order(key, members))
    return Candidates(group.pick, targets)


def _removed(matrix: Matrix, route: Route, forbidden: Mapping[str, int]) -> tuple[Removal, ...]:
    out = []
    for target in route.targets:
        hit = forbidden.get(target, 0)
        names = set()
        while hit:
            bit = hit.bit_length() - 1
            names.add(matrix.program.guards[matrix.clauses[bit].owner].name)
            hit ^= 1 << bit
        if names:
            out.append(Removal(target, tuple(sorted(names))))
    return tuple(out)
