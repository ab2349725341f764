"""What a row of the tables of credentials is, and the short ways to write one.

Each `Pattern` has literals of which one must occur before its expression is tried, an expression in RE2's syntax over UTF-8
bytes, and perhaps a check on each candidate. Formats, prefixes and lengths are what the issuers publish. No expression
starts with a word boundary where the prefix is unmistakable, so gluing other text in front hides nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from policyd.detect.checks import is_varied
from policyd.detect.detector import Check, Detector, Hit, candidates, compiled

__all__ = ["Pattern", "alone", "detector_of", "token"]


@dataclass(frozen=True, slots=True)
class Pattern:
    """One format. `keywords` are asked with their case ignored, `exact` as they are written. `check` gets the whole text and
    a candidate's bounds (of its only group, where there is one). Without `whole`, what is found only shows that a secret stands
    near it, and nobody may take it for the secret."""

    finding: str
    keywords: tuple[str, ...]
    expression: str
    check: Check | None = None
    exact: tuple[str, ...] = ()
    whole: bool = True


def token(finding: str, expression: str, *exact: str, check: Check | None = is_varied) -> Pattern:
    """A token with a prefix of its own, which is written one way only."""
    return Pattern(finding, (), expression, check, exact)


BEFORE: Final = r"(?:^|[^A-Za-z0-9])"
AFTER: Final = r"(?:[^A-Za-z0-9]|$)"


def alone(finding: str, expression: str, *exact: str, check: Check | None = is_varied) -> Pattern:
    """A token whose prefix or alphabet occurs inside other things: no letter or digit stands before or behind it."""
    return Pattern(finding, (), f"{BEFORE}({expression}){AFTER}", check, exact)


def detector_of(pattern: Pattern) -> Detector:
    """The detector that finds a pattern, compiled when it is first asked."""

    @lru_cache(maxsize=1)
    def expression() -> Any:
        return compiled(pattern.expression)

    def find(data: bytes) -> Iterator[Hit]:
        return candidates(pattern.finding, expression(), data, pattern.check)

    return Detector(
        frozenset({pattern.finding}),
        find,
        pattern.keywords,
        exact=pattern.exact,
        expression=pattern.expression,
    )
