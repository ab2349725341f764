"""What each rule of the grammar becomes: a node of the tree, with the exact place it was written at.

In come the children of one rule, tokens and nodes in the order written; out goes the node. A method has the name of
its rule or alias in the grammar. An optional part that is not there is `None`. Nothing is checked here but the shape:
whether a name exists or a comparison makes sense is for later stages.
"""

from dataclasses import replace
from typing import Any, TypeAlias

from policyd.syntax import nodes as n
from policyd.syntax.lexing import Token
from policyd.text.source import Span

__all__ = ["Builder"]

Children: TypeAlias = list[Any]


def _place(children: Children) -> Span:
    """From the first child to the last that is there."""
    first = children[0]
    last = next(child for child in reversed(children) if child is not None)
    if type(last) is tuple:
        last = last[-1]
    start = first.start if type(first) is Token else first.span.start
    if type(last) is Token:
        return Span(last.source, start, last.end)
    return Span(last.span.source, start, last.span.end)


def _ident(token: Token) -> n.Ident:
    return n.Ident(token.text, Span(token.source, token.start, token.end))


def _text(token: Token | None) -> n.Text | None:
    return None if token is None else _quoted(token)


def _quoted(token: Token) -> n.Text:
    return n.Text(str(token.value), Span(token.source, token.start, token.end))


def _number(token: Token) -> n.Number:
    return n.Number(int(token.value), Span(token.source, token.start, token.end))


def _maybe(token: Token | None) -> n.Number | None:
    return None if token is None else _number(token)


def _idents(children: Children) -> tuple[n.Ident, ...]:
    """The names between the braces of a declaration."""
    return tuple(_ident(t) for t in children if type(t) is Token and t.type == "NAME")


def _of(children: Children, kind: Any) -> tuple[Any, ...]:
    return tuple(child for child in children if isinstance(child, kind))


