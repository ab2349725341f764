"""What `{ … }` and named sets hold.

A set has no type of its own: its elements are typed where they are used. A bare word stands for a value of the feature
that is tested, or else for another set's elements; a word that is both is refused.
"""

from collections.abc import Callable
from typing import Final

from policyd.resolve.files import Space
from policyd.resolve.names import Declared, Names
from policyd.resolve.report import Report, did_you_mean, listed
from policyd.syntax.nodes import Ident, Literal, NameSet, SetDeclaration, Word
from policyd.text.diagnostic import Label
from policyd.text.source import Span

__all__ = ["check_sets", "elements"]

_MOST_ELEMENTS: Final = 10_000


def elements(
    values: NameSet | Ident,
    space: Space,
    names: Names,
    report: Report,
    *,
    is_value: Callable[[str], bool],
) -> tuple[Literal, ...] | None:
    """The literals, named sets opened. None where something is wrong (and said). `is_value` tells whether a bare word is
    a value of what is tested."""
    found: list[Literal] = []
    if isinstance(values, Ident):
        declared = _named_set(values.text, values.span, space, names, report)
        ok = declared is not None and _open(declared, (), found, names, report, is_value, values.span)
    else:
        ok = _gather(values, space, (), found, names, report, is_value)
    return tuple(dict.fromkeys(found)) if ok else None


def check_sets(names: Names, report: Report) -> None:
    """Cycles and size of every set, used or not."""
    for declared in names.tables["word"].values():
        if isinstance(declared.statement, SetDeclaration):
            _open(declared, (), [], names, report, lambda _: False, declared.statement.name.span)


def _named_set(name: str, span: Span, space: Space, names: Names, report: Report) -> Declared | None:
    declared = names.find("word", name, space)
    if declared is None:
        sets = [n for n in names.visible("word", space) if _is_set(names.find("word", n, space))]
        report.add(
            "PD201", span, f"there is no set `{name}`", help=did_you_mean(name, sets, _sets_help(sets))
        )
        return None
    if not _is_set(declared):
        labels = () if declared.ident is None else (Label(declared.ident.span, "declared here"),)
        report.add("PD223", span, f"`{name}` is a {declared.what}, not a set", labels=labels)
        return None
    return declared


def _is_set(declared: Declared | None) -> bool:
    return declared is not None and isinstance(declared.statement, SetDeclaration)


def _sets_help(sets: list[str]) -> str:
    return f"the sets are {listed(sets)}" if sets else 'write the values: { "a", "b" }'


def _open(
    declared: Declared,
    inside: tuple[str, ...],
    found: list[Literal],
    names: Names,
    report: Report,
    is_value: Callable[[str], bool],
    use: Span,
) -> bool:
    statement = declared.statement
    assert isinstance(statement, SetDeclaration), "INVARIANT: only sets are opened"
    if declared.name in inside:
        report.add("PD208", statement.name.span, f"the set `{declared.name}` contains itself")
        return False
    if len(found) > _MOST_ELEMENTS or len(inside) > 32:
        report.add(
            "PD209", use, f"`{declared.name}` holds more than {_MOST_ELEMENTS} values or 32 sets in sets"
        )
        return False
    return _gather(statement.values, declared.space, (*inside, declared.name), found, names, report, is_value)


def _gather(
    values: NameSet,
    space: Space,
    inside: tuple[str, ...],
    found: list[Literal],
    names: Names,
    report: Report,
    is_value: Callable[[str], bool],
) -> bool:
    ok = True
    for item in values.items:
        inner = names.find("word", item.text, space) if isinstance(item, Word) else None
        if inner is None or not _is_set(inner) or not isinstance(item, Word):
            found.append(item)
        elif is_value(item.text):
            labels = () if inner.ident is None else (Label(inner.ident.span, "the set is declared here"),)
            report.add(
                "PD222",
                item.span,
                f"`{item.text}` is a value here and also a set: it reads two ways",
                help="rename the set",
                labels=labels,
            )
            ok = False
        else:
            ok = _open(inner, inside, found, names, report, is_value, item.span) and ok
        if len(found) > _MOST_ELEMENTS:
            report.add("PD209", item.span, f"a set holds at most {_MOST_ELEMENTS} values")
            return False
    return ok
