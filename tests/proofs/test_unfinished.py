"""A question that outgrows its budget is said to be not proved, by every analysis; none falls silent."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.program import Program
from policyd.proofs.budgets import idle_budgets
from policyd.proofs.case import Case, open_case
from policyd.proofs.find import Budget
from policyd.proofs.findings import Finding
from policyd.proofs.lacking import lacking_capabilities
from policyd.proofs.leaks import scope_leaks
from policyd.proofs.monotone import not_monotone
from policyd.proofs.openings import openings
from policyd.proofs.unreached import unreached_targets
from policyd.resolve.load import load_text
from policyd.text.diagnostic import Severity

POLICY = """edition 1
string team from identity unknown reject
level clearance { low < mid < high } from identity unknown reject
limit burst 2M tokens per minute by team
target rack { location on_prem context 64k speaks chat }
target away { location cloud context 64k speaks chat }
guard home forbid target == away when hour < 6 overridable by "ciso" because "x"
guard mids forbid target == away when clearance == mid because "x"
deny too_fast when exceeded(burst) and team == "x" status 429 because "x"
except pilot to home when team == "lab" until 2098-12-31 owner "ciso" because "x"
include "own.policy" scope team == "search"
route rest to away, rack
otherwise reject "no"
"""
OWN = "edition 1\nroute mine to rack when hour > 20\n"


def _program() -> Program:
    program = load_text(POLICY, files={"own.policy": OWN}).program
    assert program is not None
    return program


def _leaking() -> Program:
    program = _program()
    rest = next(r for r in program.routes if r.name == "rest")
    routes = tuple(
        replace(r, condition=rest.condition) if r.name == "own.mine" else r for r in program.routes
    )
    return replace(program, routes=routes)


@pytest.mark.parametrize(
    ("analysis", "subjects", "severity"),
    [
        (not_monotone, ["clearance"], Severity.WARNING),
        (scope_leaks, ["own.mine"], Severity.ERROR),
        (idle_budgets, ["burst"], Severity.WARNING),
        (openings, ["pilot"], Severity.WARNING),
        (unreached_targets, ["rack", "away"], Severity.WARNING),
        (lacking_capabilities, ["completions"], Severity.WARNING),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_is_not_proved_is_said(
    analysis: Callable[[Case], tuple[Finding, ...]], subjects: list[str], severity: Severity
) -> None:
    program = _leaking()
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    found = analysis(open_case(program, matrix, Budget(nodes=0, seconds=0.0)))
    assert [(f.code, f.subject, f.unfinished) for f in found] == [("PD309", s, True) for s in subjects]
    assert {f.severity for f in found} == {severity}
    finished = analysis(open_case(program, matrix))
    assert not any(f.unfinished for f in finished)
