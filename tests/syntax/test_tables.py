"""The kept tables of the parser: current, the same parser as a built one, and passed over when they are not for it."""

import json
from pathlib import Path

import lark
import pytest

from policyd.syntax import grammar
from policyd.syntax.building import Builder
from policyd.syntax.parse import parse
from policyd.syntax.tables import parser_from
from policyd.text.source import Source

ROOT = Path(__file__).parents[2]
KEPT = (ROOT / "grammar" / "tables.json").read_text("utf-8")
MADE_BY = json.loads(KEPT)["head"]["lark"]
SAMPLES = sorted(p for p in ROOT.glob("policies/**/*.policy"))


# Another Lark passes the tables over and builds its own, so there is nothing to compare.
same_lark = pytest.mark.skipif(lark.__version__ != MADE_BY, reason=f"the kept tables are for lark {MADE_BY}")


@same_lark
def test_the_kept_tables_are_for_this_grammar_and_this_lark() -> None:
    kept = json.loads(KEPT)["head"]["for"]
    now = json.loads(grammar.tables_of_now())["head"]["for"]
    assert kept == now, "run scripts/tables"


@same_lark
def test_tables_and_grammar_make_the_same_words() -> None:
    loaded = parser_from(KEPT, grammar.grammar_text(), lexer=grammar._Stream, transformer=Builder())
    assert loaded is not None
    built = grammar._built(Builder())
    assert {t.name: t.pattern.value for t in loaded.terminals} == {
        t.name: t.pattern.value for t in built.terminals
    }


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_both_parsers_read_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source(path.name, path.read_text("utf-8") + "\nguard broken only\nroute x to to\n")
    read = parse(source)
    from policyd.syntax import parse as module  # noqa: PLC0415

    monkeypatch.setattr(module, "language", lambda: (built, words))
    built = grammar._built(Builder())
    _, words = grammar.parser_for(Builder())
    again = parse(source)
    assert read.module == again.module
    assert [(d.code, d.message, d.help) for d in read.diagnostics] == [
        (d.code, d.message, d.help) for d in again.diagnostics
    ]
    assert read.diagnostics


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", '{"head": 3}', '{"head": {"for": "another grammar"}}', KEPT[:-200]]
)
def test_wrong_tables_are_passed_over(text: str) -> None:
    assert parser_from(text, grammar.grammar_text(), lexer=grammar._Stream, transformer=Builder()) is None


def test_tables_for_another_grammar_are_passed_over() -> None:
    changed = grammar.grammar_text() + "\n"
    assert parser_from(KEPT, changed, lexer=grammar._Stream, transformer=Builder()) is None
