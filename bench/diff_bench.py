"""What `policyd diff` costs after both policies are loaded: the exact pairs of one edit, of a hundred, of a new global guard.

    python -m bench.diff_bench                      realistic policies of 100 to 10,000 routes
    python -m bench.diff_bench --sizes 10000

`matrix` puts both policies into one matrix and is not counted in `pairs`, which finds and classifies every pair exactly and is
what a change costs. `shown` makes a smallest request for each of the pairs that are shown unless asked otherwise, confirmed by the reference, and counts
its region. Numbers are kept in `bench/results/diff.md`.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from random import Random

from bench.decision_bench import calibration
from bench.synthetic import realistic
from policyd.compare.difference import MOST_SHOWN
from policyd.compare.regions import Counter
from policyd.policy.condition import AtLeast, Condition, InRange, OneOf, both
from policyd.policy.program import MAX_NUMBER, Guard, Program
from policyd.proofs.changes import changes, show
from policyd.proofs.kinds import Kind
from policyd.proofs.together import Together, put_together

__all__: list[str] = []


def narrowed(program: Program, count: int, seed: int) -> Program:
    """Some routes with a condition more, as most edits are."""
    random = Random(seed)
    routes = list(program.routes)
    for at in random.sample(range(len(routes)), count):
        routes[at] = replace(
            routes[at], condition=both(routes[at].condition, InRange("context_needed", 8_001, MAX_NUMBER))
        )
    return replace(program, routes=tuple(routes))


def redirected(program: Program, count: int, seed: int) -> Program:
    """Some routes that lead elsewhere."""
    random = Random(seed)
    routes = list(program.routes)
    for at in random.sample(range(len(routes)), count):
        other = routes[random.randrange(len(routes))]
        routes[at] = replace(routes[at], groups=other.groups)
    return replace(program, routes=tuple(routes))


def moved(program: Program, seed: int) -> Program:
    random = Random(seed)
    routes = list(program.routes)
    routes.insert(random.randrange(len(routes)), routes.pop(random.randrange(len(routes))))
    return replace(program, routes=tuple(routes))


def guarded(program: Program, condition: Condition) -> Program:
    """A guard for everyone that takes a third of the targets."""
    hits = frozenset(t.name for t in program.targets if t.fact("region") == "us")
    return replace(program, guards=(Guard("new", hits, condition, "", ""), *program.guards))


def loosened(program: Program) -> Program:
    """The first guard an author wrote, gone."""
    first = next(i for i, g in enumerate(program.guards) if not g.builtin)
    return replace(program, guards=(*program.guards[:first], *program.guards[first + 1 :]))


def edits(program: Program) -> Iterator[tuple[str, Program]]:
    yield "nothing", program
    yield "one route narrowed", narrowed(program, 1, 1)
    yield "one route redirected", redirected(program, 1, 2)
    yield "one route moved", moved(program, 3)
    if len(program.routes) >= 200:
        yield "100 routes narrowed", narrowed(program, 100, 4)
        yield "100 routes redirected", redirected(program, 100, 5)
    covered = both(AtLeast("sensitivity", 2), OneOf("origin", frozenset({"eu"})))
    yield "a global guard more, that others cover", guarded(program, covered)
    batch = both(AtLeast("sensitivity", 1), OneOf("latency", frozenset({"batch"})))
    yield "a global guard more", guarded(program, batch)
    yield "a guard less", loosened(program)


def measure(size: int, *, repeats: int) -> None:
    program = realistic(size, seed=3)
    for name, new in edits(program):
        together, matrix_ms = timed(lambda n=new: put_together(program, n))  # type: ignore[misc]
        assert isinstance(together, Together)
        found, first_ms = timed(lambda t=together: changes(t))  # type: ignore[misc]
        best = first_ms
        for _ in range(repeats - 1):
            again = put_together(program, new)
            assert isinstance(again, Together)
            best = min(best, timed(lambda t=again: changes(t))[1])  # type: ignore[misc]
        counter = Counter(together)
        told = found.pairs[:MOST_SHOWN]

        def shown(t: Together = together, c: Counter = counter, told: tuple = told) -> None:  # type: ignore[type-arg]
            for change in told:
                show(t, change)
                c.region(change.before, change.after, tuple(k for k, _ in change.kinds))

        _, shown_ms = timed(shown)
        looser = sum(c.kind is Kind.LOOSER for c in found.pairs)
        cells = [
            f"{len(program.routes):,}",
            name,
            f"{matrix_ms:,.0f}",
            f"{best:,.1f}",
            f"{len(found.pairs):,}",
        ]
        cells += [f"{looser:,}", f"{len(found.unfinished):,}", f"{shown_ms:,.0f}"]
        print("| " + " | ".join(cells) + " |", flush=True)


def timed(work: Callable[[], object]) -> tuple[object, float]:
    began = time.process_time()
    found = work()
    return found, (time.process_time() - began) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--sizes", type=int, nargs="*", default=[100, 1000, 10_000])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(f"calibration: {calibration():.1f} ns a turn; milliseconds\n")
    head = ["routes", "edit", "matrix", "pairs found in", "pairs", "looser", "not proved", "shown"]
    print("| " + " | ".join(head) + " |")
    print("|---" * len(head) + "|")
    for size in arguments.sizes:
        measure(size, repeats=arguments.repeats)


if __name__ == "__main__":
    main()
