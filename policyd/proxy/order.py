"""In which order the candidates of a plan are tried. Pure.

In come the plan's groups and what is known about the targets now; out goes one order of exactly these candidates. The
one idea: a policy says which targets stand together, and only inside such a group may load, price or speed choose. It
cannot add a candidate, leave one out, or move one past its group.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import assert_never

from policyd.policy.decision import Candidates, Plan

__all__ = ["Observed", "Standing", "in_order_to_try", "smoothed"]

_WEIGHT_OF_NEW = 0.3
"""Share of the newest observation in the smoothed time to the first byte: about the last five requests count."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known about targets now. `in_flight`: requests under way. `first_byte`: smoothed seconds to the first byte;
    a target that was never tried counts as fastest, so that it is. `price_in`: micro-dollars per million tokens."""

    in_flight: Mapping[str, int]
    first_byte: Mapping[str, float]
    price_in: Mapping[str, int]


def in_order_to_try(plan: Plan, standing: Standing, draw: Callable[[], float]) -> tuple[str, ...]:
    """The candidates, each once. `draw` gives a number in [0, 1) and breaks ties, so that equal targets share."""
    groups = plan.groups
    if len(groups) == 1 and groups[0].pick == "order":
        return groups[0].targets
    out: dict[str, None] = {}
    for group in groups:
        out.update(dict.fromkeys(_of_group(group, standing, draw)))
    return tuple(out)


def _of_group(group: Candidates, standing: Standing, draw: Callable[[], float]) -> tuple[str, ...]:
    match group.pick:
        case "order":
            return group.targets
        case "any":
            rank = {t: (float(standing.in_flight.get(t, 0)), draw()) for t in group.targets}
        case "cheapest":
            rank = {t: (float(standing.price_in.get(t, 0)), draw()) for t in group.targets}
        case "fastest":
            rank = {t: (standing.first_byte.get(t, 0.0), draw()) for t in group.targets}
        case _:
            assert_never(group.pick)
    return tuple(sorted(group.targets, key=rank.__getitem__))


def smoothed(before: float | None, seconds: float) -> float:
    """The smoothed time after one more observation."""
    return seconds if before is None else before + _WEIGHT_OF_NEW * (seconds - before)


class Observed:
    """What the proxy sees of its targets: requests under way, and the smoothed time to the first byte. Of one event loop."""

    __slots__ = ("_first_byte", "_in_flight", "_view")

    def __init__(self) -> None:
        self._in_flight: dict[str, int] = {}
        self._first_byte: dict[str, float] = {}
        self._view: Standing | None = None

    def began(self, target: str) -> None:
        self._in_flight[target] = self._in_flight.get(target, 0) + 1

    def ended(self, target: str) -> None:
        self._in_flight[target] -= 1

    def first_byte(self, target: str, seconds: float) -> None:
        self._first_byte[target] = smoothed(self._first_byte.get(target), seconds)

    def standing(self, price_in: Mapping[str, int]) -> Standing:
        """A view, not a copy, so that one serves for as long as the prices do."""
        if self._view is None or self._view.price_in is not price_in:
            self._view = Standing(self._in_flight, self._first_byte, price_in)
        return self._view
