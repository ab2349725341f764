"""Text in, expectations in the text: what a person is told about each mistake, and how each file is formatted.

A file in `cases/` holds cases one after the other. A case begins with `==== title`; its policy follows, then
`---- diagnostics` or `---- formatted` and what comes out. `<U+202E>` stands for a character that an editor would not
show. `POLICYD_UPDATE=1` writes what comes out into the files; the difference is for a person to review.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from policyd.syntax.format import format_source
from policyd.syntax.parse import parse
from policyd.text.codes import CODES
from policyd.text.render import render_all
from policyd.text.source import Source

CASES: Final = Path(__file__).parent / "cases"
UPDATE: Final = "POLICYD_UPDATE" in os.environ
_CASE = re.compile(
    r"==== (.*)\n((?:(?!==== |---- ).*\n)*)---- (diagnostics|formatted)\n((?:(?!==== ).*\n?)*)"
)


@dataclass(frozen=True, slots=True)
class Case:
    path: Path
    title: str
    policy: str
    kind: str
    expected: str


def cases_in(path: Path) -> list[Case]:
    text = path.read_text(encoding="utf-8")
    found = [Case(path, *match.groups()) for match in _CASE.finditer(text)]
    assert "".join(written(case, case.expected) for case in found) == text, (
        f"{path} holds text outside its cases"
    )
    return found


def written(case: Case, expected: str) -> str:
    return f"==== {case.title}\n{case.policy}---- {case.kind}\n{expected}"


def outcome(case: Case) -> str:
    policy = re.sub(r"<U\+([0-9A-F]+)>", lambda match: chr(int(match[1], 16)), case.policy)
    source = Source("case.policy", policy)
    if case.kind == "formatted":
        formatted = format_source(source)
        assert formatted.text is not None, render_all(formatted.diagnostics, colour=False)
        again = format_source(Source("case.policy", formatted.text))
        assert again.text == formatted.text
        return formatted.text
    return render_all(parse(source).diagnostics, colour=False) + "\n\n"


ALL: Final = [case for path in sorted(CASES.glob("*.case")) for case in cases_in(path)]


@pytest.mark.parametrize("case", ALL, ids=[f"{case.path.stem}: {case.title}" for case in ALL])
def test_case(case: Case) -> None:
    if UPDATE:
        whole = case.path.read_text(encoding="utf-8")
        case.path.write_text(
            whole.replace(written(case, case.expected), written(case, outcome(case))), encoding="utf-8"
        )
        return
    assert outcome(case) == case.expected


def test_every_code_of_the_parser_has_a_case() -> None:
    shown = set(re.findall(r"error\[(PD1\d\d)\]", "".join(case.expected for case in ALL)))
    of_syntax = {code for code in CODES if code.startswith("PD1")}
    assert of_syntax - shown == {"PD119"}
