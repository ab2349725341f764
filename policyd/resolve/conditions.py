"""Conditions: from names and literals to tests of one feature against constants.

In comes a condition of the syntax tree and the space it stands in; out goes a resolved condition: names found, sets
opened, `let` inlined, every comparison a range or a set of values inside the domain. All ordered things (numbers,
dates, levels) are one idea: a scale, where a comparison is a list of ranges. A test that the domain decides becomes a
constant, with a warning.
"""

from collections.abc import Iterable, Mapping
from typing import Final, assert_never

from policyd.policy.condition import (
    FALSE,
    Condition,
    Const,
    Flag,
    Has,
    OneOf,
    Prefix,
    both,
    either,
    negate,
    tests_of,
)
from policyd.policy.program import (
    BoolDomain,
    Domain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    StringDomain,
)
from policyd.resolve.features import Axes, Level, exceeded_name
from policyd.resolve.files import Space
from policyd.resolve.literals import (
    dotted_name,
    number_text,
    outside_labels,
    position,
    string_value,
    subject_is,
    written,
)
from policyd.resolve.names import Declared, Names
from policyd.resolve.report import Report, did_you_mean, listed, shown
from policyd.resolve.scales import Ranges, Scale, Subject, domain_of, ends, example, on_scale
from policyd.resolve.sets import elements
from policyd.syntax import nodes
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["Conditions"]

_MOST_TESTS: Final = 10_000
_MOST_DEPTH: Final = 100
_MOST_LETS: Final = 32

_TESTED: Final = {
    nodes.Compare: "compared",
    nodes.InSet: "tested with `in`",
    nodes.InRange: "tested with a range",
    nodes.StartsWith: "tested with `starts with`",
    nodes.Contains: "tested with `contains`",
}


