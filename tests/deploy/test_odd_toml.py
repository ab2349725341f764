"""TOML that nobody means: numbers of thousands of digits, brackets without end, keys without number. Each is one mistake or a
few, at its place, and none of them ends the reading."""

from pathlib import Path

import pytest

from policyd.deploy.bounded import MOST_TOLD, shorter
from policyd.deploy.read import read_deployment
from policyd.deploy.rules import read_rule_file
from policyd.deploy.toml_text import MOST_DEPTH, value_of
from policyd.text.diagnostic import Severity, has_errors
from policyd.text.render import render_all

HEAD = """policy = "x.policy"
[identity]
kind = "loopback"
user = "ana"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
"""
RULE = "[[rules]]\nid = 'a'\nregex = 'abc[0-9]{4}'\n"
DEEP = 5000
ODD = {
    "lists": ("a = " + "[" * DEEP + "]" * DEEP, "more than 50 deep"),
    "tables": ("a = " + "{a=" * DEEP + "1" + "}" * DEEP, "more than 50 deep"),
    "keys": ("a." * DEEP + "a = 1", "more than 50 deep"),
    "a table": ("[" + "a." * DEEP + "a]", "more than 50 deep"),
    "a little too deep": ("a = " + "[" * MOST_DEPTH + "]" * MOST_DEPTH, "more than 50 deep"),
    "digits": ("a = " + "9" * 5000, "64 bits"),
    "hexadecimal digits": ("a = 0x" + "f" * 6000, "64 bits"),
    "one bit too many": ("a = [1, 9223372036854775808]", "64 bits"),
}


@pytest.mark.parametrize(("text", "said"), ODD.values(), ids=ODD.keys())
def test_what_no_setting_is_is_told_at_its_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "policyd.toml"
    path.write_text(HEAD + text + "\n")
    (whole,) = read_deployment(path, {}).diagnostics
    (rule,) = read_rule_file("team.toml", RULE + text)[1]
    for found, code, lines in ((whole, "PD502", HEAD.count("\n")), (rule, "PD550", RULE.count("\n"))):
        assert (
            found.code == code and found.severity is Severity.ERROR and found.help and said in found.message
        )
        assert found.span is not None and found.span.source.position(found.span.start)[0] == lines + 1
        assert render_all([found], colour=False)


def test_a_byte_order_mark_is_named(tmp_path: Path) -> None:
    path = tmp_path / "policyd.toml"
    path.write_text("\ufeff" + HEAD)
    (found,) = read_deployment(path, {}).diagnostics
    assert found.code == "PD502" and "byte order mark" in found.message and found.help
    (found,) = read_rule_file("team.toml", "\ufeff" + RULE)[1]
    assert found.code == "PD550" and "byte order mark" in found.message


@pytest.mark.parametrize(
    "text", ["9" * 5000, "[" * DEEP + "]" * DEEP, "[" * 60 + "]" * 60, "0x" + "f" * 6000]
)
def test_a_variable_that_says_such_a_thing_is_a_text(text: str, tmp_path: Path) -> None:
    assert value_of(text) == text
    path = tmp_path / "policyd.toml"
    path.write_text(HEAD)
    (found,) = read_deployment(path, {"POLICYD__DRAIN__LIMIT": text}).diagnostics
    assert found.code == "PD505" and len(found.message) < 1000


def test_the_largest_numbers_and_the_deepest_lists_are_read() -> None:
    assert value_of("-9223372036854775808") == -(2**63)
    assert value_of("[" * 49 + "]" * 49) != "[" * 49 + "]" * 49


@pytest.mark.parametrize("value", ['"' + "x" * 100_000 + '"', '"' + "9" * 5000 + 's"'])
def test_a_value_is_not_quoted_at_any_length(value: str, tmp_path: Path) -> None:
    path = tmp_path / "policyd.toml"
    path.write_text(HEAD + f"[drain]\nlimit = {value}\n")
    (found,) = read_deployment(path, {}).diagnostics
    assert found.code == "PD505" and len(found.message) < 300
    assert "`drain.limit`: " in found.message and "duration" in found.message


def test_what_has_no_quotes_is_cut_as_well() -> None:
    assert len(shorter("x" * 10_000)) < 600
    assert shorter(f"`{'x' * 10_000}` is odd") == f"`{'x' * 60}…` is odd"
    assert shorter("as it is") == "as it is"


def test_of_many_mistakes_some_are_told_and_the_others_counted(tmp_path: Path) -> None:
    keys = "".join(f"key{number} = 1\n" for number in range(5000))
    path = tmp_path / "policyd.toml"
    path.write_text(keys + HEAD)
    found = read_deployment(path, {}).diagnostics
    assert len(found) == MOST_TOLD + 1 and has_errors(found)
    assert sum(f"and {5000 - MOST_TOLD} more" in one.message for one in found) == 1
    rules, told = read_rule_file("team.toml", keys + RULE)
    assert len(told) == MOST_TOLD + 1 and "and 4800 more" in told[-1].message and len(rules) == 1


def test_a_mistake_behind_many_notes_is_still_one() -> None:
    noted = "".join(f"[[rules]]\nid = 'a{n}'\nregex = 'abc{n}x'\npath = 'x'\n" for n in range(MOST_TOLD + 5))
    rules, told = read_rule_file("team.toml", noted + "[[rules]]\nid = 'b'\nregex = ''\n")
    assert "b" not in {rule.id for rule in rules} and len(rules) == MOST_TOLD + 5
    assert has_errors(told) and "and 6 more" in told[-1].message
