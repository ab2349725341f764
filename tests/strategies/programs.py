"""Random small programs and requests, at the level of the checked policy.

`programs()` draws a `Program` over a fixed set of features that has one of every kind; `requests(program)` draws an
admitted request, near the constants of the program as often as away from them and sometimes with unknown values.
`grid(program)` lists every request that the program's constants can tell apart, for brute force over few features;
`possible(values)` says whether the features that depend on each other agree. Nothing here uses the engine.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from itertools import product
from typing import Final

from hypothesis import strategies as st

from policyd.policy.builtins import BUILTIN_FEATURES, UNSCANNED, WEEKDAYS
from policyd.policy.condition import (
    AtLeast,
    Condition,
    Const,
    Flag,
    Has,
    InRange,
    OneOf,
    Prefix,
    Test,
    both,
    either,
    negate,
    tests_of,
)
from policyd.policy.program import (
    MAX_NUMBER,
    Assertion,
    BoolDomain,
    Budget,
    Classify,
    Deny,
    EnumDomain,
    Feature,
    Group,
    Guard,
    Member,
    NamesDomain,
    NumberDomain,
    Otherwise,
    Program,
    Provenance,
    Raise,
    Route,
    Start,
    StringDomain,
    Target,
    Unknown,
    Value,
    Where,
)
from policyd.policy.quiet import quiet_value
from policyd.policy.request import EVERYTHING, Request, admit
from policyd.text.diagnostic import Severity

__all__ = [
    "DECLARED", "FEATURES", "LEVEL", "NAMES", "READABLE", "SMALL", "TARGETS", "complete", "conditions", "conditions_of",
    "grid", "possible", "programs", "requests", "one_test_on", "values_near",
]  # fmt: skip

LEVEL = ("public", "internal", "confidential", "restricted")
NAMES = ("secret", "secret.aws", "secret.aws.root", "iban", "iban.de", "phi")
STRINGS = ("", "a", "ab", "abc", "b", "search", "search-eu", "risk")
PREFIXES = ("a", "ab", "abc", "s", "search-")

DECLARED = (
    Feature("team", StringDomain(), Provenance.ATTESTED, Where("identity", "team"), Unknown.REJECT),
    Feature("project", StringDomain(), Provenance.CLAIMED, Where("header", "x-project"), "none"),
    Feature(
        "latency",
        EnumDomain(("interactive", "batch", "background")),
        Provenance.CLAIMED,
        Where("header", "x-latency"),
        "interactive",
    ),
    Feature(
        "origin",
        EnumDomain(("eu", "us", "apac")),
        Provenance.ATTESTED,
        Where("deployment", "origin"),
        Unknown.REJECT,
    ),
    Feature("risk", NumberDomain(0, 9), Provenance.CLAIMED, Where("header", "x-risk"), 0),
    Feature("urgent", BoolDomain(), Provenance.CLAIMED, Where("header", "x-urgent"), False),
    Feature(
        "header:x-data-class",
        EnumDomain(LEVEL, ordered=True),
        Provenance.CLAIMED,
        Where("label", "x-data-class"),
        "public",
    ),
    Feature(
        "conversation:sensitivity",
        EnumDomain(LEVEL, ordered=True),
        Provenance.ATTESTED,
        Where("conversation", "sensitivity"),
        "restricted",
    ),
    Feature("exceeded(month)", BoolDomain(), Provenance.ATTESTED, Where("ledger", "month"), True),
)
FEATURES = (*BUILTIN_FEATURES, *DECLARED)

READABLE = (
    "team", "project", "latency", "origin", "risk", "urgent", "header:x-data-class", "conversation:sensitivity",
    "exceeded(month)", "endpoint",
    "tools", "images", "opaque", "tokens", "max_output", "context_needed", "findings", "date", "weekday", "hour",
)  # fmt: skip
SMALL = ("team", "latency", "risk", "urgent", "header:x-data-class", "findings")
"""Few enough values that `grid` stays small."""

TARGETS = tuple(
    Target(
        name,
        (
            ("location", "on_prem" if i % 2 == 0 else "cloud"),
            ("context", 100 * (i + 1)),
            ("speaks", frozenset({"chat"})),
        ),
    )
    for i, name in enumerate(("t0", "t1", "t2", "t3"))
)
_COUNTS = (0, 1, 10, 20, 50, 100, 200, MAX_NUMBER)
_DAYS = tuple(date(2026, 3, d).toordinal() for d in (1, 2, 3, 9, 20))


def _numbers(domain: NumberDomain) -> Sequence[int]:
    if domain.unit == "date":
        return _DAYS
    if domain.high > 100:
        return _COUNTS
    return range(domain.low, domain.high + 1)


# Strategies that are made once are looked into once: most of the time of a draw went into making the same ones again.
@cache
def one_test_on(feature: Feature) -> st.SearchStrategy[Test]:
    """Tests of one feature with constants from a short list."""
    name = feature.name
    match feature.domain:
        case NumberDomain() as domain:
            numbers = st.sampled_from(_numbers(domain))
            pairs = st.tuples(numbers, numbers).map(sorted)
            ranges = pairs.map(lambda p: InRange(name, p[0], p[1]))
            return ranges | numbers.map(lambda n: InRange(name, n, domain.high))
        case EnumDomain(values, ordered):
            if ordered:
                ranks = st.integers(1, len(values) - 1)
                return ranks.map(lambda k: OneOf(name, frozenset(values[k:]))) | ranks.map(
                    lambda k: OneOf(name, frozenset(values[:k]))
                )
            return st.sets(st.sampled_from(values), min_size=1, max_size=len(values) - 1).map(
                lambda s: OneOf(name, frozenset(s))
            )
        case StringDomain():
            literals = st.sets(st.sampled_from(STRINGS), min_size=1, max_size=3)
            return literals.map(lambda s: OneOf(name, frozenset(s))) | st.sampled_from(PREFIXES).map(
                lambda p: Prefix(name, p)
            )
        case BoolDomain():
            return st.just(Flag(name))
        case NamesDomain():
            return st.sampled_from(NAMES).map(lambda n: Has(name, n))


def conditions(
    names: Sequence[str], *, levels: bool = True, max_leaves: int = 5
) -> st.SearchStrategy[Condition]:
    """Conditions over the named features, and the level `sensitivity` if asked for."""
    return _conditions(tuple(sorted(names)), levels, max_leaves)


@cache
def _conditions(names: tuple[str, ...], levels: bool, max_leaves: int) -> st.SearchStrategy[Condition]:
    by_name = {f.name: f for f in FEATURES}
    tests: st.SearchStrategy[Condition] = st.sampled_from(names).flatmap(lambda n: one_test_on(by_name[n]))
    if levels:
        tests = tests | st.integers(1, len(LEVEL) - 1).map(lambda k: AtLeast("sensitivity", k))
    return st.recursive(
        tests,
        lambda c: st.one_of(
            st.lists(c, min_size=2, max_size=3).map(lambda cs: both(*cs)),
            st.lists(c, min_size=2, max_size=3).map(lambda cs: either(*cs)),
            c.map(negate),
        ),
        max_leaves=max_leaves,
    )


@cache
@st.composite
def _levels(draw: st.DrawFn, names: tuple[str, ...]) -> Classify:
    plain = conditions(names, levels=False, max_leaves=3)
    ranks = st.integers(0, len(LEVEL) - 1)
    starts = [Start(draw(ranks), draw(plain)) for _ in range(draw(st.integers(0, 2)))]
    starts.append(Start(draw(st.integers(0, 2)), Const(True)))
    raises = [
        Raise(draw(st.integers(1, len(LEVEL) - 1)), draw(plain)) for _ in range(draw(st.integers(0, 3)))
    ]
    if "header:x-data-class" in names and draw(st.booleans()):
        raises.append(Raise("header:x-data-class", draw(st.just(Const(True)) | plain)))
    kept = None
    if "conversation:sensitivity" in names and draw(st.booleans()):
        raises.append(Raise("conversation:sensitivity", draw(st.just(Const(True)) | plain)))
        kept = 3600
    return Classify("sensitivity", LEVEL, tuple(starts), tuple(raises), kept)


_HITS: Final = st.sets(st.sampled_from([t.name for t in TARGETS]), max_size=3).map(frozenset)
_ORDERS: Final = st.lists(
    st.sampled_from([t.name for t in TARGETS]), min_size=1, max_size=len(TARGETS), unique=True
)
_PICKS: Final = st.sampled_from(["order", "order", "any", "cheapest", "fastest"])
_PICKS_OR_SPLIT: Final = st.sampled_from(["order", "order", "any", "cheapest", "fastest", "split"])
_READING: Final = st.lists(st.sampled_from(READABLE), min_size=1, max_size=6, unique=True)


@cache
@st.composite
def _groups(draw: st.DrawFn, names: tuple[str, ...]) -> tuple[Group, ...]:
    targets = draw(_ORDERS)
    keys = [n for n in ("team", "project", "latency", "risk") if n in names]
    groups: list[Group] = []
    while targets:
        size = draw(st.integers(1, len(targets)))
        pick = draw(_PICKS_OR_SPLIT if keys else _PICKS)
        members = tuple(Member(t, draw(st.integers(1, 3)) if pick == "split" else 1) for t in targets[:size])
        groups.append(Group(pick, members, draw(st.sampled_from(keys)) if pick == "split" else None))
        targets = targets[size:]
    return tuple(groups)


@st.composite
def programs(
    draw: st.DrawFn,
    names: Sequence[str] | None = None,
    *,
    max_routes: int = 6,
    max_guards: int = 4,
    max_denies: int = 2,
    max_assertions: int = 0,
) -> Program:
    """A checked policy. `names`: the features its conditions may read (a draw from `READABLE` unless given)."""
    if names is None:
        names = draw(_READING)
    names, hits = tuple(sorted(names)), _HITS
    condition = conditions(names)
    guards = [
        Guard(f"g{i}", draw(hits), draw(condition), f"because {i}", "forbid …")
        for i in range(draw(st.integers(0, max_guards)))
    ]
    if draw(st.booleans()):
        guards += [
            Guard(
                "context",
                frozenset({t}),
                InRange("context_needed", n + 1, MAX_NUMBER),
                "too long",
                "",
                builtin=True,
            )
            for t, n in (("t0", 100), ("t1", 50))
        ]
    denies = [
        Deny(f"d{i}", draw(condition), draw(st.sampled_from([403, 429])), f"deny {i}")
        for i in range(draw(st.integers(0, max_denies)))
    ]
    routes = [
        Route(f"r{i}", draw(_groups(names)), draw(condition)) for i in range(draw(st.integers(0, max_routes)))
    ]
    if draw(st.booleans()):
        routes.append(Route("rest", draw(_groups(names)), Const(True)))
    assertions = [
        Assertion(
            f"a{i}", draw(st.sampled_from(["never", "never rejected"])), draw(hits), draw(condition), "…"
        )
        for i in range(draw(st.integers(0, max_assertions)))
    ]
    return Program(
        features=FEATURES,
        levels=(draw(_levels(names)),),
        targets=TARGETS,
        guards=tuple(guards),
        denies=tuple(denies),
        routes=tuple(routes),
        otherwise=Otherwise("nothing fits", 403, Severity.NOTE),
        budgets=(Budget("month", "money", 4_000_000_000, "month", "team"),),
        assertions=tuple(assertions),
    )


def conditions_of(program: Program) -> Iterator[Condition]:
    """Every condition of the program, levels' and assertions' included."""
    for level in program.levels:
        yield from (s.when for s in level.starts)
        yield from (r.when for r in level.raises)
    for part in (program.guards, program.denies, program.routes, program.assertions):
        yield from (p.condition for p in part)
    yield from (i.scope for i in program.inclusions)


def _constants(program: Program, feature: str) -> list[Test]:
    return [
        t
        for c in conditions_of(program)
        for t in tests_of(c)
        if not isinstance(t, AtLeast) and t.feature == feature
    ]


def values_near(program: Program, feature: Feature) -> list[Value]:
    """Values that between them stand for everything the program's constants can tell apart, and a little more."""
    tests = _constants(program, feature.name)
    if feature.name == "findings":
        # What cannot be taken out was found.
        tests = [*tests, *_constants(program, "unredactable")]
    match feature.domain:
        case NumberDomain(low, high, _):
            edges = {
                n for t in tests if isinstance(t, InRange) for n in (t.low - 1, t.low, t.high, t.high + 1)
            }
            return sorted({low, *(n for n in edges if low <= n <= high)})
        case EnumDomain(values, _):
            return list(values)
        case StringDomain():
            literals = {v for t in tests if isinstance(t, OneOf) for v in t.values}
            prefixes = {t.text for t in tests if isinstance(t, Prefix)}
            return sorted(literals | prefixes | {p + "zz" for p in prefixes} | {"none", "unseen"})
        case BoolDomain():
            return [False, True]
        case NamesDomain():
            return [*_name_sets(sorted({t.name for t in tests if isinstance(t, Has)})), EVERYTHING]


