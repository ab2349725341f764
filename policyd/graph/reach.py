"""Which targets requests can reach, each answer proved by search: yes, no, or not proved.

In comes a case and where to look (boxes of a condition); out come marks. A target is *reached* by a request when it is a
candidate of the plan, first or last: no deny fires, the first live route names the target, and no guard forbids it.
All questions of one picture share an allowance that is counted in steps, not in seconds, so a picture is the same
wherever it is drawn.
"""

from collections.abc import Callable, Iterable

from policyd.engine.boxes import Box, TooManyBoxes
from policyd.graph.model import Mark
from policyd.policy.condition import Condition
from policyd.proofs.case import Case
from policyd.proofs.find import Budget, Found, OutOfBudget
from policyd.proofs.reach import Question

__all__ = ["STEPS", "Reached", "budget"]

STEPS = 400_000
"""Search steps of one picture."""
_FOREVER = 1e9


def budget() -> Budget:
    """The budget of each question."""
    return Budget(nodes=5_000, seconds=_FOREVER, together=_FOREVER)


class Reached:
    """Marks for one case. Each question is asked of as few routes as settle it."""

    __slots__ = ("_case", "_end", "_naming")

    def __init__(self, case: Case, steps: int = STEPS) -> None:
        self._case = case
        self._end = case.finder.nodes + steps
        naming: dict[str, list[int]] = {}
        for index, route in enumerate(case.program.routes):
            for target in dict.fromkeys(route.targets):
                naming.setdefault(target, []).append(index)
        self._naming = {target: tuple(routes) for target, routes in naming.items()}

    def routes_to(self, target: str) -> tuple[int, ...]:
        """The routes that name the target."""
        return self._naming.get(target, ())

    def boxes(self, condition: Condition) -> tuple[Box, ...] | None:
        """Where a condition holds; None where that is too many boxes to say."""
        try:
            return self._case.boxes(condition)
        except TooManyBoxes:
            return None

    def sent(self, index: int, target: str, within: tuple[Box, ...] = ({},)) -> Mark:
        """Whether the route sends some request of the boxes to the target."""
        return self._mark(lambda: self._sends(index, target, within))

    def target(self, target: str, routes: Iterable[int], within: tuple[Box, ...] | None = ({},)) -> Mark:
        """Whether some request of the boxes reaches the target by one of the routes."""
        if within is None:
            return "not proved"
        first = self._mark(lambda: self._allowed(target, within))
        if first != "yes":
            return first
        found: Mark = "no"
        for index in routes:
            mark = self.sent(index, target, within)
            if mark == "yes":
                return "yes"
            if mark == "not proved":
                found = mark
        return found

    def deny(self, index: int) -> Mark:
        """Whether the deny ever decides."""
        before = 0
        for mask in self._case.matrix.denies[:index]:
            before |= mask
        return self._mark(lambda: self._meets(self._case.matrix.denies[index], before))

    def guard(self, index: int) -> Mark:
        """Whether the guard's condition is ever met."""
        return self._mark(lambda: self._meets(self._case.matrix.guards[index], 0))

    def otherwise(self) -> Mark:
        """Whether any request passes every route."""
        case = self._case
        past = case.reach.before(len(case.program.routes))
        return self._mark(lambda: isinstance(case.ask(Question({}, case.reach.denied, past=past)), Found))

    def _mark(self, asked: Callable[[], bool]) -> Mark:
        if self._case.finder.nodes >= self._end:
            return "not proved"
        try:
            return "yes" if asked() else "no"
        except OutOfBudget:
            return "not proved"

    def _meets(self, clauses: int, avoid: int) -> bool:
        case = self._case
        return any(isinstance(case.ask(Question(part, avoid)), Found) for part in case.parts({}, clauses))

    def _allowed(self, target: str, within: tuple[Box, ...]) -> bool:
        """Whether the guards ever allow the target there: where they do not, no route has to be asked."""
        case = self._case
        questions = (Question(box, case.reach.denied, (target,)) for box in within)
        return any(isinstance(case.ask(question), Found) for question in questions)

    def _sends(self, index: int, target: str, within: tuple[Box, ...]) -> bool:
        case = self._case
        past = case.reach.before(index)
        for box in within:
            for part in case.parts(box, case.matrix.routes[index]):
                if isinstance(case.ask(Question(part, case.reach.denied, (target,), past=past)), Found):
                    return True
        return False
