"""All that changed from one policy to the next, complete before any of it is written.

In come two programs; out comes a `Difference`: the pairs of rules that decide differently, each with a request and its region,
what guards newly let through, what changed in declarations, and the verdict. Where nothing changed, that is proved.
Everything is a use of `proofs.changes`; how it is written is decided elsewhere.
"""

from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Final

from policyd.compare.claims import claims_as_much
from policyd.compare.declared import Declared, DeclaredKind
from policyd.compare.feature_changes import feature_changes
from policyd.compare.newly import Newly, newly, show_newly
from policyd.compare.regions import Counter, Region
from policyd.compare.statement_changes import statement_changes
from policyd.compare.unknowns import unknown_turn
from policyd.policy.program import Program
from policyd.policy.variants import plain_name
from policyd.proofs.changes import Change, Changes, Loosened, Shown, changes, show, show_loosened
from policyd.proofs.find import Budget, OutOfBudget
from policyd.proofs.kinds import Kind
from policyd.proofs.pairs import Unfinished
from policyd.proofs.side import Decider
from policyd.proofs.together import Together, put_together
from policyd.text.diagnostic import Diagnostic

__all__ = ["Difference", "Opened", "PairItem", "Verdict", "compare"]

MOST_SHOWN: Final = 25
"""Pairs that are shown with a request and a region, unless asked otherwise; the others are counted."""


class Verdict(StrEnum):
    """What is to be said of the whole, the worst first."""

    LOOSER = "looser"
    DENIED = "denied"
    NOT_PROVED = "not proved"
    NOT_COMPARED = "not compared"
    CHANGED = "changed"
    SAME = "same meaning"


@dataclass(frozen=True, slots=True)
class PairItem:
    """A pair that is shown: for each of its kinds a request, and where it lies."""

    change: Change
    shown: tuple[tuple[Kind, Shown], ...]
    region: Region


@dataclass(frozen=True, slots=True)
class Opened:
    """A guard or deny of the old policy that lets through what it did not: `targets`, or (none) whole requests. Without a
    `rule` the targets are new; with `less` they are not, but they get requests with less taken out. `shown` is a request of
    the first."""

    rule: str | None
    targets: tuple[str, ...]
    shown: Shown
    first: Loosened
    less: bool = False


@dataclass(frozen=True, slots=True)
class Denied:
    """A target that was not to be newly reached, and is; without `shown` it is not proved that it is not."""

    newly: Newly
    shown: Shown | None


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """`old` and `new` as they were given; `together` may call levels and features of the new one otherwise. `more`: pairs
    beyond the shown ones, by kind; `more_opened`: how many rules beyond those of `opened`."""

    old: Program
    new: Program
    together: Together
    changes: Changes
    pairs: tuple[PairItem, ...]
    more: Mapping[Kind, int]
    opened: tuple[Opened, ...]
    more_opened: int
    declared: tuple[Declared, ...]
    denied: tuple[Denied, ...] = ()

    @property
    def unfinished(self) -> tuple[Decider, ...]:
        """Rules of which it is not proved what their requests turn into."""
        return tuple(dict.fromkeys(u.rule for u in self.changes.unfinished))

    @property
    def judged(self) -> int:
        """Changes of declarations of which no policy says whether more is let through."""
        asked = {DeclaredKind.JUDGED, DeclaredKind.CHANGED, DeclaredKind.DROPPED}
        return sum(d.kind in asked for d in self.declared)

    @property
    def verdict(self) -> Verdict:
        kinds = {d.kind for d in self.declared}
        looser = any(c.kind is Kind.LOOSER for c in self.changes.pairs)
        if looser or self.opened or DeclaredKind.LOOSER in kinds:
            return Verdict.LOOSER
        if any(d.shown for d in self.denied):
            return Verdict.DENIED
        if self.changes.unfinished or self.denied or DeclaredKind.NOT_PROVED in kinds:
            return Verdict.NOT_PROVED
        if self.changes.pairs or kinds - {DeclaredKind.WORDING}:
            return Verdict.CHANGED
        return Verdict.SAME


def compare(
    old: Program,
    new: Program,
    *,
    deny_new: frozenset[str] = frozenset(),
    turned: frozenset[str] = frozenset(),
    most_shown: int | None = MOST_SHOWN,
    budget: Budget | None = None,
) -> Difference | tuple[Diagnostic, ...]:
    """Everything that changed, or the caps of the compiler that both policies together break. `deny_new`: targets that no
    request may newly get; `turned`: those that became such by their facts, and that no request may get at all. `most_shown`: None shows every pair."""
    together = put_together(old, new, budget)
    if not isinstance(together, Together):
        return together
    found = _changes(together)
    counter = Counter(together)
    told = found.pairs if most_shown is None else found.pairs[:most_shown]
    opened = _opened(found)
    most_opened = None if most_shown is None else MOST_SHOWN
    return Difference(
        old,
        new,
        together,
        found,
        tuple(_item(together, counter, change) for change in told),
        Tally(change.kind for change in found.pairs[len(told) :]),
        tuple(_shown(together, *group) for group in opened[:most_opened]),
        len(opened[len(opened) if most_opened is None else most_opened :]),
        (
            *feature_changes(old, new, partial(unknown_turn, old, new, budget=budget)),
            *statement_changes(old, new, partial(claims_as_much, together, old, new)),
        ),
        tuple(Denied(n, show_newly(together, n)) for n in newly(together, found, deny_new, turned)),
    )


def _changes(together: Together) -> Changes:
    """All that changed; that it outgrew its budget as a whole is said of `otherwise`, which decides what nothing else does."""
    try:
        return changes(together)
    except OutOfBudget:
        otherwise = together.old.program.otherwise
        return Changes((), (), (Unfinished(Decider("otherwise", 0, "otherwise", otherwise.span)),))


def _item(together: Together, counter: Counter, change: Change) -> PairItem:
    shown = tuple((kind, show(together, change, number)) for number, (kind, _) in enumerate(change.kinds))
    kinds = tuple(kind for kind, _ in change.kinds)
    return PairItem(change, shown, counter.region(change.before, change.after, kinds))


def _opened(found: Changes) -> list[tuple[str | None, list[Loosened]]]:
    """What the guards and denies let through, by rule."""
    by: dict[tuple[str | None, bool], list[Loosened]] = {}
    for loosened in found.loosened:
        by.setdefault((loosened.rule, loosened.target is None), []).append(loosened)
    return [(rule, group) for (rule, _), group in by.items()]


def _shown(together: Together, rule: str | None, group: list[Loosened]) -> Opened:
    targets = tuple(x.target for x in group if x.target is not None)
    known = {t.plain for t in together.old.program.targets}
    less = rule is None and bool(targets) and all(plain_name(t) in known for t in targets)
    return Opened(rule, targets, show_loosened(together, group[0]), group[0], less)
