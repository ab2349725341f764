"""Small programs with every request that their constants tell apart, and the case to ask about them."""

from collections.abc import Callable, Sequence

from hypothesis import assume
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.case import Case, open_case
from policyd.proofs.findings import Finding
from tests.proofs import brute
from tests.strategies.programs import SMALL, programs

__all__ = ["Drawn", "case_of", "finished", "small"]

Drawn = tuple[Program, tuple[str, ...], list[Request]]

GROUPS: tuple[Sequence[str], ...] = (
    SMALL,
    ("tokens", "context_needed", "team"),
    ("project", "latency", "header:x-data-class", "opaque", "images"),
    ("findings", "team"),
    ("date", "weekday"),
)


@st.composite
def small(
    draw: st.DrawFn,
    groups: Sequence[Sequence[str]] = GROUPS,
    *,
    shape: Callable[[st.DrawFn, Program, tuple[str, ...]], Program] = lambda _, program, __: program,
    most: int = 500,
) -> Drawn:
    """`shape` makes of a drawn program the one that is asked about; it may read the drawn features only."""
    names = tuple(
        draw(st.lists(st.sampled_from(draw(st.sampled_from(groups))), min_size=1, max_size=3, unique=True))
    )
    program = shape(draw, draw(programs(names, max_routes=5)), names)
    reading = list(names)
    if any(g.builtin for g in program.guards):
        reading += [n for n in ("context_needed",) if n not in reading]
    if program.exceptions:
        reading += [n for n in ("date",) if n not in reading]
    if "images" in reading:
        reading += [n for n in ("opaque",) if n not in reading]  # the one brings the other
    every = brute.grid_of(program, reading, most=most)
    assume(every is not None)
    assert every is not None
    return program, tuple(reading), every


def case_of(program: Program) -> Case:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return open_case(program, matrix)


def finished(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    assert not any(f.unfinished for f in findings)
    return findings
