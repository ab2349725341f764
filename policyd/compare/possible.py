"""How many requests that a policy can tell apart a box holds.

In comes a box; out comes the exact number of its cells that a request can be in. Cells that the relations between features
rule out (a weekday that the date does not have) do not count. The one idea: relations tie few features together, so the
number is a product of the numbers of the groups of features that are tied, and each group is small.
"""

from collections.abc import Sequence
from math import prod

from policyd.engine.boxes import Box
from policyd.engine.matrix import Matrix
from policyd.proofs.find import bits

__all__ = ["Possible"]


class Possible:
    """Counts cells of one matrix, and remembers what it counted."""

    def __init__(self, matrix: Matrix) -> None:
        self._sizes = tuple(axis.size for axis in matrix.axes)
        self._full = tuple(axis.full for axis in matrix.axes)
        boxes = [matrix.boxes[i] for i in bits(matrix.relations)]
        self._groups = _groups(boxes)
        self._free = tuple(
            axis for axis in range(len(self._sizes)) if not any(axis in axes for axes, _ in self._groups)
        )
        self._known: dict[tuple[int, ...], int] = {}

    def count(self, box: Box) -> int:
        total = prod(box[axis].bit_count() if axis in box else self._sizes[axis] for axis in self._free)
        for number, (axes, relations) in enumerate(self._groups):
            masks = tuple(box.get(axis, self._full[axis]) for axis in axes)
            key = (number, *masks)
            if key not in self._known:
                self._known[key] = _outside(masks, relations)
            total *= self._known[key]
        return total


def _groups(boxes: Sequence[Box]) -> tuple[tuple[tuple[int, ...], tuple[tuple[int | None, ...], ...]], ...]:
    """Axes that relations tie together, with their relations: for each a mask per axis, None where it takes all."""
    tied: list[set[int]] = []
    for box in boxes:
        touched = [group for group in tied if not group.isdisjoint(box)]
        tied = [group for group in tied if group.isdisjoint(box)]
        tied.append(set(box).union(*touched))
    out = []
    for group in tied:
        axes = tuple(sorted(group))
        relations = tuple(tuple(box.get(axis) for axis in axes) for box in boxes if not group.isdisjoint(box))
        out.append((axes, relations))
    return tuple(out)


def _outside(masks: tuple[int, ...], relations: Sequence[tuple[int | None, ...]]) -> int:
    """The cells of the masks that no relation takes. Takes one relation off at a time, face by face."""
    total = 0
    stack = [(masks, 0)]
    while stack:
        here, first = stack.pop()
        for at in range(first, len(relations)):
            relation = relations[at]
            if all(r is None or m & r for m, r in zip(here, relation, strict=True)):
                rest = here
                for axis, mask in enumerate(relation):
                    if mask is not None and rest[axis] & ~mask:
                        stack.append(((*rest[:axis], rest[axis] & ~mask, *rest[axis + 1 :]), at + 1))
                        rest = (*rest[:axis], rest[axis] & mask, *rest[axis + 1 :])
                break
        else:
            total += prod(m.bit_count() for m in here)
    return total
