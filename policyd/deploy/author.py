"""Where a diagnostic about a deployment points, and what of the file it may show.

In: the text that an author wrote, where its keys stand, and which of them the environment set. Out: a span for a path of
keys, and diagnostics that point at the deployment file with the policy's line beside it. The text that a diagnostic may
show has every secret masked, because a terminal or a CI log is no place for one.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from policyd.deploy.bounded import shorter
from policyd.deploy.places import Path, Places
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Source, Span

__all__ = ["Author", "Pointing", "at_policy", "masked", "variable_span"]

_SECRET_NAME: Final = re.compile(
    r"credential|secret|password|passwd|token|api[_-]?key|authorization|^key$", re.IGNORECASE
)
_REFERENCE: Final = frozenset({"env", "file", "style", "secretGroup"})
"""Names of keys that hold no secret, wherever they stand; the last is a number of gitleaks' rules."""


class Author:
    """The file that an author wrote and the variables set over it: turns a path into a span."""

    def __init__(self, name: str, text: str, places: Places, variables: Mapping[Path, str]) -> None:
        self._source = Source(name, masked(text, places))
        self._places = places
        self._variables = variables

    def knows(self, path: Path) -> bool:
        """Whether this very path stands in the file."""
        return path in self._places.known

    def is_set_by_variable(self, path: Path) -> bool:
        return path in self._variables

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


def at_policy(found: Iterable[Diagnostic], author: Author | None) -> tuple[Diagnostic, ...]:
    """What is wrong with the policy's file as a whole, at the key of the deployment file that names it."""
    if author is None:
        return tuple(found)
    cure = "`policy` is the path of the policy, relative to the folder of this file"
    return tuple(
        replace(d, span=author.span(("policy",)), help=d.help or cure)
        if d.span is None and d.code in ("PD001", "PD002")
        else d
        for d in found
    )


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


@dataclass(frozen=True, slots=True)
class Pointing:
    """Diagnostics about a policy and a deployment that do not fit. The cure is mostly in the deployment file, so they
    point there; where no file was read, at the policy."""

    author: Author | None

    def at(
        self,
        path: Path,
        code: str,
        message: str,
        *,
        help: str,
        policy: Span | None = None,
        beside: str = "the policy says it here",
        severity: Severity = Severity.ERROR,
        labels: tuple[Label, ...] = (),
    ) -> Diagnostic:
        """A finding at the key `path` of the deployment file; `policy` is the place in the policy that asks for it."""
        message = shorter(message)
        if self.author is None:
            return Diagnostic(code, severity, message, policy, help=help, labels=labels)
        asking = () if policy is None else (Label(policy, beside),)
        return Diagnostic(
            code, severity, message, self.author.span(path), help=help, labels=(*asking, *labels)
        )

    def also(self, path: Path, text: str, *, policy: Span | None) -> tuple[Label, ...]:
        """A second place of the deployment file."""
        span = policy if self.author is None else self.author.span(path)
        return () if span is None else (Label(span, text),)
