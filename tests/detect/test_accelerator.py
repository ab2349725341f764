"""Hyperscan as a prefilter: what is found with it is what is found without, and what it cannot be tried on stays with RE2."""

from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.detect.accelerator import accelerate
from policyd.detect.builtin import DETECTORS, built_in, engine_with
from policyd.detect.detector import Detector, compiled
from policyd.detect.engine import Engine
from policyd.detect.patterns import PATTERNS
from policyd.detect.rules import Rule, detector_of_rule, expression_of
from policyd.detect.samples import samples

pytest.importorskip("hyperscan")


@lru_cache(maxsize=1)
def accelerated() -> Engine:
    engine = engine_with((), "hyperscan")
    assert engine is not None and engine.prefilter is not None
    return engine


def test_nearly_all_tables_pass_the_self_test() -> None:
    prefilter = accelerated().prefilter
    assert prefilter is not None
    assert prefilter.tried == sum(d.expression is not None for d in DETECTORS)
    assert len(prefilter.covered) >= 0.9 * prefilter.tried


TEXTS = st.lists(
    st.one_of(
        st.builds(
            lambda pattern, number: list(samples(pattern.expression, number + 1))[number : number + 1],
            st.sampled_from(PATTERNS),
            st.integers(0, 40),
        ).map(lambda made: made[0] if made else b""),
        st.binary(max_size=40),
        st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
        st.sampled_from([b"\n", b" key = ", b'"', b"token: ", b"https://", b"=" * 300, b"x" * 5000]),
    ),
    max_size=8,
).map(b"".join)


@given(TEXTS)
@settings(max_examples=150, deadline=None)
def test_what_is_found_is_what_re2_alone_finds(data: bytes) -> None:
    assert accelerated().names_in(data) == built_in().names_in(data)
    assert sorted(accelerated().hits(data)) == sorted(built_in().hits(data))


@given(st.sampled_from(PATTERNS), st.integers(12, 60), st.binary(max_size=20), st.binary(max_size=20))
@settings(max_examples=150, deadline=None)
def test_no_match_of_a_covered_expression_is_ruled_out(
    pattern: object, number: int, before: bytes, after: bytes
) -> None:
    prefilter = accelerated().prefilter
    expression: str = pattern.expression  # type: ignore[attr-defined]
    made = list(samples(expression, number))
    data = before + made[-1] + after if made else before
    covered = {n for n in prefilter.covered if DETECTORS[n].expression == expression}  # type: ignore[union-attr]
    if compiled(expression).search(data) is not None:
        assert covered <= prefilter.possible(data)  # type: ignore[union-attr]


def test_what_no_expression_finds_is_asked_beside_what_one_could() -> None:
    data = b"see ghp_ and client_secret = 'q8Zr2mVx71LpT0wYc5Ns' there"
    assert not accelerated().names_in(data).isdisjoint({"secret.assigned"})
    assert accelerated().names_in(data) == built_in().names_in(data)


def nothing(_data: bytes) -> list[object]:
    return []


def test_an_expression_that_cannot_be_tried_stays_with_re2() -> None:
    readable = Detector(frozenset({"a"}), nothing, expression="[a-f]{4}-[0-9]{4}")  # type: ignore[arg-type]
    unreadable = Detector(frozenset({"b"}), nothing, expression=r"\pL{4}-[0-9]{4}\z")  # type: ignore[arg-type]
    other = Detector(frozenset({"c"}), nothing)  # type: ignore[arg-type]
    prefilter = accelerate((other, unreadable, readable))
    assert prefilter is not None
    assert (prefilter.covered, prefilter.tried <= 2) == ({2}, True)
    assert accelerate((other,)) is None
    assert accelerate((unreadable,)) is None


def test_a_keyword_that_is_not_there_rules_out_with_and_without() -> None:
    rule = Rule("a", "[0-9]{4}-[a-f]{4}", keywords=("acme",))
    with_it = engine_with((rule,), "hyperscan")
    assert with_it is not None
    assert "custom.a" not in with_it.names_in(b"see 1234-abcd there")
    assert "custom.a" in with_it.names_in(b"acme: see 1234-abcd there")


@given(st.text(alphabet="xéyЖ漢 \n", max_size=30))
@settings(max_examples=60, deadline=None)
def test_a_rule_over_characters_is_ruled_out_over_characters(text: str) -> None:
    rule = Rule("a", "x.y|Ж{2}")
    engine = _unicode_engine()
    expected = expression_of(rule.expression).search(text.encode()) is not None
    assert ("custom.a" in engine.names_in(text.encode())) is expected


@lru_cache(maxsize=1)
def _unicode_engine() -> Engine:
    detectors = (detector_of_rule(Rule("a", "x.y|Ж{2}")),)
    prefilter = accelerate(detectors)
    assert prefilter is not None and prefilter.covered == {0}
    return Engine(detectors, prefilter=prefilter)
