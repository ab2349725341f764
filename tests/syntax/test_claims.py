"""Claims in text of their own: what they are read as, and that every mistake points into the claim."""

import pytest

from policyd.syntax.claims import parse_claim, parse_claims
from policyd.syntax.nodes import Assert, Module
from policyd.syntax.parse import parse
from policyd.syntax.writing import condition_text
from policyd.text.source import Source

CLAIMS = (
    "never location == cloud when sensitivity >= confidential",
    "always region == eu",
    "never rejected",
    'never rejected when team == "risk" and not images',
    "claimed never loosens",
    "never location == cloud\n    when sensitivity >= confidential",
)


def asserted(text: str) -> Assert:
    module: Module = parse(Source("main.policy", f"edition 1\nassert claim {text}\n")).module
    statement = module.statements[1]
    assert isinstance(statement, Assert)
    return statement


@pytest.mark.parametrize("text", CLAIMS)
def test_a_claim_is_read_as_the_assertion_it_would_be(text: str) -> None:
    read = parse_claim(Source("<claim>", text))
    expected = asserted(text)
    assert read.diagnostics == ()
    (claim,) = read.assertions
    assert (claim.kind, claim.predicate, claim.when) == (expected.kind, expected.predicate, expected.when)
    assert claim.name.text == " ".join(text.split())
    assert claim.name.span.text == text


def test_a_whole_assertion_is_a_claim() -> None:
    (claim,) = parse_claim(Source("<claim>", "assert served never rejected when images")).assertions
    assert claim.name.text == "never rejected when images"
    assert claim.when is not None and condition_text(claim.when) == "images"


@pytest.mark.parametrize(
    ("text", "code", "underlined", "said"),
    [
        ("", "PD107", "", "a claim is `never"),
        ("nevr rejected", "PD101", "nevr", "did you mean `never`?"),
        ("never", "PD103", "", "expected"),
        ("location == cloud", "PD101", "location", "`never`"),
        ("never rejected never rejected", "PD101", "never", "the end of the statement"),
        ("claimed never loosen", "PD101", "loosen", "did you mean `loosens`?"),
        ("never location = cloud", "PD101", "=", "=="),
        ("never rejected when tokens > 5x", "PD114", "x", "suffixes"),
        ("route x to y", "PD101", "route", ""),
    ],
)
def test_a_mistake_points_into_the_claim(text: str, code: str, underlined: str, said: str) -> None:
    read = parse_claim(Source("<claim>", text))
    first = read.diagnostics[0]
    assert first.code == code
    assert first.span is not None and first.span.text == underlined
    assert said in (first.help or "")
    assert "`claim`" not in first.message and "assert NAME" not in "".join(first.details)


def test_a_statement_behind_a_claim_is_no_claim() -> None:
    assert parse_claim(Source("<claim>", "never rejected\nroute x to y")).diagnostics


def test_a_file_has_a_claim_on_each_line() -> None:
    text = "# what audit asks\nnever rejected\n\nnever location == cloud\n  when images # all of them\nnever rejected\n"
    read = parse_claims(Source("claims.txt", text))
    assert read.diagnostics == ()
    assert [c.name.text for c in read.assertions] == [
        "never rejected",
        "never location == cloud when images",
    ]
    assert read.assertions[1].name.span.place == "claims.txt:4:1"


def test_every_line_of_a_file_is_looked_at() -> None:
    read = parse_claims(Source("claims.txt", "nevr rejected\nnever rejected\nnever\n"))
    assert [d.span.place for d in read.diagnostics if d.span] == ["claims.txt:1:1", "claims.txt:3:6"]
    assert len(read.assertions) == 1


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n"])
def test_a_file_without_claims_is_no_proof(text: str) -> None:
    assert [d.code for d in parse_claims(Source("claims.txt", text)).diagnostics] == ["PD107"]
