"""`[targets.NAME.send]`: what can be declared, and what cannot because the policy decides about it."""

import tomllib
from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from policyd.deploy.send import DECIDED, ONLY_OFF, send_table
from policyd.traffic.reach import REACH_KEYS, READ_KEYS, Outcome


def test_values_become_json() -> None:
    table = tomllib.loads(
        'provider = { zdr = true, only = ["a"], n = 1.5 }\ndisable_fallbacks = true\nno-log = true'
    )
    assert send_table(table) == (
        ("provider", '{"zdr":true,"only":["a"],"n":1.5}'),
        ("disable_fallbacks", "true"),
        ("no-log", "true"),
    )


@pytest.mark.parametrize("key", sorted(ONLY_OFF))
def test_what_makes_a_server_keep_or_fetch_can_only_be_declared_off(key: str) -> None:
    assert send_table({key: False}) == ((key, "false"),)
    assert send_table({key: []}) == ((key, "[]"),)
    for value in (True, "x", 0, {}, {"a": 1}, ["x"]):
        with pytest.raises(PydanticCustomError, match="only `false`"):
            send_table({key: value})


def test_a_cache_can_be_told_to_keep_nothing() -> None:
    assert send_table({"cache": {"no-store": True}}) == (("cache", '{"no-store":true}'),)
    for value in ({"no-store": False}, {"ttl": 5}, {"no-store": True, "ttl": 5}):
        with pytest.raises(PydanticCustomError):
            send_table({"cache": value})


def test_no_key_that_the_policy_sees_can_be_declared() -> None:
    """The reach keys that become features, and every key that a reader looks at, are in one of the two tables."""
    seen = {row.key for row in REACH_KEYS if row.outcome is not Outcome.REFUSED} | READ_KEYS
    assert seen <= DECIDED | ONLY_OFF


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param({"messages": []}, "the policy decides", id="content"),
        pytest.param({"model": "m"}, "the policy decides", id="the model"),
        pytest.param({"": 1}, "letters, digits", id="no key"),
        pytest.param({'a"b': 1}, "letters, digits", id="a quote"),
        pytest.param({"x": float("nan")}, "JSON does not have", id="not a number"),
        pytest.param({"x": [float("inf")]}, "JSON does not have", id="infinity"),
        pytest.param({"x": 2**53}, "below 2", id="a number too large"),
        pytest.param(tomllib.loads("x = 2026-01-01"), "as a string", id="a date"),
        pytest.param({"x": "a" * 20_000}, "longer than", id="too long"),
        pytest.param({"x": [[[[[[[[1]]]]]]]]}, "levels deep", id="too deep"),
        pytest.param("x", "is a table", id="no table"),
    ],
)  # fmt: skip
def test_what_cannot_be_declared(value: Any, said: str) -> None:
    with pytest.raises(PydanticCustomError) as caught:
        send_table(value)
    assert said in caught.value.message()
