"""What the tests of a policy should have shown: one goal for each thing that a rule can do.

In comes a program; out go its goals, in written order: every route decides, every written guard removes a target and
once leaves it alone, every deny rejects, `otherwise` is reached, every exception is used, every start and raise of a level
takes effect, and every test of a condition is once true and once false where it alone decides and the rule is asked. A
goal is data: `met` reads it off one request by the reference, `asking` searches all requests for one that meets it.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias
from typing import Literal as Lit

from policyd.policy.condition import (
    TRUE,
    AtLeast,
    Condition,
    InRange,
    OneOf,
    both,
    either,
    negate,
)
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.excepted import applies, without_exception
from policyd.policy.levels import level_condition
from policyd.policy.program import Classify, EnumDomain, NumberDomain, Program, Raise
from policyd.policy.request import Request
from policyd.policy.wording import condition_text
from policyd.text.source import Span
from policyd.trials.leaves import Leaf, leaves_of
from policyd.trials.peeled import peeled

__all__ = [
    "KINDS", "Edge", "Goal", "Kind", "Seen", "Stage", "at_readers", "goals_of", "look", "met",
]  # fmt: skip

Kind: TypeAlias = Lit[
    "routes", "guards", "denies", "otherwise", "exceptions", "starts", "raises", "conditions"
]
KINDS: Final[tuple[Kind, ...]] = (
    "routes",
    "guards",
    "denies",
    "otherwise",
    "exceptions",
    "starts",
    "raises",
    "conditions",
)

Stage: TypeAlias = Lit["anywhere", "deny", "route", "guard", "otherwise"]
"""Where a request has to get to: `anywhere`; to deny number `index`, no deny before it rejecting; to route number `index`,
no route before it deciding, and one of its targets left; to guard number `index`: some route is tried that leads to a
target which the guard is about; to `otherwise`."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A feature's value right at a threshold, or one past it."""

    feature: str
    value: int | str


@dataclass(frozen=True, slots=True)
class Goal:
    """A request that gets to the stage and meets `where` shows it. `rule` is the name of what it is about, `text` says it.
    `edge`: of the requests that show it, the ones to prefer: those at a threshold, or at the level next to it."""

    kind: Kind
    rule: str
    text: str
    where: Condition
    stage: Stage
    index: int = 0
    edge: Edge | Condition | None = None
    span: Span | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Seen:
    """A request, and what the reference makes of it. `denied`: the number of the first deny that rejects it. `decided`: the
    number of the route that decides, the number of routes where none does; it means nothing where it is denied."""

    request: Request
    denied: int | None
    decided: int
    forbidden: frozenset[str]


def look(program: Program, request: Request) -> Seen:
    decision = evaluate(program, request)
    forbidden = frozenset(firing_guards(program, request))
    if isinstance(decision, Plan):
        decided = next(i for i, r in enumerate(program.routes) if r.name == decision.route)
        return Seen(request, None, decided, forbidden)
    return Seen(request, _first_deny(program, decision), len(program.routes), forbidden)


def _first_deny(program: Program, decision: Reject) -> int | None:
    return next((i for i, d in enumerate(program.denies) if d.name == decision.by[0]), None)


def met(program: Program, goal: Goal, seen: Seen) -> bool:
    """Whether the request shows it."""
    return _arrives(program, goal, seen) and holds(program, goal.where, seen.request)


def _arrives(program: Program, goal: Goal, seen: Seen) -> bool:
    match goal.stage:
        case "anywhere":
            return True
        case "deny":
            return seen.denied is None or seen.denied >= goal.index
        case _ if seen.denied is not None:
            return False
        case "route":
            route = program.routes[goal.index]
            return seen.decided >= goal.index and not seen.forbidden.issuperset(route.targets)
        case "guard":
            hits = program.guards[goal.index].hits
            return any(
                not hits.isdisjoint(r.targets) and holds(program, r.condition, seen.request)
                for r in program.routes[: seen.decided + 1]
            )
        case "otherwise":
            return seen.decided == len(program.routes)


