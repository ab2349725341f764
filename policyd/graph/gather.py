"""From a program and its proofs to a drawing: what the policy says in its own words, and what of it is proved.

In come a case, what reach is told apart by, and how much a picture holds; out comes a `Drawing`. Long policies are
gathered: the routes of one include stand together, and what follows the last that fits is counted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from math import gcd
from typing import Literal, TypeVar

from policyd.graph.asking import Asked
from policyd.graph.facts import facts_of
from policyd.graph.model import (
    Bunch,
    Candidate,
    Choice,
    DenyStep,
    Drawing,
    ExceptionNote,
    GuardStep,
    LevelStep,
    Mark,
    OtherwiseStep,
    RaiseNote,
    RouteStep,
    TargetReach,
    Via,
)
from policyd.graph.reach import STEPS, Reached
from policyd.policy.builtins import LOCATIONS
from policyd.policy.condition import TRUE, Condition
from policyd.policy.digest import digest
from policyd.policy.program import Classify, Group, Guard, Program, Target
from policyd.policy.wording import condition_text
from policyd.proofs.case import Case

__all__ = ["Room", "gather"]

_Rule = TypeVar("_Rule")
_MOST_WAYS = 12
_MOST_NAMES = 6
_MOST_VIA = 8


@dataclass(frozen=True, slots=True)
class Room:
    """How many of each a picture shows one by one."""

    routes: int = 60
    denies: int = 20
    guards: int = 30
    targets: int = 40


def gather(
    case: Case, asked: Sequence[Asked], *, title: str, room: Room | None = None, steps: int = STEPS
) -> Drawing:
    """The drawing. Every mark in it is the answer to a search; what `steps` do not settle is not proved."""
    return _Gatherer(case, room or Room(), Reached(case, steps)).drawing(asked, title)


class _Gatherer:
    __slots__ = ("_case", "_places", "_program", "_reached", "_room", "_sent")

    def __init__(self, case: Case, room: Room, reached: Reached) -> None:
        self._case = case
        self._program = case.program
        self._room = room
        self._reached = reached
        self._places = {t.name: str(t.fact("location")) for t in case.program.targets}
        self._sent: dict[tuple[int, str], Mark] = {}

    def drawing(self, asked: Sequence[Asked], title: str) -> Drawing:
        program = self._program
        written = [*program.written]
        shown = _first_of(_by_location(program.targets), self._room.targets)
        return Drawing(
            title=title,
            digest=digest(program),
            counts=(
                (len(program.levels), "level"),
                (len(program.denies), "deny"),
                (len(written), "guard"),
                (len(program.routes), "route"),
                (len(program.declared), "target"),
            ),
            levels=tuple(self._level(level) for level in program.levels),
            denies=self._denies(),
            guards=self._guards(written),
            routes=self._routes(),
            otherwise=OtherwiseStep(
                program.otherwise.reason, program.otherwise.status, self._reached.otherwise()
            ),
            dimensions=tuple(a.dimension for a in asked),
            targets=tuple(self._target(target, asked) for target in shown),
            more_targets=len(program.targets) - len(shown),
        )

    # The decision.

    def _level(self, level: Classify) -> LevelStep:
        ways = [RaiseNote(level.values[s.rank], self._when(s.when), True) for s in level.starts]
        for raise_ in level.raises:
            when = self._when(raise_.when)
            if isinstance(raise_.to, str):
                where = self._program.feature(raise_.to).where
                named = "conversation" if where.kind == "conversation" else f'header "{where.key}"'
                ways.append(RaiseNote(named, when, False))
            else:
                ways.append(RaiseNote(level.values[raise_.to], when, False))
        return LevelStep(level.name, level.values, tuple(ways[:_MOST_WAYS]), max(0, len(ways) - _MOST_WAYS))

    def _denies(self) -> tuple[DenyStep | Bunch, ...]:
        denies = self._program.denies
        shown = _first_of(denies, self._room.denies)
        steps = tuple(
            DenyStep(d.name, self._when(d.condition), d.because, d.status, self._reached.deny(i))
            for i, d in enumerate(shown)
        )
        rest = denies[len(shown) :]
        return (*steps, Bunch(len(rest), "deny", "", _first(d.name for d in rest))) if rest else steps

    def _guards(self, written: Sequence[Guard]) -> tuple[GuardStep | Bunch, ...]:
        places = {id(g): i for i, g in enumerate(self._program.guards)}
        shown = _first_of(written, self._room.guards)
        steps = tuple(self._guard(places[id(g)], g) for g in shown)
        rest = written[len(shown) :]
        return (*steps, self._bunch("guard", "", rest, [g.hits for g in rest])) if rest else steps

    def _guard(self, index: int, guard: Guard) -> GuardStep:
        mark = self._reached.guard(index)
        hits = tuple(
            Candidate(t.name, self._places[t.name], mark)
            for t in self._program.targets
            if t.name in guard.hits
        )
        exceptions = tuple(
            ExceptionNote(e.name, self._when(e.when), date.fromordinal(e.until).isoformat(), e.because)
            for e in self._program.exceptions
            if e.guard == guard.name
        )
        return GuardStep(
            guard.name, guard.text, self._when(guard.condition), guard.because, hits, mark, exceptions
        )

    def _routes(self) -> tuple[RouteStep | Bunch, ...]:
        runs = _runs(self._program, self._room.routes)
        shown = _first_of(runs, self._room.routes)
        rest = runs[len(shown) :]
        out: list[RouteStep | Bunch] = [
            self._route(run[0]) if len(run) == 1 else self._routes_together(run) for run in shown
        ]
        if rest:
            out.append(self._routes_together([index for run in rest for index in run]))
        return tuple(out)

    def _routes_together(self, run: Sequence[int]) -> Bunch:
        routes = [self._program.routes[i] for i in run]
        aliases = {route.include for route in routes}
        alias = aliases.pop() if len(aliases) == 1 else None
        of = "" if alias is None else f"include {alias}"
        return self._bunch("route", of, routes, [frozenset(route.targets) for route in routes])

    def _bunch(
        self,
        kind: Literal["route", "deny", "guard"],
        of: str,
        rules: Sequence[object],
        named: Iterable[frozenset[str]],
    ) -> Bunch:
        names = frozenset().union(*named)
        targets = [t.name for t in self._program.targets if t.name in names]
        candidates = tuple(Candidate(t, self._places[t], "yes") for t in targets[:_MOST_NAMES])
        firsts = _first(str(getattr(rule, "name")) for rule in rules)  # noqa: B009
        return Bunch(len(rules), kind, of, firsts, candidates, len(targets) - len(candidates))

    def _route(self, index: int) -> RouteStep:
        route = self._program.routes[index]
        marks = {t: self._via(index, t) for t in route.targets}
        choices = tuple(choice for group in route.groups for choice in self._choices(group, marks))
        return RouteStep(route.name, self._when(route.condition), choices, _any(marks.values()))

    def _choices(self, group: Group, marks: dict[str, Mark]) -> tuple[Choice, ...]:
        """The group as one choice, or one for each member where they are tried as written."""
        shares = _shares([m.weight for m in group.members])
        split = group.pick == "split" and len(group.members) > 1
        members = tuple(
            Candidate(m.target, self._places[m.target], marks[m.target], shares[i] if split else "")
            for i, m in enumerate(group.members)
        )
        if group.pick == "order" or len(members) == 1:
            return tuple(Choice("", (member,)) for member in members)
        return (Choice(f"split by {group.by}" if split else f"{group.pick} of", members),)

    # Each target's reach.

    def _target(self, target: Target, asked: Sequence[Asked]) -> TargetReach:
        routes = self._reached.routes_to(target.name)
        mark = self._reached.target(target.name, routes)
        cells = tuple(
            tuple(
                "no" if mark == "no" else self._reached.target(target.name, routes, self._reached.boxes(c))
                for c in one.conditions
            )
            for one in asked
        )
        shown = _first_of(routes, _MOST_VIA)
        via = tuple(Via(self._program.routes[i].name, self._via(i, target.name)) for i in shown)
        return TargetReach(
            target.name,
            self._places[target.name],
            facts_of(target),
            mark,
            cells,
            via,
            len(routes) - len(shown),
        )

    def _via(self, index: int, target: str) -> Mark:
        key = (index, target)
        if key not in self._sent:
            self._sent[key] = self._reached.sent(index, target)
        return self._sent[key]

    def _when(self, condition: Condition) -> str:
        return "" if condition == TRUE else condition_text(self._program, condition)


def _by_location(targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """On premises first, then the cloud, each in written order."""
    order = {place: i for i, place in enumerate(LOCATIONS)}
    return tuple(sorted(targets, key=lambda t: order.get(str(t.fact("location")), len(order))))


def _runs(program: Program, most: int) -> list[list[int]]:
    """The routes one by one, or where they are too many, those of one include together."""
    indices = range(len(program.routes))
    if len(indices) <= most + 1:
        return [[i] for i in indices]
    out: list[list[int]] = []
    for include, run in groupby(indices, key=lambda i: program.routes[i].include):
        found = list(run)
        out.extend([[i] for i in found] if include is None else [found])
    return out


def _first_of(found: Sequence[_Rule], most: int) -> Sequence[_Rule]:
    """The first ones; all where only one would be left out."""
    return found if len(found) <= most + 1 else found[:most]


def _shares(weights: Sequence[int]) -> tuple[str, ...]:
    """Each weight's part of the whole: in percent where that is exact, else as a fraction."""
    whole = sum(weights)

    def share(weight: int) -> str:
        if weight * 100 % whole == 0:
            return f"{weight * 100 // whole} %"
        common = gcd(weight, whole)
        return f"{weight // common}/{whole // common}"

    return tuple(share(w) for w in weights)


def _any(marks: Iterable[Mark]) -> Mark:
    found = frozenset(marks)
    if "yes" in found:
        return "yes"
    return "not proved" if "not proved" in found else "no"


def _first(names: Iterable[str]) -> tuple[str, ...]:
    out: list[str] = []
    for name in names:
        if len(out) == _MOST_NAMES:
            break
        out.append(name)
    return tuple(out)
