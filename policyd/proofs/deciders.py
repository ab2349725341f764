"""Every route of one side that decides some request of a region, without asking about each route that could.

In: the side, its routes that touch the region, and a way to ask for a request of the region that meets one of some clauses,
outside some guards, and past some routes. Out: the routes that decide a request there, each with a cell, as they are found.

The one idea: "one of these routes is live, and none that is known to come before them" is a single question for many routes,
a target at a time. Its answer is a cell, and whoever decides that cell was not known; or it is no, for all of them at once.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Final, TypeAlias

from policyd.engine.matrix import Matrix
from policyd.proofs.find import Cell
from policyd.proofs.side import Side

__all__ = ["Ask", "Deciders"]

Ask: TypeAlias = Callable[[int, tuple[int, ...], int], Cell | None]
"""A request that meets a clause of the first mask, outside all clauses of one of the guards, for which no route is live
that owns a clause of the last mask."""

_TOGETHER: Final = 48
"""Routes that are asked about at once."""


class Deciders:
    """Looks through the routes of one side in one region."""

    def __init__(self, side: Side, matrix: Matrix, matched: Callable[[Cell], int], ask: Ask) -> None:
        self._side = side
        self._matrix = matrix
        self._matched = matched
        self._ask = ask
        self._known: list[int] = []

    def among(self, order: Sequence[int], wanted: Callable[[int], bool]) -> Iterator[tuple[int, Cell]]:
        """The routes that decide, of those that are wanted; others that were met on the way as well. `order`: the routes
        that touch the region, in order."""
        asked = [route for route in order if wanted(route)]
        for start in range(0, len(asked), _TOGETHER):
            few = asked[start : start + _TOGETHER]
            stack = [(few[0] - 1, few[-1] + 1)]
            while stack:
                low, high = stack.pop()
                cut = self._cut(low, high)
                if cut is not None:
                    stack += [(cut, high), (low, cut)]
                    continue
                inside = [r for r in few[bisect_right(few, low) : bisect_left(few, high)] if wanted(r)]
                found = self._next(inside, low)
                if found is not None:
                    insort(self._known, found[0])
                    yield found
                    stack.append((low, high))

    def passed(self, low: int | None = None) -> int:
        """The clauses of the routes that are known to decide something, up to this one."""
        mask = 0
        for route in self._known if low is None else self._known[: bisect_right(self._known, low)]:
            mask |= self._side.route(route)
        return mask

    def _cut(self, low: int, high: int) -> int | None:
        """A known route between the two, the middle one."""
        first, last = bisect_right(self._known, low), bisect_left(self._known, high)
        return self._known[(first + last) // 2] if first < last else None

    def _next(self, inside: Sequence[int], low: int) -> tuple[int, Cell] | None:
        """A route that is not known, at a cell that it decides; None where none of these decides any.

        INVARIANT: no known route stands between these. So where one of them is live, and no known one before, whoever
        decides is not known."""
        if not inside:
            return None
        passed = self.passed(low)
        by: dict[int, int] = {}
        for route in inside:
            for guards in self._side.guards(self._side.targets[route]):
                by[guards] = by.get(guards, 0) | self._side.route(route)
        if len(inside) > 1 and len(by) > 1:
            need = 0
            for clauses in by.values():
                need |= clauses
            cell = self._ask(need, tuple(by), passed)
            if cell is None:
                return None
            found = self._at(cell)
            if found is not None:
                return found
        for guards, need in by.items():
            cell = self._ask(need, (guards,), passed)
            if cell is not None:
                found = self._at(cell)
                assert found is not None, "INVARIANT: a route is live there, and none that is known"
                return found
        return None

    def _at(self, cell: Cell) -> tuple[int, Cell] | None:
        """Who decides the cell, if that is not known yet."""
        route = self._side.first_live(self._matrix, self._matched(cell))
        return None if route is None or route in self._known else (route, cell)
