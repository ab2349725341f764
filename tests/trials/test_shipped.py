"""The policies that ship are tested to the last goal, and no mistake that is planted in them goes unnoticed."""

from pathlib import Path
from typing import Final

import pytest

from policyd.cli.other_facts import mutants_of_facts, mutants_of_redactions
from policyd.resolve.load import load
from policyd.trials.coverage import State, coverage_of
from policyd.trials.mutants import mutants_of
from policyd.trials.mutate import Fate, mutate
from tests.trials.drawn import case_of

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted(p for folder in ("policies", "examples") for p in (ROOT / folder).rglob("*.policy"))
ROOTS: Final = [p for p in FILES if "\notherwise " in p.read_text()]


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ROOTS, ids=name_of)
def test_every_goal_is_covered(path: Path) -> None:
    program = load(path).program
    assert program is not None
    coverage = coverage_of(case_of(program))
    assert [r.goal.text for r in coverage.of(State.MISSED, State.NOT_PROVED)] == []


@pytest.mark.parametrize("path", ROOTS, ids=name_of)
def test_every_mistake_is_noticed(path: Path) -> None:
    loaded = load(path)
    assert loaded.program is not None
    read_again = (*mutants_of_facts(str(path), loaded), *mutants_of_redactions(str(path), loaded))
    mutants = (*read_again, *mutants_of(loaded.program))
    mutation = mutate(loaded.program, mutants)
    assert [t.mutant.said for t in mutation.of(Fate.SURVIVED)] == []
    assert [t.mutant.said for t in mutation.of(Fate.NOT_PROVED)] == []
    assert len(mutation.of(Fate.BY_TESTS)) >= 15


def test_a_wrong_fact_is_read_into_guards_and_assertions(tmp_path: Path) -> None:
    root = tmp_path / "main.policy"
    root.write_text(
        'edition 1\ninclude "targets.policy"\n'
        'guard home only location == on_prem when hour > 8 because "x"\n'
        'route all to near, far\notherwise reject "no"\n'
        "assert at_home never location == cloud when hour > 8\n"
    )
    (tmp_path / "targets.policy").write_text(
        "edition 1\n"
        "target near { location on_prem retention 30 days training no context 1k speaks chat }\n"
        "target far { location cloud retention none training yes context 1k speaks chat, messages }\n"
    )
    loaded = load(root)
    mutants = list(mutants_of_facts(str(root), loaded))
    assert [m.said for m in mutants] == [
        "`location on_prem` became `location cloud` in target `near`",
        "`retention 30 days` became `retention none` in target `near`",
        "`training no` became `training yes` in target `near`",
        "`location cloud` became `location on_prem` in target `far`",
        "`retention none` became `retention 30 days` in target `far`",
        "`training yes` became `training no` in target `far`",
    ]
    wrong = mutants[3]
    changed = wrong.build()
    assert wrong.span is not None and changed is not None
    assert wrong.span.place == f"{tmp_path / 'targets.policy'}:3:23"
    assert next(g for g in changed.guards if g.name == "home").hits == frozenset()
    assert changed.assertions[0].targets == frozenset()
