"""Values and requests as a person writes them in one line: `team=search context_needed=40k findings=secret.aws images`.

In come values; out goes text. What a failing test or a witness prints is such a line, and `policyd explain --given` reads
it back (`trials.given`). Reading needs a policy and its domains; writing needs nothing. A line shows everything that is in
it: what a person could not see is written as an escape of the language, in quotes.
"""

import re
from collections.abc import Iterable
from datetime import date

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.program import MAX_NUMBER, Value
from policyd.policy.request import EVERYTHING

__all__ = ["given_text", "number_text", "number_value", "unescaped", "value_text"]

_ESCAPE = re.compile(r"\\(u\{([0-9A-Fa-f]{1,6})\}|.|$)", re.DOTALL)
_PLAIN = re.compile(r"[^\s\"\\,;']+")
_ESCAPED = {'"': '"', "\\": "\\", "n": "\n", "t": "\t"}
_WRITTEN = {ch: f"\\{name}" for name, ch in _ESCAPED.items()}

_NUMBER = re.compile(r"(-?[0-9][0-9_]{0,18})(k|M|G|Ki|Mi|Gi)?")
_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_COUNTED = frozenset(f.name for f in BUILTIN_FEATURES if f.unknown == MAX_NUMBER)
"""Features whose largest value means unknown."""


def given_text(values: Iterable[tuple[str, Value | None]]) -> str:
    """The line `read_line` reads back to the same values."""
    return " ".join(_entry_text(name, value) for name, value in values)


def value_text(value: Value | None, *, unit: str = "count") -> str:
    """A value as a person reads it: numbers with their suffix, days as dates, names sorted."""
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return date.fromordinal(value).isoformat() if unit == "date" else number_text(value)
    if isinstance(value, str):
        return value
    if value is EVERYTHING:
        return "every finding"
    return "{ " + ", ".join(_leaves(value)) + " }" if value else "{ }"


def number_text(number: int) -> str:
    """`200k` for 200000, `1M`, and the digits where no decimal suffix is exact."""
    for suffix, factor in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if number and number % factor == 0:
            return f"{number // factor}{suffix}"
    return str(number)


def number_value(text: str) -> int | None:
    """The number that `40k`, `256Ki` or `1_000` stands for, or None where the text is no number."""
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    digits, suffix = found.groups()
    return int(digits.replace("_", "")) * (_SUFFIXES[suffix] if suffix else 1)


def unescaped(text: str) -> str:
    """What stands in quotes, its escapes resolved. Raises ValueError with what is no escape."""
    return _ESCAPE.sub(_resolved, text)


def _resolved(match: re.Match[str]) -> str:
    if match[2] is not None and (point := int(match[2], 16)) < 0x110000:
        return chr(point)
    plain = _ESCAPED.get(match[1])
    if plain is None:
        raise ValueError(match[0])
    return plain


def _leaves(names: frozenset[str]) -> list[str]:
    """The names that none of the others is below: `secret.aws` says `secret` too."""
    return sorted(n for n in names if not any(other.startswith(n + ".") for other in names))


def _entry_text(name: str, value: Value | None) -> str:
    if value is True:
        return name
    if value is False:
        return f"not {name}"
    if value is EVERYTHING or value is None or (value == MAX_NUMBER and name in _COUNTED):
        return f"{name}=unknown"
    if isinstance(value, frozenset):
        return f"{name}={_names_text(_leaves(value))}"
    if isinstance(value, int):
        return f"{name}={value_text(value, unit='date' if name == 'date' else 'count')}"
    return f"{name}={value}" if _is_plain(value) else f'{name}="{_escaped(value)}"'


def _names_text(leaves: list[str]) -> str:
    """Names, separated by commas. A comma or a space that belongs to a name is an escape: both are cut off from names."""
    if all(map(_is_plain, leaves)):
        return ",".join(leaves)
    own = (_escaped(name).replace(",", r"\u{2c}").replace(" ", r"\u{20}") for name in leaves)
    return f'"{",".join(own)}"'


def _is_plain(text: str) -> bool:
    """Whether it can stand without quotes and read as itself."""
    return text != "unknown" and _PLAIN.fullmatch(text) is not None and text.isprintable()


def _escaped(text: str) -> str:
    """Without anything that a terminal, a shell or a person takes for something else, other spaces among it."""
    return "".join(_WRITTEN.get(ch) or (ch if ch.isprintable() else f"\\u{{{ord(ch):x}}}") for ch in text)
