"""Random policies whose routes redact, made of drawn ones as the resolver makes them of written ones.

`redacting(program)` gives some routes a redaction: they lead to variants then, guards hit variants like the plain targets, or
not, as predicates about `redacts` can have it, and what is decided `after redaction` is seen so. `every_request` lists what
the constants of names can tell apart: what was found, and what of it cannot be taken out.
"""

from dataclasses import replace
from itertools import product

from hypothesis import strategies as st

from policyd.policy.condition import Has
from policyd.policy.possible import agree
from policyd.policy.program import Group, Program, Redaction, Route, Target
from policyd.policy.redacted import seeing
from policyd.policy.request import EVERYTHING, Request, admit
from policyd.policy.variants import variant_of
from policyd.resolve.redactions import redacts_guards
from tests.strategies.programs import NAMES, conditions_of, programs, tests_of, values_near

__all__ = ["every_request", "redacting", "redacting_programs", "whole_of"]


@st.composite
def _redactions(draw: st.DrawFn, *, after: bool | None = None) -> Redaction:
    drawn = draw(st.sets(st.sampled_from(NAMES), min_size=1, max_size=2))
    names = tuple(sorted(n for n in drawn if not any(n.startswith(o + ".") for o in drawn)))
    return Redaction(names, draw(st.booleans()), draw(st.booleans()) if after is None else after)


@st.composite
def redacting(draw: st.DrawFn, program: Program) -> Program:
    """The program with redactions on at least one of its routes, if it has any."""
    plain = {t.name: t for t in program.targets}
    variants: dict[str, Target] = {}
    routes: list[Route] = []
    for number, route in enumerate(program.routes):
        if number and draw(st.booleans()):
            routes.append(route)
            continue
        redaction = draw(_redactions())
        made = {t: variant_of(plain[t], redaction) for t in route.targets}
        variants |= {v.name: v for v in made.values()}
        groups = tuple(
            Group(g.pick, tuple(replace(m, target=made[m.target].name) for m in g.members), g.by)
            for g in route.groups
        )
        routes.append(replace(route, groups=groups))
    guards = []
    for guard in program.guards:
        also = {v.name for v in variants.values() if v.of in guard.hits}
        spared = (
            draw(st.sets(st.sampled_from(sorted(also)), max_size=1)) if also and not guard.builtin else set()
        )
        guards.append(replace(guard, hits=guard.hits | (also - spared)))
    targets = (*program.targets, *variants.values())
    whole = replace(
        program, targets=targets, routes=tuple(routes), guards=(*guards, *redacts_guards(targets))
    )
    return seeing(whole)


def redacting_programs(*names: str, **sizes: int) -> st.SearchStrategy[Program]:
    """Programs over these features, `findings` among them, most of whose routes redact."""
    return programs(names or None, **sizes).flatmap(redacting)


def whole_of(program: Program) -> tuple[str, ...]:
    """The findings that the program's conditions and redactions name."""
    tests = (t for c in conditions_of(program) for t in tests_of(c))
    named = {t.name for t in tests if isinstance(t, Has)}
    return tuple(
        sorted(named.union(*(t.redaction.names for t in program.targets if t.redaction is not None)))
    )


def every_request(program: Program, *others: str, most: int = 1500) -> list[Request] | None:
    """Every possible request by what was found and what cannot be taken out, and by these other features; None where that is
    too many for a test."""
    names = whole_of(program)
    sets = [
        frozenset(n for n, on in zip(names, bits, strict=True) if on)
        for bits in product((0, 1), repeat=len(names))
    ]
    axes = [values_near(program, program.feature(o)) for o in others]
    size = len(sets) ** 2
    for axis in axes:
        size *= len(axis)
    if size > most * 4:
        return None
    found: dict[tuple[object, ...], Request] = {}
    quiet = {f.name: values_near(program, f)[0] for f in program.features}
    for point in product((*sets, EVERYTHING), (*sets, EVERYTHING), *axes):
        request = admit(
            program, {**quiet, **dict(zip(("findings", "unredactable", *others), point, strict=True))}
        )
        assert isinstance(request, Request)
        if agree(request.values):
            found.setdefault(tuple(request.values[n] for n in ("findings", "unredactable", *others)), request)
    return list(found.values()) if len(found) <= most else None
