"""Two policies in one matrix, so that one search can ask for a request that they treat differently.

In: an old and a new program. Out: `Together`, a matrix in which a rule that both have is one set of bits, and a `Side` for
each. The one idea: what both have in the same order needs no second look, so the cost of comparing follows what changed.

Requests are those of either policy. Where one policy does not admit a value that the other does, it rejects it: a deny of
its own, that nobody wrote, says so. Features of one name and another kind, and levels of one name and another meaning,
are different features and levels: the new policy's get a name that no author can write.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import (
    All,
    AtLeast,
    Condition,
    Const,
    Either,
    InRange,
    Not,
    OneOf,
    negate,
)
from policyd.policy.program import (
    Classify,
    Deny,
    Domain,
    EnumDomain,
    Feature,
    Guard,
    NumberDomain,
    Program,
    Route,
    StringDomain,
)
from policyd.proofs.find import Budget, Finder
from policyd.proofs.forms import comparable
from policyd.proofs.kinds import DOMAIN_OF, NOT_ADMITTED
from policyd.proofs.reach import Reach
from policyd.proofs.side import Side
from policyd.text.diagnostic import Diagnostic

__all__ = ["Pairing", "Together", "put_together"]

Pairing: TypeAlias = tuple[tuple[int | None, int | None], ...]
"""For each rule of both together, its number in the old and in the new policy."""

_Rule = TypeVar("_Rule", Route, Deny, Guard)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Together:
    """`program` holds the rules of both and exists for its features and its matrix only: it decides nothing. `old.program`
    and `new.program` are as they were given, with the denies of what they do not admit in front."""

    program: Program
    matrix: Matrix
    old: Side
    new: Side
    finder: Finder
    reach: Reach
    routes: Pairing
    denies: Pairing


def put_together(
    old: Program, new: Program, budget: Budget | None = None
) -> Together | tuple[Diagnostic, ...]:
    """Both in one matrix, or the caps of the compiler that they break together."""
    old, new = comparable(old, new)
    new = _apart(old, new)
    features = _features(old, new)
    old, new = _admitting(old, features), _admitting(new, features)
    routes = _in_order([r.condition for r in old.routes], [r.condition for r in new.routes])
    denies = _in_order([d.condition for d in old.denies], [d.condition for d in new.denies])
    guards = _as_bags([g.condition for g in old.guards], [g.condition for g in new.guards])
    known = {level.name for level in old.levels}
    program = Program(
        features=features,
        levels=(*old.levels, *(x for x in new.levels if x.name not in known)),
        targets=(*old.targets, *(t for t in new.targets if t.name not in {o.name for o in old.targets})),
        guards=_merged(guards, old.guards, new.guards),
        denies=_merged(denies, old.denies, new.denies),
        routes=_merged(routes, old.routes, new.routes),
        otherwise=new.otherwise,
    )
    matrix = build_matrix(program)
    if not isinstance(matrix, Matrix):
        return matrix
    sides = (
        _side(old, matrix, _places(routes, 0), _places(denies, 0), _places(guards, 0)),
        _side(new, matrix, _places(routes, 1), _places(denies, 1), _places(guards, 1)),
    )
    finder = Finder(matrix, budget)
    return Together(program, matrix, *sides, finder, Reach(finder, *sides), routes, denies)


# What requests of both are like.


def _features(old: Program, new: Program) -> tuple[Feature, ...]:
    """The features of both, each with the values of both."""
    theirs = {f.name: f for f in new.features}
    mine = {f.name for f in old.features}
    return (
        *(replace(f, domain=_wider(f.domain, theirs[f.name].domain)) if f.name in theirs else f for f in old.features),
        *(f for f in new.features if f.name not in mine),
    )  # fmt: skip


def _wider(old: Domain, new: Domain) -> Domain:
    """What holds the values of both. INVARIANT: they are of one kind, or words and strings."""
    match old, new:
        case _ if old == new:
            return old
        case NumberDomain(), NumberDomain():
            return replace(old, low=min(old.low, new.low), high=max(old.high, new.high))
        case EnumDomain(), EnumDomain():
            return EnumDomain((*old.values, *(v for v in new.values if v not in old.values)))
        case _:
            return StringDomain()


def _of_one_kind(old: Domain, new: Domain) -> bool:
    match old, new:
        case NumberDomain(), NumberDomain():
            return old.unit == new.unit
        case EnumDomain() | StringDomain(), EnumDomain() | StringDomain():
            return True
        case _:
            return type(old) is type(new)


def _admitting(program: Program, features: Sequence[Feature]) -> Program:
    """The policy, rejecting in front what it does not admit."""
    own = {f.name: f.domain for f in program.features}
    denies = []
    for feature in features:
        outside = _outside(feature, own[feature.name]) if feature.name in own else None
        if outside is not None:
            because = f"`{feature.name}` is outside its domain"
            denies.append(Deny(f"{DOMAIN_OF} {feature.name}", outside, NOT_ADMITTED, because, feature.span))
    return replace(program, denies=(*denies, *program.denies)) if denies else program


def _outside(feature: Feature, own: Domain) -> Condition | None:
    """Where the feature has a value that is not of this domain."""
    if own == feature.domain:
        return None
    match own, feature.domain:
        case EnumDomain(values), EnumDomain(every):
            more = frozenset(every).difference(values)
            return OneOf(feature.name, more) if more else None
        case NumberDomain(), NumberDomain():
            if (own.low, own.high) == (feature.domain.low, feature.domain.high):
                return None
            return negate(InRange(feature.name, own.low, own.high))
        case EnumDomain(values), StringDomain():
            return negate(OneOf(feature.name, frozenset(values)))
        case _:
            return None


# Names that mean something else in the new policy.


def _apart(old: Program, new: Program) -> Program:
    """The new policy, with other names for its levels and features that are not those of the old."""
    domains = {f.name: f.domain for f in old.features}
    features = {
        f.name: f"{f.name} (new)"
        for f in new.features
        if f.name in domains and not _of_one_kind(domains[f.name], f.domain)
    }
    new = _Renaming(features, {}).program(new) if features else new
    known = {level.name: level for level in old.levels}
    levels = {x.name: f"{x.name} (new)" for x in new.levels if known.get(x.name, x) != x}
    return _Renaming({}, levels).program(new) if levels else new


class _Renaming:
    """Another name for some features and levels, wherever a condition reads them."""

    def __init__(self, features: Mapping[str, str], levels: Mapping[str, str]) -> None:
        self.features = features
        self.levels = levels

    def program(self, program: Program) -> Program:
        return replace(
            program,
            features=tuple(replace(f, name=self.features.get(f.name, f.name)) for f in program.features),
            levels=tuple(self._level(level) for level in program.levels),
            guards=tuple(replace(g, condition=self.condition(g.condition)) for g in program.guards),
            denies=tuple(replace(d, condition=self.condition(d.condition)) for d in program.denies),
            routes=tuple(replace(r, condition=self.condition(r.condition)) for r in program.routes),
        )

    def condition(self, condition: Condition) -> Condition:
        match condition:
            case Const():
                return condition
            case Not(operand):
                return Not(self.condition(operand))
            case All(operands):
                return All(tuple(self.condition(c) for c in operands))
            case Either(operands):
                return Either(tuple(self.condition(c) for c in operands))
            case AtLeast(level):
                return replace(condition, level=self.levels.get(level, level))
            case _:
                name = self.features.get(condition.feature)
                return condition if name is None else replace(condition, feature=name)

    def _level(self, level: Classify) -> Classify:
        return replace(
            level,
            name=self.levels.get(level.name, level.name),
            starts=tuple(replace(s, when=self.condition(s.when)) for s in level.starts),
            raises=tuple(
                replace(
                    r,
                    when=self.condition(r.when),
                    to=self.features.get(r.to, r.to) if isinstance(r.to, str) else r.to,
                )
                for r in level.raises
            ),
        )


# Which rules are the same.


def _numbered(conditions: Sequence[Condition]) -> list[Hashable]:
    """Each with how many equal ones stand before it, so that none occurs twice."""
    seen: Counter[Condition] = Counter()
    out: list[Hashable] = []
    for condition in conditions:
        out.append((condition, seen[condition]))
        seen[condition] += 1
    return out


def _in_order(old: Sequence[Condition], new: Sequence[Condition]) -> Pairing:
    """The rules of both in an order that is right for either. Those with one condition are paired, as many as can be
    without crossing (a longest rising subsequence)."""
    mine, theirs = _numbered(old), _numbered(new)
    at = {key: i for i, key in enumerate(theirs)}
    crossing = [(i, at[key]) for i, key in enumerate(mine) if key in at]
    kept = dict(_rising(crossing))
    out: list[tuple[int | None, int | None]] = []
    start = 0
    for i in range(len(mine)):
        j = kept.get(i)
        if j is None:
            out.append((i, None))
            continue
        out.extend((None, k) for k in range(start, j))
        out.append((i, j))
        start = j + 1
    out.extend((None, k) for k in range(start, len(theirs)))
    return tuple(out)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """A longest subsequence in which the second number rises (the first does already)."""
    tails: list[int] = []
    ends: list[int] = []
    before: list[int | None] = []
    for number, (_, j) in enumerate(pairs):
        place = bisect_left(tails, j)
        before.append(ends[place - 1] if place else None)
        tails[place : place + 1] = [j]
        ends[place : place + 1] = [number]
    out: list[tuple[int, int]] = []
    at = ends[-1] if ends else None
    while at is not None:
        out.append(pairs[at])
        at = before[at]
    return out[::-1]


def _as_bags(old: Sequence[Condition], new: Sequence[Condition]) -> Pairing:
    """The rules of both where order means nothing."""
    theirs = {key: j for j, key in enumerate(_numbered(new))}
    paired = tuple((i, theirs.pop(key, None)) for i, key in enumerate(_numbered(old)))
    return (*paired, *((None, j) for j in theirs.values()))


def _merged(pairing: Pairing, old: Sequence[_Rule], new: Sequence[_Rule]) -> tuple[_Rule, ...]:
    return tuple(old[i] if i is not None else new[j] for i, j in pairing if i is not None or j is not None)  # type: ignore[index]


def _places(pairing: Pairing, side: int) -> list[int]:
    """For each rule of one side, its place among those of both."""
    out: dict[int, int] = {}
    for place, pair in enumerate(pairing):
        own = pair[side]
        if own is not None:
            out[own] = place
    return [out[i] for i in range(len(out))]


def _side(program: Program, matrix: Matrix, routes: list[int], denies: list[int], guards: list[int]) -> Side:
    on = {t.name: 0 for t in program.targets}
    for guard, place in zip(program.guards, guards, strict=True):
        for target in guard.hits:
            on[target] |= matrix.guards[place]
    return Side(
        program,
        matrix.routes,
        routes,
        {place: i for i, place in enumerate(routes)},
        _all(matrix.all_routes, len(matrix.routes), routes, matrix),
        matrix.denies,
        denies,
        sum(matrix.denies[place] for place in denies),
        guards,
        on,
        tuple(r.targets for r in program.routes),
    )


def _all(every: int, count: int, own: Sequence[int], matrix: Matrix) -> int:
    """The clauses of a side's own routes: those of all but the few that are not its own."""
    for place in sorted(set(range(count)).difference(own)):
        every &= ~matrix.routes[place]
    return every
