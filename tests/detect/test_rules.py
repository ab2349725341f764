"""A company's own rules: what they find, what takes it back, what is wrong with one, and that none can be slow."""

import pytest

from policyd.detect.builtin import DETECTORS, engine_with
from policyd.detect.engine import Engine
from policyd.detect.rules import LARGEST, Allow, Rule, detector_of_rule, expression_of, hostile, rule_troubles
from policyd.detect.scanner import Scanner
from policyd.detect.visible import searched

KEY = r"(?i)acme[_-]?key\s*[:=]\s*[\"']?([a-f0-9]{16})"
TEXT = "the acme_key = '9f86d081884c7d65' is new"


def found(rule: Rule, text: str) -> frozenset[str]:
    assert list(rule_troubles(rule)) == []
    return Engine((detector_of_rule(rule),)).names_in(searched(text))


def test_a_rule_reports_its_own_name_and_the_finding_that_it_names() -> None:
    assert found(Rule("acme-key", KEY), TEXT) == {"custom.acme-key"}
    assert found(Rule("acme-key", KEY, finding="secret"), TEXT) == {"custom.acme-key", "secret"}


def test_keywords_are_asked_first_with_their_case_ignored() -> None:
    assert found(Rule("a", KEY, keywords=("ACME",)), TEXT)
    assert not found(Rule("a", KEY, keywords=("other",)), TEXT)
    assert found(Rule("a", KEY, keywords=("schlüssel",)), TEXT), "beyond ASCII a keyword rules nothing out"


@pytest.mark.parametrize(
    ("allow", "kept"),
    [
        (Allow(("^9f86",)), False),
        (Allow(("^acme",)), True),
        (Allow(("^acme",), target="match"), False),
        (Allow(("is new$",), target="match"), True),
        (Allow(("is new$",), target="line"), False),
        (Allow((), ("D65",)), False),
        (Allow((), ("new",)), True),
        (Allow(("^9f86",), ("none",), both=True), True),
        (Allow(("^9f86",), ("d65",), both=True), False),
        (Allow(("^none",), ("d65",)), False),
    ],
)
def test_an_allowlist_takes_a_match_back(allow: Allow, kept: bool) -> None:
    assert bool(found(Rule("a", KEY, allow=(allow,)), TEXT)) is kept


def test_a_line_is_that_of_the_match() -> None:
    rule = Rule("a", KEY, allow=(Allow(("allowed",), target="line"),))
    assert found(rule, f"allowed\n{TEXT}\nallowed")
    assert not found(rule, f"{TEXT} # allowed\n")


def test_the_secret_must_vary_as_much_as_its_rule_says() -> None:
    assert found(Rule("a", KEY, entropy=3.0), TEXT)
    assert not found(Rule("a", KEY, entropy=3.0), "acme_key=aaaaaaaabbbbbbbb")


def test_the_secret_is_the_group_that_is_named_or_the_first_that_matched() -> None:
    text = "x=1234 y=zzzz"
    either = r"x=([0-9]{4}) y=([a-z]{4})"
    spans = {
        g: next(iter(detector_of_rule(Rule("a", either, group=g)).find(text.encode()))) for g in (0, 1, 2)
    }
    assert [text[h.start : h.end] for h in spans.values()] == ["1234", "1234", "zzzz"]
    second = next(iter(detector_of_rule(Rule("a", "(?:(none)|y=)([a-z]+)")).find(text.encode())))
    assert text[second.start : second.end] == "zzzz"


def test_letters_of_other_alphabets_are_letters() -> None:
    assert found(Rule("a", "проект «[^»]{4}»"), "это проект «Игла» и всё")
    assert found(Rule("a", "x.y"), "xéy")


@pytest.mark.parametrize(
    ("rule", "key", "part"),
    [
        (Rule("a", "(?=x)y"), ("regex",), "RE2 does not take it"),
        (Rule("a", r"(x)\1"), ("regex",), "RE2 does not take it"),
        (Rule("a", "(x"), ("regex",), "RE2 does not take it"),
        (Rule("a", "x*"), ("regex",), "matches the empty text"),
        (Rule("a", "x" * 20_000), ("regex",), "characters"),
        (
            Rule("a", "".join(f"[{c}z]{{1000}}" for c in "abcdefghijklmnopqrstuvwxy")),
            ("regex",),
            "instructions",
        ),
        (Rule("a", "xy", group=1), ("secretGroup",), "has no group"),
        (Rule("a", "xy", allow=(Allow(("(",)),)), ("allowlists", 0, "regexes", 0), "RE2 does not take it"),
        (Rule("a", "xy", examples=("x", "xy")), ("examples", 0), "does not find its own example"),
        (Rule("a", "xy", not_examples=("nothing", "xy")), ("not_examples", 1), "finds what it must not"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_before_it_serves(
    rule: Rule, key: tuple[str | int, ...], part: str
) -> None:
    troubles = list(rule_troubles(rule))
    assert [(t.key, part in t.message) for t in troubles] == [(key, True)]
    assert troubles[0].cure


def test_a_rule_is_tried_on_floods_of_its_own_words() -> None:
    rule = Rule("a", "acme(.{0,40}x){3}", keywords=("acme",), examples=("acme1x2x3x",))
    floods = list(hostile(rule))
    assert all(flood.startswith(b"acme ") for flood in floods)
    assert any(flood.count(b"acme1x2x3x") > 1000 for flood in floods)
    assert list(rule_troubles(rule)) == []
    assert expression_of(rule.expression).programsize < LARGEST


def test_a_company_with_rules_has_an_engine_of_its_own_and_one_without_shares() -> None:
    rules = (Rule("codename", r"\bOrion\b"),)
    engine = engine_with(rules)
    assert engine is not None and engine is engine_with(rules)
    assert engine_with(()) is None
    assert engine.names == frozenset({"custom.codename"}).union(*(d.names for d in DETECTORS))


def test_a_text_of_five_characters_can_hold_a_rule_of_five() -> None:
    engine = engine_with((Rule("codename", r"\bOrion\b"),))
    assert Scanner(engine).scan(["Orion"]) == {"custom.codename"}
    assert [s.name for s in Scanner(engine).spans("Orion")] == ["custom.codename"]
    assert Scanner().scan(["Orion"]) == set()
