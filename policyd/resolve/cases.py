"""Tests: examples that must hold.

In come `test` blocks and the rows of tables; out go `TestCase`s whose values are typed and whose names resolve. What a
test gives is a possible request: an attested feature without an unknown value is given, a computed level is not.
A test in a scoped file gives everything too, also what its scope asks for.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date

from policyd.policy.builtins import CAPABILITY_GUARDS, WEEKDAYS
from policyd.policy.program import (
    BoolDomain,
    EnumDomain,
    Expectation,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
    TestCase,
    Unknown,
    Value,
)
from policyd.policy.quiet import quiet_value
from policyd.resolve.conditions import Conditions
from policyd.resolve.denies import status_of
from policyd.resolve.features import conversation_name, exceeded_name
from policyd.resolve.files import Placed, Space
from policyd.resolve.literals import dotted_name, kind_of, number_text, position, string_value, subject_is
from policyd.resolve.names import Kind
from policyd.resolve.redactions import expected_redaction
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.resolve.sets import elements
from policyd.resolve.tables import Row, read_table
from policyd.syntax import nodes
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["SpacedCase", "read_cases"]


@dataclass(frozen=True, slots=True)
class SpacedCase:
    """A test and the space it stands in."""

    case: TestCase
    space: Space


@dataclass(frozen=True, slots=True)
class _Entry:
    """One given: the feature, its value (None is unknown) and its place."""

    feature: Feature
    value: Value | None
    span: Span


def read_cases(
    statements: Iterable[Placed], conditions: Conditions, report: Report
) -> tuple[SpacedCase, ...]:
    """Every test, tables' rows included, in written order."""
    reader = _Cases(conditions, report)
    out: list[SpacedCase] = []
    strings = {f.name for f in conditions.features.values() if isinstance(f.domain, StringDomain)}
    for item in statements:
        match item.statement:
            case nodes.Test() as test:
                row = Row(
                    test.name.value, test.name.span, tuple((g, None) for g in test.given), test.expect, None
                )
                out.append(SpacedCase(reader.read(row, item.space), item.space))
            case nodes.TestTable() if item.table is not None:
                rows = read_table(item.table, strings, report)
                out.extend(SpacedCase(reader.read(row, item.space), item.space) for row in rows)
            case _:
                continue
    return tuple(out)


