"""The pieces of JSON, and words in Markdown: exact for a program, harmless for a person."""

import json
from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from policyd.policy.decision import Candidates, Plan, Reject, Removal
from policyd.policy.program import MAX_NUMBER
from policyd.policy.request import EVERYTHING
from policyd.reports.markdown import code, plain
from policyd.reports.values import decision_json, diagnostic_json, document_text, given_json, place_json
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Source, Span

ANY_TEXT = st.text(st.characters(codec=None), max_size=60)


@example("key", "\ud800 \x7f")
@given(ANY_TEXT, ANY_TEXT)
def test_a_document_is_ascii_and_reads_back(key: str, value: str) -> None:
    text = document_text({key: [value, {"inside": value}]})
    assert text.isascii()
    assert "\x7f" not in text
    assert not [ch for ch in text if ord(ch) < 32 and ch != "\n"]
    read = json.loads(text)
    if key.isprintable() and value.isprintable():
        assert read == {key: [value, {"inside": value}]}
    json.dumps(read, ensure_ascii=False).encode("utf-8")


def test_what_is_unknown_is_null_and_the_rest_is_itself() -> None:
    values = (
        ("team", None),
        ("findings", EVERYTHING),
        ("tokens", MAX_NUMBER),
        ("date", 739_575),
        ("tools", True),
        ("level", "high"),
        ("labels", frozenset({"b", "a"})),
        ("hour", 7),
    )
    assert given_json(values) == {
        "team": None,
        "findings": None,
        "tokens": None,
        "date": "2025-11-20",
        "tools": True,
        "level": "high",
        "labels": ["a", "b"],
        "hour": 7,
    }


def test_a_plan_and_a_rejection() -> None:
    plan = Plan("rest", (Candidates("any", ("a", "b")),), (Removal("c", ("g",)),), ("early",))
    assert decision_json(plan) == {
        "kind": "plan",
        "route": "rest",
        "candidates": [{"pick": "any", "targets": ["a", "b"]}],
        "removed": [{"target": "c", "guards": ["g"]}],
        "passed_over": ["early"],
    }
    assert decision_json(Reject(("no",), ("why",), 403)) == {
        "kind": "reject",
        "by": ["no"],
        "reasons": ["why"],
        "status": 403,
        "removed": [],
        "passed_over": [],
    }


def test_places_count_characters_from_one() -> None:
    source = Source("main.policy", "é😀x\nsecond line\n")
    assert place_json(Span(source, 2, 6)) == {
        "path": "main.policy",
        "line": 1,
        "column": 3,
        "end_line": 2,
        "end_column": 3,
    }
    assert place_json(None) is None


def test_a_diagnostic_keeps_its_places_and_words() -> None:
    source = Source("main.policy", "one two")
    found = Diagnostic(
        "PD305",
        Severity.WARNING,
        "dead",
        Span(source, 0, 3),
        "help",
        (Label(Span(source, 4, 7), "here"),),
        ("d",),
    )
    shown = diagnostic_json(found, "dead rule")
    assert shown["code"] == "PD305"
    assert shown["title"] == "dead rule"
    assert shown["severity"] == "warning"
    assert shown["details"] == ["d"]
    assert shown["related"] == [{"place": place_json(Span(source, 4, 7)), "text": "here"}]


class _Page(HTMLParser):
    """What a reader of a rendered page sees: its text, and the tags that were made."""

    def __init__(self) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002  the parser's own signature
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


@given(st.text(st.characters(codec="utf-8"), max_size=60))
@pytest.mark.parametrize("write", [plain, code])
def test_words_stay_words_in_markdown(write: object, text: str) -> None:
    assert callable(write)
    written = write(text)
    assert "\n" not in written
    page = _Page()
    page.feed(
        MarkdownIt("commonmark", {"html": True}).enable("table").render(f"| a |\n|---|\n| x{written}x |\n")
    )
    assert set(page.tags) <= {"table", "thead", "tbody", "tr", "th", "td", "code"}
    assert page.tags.count("td") == 1


@pytest.mark.parametrize(("sign", "entity"), [("@", "&#64;"), ("#", "&#35;")])
def test_nobody_is_called_and_no_issue_is_named_by_a_policy(sign: str, entity: str) -> None:
    """The comment keeps the sign and the name in two pieces of text, also after rendering."""
    written = plain(f"{sign}octocat")
    assert written == f"{entity}<!-- -->octocat"
    assert f"{sign}<!-- -->octocat" in MarkdownIt("commonmark", {"html": True}).render(written)