def goals_of(program: Program) -> tuple[Goal, ...]:
    """Levels first, then denies, guards, exceptions, routes and `otherwise`; a rule before the tests of its condition. Each
    has a text of its own: of a test that a rule has several times, the second says so."""
    times: Counter[str] = Counter()
    out: list[Goal] = []
    for goal in _all_goals(program):
        times[goal.text] += 1
        again = f", number {times[goal.text]} of its kind" if times[goal.text] > 1 else ""
        out.append(replace(goal, text=goal.text + again))
    return tuple(out)


def _all_goals(program: Program) -> tuple[Goal, ...]:
    return (
        *(g for level in program.levels for g in _of_level(program, level)),
        *_of_denies(program),
        *_of_guards(program),
        *_of_routes(program),
        Goal(
            "otherwise", "otherwise", "`otherwise` is reached", TRUE, "otherwise", span=program.otherwise.span
        ),
    )


def _of_routes(program: Program) -> Iterator[Goal]:
    for index, route in enumerate(program.routes):
        title = f"route `{route.name}`"
        whole = Goal(
            "routes", route.name, f"{title} decides", route.condition, "route", index, span=route.span
        )
        yield whole
        yield from _sides(program, whole, title, route.condition)


def _of_denies(program: Program) -> Iterator[Goal]:
    for index, deny in enumerate(program.denies):
        title = f"deny `{deny.name}`"
        whole = Goal("denies", deny.name, f"{title} rejects", deny.condition, "deny", index, span=deny.span)
        yield whole
        yield from _sides(program, whole, title, deny.condition)


def _of_guards(program: Program) -> Iterator[Goal]:
    for index, guard in enumerate(program.guards):
        if guard.builtin or not guard.hits:
            continue
        title = f"guard `{guard.name}`{' after redaction' if guard.after else ''}"
        whole = Goal(
            "guards",
            guard.name,
            f"{title} removes a target",
            guard.condition,
            "guard",
            index,
            span=guard.span,
        )
        yield whole
        yield replace(whole, text=f"{title} leaves a target alone", where=negate(guard.condition))
        for exception in program.exceptions:
            if exception.guard == guard.name:
                yield replace(
                    whole,
                    kind="exceptions",
                    rule=exception.name,
                    text=f"exception `{exception.name}` lifts {title}",
                    where=both(without_exception(guard.condition, exception), applies(exception)),
                    span=exception.span,
                )
        yield from _sides_of_guard(program, whole, title)


def _sides_of_guard(program: Program, whole: Goal, title: str) -> Iterator[Goal]:
    """The tests of an exception are the exception's, although its guard carries them."""
    guard = program.guards[whole.index]
    own, exceptions = peeled(program, guard)
    lifted = tuple(negate(applies(e)) for e in exceptions)
    yield from _sides(program, whole, title, own, both(*lifted))
    for index, exception in enumerate(exceptions):
        others = both(own, *lifted[:index], *lifted[index + 1 :])
        about = replace(whole, rule=exception.name, span=exception.span)
        named = f"exception `{exception.name}` to {title}"
        yield from _sides(program, about, named, applies(exception), others)


def _of_level(program: Program, level: Classify) -> Iterator[Goal]:
    before: list[Condition] = []
    for start in level.starts:
        text = f"`{level.name}` starts at `{level.values[start.rank]}`"
        named = f"{text}{_when(program, start.when)}"
        where = both(*before, start.when)
        whole = Goal("starts", level.name, named, where, "anywhere", span=start.span)
        yield whole
        yield from _sides(program, whole, text, start.when, both(*before))
        before.append(negate(start.when))
    for index, raise_ in enumerate(level.raises):
        others = replace(level, raises=(*level.raises[:index], *level.raises[index + 1 :]))
        text = f"`{level.name}` is raised {_to(level, raise_)}"
        named = f"{text}{_when(program, raise_.when)}"
        lifts = _lifts(others, raise_)
        whole = Goal("raises", level.name, named, both(raise_.when, lifts), "anywhere", span=raise_.span)
        yield whole
        yield from _sides(program, whole, text, raise_.when, lifts)


