"""`policyd rule`: the page of each code, readable in a terminal, and what happens with a word that is no code."""

import re
from pathlib import Path

import pytest

from policyd.cli.output import Style
from policyd.cli.page_text import page_lines
from policyd.cli.pages import page_of
from policyd.text.codes import CODES
from tests.cli.conftest import Run

PAGES = Path(__file__).parents[2] / "docs" / "rules"
PLAIN = Style(colour=False)


@pytest.mark.parametrize("code", sorted(CODES))
def test_every_page_can_be_printed_and_loses_no_word(code: str, run: Run) -> None:
    ran = run("rule", code)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"{code}: {CODES[code].title}\n")
    assert "```" not in ran.out
    assert "](" not in ran.out
    page = (PAGES / f"{code}.md").read_text()
    prose = re.sub(r"(?m)^```.*$|^#+ |\]\([^)]*\)|\*\*", "", page)
    kept = set(ran.out.replace("[", "").split())
    assert {word for word in prose.replace("[", "").split() if word not in kept} == set()


def test_examples_stand_apart_and_keep_their_lines(run: Run) -> None:
    out = run("rule", "PD305").out
    assert (
        "\n    main.policy:22:1: warning[PD305] route `late` never decides: `rest` takes every request first\n"
        in out
    )


def test_prose_is_filled_to_the_width() -> None:
    page = "# PD000: title\n\nOne two three\nfour five six.\n\n- a point that is\n  long\n- another\n"
    lines = list(page_lines(page, style=PLAIN, width=20))
    assert lines == ["PD000: title", "", "One two three four", "five six.", "", "- a point that is", "  long", "- another"]  # fmt: skip


def test_a_short_form_of_a_code_is_understood(run: Run) -> None:
    assert run("rule", "305").out == run("rule", "pd305").out == run("rule", "[PD305]").out


def test_several_codes_each_once(run: Run) -> None:
    out = run("rule", "PD305", "PD301", "PD305").out
    assert out.count("PD305: dead rule") == 1
    assert out.index("PD305: dead rule") < out.index("PD301: broken assertion")


@pytest.mark.parametrize("words", [("rule",), ("rule", "--list")])
def test_the_list_names_every_code(words: tuple[str, ...], run: Run) -> None:
    ran = run(*words)
    assert ran.code == 0
    for code in CODES.values():
        assert re.search(rf"^{code.code}\s+{code.severity}\s+{re.escape(code.title)}$", ran.out, re.MULTILINE)


def test_an_unknown_code_is_two_with_the_near_one_and_hides_no_other(run: Run) -> None:
    ran = run("rule", "PD3055", "PD301")
    assert ran.code == 2
    assert "did you mean `PD305`?" in ran.err
    assert "PD301: broken assertion" in ran.out


def test_a_hostile_word_cannot_drive_the_terminal(run: Run) -> None:
    ran = run("rule", "\x1b[31mPD305")
    assert ran.code == 2
    assert "\\u{1b}" in ran.err


def test_pages_are_those_of_the_documents() -> None:
    assert page_of("PD101") == (PAGES / "PD101.md").read_text()
