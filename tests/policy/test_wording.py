"""Conditions in words: what a person reads for each form."""

import pytest

from policyd.policy.condition import (
    FALSE,
    TRUE,
    AtLeast,
    Condition,
    Flag,
    Has,
    InRange,
    OneOf,
    Prefix,
    both,
    either,
    negate,
)
from policyd.policy.program import MAX_NUMBER
from policyd.policy.wording import condition_text
from tests.trials.small import small_program

PROGRAM = small_program()
MAX = MAX_NUMBER


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (TRUE, "true"),
        (FALSE, "false"),
        (Flag("images"), "images"),
        (negate(Flag("images")), "not images"),
        (AtLeast("sensitivity", 2), "sensitivity >= confidential"),
        (negate(AtLeast("sensitivity", 2)), "sensitivity < confidential"),
        (InRange("context_needed", 200_001, MAX), "context_needed > 200k"),
        (InRange("context_needed", 200_000, MAX), "context_needed >= 200k"),
        (InRange("context_needed", 0, 200_000), "context_needed <= 200k"),
        (InRange("context_needed", 0, 199_999), "context_needed < 200k"),
        (InRange("context_needed", 7, 7), "context_needed == 7"),
        (InRange("context_needed", 7, 9), "context_needed in 7..9"),
        (negate(InRange("hour", 7, 9)), "not (hour in 7..9)"),
        (InRange("date", 740_000, 766_280), "date in 2027-01-19..2099-01-01"),
        (OneOf("team", frozenset({"a"})), 'team == "a"'),
        (OneOf("team", frozenset({"b", "a"})), 'team in { "a", "b" }'),
        (negate(OneOf("team", frozenset({"b", "a"}))), 'team not in { "a", "b" }'),
        (negate(OneOf("team", frozenset({"a"}))), 'team != "a"'),
        (OneOf("endpoint", frozenset({"chat"})), "endpoint == chat"),
        (OneOf("endpoint", frozenset({"messages", "chat"})), "endpoint in { chat, messages }"),
        (negate(OneOf("endpoint", frozenset({"chat"}))), "endpoint != chat"),
        (OneOf("weekday", frozenset({"sat", "sun"})), "weekday >= sat"),
        (OneOf("weekday", frozenset({"mon", "tue"})), "weekday <= tue"),
        (OneOf("weekday", frozenset({"mon", "wed"})), "weekday in { mon, wed }"),
        (Prefix("team", 'a"b'), 'team starts with "a\\"b"'),
        (Has("findings", "secret"), 'findings contains "secret"'),
        (either(Has("findings", "a"), Has("findings", "b")), 'findings contains any { "a", "b" }'),
        (both(Has("findings", "a"), Has("findings", "b")), 'findings contains all { "a", "b" }'),
        (
            both(Flag("images"), either(Has("findings", "a"), Has("findings", "b"))),
            'images and findings contains any { "a", "b" }',
        ),
        (both(Flag("images"), either(Flag("tools"), Flag("json"))), "images and (tools or json)"),
        (either(Flag("tools"), both(Flag("images"), Flag("json"))), "tools or (images and json)"),
        (negate(either(Flag("tools"), Flag("json"))), "not (tools or json)"),
    ],
)
def test_reads_as_the_language_does(condition: Condition, text: str) -> None:
    assert condition_text(PROGRAM, condition) == text
