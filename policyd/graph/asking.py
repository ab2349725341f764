"""By which values a picture tells reach apart: every level that is computed, and what `--by` asks for.

In come a program and names of features; out come dimensions with one condition for each value, or why a name is none. The
conditions have to be known to the matrix before it is built (`build_matrix(program, extra)`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from policyd.graph.model import Dimension
from policyd.policy.condition import TRUE, AtLeast, Condition, Flag, OneOf, both, negate
from policyd.policy.program import BoolDomain, Classify, EnumDomain, Feature, Program

__all__ = ["MOST_VALUES", "Asked", "NotAsked", "asked"]

MOST_VALUES = 8


@dataclass(frozen=True, slots=True)
class Asked:
    """`conditions[i]` says when a request has `dimension.values[i]`."""

    dimension: Dimension
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Why reach cannot be told apart by this name."""

    message: str
    help: str


def asked(program: Program, by: Sequence[str]) -> tuple[Asked | NotAsked, ...]:
    """The computed levels in written order, then what was asked for and is not among them."""
    levels = [_level(level) for level in program.levels]
    known = {level.name for level in program.levels}
    return (*levels, *(_named(program, name) for name in dict.fromkeys(by) if name not in known))


def _level(level: Classify) -> Asked:
    last = len(level.values) - 1

    def at(rank: int) -> Condition:
        lower = AtLeast(level.name, rank) if rank else TRUE
        upper = negate(AtLeast(level.name, rank + 1)) if rank < last else TRUE
        return both(lower, upper)

    return Asked(Dimension(level.name, level.values), tuple(at(rank) for rank in range(len(level.values))))


def _named(program: Program, name: str) -> Asked | NotAsked:
    feature = next((f for f in program.features if f.name == name), None)
    if feature is None:
        fitting = [f.name for f in program.features if _fits(f)]
        near = get_close_matches(name, fitting, n=1)
        wanted = f"did you mean `{near[0]}`?" if near else f"the policy has {', '.join(fitting)}"
        return NotAsked(f"there is no feature `{name}`", wanted)
    match feature.domain:
        case BoolDomain():
            return Asked(Dimension(name, (f"not {name}", name)), (negate(Flag(name)), Flag(name)))
        case EnumDomain(values) if len(values) <= MOST_VALUES:
            conditions = tuple(OneOf(name, frozenset({v})) if len(values) > 1 else TRUE for v in values)
            return Asked(Dimension(name, values), conditions)
        case EnumDomain(values):
            return NotAsked(f"`{name}` has {len(values)} values, and {MOST_VALUES} is the most", _WHAT_FITS)
    return NotAsked(f"`{name}` is no enum, level or flag", _WHAT_FITS)


_WHAT_FITS = f"reach is told apart by a level, a flag, or an enum of at most {MOST_VALUES} values"


def _fits(feature: Feature) -> bool:
    domain = feature.domain
    return isinstance(domain, BoolDomain) or (
        isinstance(domain, EnumDomain) and len(domain.values) <= MOST_VALUES
    )
