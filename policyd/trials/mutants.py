"""Policies that differ from one in a single small mistake.

In comes a program; out come its mutants, each a recipe for a whole program with what is changed in the policy's own words and where:
rules dropped, conditions altered, levels next to the ones that were meant, `only` for `forbid`, routes and targets in another
order, targets left out. The order is always the same: what drops a protection comes first. What a target says of itself is not
changed here, since predicates are settled by then (`cli/other_facts.py`); nor are the amounts of budgets, which no decision reads.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeAlias

from policyd.policy.condition import both, negate, tests_of
from policyd.policy.excepted import applies, without_exception
from policyd.policy.program import (
    Classify,
    Deny,
    ExceptionClause,
    Group,
    Guard,
    Program,
    Raise,
    Route,
    Start,
)
from policyd.policy.redacted import as_written, seeing
from policyd.policy.variants import plain_name
from policyd.text.source import Span
from policyd.trials.altered import altered
from policyd.trials.peeled import peeled

__all__ = ["Mutant", "mutants_of"]

Scopes: TypeAlias = Mapping[Span, str]
"""Where the tests of the scopes of includes stand, with the alias of the include."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """`said` is a clause: ``guard `stays_home` was dropped``. `build` makes the program, or None where it does not read;
    nothing is made before a mutant is tried, and nothing is kept: there are as many mutants as a policy has words."""

    said: str
    build: Callable[[], Program | None] = field(compare=False, repr=False)
    span: Span | None = field(default=None, compare=False, repr=False)


def mutants_of(program: Program) -> Iterator[Mutant]:
    """All of them. What guards see after a redaction follows from what is changed, so rules are changed as written."""
    whole = as_written(program)
    for mutant in _mutants(whole):
        yield mutant if whole is program else replace(mutant, build=partial(_seen, mutant.build))


def _seen(build: Callable[[], Program | None]) -> Program | None:
    program = build()
    return None if program is None else seeing(program)


def _mutants(program: Program) -> Iterator[Mutant]:
    yield from _dropped_rules(program)
    yield from _turned_guards(program)
    scopes = _scopes(program)
    yield from _altered_guards(program, scopes)
    yield from _altered_denies(program, scopes)
    yield from _altered_levels(program, scopes)
    yield from _altered_routes(program, scopes)
    yield from _other_destinations(program)


def _dropped_rules(program: Program) -> Iterator[Mutant]:
    for guard in program.guards:
        if not guard.builtin:
            yield Mutant(f"guard `{guard.name}` was dropped", partial(_no_guard, program, guard), guard.span)
    for deny in program.denies:
        yield Mutant(f"deny `{deny.name}` was dropped", partial(_no_deny, program, deny), deny.span)
    for exception in program.exceptions:
        build = partial(_no_exception, program, exception)
        yield Mutant(f"exception `{exception.name}` was dropped", build, exception.span)
    for level in program.levels:
        for index, raise_ in enumerate(level.raises):
            without = replace(level, raises=(*level.raises[:index], *level.raises[index + 1 :]))
            said = f"the raise of `{level.name}` {_to(level, raise_)} was dropped"
            yield Mutant(said, partial(_with_level, program, without), raise_.span)
        for index, start in enumerate(level.starts[:-1]):
            without = replace(level, starts=(*level.starts[:index], *level.starts[index + 1 :]))
            said = f"the start of `{level.name}` at `{level.values[start.rank]}` was dropped"
            yield Mutant(said, partial(_with_level, program, without), start.span)
    if len(program.routes) > 1:
        for number, route in enumerate(program.routes):
            yield Mutant(
                f"route `{route.name}` was dropped", partial(_with_routes, program, number, ()), route.span
            )


def _turned_guards(program: Program) -> Iterator[Mutant]:
    every = frozenset(t.name for t in program.targets)
    for guard in program.guards:
        effect, _, predicate = guard.text.partition(" ")
        other = {"only": "forbid", "forbid": "only"}.get(effect)
        if not guard.builtin and other is not None:
            turned = replace(guard, hits=every - guard.hits, text=f"{other} {predicate}")
            said = f"`{guard.text}` became `{turned.text}` in guard `{guard.name}`"
            yield Mutant(said, partial(_with_guard, program, guard, turned), guard.span)


def _altered_guards(program: Program, scopes: Scopes) -> Iterator[Mutant]:
    for guard in program.guards:
        if guard.builtin:
            continue
        own, exceptions = peeled(program, guard)
        lifted = tuple(negate(applies(e)) for e in exceptions)
        for one in altered(program, own):
            changed = replace(guard, condition=both(one.condition, *lifted))
            said = f"{one.said} {_place(scopes, one.span, f'guard `{guard.name}`')}"
            yield Mutant(said, partial(_with_guard, program, guard, changed), one.span or guard.span)
        for index, exception in enumerate(exceptions):
            for one in altered(program, applies(exception)):
                others = (*lifted[:index], negate(one.condition), *lifted[index + 1 :])
                changed = replace(guard, condition=both(own, *others))
                title = f"exception `{exception.name}` to guard `{guard.name}`"
                said = f"{one.said} {_place(scopes, one.span, title)}"
                yield Mutant(said, partial(_with_guard, program, guard, changed), one.span or exception.span)


def _altered_denies(program: Program, scopes: Scopes) -> Iterator[Mutant]:
    for deny in program.denies:
        for one in altered(program, deny.condition):
            changed = replace(deny, condition=one.condition)
            said = f"{one.said} {_place(scopes, one.span, f'deny `{deny.name}`')}"
            yield Mutant(said, partial(_with_deny, program, deny, changed), one.span or deny.span)


def _altered_levels(program: Program, scopes: Scopes) -> Iterator[Mutant]:
    for level in program.levels:
        last = len(level.starts) - 1
        for index, start in enumerate(level.starts):
            place = f"the start of `{level.name}` at `{level.values[start.rank]}`"
            for rank in _beside(level, start.rank, 0):
                said = f"`{level.values[start.rank]}` became `{level.values[rank]}` in {place}"
                build = partial(_with_start, program, level, index, replace(start, rank=rank))
                yield Mutant(said, build, start.span)
            for one in altered(program, start.when) if index < last else ():
                build = partial(_with_start, program, level, index, replace(start, when=one.condition))
                yield Mutant(f"{one.said} {_place(scopes, one.span, place)}", build, one.span or start.span)
        for index, raise_ in enumerate(level.raises):
            place = f"the raise of `{level.name}` {_to(level, raise_)}"
            for rank in _beside(level, raise_.to, 1) if isinstance(raise_.to, int) else ():
                said = f"`{level.values[int(raise_.to)]}` became `{level.values[rank]}` in {place}"
                build = partial(_with_raise, program, level, index, replace(raise_, to=rank))
                yield Mutant(said, build, raise_.span)
            for one in altered(program, raise_.when):
                build = partial(_with_raise, program, level, index, replace(raise_, when=one.condition))
                yield Mutant(f"{one.said} {_place(scopes, one.span, place)}", build, one.span or raise_.span)


def _altered_routes(program: Program, scopes: Scopes) -> Iterator[Mutant]:
    for index, route in enumerate(program.routes):
        for one in altered(program, route.condition):
            changed = replace(route, condition=one.condition)
            said = f"{one.said} {_place(scopes, one.span, f'route `{route.name}`')}"
            yield Mutant(said, partial(_with_routes, program, index, (changed,)), one.span or route.span)


def _other_destinations(program: Program) -> Iterator[Mutant]:
    for index, (first, second) in enumerate(zip(program.routes, program.routes[1:], strict=False)):
        said = f"routes `{first.name}` and `{second.name}` were swapped"
        build = partial(_with_routes, program, index, (second, first))
        yield Mutant(said, build, second.span)
    for index, route in enumerate(program.routes):
        for target in route.targets if len(route.targets) > 1 else ():
            said = f"target `{plain_name(target)}` was dropped from route `{route.name}`"
            build = partial(_with_routes, program, index, (_without(route, target),))
            yield Mutant(said, build, route.span)
        for number, group in enumerate(route.groups):
            for place in range(len(group.members) - 1 if group.pick == "order" else 0):
                one, two = group.members[place : place + 2]
                members = (*group.members[:place], two, one, *group.members[place + 2 :])
                groups = (
                    *route.groups[:number],
                    replace(group, members=members),
                    *route.groups[number + 1 :],
                )
                said = f"targets `{plain_name(one.target)}` and `{plain_name(two.target)}` were swapped in route `{route.name}`"
                build = partial(_with_routes, program, index, (replace(route, groups=groups),))
                yield Mutant(said, build, route.span)


def _scopes(program: Program) -> Scopes:
    return {t.span: i.alias for i in program.inclusions for t in tests_of(i.scope) if t.span is not None}


def _place(scopes: Scopes, span: Span | None, rule: str) -> str:
    """A rule of a scoped include carries the include's scope; whoever changes that changes it at the include."""
    alias = None if span is None else scopes.get(span)
    return f"in {rule}" if alias is None else f"in the scope of include `{alias}`, as {rule} has it"


