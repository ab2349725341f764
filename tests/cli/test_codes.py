"""Every diagnostic code has its row, its page, and a case that triggers it.

A case is a test, a case file under `tests/`, or an example of the language reference (`policy reject PDnnn`, which a test
runs), that names the code it expects. All three directions are checked, so a code cannot be added, renamed or dropped in
one place only.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity

ROOT = Path(__file__).parent.parent.parent
PAGES = ROOT / "docs" / "rules"
CODE = re.compile(r"\bPD\d{3}\b")
CASE_SUFFIXES = frozenset({".py", ".policy", ".txt", ".md", ".toml", ".case", ".csv"})


def case_files() -> Iterator[Path]:
    for path in (ROOT / "tests").rglob("*"):
        if path.suffix in CASE_SUFFIXES and path != Path(__file__):
            yield path
    yield ROOT / "docs" / "language.md"


def codes_in(paths: Iterator[Path]) -> frozenset[str]:
    return frozenset(code for path in paths for code in CODE.findall(path.read_text("utf-8", "replace")))


def test_every_code_is_triggered_by_a_case() -> None:
    assert sorted(set(CODES) - codes_in(case_files())) == []


def test_every_code_that_policyd_writes_has_a_row() -> None:
    written = codes_in((ROOT / "policyd").rglob("*.py"))
    assert sorted(written - set(CODES)) == []


def test_every_row_is_written_by_policyd() -> None:
    sources = (p for p in (ROOT / "policyd").rglob("*.py") if p.name != "codes.py")
    assert sorted(set(CODES) - codes_in(sources)) == []


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_has_a_page_with_its_title_and_a_cure(code: str) -> None:
    page = PAGES / f"{code}.md"
    assert page.is_file(), f"docs/rules/{code}.md is missing: {CODES[code].title}"
    text = page.read_text("utf-8")
    assert text.startswith(f"# {code}: {CODES[code].title}\n")
    assert "\n## What to do\n" in text


def test_every_page_is_about_a_code() -> None:
    assert sorted({p.stem for p in PAGES.glob("*.md")} - set(CODES)) == []


@pytest.mark.parametrize("code", CODES.values(), ids=lambda c: c.code)
def test_titles_are_short_and_plain(code: object) -> None:
    row = CODES[code.code]  # type: ignore[attr-defined]
    assert 0 < len(row.title) <= 60
    assert row.title[0].islower() or row.title.startswith("`")
    assert not row.title.endswith(".")
    assert isinstance(row.severity, Severity)
