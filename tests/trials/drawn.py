"""Small random programs with every request that their constants tell apart, and tests drawn from those requests."""

from dataclasses import replace

from hypothesis import assume
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.builtins import DATES
from policyd.policy.evaluate import evaluate
from policyd.policy.excepted import excepted
from policyd.policy.program import ExceptionClause, Program, TestCase
from policyd.policy.request import Request
from policyd.proofs.case import Case, open_case
from policyd.proofs.witness import told
from policyd.trials.generate import expected
from tests.proofs.brute import grid_of
from tests.strategies.programs import SMALL, conditions, programs

__all__ = ["case_of", "reading_of", "small", "asked_about"]

GROUPS = (
    SMALL,
    ("tokens", "context_needed", "max_output", "team"),
    ("project", "latency", "header:x-data-class", "opaque", "images"),
    ("findings", "team"),
    ("date", "weekday", "exceeded(month)"),
    ("risk", "hour"),
)


@st.composite
def small(
    draw: st.DrawFn, *, assertions: int = 0, max_routes: int = 4
) -> tuple[Program, tuple[str, ...], list[Request]]:
    """A program, the features it reads, and the grid."""
    names = tuple(
        draw(st.lists(st.sampled_from(draw(st.sampled_from(GROUPS))), min_size=1, max_size=3, unique=True))
    )
    program = draw(programs(names, max_routes=max_routes, max_guards=3, max_assertions=assertions))
    if draw(st.booleans()):
        program = draw(_with_exceptions(program, names))
    reading = reading_of(program, names)
    every = grid_of(program, reading)
    assume(every is not None)
    assert every is not None
    return program, reading, every


@st.composite
def _with_exceptions(draw: st.DrawFn, program: Program, names: tuple[str, ...]) -> Program:
    written = [g for g in program.guards if not g.builtin]
    exceptions = tuple(
        ExceptionClause(
            f"e{i}",
            draw(st.sampled_from(written)).name,
            draw(conditions(names, max_leaves=2)),
            draw(st.sampled_from((DATES.low, DATES.low + 400, DATES.high))),
            "ciso",
            "…",
        )
        for i in range(draw(st.integers(0, 2)) if written else 0)
    )
    guards = tuple(
        replace(g, condition=excepted(g.condition, [e for e in exceptions if e.guard == g.name]))
        for g in program.guards
    )
    return replace(program, guards=guards, exceptions=exceptions)


def reading_of(program: Program, names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, and what comes with them."""
    more = []
    if any(g.builtin for g in program.guards):
        more.append("context_needed")
    if "images" in names:
        more.append("opaque")
    if program.exceptions:
        more.append("date")
    return (*names, *(n for n in more if n not in names))


def case_of(program: Program) -> Case:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return open_case(program, matrix)


def asked_about(program: Program, requests: list[Request]) -> Program:
    """The program with a passing test for each of the requests."""
    tests = tuple(
        TestCase(f"test {i}", tuple(told(program, r).items()), expected(evaluate(program, r)))
        for i, r in enumerate(requests)
    )
    return replace(program, tests=tests)
