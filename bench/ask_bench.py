"""What a question costs: a claim asked of a policy (`policyd prove`), why not, and the nearest request (`policyd explain`).

    python -m bench.ask_bench                       realistic policies of 100 to 10,000 routes
    python -m bench.ask_bench --sizes 10000

`matrix` is built once for all claims of one command. The nearest request is looked for around requests of the traffic, to
another outcome and to a target of the policy that is not reached, and the slowest and the middle one are told. Times are of
the processor. Numbers are kept in `bench/results/ask.md`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from statistics import median

from bench.synthetic import realistic, traffic
from policyd.engine.matrix import Matrix, build_matrix
from policyd.explain.goals import other_outcome, takes_part
from policyd.explain.nearest import nearest
from policyd.explain.whynot import Subject, why_not
from policyd.policy.condition import TRUE, AtLeast
from policyd.policy.program import Assertion, Program
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proofs.claims import answers

__all__: list[str] = []


def claims(program: Program) -> tuple[Assertion, ...]:
    """One that holds, and two that do not."""
    cloud = frozenset(t.name for t in program.targets if t.fact("location") == "cloud")
    level = program.levels[0].name
    return (
        Assertion("never cloud", "never", cloud, AtLeast(level, 2), ""),
        Assertion("never rejected", "never rejected", frozenset(), TRUE, ""),
        Assertion("claimed never loosens", "claimed never loosens", frozenset(), TRUE, ""),
    )


def possible(program: Program, count: int) -> Iterator[Request]:
    """Requests of the traffic whose features agree with each other."""
    for request in traffic(program, count):
        apart = ("context_needed", "weekday", "date", "opaque")
        found = quiet_request(program, {k: v for k, v in request.values.items() if k not in apart})
        if isinstance(found, Request):
            yield found


def timed(work: Callable[[], object]) -> tuple[float, object]:
    began = time.process_time()
    result = work()
    return time.process_time() - began, result


def measure(size: int, count: int) -> str:
    program = realistic(size)
    parts = []
    building, matrix = timed(lambda: build_matrix(replace(program, assertions=claims(program))))
    assert isinstance(matrix, Matrix)
    parts.append(building)
    for claim in claims(program):
        seconds, _ = timed(lambda claim=claim: answers(replace(program, assertions=(claim,)), matrix))  # type: ignore[misc]
        parts.append(seconds)
    why, other, to = [], [], []
    unproved = 0
    for number, request in enumerate(possible(program, count)):
        subject = Subject("target", program.targets[number % len(program.targets)].name)
        why.append(timed(lambda r=request, s=subject: why_not(program, r, s))[0])  # type: ignore[misc]
        for goal, times in ((other_outcome(program, request), other), (takes_part(program, subject), to)):
            seconds, found = timed(lambda r=request, g=goal: nearest(program, r, g))  # type: ignore[misc]
            times.append(seconds)
            unproved += not found.proved  # type: ignore[attr-defined]
    milliseconds = [f"{1000 * s:,.0f}" for s in parts]
    milliseconds += [f"{1000 * max(why):,.0f}"]
    milliseconds += [f"{1000 * median(t):,.0f} / {1000 * max(t):,.0f}" for t in (other, to)]
    return f"| {size:,} routes | {' | '.join(milliseconds)} | {unproved} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1_000, 10_000])
    parser.add_argument("--requests", type=int, default=20)
    arguments = parser.parse_args()
    print(
        "| policy | matrix | never cloud | never rejected | claimed | why not | other outcome | to a target | not proved |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for size in arguments.sizes:
        print(measure(size, arguments.requests), flush=True)


if __name__ == "__main__":
    main()
