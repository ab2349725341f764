"""What a route answers for each set of guards that fired: built once, then looked up.

A generated guard function collects the guards that fired as bits; `Plans` maps them to the finished `Plan`, or to
`Passed` where they leave the route no target. What may be remembered is bounded (see `room.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from policyd.engine.room import Room
from policyd.engine.rows import remaining
from policyd.policy.decision import Plan, Reject, Removal
from policyd.policy.program import Guard, Otherwise, Route, Value

__all__ = ["Left", "Passed", "Plans", "Rejections", "SplitPlans", "split_features"]


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """A route whose condition held and whose targets are all forbidden. False, so that `p or …` goes on."""

    route: str
    removed: tuple[Removal, ...]

    def __bool__(self) -> bool:
        return False


class Plans(dict[int, Plan | Passed]):
    """Fired guards (bit `i` is `guards[i]`) to the route's answer, for a route without a split."""

    __slots__ = ("guards", "room", "route")

    def __init__(self, route: Route, guards: Sequence[Guard], room: Room) -> None:
        super().__init__()
        self.route = route
        self.guards = tuple(guards)
        self.room = room

    def __missing__(self, fired: int) -> Plan | Passed:
        answer = _answer(self.route, self.guards, fired, {})
        if self.room.take():
            self[fired] = answer
        return answer


class SplitPlans:
    """The same for a route with splits, whose plans also depend on the values that the splits hash. Only `Passed`, which
    does not, is remembered."""

    __slots__ = ("by", "guards", "passed", "room", "route")

    def __init__(self, route: Route, guards: Sequence[Guard], room: Room) -> None:
        self.route = route
        self.guards = tuple(guards)
        self.by = split_features(route)
        self.room = room
        self.passed: dict[int, Passed] = {}

    def at(self, fired: int, *keys: Value) -> Plan | Passed:
        known = self.passed.get(fired)
        if known is not None:
            return known
        answer = _answer(self.route, self.guards, fired, dict(zip(self.by, keys, strict=True)))
        if isinstance(answer, Passed) and self.room.take():
            self.passed[fired] = answer
        return answer


def split_features(route: Route) -> tuple[str, ...]:
    """The features that the route's splits hash, each once."""
    found = (g.by for g in route.groups if g.pick == "split" and g.by is not None)
    return tuple(dict.fromkeys(found))


class Left(dict[int, int]):
    """Fired guards to the targets that are left: bit `i` of `hits[g]` says that guard `g` forbids target `i`."""

    __slots__ = ("hits", "room", "whole")

    def __init__(self, whole: int, hits: Sequence[int], room: Room) -> None:
        super().__init__({0: whole})
        self.whole = whole
        self.hits = tuple(hits)
        self.room = room

    def __missing__(self, fired: int) -> int:
        left = self.whole
        for guard, hit in enumerate(self.hits):
            if fired >> guard & 1:
                left &= ~hit
        if self.room.take():
            self[fired] = left
        return left


def _answer(route: Route, guards: Sequence[Guard], fired: int, values: dict[str, Value]) -> Plan | Passed:
    by: dict[str, set[str]] = {}
    for bit, guard in enumerate(guards):
        if fired >> bit & 1:
            for target in guard.hits:
                by.setdefault(target, set()).add(guard.name)
    removed = tuple(Removal(t, tuple(sorted(by[t]))) for t in route.targets if t in by)
    groups = remaining(route, by, values)
    return Plan(route.name, groups, removed) if groups else Passed(route.name, removed)


class Rejections(dict[tuple[Passed, ...], Reject]):
    """The rejection for the routes that matched and had no target left, with the guards that were found."""

    __slots__ = ("otherwise", "room")

    def __init__(self, otherwise: Otherwise, room: Room) -> None:
        super().__init__({(): Reject(("otherwise",), (otherwise.reason,), otherwise.status)})
        self.otherwise = otherwise
        self.room = room

    def __missing__(self, passed: tuple[Passed, ...]) -> Reject:
        by: dict[str, set[str]] = {}
        for route in passed:
            for removal in route.removed:
                by.setdefault(removal.target, set()).update(removal.guards)
        removed = tuple(Removal(t, tuple(sorted(names))) for t, names in by.items())
        names = tuple(p.route for p in passed)
        answer = Reject(("otherwise",), (self.otherwise.reason,), self.otherwise.status, removed, names)
        if self.room.take():
            self[passed] = answer
        return answer
