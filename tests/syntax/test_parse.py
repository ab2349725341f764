"""Facts about reading a file that a case cannot show: the tree, its places, and what survives a mistake."""

from pathlib import Path
from typing import Final

import pytest

from policyd.syntax import nodes as n
from policyd.syntax.depth import DEEPEST
from policyd.syntax.format import format_source
from policyd.syntax.grammar import RESERVED, STATEMENT_WORDS, grammar_text
from policyd.syntax.parse import parse
from policyd.text.source import Source

EXAMPLE: Final = Path(__file__).parent / "example.policy"


def read(text: str) -> n.Module:
    parsed = parse(Source("policy", text))
    assert parsed.diagnostics == ()
    return parsed.module


def condition(text: str) -> n.Condition:
    statement = read(f"edition 1\nlet x = {text}\n").statements[1]
    assert isinstance(statement, n.Let)
    return statement.condition


def test_the_example_of_the_language_has_no_mistakes() -> None:
    module = read(EXAMPLE.read_text(encoding="utf-8"))
    kinds = [type(statement).__name__ for statement in module.statements]
    assert kinds.count("Target") == 5
    assert kinds.count("Route") == 5
    assert kinds.count("Guard") == 3
    assert kinds[0] == "Edition"
    assert kinds[-1] == "Test"


def test_the_example_keeps_its_meaning_when_formatted() -> None:
    source = Source("example.policy", EXAMPLE.read_text(encoding="utf-8"))
    formatted = format_source(source)
    assert formatted.text is not None
    assert read(formatted.text) == parse(source).module
    assert max(len(line) for line in formatted.text.splitlines() if not line.startswith("#")) <= 110


def test_every_statement_word_begins_a_rule_of_the_grammar() -> None:
    assert {word for word in STATEMENT_WORDS if f'"{word}"' not in grammar_text()} == set()


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert condition("not a and b or c") == condition("((not a) and b) or c")
    assert condition("not a and b or c") != condition("not a and (b or c)")
    assert condition("a or b and c") == condition("a or (b and c)")


def test_the_place_of_a_condition_in_parentheses_takes_them_in() -> None:
    both = condition("(a or b) and c")
    assert isinstance(both, n.And)
    assert both.span.text == "(a or b) and c"
    assert [operand.span.text for operand in both.operands] == ["(a or b)", "c"]


@pytest.mark.parametrize(
    ("written", "micros"),
    [("$4000", 4_000_000_000), ("$0.25", 250_000), ("$0.000001", 1), ("$1_000.5", 1_000_500_000)],
)
def test_money_is_read_in_millionths_of_a_dollar(written: str, micros: int) -> None:
    found = condition(f"price_in <= {written}")
    assert isinstance(found, n.Compare)
    assert found.value == n.Money(micros, found.span)


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("0", 0),
        ("3k", 3_000),
        ("1.5M", 1_500_000),
        ("2G", 2 * 10**9),
        ("4Ki", 4096),
        ("1Mi", 2**20),
        ("1_000", 1000),
    ],
)
def test_numbers_have_their_suffix_applied(written: str, value: int) -> None:
    found = condition(f"tokens > {written}")
    assert isinstance(found, n.Compare)
    assert found.value == n.Number(value, found.span)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("1 day", 86_400), ("12 hours", 43_200), ("5 minutes", 300), ("10 seconds", 10), ("1.5 hours", 5_400)],
)
def test_durations_are_read_in_seconds(written: str, seconds: int) -> None:
    found = condition(f"retention <= {written}")
    assert isinstance(found, n.Compare)
    assert found.value == n.Duration(seconds, found.span)


def test_a_string_is_normalised() -> None:
    found = condition('team == "e\u0301"')
    assert isinstance(found, n.Compare)
    assert found.value == n.Text("\u00e9", found.span)


@pytest.mark.parametrize(
    "word", ["any", "all", "exceeded", "header", "reject", "rejected", "only", "status", "to", "tokens"]
)
def test_a_word_of_the_language_is_a_name_where_it_cannot_stand_as_one(word: str) -> None:
    assert word not in RESERVED
    module = read(f"edition 1\nlevel {word} {{ {word} < b }}\nlet x = a == {word} and b in {{ {word}, c }}\n")
    declared, let = module.statements[1:]
    assert isinstance(declared, n.Declaration) and declared.values[0].text == word
    assert isinstance(let, n.Let) and isinstance(let.condition, n.And)
    assert let.condition.operands[0] == n.Compare(
        n.Ident("a", let.span), "==", n.Word(word, let.span), let.span
    )


def test_a_word_of_the_language_ends_nothing_that_it_cannot_follow() -> None:
    module = read(
        'edition 1\ntarget contains { a b  status c  via d, by  when_ e }\ntest "t" given { team status } expect a\n'
    )
    target, test = module.statements[1:]
    assert isinstance(target, n.Target) and isinstance(test, n.Test)
    assert [fact.name.text for fact in target.facts] == ["a", "status", "via", "when_"]
    assert [value.text for value in target.facts[2].values if isinstance(value, n.Word)] == ["d", "by"]
    assert [(g.name, g.value) for g in test.given] == [
        (n.Ident("team", test.span), n.Word("status", test.span))
    ]


def test_statements_that_do_not_parse_are_left_out_and_the_others_are_there() -> None:
    parsed = parse(
        Source("policy", 'edition 1\nroute a to\nroute b to rack\nrout c to rack\notherwise reject "no"\n')
    )
    assert [d.code for d in parsed.diagnostics] == ["PD103", "PD102"]
    assert [s.span.text for s in parsed.module.statements] == [
        "edition 1", "route b to rack", "rout c to rack", 'otherwise reject "no"',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("inner", "levels"),
    [
        ("not {}", 1),
        ("not (a or {})", 2),
        ("a and ({} or b)", 2),
        ("a or b and not ({})", 3),
        ("(({} or a))", 1),
    ],
)
def test_the_deepest_condition_is_read_written_and_compared(inner: str, levels: int) -> None:
    text = "images"
    for _ in range(DEEPEST // levels):
        text = inner.format(text)
    source = Source("policy", f'edition 1\nguard g only {text} when {text} because "so"\n')
    assert parse(source).diagnostics == ()
    assert format_source(source).text is not None
    for _ in range(levels):
        text = inner.format(text)
    deeper = parse(Source("policy", f"edition 1\nlet x = {text}\n"))
    assert [d.code for d in deeper.diagnostics] == ["PD118"]


def test_superfluous_parentheses_have_no_depth() -> None:
    assert condition("(" * 5_000 + "images" + ")" * 5_000) == condition("images")


def test_nothing_is_written_when_formatting_would_change_the_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    source = Source("policy", "edition 1\nroute a to rack  # why\n")
    for lines, what in (
        (["edition 1", "route a to cloud  # why"], "its meaning"),
        (["edition 1", "route a to rack"], "its comments"),
        (["edition 1", "route a to"], "its meaning"),
    ):
        monkeypatch.setattr("policyd.syntax.format.lines_of", lambda *_, lines=lines: lines)
        formatted = format_source(source)
        assert formatted.text is None
        assert [d.code for d in formatted.diagnostics] == ["PD119"]
        assert what in formatted.diagnostics[0].message
