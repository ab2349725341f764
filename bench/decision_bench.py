"""What a decision costs: nanoseconds, compile time, memory, and how often nothing costly is needed.

    python -m bench.decision_bench [--sizes 10 100 1000 10000] [--filters PATH ...]

Figures of one run on one machine compare with each other; a fixed loop is timed beside them, so that runs on different
machines or loads can be put in relation. Nothing here is a test.
"""

import argparse
import gc
import time
import tracemalloc
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.classbench import packets, read_filters
from bench.synthetic import realistic, traffic
from policyd.engine.compile import Compiled, emit
from policyd.engine.matrix import Matrix, build_matrix
from policyd.engine.rows import decide_by_rows
from policyd.engine.selftest import self_test
from policyd.policy.decision import Decision, Plan, outcome_of
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Program
from policyd.policy.request import Request

__all__ = ["main"]

_REPEATS = 7
_COUNTED = {"tokens", "context_needed"}


def calibration() -> float:
    """Nanoseconds for one turn of a fixed loop: an attribute, a dictionary, a comparison."""
    table = {i: i for i in range(100)}
    best = float("inf")
    for _ in range(_REPEATS):
        began = time.perf_counter()
        total = 0
        for i in range(200_000):
            if table[i % 100] >= 50:
                total += 1
        best = min(best, time.perf_counter() - began)
    return best / 200_000 * 1e9


def nanoseconds(function: Callable[..., object], arguments: Sequence[object]) -> float:
    """The mean over all arguments, in rounds over all of them; for each stretch of arguments the best round counts, so
    that what else the machine does weighs little, while caches are as cold as traffic leaves them."""
    stretches = [arguments[i : i + 100] for i in range(0, len(arguments), 100)]
    best = [float("inf")] * len(stretches)
    for _ in range(_REPEATS):
        for at, stretch in enumerate(stretches):
            began = time.perf_counter()
            for argument in stretch:
                function(argument)
            best[at] = min(best[at], time.perf_counter() - began)
    return sum(best) / len(arguments) * 1e9


def asked(compiled: Compiled, request: Request) -> tuple[set[str], Decision]:
    """The costly features that the decision needed."""
    costly = {f.name for f in compiled.program.features if f.cost >= 2}
    vector = compiled.vector_type()
    for feature, slot in compiled.slots.items():
        if feature not in costly:
            setattr(vector, slot, request.values[feature])
    needed: set[str] = set()
    while True:
        try:
            return needed, compiled.decide(vector)
        except AttributeError as error:
            feature = compiled.need_of(error)
            needed.add(feature)
            setattr(vector, compiled.slots[feature], request.values[feature])


def bounds_do(compiled: Compiled, request: Request) -> bool:
    """Whether the number of bytes, at four to a token, tells enough: no token is empty, few are longer than 32 bytes."""
    for feature in _COUNTED & set(compiled.slots):
        number = request.values[feature]
        assert isinstance(number, int)
        if not compiled.settled(feature, number // 8, number * 4):
            return False
    return True


def timed(work: Callable[[], object]) -> tuple[object, float]:
    gc.collect()
    began = time.perf_counter()
    found = work()
    return found, time.perf_counter() - began


def report(name: str, program: Program, requests: Sequence[Request]) -> None:
    matrix, built = timed(lambda: build_matrix(program))
    assert isinstance(matrix, Matrix), matrix
    compiled, emitted = timed(lambda: emit(matrix))
    assert isinstance(compiled, Compiled)
    trouble, tested = timed(lambda: self_test(matrix, lambda r: compiled.decide(compiled.vector(r))))
    assert trouble == (), trouble
    for request in requests[:20]:
        assert outcome_of(evaluate(program, request)) == outcome_of(compiled.decide(compiled.vector(request)))
    vectors = [compiled.vector(r) for r in requests]
    cost = nanoseconds(compiled.decide, vectors)
    by_rows = nanoseconds(lambda r: decide_by_rows(matrix, r), requests[:200])
    needs = [asked(compiled, r) for r in requests]
    free = sum(1 for n, _ in needs if not n)
    uncounted = sum(1 for n, _ in needs if not n & _COUNTED)
    bounded = sum(
        1 for r, (n, _) in zip(requests, needs, strict=True) if not n & _COUNTED or bounds_do(compiled, r)
    )
    unscanned = sum(1 for n, _ in needs if "findings" not in n)
    plans = sum(1 for _, d in needs if isinstance(d, Plan))
    gc.collect()
    tracemalloc.start()
    kept = emit(matrix)
    code = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    del kept
    rows = sum((r.bit_length() + 7) // 8 + 28 for axis in matrix.rows for r in axis)
    count = len(requests)
    print(
        f"| {name} | {len(matrix.clauses)} | {cost:.0f} | {by_rows / 1000:.1f} | {built * 1000:.0f} | {emitted * 1000:.0f} "
        f"| {tested * 1000:.0f} | {rows / 1e6:.2f} | {code / 1e6:.2f} | {100 * free // count} | {100 * uncounted // count} | {100 * bounded // count} "
        f"| {100 * unscanned // count} | {100 * plans // count} |",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="*", default=[10, 100, 1000, 10000])
    parser.add_argument("--filters", type=Path, nargs="*", default=[], help="ClassBench filter sets")
    arguments = parser.parse_args()
    print(f"calibration: {calibration():.1f} ns a turn\n")
    print(
        "| policy | clauses | decide ns | by rows µs | matrix ms | source ms | self-test ms | rows MB | code MB "
        "| nothing costly % | no count % | bounds do % | no scan % | plan % |"
    )
    print("|---" * 14 + "|")
    for size in arguments.sizes:
        program = realistic(size, seed=3)
        report(f"{size} rules", program, traffic(program, 4000))
    for path in arguments.filters:
        program = read_filters(path)
        report(path.name, program, packets(program, 4000))


if __name__ == "__main__":
    main()
