"""Predicates: which targets satisfy what a guard or an assertion asks of them.

A predicate has the form of a condition, but its names are facts, and all targets are known. So it has no tree of its
own: each test is the set of targets that satisfy it, `and` is intersection, `or` union, `not` the rest. A fact that
some target does not state cannot be asked for.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import assert_never

from policyd.policy.program import Fact, Feature, NamesDomain, Provenance, Target, Unknown, Where
from policyd.policy.variants import covers
from policyd.resolve.facts import FactType, fact_value
from policyd.resolve.files import Space
from policyd.resolve.literals import dotted_name, kind_of, outside_labels, written
from policyd.resolve.names import Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.resolve.sets import elements
from policyd.syntax import nodes
from policyd.text.source import Span

__all__ = ["Predicates"]

_NO_TARGET: frozenset[str] = frozenset()
_TARGET = "target"
_REDACTS = Feature("redacts", NamesDomain(), Provenance.ATTESTED, Where("builtin", "redacts"), Unknown.NEVER)
"""What its names are read as: a set of findings."""


class Predicates:
    """Reads predicates over one policy's targets. What is wrong is reported and satisfied by no target."""

    def __init__(
        self, names: Names, facts: Mapping[str, FactType], targets: tuple[Target, ...], report: Report
    ) -> None:
        self._names = names
        self._facts = facts
        self._targets = targets
        self._report = report
        self.all = frozenset(t.name for t in targets)
        self._plain = sorted(t.name for t in targets if t.of is None)

    def satisfied(self, node: nodes.Predicate, space: Space, depth: int = 0) -> frozenset[str]:
        """The names of the targets that satisfy the predicate."""
        if depth > 100:
            self._report.add("PD209", node.span, "this predicate is nested more than 100 deep")
            return _NO_TARGET
        match node:
            case nodes.Truth(value):
                return self.all if value else _NO_TARGET
            case nodes.Not(operand):
                return self.all - self.satisfied(operand, space, depth + 1)
            case nodes.And(operands):
                return self.all.intersection(*(self.satisfied(o, space, depth + 1) for o in operands))
            case nodes.Or(operands):
                return _NO_TARGET.union(*(self.satisfied(o, space, depth + 1) for o in operands))
            case nodes.Name(name):
                return self._flag(name)
            case nodes.Exceeded(span=span):
                self._report.add(
                    "PD223", span, "a budget is not a fact of a target", help="move it behind `when`"
                )
                return _NO_TARGET
            case nodes.Compare() if node.name.text == _TARGET:
                return self._compare_target(node, space)
            case nodes.InSet() if node.name.text == _TARGET:
                return self._target_in(node, space)
            case nodes.Compare():
                fact = self._fact(node.name)
                return _NO_TARGET if fact is None else self._compare(node, fact)
            case nodes.InSet():
                fact = self._fact(node.name)
                return _NO_TARGET if fact is None else self._in_set(node, fact, space)
            case nodes.InRange():
                fact = self._fact(node.name)
                return _NO_TARGET if fact is None else self._in_range(node, fact)
            case nodes.Contains():
                fact = self._fact(node.name)
                return _NO_TARGET if fact is None else self._contains(node, fact, space)
            case nodes.StartsWith():
                fact = self._fact(node.name)
                return (
                    _NO_TARGET
                    if fact is None
                    else self._unsuited(node.name, fact, "tested with `starts with`")
                )
            case _:
                assert_never(node)

    # ── names ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _fact(self, name: nodes.Ident) -> FactType | None:
        fact = self._facts.get(name.text)
        if fact is None:
            word = self._names.tables["word"].get(name.text)
            if word is not None:
                message = f"`{name.text}` is a {word.what} of the request, and a predicate asks about targets"
                self._report.add("PD230", name.span, message, help="move it behind `when`")
            else:
                advice = did_you_mean(
                    name.text, (*self._facts, _TARGET), f"the facts are {listed(self._facts)}"
                )
                self._report.add("PD230", name.span, f"there is no fact `{name.text}`", help=advice)
            return None
        lacking = [t.name for t in self._targets if t.of is None and _stated(t, fact) is None]
        if lacking:
            self._report.add(
                "PD234",
                name.span,
                f"`{fact.name}` is asked for, and {listed(lacking)} {'does' if len(lacking) == 1 else 'do'} not state it",
                help=f"state `{fact.name}` on every target",
            )
            return None
        return fact

    def _where(self, fact: FactType, holds: Callable[[Fact], bool]) -> frozenset[str]:
        found = ((t.name, _stated(t, fact)) for t in self._targets)
        return frozenset(name for name, value in found if value is not None and holds(value))

    def _unsuited(self, name: nodes.Ident, fact: FactType, what: str) -> frozenset[str]:
        self._report.add("PD223", name.span, f"`{fact.name}` is not {what}", help=_example(fact))
        return _NO_TARGET

    def _known_word(self, fact: FactType, value: object, literal: nodes.Literal, use: Span) -> bool:
        """False where a closed fact or set does not have the word. A word of an open fact that no target states is only
        a warning: the target may have been removed."""
        if not isinstance(value, str):
            return True
        labels = outside_labels(literal, use, f"used for `{fact.name}` here")
        if fact.words is not None:
            if value in fact.words:
                return True
            advice = did_you_mean(value, fact.words, f"its words are {listed(fact.words)}")
            self._report.add(
                "PD222", literal.span, f"`{value}` is not a word of `{fact.name}`", help=advice, labels=labels
            )
            return False
        stated = sorted({str(t.fact(fact.name)) for t in self._targets})
        if value not in stated:
            advice = did_you_mean(value, stated, f"stated are {listed(stated)}")
            self._report.add(
                "PD235",
                literal.span,
                f"no target states `{fact.name} {value}`",
                help=advice,
                labels=labels,
                subject=value,
            )
        return True

    # ── tests ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _flag(self, name: nodes.Ident) -> frozenset[str]:
        fact = self._fact(name)
        if fact is None:
            return _NO_TARGET
        if fact.kind != "bool":
            return self._unsuited(name, fact, "a yes-or-no fact, so it says nothing by itself")
        return self._where(fact, lambda value: value is True)

    def _compare(self, node: nodes.Compare, fact: FactType) -> frozenset[str]:
        equality = node.op in {"==", "!="}
        if fact.kind in {"words", "names"} or (fact.kind == "bool" and not equality):
            return self._unsuited(node.name, fact, "compared")
        if fact.kind == "word" and not equality:
            self._report.add(
                "PD221", node.name.span, f"the words of `{fact.name}` have no order", help="use `==` or `in`"
            )
            return _NO_TARGET
        value = self._value(fact, node.value, node.span)
        if value is None:
            return _NO_TARGET
        equal = self._where(fact, lambda x: x == value)
        match node.op:
            case "==":
                return equal
            case "!=":
                return self.all - equal
            case "<":
                return self._below(fact, value)
            case "<=":
                return self._below(fact, value) | equal
            case ">":
                return self.all - self._below(fact, value) - equal
            case ">=":
                return self.all - self._below(fact, value)
            case _:
                assert_never(node.op)

    def _below(self, fact: FactType, value: int | str | bool) -> frozenset[str]:
        return self._where(fact, lambda x: isinstance(x, int) and isinstance(value, int) and x < value)

    def _value(self, fact: FactType, literal: nodes.Literal, use: Span) -> int | str | bool | None:
        value = fact_value(fact, literal, self._report, code="PD220")
        if value is None or not self._known_word(fact, value, literal, use):
            return None
        return value

    def _in_range(self, node: nodes.InRange, fact: FactType) -> frozenset[str]:
        if fact.kind not in {"int", "money", "duration"}:
            return self._unsuited(node.name, fact, "tested with a range")
        low, high = self._value(fact, node.low, node.span), self._value(fact, node.high, node.span)
        if not isinstance(low, int) or not isinstance(high, int):
            return _NO_TARGET
        if low > high:
            message = f"the range is empty: `{written(node.low)}` is above `{written(node.high)}`"
            self._report.add(
                "PD224", node.low.span.through(node.high.span), message, help="write the lower end first"
            )
            return _NO_TARGET
        inside = self._where(fact, lambda x: isinstance(x, int) and low <= x <= high)
        return self.all - inside if node.negated else inside

    def _in_set(self, node: nodes.InSet, fact: FactType, space: Space) -> frozenset[str]:
        if fact.kind in {"words", "names", "bool"}:
            return self._unsuited(node.name, fact, "tested with `in`")
        values = self._values(fact, node.values, space, node.span)
        if values is None:
            return _NO_TARGET
        inside = self._where(fact, lambda x: x in values)
        return self.all - inside if node.negated else inside

    def _values(
        self, fact: FactType, values: nodes.NameSet | nodes.Ident, space: Space, use: Span
    ) -> frozenset[Fact] | None:
        stated = {t.fact(fact.name) for t in self._targets if fact.kind == "word"}
        words = set(fact.words or ()) | {w for w in stated if isinstance(w, str)}
        literals = elements(values, space, self._names, self._report, is_value=words.__contains__)
        if literals is None:
            return None
        found = [self._value(fact, literal, use) for literal in literals]
        return None if None in found else frozenset(v for v in found if v is not None)

    def _contains(self, node: nodes.Contains, fact: FactType, space: Space) -> frozenset[str]:
        if fact.kind not in {"words", "names"}:
            return self._unsuited(node.name, fact, "tested with `contains`")
        values = node.values
        if not isinstance(values, nodes.NameSet | nodes.Ident):
            values = nodes.NameSet((values,), values.span)
        if fact.kind == "names":
            return self._redacts(node, values, space)
        words = self._values(fact, values, space, node.span)
        if words is None:
            return _NO_TARGET
        if node.quantifier == "all":
            return self._where(fact, lambda x: isinstance(x, frozenset) and words <= x)
        return self._where(fact, lambda x: isinstance(x, frozenset) and bool(words & x))

    def _redacts(
        self, node: nodes.Contains, values: nodes.NameSet | nodes.Ident, space: Space
    ) -> frozenset[str]:
        """The variants that take out these findings, each of them wholly: whoever redacts `secret` redacts `secret.aws`, and
        not the other way round."""
        literals = elements(values, space, self._names, self._report, is_value=lambda _: False)
        if literals is None:
            return _NO_TARGET
        names = [dotted_name(_REDACTS, literal, node.span, self._report) for literal in literals]
        wanted = [name for name in names if name is not None]
        if len(wanted) != len(names):
            return _NO_TARGET
        holds = all if node.quantifier == "all" else any
        return frozenset(
            t.name
            for t in self._targets
            if t.redaction is not None and holds(covers(t.redaction, name) for name in wanted)
        )

    # ── the target itself ───────────────────────────────────────────────────────────────────────────────────────

    def _compare_target(self, node: nodes.Compare, space: Space) -> frozenset[str]:
        if node.op not in {"==", "!="}:
            self._report.add("PD221", node.name.span, "targets have no order", help="use `==` or `in`")
            return _NO_TARGET
        found = self._named_targets((node.value,), space)
        return self.all - found if node.op == "!=" else found

    def _target_in(self, node: nodes.InSet, space: Space) -> frozenset[str]:
        literals = elements(
            node.values, space, self._names, self._report, is_value=lambda word: word in self._plain
        )
        if literals is None:
            return _NO_TARGET
        found = self._named_targets(literals, space)
        return self.all - found if node.negated else found

    def _named_targets(self, literals: Iterable[nodes.Literal], space: Space) -> frozenset[str]:
        out: set[str] = set()
        for literal in literals:
            if not isinstance(literal, nodes.Word):
                message = f"a target is a word, and this is {kind_of(literal)}"
                self._report.add(
                    "PD220", literal.span, message, help=f"the targets are {listed(self._plain)}"
                )
                continue
            declared = self._names.find("target", literal.text, space)
            if declared is None:
                advice = did_you_mean(literal.text, self._plain, f"the targets are {listed(self._plain)}")
                self._report.add("PD203", literal.span, f"there is no target `{literal.text}`", help=advice)
            else:
                out.add(declared.name)
        return frozenset(t.name for t in self._targets if t.plain in out)


def _stated(target: Target, fact: FactType) -> Fact | None:
    """The target's fact. A target that lists no `supports` supports nothing, as its capability guards say, and one that no
    route redacts for redacts nothing."""
    stated = target.fact(fact.name)
    return frozenset() if stated is None and fact.name in {"supports", "redacts"} else stated


def _example(fact: FactType) -> str:
    match fact.kind:
        case "word":
            return (
                f"such as `{fact.name} == eu`"
                if fact.words is None
                else f"such as `{fact.name} == {fact.words[0]}`"
            )
        case "words":
            return f"such as `{fact.name} contains {(fact.words or ('chat',))[0]}`"
        case "names":
            return f'such as `{fact.name} contains "secret"`'
        case "int":
            return f"such as `{fact.name} >= 200k`"
        case "bool":
            return f"write `{fact.name}` or `not {fact.name}`"
        case "money":
            return f"such as `{fact.name} <= $3`"
        case "duration":
            return f"such as `{fact.name} != none` or `{fact.name} <= 30 days`"
        case _:
            assert_never(fact.kind)
