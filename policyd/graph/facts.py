"""A target's facts as a person reads them: `context 200k`, `retention 30 days`.

In comes a target, out come name and text of what its policy says of it. The location is left out: targets are grouped
by it.
"""

from typing import Final

from policyd.policy.builtins import BUILTIN_FACTS, CAPABILITIES, SPOKEN
from policyd.policy.program import Fact, Target
from policyd.policy.written import number_text

__all__ = ["facts_of"]

_UNITS: Final = ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second"))
_ORDER: Final = {name: i for i, name in enumerate((*SPOKEN, *CAPABILITIES))}


def facts_of(target: Target) -> tuple[tuple[str, str], ...]:
    """Name and text of each fact but the location, in the order of the table of facts."""
    facts = dict(target.facts)
    order = [name for name in BUILTIN_FACTS if name in facts]
    order += sorted(name for name in facts if name not in BUILTIN_FACTS)
    return tuple((name, _text(name, facts[name])) for name in order if name != "location")


def _text(name: str, fact: Fact) -> str:
    if isinstance(fact, bool):
        return "yes" if fact else "no"
    if isinstance(fact, frozenset):
        return ", ".join(sorted(fact, key=lambda w: (_ORDER.get(w, len(_ORDER)), w))) or "nothing"
    if isinstance(fact, str):
        return fact
    match BUILTIN_FACTS.get(name):
        case "duration":
            return _duration(fact)
        case "money":
            return f"{fact / 1_000_000:.6f}".rstrip("0").rstrip(".") + " $/M"
    return number_text(fact)


def _duration(seconds: int) -> str:
    if seconds == 0:
        return "none"
    size, unit = next((size, unit) for size, unit in _UNITS if seconds % size == 0)
    count = seconds // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"
