"""Policies that differ from one in a single small mistake.

In comes a program; out come its mutants, each a whole program with what was changed in the policy's own words and where:
rules dropped, conditions altered, levels next to the ones that were meant, `only` for `forbid`, routes and targets in another
order, targets left out. The order is always the same: what drops a protection comes first. What a target says of itself is not
changed here, since predicates are settled by then (`cli/other_facts.py`); nor are the amounts of budgets, which no decision reads.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from policyd.policy.condition import Condition
from policyd.policy.excepted import without_exception
from policyd.policy.program import Classify, Group, Guard, Program, Raise, Route, Start
from policyd.text.source import Span
from policyd.trials.altered import altered

__all__ = ["Mutant", "mutants_of"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """`said` is a clause: ``guard `stays_home` was dropped``."""

    said: str
    program: Program
    span: Span | None = field(default=None, compare=False, repr=False)


def mutants_of(program: Program) -> Iterator[Mutant]:
    """All of them."""
    yield from _dropped_rules(program)
    yield from _turned_guards(program)
    yield from _altered_guards(program)
    yield from _altered_denies(program)
    yield from _altered_levels(program)
    yield from _altered_routes(program)
    yield from _other_destinations(program)


def _dropped_rules(program: Program) -> Iterator[Mutant]:
    for guard in program.guards:
        if not guard.builtin:
            guards = tuple(g for g in program.guards if g is not guard)
            yield Mutant(f"guard `{guard.name}` was dropped", replace(program, guards=guards), guard.span)
    for deny in program.denies:
        denies = tuple(d for d in program.denies if d is not deny)
        yield Mutant(f"deny `{deny.name}` was dropped", replace(program, denies=denies), deny.span)
    for exception in program.exceptions:
        guards = tuple(
            replace(g, condition=without_exception(g.condition, exception))
            if g.name == exception.guard
            else g
            for g in program.guards
        )
        exceptions = tuple(e for e in program.exceptions if e is not exception)
        mutant = replace(program, guards=guards, exceptions=exceptions)
        yield Mutant(f"exception `{exception.name}` was dropped", mutant, exception.span)
    for level in program.levels:
        for index, raise_ in enumerate(level.raises):
            without = replace(level, raises=(*level.raises[:index], *level.raises[index + 1 :]))
            said = f"the raise of `{level.name}` {_to(level, raise_)} was dropped"
            yield Mutant(said, _with_level(program, without), raise_.span)
        for index, start in enumerate(level.starts[:-1]):
            without = replace(level, starts=(*level.starts[:index], *level.starts[index + 1 :]))
            said = f"the start of `{level.name}` at `{level.values[start.rank]}` was dropped"
            yield Mutant(said, _with_level(program, without), start.span)
    if len(program.routes) > 1:
        for route in program.routes:
            routes = tuple(r for r in program.routes if r is not route)
            yield Mutant(f"route `{route.name}` was dropped", replace(program, routes=routes), route.span)


def _turned_guards(program: Program) -> Iterator[Mutant]:
    every = frozenset(t.name for t in program.targets)
    for guard in program.guards:
        effect, _, predicate = guard.text.partition(" ")
        other = {"only": "forbid", "forbid": "only"}.get(effect)
        if not guard.builtin and other is not None:
            turned = replace(guard, hits=every - guard.hits, text=f"{other} {predicate}")
            said = f"`{guard.text}` became `{turned.text}` in guard `{guard.name}`"
            yield Mutant(said, _with_guard(program, guard, turned), guard.span)


def _altered_guards(program: Program) -> Iterator[Mutant]:
    for guard in program.guards:
        for one in () if guard.builtin else altered(program, guard.condition):
            changed = _with_guard(program, guard, replace(guard, condition=one.condition))
            yield Mutant(f"{one.said} in guard `{guard.name}`", changed, one.span or guard.span)


def _altered_denies(program: Program) -> Iterator[Mutant]:
    for deny in program.denies:
        for one in altered(program, deny.condition):
            changed = replace(deny, condition=one.condition)
            denies = tuple(changed if d is deny else d for d in program.denies)
            said = f"{one.said} in deny `{deny.name}`"
            yield Mutant(said, replace(program, denies=denies), one.span or deny.span)


def _altered_levels(program: Program) -> Iterator[Mutant]:
    for level in program.levels:
        last = len(level.starts) - 1
        for index, start in enumerate(level.starts):
            place = f"in the start of `{level.name}` at `{level.values[start.rank]}`"
            for rank in _beside(level, start.rank, 0):
                said = f"`{level.values[start.rank]}` became `{level.values[rank]}` {place}"
                yield Mutant(said, _with_start(program, level, index, replace(start, rank=rank)), start.span)
            for when, said, span in _conditions(program, start.when) if index < last else ():
                changed = _with_start(program, level, index, replace(start, when=when))
                yield Mutant(f"{said} {place}", changed, span or start.span)
        for index, raise_ in enumerate(level.raises):
            place = f"in the raise of `{level.name}` {_to(level, raise_)}"
            for rank in _beside(level, raise_.to, 1) if isinstance(raise_.to, int) else ():
                said = f"`{level.values[int(raise_.to)]}` became `{level.values[rank]}` {place}"
                yield Mutant(said, _with_raise(program, level, index, replace(raise_, to=rank)), raise_.span)
            for when, said, span in _conditions(program, raise_.when):
                changed = _with_raise(program, level, index, replace(raise_, when=when))
                yield Mutant(f"{said} {place}", changed, span or raise_.span)


def _altered_routes(program: Program) -> Iterator[Mutant]:
    for index, route in enumerate(program.routes):
        for when, said, span in _conditions(program, route.condition):
            changed = _with_route(program, index, replace(route, condition=when))
            yield Mutant(f"{said} in route `{route.name}`", changed, span or route.span)


def _other_destinations(program: Program) -> Iterator[Mutant]:
    for index, (first, second) in enumerate(zip(program.routes, program.routes[1:], strict=False)):
        routes = (*program.routes[:index], second, first, *program.routes[index + 2 :])
        said = f"routes `{first.name}` and `{second.name}` were swapped"
        yield Mutant(said, replace(program, routes=routes), second.span)
    for index, route in enumerate(program.routes):
        for target in route.targets if len(route.targets) > 1 else ():
            said = f"target `{target}` was dropped from route `{route.name}`"
            yield Mutant(said, _with_route(program, index, _without(route, target)), route.span)
        for number, group in enumerate(route.groups):
            for place in range(len(group.members) - 1 if group.pick == "order" else 0):
                one, two = group.members[place : place + 2]
                members = (*group.members[:place], two, one, *group.members[place + 2 :])
                groups = (
                    *route.groups[:number],
                    replace(group, members=members),
                    *route.groups[number + 1 :],
                )
                said = f"targets `{one.target}` and `{two.target}` were swapped in route `{route.name}`"
                yield Mutant(said, _with_route(program, index, replace(route, groups=groups)), route.span)


def _conditions(program: Program, condition: Condition) -> Iterator[tuple[Condition, str, Span | None]]:
    return ((one.condition, one.said, one.span) for one in altered(program, condition))


def _beside(level: Classify, rank: int, lowest: int) -> Iterator[int]:
    return (r for r in (rank - 1, rank + 1) if lowest <= r < len(level.values))


def _without(route: Route, target: str) -> Route:
    groups = (Group(g.pick, tuple(m for m in g.members if m.target != target), g.by) for g in route.groups)
    return replace(route, groups=tuple(g for g in groups if g.members))


def _with_guard(program: Program, guard: Guard, changed: Guard) -> Program:
    return replace(program, guards=tuple(changed if g is guard else g for g in program.guards))


def _with_route(program: Program, index: int, route: Route) -> Program:
    return replace(program, routes=(*program.routes[:index], route, *program.routes[index + 1 :]))


def _with_start(program: Program, level: Classify, index: int, start: Start) -> Program:
    starts = (*level.starts[:index], start, *level.starts[index + 1 :])
    return _with_level(program, replace(level, starts=starts))


def _with_raise(program: Program, level: Classify, index: int, raise_: Raise) -> Program:
    raises = (*level.raises[:index], raise_, *level.raises[index + 1 :])
    return _with_level(program, replace(level, raises=raises))


def _with_level(program: Program, level: Classify) -> Program:
    return replace(program, levels=tuple(level if x.name == level.name else x for x in program.levels))


def _to(level: Classify, raise_: Raise) -> str:
    if isinstance(raise_.to, int):
        return f"to `{level.values[raise_.to]}`"
    return f'by header "{raise_.to.removeprefix("header:")}"'
