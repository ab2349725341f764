"""What pydantic found wrong with a deployment file, as diagnostics with a place, the keys' names and a cure.

In: the validation error, where the keys stand, and which of them the environment set. Out: one `Diagnostic` for each
mistake. The text that a diagnostic may show has every secret masked, because a terminal or a CI log is no place for one.
"""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from policyd.deploy.file import TABLES
from policyd.deploy.places import Path, Places
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source, Span

__all__ = ["Author", "complaints", "masked"]

_CODES: Final = {
    "extra_forbidden": "PD503",
    "missing": "PD504",
    "secret_literal": "PD506",
    "secret_missing": "PD507",
    "url": "PD508",
}
_IDENTITY_KINDS: Final = frozenset({"loopback", "api-keys"})
_SECRET_NAME: Final = re.compile(
    r"credential|secret|password|passwd|token|api[_-]?key|authorization", re.IGNORECASE
)
_REFERENCE: Final = frozenset({"env", "file", "style"})


class Author:
    """The file that an author wrote and the variables set over it: turns a path into a span."""

    def __init__(self, name: str, text: str, places: Places, variables: Mapping[Path, str]) -> None:
        self._source = Source(name, masked(text, places))
        self._places = places
        self._variables = variables

    def span(self, path: Path) -> Span:
        """The key's place; of the longest part of the path that was written; or the file's beginning."""
        for length in range(len(path), 0, -1):
            variable = self._variables.get(path[:length])
            if variable is not None:
                return variable_span(variable)
            place = self._places.known.get(path[:length])
            if place is not None:
                return Span(self._source, *place.key)
            below = [name for known, name in self._variables.items() if known[:length] == path[:length]]
            if below:
                return variable_span(below[0])
        return Span(self._source, 0, 0)


def variable_span(variable: str) -> Span:
    """A place in the environment. It shows the variable's name and never its value."""
    return Span(Source("environment", variable), 0, len(variable))


def masked(text: str, places: Places) -> str:
    """The text with the values of what may be a secret replaced by asterisks, every place unchanged."""
    for path, place in places.known.items():
        name = path[-1] if isinstance(path[-1], str) else ""
        inside = any(isinstance(part, str) and part == "credential" for part in path[:-1])
        if not (_SECRET_NAME.search(name) or inside) or name in _REFERENCE or not path:
            continue
        start, end = place.value
        if end > start and text[start] != "{":
            text = text[:start] + re.sub(r"[^\n]", "*", text[start:end]) + text[end:]
    # A user or a password inside a URL.
    return re.sub(r"(?<=://)[^/\s\"'@]+(?=@)", lambda found: "*" * len(found.group()), text)


def complaints(error: ValidationError, author: Author) -> list[Diagnostic]:
    return [_complaint(detail, author) for detail in error.errors(include_url=False, include_input=False)]


def _complaint(detail: ErrorDetails, author: Author) -> Diagnostic:
    path = _path(detail["loc"])
    kind = detail["type"]
    code = _CODES.get(kind, "PD505")
    name = ".".join(str(part) for part in path)
    match kind:
        case "extra_forbidden":
            message = f"`{path[-1]}` is not a key of {_table_name(path[:-1])}"
            return Diagnostic(code, Severity.ERROR, message, author.span(path), help=_near(path))
        case "missing":
            message = f"{_table_name(path[:-1])} needs the key `{path[-1]}`"
            return Diagnostic(code, Severity.ERROR, message, author.span(path[:-1]))
        case "union_tag_not_found" | "union_tag_invalid":
            message = '`identity` needs a `kind`: `"loopback"` or `"api-keys"`'
            return Diagnostic("PD505", Severity.ERROR, message, author.span((*path, "kind")))
        case "secret_literal":
            cure = "name the environment variable or the file that holds it"
            return Diagnostic(
                code, Severity.ERROR, f"`{name}`: {detail['msg']}", author.span(path), help=cure
            )
        case _:
            message = detail["msg"]
            message = message[0].lower() + message[1:] if message[:1].isalpha() else message
            return Diagnostic(code, Severity.ERROR, f"`{name}`: {message}", author.span(path))


def _path(loc: tuple[str | int, ...]) -> Path:
    """The path in the file: without the names that pydantic gives to the members of a union."""
    if len(loc) > 1 and loc[0] == "identity" and loc[1] in _IDENTITY_KINDS:
        return (loc[0], *loc[2:])
    return loc


def _table_name(path: Path) -> str:
    return f"`[{'.'.join(str(p) for p in path if isinstance(p, str))}]`" if path else "the file"


def _near(path: Path) -> str:
    keys: tuple[Any, ...] = ()
    for pattern, names in TABLES.items():
        if len(pattern) == len(path) - 1 and all(p in ("*", q) for p, q in zip(pattern, path, strict=False)):
            keys = names
    close = difflib.get_close_matches(str(path[-1]).lower(), keys, n=1)
    return (
        f"did you mean `{close[0]}`?"
        if close
        else f"its keys are: {', '.join(sorted(keys))}"
        if keys
        else "remove it"
    )
