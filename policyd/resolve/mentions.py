"""Which of the identity's usual names a policy reads without declaring them.

`user`, `team` and `project` need no line: where a condition, a split, a budget or a test names one that nobody declares,
it is a string that the identity attests, and `""` where the identity has no such claim. In come placed statements, out
go the names that are read so.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass

from policyd.policy.builtins import IDENTITY_NAMES
from policyd.resolve.files import Placed, Space
from policyd.syntax.nodes import (
    Budget,
    Compare,
    Contains,
    Given,
    Group,
    Ident,
    InRange,
    InSet,
    Limit,
    Name,
    StartsWith,
)
from policyd.text.source import Source

__all__ = ["identity_names_read"]

_WORD = re.compile(rf"\b(?:{'|'.join(IDENTITY_NAMES)})\b")


def identity_names_read(statements: Iterable[Placed]) -> Iterator[tuple[str, Space]]:
    """The identity's usual names that some statement reads, and where, declared or not."""
    worth: dict[int, bool] = {}
    for item in statements:
        source: Source = item.statement.span.source
        # A file without the word, the common case, is not walked, and each is searched once.
        if id(source) not in worth:
            worth[id(source)] = _WORD.search(source.text) is not None
        if worth[id(source)]:
            for name in dict.fromkeys(_read(item.statement)):
                if name in IDENTITY_NAMES:
                    yield name, item.space


def _read(node: object) -> Iterator[str]:
    match node:
        case Compare(name=Ident(text)) | InSet(name=Ident(text)) | InRange(name=Ident(text)):
            yield text
        case StartsWith(name=Ident(text)) | Contains(name=Ident(text)) | Name(name=Ident(text)):
            yield text
        case Given(name=Ident(text)) | Group(by=Ident(text)) | Budget(by=Ident(text)) | Limit(by=Ident(text)):
            yield text
        case _:
            pass
    if isinstance(node, tuple):
        for part in node:
            yield from _read(part)
    elif is_dataclass(node):
        for f in fields(node):
            # In a predicate a bare name is a fact.
            if f.name in {"span", "predicate"}:
                continue
            value = getattr(node, f.name)
            if isinstance(value, tuple) or is_dataclass(value):
                yield from _read(value)