def _no_guard(program: Program, guard: Guard) -> Program:
    return replace(program, guards=tuple(g for g in program.guards if g is not guard))


def _no_deny(program: Program, deny: Deny) -> Program:
    return replace(program, denies=tuple(d for d in program.denies if d is not deny))


def _no_exception(program: Program, exception: ExceptionClause) -> Program:
    guards = tuple(
        replace(g, condition=without_exception(g.condition, exception)) if g.name == exception.guard else g
        for g in program.guards
    )
    exceptions = tuple(e for e in program.exceptions if e is not exception)
    return replace(program, guards=guards, exceptions=exceptions)


def _with_deny(program: Program, deny: Deny, changed: Deny) -> Program:
    return replace(program, denies=tuple(changed if d is deny else d for d in program.denies))


def _with_routes(program: Program, index: int, routes: tuple[Route, ...]) -> Program:
    """As many of its routes as are given, from this one on; none drops this one."""
    past = index + max(1, len(routes))
    return replace(program, routes=(*program.routes[:index], *routes, *program.routes[past:]))


def _beside(level: Classify, rank: int, lowest: int) -> Iterator[int]:
    return (r for r in (rank - 1, rank + 1) if lowest <= r < len(level.values))


def _without(route: Route, target: str) -> Route:
    groups = (Group(g.pick, tuple(m for m in g.members if m.target != target), g.by) for g in route.groups)
    return replace(route, groups=tuple(g for g in groups if g.members))


def _with_guard(program: Program, guard: Guard, changed: Guard) -> Program:
    return replace(program, guards=tuple(changed if g is guard else g for g in program.guards))


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
    if raise_.to.startswith("conversation:"):
        return "by what the conversation reached"
    return f'by header "{raise_.to.removeprefix("header:")}"'