def _name_sets(names: Sequence[str]) -> list[Value]:
    return [
        frozenset(n for n, on in zip(names, bits, strict=True) if on)
        for bits in product((False, True), repeat=len(names))
    ]


def requests(program: Program) -> st.SearchStrategy[Request]:
    """Admitted requests: values near the constants; sometimes unknown where that enters the policy."""
    read = {t.feature for c in conditions_of(program) for t in tests_of(c) if not isinstance(t, AtLeast)}
    read |= {g.by for r in program.routes for g in r.groups if g.by is not None}
    read |= {r.to for level in program.levels for r in level.raises if isinstance(r.to, str)}

    def raw(feature: Feature) -> st.SearchStrategy[object]:
        if feature.name not in read:
            quiet = quiet_value(feature)
            return st.just(values_near(program, feature)[0] if quiet is None else quiet)
        near: st.SearchStrategy[object] = st.sampled_from(values_near(program, feature))
        if feature.unknown in (Unknown.REJECT, Unknown.NEVER):
            return near
        return st.one_of(near, near, near, st.none())

    def admitted(values: Mapping[str, object]) -> Request:
        request = admit(program, values)
        assert isinstance(request, Request)
        return request

    return st.fixed_dictionaries({f.name: raw(f) for f in program.features}).map(admitted)