def at_readers(program: Program, goal: Goal) -> Iterator[Goal]:
    """A goal about a level, at each rule whose decision turns with a test of that level: there the level shows."""
    if goal.stage != "anywhere":
        return
    for stage, index, condition in _rules(program):
        for leaf in leaves_of(program, condition):
            if isinstance(leaf.test, AtLeast) and leaf.test.level == goal.rule:
                yield replace(goal, stage=stage, index=index, where=both(goal.where, leaf.alone))


def _rules(program: Program) -> Iterator[tuple[Stage, int, Condition]]:
    yield from (("guard", i, g.condition) for i, g in enumerate(program.guards) if not g.builtin)
    yield from (("deny", i, d.condition) for i, d in enumerate(program.denies))
    yield from (("route", i, r.condition) for i, r in enumerate(program.routes))


def _lifts(others: Classify, raise_: Raise) -> Condition:
    """Where nothing else makes the level as high as the raise would."""
    if isinstance(raise_.to, int):
        return negate(level_condition(others, raise_.to))
    label = raise_.to
    return either(
        *(
            both(OneOf(label, frozenset({others.values[rank]})), negate(level_condition(others, rank)))
            for rank in range(1, len(others.values))
        )
    )


def _to(level: Classify, raise_: Raise) -> str:
    if isinstance(raise_.to, int):
        return f"to `{level.values[raise_.to]}`"
    if raise_.to.startswith("conversation:"):
        return "by what the conversation reached"
    return f'by header "{raise_.to.removeprefix("header:")}"'


def _when(program: Program, condition: Condition) -> str:
    return "" if condition == TRUE else f" when `{condition_text(program, condition)}`"


def _sides(
    program: Program, whole: Goal, title: str, condition: Condition, also: Condition = TRUE
) -> Iterator[Goal]:
    """Both sides of every test of a rule's condition, where the test alone decides about it."""
    for leaf in leaves_of(program, condition):
        for said in (True, False):
            outcome = said != leaf.turned
            test = leaf.test if outcome else negate(leaf.test)
            yield replace(
                whole,
                kind="conditions",
                text=f"{title}: {leaf.said} {'holds' if said else 'does not hold'}",
                where=both(also, leaf.alone, test),
                edge=_edge(program, leaf, outcome=outcome),
                span=leaf.test.span or whole.span,
            )


def _edge(program: Program, leaf: Leaf, *, outcome: bool) -> Edge | Condition | None:
    """The value or the rank next to the threshold, on the side where the test has this outcome."""
    match leaf.test:
        case InRange(feature, low, high):
            domain = program.feature(feature).domain
            assert isinstance(domain, NumberDomain), "INVARIANT: a range is about a number"
            at = (low if outcome else low - 1) if low > domain.low else (high if outcome else high + 1)
            return Edge(feature, at) if domain.low <= at <= domain.high else None
        case AtLeast(level, rank):
            if outcome:
                top = rank + 1 == len(program.level(level).values)
                return None if top else negate(AtLeast(level, rank + 1))
            return None if rank == 1 else AtLeast(level, rank - 1)
        case OneOf(feature, values) if isinstance(program.feature(feature).domain, EnumDomain):
            return _neighbour(program, feature, values, outcome=outcome)
        case _:
            return None


def _neighbour(program: Program, feature: str, values: frozenset[str], *, outcome: bool) -> Edge | None:
    domain = program.feature(feature).domain
    if not isinstance(domain, EnumDomain) or not domain.ordered:
        return None
    inside = [i for i, v in enumerate(domain.values) if v in values]
    upper = inside[-1] == len(domain.values) - 1
    at = (inside[0] if outcome else inside[0] - 1) if upper else (inside[-1] if outcome else inside[-1] + 1)
    if not 0 <= at < len(domain.values) or (domain.values[at] in values) != outcome:
        return None
    return Edge(feature, domain.values[at])