class Conditions:
    """Reads conditions over one policy's names. `let` conditions are read once and kept with their size."""

    def __init__(self, names: Names, axes: Axes, report: Report) -> None:
        self.names = names
        self.features: Mapping[str, Feature] = axes.by_name
        self.levels: Mapping[str, Level] = {level.name: level for level in axes.levels}
        self._report = report
        self._lets: dict[str, tuple[Condition, int, int]] = {}
        self._reading: tuple[str, ...] = ()
        self._tests = 0
        self._deepest = 0

    def read(self, node: nodes.Condition, space: Space) -> Condition:
        """The resolved condition; what is wrong in it is reported and reads as false."""
        condition, _, _ = self._measured(node, space)
        return condition

    def when(self, node: nodes.Condition | None, space: Space) -> Condition:
        """A rule's `when`: true where none is written."""
        return Const(True) if node is None else self.read(node, space)

    def read_lets(self) -> None:
        """Every `let`, used or not."""
        for declared in self.names.tables["word"].values():
            if isinstance(declared.statement, nodes.Let):
                self._let(declared, declared.statement.name.span)

    # ── the tree ────────────────────────────────────────────────────────────────────────────────────────────────

    def _measured(self, node: nodes.Condition, space: Space) -> tuple[Condition, int, int]:
        outer = self._tests, self._deepest
        self._tests = self._deepest = 0
        condition = self._read(node, space, 1)
        tests, deepest = self._tests, self._deepest
        self._tests, self._deepest = outer
        return condition, tests, deepest

    def _read(self, node: nodes.Condition, space: Space, depth: int) -> Condition:
        if not self._fits(0, depth, node.span):
            return FALSE
        match node:
            case nodes.Truth(value):
                return Const(value)
            case nodes.Not(operand):
                return negate(self._read(operand, space, depth + 1))
            case nodes.And(operands):
                return both(*(self._read(o, space, depth + 1) for o in operands))
            case nodes.Or(operands):
                return either(*(self._read(o, space, depth + 1) for o in operands))
            case nodes.Name(name):
                return self._name(name, space, depth)
            case _:
                return self._atom(node, space, depth) or FALSE

    def _fits(self, tests: int, depth: int, span: Span) -> bool:
        self._tests += tests
        self._deepest = max(self._deepest, depth)
        if self._tests > _MOST_TESTS:
            self._report.add("PD209", span, f"this condition has more than {_MOST_TESTS} tests, `let` opened")
            return False
        if depth > _MOST_DEPTH:
            self._report.add(
                "PD209", span, f"this condition is nested more than {_MOST_DEPTH} deep, `let` opened"
            )
            return False
        return True

    def _name(self, name: nodes.Ident, space: Space, depth: int) -> Condition:
        declared = self._find(name, space)
        if declared is None:
            return FALSE
        if isinstance(declared.statement, nodes.Let):
            condition, tests, deepest = self._let(declared, name.span)
            return condition if self._fits(tests, depth + deepest, name.span) else FALSE
        subject = self._subject(declared, name)
        if isinstance(subject, Feature) and isinstance(subject.domain, BoolDomain):
            self._tests += 1
            return Flag(subject.name, name.span)
        if subject is not None:
            self._report.add(
                "PD223",
                name.span,
                f"{subject_is(name.text, domain_of(subject))}, and is no condition by itself",
                help=example(name.text, domain_of(subject)),
            )
        return FALSE

    def _let(self, declared: Declared, use: Span) -> tuple[Condition, int, int]:
        if declared.name in self._lets:
            return self._lets[declared.name]
        let = declared.statement
        assert isinstance(let, nodes.Let), "INVARIANT: the caller looked"
        if declared.name in self._reading:
            cycle = [*self._reading[self._reading.index(declared.name) :], declared.name]
            path = " → ".join(f"`{n}`" for n in cycle)
            self._report.add("PD208", let.name.span, f"`{declared.name}` is defined by itself: {path}")
            return FALSE, 0, 0
        if len(self._reading) >= _MOST_LETS:
            self._report.add("PD209", use, f"`let` in `let` goes at most {_MOST_LETS} deep")
            return FALSE, 0, 0
        before = self._reading
        self._reading = (*before, declared.name)
        self._lets[declared.name] = result = self._measured(let.condition, declared.space)
        self._reading = before
        return result

    # ── names ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _find(self, name: nodes.Ident, space: Space) -> Declared | None:
        declared = self.names.find("word", name.text, space)
        if declared is None:
            self._unknown(name, space)
        return declared

    def _unknown(self, name: nodes.Ident, space: Space) -> None:
        if self.names.find("fact", name.text, space) is not None or name.text == "target":
            self._report.add(
                "PD201",
                name.span,
                f"`{name.text}` is about a target, and a condition is about the request",
                help="ask it of a target: `guard … only …` or `assert … never …`",
            )
            return
        if self.names.find("budget", name.text, space) is not None:
            self._report.add(
                "PD223", name.span, f"`{name.text}` is not a condition", help=f"`exceeded({name.text})`"
            )
            return
        words = self.names.visible("word", space)
        self._report.add(
            "PD201", name.span, f"there is no feature `{name.text}`", help=did_you_mean(name.text, words)
        )

    def _subject(self, declared: Declared, name: nodes.Ident) -> Subject | None:
        """The feature or level that is tested."""
        subject: Subject | None = self.features.get(declared.name) or self.levels.get(declared.name)
        if subject is None:
            labels = () if declared.ident is None else (Label(declared.ident.span, "declared here"),)
            help_ = f"`… in {name.text}`" if declared.what == "set" else f"use it by itself: `{name.text}`"
            self._report.add(
                "PD223",
                name.span,
                f"`{name.text}` is a {declared.what}, and here a feature is needed",
                help=help_,
                labels=labels,
            )
        return subject

    # ── tests ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _atom(self, node: nodes.Condition, space: Space, depth: int) -> Condition | None:
        match node:
            case nodes.Exceeded(name, span):
                return self._exceeded(name, span, space)
            case nodes.Compare() | nodes.InSet() | nodes.InRange() | nodes.StartsWith() | nodes.Contains():
                declared = self._find(node.name, space)
                subject = None if declared is None else self._subject(declared, node.name)
                condition = None if subject is None else self._test(node, subject, space)
            case nodes.Truth() | nodes.Name() | nodes.Not() | nodes.And() | nodes.Or():
                return self._read(node, space, depth)
            case _:
                assert_never(node)
        if isinstance(condition, Const):
            self._decided(node, condition)
        return condition

    def _decided(self, node: nodes.Condition, condition: Const) -> None:
        says = "always" if condition.value else "never"
        written_ = " ".join(node.span.text.split())
        self._report.add(
            "PD226",
            node.span,
            f"`{shown(written_)}` {says} holds: the domain decides it",
            subject=written_,
        )

    def _exceeded(self, name: nodes.Ident, span: Span, space: Space) -> Condition | None:
        declared = self.names.find("budget", name.text, space)
        if declared is None:
            budgets = self.names.visible("budget", space)
            advice = (
                f"the budgets and limits are {listed(budgets)}"
                if budgets
                else "declare it: `budget` or `limit`"
            )
            self._report.add(
                "PD204",
                name.span,
                f"there is no budget or limit `{name.text}`",
                help=did_you_mean(name.text, budgets, advice),
            )
            return None
        self._tests += 1
        return Flag(exceeded_name(declared.name), span)

    def _test(
        self,
        node: nodes.Compare | nodes.InSet | nodes.InRange | nodes.StartsWith | nodes.Contains,
        subject: Subject,
        space: Space,
    ) -> Condition | None:
        domain = domain_of(subject)
        match node, domain:
            case nodes.Compare(), NumberDomain() | EnumDomain() | Level():
                return self._compare(node, subject, domain)
            case nodes.Compare(), StringDomain() if node.op in {"==", "!="}:
                assert isinstance(subject, Feature)
                text = string_value(subject, node.value, node.span, self._report)
                equal = None if text is None else self._one_of(subject, (text,), node.span)
                return equal if equal is None or node.op == "==" else negate(equal)
            case nodes.InSet(), NumberDomain() | EnumDomain() | Level():
                return self._in_set(node, subject, domain, space)
            case nodes.InSet(), StringDomain():
                return self._in_strings(node, subject, space)
            case nodes.InRange(), NumberDomain() | EnumDomain() | Level():
                return self._in_range(node, subject, domain)
            case nodes.StartsWith(), StringDomain():
                assert isinstance(subject, Feature)
                text = string_value(subject, node.prefix, node.span, self._report, whole=False)
                self._tests += 1
                return (
                    None if text is None else (Prefix(subject.name, text, node.span) if text else Const(True))
                )
            case nodes.Contains(), NamesDomain():
                return self._contains(node, subject, space)
            case _:
                self._unsuited(node, domain)
                return None

    def _unsuited(
        self,
        node: nodes.Compare | nodes.InSet | nodes.InRange | nodes.StartsWith | nodes.Contains,
        domain: Domain | Level,
    ) -> None:
        ordering = isinstance(node, nodes.InRange) or (
            isinstance(node, nodes.Compare) and node.op not in {"==", "!="}
        )
        kind = subject_is(node.name.text, domain)
        if ordering and isinstance(domain, StringDomain):
            code, message = "PD221", f"{kind}, and strings have no order"
        else:
            code, message = "PD223", f"{kind}, and is not {_TESTED[type(node)]}"
        self._report.add(code, node.name.span, message, help=example(node.name.text, domain))

    def _compare(self, node: nodes.Compare, subject: Subject, domain: Scale) -> Condition | None:
        if node.op not in {"==", "!="} and not self._ordered(node.name, domain):
            return None
        at = position(node.name.text, domain, node.value, node.span, self._report)
        if at is None:
            return None
        low, high = ends(domain)
        ranges = {
            "==": (at, at),
            "!=": (at, at),
            "<": (low, at - 1),
            "<=": (low, at),
            ">": (at + 1, high),
            ">=": (at, high),
        }
        condition = self._on_scale(subject, (ranges[node.op],), node.span)
        return negate(condition) if node.op == "!=" else condition

    def _in_range(self, node: nodes.InRange, subject: Subject, domain: Scale) -> Condition | None:
        if not self._ordered(node.name, domain):
            return None
        low = position(node.name.text, domain, node.low, node.span, self._report)
        high = position(node.name.text, domain, node.high, node.span, self._report)
        if low is None or high is None:
            return None
        if low > high:
            self._report.add(
                "PD224",
                node.low.span.through(node.high.span),
                f"the range is empty: `{written(node.low)}` is above `{written(node.high)}`",
                help=_other_way_round(node, low, high),
            )
            return None
        condition = self._on_scale(subject, ((low, high),), node.span)
        if not isinstance(condition, Const):
            self._outside(((low, node.low), (high, node.high)), node.name.text, domain, node.span)
        return negate(condition) if node.negated else condition

    def _in_set(self, node: nodes.InSet, subject: Subject, domain: Scale, space: Space) -> Condition | None:
        words = () if isinstance(domain, NumberDomain) else domain.values
        literals = elements(node.values, space, self.names, self._report, is_value=lambda word: word in words)
        if literals is None:
            return None
        found = [(position(node.name.text, domain, x, node.span, self._report), x) for x in literals]
        placed = [(at, x) for at, x in found if at is not None]
        if len(placed) < len(found):
            return None
        condition = self._on_scale(subject, tuple((at, at) for at, _ in placed), node.span)
        if not isinstance(condition, Const):
            self._outside(placed, node.name.text, domain, node.span)
        return negate(condition) if node.negated else condition

    def _outside(
        self, placed: Iterable[tuple[int, nodes.Literal]], name: str, domain: Scale, use: Span
    ) -> None:
        """Constants that no request can have, in a test that others keep alive."""
        if not isinstance(domain, NumberDomain):
            return
        for at, literal in placed:
            if not domain.low <= at <= domain.high:
                low, high = number_text(domain.low, domain), number_text(domain.high, domain)
                self._report.add(
                    "PD227",
                    literal.span,
                    f"`{written(literal)}` is outside of `{name}`, which is {low} to {high}",
                    labels=outside_labels(literal, use, f"used for `{name}` here"),
                    subject=name,
                )

    def _ordered(self, name: nodes.Ident, domain: Scale) -> bool:
        if isinstance(domain, EnumDomain) and not domain.ordered:
            self._report.add(
                "PD221",
                name.span,
                f"`{name.text}` is an enum, and its values have no order",
                help=f"use `==` or `in`, or declare a level: {' < '.join(domain.values[:3])}",
            )
            return False
        return True

    def _in_strings(self, node: nodes.InSet, subject: Subject, space: Space) -> Condition | None:
        assert isinstance(subject, Feature), "INVARIANT: no level is a string"
        literals = elements(node.values, space, self.names, self._report, is_value=lambda _: False)
        if literals is None:
            return None
        texts = [string_value(subject, x, node.span, self._report) for x in literals]
        known = tuple(t for t in texts if t is not None)
        if len(known) < len(texts):
            return None
        condition = self._one_of(subject, known, node.span)
        return negate(condition) if node.negated else condition

    def _contains(self, node: nodes.Contains, subject: Subject, space: Space) -> Condition | None:
        assert isinstance(subject, Feature), "INVARIANT: no level is a set of names"
        literals: tuple[nodes.Literal, ...] | None
        if isinstance(node.values, nodes.NameSet | nodes.Ident):
            literals = elements(node.values, space, self.names, self._report, is_value=lambda _: False)
        else:
            literals = (node.values,)
        if literals is None:
            return None
        found = [(dotted_name(subject, x, node.span, self._report), x) for x in literals]
        names = [name for name, _ in found if name is not None]
        if len(names) < len(found):
            return None
        self._tests += len(names)
        tests = [Has(subject.name, name, node.span) for name in names]
        return both(*tests) if node.quantifier == "all" else either(*tests)

    def _one_of(self, feature: Feature, texts: tuple[str, ...], span: Span) -> Condition:
        self._tests += 1
        return OneOf(feature.name, frozenset(texts), span) if texts else FALSE

    def _on_scale(self, subject: Subject, ranges: Ranges, span: Span) -> Condition:
        condition = on_scale(subject, ranges, span)
        self._tests += sum(1 for _ in tests_of(condition))
        return condition


def _other_way_round(node: nodes.InRange, low: int, high: int) -> str:
    """A range that runs over the end of its domain is said by what it leaves out."""
    if node.name.text == "hour" and low - high > 1:
        return (
            f"write the lower end first, or, over midnight, `not {node.name.text} in {high + 1}..{low - 1}`"
        )
    return "write the lower end first"