def grid(program: Program, names: Sequence[str]) -> Iterator[Request]:
    """Every combination of `values_near` of the named features, the others quiet; only combinations that are possible."""
    quiet: dict[str, object] = {}
    for feature in program.features:
        value = quiet_value(feature)
        quiet[feature.name] = values_near(program, feature)[0] if value is None else value
    axes = [values_near(program, program.feature(n)) for n in names]
    for point in product(*axes):
        values = {**quiet, **dict(zip(names, point, strict=True))}
        complete(values, names)
        request = admit(program, values)
        assert isinstance(request, Request)
        if possible(request.values):
            yield request


def complete(values: dict[str, object], names: Sequence[str]) -> None:
    """Brings what is not named to where it goes with what is: some task that the endpoint and the tools can have, and
    of what was found nothing that cannot be taken out, unless nobody knows."""
    if "task" not in names and "task" in values:
        only = {"embeddings": "embedding", "completions": "completion"}
        values["task"] = only.get(str(values["endpoint"]), "edit" if _acts(values) else "chat")
    if "unredactable" not in names and "unredactable" in values:
        values["unredactable"] = EVERYTHING if values["findings"] is EVERYTHING else frozenset()


def _acts(values: Mapping[str, object]) -> bool:
    return values["tools"] is True or values["server_tools"] is True


