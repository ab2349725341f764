"""Dead rules of ClassBench filter sets by another method: CaDiCaL on the bits of the packets.

    python -m bench.cross_check acl1_1k fw1_1k          paths of filter sets

The conditions are written as circuits over the bits of each number, straight from the policy, without the matrix, its atoms
or its boxes. A rule is dead if its condition holds for no packet for which none before it holds. Three things are compared:
the sets of dead rules; that the covering routes of each dead rule cover it; and that without any one of them they do not.
Needs `python-sat`. Kept in `bench/results/cross_check.md`.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from pysat.solvers import Cadical195  # type: ignore[import-untyped]

from bench.classbench import read_filters
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import All, Condition, Const, InRange
from policyd.policy.program import NumberDomain, Program
from policyd.proofs.case import open_case
from policyd.proofs.dead import covering, owners

__all__: list[str] = []


class Circuits:
    """Conditions as literals over the bits of the features, highest bit first."""

    def __init__(self, program: Program) -> None:
        self.solver = Cadical195()
        self._last = 0
        self._known: dict[object, int] = {}
        self._true = self._new()
        self.solver.add_clause([self._true])
        self._bits = {}
        for feature in program.features:
            assert isinstance(feature.domain, NumberDomain)
            self._bits[feature.name] = [self._new() for _ in range(feature.domain.high.bit_length())]

    def _new(self) -> int:
        self._last += 1
        return self._last

    def of(self, condition: Condition) -> int:
        """A literal that holds exactly where the condition does."""
        match condition:
            case Const(value):
                return self._true if value else -self._true
            case InRange(feature, low, high):
                return self._all([self._at_least(feature, low), -self._at_least(feature, high + 1)])
            case All(operands):
                return self._all([self.of(c) for c in operands])
            case _:
                raise TypeError(condition)

    def _at_least(self, feature: str, low: int) -> int:
        """The number is `low` or more: from the lowest bit up, either higher here, or equal here and enough below."""
        bits = self._bits[feature]
        if low >> len(bits):
            return -self._true
        enough = self._true
        for place, bit in enumerate(reversed(bits)):
            key = (feature, place, low & (2 << place) - 1)
            if key not in self._known:
                self._known[key] = (
                    self._all([bit, enough]) if low >> place & 1 else -self._all([-bit, -enough])
                )
            enough = self._known[key]
        return enough

    def _all(self, literals: Sequence[int]) -> int:
        """A literal that holds exactly where all of these do."""
        left = sorted({x for x in literals if x != self._true})
        if -self._true in left:
            return -self._true
        if len(left) < 2:
            return left[0] if left else self._true
        out = self._new()
        for literal in left:
            self.solver.add_clause([-out, literal])
        self.solver.add_clause([out, *(-x for x in left)])
        return out


def dead_by_circuits(program: Program) -> set[int]:
    """The dead routes: each is asked about while all before it are ruled out for good."""
    circuits = Circuits(program)
    dead = set()
    for index, route in enumerate(program.routes):
        literal = circuits.of(route.condition)
        if not circuits.solver.solve(assumptions=[literal]):
            dead.add(index)
        circuits.solver.add_clause([-literal])
    return dead


def wrong_covers(program: Program, covers: dict[int, list[int]]) -> list[int]:
    """The dead routes whose covering routes do not cover them, or not without exception need to."""
    circuits = Circuits(program)
    literal = [circuits.of(route.condition) for route in program.routes]

    def escapes(index: int, routes: Sequence[int]) -> bool:
        return bool(circuits.solver.solve(assumptions=[literal[index], *(-literal[r] for r in routes)]))

    return [
        index
        for index, routes in covers.items()
        if escapes(index, routes)
        or not all(escapes(index, [r for r in routes if r != left_out]) for left_out in routes)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("filters", type=Path, nargs="+", help="ClassBench filter sets")
    print(
        "| filters | rules | dead | the same by CaDiCaL | largest cover | wrong covers | ours s | CaDiCaL s |"
    )
    print("|---" * 8 + "|")
    for path in parser.parse_args().filters:
        program = read_filters(path)
        matrix = build_matrix(program)
        assert isinstance(matrix, Matrix)
        case = open_case(program, matrix)
        began = time.perf_counter()
        found = {i: c for i in range(len(program.routes)) if (c := covering(case, i)) is not None}
        ours = time.perf_counter() - began
        covers = {i: owners(case, clauses, "route") for i, clauses in found.items()}
        began = time.perf_counter()
        theirs = dead_by_circuits(program)
        other = time.perf_counter() - began
        largest = max(map(len, covers.values()), default=0)
        same = "yes" if theirs == covers.keys() else f"no: {sorted(theirs ^ covers.keys())}"
        wrong = len(wrong_covers(program, covers))
        print(
            f"| {path.name} | {len(program.routes):,} | {len(covers)} | {same} | {largest} | {wrong} | {ours:.2f} | {other:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
