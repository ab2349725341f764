"""Whether the values of features that depend on each other agree.

A request that breaks one of these cannot exist, whatever its caller writes: the context it needs is its prompt and its
answer together, its weekday is its date's, a name brings the names above it (`expand_names` sees to that), what cannot be
taken out was found (and where nobody knows what was found, nobody can take it out), and nobody scans
images or what is fetched from elsewhere. Searches leave such requests out cell by cell (`engine/relations.py`); this is the
same for concrete values.
"""

from collections.abc import Mapping
from datetime import date

from policyd.policy.builtins import UNSCANNED, WEEKDAYS
from policyd.policy.program import MAX_NUMBER, Value
from policyd.policy.request import EVERYTHING
from policyd.policy.tasks import task_agrees

__all__ = ["agree"]


def agree(values: Mapping[str, Value]) -> bool:
    """Whether a request with these values can exist. What is not there binds nothing."""
    return _context(values) and _day(values) and _opaque(values) and _found(values) and task_agrees(values)


def _context(values: Mapping[str, Value]) -> bool:
    tokens, answer, needed = (values.get(n) for n in ("tokens", "max_output", "context_needed"))
    if not isinstance(tokens, int) or not isinstance(answer, int) or not isinstance(needed, int):
        return True
    if answer >= MAX_NUMBER:  # the client set none, so some reserve counts instead
        return needed >= tokens
    return needed == min(MAX_NUMBER, tokens + answer)


def _day(values: Mapping[str, Value]) -> bool:
    day, weekday = values.get("date"), values.get("weekday")
    if not isinstance(day, int) or weekday is None:
        return True
    return weekday == WEEKDAYS[date.fromordinal(day).weekday()]


def _found(values: Mapping[str, Value]) -> bool:
    found, left = values.get("findings"), values.get("unredactable")
    if not isinstance(found, frozenset) or not isinstance(left, frozenset):
        return True
    if found is EVERYTHING or left is EVERYTHING:
        return found is left
    return left <= found


def _opaque(values: Mapping[str, Value]) -> bool:
    return values.get("opaque") is not False or not any(values.get(name) is True for name in UNSCANNED)
