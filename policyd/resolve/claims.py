"""Claims that are asked of a policy and are no part of it.

In come assertions that no file of the policy holds; `stated` places them at the end of the root file, so that they are
read by the rules of every other statement, and `apart` takes the policy and the claims apart again. The policy alone is
what it would be had nobody asked, its digest too.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from policyd.policy.program import Program
from policyd.resolve.files import Placed, Space, Unit, placed
from policyd.resolve.names import collect_names
from policyd.resolve.report import Report
from policyd.syntax.nodes import Assert

__all__ = ["apart", "stated"]


def stated(claims: Sequence[Assert]) -> Iterator[Placed]:
    """The claims as statements of the root file."""
    return (Placed(claim, Space(), in_root_file=True) for claim in claims)


def apart(program: Program, root: Unit, claims: Sequence[Assert]) -> tuple[Program, Program]:
    """The policy without the claims, and the policy with no other assertions than them."""
    asked = frozenset(claim.name.text for claim in claims)
    words = collect_names(placed(root), Report()).tables["word"]
    # A claim may be the only place where `team` is read, which needs no line of its own.
    alone = tuple(f for f in program.features if f.where.kind != "identity" or f.name in words)
    return (
        replace(
            program,
            features=alone,
            assertions=tuple(a for a in program.assertions if a.name not in asked),
        ),
        replace(program, assertions=tuple(a for a in program.assertions if a.name in asked)),
    )
