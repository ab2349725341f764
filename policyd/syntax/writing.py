"""Nodes to words: the canonical text of conditions, values and the parts of each statement.

In comes a node; out come its parts as text, in the order in which a statement says them. How the parts are laid out
on lines is `layout.py`'s business. Parentheses are written where the tree needs them, and around `and` inside `or`,
which a reader should not have to know the precedence of.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from policyd.syntax import nodes as n
from policyd.syntax.lexing import is_bare_finding
from policyd.syntax.literals import write_date, write_duration, write_money, write_number, write_string

__all__ = [
    "Block",
    "Item",
    "Part",
    "block_of",
    "condition_text",
    "fact_texts",
    "parts_of",
    "redaction_words",
    "value_text",
]


@dataclass(frozen=True, slots=True)
class Part:
    """A clause of a statement, in the pieces it may be broken into."""

    pieces: tuple[str, ...]

    @property
    def text(self) -> str:
        return " ".join(self.pieces)


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of a block: its node, and its clauses."""

    node: n.Ident | n.StartsAt | n.AtLeast | n.FactEntry | n.Given | n.Literal
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Block:
    """A statement that may be written over several lines between braces. `mark` stands between two entries, and
    after the last one too where `closing` says so."""

    head: str
    items: tuple[Item, ...]
    mark: str
    closing: bool
    tail: str


def value_text(value: n.Literal | n.NameSet | n.Ident) -> str:
    match value:
        case n.Number(number):
            return write_number(number)
        case n.Money(micros):
            return write_money(micros)
        case n.Duration(seconds):
            return write_duration(seconds)
        case n.DateValue(ordinal):
            return write_date(ordinal)
        case n.Text(text):
            return write_string(text)
        case n.Word(text) | n.Ident(text):
            return text
        case n.Boolean(truth):
            return "true" if truth else "false"
        case n.NameSet(items):
            return _braced([value_text(item) for item in items])
        case _:
            assert_never(value)


def _braced(texts: Sequence[str], mark: str = ",") -> str:
    return f"{{ {f'{mark} '.join(texts)} }}" if texts else "{ }"


def condition_text(condition: n.Condition) -> str:
    match condition:
        case n.Truth(value):
            return "true" if value else "false"
        case n.Name(name):
            return name.text
        case n.Compare(name, op, value):
            return f"{name.text} {op} {value_text(value)}"
        case n.InSet(name, values, negated):
            return f"{name.text} {'not ' if negated else ''}in {value_text(values)}"
        case n.InRange(name, low, high, negated):
            return f"{name.text} {'not ' if negated else ''}in {value_text(low)}..{value_text(high)}"
        case n.StartsWith(name, prefix):
            return f"{name.text} starts with {value_text(prefix)}"
        case n.Contains(name, quantifier, values):
            many = "" if quantifier == "one" else f"{quantifier} "
            return f"{name.text} contains {many}{value_text(values)}"
        case n.Exceeded(name):
            return f"exceeded({name.text})"
        case n.Not(operand):
            return f"not {_operand(operand)}"
        case n.And(operands):
            return " and ".join(_operand(operand) for operand in operands)
        case n.Or(operands):
            return " or ".join(_operand(operand) for operand in operands)
        case _:
            assert_never(condition)


def _operand(condition: n.Condition) -> str:
    text = condition_text(condition)
    return f"({text})" if isinstance(condition, n.And | n.Or) else text


def _clause(word: str, condition: n.Condition | None) -> list[Part]:
    if condition is None:
        return []
    match condition:
        case n.And(operands):
            joint = "and"
        case n.Or(operands):
            joint = "or"
        case _:
            return [Part((f"{word} {condition_text(condition)}",))]
    first, *others = (_operand(operand) for operand in operands)
    return [Part((f"{word} {first}", *(f"{joint} {other}" for other in others)))]


def _plain(*texts: str) -> list[Part]:
    return [Part((text,)) for text in texts]


def _names(idents: Sequence[n.Ident], mark: str = ",") -> str:
    return f"{mark} ".join(ident.text for ident in idents)


def parts_of(statement: n.Statement) -> tuple[Part, ...]:
    """The clauses of a statement: first its word, then its name, then the rest. A test has its lines as parts."""
    return tuple(_parts(statement))


