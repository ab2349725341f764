"""Random drawings with any text anywhere, and the pictures of policies that ship."""

from pathlib import Path
from typing import Final

from hypothesis import Phase
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.graph.asking import Asked, asked
from policyd.graph.gather import Room, gather
from policyd.graph.model import (
    Bunch,
    Candidate,
    Choice,
    DenyStep,
    Dimension,
    Drawing,
    ExceptionNote,
    GuardStep,
    LevelStep,
    Mark,
    OtherwiseStep,
    RaiseNote,
    RouteStep,
    TargetReach,
    Via,
)
from policyd.graph.page import VIEWS, View
from policyd.graph.reach import STEPS, budget
from policyd.policy.program import Program
from policyd.proofs.case import Case, open_case
from policyd.resolve.load import load

__all__ = ["NO_SHRINKING", "POLICIES", "ROOT", "case_of", "drawing_of", "drawings", "program_at", "views"]

ROOT: Final = Path(__file__).parents[2]
POLICIES: Final = (
    "policies/coding-team.policy",
    "policies/regulated.policy",
    "policies/claude-code-tiers.policy",
    "policies/many-teams/company.policy",
)

NO_SHRINKING: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""Drawings are so large that shrinking one takes minutes."""

_MARKS = st.sampled_from(("yes", "no", "not proved"))
_TEXTS = st.one_of(
    st.text(max_size=30),
    st.text(alphabet="mW@iл漢字é<>&\"'\u202e\u0000\ufffe ]", min_size=1, max_size=200),
    st.sampled_from(("a", "stays_home", "team == \"a\" and hour in 1..3 or not (images and tools)", "<script>x</script>", "W" * 400, "an or and " * 60)),
)  # fmt: skip
_PLACES = st.sampled_from(("on_prem", "cloud"))


def _many(strategy: st.SearchStrategy[object], most: int = 4, least: int = 0) -> st.SearchStrategy[object]:
    return st.lists(strategy, min_size=least, max_size=most).map(tuple)


_CANDIDATES = st.builds(Candidate, _TEXTS, _PLACES, _MARKS, st.sampled_from(("", "70 %", "1/3")))
_CHOICES = st.builds(Choice, st.just("") | _TEXTS, _many(_CANDIDATES, 5, 1))
_LEVELS = st.builds(
    LevelStep,
    _TEXTS,
    _many(_TEXTS, 6, 1),
    _many(st.builds(RaiseNote, _TEXTS, st.just("") | _TEXTS, st.booleans())),
    st.integers(0, 30),
)
_DENIES = st.builds(DenyStep, _TEXTS, st.just("") | _TEXTS, _TEXTS, st.integers(400, 499), _MARKS)
_NOTES = st.builds(ExceptionNote, _TEXTS, _TEXTS, st.just("2030-01-01"), _TEXTS)
_GUARDS = st.builds(
    GuardStep, _TEXTS, _TEXTS, st.just("") | _TEXTS, _TEXTS, _many(_CANDIDATES, 20), _MARKS, _many(_NOTES, 2)
)
_ROUTES = st.builds(RouteStep, _TEXTS, st.just("") | _TEXTS, _many(_CHOICES, 5, 1), _MARKS)


def _bunches(kind: str) -> st.SearchStrategy[Bunch]:
    names = _many(_TEXTS, 6, 1)
    targets = _many(_CANDIDATES, 6)
    return st.builds(
        Bunch, st.integers(7, 10_000), st.just(kind), st.just("") | _TEXTS, names, targets, st.integers(0, 99)
    )


@st.composite
def drawings(draw: st.DrawFn) -> Drawing:
    """A drawing that no policy has to have."""
    dimensions = draw(_many(st.builds(Dimension, _TEXTS, _many(_TEXTS, 8, 1)), 3))
    facts = draw(st.lists(st.sampled_from(("region", "retention", "training", "tier")) | _TEXTS, max_size=4))
    targets = tuple(draw(st.lists(_target(dimensions, facts), min_size=1, max_size=6)))
    return Drawing(
        title=draw(_TEXTS),
        digest="0123456789abcdef",
        counts=tuple((draw(st.integers(1, 9999)), w) for w in ("level", "deny", "guard", "route", "target")),
        levels=tuple(draw(st.lists(_LEVELS, max_size=2))),
        denies=tuple(draw(st.lists(_DENIES | _bunches("deny"), max_size=3))),
        guards=tuple(draw(st.lists(_GUARDS | _bunches("guard"), max_size=3))),
        routes=tuple(draw(st.lists(_ROUTES | _bunches("route"), max_size=16))),
        otherwise=OtherwiseStep(draw(_TEXTS), 403, draw(_MARKS)),
        dimensions=dimensions,  # type: ignore[arg-type]
        targets=tuple(sorted(targets, key=lambda t: t.location != "on_prem")),
        more_targets=draw(st.integers(0, 1) | st.integers(100, 9999)),
    )


@st.composite
def _target(draw: st.DrawFn, dimensions: tuple[Dimension, ...], facts: list[str]) -> TargetReach:
    cells: tuple[tuple[Mark, ...], ...] = tuple(
        tuple(draw(_MARKS) for _ in dimension.values) for dimension in dimensions
    )
    return TargetReach(
        draw(_TEXTS),
        draw(_PLACES),
        tuple((name, draw(_TEXTS)) for name in dict.fromkeys(facts)),
        draw(_MARKS),
        cells,
        draw(_many(st.builds(Via, _TEXTS, _MARKS), 6)),  # type: ignore[arg-type]
        draw(st.integers(0, 40)),
    )


def views() -> st.SearchStrategy[tuple[View, ...]]:
    return st.sampled_from((VIEWS, *((view,) for view in VIEWS)))


def program_at(path: Path) -> Program:
    program = load(path).program
    assert program is not None
    return program


def case_of(program: Program, by: tuple[str, ...] = ()) -> tuple[Case, list[Asked]]:
    found = [a for a in asked(program, by) if isinstance(a, Asked)]
    matrix = build_matrix(program, tuple(c for a in found for c in a.conditions))
    assert isinstance(matrix, Matrix)
    return open_case(program, matrix, budget()), found


def drawing_of(
    program: Program, by: tuple[str, ...] = (), *, room: Room | None = None, steps: int = STEPS
) -> Drawing:
    case, found = case_of(program, by)
    return gather(case, found, title="policy", room=room, steps=steps)
