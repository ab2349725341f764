"""A policy that uses the whole language resolves without a finding, and its own test holds under the reference."""

from pathlib import Path

from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate, level_rank
from policyd.policy.program import Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.resolve.load import load

EXAMPLE = Path(__file__).with_name("example.policy")


def program() -> Program:
    loaded = load(EXAMPLE)
    assert loaded.diagnostics == ()
    assert loaded.program is not None
    assert loaded.files == (EXAMPLE,)
    return loaded.program


def request(**given: object) -> Request:
    made = quiet_request(program(), {"team": "search", "origin": "us", "endpoint": "messages", **given})
    assert isinstance(made, Request)
    return made


def test_its_own_test_holds() -> None:
    policy = program()
    (case,) = policy.tests
    made = quiet_request(policy, dict(case.given))
    assert isinstance(made, Request)
    decision = evaluate(policy, made)
    assert isinstance(decision, Plan)
    assert decision.targets == case.expect.targets == ("gpu_rack",)
    assert decision.route == case.expect.via == "interactive"
    assert {r.target: frozenset(r.guards) for r in decision.removed} == dict(case.expect.removed)


def test_features_stand_in_canonical_order() -> None:
    names = [f.name for f in program().features]
    assert names[0] == "endpoint"
    assert names[-10:] == [
        "findings", "unredactable", "user", "latency", "team", "project", "origin", "header:x-data-class", "exceeded(team_month)",
        "exceeded(burst)",
    ]  # fmt: skip


def test_a_label_raises_and_never_lowers() -> None:
    policy = program()
    level = policy.level("sensitivity")
    ranks = {
        label: level_rank(policy, level, request(**{"header:x-data-class": label})) for label in level.values
    }
    assert ranks == {"public": 1, "internal": 1, "confidential": 2, "restricted": 3}


def test_a_finding_below_a_named_one_counts() -> None:
    policy = program()
    level = policy.level("sensitivity")
    assert level_rank(policy, level, request(findings={"iban.de"})) == 3
    assert level_rank(policy, level, request(findings={"ibanish"})) == 1


def test_guards_are_the_written_ones_then_the_capabilities() -> None:
    guards = program().guards
    assert [g.name for g in guards if not g.builtin] == ["stays_home", "residency", "no_retention"]
    assert [g.text for g in guards[:3]] == [
        "only location == on_prem",
        "only region == eu",
        "forbid retention != none",
    ]
    assert guards[2].hits == {"claude"}
    assert {g.name for g in guards[3:]} == {"context", "speaks", "supports"}


def test_always_is_never_over_the_others() -> None:
    policy = program()
    home = next(a for a in policy.assertions if a.name == "confidential_stays_home")
    assert home.kind == "never"
    assert home.targets == {"bedrock_eu", "claude", "dashscope"}
    assert home.text == "never location == cloud when sensitivity >= confidential"
