"""Exceptions: what each opens is found target by target, and one that opens nothing is said to."""

import re
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.condition import TRUE, Condition, InRange, both, negate
from policyd.policy.evaluate import firing_guards
from policyd.policy.excepted import applies, excepted, without_exception
from policyd.policy.program import ExceptionClause, Guard, Program
from policyd.proofs.findings import Finding
from policyd.proofs.openings import openings
from policyd.resolve.load import load_text
from policyd.text.diagnostic import Severity
from tests.proofs.brute_more import lets_through
from tests.proofs.drawn import Drawn, case_of, finished, small
from tests.strategies.programs import conditions

GROUPS = (("date",), ("date", "team"), ("date", "urgent", "latency"), ("date", "findings"))
_DAYS = tuple(date(2026, 3, d).toordinal() for d in (1, 9, 20))


def _exceptions(
    draw: st.DrawFn, names: tuple[str, ...], guards: tuple[Guard, ...]
) -> tuple[ExceptionClause, ...]:
    plain = conditions(names, max_leaves=2)
    return tuple(
        ExceptionClause(f"e{i}", draw(st.sampled_from(guards)).name, draw(plain | st.just(TRUE)), draw(st.sampled_from(_DAYS)), "ciso", "x")
        for i in range(draw(st.integers(1, 3)))
    )  # fmt: skip


@st.composite
def excepting(draw: st.DrawFn) -> tuple[Drawn, dict[str, Condition]]:
    """A program with exceptions, and for each the condition of its guard without it."""
    bases: dict[str, Condition] = {}

    def shape(draw: st.DrawFn, program: Program, names: tuple[str, ...]) -> Program:
        written = tuple(g for g in program.guards if not g.builtin)
        if not written:
            return program
        exceptions = _exceptions(draw, names, written)
        by = {g.name: tuple(e for e in exceptions if e.guard == g.name) for g in written}
        for e in exceptions:
            base = next(g.condition for g in written if g.name == e.guard)
            others = (both(o.when, InRange("date", 730_000, o.until)) for o in by[e.guard] if o is not e)
            bases[e.name] = both(base, *(negate(o) for o in others))
        guards = tuple(
            g if g.builtin else replace(g, condition=excepted(g.condition, by[g.name]))
            for g in program.guards
        )
        return replace(program, guards=guards, exceptions=exceptions)

    return draw(small(GROUPS, shape=shape)), bases


def targets_of(finding: Finding) -> set[str]:
    return set(re.findall(r"`(t\d)`", finding.message)) if finding.code == "PD316" else set()


@given(excepting())
def test_each_exception_opens_what_it_alone_lets_through(drawn: tuple[Drawn, dict[str, Condition]]) -> None:
    (program, _, every), bases = drawn
    found = finished(openings(case_of(program)))
    assert [f.subject for f in found] == [e.name for e in program.exceptions]
    for finding, exception in zip(found, program.exceptions, strict=True):
        expected = lets_through(program, exception, bases[exception.name], every)
        assert targets_of(finding) == expected
        assert finding.code == ("PD316" if expected else "PD317")
        if finding.witness is not None:
            shown = lets_through(program, exception, bases[exception.name], [finding.witness.request])
            assert finding.said is not None and re.findall(r"`(t\d)`", finding.said[0])[0] in shown


@given(conditions(("date", "team", "urgent")), st.lists(st.tuples(conditions(("date", "team")) | st.just(TRUE), st.sampled_from(_DAYS)), max_size=3))  # fmt: skip
def test_an_exception_is_taken_out_as_it_was_put_in(
    base: Condition, drawn: list[tuple[Condition, int]]
) -> None:
    exceptions = [
        ExceptionClause(f"e{i}", "g", when, until, "o", "b") for i, (when, until) in enumerate(drawn)
    ]
    folded = excepted(base, exceptions)
    for at, exception in enumerate(exceptions):
        others = excepted(base, (*exceptions[:at], *exceptions[at + 1 :]))
        twice = sum(applies(e) == applies(exception) for e in exceptions) > 1
        if not twice:
            assert without_exception(folded, exception) == others
    for exception in reversed(exceptions):
        folded = without_exception(folded, exception)
    assert folded == base


POLICY = """edition 1
target rack { location on_prem context 64k speaks chat }
target away { location cloud context 64k speaks chat }
target far { location cloud region us context 64k speaks chat }
guard stays_home only location == on_prem when stream overridable by "ciso" because "x"
%s
route rest to away, far, rack
otherwise reject "no"
"""
PILOT = 'except pilot to stays_home when hour < 6 until 2098-12-31 owner "ciso" because "a pilot"\n'


@pytest.mark.parametrize(
    ("rest", "code", "severity", "message"),
    [
        pytest.param(
            "", "PD316", Severity.NOTE, "exception `pilot` opens `away` and `far` until 2098-12-31", id="two targets"
        ),
        pytest.param(
            'guard also forbid target == far when hour < 9 because "x"',
            "PD316", Severity.NOTE, "exception `pilot` opens `away` until 2098-12-31", id="another guard keeps one",
        ),
        pytest.param(
            'deny early when hour < 9 because "x"', "PD317", Severity.WARNING,
            "exception `pilot` opens nothing: no request gets a target of `stays_home` because of it", id="a deny keeps all",
        ),
    ],
)  # fmt: skip
def test_what_is_said_of_an_exception(rest: str, code: str, severity: Severity, message: str) -> None:
    program = load_text(POLICY % (PILOT + rest)).program
    assert program is not None
    (finding,) = openings(case_of(program))
    assert (finding.code, finding.severity, finding.message) == (code, severity, message)
    assert finding.labels[0].span.text == "stays_home"
    if code == "PD316":
        assert finding.help is not None and '"ciso"' in finding.help and "2098-12-31" in finding.help
        assert finding.witness is not None
        assert "away" not in firing_guards(program, finding.witness.request)


def test_two_exceptions_that_open_the_same_open_nothing_alone() -> None:
    program = load_text(POLICY % (PILOT + PILOT.replace("pilot to", "again to"))).program
    assert program is not None
    assert [f.code for f in openings(case_of(program))] == ["PD317", "PD317"]
