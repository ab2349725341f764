"""What `policyd check` says of policies that are well formed and not what their author means: a case for each proof's
finding, with its exit code."""

from functools import partial
from pathlib import Path

import pytest

from policyd import pipeline
from policyd.engine import matrix
from policyd.proofs.find import Budget
from policyd.proofs.prove import prove
from tests.cli.conftest import CLEAN, GUARD, ROUTES, VOCABULARY, Run

HOLED = 'otherwise reject "no model may take this" holes {}'
CLAIM_GUARD = 'guard by_word forbid target == cloud when latency == interactive because "the word decides"\n'
UNKNOWN_GUARD = (
    'string desk from identity unknown "none"\n'
    'guard desks forbid target == cloud when desk == "trading" because "the trading desk stays home"\n'
)
TEAM = "edition 1\n\nroute own to {}\n"


@pytest.mark.parametrize(
    ("text", "code", "exit_code"),
    [
        pytest.param(VOCABULARY + CLAIM_GUARD + ROUTES, "warning[PD303]", 1, id="claimed loosens"),
        pytest.param(VOCABULARY + UNKNOWN_GUARD + ROUTES, "warning[PD304]", 1, id="unknown loosens"),
        pytest.param(
            CLEAN.replace("guard stays_home", 'guard never_met forbid target == cloud when hour == 3 and hour == 4 because "x"\nguard stays_home'),
            "[PD", 1, id="a guard that never applies",
        ),
        pytest.param(
            CLEAN.replace("otherwise", "assert nobody never location == cloud when hour == 3 and hour == 4\notherwise", 1),
            "warning[PD310]", 1, id="an assertion that claims nothing",
        ),
        pytest.param(CLEAN, "note[PD306]", 0, id="a hole is a note"),
        pytest.param(
            CLEAN.replace('otherwise reject "no model may take this"', HOLED.format("warning")), "warning[PD306]", 1,
            id="a hole that the policy wants as a warning",
        ),
        pytest.param(
            CLEAN.replace('otherwise reject "no model may take this"', HOLED.format("error")), "error[PD306]", 1,
            id="a hole that the policy wants as an error",
        ),
        pytest.param(VOCABULARY + GUARD + ROUTES, "note[PD307]", 0, id="a dead end is a note"),
    ],
)  # fmt: skip
def test_a_finding_and_its_exit_code(text: str, code: str, exit_code: int, run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(text)
    ran = run("check", "main.policy")
    assert code in ran.out
    assert ran.code == exit_code


LETS = "".join(f"let l{i} = {'images' if i == 0 else f'not l{i - 1}'}\n" for i in reversed(range(40)))
EXCEPTION = 'except pilot to stays_home when team == "lab" until 2100-01-01 owner "ciso" because "a pilot"\n'
CORNERS = "".join(
    f'guard g{i} forbid target == cloud when tokens == {2 * i} or max_output == {2 * i} because "x"\n'
    for i in range(1, 200)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(CLEAN.replace("when opaque or", "when"), "PD244", id="a level that never looks at opaque"),
        pytest.param(CLEAN.replace("least confidential", "least internal"), "PD245", id="a raise to the lowest"),
        pytest.param(
            CLEAN.replace("because", 'overridable by "ciso" because', 1) + EXCEPTION, "PD254", id="an exception for ever"
        ),
        pytest.param(CLEAN + LETS + "assert deep never rejected when l39\n", "PD209", id="lets in lets"),
        pytest.param(CLEAN + CORNERS, "PD604", id="too many constants to relate"),
    ],
)  # fmt: skip
def test_what_is_written_too_far_is_one(text: str, code: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(text)
    ran = run("check", "main.policy")
    assert f"[{code}]" in ran.out
    assert ran.code == 1


def test_a_policy_that_outgrows_memory_is_refused(
    run: Run, clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matrix, "MOST_ROW_BYTES", 10)
    ran = run("check", clean)
    assert ran.code == 1
    assert "error[PD603]" in ran.out


def test_includes_that_conflict_are_an_error_with_a_witness(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.policy").write_text(TEAM.format("local"))
    (tmp_path / "b.policy").write_text(TEAM.format("cloud, local"))
    includes = 'include "a.policy" scope team == "x"\ninclude "b.policy" scope team in { "x", "y" }'
    (tmp_path / "main.policy").write_text(VOCABULARY + GUARD + "\n" + includes + "\n" + ROUTES)
    ran = run("check", "main.policy")
    assert ran.code == 1
    assert "error[PD308]" in ran.out
    assert "team=x" in ran.out


def test_what_outgrows_its_budget_is_not_proved_and_three(
    run: Run, clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "prove", partial(prove, budget=Budget(nodes=0, seconds=0.0)))
    ran = run("check", clean)
    assert ran.code == 3
    assert "error[PD302]" in ran.out
    assert "[PD309]" in ran.out
    assert "main.policy: not proved, " in ran.out
    assert "0 of 1 assertion proved" in ran.out