def _parts(statement: n.Statement) -> list[Part]:
    match statement:
        case n.Edition(number):
            return _plain("edition", str(number))
        case n.Declaration():
            return _declaration(statement)
        case n.FactDeclaration(name, kind, values):
            return _plain("fact", name.text, _braced([v.text for v in values]) if kind == "word" else kind)
        case n.SetDeclaration(name, values):
            return _plain("set", name.text, f"= {value_text(values)}")
        case n.Let(name, condition):
            return [*_plain("let", name.text), *_clause("=", condition)]
        case n.Classify(level):
            return _plain("classify", level.text)
        case n.Target(name):
            return _plain("target", name.text, "{", *fact_texts(statement), "}")
        case n.Guard(name, effect, predicate, when, owner, because):
            allowed = [] if owner is None else _plain(f"overridable by {value_text(owner)}")
            reason = _plain(f"because {value_text(because)}")
            return [
                *_plain("guard", name.text),
                *_clause(effect, predicate),
                *_clause("when", when),
                *allowed,
                *reason,
            ]
        case n.Deny(name, when, status, because):
            reason = _plain(f"because {value_text(because)}")
            return [*_plain("deny", name.text), *_clause("when", when), *_status(status), *reason]
        case n.Budget(name, amount, per, by):
            return _plain("budget", name.text, f"{value_text(amount)} per {per.text}", f"by {by.text}")
        case n.Limit(name, amount, unit, per, by):
            return _plain("limit", name.text, f"{value_text(amount)} {unit} per {per.text}", f"by {by.text}")
        case n.Route(name, to, redaction, when):
            said = [] if redaction is None else _plain(redaction_words(redaction))
            return [*_plain("route", name.text), _destination(to), *said, *_clause("when", when)]
        case n.Otherwise(reason_, status, holes):
            said = _plain("otherwise", f"reject {value_text(reason_)}")
            return [*said, *_status(status), *([] if holes is None else _plain(f"holes {holes}"))]
        case n.Assert(name, kind, predicate, when):
            claim = _plain(kind) if predicate is None else _clause(kind, predicate)
            return [*_plain("assert", name.text), *claim, *_clause("when", when)]
        case n.Except(name, guard, when, until, owner_, because):
            ends = _plain(
                f"until {value_text(until)}", f"owner {value_text(owner_)}", f"because {value_text(because)}"
            )
            return [*_plain("except", name.text, f"to {guard.text}"), *_clause("when", when), *ends]
        case n.Include():
            return _include(statement)
        case n.Test(name_, given, expect):
            entries = _braced([part.text for item in given for part in _given(item)])
            return [*_plain("test", value_text(name_), f"given {entries}"), _expect(expect)]
        case n.TestTable(path):
            return _plain("tests", f"from {value_text(path)}")
        case n.SeverityChoice(code, severity):
            return _plain("severity", code.text, severity)
        case n.Suppress(code, subject, until, because):
            ends = _plain(f"until {value_text(until)}", f"because {value_text(because)}")
            return [*_plain("suppress", code.text, f"on {value_text(subject)}"), *ends]
        case _:
            assert_never(statement)


def _status(status: n.Number | None) -> list[Part]:
    return [] if status is None else _plain(f"status {status.value}")


def _declaration(d: n.Declaration) -> list[Part]:
    parts = _plain(d.kind, d.name.text)
    if d.values:
        parts += _plain(_braced([v.text for v in d.values], " <" if d.kind == "level" else ","))
    if d.low is not None and d.high is not None:
        parts += _plain(f"{value_text(d.low)}..{value_text(d.high)}")
    return parts + _origin(d)


def _origin(d: n.Declaration) -> list[Part]:
    parts = []
    if d.source is not None:
        key = "" if d.source.key is None else f" {value_text(d.source.key)}"
        parts += _plain(f"from {d.source.kind}{key}")
    if d.unknown is not None:
        parts += _plain(f"unknown {'reject' if d.unknown.value is None else value_text(d.unknown.value)}")
    return parts


def fact_texts(target: n.Target) -> list[str]:
    return [
        f"{fact.name.text} {', '.join(value_text(value) for value in fact.values)}" for fact in target.facts
    ]


def _destination(to: n.Destination) -> Part:
    texts = [_choice(choice) for choice in to]
    pieces = [f"{text}," for text in texts[:-1]] + texts[-1:]
    return Part((f"to {pieces[0]}", *pieces[1:]))


def _choice(choice: n.Ident | n.Group) -> str:
    if isinstance(choice, n.Ident):
        return choice.text
    members = _braced([_member(member) for member in choice.members])
    return f"{choice.pick} {members}" + ("" if choice.by is None else f" by {choice.by.text}")


