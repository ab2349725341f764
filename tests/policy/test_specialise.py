"""A program at one value of a feature decides as the whole one does where the feature has that value."""

from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.condition import features_of
from policyd.policy.evaluate import evaluate, level_rank
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.specialise import specialise
from tests.strategies.programs import READABLE, conditions_of, programs, requests, values_near


@st.composite
def specialised(draw: st.DrawFn) -> tuple[Program, str, Program, Request]:
    name = draw(st.sampled_from(READABLE))
    others = draw(st.lists(st.sampled_from(READABLE), max_size=2))
    program = draw(programs([name, *others], max_assertions=1))
    value = draw(st.sampled_from(values_near(program, program.feature(name))))
    request = Request({**draw(requests(program)).values, name: value})
    return program, name, specialise(program, name, value), request


@given(specialised())
def test_it_decides_alike_where_the_feature_has_the_value(
    drawn: tuple[Program, str, Program, Request],
) -> None:
    program, _, less, request = drawn
    assert evaluate(less, request) == evaluate(program, request)
    for before, after in zip(program.levels, less.levels, strict=True):
        assert level_rank(less, after, request) == level_rank(program, before, request)


@given(specialised())
def test_nothing_tests_the_feature_any_more(drawn: tuple[Program, str, Program, Request]) -> None:
    _, name, less, _ = drawn
    assert all(name not in features_of(c) for c in conditions_of(less))
    assert name not in {r.to for level in less.levels for r in level.raises}


@given(programs())
def test_a_feature_that_nothing_reads_changes_nothing(program: Program) -> None:
    assert specialise(program, "json", True) == program
