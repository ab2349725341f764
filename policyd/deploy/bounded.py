"""Diagnostics that a person can read: a value is not quoted at any length, and a thousand mistakes are told as some and a number.

In come diagnostics, out come as many or fewer. The one idea: nothing that is left out is left out in silence, and whether
there was an error stays as it was. Pure.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from policyd.text.diagnostic import Diagnostic, Severity, in_order

__all__ = ["MOST_TOLD", "bounded", "more", "shorter"]

MOST_TOLD: Final = 200
"""Diagnostics of one kind of mistake or of one file of rules; behind them comes how many more there are."""

MOST_IN_ALL: Final = 1000
"""Diagnostics of one reading with all its files."""

LONGEST: Final = 500
"""Characters of a sentence whose quotes are cut."""

_QUOTED: Final = re.compile(r"`([^`]{60})[^`]{21,}`")


def bounded(found: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """In order. The first ones, errors before the others where not all can be told."""
    ordered = [_cut(one) for one in in_order(found)]
    if len(ordered) <= MOST_IN_ALL:
        return tuple(ordered)
    ordered.sort(key=lambda one: one.severity is not Severity.ERROR)
    told, rest = ordered[:MOST_IN_ALL], ordered[MOST_IN_ALL:]
    return (*in_order(told), more(rest[0], len(rest)))


def more(first: Diagnostic, count: int) -> Diagnostic:
    """For so many that are not told, of which this is the first."""
    message = f"and {count} more like this or of other kinds"
    return Diagnostic(first.code, first.severity, message, first.span, help="mend those above, and ask again")


def _cut(one: Diagnostic) -> Diagnostic:
    message, cure = shorter(one.message), None if one.help is None else shorter(one.help)
    return one if (message, cure) == (one.message, one.help) else replace(one, message=message, help=cure)


def shorter(text: str) -> str:
    """A sentence with what it quotes cut, where it is too long to be read."""
    if len(text) <= LONGEST:
        return text
    cut = _QUOTED.sub(r"`\1…`", text)
    return cut if len(cut) <= LONGEST else cut[:LONGEST] + "…"
