"""How two policies differ for one request: the plain reading, by the reference.

- *looser*: the new guards allow a target of the new plan that the old did not, or a deny is lifted.
- *newly reached*: a target that was allowed before is now in the plan.
- *tighter*: targets are lost, or the request is rejected now.
- *re-routed*: the same targets in another order or grouping, or with other answers: what was taken out is put back or not.
- *other status*: rejected before and after, with another status.
"""

from enum import IntEnum
from typing import Final

from policyd.policy.decision import Decision, Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.variants import sends_alike, takes_out_more
from policyd.proofs.conflicts import left_of

__all__ = [
    "DOMAIN_OF", "NOT_ADMITTED", "Kind", "allowed_by", "decide", "denied", "kind_between", "kind_of", "lost_from", "newly_in",
    "outcome_by",
]  # fmt: skip

NOT_ADMITTED: Final = 400
"""The status of a request that one of two policies does not admit."""
DOMAIN_OF: Final = "domain of"
"""How the name of the deny that says so begins; no author can write it."""


class Kind(IntEnum):
    """How a request's outcome changed; the higher, the worse."""

    OTHER_STATUS = 1
    RE_ROUTED = 2
    TIGHTER = 3
    NEWLY_REACHED = 4
    LOOSER = 5

    @property
    def words(self) -> str:
        return {Kind.RE_ROUTED: "re-routed"}.get(self, self.name.lower().replace("_", " "))


def decide(program: Program, request: Request) -> Decision:
    """What one side's program says; a request that it does not admit is rejected before anything reads it."""
    for deny in program.denies:
        if not deny.name.startswith(DOMAIN_OF):
            break
        if holds(program, deny.condition, request):
            return Reject((deny.name,), (deny.because,), NOT_ADMITTED)
    return evaluate(program, request)


def outcome_by(program: Program, request: Request, decision: Decision) -> tuple[object, ...]:
    """What the request gets, whatever the rules are called: the groups that are left, or a status."""
    if isinstance(decision, Reject):
        return ("status", decision.status)
    route = next(r for r in program.routes if r.name == decision.route)
    return left_of(route, frozenset(route.targets).difference(firing_guards(program, request)))


def allowed_by(program: Program, request: Request) -> frozenset[str]:
    """The targets that no guard removes from the request, if no deny holds."""
    decision = decide(program, request)
    if denied(decision):
        return frozenset()
    return frozenset(t.name for t in program.targets).difference(firing_guards(program, request))


def kind_of(old: Program, new: Program, request: Request) -> Kind | None:
    """How the outcome changed, or None: it did not."""
    before, after = decide(old, request), decide(new, request)
    if outcome_by(old, request, before) == outcome_by(new, request, after):
        return None
    if denied(before) and not denied(after):
        return Kind.LOOSER
    theirs = _targets(after)
    return kind_between(_targets(before), theirs, allowed=theirs <= allowed_by(old, request))


def kind_between(mine: frozenset[str], theirs: frozenset[str], *, allowed: bool) -> Kind:
    """The kind of a changed outcome, by the targets of the plan before and now (none where it is a rejection) and whether the
    old policy allowed all that are in it now."""
    if not allowed:
        return Kind.LOOSER
    if newly_in(mine, theirs):
        return Kind.NEWLY_REACHED
    if lost_from(mine, theirs):
        return Kind.TIGHTER
    return Kind.RE_ROUTED if mine else Kind.OTHER_STATUS


def newly_in(mine: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    """The targets of the second plan that the first lacks, but for those that it has with no more taken out."""
    return frozenset(t for t in theirs - mine if not any(takes_out_more(t, m) for m in mine))


def lost_from(mine: frozenset[str], theirs: frozenset[str]) -> frozenset[str]:
    """The targets of the first plan that the second lacks, but for those that it has with other answers."""
    return frozenset(m for m in mine - theirs if not any(sends_alike(m, t) for t in theirs))


def denied(decision: Decision) -> bool:
    """A deny rejects the request, not `otherwise`."""
    return isinstance(decision, Reject) and decision.by != ("otherwise",)


def _targets(decision: Decision) -> frozenset[str]:
    return frozenset(decision.targets) if isinstance(decision, Plan) else frozenset()