def possible(values: Mapping[str, Value], maximum: int = MAX_NUMBER) -> bool:
    """Whether features that depend on each other agree: the context needed with its parts, the weekday with the date, the task with
    the endpoint and the tools, what cannot be taken out with what was found."""
    tokens, most, needed = (values[n] for n in ("tokens", "max_output", "context_needed"))
    assert isinstance(tokens, int) and isinstance(most, int) and isinstance(needed, int)
    if needed < tokens or (most < maximum and needed != min(maximum, tokens + most)):
        return False
    if any(values[name] for name in UNSCANNED) and not values["opaque"]:
        return False
    if not _task_possible(values) or not _left_possible(values):
        return False
    day = values["date"]
    assert isinstance(day, int)
    return values["weekday"] == WEEKDAYS[date.fromordinal(day).weekday()]


def _task_possible(values: Mapping[str, Value]) -> bool:
    task, endpoint = values.get("task"), values["endpoint"]
    if task is None:
        return True
    if endpoint == "embeddings" or task == "embedding":
        return endpoint == "embeddings" and task == "embedding"
    if endpoint == "completions":
        return task == "completion"
    return task != ("chat" if _acts(values) else "agent")


def _left_possible(values: Mapping[str, Value]) -> bool:
    found, left = values["findings"], values.get("unredactable", frozenset())
    assert isinstance(found, frozenset) and isinstance(left, frozenset)
    if found is EVERYTHING or left is EVERYTHING:
        return "unredactable" not in values or found is left
    return left <= found
