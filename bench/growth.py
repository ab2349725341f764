"""How `policyd check` grows: time and memory against the number of rules, features, targets and includes.

    python -m bench.growth                     measure, keep bench/results/growth.json, draw docs/pictures/growth.svg
    python -m bench.growth --draw              draw again what is kept

One number grows at a time from a realistic policy of a thousand routes (ten to ten thousand where the rules grow). Each
policy is proved in a process of its own, the best of `--times` runs counts, and memory is the most that its process held.
"""

import argparse
import json
import os
import platform
import resource
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Final

from bench.check_bench import claims
from bench.decision_bench import calibration
from bench.growth_picture import picture
from bench.synthetic import realistic
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import OneOf, both, tests_of
from policyd.policy.program import (
    EnumDomain,
    Feature,
    Group,
    Inclusion,
    Member,
    Program,
    Provenance,
    Route,
    Target,
    Unknown,
    Where,
)
from policyd.proofs.prove import prove

__all__: list[str] = []

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "bench" / "results" / "growth.json"
PICTURE = ROOT / "docs" / "pictures" / "growth.svg"
WORDS: Final = ("one", "two", "three", "four")


@dataclass(frozen=True, slots=True)
class Series:
    """What grows, to which sizes, and the policy of a size."""

    name: str
    sizes: Sequence[int]
    policy: Callable[[int], Program]


def of_rules(count: int) -> Program:
    return claims(realistic(count, seed=3), 10)


def of_features(count: int) -> Program:
    """A thousand routes, and this many more features, each tested by every tenth route or so."""
    random = Random(count)
    program = of_rules(1_000)
    where = Where("identity", "more")
    more = tuple(
        Feature(f"more{i}", EnumDomain(WORDS), Provenance.ATTESTED, where, Unknown.REJECT)
        for i in range(count)
    )

    def narrowed(route: Route) -> Route:
        chosen = [f for f in more if random.random() < min(0.1, 2 / count)]
        tests = (OneOf(f.name, frozenset(random.sample(WORDS, 2))) for f in chosen)
        return replace(route, condition=both(route.condition, *tests))

    routes = (*map(narrowed, program.routes[:-1]), program.routes[-1])
    return replace(program, features=(*program.features, *more), routes=routes)


def of_targets(count: int) -> Program:
    """A thousand routes to this many targets, each like one of the sixteen of the others."""
    random = Random(count)
    program = of_rules(1_000)
    alike = {t.name: [f"t{i}" for i in range(int(t.name[1:]), count, 16)] for t in program.targets}
    targets = tuple(Target(f"t{i}", program.targets[i % 16].facts) for i in range(count))

    def routed(route: Route) -> Route:
        names = dict.fromkeys(random.choice(alike[t] or ["t0"]) for t in route.targets)
        return replace(route, groups=(Group("order", tuple(map(Member, names))),))

    return replace(
        program,
        targets=targets,
        routes=tuple(map(routed, program.routes)),
        guards=tuple(replace(g, hits=frozenset(a for t in g.hits for a in alike[t])) for g in program.guards),
        assertions=tuple(
            replace(a, targets=frozenset(x for t in a.targets for x in alike[t])) for a in program.assertions
        ),
    )


def of_includes(count: int) -> Program:
    """A thousand routes, those of teams in this many includes, each with the scope of its teams."""
    program = of_rules(1_000)
    teams = sorted({w for r in program.routes for w in _teams(r)})
    owner = {team: i * count // len(teams) for i, team in enumerate(teams)}
    scopes = [OneOf("team", frozenset(t for t in teams if owner[t] == i)) for i in range(count)]
    nobody: frozenset[str] = frozenset()

    def placed(route: Route) -> Route:
        mine = sorted(_teams(route))
        if not mine:
            return route
        number = owner[mine[0]]
        return replace(route, condition=both(scopes[number], route.condition), include=f"i{number}")

    inclusions = tuple(Inclusion(f"i{n}", f"i{n}.policy", s, nobody, nobody) for n, s in enumerate(scopes))
    return replace(program, routes=tuple(map(placed, program.routes)), inclusions=inclusions)


def _teams(route: Route) -> set[str]:
    return {
        w for t in tests_of(route.condition) if isinstance(t, OneOf) and t.feature == "team" for w in t.values
    }


SERIES = (
    Series("rules", (10, 30, 100, 300, 1_000, 3_000, 10_000), of_rules),
    Series("further features", (4, 8, 16, 32, 64, 128), of_features),
    Series("targets", (16, 32, 64, 128, 256), of_targets),
    Series("includes", (1, 2, 4, 8, 16, 32), of_includes),
)


def measured(program: Program) -> Mapping[str, float]:
    """Seconds of processor time and megabytes, of a process that does nothing else."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        began = time.process_time()
        matrix = build_matrix(program)
        assert isinstance(matrix, Matrix)
        built = time.process_time()
        report = prove(program, matrix)
        proved = time.process_time()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        found = {
            "matrix": round(built - began, 4),
            "proofs": round(proved - built, 4),
            "megabytes": round(most, 1),
            "clauses": len(matrix.clauses),
            "unfinished": len(report.unfinished),
        }
        os.write(writing, json.dumps(found).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return dict(json.loads(text))


def best(program: Program, times: int) -> Mapping[str, float]:
    """The least of each number over so many runs; other work on the machine only ever adds."""
    runs = [measured(program) for _ in range(times)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--draw", action="store_true", help="draw what is kept, without measuring")
    arguments = parser.parse_args()
    if not arguments.draw:
        kept: dict[str, object] = {
            "machine": f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}",
            "calibration": round(calibration(), 1),
            "load": round(os.getloadavg()[1], 1),
        }
        for series in SERIES:
            rows = []
            for size in series.sizes:
                rows.append({"size": size, **best(series.policy(size), arguments.times)})
                print(series.name, rows[-1], flush=True)
            kept[series.name] = rows
        KEPT.write_text(json.dumps(kept, indent=1) + "\n")
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(picture(json.loads(KEPT.read_text()), [s.name for s in SERIES]))


if __name__ == "__main__":
    main()
