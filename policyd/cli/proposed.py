"""Proposed tests in the language's one standard form, with a comment line each that asks to be confirmed.

In come proposals; out goes text that `policyd fmt` leaves as it is, to paste into a policy or to include as a file.
"""

from collections.abc import Iterable

from policyd.policy.program import (
    EnumDomain,
    Expectation,
    Feature,
    NumberDomain,
    Program,
    Redaction,
    StringDomain,
    Value,
)
from policyd.policy.request import EVERYTHING
from policyd.syntax import nodes
from policyd.syntax.format import write_module
from policyd.text.printable import printable
from policyd.text.source import Source, Span
from policyd.trials.generate import Proposal

__all__ = ["proposed_file", "proposed_test", "proposed_tests"]

_NOWHERE = Span(Source("", ""), 0, 0)


def proposed_file(program: Program, proposals: Iterable[Proposal]) -> str:
    """A whole file, to be included."""
    return "edition 1\n\n" + proposed_tests(program, proposals)


def proposed_tests(program: Program, proposals: Iterable[Proposal]) -> str:
    """The tests alone, a blank line between two."""
    return "\n".join(_commented(program, p) for p in proposals)


def proposed_test(program: Program, proposal: Proposal) -> str:
    """One test without its comment."""
    return write_module(nodes.Module((_test(program, proposal),), Source("", "")))


def _commented(program: Program, proposal: Proposal) -> str:
    first, *more = proposal.purposes
    also = f" (and {len(more)} more)" if more else ""
    said = f"# For: {printable(first)}{also}. Confirm: is this what you mean?\n"
    return said + proposed_test(program, proposal)


def _test(program: Program, proposal: Proposal) -> nodes.Test:
    given = tuple(_given(program.feature(name), value) for name, value in proposal.given)
    return nodes.Test(nodes.Text(proposal.name, _NOWHERE), given, _expect(proposal.expect), _NOWHERE)


def _given(feature: Feature, value: Value | None) -> nodes.Given:
    name: nodes.Ident | nodes.HeaderGiven | nodes.ConversationGiven | nodes.Exceeded
    match feature.where.kind:
        case "label":
            name = nodes.HeaderGiven(nodes.Text(feature.where.key, _NOWHERE), _NOWHERE)
        case "conversation":
            name = nodes.ConversationGiven(_ident(feature.where.key), _NOWHERE)
        case "ledger":
            name = nodes.Exceeded(_ident(feature.where.key), _NOWHERE)
        case _:
            name = _ident(feature.name)
    return nodes.Given(name, _value(feature, value), _NOWHERE)


def _value(feature: Feature, value: Value | None) -> nodes.Literal | nodes.NameSet:
    match value:
        case None:
            return nodes.Word("unknown", _NOWHERE)
        case bool():
            return nodes.Boolean(value, _NOWHERE)
        case int():
            dated = isinstance(feature.domain, NumberDomain) and feature.domain.unit == "date"
            return nodes.DateValue(value, _NOWHERE) if dated else nodes.Number(value, _NOWHERE)
        case str():
            if isinstance(feature.domain, StringDomain):
                return nodes.Text(value, _NOWHERE)
            assert isinstance(feature.domain, EnumDomain), "INVARIANT: words are of strings and enums"
            return nodes.Word(value, _NOWHERE)
        case _ if value is EVERYTHING:
            return nodes.Word("unknown", _NOWHERE)
        case _:
            held = sorted(n for n in value if not any(other.startswith(n + ".") for other in value))
            return nodes.NameSet(tuple(nodes.Text(n, _NOWHERE) for n in held), _NOWHERE)


def _expect(expect: Expectation) -> nodes.Expect:
    removed = tuple(
        nodes.Removed(_ident(target), tuple(map(_ident, sorted(guards))), _NOWHERE)
        for target, guards in expect.removed
    )
    if expect.targets is None:
        status = None if expect.status is None else nodes.Number(expect.status, _NOWHERE)
        return nodes.ExpectReject(tuple(map(_ident, expect.by)), status, removed, _NOWHERE)
    via = None if expect.via is None else _ident(expect.via)
    targets = tuple(map(_ident, expect.targets))
    return nodes.ExpectPlan(targets, expect.exact, via, _redaction(expect.redaction), removed, _NOWHERE)


def _redaction(expected: Redaction | None) -> nodes.Redaction | None:
    if expected is None:
        return None
    names = tuple(nodes.Text(name, _NOWHERE) for name in expected.names)
    return nodes.Redaction(names, expected.restored, expected.after, _NOWHERE)


def _ident(text: str) -> nodes.Ident:
    return nodes.Ident(text, _NOWHERE)
