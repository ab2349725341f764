"""What a policy says about one request.

`decision = Plan | Reject`. The reference (`evaluate`) fills the trace completely; the compiled evaluator returns equal
outcomes (`outcome_of`) with the part of the trace it had to look at.
"""

from dataclasses import dataclass, field
from typing import Literal as Lit
from typing import TypeAlias

__all__ = ["Candidates", "Decision", "Plan", "Reject", "Removal", "outcome_of"]


@dataclass(frozen=True, slots=True)
class Candidates:
    """Targets to try next. `order`: as they stand (a split is already ordered). `any`, `cheapest`, `fastest`: the proxy
    picks the order among them."""

    pick: Lit["order", "any", "cheapest", "fastest"]
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Removal:
    """A target of a route that was removed, and the guards that removed it. From `evaluate` all of them, sorted; from the
    compiled evaluator at least one."""

    target: str
    guards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Try these candidates, in this order, and no others. `groups` has no empty group; neighbouring `order` runs are
    merged. `removed`: the deciding route's removed targets in written order. `passed_over`: earlier routes whose
    condition held but that had no target left (reference only)."""

    route: str
    groups: tuple[Candidates, ...]
    removed: tuple[Removal, ...] = ()
    passed_over: tuple[str, ...] = ()
    targets: tuple[str, ...] = field(init=False, repr=False, compare=False)
    """all of them in order: plans are kept and asked often"""

    def __post_init__(self) -> None:
        object.__setattr__(self, "targets", tuple(t for g in self.groups for t in g.targets))


@dataclass(frozen=True, slots=True)
class Reject:
    """Refuse. `by` names every deny that holds (reference) or the first that was found (compiled), or is
    ("otherwise",). `reasons` has the matching texts, `status` is the first one's. When `otherwise` was reached, `removed`
    and `passed_over` say which routes matched and what removed their targets."""

    by: tuple[str, ...]
    reasons: tuple[str, ...]
    status: int
    removed: tuple[Removal, ...] = ()
    passed_over: tuple[str, ...] = ()


Decision: TypeAlias = Plan | Reject


def outcome_of(decision: Decision) -> tuple[object, ...]:
    """What two evaluators must agree on: route and candidates, or the first deny (in written order) and its status."""
    if isinstance(decision, Plan):
        return ("plan", decision.route, decision.groups)
    return ("reject", decision.by[0], decision.status)
