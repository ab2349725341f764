"""What changed between two policies, by brute force: both read plainly for every request that their constants tell apart."""

from collections import Counter
from collections.abc import Iterable

from policyd.engine.cells import cell_of
from policyd.policy.decision import Decision, Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.conflicts import left_of
from policyd.proofs.kinds import Kind
from policyd.proofs.together import Together

__all__ = ["Deciding", "changed_cells", "kind_between", "outcome_of", "rule_name"]

Deciding = tuple[str, str]
"""The names of the rules that decided and decide."""


def rule_name(decision: Decision) -> str:
    return decision.route if isinstance(decision, Plan) else decision.by[0]


def outcome_of(program: Program, request: Request) -> tuple[object, ...]:
    """What the caller gets, whatever the rules are called."""
    decision = evaluate(program, request)
    if isinstance(decision, Reject):
        return (decision.status,)
    route = next(r for r in program.routes if r.name == decision.route)
    return left_of(route, frozenset(decision.targets))


def kind_between(old: Program, new: Program, request: Request) -> Kind | None:
    """How the outcome changed, as the reference of the language defines it."""
    before, after = evaluate(old, request), evaluate(new, request)
    denied = isinstance(before, Reject) and before.by != ("otherwise",)
    lifted = denied and not (isinstance(after, Reject) and after.by != ("otherwise",))
    if outcome_of(old, request) == outcome_of(new, request):
        return None
    if lifted:
        return Kind.LOOSER
    had = set(before.targets) if isinstance(before, Plan) else set()
    has = set(after.targets) if isinstance(after, Plan) else set()
    known = {t.name for t in old.targets}
    forbidden = firing_guards(old, request)
    if any(target not in known or target in forbidden for target in has):
        return Kind.LOOSER
    if has - had:
        return Kind.NEWLY_REACHED
    if had - has:
        return Kind.TIGHTER
    return Kind.RE_ROUTED if had else Kind.OTHER_STATUS


def changed_cells(
    together: Together, old: Program, new: Program, requests: Iterable[Request]
) -> dict[Deciding, Counter[Kind]]:
    """For each pair of deciding rules the requests that changed, each that the two policies can tell apart once."""
    seen: dict[tuple[int, ...], tuple[Deciding, Kind] | None] = {}
    for request in requests:
        cell = tuple(cell_of(together.matrix, request))
        kind = kind_between(old, new, request)
        rules = (rule_name(evaluate(old, request)), rule_name(evaluate(new, request)))
        found = None if kind is None else (rules, kind)
        assert seen.setdefault(cell, found) == found, "a cell is decided in one way"
    out: dict[Deciding, Counter[Kind]] = {}
    for entry in seen.values():
        if entry is not None:
            out.setdefault(entry[0], Counter())[entry[1]] += 1
    return out
