"""Counting how good detectors are: what is found of what is there, and what is found that is not.

In: pairs of what should be found and what was. Out: one `Score` for each kind, with every miss and every false find named,
and Markdown for `bench/results/detectors.md`, of which each program owns one section. Used by `quality_secrets` and
`quality_personal`.
"""

import platform
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

__all__ = ["RESULTS", "Score", "listed", "machine", "table", "write_section"]

RESULTS: Final = Path(__file__).parent / "results" / "detectors.md"

TITLE: Final = "# How good the detectors are\n\nWritten by the programs `bench.quality_secrets` and `bench.quality_personal`; each owns its sections.\n"


@dataclass(slots=True)
class Score:
    """Of one kind: how many were there and found (`right`), there and not found (`missed`), found and not there (`false`).
    Each with a few words that let a reader find it."""

    kind: str
    right: int = 0
    missed: list[str] = field(default_factory=list)
    false: list[str] = field(default_factory=list)

    def count(self, *, there: bool, found: bool, words: str) -> None:
        if there and found:
            self.right += 1
        elif there:
            self.missed.append(words)
        elif found:
            self.false.append(words)

    @property
    def recall(self) -> float | None:
        there = self.right + len(self.missed)
        return self.right / there if there else None

    @property
    def precision(self) -> float | None:
        found = self.right + len(self.false)
        return self.right / found if found else None


def _ratio(number: float | None) -> str:
    return "–" if number is None else f"{number:.3f}"


def table(scores: Iterable[Score], *, what: str = "finding") -> str:
    """A Markdown table, a row each."""
    rows = [
        f"| {what} | there | found | missed | false | recall | precision |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for score in scores:
        there = score.right + len(score.missed)
        numbers = f"{there} | {score.right} | {len(score.missed)} | {len(score.false)}"
        rows.append(f"| {score.kind} | {numbers} | {_ratio(score.recall)} | {_ratio(score.precision)} |")
    return "\n".join(rows)


def listed(words: Sequence[str], *, most: int = 200) -> str:
    """One line each, equal ones counted."""
    counted = Counter(words)
    lines = [f"- {word}" + (f" ({number} times)" if number > 1 else "") for word, number in counted.items()]
    more = [f"- … and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*lines[:most], *more])


def machine() -> str:
    return f"{platform.machine()}, Python {platform.python_version()}"


def write_section(heading: str, body: str, *, path: Path = RESULTS) -> None:
    """Puts the section `## heading` into the file, in place of the one of that name or at the end."""
    text = path.read_text(encoding="utf-8") if path.exists() else TITLE
    section = f"## {heading}\n\n{body.strip()}\n"
    found = re.search(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if found is None:
        text = text.rstrip() + "\n\n" + section
    else:
        text = text[: found.start()] + section + "\n" + text[found.end() :]
    path.write_text(text.rstrip() + "\n", encoding="utf-8")
