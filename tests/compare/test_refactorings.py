"""Edits that mean nothing are proved to mean nothing; what they say in other words is told, and what they drop is not green."""

from pathlib import Path

import pytest

from policyd.cli.compared import exit_code_of
from policyd.compare.declared import DeclaredKind
from policyd.compare.difference import Difference, Verdict, compare
from policyd.compare.telling import verdict_text
from policyd.proofs.find import Budget
from policyd.resolve.load import load, load_text
from policyd.syntax.format import format_source
from policyd.text.source import Source
from tests.compare.small import BASE, difference

ROOT = Path(__file__).parents[2]

LISTED = BASE.replace(
    "route batch to local when latency == batch",
    'route batch to local when latency == batch and team in { "a", "b" }',
)

SAME = [
    pytest.param(BASE, BASE.replace("route rest", "route everything_else"), id="a rule renamed"),
    pytest.param(
        BASE,
        BASE.replace("guard stays_home", "guard home").replace("deny tired", "deny asleep"),
        id="a guard and a deny renamed",
    ),
    pytest.param(
        LISTED,
        LISTED.replace('team in { "a", "b" }', "team in ab") + 'set ab = { "b", "a" }\n',
        id="a set named",
    ),
    pytest.param(
        LISTED + "let quick = latency == batch\n",
        LISTED.replace("latency == batch and", "slow and") + "let slow = latency == batch\n",
        id="a condition named",
    ),
    pytest.param(
        BASE,
        BASE.replace(
            "route batch to local when latency == batch\n", ""
        ).replace(
            "route rest to", "route batch to local when latency == batch and not context_needed > 32k\nroute rest to"
        ).replace("when context_needed > 32k", "when context_needed > 32k and latency != batch"),
        id="routes that exclude each other reordered",
    ),
    pytest.param(
        BASE,
        BASE.replace(
            "only location == on_prem when sensitivity >= confidential",
            "forbid location == cloud when sensitivity == confidential",
        ),
        id="a guard turned around",
    ),
    pytest.param(
        BASE,
        BASE.replace("latency == batch", "latency == batch and latency != interactive"),
        id="a test that follows from another",
    ),
    pytest.param(
        BASE,
        BASE.replace("route rest to cloud, local", "route a to cloud, local when risk > 5\nroute rest to cloud, local"),
        id="a route split in two",
    ),
    pytest.param(
        BASE,
        BASE.replace("otherwise", 'route never to cloud when latency == batch and latency == interactive\notherwise'),
        id="a dead route more",
    ),
    pytest.param(
        BASE,
        BASE.replace('opaque or findings contains "secret"', 'opaque\n    at least confidential when findings contains "secret"'),
        id="a raise taken apart",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), SAME)
def test_a_refactoring_is_proved_the_same(old: str, new: str) -> None:
    found = difference(old, new)
    assert not found.changes.pairs
    assert not found.unfinished
    assert {d.kind for d in found.declared} <= {DeclaredKind.WORDING}
    assert found.verdict is Verdict.SAME
    assert (
        verdict_text(found.verdict) == "same meaning: the same decisions, proved for every possible request"
    )


def test_what_is_called_otherwise_now_is_told() -> None:
    told = [d.text for d in difference(BASE, BASE.replace("route rest", "route everything")).declared]
    assert told == ["route `rest` is called `everything` now"]


@pytest.mark.parametrize(
    "path", sorted((ROOT / "policies").rglob("*.policy")), ids=lambda p: p.relative_to(ROOT).as_posix()
)
def test_formatting_a_shipped_policy_means_nothing(path: Path) -> None:
    files = {p.relative_to(path.parent).as_posix(): p for p in path.parent.rglob("*.policy")}
    formatted = {}
    for name, file in files.items():
        text = format_source(Source(name, file.read_text())).text
        assert text is not None
        formatted[name] = text
    old = load(path)
    if old.program is None:
        return  # a part that only its root makes whole; its root is one of these paths
    new = load_text(formatted[path.name], path.name, formatted)
    assert new.program is not None
    found = compare(old.program, new.program)
    assert isinstance(found, Difference)
    assert found.verdict is Verdict.SAME
    assert not found.declared


@pytest.mark.parametrize(
    "new",
    [
        BASE.replace("latency == batch", "latency == batch and risk > 3"),
        BASE.replace("route rest to cloud, local", "route rest to local, cloud"),
        BASE.replace(
            "sensitivity >= confidential because", "sensitivity >= confidential and not tools because"
        ),
        BASE.replace("latency == batch", "latency == batch and latency != interactive"),
        BASE + "target more { location on_prem context 32k speaks chat }\n",
        BASE.replace('deny tired when hour in 22..23 status 429 because "the machines rest"\n', ""),
        BASE.replace("unknown 9", "unknown 8").replace("latency == batch", "latency == batch and risk > 3"),
    ],
    ids=[
        "a route narrowed",
        "a plan turned around",
        "a guard loosened",
        "the same in other words",
        "a new target",
        "a deny lifted",
        "unknown is another value",
    ],
)
def test_what_outgrows_its_budget_is_never_green(new: str) -> None:
    found = difference(BASE, new, budget=Budget(nodes=0), deny_new=frozenset({"local", "cloud", "more"}))
    assert found.unfinished
    assert found.verdict in {Verdict.NOT_PROVED, Verdict.LOOSER}
    assert exit_code_of(found.verdict) in {3, 4}


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.SAME, 0),
        (Verdict.CHANGED, 1),
        (Verdict.NOT_PROVED, 3),
        (Verdict.LOOSER, 4),
        (Verdict.DENIED, 4),
        (Verdict.NOT_COMPARED, 1),
    ],
)
def test_a_verdict_has_its_exit_code(verdict: Verdict, code: int) -> None:
    assert exit_code_of(verdict) == code
