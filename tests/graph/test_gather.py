"""What a drawing says of a policy: its own words, shares, facts, and how much of a long one is gathered."""

from dataclasses import replace
from pathlib import Path

import pytest

from policyd.graph.facts import facts_of
from policyd.graph.model import Bunch, GuardStep, RouteStep
from policyd.policy.program import Target
from tests.graph.drawn import ROOT, drawing_of, program_at

HEAD = """edition 1
string team from identity unknown reject
target a { location cloud context 8k speaks chat }
target b { location on_prem context 8k speaks chat }
target c { location cloud context 8k speaks chat }
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "main.policy"
    path.write_text(HEAD + text + '\notherwise reject "no"\n')
    return path


def test_groups_and_their_shares(tmp_path: Path) -> None:
    text = "\n".join((
        "route one to split { a 70, b 30 } by team, c when team == \"x\"",
        "route two to split { a 1, b 1, c 1 } by team when team == \"y\"",
        "route three to any { a, b }",
    ))  # fmt: skip
    one, two, three = drawing_of(program_at(written(tmp_path, text))).routes
    assert isinstance(one, RouteStep) and isinstance(two, RouteStep) and isinstance(three, RouteStep)
    assert [c.how for c in one.choices] == ["split by team", ""]
    assert [(m.target, m.share) for m in one.choices[0].members] == [("a", "70 %"), ("b", "30 %")]
    assert [m.share for m in two.choices[0].members] == ["1/3", "1/3", "1/3"]
    assert [c.how for c in three.choices] == ["any of"]


def test_conditions_are_in_the_words_of_the_policy() -> None:
    drawing = drawing_of(program_at(ROOT / "policies/regulated.policy"))
    residency = next(g for g in drawing.guards if isinstance(g, GuardStep) and g.name == "residency")
    assert residency.text == "only region == eu"
    assert residency.when == "origin == eu and sensitivity >= internal"
    assert residency.because == "GDPR art. 44: no transfer out of the EU"
    assert [c.target for c in residency.hits] == ["vault_us", "hosted_us", "free_trial"]
    assert [r.when for r in drawing.routes if isinstance(r, RouteStep)] == [
        "latency == batch", "origin == eu", ""
    ]  # fmt: skip


def test_targets_stand_by_location() -> None:
    drawing = drawing_of(program_at(ROOT / "policies/coding-team.policy"))
    assert [t.name for t in drawing.targets] == ["gpu", "gpu_long", "fast", "large", "long"]


@pytest.mark.parametrize(
    ("fact", "value", "said"),
    [
        ("retention", 0, "none"),
        ("retention", 86_400, "1 day"),
        ("retention", 30 * 86_400, "30 days"),
        ("retention", 7_200, "2 hours"),
        ("retention", 61, "61 seconds"),
        ("context", 200_000, "200k"),
        ("price_in", 15_250_000, "15.25 $/M"),
        ("price_in", 0, "0 $/M"),
        ("training", True, "yes"),
        ("speaks", frozenset({"messages", "chat"}), "chat, messages"),
        ("supports", frozenset(), "nothing"),
        ("tier", "silver", "silver"),
    ],
)
def test_a_fact_as_a_person_writes_it(fact: str, value: object, said: str) -> None:
    assert facts_of(Target("t", ((fact, value),))) == ((fact, said),)  # type: ignore[arg-type]


def test_many_routes_of_one_include_stand_together() -> None:
    program = program_at(ROOT / "policies/coding-team.policy")
    first, *_, last = program.routes
    own = tuple(replace(first, name=f"search.r{i}", include="search") for i in range(9_999))
    drawing = drawing_of(replace(program, routes=(first, *own, last)))
    kinds = [r.of if isinstance(r, Bunch) else r.name for r in drawing.routes]
    assert kinds == [first.name, "include search", last.name]
    bunch = drawing.routes[1]
    assert isinstance(bunch, Bunch)
    assert (bunch.count, bunch.names[:2]) == (9_999, ("search.r0", "search.r1"))
    assert [c.target for c in bunch.targets] == ["gpu_long", "long"]


def test_what_does_not_fit_is_counted() -> None:
    program = program_at(ROOT / "policies/coding-team.policy")
    routes = tuple(replace(program.routes[-1], name=f"r{i}") for i in range(500))
    drawing = drawing_of(replace(program, routes=routes))
    *drawn, rest = drawing.routes
    assert isinstance(rest, Bunch)
    assert len(drawn) + rest.count == 500
    assert [r.mark for r in drawn[:2] if isinstance(r, RouteStep)] == ["yes", "no"]
    assert [t.more_via for t in drawing.targets if t.name == "gpu"] == [492]
