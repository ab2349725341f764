"""Who decides a whole box of requests, and how its outcome changed: the definitions of `proofs.changes`, asked of a view.

In come a side and a view of a box; out comes the deciding rule with the targets it has left, for every cell of the box alike.
Where cells differ the view says so, and the box is taken apart (`partition.py`). Nothing is searched here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal as Lit
from typing import TypeAlias

from policyd.compare.partition import View
from policyd.proofs.conflicts import left_of
from policyd.proofs.kinds import Kind, lost_from, newly_in
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Together

__all__ = ["Rule", "Settled", "kind_between", "rule_of", "settled", "turned"]

Rule: TypeAlias = tuple[Lit["deny", "route", "otherwise"], int]
"""A deciding rule of one side: its kind and its number there."""


@dataclass(frozen=True, slots=True)
class Settled:
    """The rule that decides, and the targets of its plan."""

    rule: Rule
    left: frozenset[str] = frozenset()


def rule_of(decider: Decider) -> Rule:
    return decider.kind, decider.index


def settled(together: Together, side: Side, view: View) -> Settled:
    """Who decides on this side."""
    if view.maybe & side.denied:
        for index in range(len(side.deny_places)):
            if view.holds(side.deny(index)):
                return Settled(("deny", index))
    for route in side.owners(together.matrix, view.maybe & side.all_routes):
        if view.holds(side.route(route)):
            left = frozenset(t for t in side.targets[route] if not view.holds(side.guards_on[t]))
            if left:
                return Settled(("route", route), left)
    return Settled(("otherwise", 0))


def turned(together: Together, before: Settled, after: Settled, view: View) -> Kind | None:
    """How the outcome changed, or None: it did not."""
    closed = {target for target in sorted(after.left) if _removed(together.old, target, view)}
    return kind_between(together, before, after, closed)


def kind_between(together: Together, before: Settled, after: Settled, closed: Collection[str]) -> Kind | None:
    """How the outcome changed, or None: it did not. `closed`: what the old guards removed of the new plan."""
    if _outcome(together.old, before) == _outcome(together.new, after):
        return None
    if before.rule[0] == "deny" and after.rule[0] != "deny":
        return Kind.LOOSER
    if closed:
        return Kind.LOOSER
    if newly_in(before.left, after.left):
        return Kind.NEWLY_REACHED
    if lost_from(before.left, after.left):
        return Kind.TIGHTER
    return Kind.RE_ROUTED if before.left else Kind.OTHER_STATUS


def _removed(side: Side, target: str, view: View) -> bool:
    guards = side.guards_on.get(target)
    return guards is None or view.holds(guards)


def _outcome(side: Side, settled_: Settled) -> tuple[object, ...]:
    kind, index = settled_.rule
    match kind:
        case "deny":
            return ("status", side.program.denies[index].status)
        case "otherwise":
            return ("status", side.program.otherwise.status)
        case "route":
            return left_of(side.program.routes[index], settled_.left)
