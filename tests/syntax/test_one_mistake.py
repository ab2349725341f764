"""One wrong word in an entry of a block is one mistake, and what stands behind it is still read."""

import pytest

from policyd.syntax.parse import parse
from policyd.text.source import Source

POLICY = """edition 1
level sensitivity { internal < confidential < restricted }
classify sensitivity {
    starts at internal
    at least conversation for 8 hours
    at least confidential  when findings contains any { "secret", "private-key" } or (opaque and not stored)
    at least restricted
        when findings contains any { "card-number" }
}
target home { location on_prem context 1M speaks chat }
route rest to home
otherwise reject "none"
test "t" given { conversation sensitivity restricted, task agent, complexity 50, findings { "a", "b" }, team "search" } expect home
"""


def told(old: str, new: str, *, behind: str = "") -> list[str]:
    text = POLICY.replace(behind + old, behind + new, 1)
    assert text != POLICY
    return [f"{d.code} {d.message}" for d in parse(Source("p", text)).diagnostics]


def test_the_policy_itself_has_none() -> None:
    assert parse(Source("p", POLICY)).diagnostics == ()


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("sensitivity restricted,", "5 restricted,", "PD101"),
        ('{ "a", "b" }', '{ "a" "b" }', "PD101"),
        ("complexity 50", "complexity 50 50", "PD101"),
        ("confidential  when", ")  when", "PD105"),
        ("least confidential", "99999999999999999999 confidential", "PD101"),
        ("least confidential", "1.5 confidential", "PD101"),
        ("confidential  when", "99999999999999999999  when", "PD101"),
        ("confidential  when", "1.5  when", "PD101"),
        ("restricted\n", "5\n", "PD101"),
        ('{ "secret", "private-key" }', '{ "secret" "private-key" }', "PD101"),
        ("for 8 hours", "for )", "PD105"),
    ],
)
def test_one_wrong_word_is_one_mistake(old: str, new: str, code: str) -> None:
    found = told(old, new, behind="at " if old.startswith("least") else "")
    assert len(found) == 1 and found[0].startswith(code), found


def test_two_wrong_entries_are_two() -> None:
    text = POLICY.replace("at least confidential  when", "at least )  when").replace("for 8 hours", "for 8 8")
    assert len(parse(Source("p", text)).diagnostics) == 2
    text = POLICY.replace("sensitivity restricted,", "5 5,").replace("complexity 50", "complexity 50 50")
    assert len(parse(Source("p", text)).diagnostics) == 2


def test_a_number_that_is_wrong_by_itself_is_told_beside_another_mistake_on_its_line() -> None:
    found = told('when findings contains any { "card-number" }', "wenn tokens > 99999999999999999999")
    assert [one[:5] for one in found] == ["PD101", "PD114"]


def test_a_brace_too_many_is_told_with_the_word_that_it_cannot_hold() -> None:
    found = told("sensitivity restricted,", "{ restricted,")
    assert found == ["PD105 `{` is never closed", "PD101 unexpected `agent`"]
