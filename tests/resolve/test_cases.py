"""Cases: a policy in, its findings out, with the text that each underlines.

A file under `cases/` holds cases. `=== title` begins one; a fragment follows (completed as in `completed.py`), then its
files (`--- file name`), then what is found (`--- found`): `PDnnn file:"underlined" message`, and below it the help line
and the labels. `POLICYD_UPDATE=1` writes what is found into the files; the difference is for a person to review.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from policyd.resolve.load import Loaded, load_text
from policyd.text.diagnostic import Diagnostic, has_errors
from policyd.text.source import Span
from tests.resolve.completed import completed

FOLDER: Final = Path(__file__).parent / "cases"
TODAY: Final = date(2026, 11, 20)
UPDATE: Final = "POLICYD_UPDATE" in os.environ


@dataclass(frozen=True, slots=True)
class Case:
    title: str
    text: str
    files: tuple[tuple[str, str], ...]
    found: tuple[str, ...] | None

    def load(self) -> Loaded:
        return load_text(completed(self.text), "main.policy", dict(self.files), today=TODAY)

    def written(self, found: tuple[str, ...]) -> str:
        parts = [f"=== {self.title}\n{self.text}"]
        parts.extend(f"--- file {name}\n{text}" for name, text in self.files)
        return "".join((*parts, "--- found\n", *(f"{line}\n" for line in found)))


def read(path: Path) -> list[Case]:
    return [case(text) for text in path.read_text("utf-8").split("=== ")[1:]]


def case(text: str) -> Case:
    title, _, body = text.partition("\n")
    fragment, *parts = body.split("--- ")
    files: list[tuple[str, str]] = []
    found: tuple[str, ...] | None = None
    for part in parts:
        head, _, rest = part.partition("\n")
        if head == "found":
            found = tuple(line for line in rest.splitlines() if line)
        else:
            files.append((head.removeprefix("file "), rest))
    return Case(title, fragment, tuple(files), found)


def lines(loaded: Loaded) -> tuple[str, ...]:
    return tuple(line for finding in loaded.diagnostics for line in told(finding))


def told(finding: Diagnostic) -> Iterator[str]:
    yield f"{finding.code} {underlined(finding.span)} {finding.message}"
    if finding.help is not None:
        yield f"  help: {finding.help}"
    for label in finding.labels:
        yield f"  {underlined(label.span)} {label.text}"


def underlined(span: Span | None) -> str:
    return "nowhere" if span is None else f'{span.source.name}:"{" ".join(span.text.split())}"'


ALL: Final = [(path, c) for path in sorted(FOLDER.glob("*.case")) for c in read(path)]


@pytest.mark.parametrize(("path", "expected"), ALL, ids=[f"{p.stem}: {c.title}" for p, c in ALL])
def test_a_case_is_found_as_it_says(path: Path, expected: Case) -> None:
    loaded = expected.load()
    found = lines(loaded)
    if UPDATE:
        pytest.skip("written by test_update")
    assert expected.found is not None, f"{path.name}: {expected.title} has no `--- found`"
    assert found == expected.found
    assert (loaded.program is None) == has_errors(loaded.diagnostics)


@pytest.mark.skipif(not UPDATE, reason="only with POLICYD_UPDATE=1")
def test_update() -> None:
    for path in sorted(FOLDER.glob("*.case")):
        cases = read(path)
        path.write_text("".join(c.written(lines(c.load())) for c in cases), "utf-8")
        assert len(read(path)) == len(cases)


def test_a_misspelt_conversation_behind_at_least_is_told() -> None:
    text = "edition 1\nlevel l { a < b }\nclassify l { starts at a at least conversations }\n"
    (found,) = (d for d in load_text(text).diagnostics if d.code == "PD222")
    assert found.help == "did you mean `conversation`?"
