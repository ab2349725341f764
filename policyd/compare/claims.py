"""Whether a claim still says all that it said: `never location == cloud when opaque` says less than without `when opaque`.

In come two policies and an assertion of each; out comes whether the new one claims all that the old one does, proved over
every possible request. What is not proved is not claimed.
"""

from policyd.engine.boxes import TooManyBoxes
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import AtLeast, Condition, tests_of
from policyd.policy.program import Assertion, Program
from policyd.proofs.find import Covered, Finder, OutOfBudget
from policyd.proofs.together import Together

__all__ = ["claims_as_much"]


def claims_as_much(
    together: Together, old: Program, new: Program, before: Assertion, after: Assertion
) -> bool:
    """Whether `after` claims of every request what `before` claims of it, for the targets that are still there."""
    if before.kind != after.kind:
        return False
    left = frozenset(t.name for t in new.targets)
    if not before.targets & left <= after.targets:
        return False
    if before.condition == after.condition:
        return _same_levels(old, new, before.condition)
    both_levels = _same_levels(old, new, before.condition) and _same_levels(old, new, after.condition)
    return both_levels and _implies(together.program, before.condition, after.condition)


def _same_levels(old: Program, new: Program, condition: Condition) -> bool:
    """Whether the condition's levels mean the same in both policies."""
    asked = {t.level for t in tests_of(condition) if isinstance(t, AtLeast)}
    levels = ({x.name: x for x in program.levels if x.name in asked} for program in (old, new))
    first, second = levels
    return first == second


def _implies(program: Program, condition: Condition, other: Condition) -> bool:
    """Whether the second holds wherever the first does; false where the search does not finish."""
    bare = Program(program.features, program.levels, program.targets, (), (), (), program.otherwise)
    matrix = build_matrix(bare, (condition, other))
    if not isinstance(matrix, Matrix):
        return False
    finder = Finder(matrix)
    try:
        within = matrix.boxes_of(other)
        for box in matrix.boxes_of(condition):
            finder.start()
            if not isinstance(finder.find(box, matrix.relations, within), Covered):
                return False
    except (TooManyBoxes, OutOfBudget, RecursionError):
        return False
    return True
