"""Requests that a person writes are completed to ones that can exist; what cannot exist is told apart."""

import pytest

from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.possible import agree
from policyd.policy.program import MAX_NUMBER, Otherwise, Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.text.diagnostic import Severity

PROGRAM = Program(BUILTIN_FEATURES, (), (), (), (), (), Otherwise("no", 403, Severity.NOTE))


def completed(**given: object) -> Request:
    request = quiet_request(PROGRAM, given)
    assert isinstance(request, Request)
    return request


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"tokens": 0, "max_output": 0, "context_needed": 0, "weekday": "mon", "opaque": False}),
        ({"tokens": 7}, {"context_needed": 7}),
        ({"tokens": 7, "max_output": 5}, {"context_needed": 12}),
        ({"context_needed": 300}, {"tokens": 300, "max_output": 0}),
        ({"context_needed": 300, "max_output": 100}, {"tokens": 200}),
        ({"context_needed": 300, "tokens": 100}, {"max_output": 200}),
        ({"tokens": None}, {"tokens": MAX_NUMBER, "context_needed": MAX_NUMBER}),
        ({"context_needed": None}, {"tokens": MAX_NUMBER, "context_needed": MAX_NUMBER}),
        ({"max_output": None, "tokens": 9}, {"max_output": MAX_NUMBER, "context_needed": 9}),
        ({"weekday": "sat"}, {"weekday": "sat", "date": 730486 + 5}),
        ({"images": True}, {"opaque": True}),
        ({"remote_content": None}, {"opaque": True}),
    ],
)
def test_what_belongs_together_is_completed(given: dict[str, object], expected: dict[str, object]) -> None:
    request = completed(**given)
    assert agree(request.values)
    assert {name: request.values[name] for name in expected} == expected


@pytest.mark.parametrize(
    "given",
    [
        {"tokens": 5, "max_output": 5, "context_needed": 300},
        {"tokens": 50, "context_needed": 10},
        {"date": "2026-11-20", "weekday": "mon"},
        {"images": True, "opaque": False},
    ],
)
def test_what_cannot_be_together_is_told(given: dict[str, object]) -> None:
    assert not agree(completed(**given).values)


def test_a_program_without_these_features_binds_nothing() -> None:
    assert agree({"port": 80})
