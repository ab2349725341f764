"""A TOML text to what it says, or the one mistake because of which it says nothing.

In come a text and its name; out goes a table, or a diagnostic at its place. The one idea: what `tomllib` takes and nothing
here could use (a number of thousands of digits, a hundred brackets in brackets) is turned away before anything looks at it, so
that no later stage can stumble over it. It knows no key.
"""

import re
import tomllib
from typing import Any, Final

from policyd.deploy.not_toml import not_toml
from policyd.deploy.places import Path, locate
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source, Span

__all__ = ["MOST_DEPTH", "read_toml", "value_of"]

MOST_DEPTH: Final = 50
"""Tables and lists inside each other. No key of ours is deeper than five."""

LARGEST: Final = 2**63 - 1
"""What TOML promises of integers; a larger one is no number of anything here."""

_MANY_DIGITS: Final = re.compile(r"[0-9][0-9_]{1000,}")
_MARK: Final = "\ufeff"


def read_toml(name: str, text: str) -> dict[str, Any] | Diagnostic:
    """Mistakes have the code PD502."""
    if text.startswith(_MARK):
        return _wrong(name, text, 0, "it begins with a byte order mark", "save it as UTF-8 without that mark")
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return not_toml(Source(name, text), str(error))
    except RecursionError:
        return _too_deep(name, text)
    except ValueError:
        found = _MANY_DIGITS.search(text)
        return _too_large(name, text, 0 if found is None else found.start())
    odd = _odd(data)
    if odd is None:
        return data
    if len(odd) > MOST_DEPTH:
        return _too_deep(name, text)
    place = locate(text).nearest(odd)
    return _too_large(name, text, 0 if place is None else place.value[0])


def value_of(text: str) -> Any:
    """The value that this is in TOML; a text that is none, or that no setting could be, is itself."""
    try:
        value = tomllib.loads(f"value = {text}")["value"] if "\n" not in text else text
    except (ValueError, RecursionError):
        return text
    return text if _odd({"value": value}) else value


def _odd(data: dict[str, Any]) -> Path | None:
    """Where something is too deep or an integer too large. Asks for no stack of its own."""
    waiting: list[tuple[Path, object]] = [((), data)]
    while waiting:
        path, value = waiting.pop()
        if len(path) > MOST_DEPTH:
            return path
        if isinstance(value, dict):
            waiting.extend(((*path, key), inner) for key, inner in value.items())
        elif isinstance(value, list):
            waiting.extend(((*path, number), inner) for number, inner in enumerate(value))
        elif type(value) is int and not -LARGEST - 1 <= value <= LARGEST:
            return path
    return None


def _too_deep(name: str, text: str) -> Diagnostic:
    """At the line with the most brackets and dots: which of them is one too many nobody would look for."""
    lines = text.split("\n")
    most = max(range(len(lines)), key=lambda n: sum(map(lines[n].count, "[{.")))
    at = sum(len(line) + 1 for line in lines[:most])
    said = f"tables and lists stand in each other more than {MOST_DEPTH} deep"
    return _wrong(name, text, at, said, "no setting is so deep; take brackets or dots away")


def _too_large(name: str, text: str, at: int) -> Diagnostic:
    return _wrong(
        name, text, at, "an integer of TOML has 64 bits, and this one has more", "write a smaller number"
    )


def _wrong(name: str, text: str, at: int, said: str, cure: str) -> Diagnostic:
    """Of the file only so much is kept as stands before the place: the line itself may be a secret, or a megabyte."""
    blank = re.sub(r"[^\n]", " ", text[:at])
    return Diagnostic(
        "PD502", Severity.ERROR, f"this is not TOML: {said}", Span(Source(name, blank), at, at), help=cure
    )
