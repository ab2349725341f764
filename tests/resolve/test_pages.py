"""Every page of docs/rules that the resolver answers for shows a policy with that finding, and one without.

A fragment on a page is completed as in `completed.py`. Files that a page shows are there from that point of it on.
"""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

import pytest

from policyd.resolve.load import Loaded, load_text
from tests.resolve.completed import completed

PAGES: Final = Path(__file__).parents[2] / "docs" / "rules"
FENCE: Final = re.compile(
    r"^```(?:policy|csv) (?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
TODAY: Final = date(2026, 11, 20)
OF_DEPLOYMENTS: Final = {"PD238"}
"""Said of a policy and where it is served; no policy alone has it (tests/deploy/test_bindings.py)."""
OURS: Final = sorted(
    p.stem
    for p in PAGES.glob("PD*.md")
    if (p.stem.startswith("PD2") and p.stem not in OF_DEPLOYMENTS)
    or p.stem in {"PD013", "PD015", "PD016", "PD017"}
)


def examples(code: str) -> Iterator[tuple[str, Loaded]]:
    """`reject` or `accept`, and what became of it."""
    files: dict[str, str] = {}
    for block in FENCE.finditer((PAGES / f"{code}.md").read_text("utf-8")):
        if block["info"].startswith("file="):
            files[block["info"].removeprefix("file=")] = block["text"]
        else:
            yield block["info"], load_text(completed(block["text"]), "main.policy", files, today=TODAY)


@pytest.mark.parametrize("code", OURS)
def test_a_page_shows_its_finding_and_no_other(code: str) -> None:
    rejected = [loaded for info, loaded in examples(code) if info == "reject"]
    assert rejected, "a page shows a policy that has the finding"
    for loaded in rejected:
        assert {d.code for d in loaded.diagnostics} == {code}, loaded.diagnostics


@pytest.mark.parametrize("code", OURS)
def test_a_page_shows_a_cure_without_findings(code: str) -> None:
    for info, loaded in examples(code):
        if info == "accept":
            assert loaded.diagnostics == ()
            assert loaded.program is not None


@pytest.mark.parametrize("code", OURS)
def test_a_page_quotes_what_is_said(code: str) -> None:
    page = (PAGES / f"{code}.md").read_text("utf-8")
    for info, loaded in examples(code):
        if info == "reject":
            said = loaded.diagnostics[0]
            assert f"{said.severity.value}[{code}] {said.message}\n" in page
            assert said.help is None or f"help: {said.help}\n" in page
