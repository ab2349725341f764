"""Not monotone: exactly the steps that gain are found, and the two requests differ in that step alone."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.program import EnumDomain, Program
from policyd.proofs.findings import Finding
from policyd.proofs.monotone import not_monotone
from policyd.resolve.load import load_text
from tests.proofs.brute_more import gains, steps, unmonotone
from tests.proofs.drawn import Drawn, case_of, finished, small

GROUPS = (
    ("findings",),
    ("findings", "team"),
    ("findings", "header:x-data-class"),
    ("header:x-data-class", "latency", "origin"),
    ("origin", "team", "urgent"),
)


def _levels_with_a_source(draw: st.DrawFn, program: Program, _: tuple[str, ...]) -> Program:
    """Two of the drawn enums, one claimed and one attested, may be ordered."""
    ordered = draw(st.sets(st.sampled_from(("latency", "origin"))))
    features = tuple(
        replace(f, domain=replace(f.domain, ordered=True))
        if f.name in ordered and isinstance(f.domain, EnumDomain)
        else f
        for f in program.features
    )
    return replace(program, features=features)


def told(finding: Finding) -> tuple[str, str | None, str]:
    """Feature, finding and rule of a finding, from its words."""
    assert finding.said is not None
    name = re.match(r"one more finding, `(.*?)`", finding.message)
    return finding.subject, name and name[1], finding.said[1].split("`")[1]


@given(small(GROUPS, shape=_levels_with_a_source))
def test_every_step_that_gains_is_found_and_nothing_else(drawn: Drawn) -> None:
    program, names, every = drawn
    found = finished(not_monotone(case_of(program)))
    assert {told(f) for f in found} == unmonotone(program, names, every)
    for finding in found:
        feature, name, rule = told(finding)
        assert finding.witness is not None and finding.twin is not None
        request, twin = finding.witness.request, finding.twin.request
        assert (name, twin) in list(steps(program, request, feature))
        assert rule in {r for r, _ in gains(program, request, twin)}


POLICY = """edition 1
level clearance { low < mid < high } from identity unknown reject
target rack { location on_prem context 64k speaks chat }
target away { location cloud context 64k speaks chat }
%s
route rest to away, rack
otherwise reject "no"
"""


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param(
            'guard found forbid target == away when findings contains "secret" and not findings contains "secret.aws" because "x"\n'
            'guard numbers forbid target == away when findings contains "iban" because "unknown findings stay home"',
            "one more finding, `secret.aws`, allows `away`, which the same request without it does not get",
            id="a finding",
        ),
        pytest.param(
            'deny low when clearance == mid status 403 because "x"',
            "a higher `clearance`, `high`, lifts the rejection `low`, which the same request with `mid` meets",
            id="a level with a source",
        ),
    ],
)
def test_both_requests_are_shown(rule: str, message: str) -> None:
    program = load_text(POLICY % rule).program
    assert program is not None
    (finding,) = not_monotone(case_of(program))
    assert (finding.code, finding.message) == ("PD313", message)
    assert finding.span is not None and finding.span.text in {
        'findings contains "secret.aws"',
        "clearance == mid",
    }
    assert finding.witness is not None and finding.twin is not None
    assert len(finding.diagnostic().details) == 4


@pytest.mark.parametrize(
    "rule",
    [
        'guard found forbid target == away when findings contains "secret" or clearance > low because "x"',
        'deny high when clearance == high status 403 because "x"',
        # All that is unknown gains as well: `unknown loosens` says so.
        'guard found forbid target == away when not findings contains "iban" because "x"',
    ],
)
def test_more_that_takes_more_away_is_no_finding(rule: str) -> None:
    program = load_text(POLICY % rule).program
    assert program is not None
    assert not_monotone(case_of(program)) == ()