class _Cases:
    """Reads tests over one policy's names."""

    def __init__(self, conditions: Conditions, report: Report) -> None:
        self._conditions = conditions
        self._names = conditions.names
        self._features: Mapping[str, Feature] = conditions.features
        self._headers = {
            f.where.key: f for f in self._features.values() if f.where.kind in {"header", "label"}
        }
        self._needed = tuple(f for f in self._features.values() if quiet_value(f) is None)
        self._report = report

    def read(self, row: Row, space: Space) -> TestCase:
        entries: dict[str, _Entry] = {}
        mentioned: set[str] = set()
        for given, anchor in row.given:
            with self._at(anchor):
                feature = self._feature(given, space)
                if feature is None:
                    continue
                mentioned.add(feature.name)
                entry = self._entry(feature, given, space)
                if entry is None:
                    continue
                if feature.name in entries:
                    label = Label(entries[feature.name].span, "first given here")
                    self._report.add("PD281", given.span, f"`{feature.name}` is given twice", labels=(label,))
                else:
                    entries[feature.name] = _Entry(feature, entry.value, anchor or entry.span)
        self._missing(row, mentioned)
        self._possible(entries)
        with self._at(row.expect_at):
            expect = self._expect(row.expect, space)
        return TestCase(row.name, tuple((n, e.value) for n, e in entries.items()), expect, row.name_at)

    def _at(self, anchor: Span | None) -> AbstractContextManager[None]:
        return nullcontext() if anchor is None else self._report.within(anchor)

    # ── what is given ───────────────────────────────────────────────────────────────────────────────────────────

    def _feature(self, given: nodes.Given, space: Space) -> Feature | None:
        match given.name:
            case nodes.HeaderGiven(header):
                feature = self._headers.get(header.value.lower())
                if feature is None:
                    advice = did_you_mean(header.value.lower(), self._headers)
                    self._report.add(
                        "PD201", header.span, f'no feature reads the header "{header.value}"', help=advice
                    )
                return feature
            case nodes.ConversationGiven(name):
                return self._conversation(name, space)
            case nodes.Exceeded(name):
                budget = self._names.find("budget", name.text, space)
                if budget is None:
                    advice = did_you_mean(name.text, self._names.visible("budget", space))
                    self._report.add(
                        "PD204", name.span, f"there is no budget or limit `{name.text}`", help=advice
                    )
                    return None
                return self._features[exceeded_name(budget.name)]
            case nodes.Ident() as name:
                return self._named(name, space)

    def _conversation(self, name: nodes.Ident, space: Space) -> Feature | None:
        declared = self._names.find("word", name.text, space)
        feature = None if declared is None else self._features.get(conversation_name(declared.name))
        if feature is None:
            kept = [f.where.key for f in self._features.values() if f.where.kind == "conversation"]
            self._report.add(
                "PD201",
                name.span,
                f"no conversation keeps a level `{name.text}`",
                help=did_you_mean(name.text, kept, "`at least conversation` in its `classify` keeps it"),
            )
        return feature

    def _named(self, name: nodes.Ident, space: Space) -> Feature | None:
        declared = self._names.find("word", name.text, space)
        if declared is None:
            words = self._names.visible("word", space)
            self._report.add(
                "PD201", name.span, f"there is no feature `{name.text}`", help=did_you_mean(name.text, words)
            )
            return None
        if declared.name in self._conditions.levels:
            self._report.add(
                "PD280",
                name.span,
                f"`{name.text}` is computed by `classify` and cannot be given",
                help="give what it is computed from",
            )
            return None
        feature = self._features.get(declared.name)
        if feature is None:
            self._report.add("PD223", name.span, f"`{name.text}` is a {declared.what}, not a feature")
        return feature

    def _entry(self, feature: Feature, given: nodes.Given, space: Space) -> _Entry | None:
        value, place = given.value, given.span
        if isinstance(value, nodes.Word) and value.text == "unknown":
            if isinstance(feature.unknown, Unknown) and feature.unknown is not Unknown.EVERYTHING:
                why = "is always known" if feature.unknown is Unknown.NEVER else "has `unknown reject`"
                self._report.add(
                    "PD283", value.span, f"`{feature.name}` {why}: no request enters the policy without it"
                )
                return None
            return _Entry(feature, None, place)
        typed = self._value(feature, value, place, space)
        return None if typed is None else _Entry(feature, typed, place)

    def _value(
        self, feature: Feature, value: nodes.Literal | nodes.NameSet, use: Span, space: Space
    ) -> Value | None:
        """The typed value, or None where it is wrong (and said)."""
        domain = feature.domain
        if isinstance(domain, NamesDomain):
            return self._found_names(feature, value, use, space)
        if isinstance(value, nodes.NameSet):
            self._report.add("PD220", value.span, f"{subject_is(feature.name, domain)}, and this is a set")
            return None
        match domain:
            case StringDomain():
                return string_value(feature, value, use, self._report)
            case BoolDomain():
                if isinstance(value, nodes.Boolean):
                    return value.value
                message = f"{subject_is(feature.name, domain)}, and this is {kind_of(value)}"
                self._report.add(
                    "PD220", value.span, message, help=f"write `{feature.name}` or `not {feature.name}`"
                )
                return None
            case EnumDomain(values):
                at = position(feature.name, domain, value, use, self._report)
                return None if at is None else values[at]
            case NumberDomain(low, high):
                at = position(feature.name, domain, value, use, self._report)
                if at is None or low <= at <= high:
                    return at
                message = f"`{feature.name}` is {number_text(low, domain)} to {number_text(high, domain)}"
                self._report.add("PD222", value.span, message)
                return None

    def _found_names(
        self, feature: Feature, value: nodes.Literal | nodes.NameSet, use: Span, space: Space
    ) -> frozenset[str] | None:
        if not isinstance(value, nodes.NameSet):
            message = f"`{feature.name}` is a set of names, and this is {kind_of(value)}"
            self._report.add(
                "PD220", value.span, message, help=f'write a set: {feature.name} {{ "secret.aws" }}'
            )
            return None
        literals = elements(value, space, self._names, self._report, is_value=lambda _: False)
        if literals is None:
            return None
        names = [dotted_name(feature, literal, use, self._report) for literal in literals]
        return None if None in names else frozenset(n for n in names if n is not None)

    def _missing(self, row: Row, mentioned: set[str]) -> None:
        missing = [f.name for f in self._needed if f.name not in mentioned]
        if missing:
            self._report.add(
                "PD282",
                row.name_at,
                f"this test does not give {listed(missing)}, and no request enters the policy without",
                help=f"add it to `given`: {missing[0]} …",
            )

    def _possible(self, entries: Mapping[str, _Entry]) -> None:
        """Features that belong together agree."""

        def number(name: str) -> int | None:
            value = entries[name].value if name in entries else None
            return value if isinstance(value, int) else None

        day, weekday = number("date"), entries.get("weekday")
        if day is not None and weekday is not None:
            name = WEEKDAYS[date.fromordinal(day).weekday()]
            if weekday.value != name:
                self._report.add("PD284", weekday.span, f"no request is like this: that date is a `{name}`")
        needed, tokens, output = number("context_needed"), number("tokens"), number("max_output")
        least = (tokens or 0) + (output or 0)
        if needed is not None and needed < least:
            self._report.add(
                "PD284",
                entries["context_needed"].span,
                f"no request is like this: `context_needed` covers `tokens` and `max_output`, together {least}",
            )

    # ── what is expected ────────────────────────────────────────────────────────────────────────────────────────

    def _expect(self, expect: nodes.Expect, space: Space) -> Expectation:
        removed = self._removed(expect.removed, space)
        match expect:
            case nodes.ExpectReject(by, status):
                denies = tuple(self._denier(d, space) for d in by)
                wanted = None if status is None else status_of(status, self._report)
                return Expectation(None, by=denies, status=wanted, removed=removed)
            case nodes.ExpectPlan(targets, exact, via):
                wanted_targets = tuple(self._known("target", "PD203", t, space) for t in targets)
                self._distinct(targets, expect.removed)
                route = None if via is None else self._known("route", "PD204", via, space)
                if via is not None and route is not None:
                    self._on_route(targets, via, space)
                redaction = (
                    None if expect.redaction is None else expected_redaction(expect.redaction, self._report)
                )
                return Expectation(wanted_targets, exact, route, removed=removed, redaction=redaction)

    def _known(self, kind: Kind, code: str, ident: nodes.Ident, space: Space) -> str:
        declared = self._names.find(kind, ident.text, space)
        if declared is None:
            known = self._names.visible(kind, space)
            advice = did_you_mean(ident.text, known, f"the {kind}s are {listed(known)}" if known else None)
            self._report.add(code, ident.span, f"there is no {kind} `{ident.text}`", help=advice)
            return ident.text
        return declared.name

    def _denier(self, ident: nodes.Ident, space: Space) -> str:
        return ident.text if ident.text == "otherwise" else self._known("deny", "PD204", ident, space)

    def _removed(
        self, removed: Iterable[nodes.Removed], space: Space
    ) -> tuple[tuple[str, frozenset[str]], ...]:
        return tuple(
            (
                self._known("target", "PD203", r.target, space),
                frozenset(
                    g.text if g.text in CAPABILITY_GUARDS else self._known("guard", "PD204", g, space)
                    for g in r.guards
                ),
            )
            for r in removed
        )

    def _distinct(self, targets: Iterable[nodes.Ident], removed: Iterable[nodes.Removed]) -> None:
        """A target is expected at one place, or removed, once."""
        first: dict[str, nodes.Ident] = {}
        for ident in (*targets, *(r.target for r in removed)):
            if ident.text in first:
                label = Label(first[ident.text].span, "and here")
                message = f"`{ident.text}` is expected at two places"
                self._report.add("PD285", ident.span, message, labels=(label,))
            first.setdefault(ident.text, ident)

    def _on_route(self, targets: Iterable[nodes.Ident], via: nodes.Ident, space: Space) -> None:
        declared = self._names.find("route", via.text, space)
        if declared is None or not isinstance(declared.statement, nodes.Route):
            return
        leads: set[str] = set()
        for choice in declared.statement.to:
            members = [m.target for m in choice.members] if isinstance(choice, nodes.Group) else [choice]
            leads.update(m.text for m in members)
        for ident in targets:
            if ident.text not in leads:
                label = Label(declared.statement.name.span, "declared here")
                message = f"route `{via.text}` does not lead to `{ident.text}`"
                self._report.add("PD285", ident.span, message, labels=(label,))
