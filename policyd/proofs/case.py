"""What every analysis works on: one program, its matrix, and the searches over it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from policyd.engine.matrix import Matrix
from policyd.policy.condition import Condition
from policyd.policy.evaluate import holds
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.proofs.find import Box, Budget, Cell, Covered, Finder, Found, bits, meet
from policyd.proofs.reach import Question, Reach
from policyd.proofs.side import whole_side
from policyd.proofs.witness import Claim, Witness, witness_of

__all__ = ["Case", "open_case"]


@dataclass(frozen=True, slots=True)
class Case:
    """INVARIANT: `matrix` was built from `program`; `reach` searches it with `finder`. `deciding` remembers for routes a
    cell that they decide (None: there is none), as analyses find out."""

    program: Program
    matrix: Matrix
    finder: Finder
    reach: Reach
    deciding: dict[int, Cell | None] = field(default_factory=dict)

    def ask(self, question: Question) -> Found | Covered:
        """One question, with a budget of its own."""
        self.finder.start()
        return self.reach.ask(question)

    def parts(self, box: Box, clauses: int) -> Iterator[dict[int, int]]:
        """The box within each of the clauses that touch it."""
        for number in bits(self.finder.touching(box, clauses)):
            part = meet(box, self.matrix.boxes[number])
            if part is not None:
                yield part

    def boxes(self, condition: Condition) -> tuple[Box, ...]:
        return self.matrix.boxes_of(condition)

    def witness(self, cell: Cell, claim: Claim, quick: Callable[[int], bool] | None = None) -> Witness:
        return witness_of(self.program, self.matrix, cell, claim, quick)

    def holds(self, condition: Condition, request: Request) -> bool:
        return holds(self.program, condition, request)

    def routes_to(self, target: str) -> Iterator[int]:
        return (i for i, route in enumerate(self.program.routes) if target in route.targets)


def open_case(program: Program, matrix: Matrix, budget: Budget | None = None) -> Case:
    finder = Finder(matrix, budget)
    return Case(program, matrix, finder, Reach(finder, whole_side(program, matrix)))
