"""What changed between two policies, against brute force: nothing missed, nothing invented, every witness really one."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.condition import TRUE, AtLeast, OneOf
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import firing_guards, holds
from policyd.policy.program import (
    Classify,
    Deny,
    EnumDomain,
    Feature,
    Group,
    Member,
    Otherwise,
    Program,
    Provenance,
    Raise,
    Route,
    Start,
    StringDomain,
    Where,
)
from policyd.policy.request import Request
from policyd.proofs.changes import changes, is_same, show, show_loosened
from policyd.proofs.find import Budget
from policyd.proofs.kinds import Kind, allowed_by, decide, kind_of
from policyd.proofs.together import Together, put_together
from policyd.text.diagnostic import Severity
from tests.proofs import brute
from tests.proofs.test_proofs import GROUPS
from tests.strategies.programs import TARGETS, conditions, programs

Edit = Callable[[Program], Program]


def _cut(domain: object) -> object:
    """Another domain for a feature of this one."""
    if isinstance(domain, EnumDomain):
        return EnumDomain((*domain.values[1:], "new-word"), domain.ordered)
    return EnumDomain(("", "a", "search", "risk")) if isinstance(domain, StringDomain) else domain


@st.composite
def edits(draw: st.DrawFn, program: Program, names: tuple[str, ...]) -> Program:
    """The program with one thing changed, as a person would."""
    condition = conditions(names)
    hits = st.sets(st.sampled_from([t.name for t in TARGETS]), max_size=3).map(frozenset)
    kind = draw(st.sampled_from(("guard", "hits", "deny", "route", "swap", "plan", "otherwise", "level", "drop", "domain", "target", "status")))  # fmt: skip
    guards, denies, routes = list(program.guards), list(program.denies), list(program.routes)
    if kind == "guard" and guards:
        at = draw(st.integers(0, len(guards) - 1))
        guards[at] = replace(guards[at], condition=draw(condition))
    elif kind == "hits" and guards:
        at = draw(st.integers(0, len(guards) - 1))
        guards[at] = replace(guards[at], hits=draw(hits))
    elif kind == "deny":
        name = next(n for i in range(9) if (n := f"added{i}") not in {d.name for d in denies})
        at = draw(st.integers(0, len(denies)))
        denies.insert(at, Deny(name, draw(condition), draw(st.sampled_from([403, 429])), "new"))
    elif kind == "route" and routes:
        at = draw(st.integers(0, len(routes) - 1))
        routes[at] = replace(routes[at], condition=draw(condition))
    elif kind == "swap" and len(routes) > 1:
        at = draw(st.integers(0, len(routes) - 2))
        routes[at], routes[at + 1] = routes[at + 1], routes[at]
    elif kind == "plan" and routes:
        at = draw(st.integers(0, len(routes) - 1))
        picked = draw(st.permutations([t.name for t in TARGETS]))[: draw(st.integers(1, 3))]
        pick = draw(st.sampled_from(("order", "any", "cheapest")))
        routes[at] = replace(routes[at], groups=(Group(pick, tuple(Member(t) for t in picked)),))
    elif kind == "status" and denies:
        at = draw(st.integers(0, len(denies) - 1))
        denies[at] = replace(denies[at], status=451)
    elif kind == "otherwise":
        return replace(program, otherwise=Otherwise("no", 503, program.otherwise.holes))
    elif kind == "level":
        level = program.levels[0]
        return replace(program, levels=(replace(level, raises=level.raises[:-1]),))
    elif kind == "drop":
        part = draw(st.sampled_from([p for p in (guards, denies, routes) if p] or [[]]))
        if part:
            part.pop(draw(st.integers(0, len(part) - 1)))
    elif kind == "domain":
        name = draw(st.sampled_from(names))
        features = tuple(
            replace(f, domain=_cut(f.domain)) if f.name == name and f.where.kind == "header" else f
            for f in program.features
        )
        return replace(program, features=features)
    elif kind == "target":
        return replace(program, targets=(*program.targets, replace(program.targets[0], name="t9")))
    return replace(program, guards=tuple(guards), denies=tuple(denies), routes=tuple(routes))


class Drawn:
    """Two policies, and every request that their constants tell apart. No dataclass: Hypothesis would print it all."""

    def __init__(self, together: Together, every: list[Request]) -> None:
        self.together = together
        self.every = every

    def __repr__(self) -> str:
        def shown(program: Program) -> str:
            parts = (program.guards, program.denies, program.routes, program.levels)
            return "\n".join(str(x) for part in parts for x in part)

        return f"old\n{shown(self.together.old.program)}\nnew\n{shown(self.together.new.program)}"[:20_000]


@st.composite
def two(draw: st.DrawFn) -> Drawn:
    """A policy and its next version, with every request that their constants tell apart."""
    group = draw(st.sampled_from(GROUPS))
    names = tuple(draw(st.lists(st.sampled_from(group), min_size=1, max_size=2, unique=True)))
    old = draw(programs(names, max_routes=4, max_guards=3))
    new = draw(programs(names, max_routes=4, max_guards=3)) if draw(st.integers(0, 3)) == 0 else old
    for _ in range(draw(st.integers(0, 3))):
        new = draw(edits(new, names))
    together = put_together(old, new)
    assert isinstance(together, Together)
    reading = [*names, *(f.name for f in together.program.features if f.name.endswith(" (new)"))]
    if any(g.builtin for g in old.guards + new.guards) and "context_needed" not in names:
        reading.append("context_needed")
    if "images" in reading and "opaque" not in reading:
        reading.append("opaque")
    every = brute.grid_of(together.program, reading, most=400)
    assume(every is not None)
    assert every is not None
    return Drawn(together, every)


def decider_names(together: Together, request: Request) -> tuple[str, str]:
    out = []
    for side in (together.old, together.new):
        decision = decide(side.program, request)
        out.append(decision.route if isinstance(decision, Plan) else decision.by[0])
    return out[0], out[1]


@given(two())
def test_pairs_and_their_worst_kinds_are_those_of_brute_force(case: Drawn) -> None:
    together, every = case.together, case.every
    worst: dict[tuple[str, str], Kind] = {}
    for request in every:
        kind = kind_of(together.old.program, together.new.program, request)
        if kind is not None:
            pair = decider_names(together, request)
            worst[pair] = max(kind, worst.get(pair, kind))
    found = changes(together)
    assert not found.unfinished
    assert {(c.before.name, c.after.name): c.kind for c in found.pairs} == worst
    assert len(found.pairs) == len(worst), "each pair once"


@given(two())
def test_policies_are_the_same_iff_no_request_tells_them_apart(case: Drawn) -> None:
    together, every = case.together, case.every
    told_apart = any(kind_of(together.old.program, together.new.program, r) is not None for r in every)
    assert is_same(together) is not told_apart


@given(two())
def test_what_is_loosened_is_what_guards_and_denies_newly_let_through(
    case: Drawn,
) -> None:
    together, every = case.together, case.every
    old, new = together.old.program, together.new.program
    wanted: set[tuple[str | None, str | None]] = set()
    for request in every:
        now = allowed_by(new, request)
        guards = firing_guards(old, request)
        denied = [d.name for d in old.denies if holds(old, d.condition, request)]
        if not any(holds(new, d.condition, request) for d in new.denies):
            wanted |= {(None, name) for name in denied}
        known = {t.name for t in old.targets}
        wanted |= {(t, None) for t in now if t not in known}
        wanted |= {(t, g) for t in now if t in known for g in guards.get(t, ())}
    found = changes(together).loosened
    assert {(x.target, x.rule) for x in found} == wanted


@given(two())
def test_every_change_is_shown_by_a_request_of_its_kind(case: Drawn) -> None:
    together = case.together
    old, new = together.old.program, together.new.program
    found = changes(together)
    for change in found.pairs:
        for number, (kind, _cell) in enumerate(change.kinds):
            shown = show(together, change, number)
            assert kind_of(old, new, shown.request) is kind
            assert decider_names(together, shown.request) == (change.before.name, change.after.name)
    for loosened in found.loosened:
        shown = show_loosened(together, loosened)
        if loosened.target is None:
            assert isinstance(shown.before, Reject) and shown.before.by != ("otherwise",)
            assert isinstance(shown.after, Plan) or shown.after.by == ("otherwise",)
        else:
            assert loosened.target in allowed_by(new, shown.request) - allowed_by(old, shown.request)


@given(programs())
def test_a_policy_is_the_same_as_itself(program: Program) -> None:
    together = put_together(program, program)
    assert isinstance(together, Together)
    found = changes(together)
    assert found.same and not found.loosened
    assert is_same(together) is True


@given(programs(), st.randoms(use_true_random=False))
def test_names_reasons_and_the_order_of_guards_are_no_change(program: Program, random: object) -> None:
    guards = [replace(g, name=f"other {g.name}", because="in other words") for g in program.guards]
    random.shuffle(guards)  # type: ignore[attr-defined]
    routes = tuple(replace(r, name=f"other {r.name}") for r in program.routes)
    together = put_together(program, replace(program, guards=tuple(guards), routes=routes))
    assert isinstance(together, Together)
    assert is_same(together) is True


def test_a_label_that_gets_a_value_is_compared_value_by_value() -> None:
    """The old policy cannot even read the new value: it is asked what it says of it, and refuses it."""
    label = Feature("header:x-c", EnumDomain(("public", "secret"), ordered=True), Provenance.CLAIMED, Where("label", "x-c"), "public")  # fmt: skip
    level = Classify("s", ("public", "secret"), (Start(0, TRUE),), (Raise("header:x-c", TRUE),))
    small = Program(
        (*BUILTIN_FEATURES, label), (level,), TARGETS[:1], (), (Deny("d", AtLeast("s", 1), 403, "no"),),
        (Route("r", (Group("order", (Member("t0"),)),), TRUE),), Otherwise("no", 403, Severity.NOTE),
    )  # fmt: skip
    more = ("public", "secret", "top")
    large = replace(
        small,
        features=(*BUILTIN_FEATURES, replace(label, domain=EnumDomain(more, ordered=True))),
        levels=(replace(level, values=more),),
    )
    for old, new in ((small, large), (large, small)):
        together = put_together(old, new)
        assert isinstance(together, Together)
        found = changes(together)
        shown = [show(together, c) for c in found.pairs] + [
            show_loosened(together, x) for x in found.loosened
        ]
        assert shown and all(s.request.values["header:x-c"] == "top" for s in shown)


def test_a_new_target_that_outgrows_the_budget_is_not_proved() -> None:
    program = Program(BUILTIN_FEATURES, (), TARGETS[:1], (), (), (), Otherwise("no", 403, Severity.NOTE))
    new = replace(program, targets=TARGETS[:2])
    together = put_together(program, new, Budget(nodes=0))
    assert isinstance(together, Together)
    assert changes(together).unfinished


def test_routes_that_change_places_are_seen_to_decide_otherwise() -> None:
    first = Route(
        "first", (Group("order", (Member("t0"),)),), OneOf("endpoint", frozenset({"chat", "messages"}))
    )
    second = Route("second", (Group("order", (Member("t1"),)),), OneOf("endpoint", frozenset({"chat"})))
    third = Route("third", (Group("order", (Member("t1"),)),), TRUE)
    old = Program(
        BUILTIN_FEATURES, (), TARGETS[:2], (), (), (first, second, third), Otherwise("no", 403, Severity.NOTE)
    )
    together = put_together(old, replace(old, routes=(third, second, first)))
    assert isinstance(together, Together)
    assert {(c.before.name, c.after.name) for c in changes(together).pairs} == {("first", "third")}
    together = put_together(old, replace(old, routes=(second, first, third)))
    assert isinstance(together, Together)
    assert {(c.before.name, c.after.name) for c in changes(together).pairs} == {("first", "second")}
