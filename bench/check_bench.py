"""What `policyd check` costs: time of every proof, and memory, against the number of rules.

    python -m bench.check_bench                              realistic policies of 10 to 10,000 routes
    python -m bench.check_bench --filters acl1_1k fw1_1k     ClassBench filter sets as well
    python -m bench.check_bench --assertions 20              with so many assertions

Each policy is proved in a process of its own, so that its peak memory is its own. The first column of times is a fixed
loop, for comparing machines. Times are of the processor, since everything runs in one thread. Numbers are kept in `bench/results/check.md`.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench.classbench import read_filters
from bench.decision_bench import calibration
from bench.synthetic import realistic
from policyd.engine.compile import compile_program
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import AtLeast, OneOf, both
from policyd.policy.program import Assertion, Program
from policyd.proofs.assertions import check_assertion
from policyd.proofs.case import Case, open_case
from policyd.proofs.dead import dead_rules
from policyd.proofs.findings import Finding
from policyd.proofs.holes import dead_ends, holes
from policyd.proofs.loosens import claimed_loosens, unknown_loosens
from policyd.proofs.prove import ANALYSES
from policyd.proofs.redundant import redundant

__all__: list[str] = []

ASKED: tuple[tuple[str, Callable[[Case], tuple[Finding, ...]]], ...] = (
    ("assertions", lambda case: tuple(f for a in case.program.assertions if (f := check_assertion(case, a)))),
    ("claimed", claimed_loosens),
    ("unknown", unknown_loosens),
    ("dead", dead_rules),
    ("holes", holes),
    ("dead ends", dead_ends),
    ("redundant", redundant),
    ("others", lambda case: tuple(f for a in ANALYSES if a.run not in _NAMED for f in a.run(case))),
)
_NAMED = frozenset(work for _, work in ASKED)


def claims(program: Program, count: int) -> Program:
    """The program with assertions of the kind that people write: nothing confidential of a team in the cloud."""
    if not program.levels:
        return program
    cloud = frozenset(t.name for t in program.targets if t.fact("location") == "cloud")
    level = program.levels[0].name
    made = tuple(
        Assertion(
            f"a{i}",
            "never",
            cloud,
            both(AtLeast(level, 2), OneOf("team", frozenset({f"team{i:03d}"}))),
            "never cloud",
        )
        for i in range(count)
    )
    return replace(program, assertions=made)


def measure(name: str, program: Program) -> None:
    cells = [name]

    def timed(work: Callable[[], object]) -> object:
        began = time.process_time()
        found = work()
        cells.append(f"{(time.process_time() - began) * 1000:,.0f}")
        return found

    matrix = timed(lambda: build_matrix(program))
    assert isinstance(matrix, Matrix)
    case = open_case(program, matrix)
    cells.insert(1, f"{len(matrix.clauses):,}")
    found: list[Finding] = []
    for _, analysis in ASKED:
        found.extend(timed(lambda a=analysis: a(case)))  # type: ignore[arg-type, misc]
    proving = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    timed(lambda: compile_program(program))
    cells += [f"{sum(f.unfinished for f in found)}", f"{proving:,.0f}"]
    print("| " + " | ".join(cells) + " |", flush=True)


def in_a_process_of_its_own(work: Callable[[], None]) -> None:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        work()
        os._exit(0)
    os.waitpid(child, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 100, 1000, 10000])
    parser.add_argument("--filters", type=Path, nargs="*", default=[], help="ClassBench filter sets")
    parser.add_argument("--assertions", type=int, default=10)
    arguments = parser.parse_args()
    print(f"calibration: {calibration():.1f} ns a turn; milliseconds, memory in MB\n")
    head = [
        "policy",
        "clauses",
        "matrix",
        *(name for name, _ in ASKED),
        "compile",
        "unfinished",
        "peak MB",
    ]
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for size in arguments.sizes:
        in_a_process_of_its_own(
            lambda n=size: measure(f"{n:,} routes", claims(realistic(n, seed=3), arguments.assertions))
        )  # type: ignore[misc]
    for path in arguments.filters:
        in_a_process_of_its_own(lambda p=path: measure(p.name, read_filters(p)))  # type: ignore[misc]


if __name__ == "__main__":
    main()
