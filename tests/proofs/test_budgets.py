"""Budgets: one never matters exactly where no request is decided otherwise when it is used up."""

from dataclasses import replace

import pytest
from hypothesis import given

from policyd.policy.request import Request
from policyd.proofs.budgets import idle_budgets
from policyd.proofs.find import Budget
from policyd.resolve.load import load_text
from tests.proofs.brute_more import outcome
from tests.proofs.drawn import Drawn, case_of, finished, small

GROUPS = (
    ("exceeded(month)",),
    ("exceeded(month)", "team"),
    ("exceeded(month)", "urgent", "latency"),
    ("exceeded(month)", "findings"),
)
FLAG = "exceeded(month)"


@given(small(GROUPS))
def test_a_budget_never_matters_iff_no_outcome_depends_on_it(drawn: Drawn) -> None:
    program, _, every = drawn
    matters = any(
        outcome(program, Request({**r.values, FLAG: True}))
        != outcome(program, Request({**r.values, FLAG: False}))
        for r in every
    )
    found = finished(idle_budgets(case_of(program)))
    assert [f.subject for f in found] == ([] if matters else ["month"])


POLICY = """edition 1
string team from identity unknown reject
budget month $4000 per month by team
limit burst 2M tokens per minute by team
target rack {{ location on_prem context 64k speaks chat }}
target away {{ location cloud context 200k speaks chat }}
deny too_fast when exceeded(burst) status 429 because "slow down"
{}
otherwise reject "no"
"""


@pytest.mark.parametrize(
    ("rest", "messages", "labels"),
    [
        pytest.param("route rest to away, rack", ["no rule asks for `exceeded(month)`"], [], id="nobody asks"),
        pytest.param("route spent to rack when exceeded(month)\nroute rest to away, rack", [], [], id="it matters"),
        pytest.param(
            "route spent to rack when exceeded(month)\nroute rest to rack",
            ["`exceeded(month)` changes no decision"], ["exceeded(month)"], id="asked for in vain",
        ),
        pytest.param(
            'guard home forbid target == away when exceeded(month) because "x"\nroute rest to rack',
            ["`exceeded(month)` changes no decision"], ["exceeded(month)"], id="a guard on what is never reached",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_a_budget(rest: str, messages: list[str], labels: list[str]) -> None:
    program = load_text(POLICY.format(rest)).program
    assert program is not None
    found = idle_budgets(case_of(program))
    assert [(f.code, f.message) for f in found] == [
        ("PD315", f"budget `month` never matters: {m}") for m in messages
    ]
    assert [x.span.text for f in found for x in f.labels] == labels


def test_a_limit_that_only_words_an_answer_never_matters() -> None:
    text = POLICY.format("route rest to away, rack").replace(
        "when exceeded(burst)", 'when team == "x" and exceeded(burst)'
    )
    program = load_text(
        text.replace("deny too_fast", 'deny first when team == "x" status 429 because "first"\ndeny too_fast')
    ).program
    assert program is not None
    assert [f.subject for f in idle_budgets(case_of(program))] == ["month", "burst"]


def test_what_outgrows_its_budget_is_not_proved() -> None:
    program = load_text(POLICY.format("route spent to rack when exceeded(month)\nroute rest to rack")).program
    assert program is not None
    case = case_of(program)
    poor = replace(case, finder=type(case.finder)(case.matrix, Budget(nodes=0, seconds=0.0)))
    assert [(f.code, f.subject) for f in idle_budgets(poor)] == [("PD309", "month")]
