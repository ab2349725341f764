"""Who is called what.

In come the placed statements; out goes `Names`, a table per kind from qualified name to declaration. A reference is
looked up in its own space first, then outward. The words that conditions use (features, levels, lets, sets) are one
kind, so a name in a condition has one meaning; facts are another, and no name is both.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias
from typing import Literal as Lit

from policyd.policy.builtins import BUILTIN_FACTS, BUILTIN_FEATURES, CAPABILITY_GUARDS
from policyd.resolve.files import Placed, Space
from policyd.resolve.mentions import identity_names_read
from policyd.resolve.report import Report
from policyd.syntax.nodes import (
    Assert,
    Budget,
    Declaration,
    Deny,
    Except,
    FactDeclaration,
    Guard,
    Ident,
    Let,
    Limit,
    Route,
    SetDeclaration,
    Statement,
    Target,
)
from policyd.text.diagnostic import Label

__all__ = ["Declared", "Kind", "Names", "collect_names"]

Kind: TypeAlias = Lit[
    "word", "fact", "target", "guard", "deny", "budget", "route", "assertion", "exception", "include"
]
KINDS: Final[tuple[Kind, ...]] = (
    "word", "fact", "target", "guard", "deny", "budget", "route", "assertion", "exception", "include",
)  # fmt: skip

_RESERVED: Final = {
    "guard": frozenset(CAPABILITY_GUARDS) | {"otherwise"},
    "deny": frozenset({"otherwise"}),
    "route": frozenset({"otherwise"}),
}
_TAKEN_WORDS: Final = frozenset({"unknown", "exceeded"})


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration. `ident` and `statement` are None for what is built in."""

    kind: Kind
    what: str
    name: str
    space: Space
    ident: Ident | None
    statement: Statement | None


@dataclass(frozen=True, slots=True)
class Names:
    """What is declared, by kind and qualified name."""

    tables: Mapping[Kind, Mapping[str, Declared]]

    def find(self, kind: Kind, name: str, space: Space) -> Declared | None:
        """The declaration that `name` means in `space`: the innermost."""
        table = self.tables[kind]
        for around in space.outward():
            found = table.get(around.qualify(name))
            if found is not None:
                return found
        return None

    def visible(self, kind: Kind, space: Space) -> tuple[str, ...]:
        """Names as they can be written in `space`, for near names and lists."""
        out: list[str] = []
        for around in space.outward():
            prefix = f"{around.path}." if around.path else ""
            out.extend(name.removeprefix(prefix) for name in self.tables[kind] if name.startswith(prefix))
        return tuple(dict.fromkeys(out))


def collect_names(statements: Iterable[Placed], report: Report) -> Names:
    """Every declaration, the first of a name where it is declared twice."""
    tables: dict[Kind, dict[str, Declared]] = {kind: {} for kind in KINDS}
    root = Space()
    for feature in BUILTIN_FEATURES:
        tables["word"][feature.name] = Declared("word", "feature", feature.name, root, None, None)
    for fact in BUILTIN_FACTS:
        tables["fact"][fact] = Declared("fact", "fact", fact, root, None, None)
    statements = tuple(statements)
    for item in statements:
        declared = _declared(item)
        if declared is not None:
            _enter(tables, declared, report)
    names = Names(tables)
    for name, space in tuple(identity_names_read(statements)):
        if names.find("word", name, space) is None:
            tables["word"][name] = Declared("word", "feature", name, root, None, None)
    _one_meaning(tables, report)
    return Names(tables)


def _declared(item: Placed) -> Declared | None:
    statement, space = item.statement, item.space
    match statement:
        case Declaration(kind=kind, name=name):
            what = "level" if kind == "level" and statement.source is None else "feature"
            return Declared("word", what, space.qualify(name.text), space, name, statement)
        case SetDeclaration(name=name):
            return Declared("word", "set", space.qualify(name.text), space, name, statement)
        case Let(name=name):
            return Declared("word", "let", space.qualify(name.text), space, name, statement)
        case FactDeclaration(name=name):
            return Declared("fact", "fact", space.qualify(name.text), space, name, statement)
        case Target(name=name):
            return Declared("target", "target", space.qualify(name.text), space, name, statement)
        case Guard(name=name):
            return Declared("guard", "guard", space.qualify(name.text), space, name, statement)
        case Deny(name=name):
            return Declared("deny", "deny", space.qualify(name.text), space, name, statement)
        case Budget(name=name):
            return Declared("budget", "budget", space.qualify(name.text), space, name, statement)
        case Limit(name=name):
            return Declared("budget", "limit", space.qualify(name.text), space, name, statement)
        case Route(name=name):
            return Declared("route", "route", space.qualify(name.text), space, name, statement)
        case Assert(name=name):
            return Declared("assertion", "assertion", space.qualify(name.text), space, name, statement)
        case Except(name=name):
            return Declared("exception", "exception", space.qualify(name.text), space, name, statement)
        case _:
            return None


def _enter(tables: dict[Kind, dict[str, Declared]], declared: Declared, report: Report) -> None:
    table, ident = tables[declared.kind], declared.ident
    assert ident is not None, "INVARIANT: only built-in names lack a place"
    if ident.text in _RESERVED.get(declared.kind, frozenset()):
        report.add(
            "PD206",
            ident.span,
            f"`{ident.text}` is a name policyd uses itself in answers and traces",
            help="choose another name",
        )
    if declared.kind == "word" and ident.text in _TAKEN_WORDS:
        report.add("PD206", ident.span, f"`{ident.text}` has a meaning of its own in conditions and tests")
    first = table.get(declared.name)
    if first is None and declared.kind == "word" and declared.space.path:
        first = _hidden_feature(table, ident.text, declared.space)
    if first is None:
        table[declared.name] = declared
        return
    if declared.kind == "fact" and first.ident is None:
        table[declared.name] = (
            declared  # `fact region { … }` closes a built-in fact; facts.py checks that it may
        )
        return
    labels = () if first.ident is None else (Label(first.ident.span, "first declared here"),)
    built_in = "a built-in " if first.ident is None else ""
    message = f"`{ident.text}` already names {built_in or ('another ' if first.what == declared.what else 'a ')}{first.what}"
    report.add("PD202", ident.span, message, help="choose another name", labels=labels)


def _hidden_feature(table: Mapping[str, Declared], name: str, space: Space) -> Declared | None:
    """A feature or level around the space that this name would hide. Hiding a set or let of the includer is allowed."""
    for around in space.outward():
        found = table.get(around.qualify(name))
        if found is not None and found.what in {"feature", "level"}:
            return found
    return None


def _one_meaning(tables: Mapping[Kind, Mapping[str, Declared]], report: Report) -> None:
    """No declared name is a fact and a word of conditions."""
    for name in tables["word"].keys() & tables["fact"].keys():
        word, fact = tables["word"][name], tables["fact"][name]
        here = max(
            (d for d in (word, fact) if d.ident is not None), key=lambda d: d.kind == "fact", default=None
        )
        if here is None or here.ident is None:
            continue
        other = word if here is fact else fact
        labels = () if other.ident is None else (Label(other.ident.span, f"declared as a {other.what} here"),)
        built_in = "the built-in" if other.ident is None else "a"
        report.add(
            "PD205",
            here.ident.span,
            f"`{name}` is a {here.what} and {built_in} {other.what}: one name for both reads two ways",
            help="rename one of them",
            labels=labels,
        )
