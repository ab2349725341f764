"""Combinations of atoms that no request can have.

Some features depend on each other: a finding brings the names above it, what cannot be taken out was found, the context needed follows from the prompt and
the answer, the weekday from the date, and images are never scanned. In come the axes, out come boxes that between them hold exactly the cells without
any possible concrete value, so that a search which avoids them never invents an impossible request.

    needed = min(largest, tokens + max_output)    where the client set a `max_output` below the largest
    needed >= tokens                              where it set none (then `max_output` is the largest)
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import Final, TypeAlias

from policyd.engine.axes import Axes, EnumAxis, NumberAxis
from policyd.engine.boxes import Box
from policyd.policy.builtins import ENDPOINTS, UNSCANNED, WEEKDAYS
from policyd.policy.program import Feature, NumberDomain
from policyd.policy.tasks import ACTING, agreeing

__all__ = ["MOST_CORNERS", "context_boxes", "relation_boxes"]

Interval: TypeAlias = tuple[int, int]

MOST_CORNERS: Final = 65_536
"""Pairs of token and answer atoms that the context relation may look at."""


def relation_boxes(features: Iterable[Feature], axes: Axes) -> tuple[Box, ...] | None:
    """Boxes of impossible cells, or None where the constants of `tokens` and `max_output` are too many to relate."""
    context = _context(features, axes)
    if context is None:
        return None
    return (*_names(axes), *_found(axes), *context, *_unscanned(axes), *_days(axes), *_tasks(axes))


def _names(axes: Axes) -> Iterator[Box]:
    """A name without the nearest mentioned name above it."""
    for (feature, name), at in axes.index.items():
        if name is None:
            continue
        parts = name.split(".")
        for n in range(len(parts) - 1, 0, -1):
            above = axes.of(feature, ".".join(parts[:n]))
            if above is not None:
                yield {above: 0b01, at: 0b10}
                break


def _found(axes: Axes) -> Iterator[Box]:
    """What cannot be taken out and was not found: a name of the one without the nearest mentioned name of the other."""
    for (feature, name), at in axes.index.items():
        if feature != "unredactable" or name is None:
            continue
        parts = name.split(".")
        above = (axes.of("findings", ".".join(parts[:n])) for n in range(len(parts), 0, -1))
        found = next((a for a in above if a is not None), None)
        if found is not None:
            yield {found: 0b01, at: 0b10}


def _unscanned(axes: Axes) -> Iterator[Box]:
    """Images, or remote content, in a request that is not opaque."""
    opaque = axes.of("opaque")
    for name in UNSCANNED:
        at = axes.of(name)
        if at is not None and opaque is not None:
            yield {at: 0b10, opaque: 0b01}


def _days(axes: Axes) -> Iterator[Box]:
    """A date, or dates, with the weekdays that none of them has."""
    at, of = axes.of("date"), axes.of("weekday")
    if at is None or of is None:
        return
    dates, days = axes.axes[at], axes.axes[of]
    assert isinstance(dates, NumberAxis) and isinstance(days, EnumAxis)
    by: dict[int, int] = {}
    for atom in range(dates.size):
        low, high = dates.bounds(atom)
        if high - low >= 6:
            continue
        seen = 0
        for day in range(low, high + 1):
            seen |= 1 << days.atom_of(WEEKDAYS[date.fromordinal(day).weekday()])
        by[days.full & ~seen] = by.get(days.full & ~seen, 0) | 1 << atom
    for never, atoms in by.items():
        if never:
            yield {at: atoms, of: never}


def _tasks(axes: Axes) -> Iterator[Box]:
    """Tasks with the endpoints, the tools and the lack of tools that never go with them."""
    at, of = axes.of("task"), axes.of("endpoint")
    if at is None:
        return
    tasks = axes.axes[at]
    assert isinstance(tasks, EnumAxis)
    places = [place for name in ACTING if (place := axes.of(name)) is not None]
    # What the axes of tools say of whether the request has any; without both of them its lack is never said.
    said: list[tuple[Box, tuple[bool, ...]]] = [({}, (True, False))]
    said += [({place: 0b10}, (True,)) for place in places]
    if len(places) == len(ACTING):
        said.append((dict.fromkeys(places, 0b01), (False,)))
    groups: tuple[tuple[str, ...], ...] = (ENDPOINTS,)
    if of is not None:
        axis = axes.axes[of]
        assert isinstance(axis, EnumAxis)
        groups = axis.groups
    for atom, words in enumerate(tasks.groups):
        for box, acting in said:
            never = 0
            for place, group in enumerate(groups):
                if not any(agreeing(words, group, acting)):
                    never |= 1 << place
            if never == (1 << len(groups)) - 1:
                yield {at: 1 << atom, **box}
            elif never and of is not None:
                yield {at: 1 << atom, **box, of: never}


def _context(features: Iterable[Feature], axes: Axes) -> tuple[Box, ...] | None:
    domains = {f.name: f.domain for f in features if f.where.kind == "builtin"}
    needed = axes.of("context_needed")
    domain = domains.get("context_needed")
    if needed is None or not isinstance(domain, NumberDomain):
        return ()
    parts = [axes.of("tokens"), axes.of("max_output")]
    if parts == [None, None]:
        return ()

    def intervals(at: int | None) -> list[Interval]:
        if at is None:
            return [(0, domain.high)]
        axis = axes.axes[at]
        assert isinstance(axis, NumberAxis)
        return [axis.bounds(a) for a in range(axis.size)]

    sides = [intervals(parts[0]), intervals(parts[1]), intervals(needed)]
    if len(sides[0]) * len(sides[1]) > MOST_CORNERS:
        return None
    boxes = []
    for masks in context_boxes(sides[0], sides[1], sides[2], domain.high):
        box = {}
        for at, mask, side in zip((*parts, needed), masks, sides, strict=True):
            if at is not None and mask != (1 << len(side)) - 1:
                box[at] = mask
        boxes.append(box)
    return tuple(boxes)


def context_boxes(
    tokens: Sequence[Interval], answers: Sequence[Interval], needed: Sequence[Interval], largest: int
) -> Iterator[tuple[int, int, int]]:
    """Masks (tokens, max_output, context needed) of impossible cells, exactly. Each argument partitions 0..largest.

    The last answer interval holds `largest`, where the client set no `max_output`: there only `needed >= tokens` binds.
    Both bounds are monotone in the parts, so each is a staircase and only its corners become boxes.
    """
    every = (1 << len(answers)) - 1
    set_ = every >> 1
    last = len(answers) - 1
    for i, _, below in _corners([[low] for low, _ in tokens], needed, largest):
        yield _from(i, len(tokens)), every, (1 << below) - 1
    sums = [[low + answer for answer, _ in answers[:last]] for low, _ in tokens]
    for i, k, below in _corners(sums, needed, largest):
        if k == 0 and answers[0][0] == 0:
            continue  # the pair above says it already
        yield _from(i, len(tokens)), set_ & _from(k, len(answers)), (1 << below) - 1
    tops = [[high + answer for _, answer in answers[:last]] for _, high in tokens]
    for i, k, above in _top_corners(tops, needed):
        yield (1 << i + 1) - 1, (1 << k + 1) - 1, _from(above, len(needed))


def _from(start: int, size: int) -> int:
    return (1 << size) - (1 << start)


def _corners(
    lowest: Sequence[Sequence[int]], needed: Sequence[Interval], largest: int
) -> Iterator[tuple[int, int, int]]:
    """(i, k, n): from `i` and `k` on, the first `n` intervals of the context are too low, and no earlier corner says so."""
    highs = [high for _, high in needed]
    previous: list[int] = []
    for i, row in enumerate(lowest):
        current = [bisect_left(highs, min(largest, low)) for low in row]
        for k, below in enumerate(current):
            told = max(previous[k] if previous else 0, current[k - 1] if k else 0)
            if below > told:
                yield i, k, below
        previous = current


def _top_corners(tops: Sequence[Sequence[int]], needed: Sequence[Interval]) -> Iterator[tuple[int, int, int]]:
    """(i, k, n): up to `i` and `k`, the context's intervals from `n` on are too high, and no later corner says so."""
    size = len(needed)
    lows = [low for low, _ in needed]
    following: list[int] = []
    for i in range(len(tops) - 1, -1, -1):
        row = tops[i]
        current = [bisect_right(lows, top) for top in row]
        for k in range(len(row) - 1, -1, -1):
            told = min(following[k] if following else size, current[k + 1] if k + 1 < len(row) else size)
            if current[k] < told:
                yield i, k, current[k]
        following = current
