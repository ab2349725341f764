"""The policies that ship are clean, tested, and guarded by assertions and tests that notice when a rule is taken out."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from policyd.deploy.bindings import check_bindings
from policyd.deploy.read import read_deployment
from policyd.engine.matrix import build_matrix
from policyd.policy.program import Program
from policyd.proofs.prove import prove
from policyd.resolve.load import Loaded, load
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.run import failures, run_tests

ROOT: Final = Path(__file__).parents[2]
FILES: Final = sorted(p for folder in ("policies", "examples") for p in (ROOT / folder).rglob("*.policy"))
ROOTS: Final = [p for p in FILES if "\notherwise " in p.read_text()]
DEPLOYMENTS: Final = sorted((ROOT / "examples").rglob("policyd.toml"))


@cache
def loaded(path: Path) -> Loaded:
    return load(path)


def program_of(path: Path) -> Program:
    program = loaded(path).program
    assert program is not None, told(loaded(path).diagnostics)
    return program


def told(diagnostics: tuple[Diagnostic, ...]) -> str:
    return "\n".join(
        f"{d.code} {d.span.place if d.span else ''} {d.message} {d.details}" for d in diagnostics
    )


def findings(program: Program) -> tuple[Diagnostic, ...]:
    proofs = prove(program, build_matrix(program)).diagnostics
    return tuple(d for d in (*proofs, *failures(run_tests(program))) if d.severity is not Severity.NOTE)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", ROOTS, ids=name_of)
def test_a_policy_is_clean_and_says_what_it_claims(path: Path) -> None:
    program = program_of(path)
    assert not loaded(path).diagnostics, told(loaded(path).diagnostics)
    assert not findings(program), told(findings(program))
    assert program.assertions
    assert program.tests


def test_every_policy_file_is_part_of_a_policy_that_is_checked() -> None:
    read = {file.resolve() for path in ROOTS for file in loaded(path).files}
    assert read == {path.resolve() for path in FILES}


RULES: Final = [
    (path, kind, rule.name)
    for path in ROOTS
    for kind, rules in (("guard", program_of(path).guards), ("deny", program_of(path).denies))
    for rule in rules
    if not getattr(rule, "builtin", False)
]


@pytest.mark.parametrize(
    ("path", "kind", "name"), RULES, ids=lambda v: name_of(v) if isinstance(v, Path) else v
)
def test_taking_a_rule_out_is_noticed(path: Path, kind: str, name: str) -> None:
    program = program_of(path)
    if kind == "guard":
        without = replace(program, guards=tuple(g for g in program.guards if g.builtin or g.name != name))
    else:
        without = replace(program, denies=tuple(d for d in program.denies if d.name != name))
    assert findings(without), f"nothing in {name_of(path)} notices that {kind} `{name}` is gone"


@pytest.mark.parametrize("path", DEPLOYMENTS, ids=name_of)
def test_a_deployment_file_fits_its_policy(path: Path) -> None:
    """Its secrets, and the files that only its machine has, are not here."""
    result = read_deployment(path, {}, absent_secret=Severity.NOTE)
    assert {d.severity for d in result.diagnostics} <= {Severity.NOTE}, told(result.diagnostics)
    assert result.draft is not None
    unfit = check_bindings(program_of(Path(result.draft.policy)), result.draft)
    assert not unfit, told(unfit)
