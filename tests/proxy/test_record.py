"""A line of the decision log: what was decided and done, with a caller's words bounded and escaped."""

import json
from datetime import date
from typing import Any

import pytest

from policyd.policy.decision import Candidates, Plan, Reject, Removal
from policyd.policy.program import MAX_NUMBER
from policyd.policy.request import EVERYTHING
from policyd.proxy.errand import Attempt
from policyd.proxy.record import LONGEST, MOST_CLAIMS, Record, line_of, shown


def said(**more: Any) -> dict[str, Any]:
    record = Record("d1", 1_763_634_600.5, "digest", "chat", **more)
    line = line_of(record)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    out: dict[str, Any] = json.loads(line)
    return out


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("a\x1b[31m\n\u202eb", "a\\u001b[31m\\u000a\\u202eb"),
        ("x" * 500, "x" * LONGEST + "…"),
        (frozenset({"secret.aws", "secret"}), ["secret", "secret.aws"]),
        (EVERYTHING, ["*"]),
        (True, True),
        (7, 7),
    ],
    ids=[
        "a word",
        "what a terminal obeys",
        "a long string",
        "findings",
        "unknown findings",
        "a flag",
        "a number",
    ],
)
def test_a_value(value: Any, expected: object) -> None:
    assert shown(value) == expected
    assert said(features={"f": value})["features"]["f"] == expected


def test_bounds_are_marked_as_such() -> None:
    features = said(features={"tokens": 40}, between={"tokens": (3, 40)})["features"]
    assert features["tokens"] == {"at_least": 3, "at_most": 40}


def test_a_plan_and_its_attempts() -> None:
    plan = Plan("rest", (Candidates("order", ("a", "b")),), (Removal("c", ("home", "region")),))
    attempts = [Attempt("a", 1.0, "refused", took=0.001), Attempt("b", 1.0, "answered", 200, 0.25, 0.5)]
    out = said(decided=plan, attempts=attempts, status=200, outcome="answered", target="b")
    assert (out["route"], out["candidates"], out["removed"]) == (
        "rest",
        ["a", "b"],
        {"c": ["home", "region"]},
    )
    assert out["attempts"] == [
        {"target": "a", "outcome": "refused", "ms": 1.0},
        {"target": "b", "outcome": "answered", "status": 200, "first_byte_ms": 250.0, "ms": 500.0},
    ]
    assert out["time"] == "2025-11-20T10:30:00.500000Z"


def test_a_rejection() -> None:
    out = said(
        decided=Reject(("too_fast",), ("slow down",), 429), status=429, by=("too_fast",), said="slow down"
    )
    assert (out["route"], out["rejected_by"], out["by"], out["said"]) == (
        None,
        ["too_fast"],
        ["too_fast"],
        "slow down",
    )


def test_days_are_written_as_days_and_what_nobody_bounds_as_null() -> None:
    day = date(2026, 11, 20).toordinal()
    features = {
        "date": day,
        "until": day + 1,
        "messages": day,
        "max_output": MAX_NUMBER,
        "tokens": MAX_NUMBER,
    }
    out = said(features=features, dates=frozenset({"date", "until", "absent"}))["features"]
    assert out == {
        "date": "2026-11-20",
        "until": "2026-11-21",
        "messages": day,
        "max_output": None,
        "tokens": None,
    }


def test_the_caller_is_recorded_bounded() -> None:
    caller = {"team": "search", "note": "x" * 500, **{f"claim{n}": "v" for n in range(100)}}
    out = said(caller=caller)["caller"]
    assert (out["team"], out["note"], len(out)) == ("search", "x" * LONGEST + "…", MOST_CLAIMS)
    assert said()["caller"] == {}


def test_an_attempt_that_may_have_arrived_is_told_apart() -> None:
    attempts = [
        Attempt("a", 1.0, "refused", took=0.001, stale=True),
        Attempt("a", 1.0, "refused", took=0.001),
    ]
    assert [a.get("stale") for a in said(attempts=attempts)["attempts"]] == [True, None]