def _member(member: n.Member) -> str:
    return member.target.text + ("" if member.weight is None else f" {value_text(member.weight)}")


def redaction_words(r: n.Redaction) -> str:
    names = ", ".join(name.value if is_bare_finding(name.value) else value_text(name) for name in r.names)
    restored = " restored" if r.restored else ""
    return f"with redact({names}){restored}{' after redaction' if r.after else ''}"


def _include(i: n.Include) -> list[Part]:
    parts = _plain("include", value_text(i.path))
    if i.alias is not None:
        parts += _plain(f"as {i.alias.text}")
    parts += _clause("scope", i.scope)
    if i.before:
        parts += _plain(f"before {_names(i.before)}")
    if i.after:
        parts += _plain(f"after {_names(i.after)}")
    return parts


def _given(given: n.Given) -> list[Part]:
    match given.name:
        case n.HeaderGiven(header):
            name = f"header {value_text(header)}"
        case n.ConversationGiven(level):
            name = f"conversation {level.text}"
        case n.Exceeded(budget):
            name = f"exceeded({budget.text})"
        case n.Ident(text):
            name = text
        case _:
            assert_never(given.name)
    if isinstance(given.value, n.Boolean) and not isinstance(given.name, n.HeaderGiven | n.ConversationGiven):
        return _plain(name if given.value.value else f"not {name}")
    return _plain(f"{name} {value_text(given.value)}")


def _expect(expect: n.Expect) -> Part:
    match expect:
        case n.ExpectPlan(targets, exact, via, redaction, removed):
            first = f"expect {'only ' if exact else ''}{' then '.join(t.text for t in targets)}"
            first += "" if via is None else f" via {via.text}"
            first += "" if redaction is None else f" {redaction_words(redaction)}"
        case n.ExpectReject(by, status, removed):
            first = "expect rejected" + (f" by {' and '.join(d.text for d in by)}" if by else "")
            first += "" if status is None else f" status {status.value}"
        case _:
            assert_never(expect)
    pieces = [
        first,
        *(f"removed {r.target.text} by {' and '.join(g.text for g in r.guards)}" for r in removed),
    ]
    return Part((*(f"{piece}," for piece in pieces[:-1]), pieces[-1]))


def block_of(statement: n.Statement) -> Block | None:
    """The statement as a block, where it has braces of its own."""
    match statement:
        case n.Classify(level, starts, raises):
            lines: tuple[n.StartsAt | n.AtLeast, ...] = (*starts, *raises)
            items = tuple(Item(line, tuple(_label(line))) for line in lines)
            return Block(f"classify {level.text} {{", items, "", False, "}")
        case n.Target(name, facts):
            entries = tuple(
                Item(f, tuple(_plain(f.name.text, ", ".join(map(value_text, f.values))))) for f in facts
            )
            return Block(f"target {name.text} {{", entries, "", False, "}")
        case n.SetDeclaration(name, values):
            members = tuple(Item(v, tuple(_plain(value_text(v)))) for v in values.items)
            return Block(f"set {name.text} = {{", members, ",", True, "}")
        case n.FactDeclaration(name, "word", words):
            return Block(f"fact {name.text} {{", _words(words), ",", True, "}")
        case n.Declaration(kind, name, words) if words:
            tail = " ".join(["}", *(part.text for part in _origin(statement))])
            ordered = kind == "level"
            return Block(f"{kind} {name.text} {{", _words(words), " <" if ordered else ",", not ordered, tail)
        case n.Test(_, given):
            return Block("given {", tuple(Item(g, tuple(_given(g))) for g in given), ",", True, "}")
        case _:
            return None


def _words(words: Sequence[n.Ident]) -> tuple[Item, ...]:
    return tuple(Item(word, tuple(_plain(word.text))) for word in words)


def _label(line: n.StartsAt | n.AtLeast) -> list[Part]:
    match line:
        case n.StartsAt(level, when):
            return [*_plain(f"starts at {level.text}"), *_clause("when", when)]
        case n.AtLeast(n.LabelHeader(header), when):
            return [*_plain(f"at least header {value_text(header)}"), *_clause("when", when)]
        case n.AtLeast(n.LabelConversation(time), when):
            kept = "" if time is None else f" for {value_text(time)}"
            return [*_plain(f"at least conversation{kept}"), *_clause("when", when)]
        case n.AtLeast(n.Ident(text), when):
            return [*_plain(f"at least {text}"), *_clause("when", when)]
        case _:
            raise AssertionError("INVARIANT: a line of classify starts a level or raises it")
