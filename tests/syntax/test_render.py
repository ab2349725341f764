"""What a diagnostic looks like: carets under the right cells, nothing that a terminal would obey."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.printable import is_hidden, printable, width
from policyd.text.render import render, render_all
from policyd.text.source import Source, Span


def error(text: str, start: int, end: int, message: str = "wrong") -> Diagnostic:
    return Diagnostic("PD101", Severity.ERROR, message, Span(Source("a.policy", text), start, end), "mend it")


def test_place_severity_code_message_line_carets_and_help() -> None:
    assert render(error("edition 1\nroute a too b\n", 18, 21), colour=False).splitlines() == [
        "a.policy:2:9: error[PD101] wrong",
        "2 | route a too b",
        "  |         ^^^",
        "help: mend it",
    ]


def test_a_second_place_in_another_file_names_that_file() -> None:
    one, other = Source("a.policy", "route a to b\n"), Source("b.policy", "\n\ntarget b { }\n")
    labels = (Label(Span(other, 9, 10), "decided here"),)
    found = Diagnostic(
        "PD305", Severity.WARNING, "wrong", Span(one, 6, 7), None, labels, ("a witness", "and more")
    )
    assert render(found, colour=False).splitlines() == [
        "a.policy:1:7: warning[PD305] wrong",
        "1 | route a to b",
        "  |       ^",
        " --> b.policy:3:8",
        "3 | target b { }",
        "  |        - decided here",
        "  a witness",
        "  and more",
    ]


def test_without_a_place_there_is_no_excerpt() -> None:
    found = Diagnostic("PD003", Severity.ERROR, "nothing to check in `policies`", None, "name a file")
    assert render(found, colour=False) == "error[PD003] nothing to check in `policies`\nhelp: name a file"


@pytest.mark.parametrize(
    ("line", "start", "end", "under"),
    [
        ("\tab", 1, 3, "    ^^"),
        ("a\tb", 2, 3, "    ^"),
        ("漢字x", 2, 3, "    ^"),
        ("漢字x", 0, 2, "^^^^"),
        ("e\u0301x", 2, 3, " ^"),
        ("\u202ex", 1, 2, "        ^"),
        ("ab", 2, 2, "  ^"),
        ("ab\ncd", 0, 5, "^^"),
    ],
    ids=[
        "tab first",
        "tab between",
        "after wide",
        "under wide",
        "after combining",
        "after hidden",
        "empty",
        "two lines",
    ],
)
def test_carets_stand_under_the_span(line: str, start: int, end: int, under: str) -> None:
    assert render(error(line, start, end), colour=False).splitlines()[2] == f"  | {under}"


def test_colour_is_only_added() -> None:
    found = error("route a too b", 8, 11)
    coloured = render(found, colour=True)
    assert "\x1b[1;31m" in coloured
    plain = coloured
    for code in ("1", "1;31", "31", "34", "1;32", "0"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert plain == render(found, colour=False)


def test_the_summary_counts_each_severity() -> None:
    source = Source("a.policy", "x")
    found = [
        Diagnostic("PD101", s, "m", Span(source, 0, 1))
        for s in (Severity.ERROR, Severity.ERROR, Severity.NOTE)
    ]
    assert render_all(found, colour=False).endswith("\n\n2 errors, 1 note")
    assert render_all([], colour=False) == ""


@given(st.text(st.characters()), st.integers(0, 400), st.integers(0, 400), st.text(max_size=20))
def test_whatever_an_author_wrote_a_terminal_shows_it_harmlessly(
    text: str, start: int, end: int, word: str
) -> None:
    text = text * 40
    low, high = sorted((min(start, len(text)), min(end, len(text))))
    source = Source(f"a{word}.policy", text)
    label = Label(Span(source, low, low), word)
    found = Diagnostic("PD101", Severity.ERROR, f"`{word}`", Span(source, low, high), word, (label,), (word,))
    for line in render(found, colour=False).split("\n"):
        assert not is_hidden(line)
    for line in render(found, colour=False).split("\n")[1:3]:
        assert width(line.split("| ", 1)[-1]) <= 130


@given(st.text())
def test_printable_text_is_printed_as_it_is(text: str) -> None:
    assert not is_hidden(printable(text))
    assert printable(printable(text)) == printable(text)
    assert is_hidden(text) or printable(text) == text