class Builder:
    """The callbacks of the grammar. It holds nothing: a node's place comes from its tokens."""

    # Statements that say what a request is.

    def edition(self, c: Children) -> n.Edition:
        return n.Edition(int(c[1].value), _place(c))

    def include(self, c: Children) -> n.Include:
        _, path, alias, scope, before, after = c
        name = None if alias is None else _ident(alias)
        return n.Include(_quoted(path), name, scope, before or (), after or (), _place(c))

    def before(self, c: Children) -> tuple[n.Ident, ...]:
        return tuple(_ident(token) for token in c)

    after = before

    def level(self, c: Children) -> n.Declaration:
        values = _idents(c[3:-2])
        return n.Declaration("level", _ident(c[1]), values, None, None, c[-2], c[-1], _place(c))

    def enum(self, c: Children) -> n.Declaration:
        values = _idents(c[3:-2])
        return n.Declaration("enum", _ident(c[1]), values, None, None, c[-2], c[-1], _place(c))

    def string(self, c: Children) -> n.Declaration:
        return n.Declaration("string", _ident(c[1]), (), None, None, c[2], c[3], _place(c))

    def int(self, c: Children) -> n.Declaration:
        low, high = _number(c[2]), _number(c[4])
        return n.Declaration("int", _ident(c[1]), (), low, high, c[5], c[6], _place(c))

    def bool(self, c: Children) -> n.Declaration:
        return n.Declaration("bool", _ident(c[1]), (), None, None, c[2], c[3], _place(c))

    def source(self, c: Children) -> n.SourceClause:
        return n.SourceClause(c[1].text, _text(c[2]), _place(c))

    def unknown(self, c: Children) -> n.Unknown:
        return n.Unknown(None if type(c[1]) is Token else c[1], _place(c))

    def set(self, c: Children) -> n.SetDeclaration:
        return n.SetDeclaration(_ident(c[1]), c[3], _place(c))

    def let(self, c: Children) -> n.Let:
        return n.Let(_ident(c[1]), c[3], _place(c))

    def classify(self, c: Children) -> n.Classify:
        return n.Classify(c[1], _of(c, n.StartsAt), _of(c, n.AtLeast), _place(c))

    def starts_at(self, c: Children) -> n.StartsAt:
        return n.StartsAt(_ident(c[1]), c[2], _place(c))

    def at_least(self, c: Children) -> n.AtLeast:
        level = _ident(c[1]) if type(c[1]) is Token else c[1]
        return n.AtLeast(level, c[2], _place(c))

    def label_header(self, c: Children) -> n.LabelHeader:
        return n.LabelHeader(_quoted(c[1]), _place(c))

    def label_conversation(self, c: Children) -> n.LabelConversation:
        time = None if c[2] is None else n.Duration(int(c[2].value), c[2].span)
        return n.LabelConversation(time, _place(c))

    # Statements that say where a request can go.

    def fact(self, c: Children) -> n.FactDeclaration:
        if c[2].type == "LBRACE":
            return n.FactDeclaration(_ident(c[1]), "word", _idents(c[3:]), _place(c))
        return n.FactDeclaration(_ident(c[1]), c[2].text, (), _place(c))

    def target(self, c: Children) -> n.Target:
        return n.Target(_ident(c[1]), _of(c, n.FactEntry), _place(c))

    def fact_entry(self, c: Children) -> n.FactEntry:
        return n.FactEntry(_ident(c[0]), tuple(c[1:]), _place(c))

    # Statements that say what must never happen.

    def guard(self, c: Children) -> n.Guard:
        _, name, effect, predicate, when, owner, because = c
        return n.Guard(_ident(name), effect.text, predicate, when, _text(owner), _quoted(because), _place(c))

    def deny(self, c: Children) -> n.Deny:
        _, name, when, status, because = c
        return n.Deny(_ident(name), when, _maybe(status), _quoted(because), _place(c))

    def exception(self, c: Children) -> n.Except:
        _, name, _, guard, when, _, day, _, owner, because = c
        until = n.DateValue(day.value, day.span)
        return n.Except(_ident(name), guard, when, until, _quoted(owner), _quoted(because), _place(c))

    def budget(self, c: Children) -> n.Budget:
        _, name, amount, _, per, _, by = c
        return n.Budget(_ident(name), n.Money(amount.value, amount.span), _ident(per), by, _place(c))

    def limit(self, c: Children) -> n.Limit:
        _, name, amount, unit, _, per, _, by = c
        return n.Limit(_ident(name), _number(amount), unit.text, _ident(per), by, _place(c))

    # Statements that say where a request should go.

    def route(self, c: Children) -> n.Route:
        _, name, _, to, redaction, when = c
        return n.Route(_ident(name), to, redaction, when, _place(c))

    def redaction(self, c: Children) -> n.Redaction:
        *_, restored, after, _ = c
        return n.Redaction(_of(c, n.Text), restored is not None, after is not None, _place(c))

    def finding(self, c: Children) -> n.Text:
        return _quoted(c[0])

    def destination(self, c: Children) -> n.Destination:
        return tuple(c)

    def group(self, c: Children) -> n.Group:
        return n.Group(c[0].text, _of(c, n.Member), None, _place(c))

    def member(self, c: Children) -> n.Member:
        return n.Member(c[0], None, c[0].span)

    def split(self, c: Children) -> n.Group:
        return n.Group("split", _of(c, n.Member), c[-1], _place(c))

    def share(self, c: Children) -> n.Member:
        return n.Member(c[0], _number(c[1]), _place(c))

    def otherwise(self, c: Children) -> n.Otherwise:
        _, _, reason, status, holes = c
        return n.Otherwise(_quoted(reason), _maybe(status), None if holes is None else holes.text, _place(c))

    def holes(self, c: Children) -> Token:
        word: Token = c[1]
        return word

    # Statements that are proved or tried.

    def assertion(self, c: Children) -> n.Assert:
        return n.Assert(_ident(c[1]), c[2].text, c[3], c[4], _place(c))

    def assert_served(self, c: Children) -> n.Assert:
        return n.Assert(_ident(c[1]), "never rejected", None, c[4], _place(c))

    def assert_claimed(self, c: Children) -> n.Assert:
        return n.Assert(_ident(c[1]), "claimed never loosens", None, None, _place(c))

    def test(self, c: Children) -> n.Test:
        return n.Test(_quoted(c[1]), _of(c, n.Given), c[-1], _place(c))

    def given(self, c: Children) -> n.Given:
        if type(c[0]) is Token:
            return n.Given(c[1], n.Boolean(False, c[0].span), _place(c))
        value = c[1] if len(c) > 1 else n.Boolean(True, c[0].span)
        return n.Given(c[0], value, _place(c))

    def given_header(self, c: Children) -> n.Given:
        label: n.LabelHeader = c[0]
        return n.Given(n.HeaderGiven(label.header, label.span), c[1], _place(c))

    def given_conversation(self, c: Children) -> n.Given:
        return n.Given(n.ConversationGiven(c[1], _place(c[:2])), c[2], _place(c))

    def given_word(self, c: Children) -> n.Given:
        """A feature whose name is a word of the language."""
        return n.Given(_ident(c[0]), c[1], _place(c))

    def given_exceeded(self, c: Children) -> n.Given:
        if type(c[0]) is Token:
            return n.Given(c[1], n.Boolean(False, c[0].span), _place(c))
        value = n.Boolean(True, c[0].span) if c[1] is None else c[1]
        return n.Given(c[0], value, _place(c))

    def expect_plan(self, c: Children) -> n.ExpectPlan:
        targets, via, redaction, removed = c[2], c[3], c[4], tuple(c[5:])
        return n.ExpectPlan(targets, c[1] is not None, via, redaction, removed, _place(c))

    def places(self, c: Children) -> tuple[n.Ident, ...]:
        return tuple(c)

    def expect_reject(self, c: Children) -> n.ExpectReject:
        by, status, removed = c[2], c[3], tuple(c[4:])
        return n.ExpectReject(by or (), _maybe(status), removed, _place(c))

    def rejected_by(self, c: Children) -> tuple[n.Ident, ...]:
        return tuple(c)

    def removed(self, c: Children) -> n.Removed:
        return n.Removed(c[2], c[4], _place(c[1:]))

    def removers(self, c: Children) -> tuple[n.Ident, ...]:
        return tuple(c)

    def test_table(self, c: Children) -> n.TestTable:
        return n.TestTable(_quoted(c[2]), _place(c))

    # Statements about findings.

    def severity(self, c: Children) -> n.SeverityChoice:
        return n.SeverityChoice(_ident(c[1]), c[2].text, _place(c))

    def suppression(self, c: Children) -> n.Suppress:
        _, code, _, subject, _, day, because = c
        until = n.DateValue(day.value, day.span)
        return n.Suppress(_ident(code), subject, until, _quoted(because), _place(c))

    def quoted(self, c: Children) -> n.Text:
        return _quoted(c[0])

    # Conditions.

    def any_of(self, c: Children) -> n.Or:
        return n.Or(tuple(c), _place(c))

    def all_of(self, c: Children) -> n.And:
        return n.And(tuple(c), _place(c))

    def negated(self, c: Children) -> n.Not:
        return n.Not(c[1], _place(c))

    def holds(self, c: Children) -> n.Name:
        return n.Name(c[0], c[0].span)

    def truth(self, c: Children) -> n.Truth:
        return n.Truth(c[0].text == "true", c[0].span)

    def compare(self, c: Children) -> n.Compare:
        return n.Compare(c[0], c[1].text, c[2], _place(c))

    def in_set(self, c: Children) -> n.InSet:
        return n.InSet(c[0], c[2], c[1] is not None, _place(c))

    def in_range(self, c: Children) -> n.InRange:
        return n.InRange(c[0], c[2], c[3], c[1] is not None, _place(c))

    def starts_with(self, c: Children) -> n.StartsWith:
        return n.StartsWith(c[0], _quoted(c[2]), _place(c))

    def contains_one(self, c: Children) -> n.Contains:
        return n.Contains(c[0], "one", c[1], _place(c))

    def contains_many(self, c: Children) -> n.Contains:
        return n.Contains(c[0], c[1].text, c[2], _place(c))

    def exceeded(self, c: Children) -> n.Exceeded:
        return n.Exceeded(c[2], _place(c))

    def grouped(self, c: Children) -> n.Condition:
        """The condition inside; its place takes in the parentheses, so that what surrounds it has an exact one."""
        inner: n.Condition = replace(c[1], span=_place(c))
        return inner

    def subject(self, c: Children) -> n.Ident:
        return _ident(c[0])

    reference = subject

    # Values.

    def word(self, c: Children) -> n.Word:
        return n.Word(c[0].text, c[0].span)

    def constant(self, c: Children) -> n.Literal:
        token: Token = c[0]
        value = token.value
        match token.type:
            case "QUOTED":
                return n.Text(str(value), token.span)
            case "DOLLARS":
                return n.Money(_whole(value), token.span)
            case "TIMESPAN":
                return n.Duration(_whole(value), token.span)
            case "DAY":
                return n.DateValue(_whole(value), token.span)
            case "NUMBER":
                return n.Number(_whole(value), token.span)
            case _:
                return n.Boolean(token.text == "true", token.span)

    def value_set(self, c: Children) -> n.NameSet:
        return n.NameSet(tuple(child for child in c if type(child) is not Token), _place(c))


def _whole(value: "int | str") -> "int":
    assert isinstance(value, int), (
        "INVARIANT: the lexer gives every number, amount, duration and date a whole value"
    )
    return value
