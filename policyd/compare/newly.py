"""Which of some targets a request newly gets: exactly, for `--deny-new`.

In come two policies together, what changed between them, and names of targets; out comes, for each that any request gets and
did not get before, what shows it. *Reached* is in a plan now and in none of the same request before; *allowed* is that no
guard removes it now, and that a guard or a deny did, or that it was not there. A target that `turned` into what was asked about
by its facts is new to every request that gets it, whatever the request got before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal as Lit

from policyd.policy.decision import Plan
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.variants import sends_alike
from policyd.proofs.changes import Change, Changes, Shown
from policyd.proofs.find import Cell, Found, OutOfBudget, bits
from policyd.proofs.kinds import allowed_by, decide
from policyd.proofs.pairs import where
from policyd.proofs.reach import Hunt
from policyd.proofs.side import Decider, Side
from policyd.proofs.together import Together
from policyd.proofs.witness import witness_of

__all__ = ["Newly", "newly", "show_newly"]


@dataclass(frozen=True, slots=True)
class Newly:
    """`cell` is a request that newly gets the target, or None: that none does is not proved. `before` and `after` decide it
    where it is in a plan now. `by_facts`: the target turned into what was asked about."""

    target: str
    how: Lit["reached", "allowed"]
    cell: Cell | None
    before: Decider | None = None
    after: Decider | None = None
    by_facts: bool = False


def newly(
    together: Together, changes: Changes, targets: frozenset[str], turned: frozenset[str] = frozenset()
) -> tuple[Newly, ...]:
    """What each of the targets newly gets, at most once each: reached rather than allowed."""
    out = []
    for target in sorted((targets | turned) & together.new.guards_on.keys()):
        if target in turned and target in together.old.guards_on:
            now = _gets(together, target)
            if now is not None:
                out.append(now)
            continue
        found = _reached(together, changes, target)
        if found is None or found.cell is None:
            found = _allowed(together, target) or found
        if found is not None:
            out.append(found)
    return tuple(out)


def _reached(together: Together, changes: Changes, target: str) -> Newly | None:
    open_: Newly | None = Newly(target, "reached", None) if changes.unfinished else None
    for change in changes.pairs:
        if change.after.kind != "route" or target not in together.new.targets[change.after.index]:
            continue
        try:
            cell = next(_gains(together, change, target), None)
        except OutOfBudget:
            open_ = Newly(target, "reached", None, change.before, change.after)
            continue
        if cell is not None:
            return Newly(target, "reached", cell, change.before, change.after)
    return open_


def _gains(together: Together, change: Change, target: str) -> Iterator[Cell]:
    """Requests of the pair that have the target in their plan now, and had not."""
    before, after = change.before, change.after
    had = together.old.targets[before.index] if before.kind == "route" else ()
    removed = tuple(name for name in had if sends_alike(name, target))
    yield from where(together, before, after, allowed=((), (target,)), removed=(removed, ()))


def _gets(together: Together, target: str) -> Newly | None:
    """Whether any request has the target in its plan now or, failing that, is allowed it."""
    new = together.new
    avoid = new.denied | new.guards_on[target]
    try:
        for route, targets in enumerate(new.targets):
            if target not in targets:
                continue
            for number in bits(new.route(route)):
                hunt = Hunt(together.matrix.boxes[number], avoid, (), (0, new.before(route)))
                cell = _hunt(together, hunt)
                if cell is not None:
                    return Newly(target, "reached", cell, by_facts=True)
        cell = _hunt(together, Hunt({}, avoid, (), (0, 0)))
    except OutOfBudget:
        return Newly(target, "reached", None, by_facts=True)
    return None if cell is None else Newly(target, "allowed", cell, by_facts=True)


def _allowed(together: Together, target: str) -> Newly | None:
    old, new = together.old, together.new
    avoid = new.denied | new.guards_on[target]
    try:
        if target not in old.guards_on:
            cells = iter((_hunt(together, Hunt({}, avoid, (), (0, 0))),))
        else:
            stood = (old.guards_on[target] | old.denied) & ~avoid
            cells = (
                _hunt(together, Hunt(together.matrix.boxes[number], avoid, (), (0, 0)))
                for number in bits(stood)
            )
        cell = next((c for c in cells if c is not None), None)
    except OutOfBudget:
        return Newly(target, "allowed", None)
    return None if cell is None else Newly(target, "allowed", cell)


def _hunt(together: Together, hunt: Hunt) -> Cell | None:
    together.finder.start()
    answer = together.reach.hunt(hunt)
    return answer.cell if isinstance(answer, Found) else None


def show_newly(together: Together, found: Newly) -> Shown | None:
    """A smallest request that newly gets the target, confirmed by the reference; None where there is none to show."""
    target = found.target
    if found.cell is None:
        return None
    old, new = together.old, together.new

    def planned(side: Side, matched: int) -> bool:
        decider = side.decider(together.matrix, matched)
        left = side.left(decider.index, matched) if decider.kind == "route" else ()
        return any(sends_alike(name, target) for name in left)

    def allowed(side: Side, matched: int) -> bool:
        return not matched & side.denied and side.allows(target, matched)

    def in_plan(program: Program, request: Request) -> bool:
        decision = decide(program, request)
        return isinstance(decision, Plan) and any(sends_alike(name, target) for name in decision.targets)

    def in_reach(program: Program, request: Request) -> bool:
        return target in allowed_by(program, request)

    gets = planned if found.how == "reached" else allowed
    really = in_plan if found.how == "reached" else in_reach
    had = not found.by_facts
    witness = witness_of(
        together.program,
        together.matrix,
        found.cell,
        lambda request: really(new.program, request) and not (had and really(old.program, request)),
        lambda matched: gets(new, matched) and not (had and gets(old, matched)),
    )
    before, after = (decide(side.program, witness.request) for side in (old, new))
    return Shown(witness.given, witness.request, before, after)
