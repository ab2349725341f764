"""Whether a request gets to where a goal is about, told from the clauses that it matches.

The same as `goals.met` reads off the reference, only faster: a search shrinks its requests by asking this a thousand times,
and has the reference confirm what is left.
"""

from policyd.proofs.case import Case
from policyd.trials.goals import Goal

__all__ = ["arrives", "is_served"]


def arrives(case: Case, goal: Goal, matched: int) -> bool:
    """Whether a request that matches these clauses gets to the goal's stage."""
    side = case.reach.sides[0]
    match goal.stage:
        case "anywhere":
            return True
        case "deny":
            return not matched & side.denied_before(goal.index)
        case _ if matched & side.denied:
            return False
        case "route":
            left = any(side.allows(t, matched) for t in side.targets[goal.index])
            return left and side.first_live(case.matrix, matched, side.before(goal.index)) is None
        case "guard":
            hits = case.program.guards[goal.index].hits
            for route in side.owners(case.matrix, matched):
                if not hits.isdisjoint(side.targets[route]):
                    return True
                if side.live(route, matched):
                    return False
            return False
        case "otherwise":
            return side.first_live(case.matrix, matched) is None


def is_served(case: Case, matched: int) -> bool:
    """Whether a route decides the request."""
    side = case.reach.sides[0]
    return not matched & side.denied and side.first_live(case.matrix, matched) is not None
