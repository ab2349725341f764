"""In which order the candidates of a plan are tried. Pure.

In come the plan's groups and what is known about the targets now; out goes one order of exactly these candidates. The
one idea: a policy says which targets stand together, and only inside such a group may load, price, speed or a
conversation's earlier place choose. It cannot add a candidate, leave one out, or move one past its group.

Inside a group those that would be passed over anyway come last. Then:

- `any`: of two that are drawn, the one with less to do for its speed (Mitzenmacher 2001: nearly as good as knowing all,
  and no herd runs to the one that was free a moment ago);
- `cheapest`: what this request costs there, then as `any`;
- `fastest`: the shortest smoothed time to the first byte; one that was never tried first, and now and then another one
  than the fastest, since a time that is never measured again would stay as it was.

A conversation comes back with all that was said before, and the server that answered it last has most of it computed. So
in `any` and `fastest` a request with a `conversation` prefers the place that rendezvous hashing gives it, unless that has
clearly more to do than its share (consistent hashing with bounded loads, Mirrokni, Thorup and Zadimoghaddam 2018) or is
much slower than the fastest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final, NamedTuple, assert_never

from policyd.policy.decision import Candidates, Plan
from policyd.policy.program import Member
from policyd.policy.rendezvous import chosen

__all__ = ["Seen", "Standing", "in_order_to_try", "is_fixed", "smoothed"]

_WEIGHT_OF_NEW: Final = 0.3
"""Share of the newest observation in the smoothed time to the first byte: about the last five requests count."""

EXPLORED: Final = 0.02
"""Share of requests that go to another than the fastest."""

MORE_THAN_ITS_SHARE: Final = 1.25
"""A conversation leaves its place where that has more than this times the mean of its group."""

MUCH_SLOWER: Final = 2.0
"""A conversation leaves its place where that takes more than this times what the fastest takes."""


class Seen(NamedTuple):
    """What is known of one target: requests under way, smoothed seconds to the first byte (None: never tried), and whether
    it would be asked at all."""

    in_flight: int = 0
    first_byte: float | None = None
    ready: bool = True


_UNSEEN: Final = Seen()


@dataclass(frozen=True, slots=True)
class Standing:
    """What an order goes by. `costs`: of this request at each target, any unit; `conversation` names the one it belongs
    to, None where it belongs to none."""

    seen: Mapping[str, Seen] = field(default_factory=dict)
    costs: Mapping[str, float] = field(default_factory=dict)
    conversation: str | None = None

    def of(self, target: str) -> Seen:
        return self.seen.get(target, _UNSEEN)


def is_fixed(plan: Plan) -> bool:
    """Whether the policy leaves nothing to choose."""
    groups = plan.groups
    return groups[0].pick == "order" if len(groups) == 1 else all(group.pick == "order" for group in groups)


def in_order_to_try(plan: Plan, standing: Standing, draw: Callable[[], float]) -> tuple[str, ...]:
    """The candidates, each once. `draw` gives a number in [0, 1)."""
    out: dict[str, None] = {}
    for group in plan.groups:
        out.update(dict.fromkeys(_of_group(group, standing, draw)))
    return tuple(out)


def _of_group(group: Candidates, standing: Standing, draw: Callable[[], float]) -> tuple[str, ...]:
    targets = group.targets
    if group.pick == "order" or len(targets) == 1:
        return targets
    ready = [t for t in targets if standing.of(t).ready]
    if not ready:
        return tuple(_by_load(targets, standing, draw))
    match group.pick:
        case "any":
            order = _by_load(ready, standing, draw)
            preferred = _place_of(standing, ready)
        case "cheapest":
            costs = {t: standing.costs.get(t, 0.0) for t in ready}
            equal = [[t for t in ready if costs[t] == cost] for cost in sorted(set(costs.values()))]
            order = [t for of_one_cost in equal for t in _by_load(of_one_cost, standing, draw)]
            preferred = None
        case "fastest":
            order = _by_speed(ready, standing, draw)
            preferred = _place_of(standing, ready)
            if preferred is not None and _is_slow(standing, preferred, ready):
                preferred = None
        case _:
            assert_never(group.pick)
    if preferred is not None:
        order = [preferred, *(t for t in order if t != preferred)]
    return (*order, *(t for t in targets if t not in ready))


def _by_load(
    targets: list[str] | tuple[str, ...], standing: Standing, draw: Callable[[], float]
) -> list[str]:
    """The better of two that are drawn, then the others by load."""
    if len(targets) == 1:
        return list(targets)
    known = [s.first_byte for t in targets if (s := standing.of(t)).first_byte is not None]
    usual = min(known, default=1.0)

    def load(target: str) -> float:
        seen = standing.of(target)
        return (seen.in_flight + 1) * (usual if seen.first_byte is None else seen.first_byte)

    # Drawn without putting back; what is drawn first wins a tie, so that equal targets share.
    first = int(draw() * len(targets))
    second = int(draw() * (len(targets) - 1))
    second += second >= first
    best = min((targets[first], targets[second]), key=load)
    return [best, *sorted((t for t in targets if t != best), key=load)]


def _by_speed(targets: list[str], standing: Standing, draw: Callable[[], float]) -> list[str]:
    def seconds(target: str) -> tuple[float, int]:
        seen = standing.of(target)
        return (seen.first_byte or 0.0, seen.in_flight)

    order = sorted(targets, key=seconds)
    drawn = draw()
    if drawn < EXPLORED and len(order) > 1:
        other = order.pop(1 + int(drawn / EXPLORED * (len(order) - 1)))
        order.insert(0, other)
    return order


def _place_of(standing: Standing, targets: list[str]) -> str | None:
    """The place of the conversation, unless it has more than its share to do."""
    if standing.conversation is None:
        return None
    under_way = sum(standing.of(t).in_flight for t in targets)
    most = ceil(MORE_THAN_ITS_SHARE * (under_way + 1) / len(targets))
    left = list(targets)
    while left:
        place = chosen(standing.conversation, [Member(t) for t in left]).target
        if standing.of(place).in_flight < most:
            return place
        left.remove(place)
    raise AssertionError("INVARIANT: not all have more than the mean")


def _is_slow(standing: Standing, target: str, targets: list[str]) -> bool:
    known = [s.first_byte for t in targets if (s := standing.of(t)).first_byte is not None]
    own = standing.of(target).first_byte
    return own is not None and own > MUCH_SLOWER * min(known, default=own)


def smoothed(before: float | None, seconds: float) -> float:
    """The smoothed time after one more observation."""
    return seconds if before is None else before + _WEIGHT_OF_NEW * (seconds - before)
