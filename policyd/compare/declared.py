"""Changes of what is declared: those that no request shows, because they say what a request is or what counts.

A `Declared` is one of them in words, with its kind and both places. `matched` pairs what two policies declare by name.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from policyd.text.source import Span

__all__ = ["Declared", "DeclaredKind", "matched", "quoted"]

_Item = TypeVar("_Item")


class DeclaredKind(StrEnum):
    """What a change of a declaration may do. Ordered as they are told."""

    JUDGED = "to be judged"
    """whether more is let through no policy says: where a value comes from, or what a target that is reached is like"""
    LOOSER = "looser"
    """a request that was refused may be let through, or its caller may now choose what was attested"""
    NOT_PROVED = "not proved"
    """whether more is let through outgrew its budget"""
    DROPPED = "claim dropped"
    """what was proved is no longer claimed"""
    CHANGED = "changed"
    """the same words mean something else, or a target is something else"""
    TIGHTER = "tighter"
    """a request that was let through may be refused"""
    WORDING = "wording"
    """no decision depends on it: names, reasons, what is claimed in addition, what is told"""


@dataclass(frozen=True, slots=True)
class Declared:
    """One change. `text` is a sentence without a full stop, the author's words in backticks."""

    kind: DeclaredKind
    text: str
    old: Span | None = None
    new: Span | None = None


def matched(
    old: Sequence[_Item], new: Sequence[_Item], name: Callable[[_Item], str]
) -> Iterator[tuple[_Item | None, _Item | None]]:
    """What both have by name, in the old order, then what only the new has."""
    theirs = {name(item): item for item in new}
    mine = {name(item) for item in old}
    for item in old:
        yield item, theirs.get(name(item))
    for item in new:
        if name(item) not in mine:
            yield None, item


def quoted(text: str) -> str:
    return f"`{text}`"
