"""Includes: their scopes, their order, and what a scoped file may say.

In come the placed statements; out go the condition of every space and the `Inclusion`s. A scope is a condition on
attested features, so the caller cannot choose to be inside or outside.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policyd.policy.condition import TRUE, Condition, both, tests_of
from policyd.policy.condition import AtLeast as AtLeastTest
from policyd.policy.program import Feature, Inclusion, Provenance
from policyd.resolve.conditions import Conditions
from policyd.resolve.files import Placed, Space
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.syntax import nodes
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["Scopes", "only_attested", "read_scopes"]

_ALIAS: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OUTSIDE_SCOPES: Final = {
    nodes.Declaration: "a feature",
    nodes.FactDeclaration: "a fact",
    nodes.Target: "a target",
    nodes.Budget: "a budget",
    nodes.Limit: "a limit",
}


@dataclass(frozen=True, slots=True)
class Scopes:
    """The condition of every space, its outer scopes included, and the inclusions in written order."""

    conditions: Mapping[Space, Condition]
    inclusions: tuple[Inclusion, ...]

    def within(self, space: Space, condition: Condition) -> Condition:
        """The condition, inside the space's scope only."""
        return both(self.conditions.get(space, TRUE), condition)


def read_scopes(statements: Iterable[Placed], conditions: Conditions, report: Report) -> Scopes:
    by_space: dict[Space, Condition] = {}
    inclusions: list[Inclusion] = []
    written: dict[Space, list[tuple[Space, nodes.Include]]] = {}
    for item in statements:
        _check_place(item, report)
        if not isinstance(item.statement, nodes.Include):
            continue
        if item.opens is None:
            _unscoped(item.statement, report)
            continue
        include, inner, outer = item.statement, item.opens, item.space
        scope = _scope(include, outer, conditions, report)
        by_space[inner] = both(by_space.get(outer, TRUE), scope)
        written.setdefault(outer, []).append((inner, include))
    for siblings in written.values():
        inclusions.extend(_ordered(siblings, by_space, report))
    return Scopes(by_space, tuple(inclusions))


def _check_place(item: Placed, report: Report) -> None:
    statement = item.statement
    if isinstance(statement, nodes.Otherwise) and not item.in_root_file:
        report.add(
            "PD261",
            statement.span,
            "`otherwise` stands in the root file only",
            help="remove it from the included file",
        )
    what = _OUTSIDE_SCOPES.get(type(statement))
    if what is None or not item.space.path:
        return
    assert isinstance(
        statement, nodes.Declaration | nodes.FactDeclaration | nodes.Target | nodes.Budget | nodes.Limit
    )
    include = item.space.include
    labels = () if include is None else (Label(include.path.span, "the file is included with a scope here"),)
    report.add(
        "PD270",
        statement.name.span,
        f"a file that is included with a scope cannot declare {what}",
        help="move it to the root file",
        labels=labels,
    )


def _unscoped(include: nodes.Include, report: Report) -> None:
    parts = [
        ("as", include.alias),
        *(("before", a) for a in include.before),
        *(("after", a) for a in include.after),
    ]
    for word, ident in parts:
        if ident is not None:
            report.add(
                "PD274",
                ident.span,
                f"`{word}` means nothing without a scope: the file's text stands where the include stands",
                help="add `scope …`, or remove it",
            )


def _scope(include: nodes.Include, outer: Space, conditions: Conditions, report: Report) -> Condition:
    assert include.scope is not None, "INVARIANT: only a scoped include opens a space"
    scope = conditions.read(include.scope, outer)
    only_attested(scope, "a scope", "PD271", include.scope.span, conditions.features, report)
    return scope


def only_attested(
    condition: Condition,
    what: str,
    code: str,
    span: Span,
    features: Mapping[str, Feature],
    report: Report,
) -> None:
    """Report every test of something that the caller or the content decides."""
    for test in tests_of(condition):
        if isinstance(test, AtLeastTest):
            name, kind = test.level, "computed from the request"
        elif features[test.feature].provenance is Provenance.ATTESTED:
            continue
        else:
            name = test.feature
            claimed = features[name].provenance is Provenance.CLAIMED
            kind = "written by the caller" if claimed else "computed from the request"
        at = span if test.span is None else test.span
        inside = at.source is span.source and span.start <= at.start < span.end
        report.add(
            code,
            at if inside else span,
            f"{what} reads attested features only, and `{name}` is {kind}",
            help="attested are the identity's claims, the path, the deployment, the clock and `exceeded`",
            labels=() if inside else (Label(at, "read here"),),
        )


def _ordered(
    siblings: list[tuple[Space, nodes.Include]], by_space: Mapping[Space, Condition], report: Report
) -> Iterable[Inclusion]:
    places: dict[str, int] = {}
    for index, (space, include) in enumerate(siblings):
        span = include.path.span if include.alias is None else include.alias.span
        if not _ALIAS.fullmatch(space.alias):
            report.add(
                "PD272",
                span,
                f"`{space.alias}` is not a name that other files could use",
                help="add `as NAME`",
            )
        elif space.alias in places:
            first = siblings[places[space.alias]][1]
            label = Label(first.path.span if first.alias is None else first.alias.span, "first used here")
            report.add(
                "PD202",
                span,
                f"`{space.alias}` already names another include",
                help="add `as NAME`",
                labels=(label,),
            )
        places.setdefault(space.alias, index)
    for index, (space, include) in enumerate(siblings):
        before = _aliases(include.before, "before", index, siblings, places, report)
        after = _aliases(include.after, "after", index, siblings, places, report)
        yield Inclusion(space.path, include.path.value, by_space[space], before, after, include.path.span)


def _aliases(
    idents: Iterable[nodes.Ident],
    side: str,
    index: int,
    siblings: list[tuple[Space, nodes.Include]],
    places: Mapping[str, int],
    report: Report,
) -> frozenset[str]:
    found: set[str] = set()
    for ident in idents:
        other = places.get(ident.text)
        if other is None:
            advice = did_you_mean(ident.text, places, f"the includes here are {listed(places)}")
            report.add("PD272", ident.span, f"there is no include `{ident.text}`", help=advice)
        elif other == index:
            report.add("PD273", ident.span, f"`{ident.text}` cannot stand {side} itself")
        elif (index < other) != (side == "before"):
            label = Label(siblings[other][1].path.span, f"`{ident.text}` is written here")
            report.add(
                "PD273",
                ident.span,
                f"this include says `{side} {ident.text}` and is written the other way round",
                help="routes stand where their include stands: move the include",
                labels=(label,),
            )
        else:
            found.add(siblings[other][0].path)
    return frozenset(found)
