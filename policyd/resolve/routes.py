"""Routes and `otherwise`: where a request goes, in order."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from policyd.policy.program import (
    EnumDomain,
    Group,
    Member,
    NumberDomain,
    Otherwise,
    Redaction,
    Route,
    StringDomain,
    Target,
)
from policyd.policy.variants import variant_of
from policyd.resolve.conditions import Conditions
from policyd.resolve.denies import status_of
from policyd.resolve.files import Placed, Space
from policyd.resolve.names import Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.resolve.scopes import Scopes
from policyd.syntax import nodes
from policyd.text.diagnostic import Label, Severity
from policyd.text.source import Span

__all__ = ["read_otherwise", "read_routes"]

_HEAVIEST: Final = 1_000_000
_PRICES: Final = ("price_in", "price_out")


def read_routes(
    names: Names,
    targets: tuple[Target, ...],
    conditions: Conditions,
    scopes: Scopes,
    report: Report,
    redactions: Mapping[str, Redaction],
) -> tuple[Route, ...]:
    """Every route, in the order of decision. One that redacts leads to the variants of its targets."""
    reader = _Destinations(names, {t.name: t for t in targets}, conditions, report)
    return tuple(
        Route(
            declared.name,
            _leading(reader.read(route, declared.space), redactions.get(declared.name), reader.targets),
            scopes.within(declared.space, conditions.when(route.when, declared.space)),
            declared.space.path or None,
            route.name.span,
        )
        for declared in names.tables["route"].values()
        if isinstance(route := declared.statement, nodes.Route)
    )


def read_otherwise(statements: Iterable[Placed], root: Span, report: Report) -> Otherwise | None:
    """The one `otherwise` of the root file; every route stands before it."""
    found: nodes.Otherwise | None = None
    routes = 0
    for item in statements:
        match item.statement:
            case nodes.Otherwise() as otherwise if found is not None:
                label = Label(found.span, "first written here")
                report.add("PD261", otherwise.span, "`otherwise` is written twice", labels=(label,))
            case nodes.Otherwise() as otherwise if item.in_root_file:
                found = otherwise
            case nodes.Route(name=name):
                routes += 1
                if found is not None:
                    report.add(
                        "PD261",
                        name.span,
                        f"route `{name.text}` stands after `otherwise` and could never be reached",
                        help="move it up",
                        labels=(Label(found.span, "everything that comes here ends here"),),
                    )
            case _:
                continue
    if not routes:
        report.add("PD260", root, "the policy has no route", help="add `route NAME to TARGET`")
    if found is None:
        report.add(
            "PD260",
            root,
            "the policy does not say what happens when no route is left",
            help='add a last line: otherwise reject "no target may serve this request"',
        )
        return None
    holes = Severity(found.holes or "note")
    return Otherwise(found.reason.value, status_of(found.status, report), holes, found.span)


def _leading(
    groups: tuple[Group, ...], redaction: Redaction | None, targets: Mapping[str, Target]
) -> tuple[Group, ...]:
    if redaction is None:
        return groups
    return tuple(
        replace(
            g,
            members=tuple(
                replace(m, target=variant_of(targets[m.target], redaction).name) for m in g.members
            ),
        )
        for g in groups
    )


class _Destinations:
    """Reads where routes lead."""

    def __init__(
        self, names: Names, targets: dict[str, Target], conditions: Conditions, report: Report
    ) -> None:
        self._names = names
        self.targets = targets
        self._conditions = conditions
        self._report = report

    def read(self, route: nodes.Route, space: Space) -> tuple[Group, ...]:
        """The route's groups; neighbouring single targets are one `order` group."""
        seen: dict[str, nodes.Ident] = {}
        groups: list[Group] = []
        for choice in route.to:
            if isinstance(choice, nodes.Group):
                groups.append(self._group(choice, route, space, seen))
                continue
            target = self._target(choice, route, space, seen)
            if target is None:
                continue
            if groups and groups[-1].pick == "order":
                groups[-1] = Group("order", (*groups[-1].members, Member(target)))
            else:
                groups.append(Group("order", (Member(target),)))
        return tuple(g for g in groups if g.members)

    def _target(
        self, ident: nodes.Ident, route: nodes.Route, space: Space, seen: dict[str, nodes.Ident]
    ) -> str | None:
        declared = self._names.find("target", ident.text, space)
        if declared is None:
            targets = self._names.visible("target", space)
            advice = did_you_mean(
                ident.text, targets, f"the targets are {listed(targets)}" if targets else None
            )
            self._report.add("PD203", ident.span, f"there is no target `{ident.text}`", help=advice)
            return None
        if declared.name in seen:
            label = Label(seen[declared.name].span, "first named here")
            message = f"route `{route.name.text}` names `{ident.text}` twice"
            self._report.add("PD262", ident.span, message, labels=(label,))
            return None
        seen[declared.name] = ident
        return declared.name

    def _group(
        self, group: nodes.Group, route: nodes.Route, space: Space, seen: dict[str, nodes.Ident]
    ) -> Group:
        members: list[Member] = []
        for member in group.members:
            weight = self._weight(group, member)
            target = self._target(member.target, route, space, seen)
            if target is None:
                continue
            members.append(Member(target, weight))
            if group.pick == "cheapest":
                self._priced(target, member.target)
        return Group(group.pick, tuple(members), self._by(group, space))

    def _weight(self, group: nodes.Group, member: nodes.Member) -> int:
        weight = member.weight
        if group.pick != "split":
            if weight is not None:
                message = f"`{group.pick}` has no weights"
                self._report.add("PD263", weight.span, message, help="`split { … } by FEATURE` has")
            return 1
        if weight is None:
            message = f"`{member.target.text}` has no weight"
            self._report.add("PD263", member.target.span, message, help=f"such as `{member.target.text} 50`")
            return 1
        if not 1 <= weight.value <= _HEAVIEST:
            self._report.add("PD263", weight.span, f"a weight is 1 to {_HEAVIEST}, not {weight.value}")
            return 1
        return weight.value

    def _priced(self, target: str, ident: nodes.Ident) -> None:
        missing = [p for p in _PRICES if self.targets[target].fact(p) is None]
        if missing:
            self._report.add(
                "PD234",
                ident.span,
                f"`cheapest` asks for prices, and `{target}` does not state {listed(missing)}",
                help="state `price_in` and `price_out`, per million tokens",
            )

    def _by(self, group: nodes.Group, space: Space) -> str | None:
        by = group.by
        if group.pick != "split":
            if by is not None:
                self._report.add("PD263", by.span, f"`{group.pick}` is not split by anything")
            return None
        if by is None:
            self._report.add("PD263", group.span, "this split does not say by what", help="such as `by user`")
            return None
        declared = self._names.find("word", by.text, space)
        if declared is None:
            words = self._names.visible("word", space)
            advice = did_you_mean(by.text, words)
            self._report.add("PD201", by.span, f"there is no feature `{by.text}`", help=advice)
            return None
        feature = self._conditions.features.get(declared.name)
        if feature is None or not isinstance(feature.domain, StringDomain | EnumDomain | NumberDomain):
            message = f"a split is by a string, an enum or a number, and `{by.text}` is none"
            self._report.add("PD263", by.span, message, help="such as `by user`")
            return None
        return feature.name
