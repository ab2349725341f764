"""What the detectors of credentials and a company's rules cost, with hyperscan and without.

    python -m bench.detectors_bench

Times of the processor, the best of several runs, for texts that nobody was asked about before. Kept in
`bench/results/detectors.md`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from bench.quality import machine, write_section
from policyd.detect.accelerator import accelerate
from policyd.detect.builtin import DETECTORS
from policyd.detect.detector import Detector
from policyd.detect.engine import Engine
from policyd.detect.rules import Rule, detector_of_rule

__all__: list[str] = []

KINDS: Final = ("secret", "private-key")
CHAT: Final = (
    b"Hello, could you please help me with the following function? It reads the configuration key from the environment and "
    b"returns the token for the service. I think that the password should be checked before the access is granted. "
) * 6
CODE: Final = Path(argparse.__file__).read_bytes()
FLOODS: Final = {
    "100 KB of spaces": b" " * 100_000,
    "100 KB of one letter": b"a" * 100_000,
    "100 KB of `ghp_`": b"ghp_" * 25_000,
    "100 KB of `key=`": b"key=" * 25_000,
    "100 KB of `token: a1`": b"token: a1 " * 10_000,
    "100 KB of `eyJ.`": b"eyJ." * 25_000,
    "100 KB of `kind: Secret`": b"kind: Secret\n" * 7_700,
}


def best(work: Callable[[], object], runs: int) -> float:
    """Microseconds."""
    work()
    times = []
    for _ in range(5):
        began = time.thread_time()
        for _ in range(runs):
            work()
        times.append((time.thread_time() - began) / runs)
    return min(times) * 1e6


def rules(count: int) -> tuple[Detector, ...]:
    """Rules without keywords, each with a form of its own."""
    return tuple(
        detector_of_rule(Rule(f"r{n}", rf"(?i)\bproj{n:03d}[-_][a-z0-9]{{8}}\b|c{n}[0-9]{{6}}x"))
        for n in range(count)
    )


def main() -> None:
    mine = tuple(d for d in DETECTORS if any(n.split(".")[0] in KINDS for n in d.names))
    texts = {"1 KB of chat": (CHAT[:1024], 500), "100 KB of code": (CODE[:100_000], 10)}
    rows = [
        "| detectors | " + " | ".join(f"{name}, µs" for name in texts) + " | load, ms |",
        "|---|---:|---:|---:|",
    ]
    for name, detectors in (
        ("credentials", mine), ("all built-in", DETECTORS), ("all built-in and 50 rules", (*DETECTORS, *rules(50))),
        ("all built-in and 200 rules", (*DETECTORS, *rules(200))),
    ):  # fmt: skip
        began = time.thread_time()
        prefilter = accelerate(detectors)
        loading = (time.thread_time() - began) * 1e3
        covered = 0 if prefilter is None else len(prefilter.covered)
        for how, engine in (
            ("RE2", Engine(detectors)),
            (f"hyperscan for {covered}", Engine(detectors, prefilter=prefilter)),
        ):
            cells = " | ".join(
                f"{best(lambda e=engine, d=data: e.names_in(d), runs):,.0f}" for data, runs in texts.values()
            )
            load = f"{loading:,.0f}" if how != "RE2" else ""
            rows.append(f"| {name}, {how} | {cells} | {load} |")
            print(rows[-1])
    engine = Engine(mine)
    floods = ["| hostile text | ms | 10 times as long |", "|---|---:|---:|"]
    for name, data in FLOODS.items():
        once, more = (
            best(lambda d=data: engine.names_in(d), 3),
            best(lambda d=data * 10: engine.names_in(d), 1),
        )
        floods.append(f"| {name} | {once / 1e3:.1f} | {more / 1e3:.1f} |")
        print(floods[-1])
    write_section(
        "Credentials: time",
        f"{machine()}, of one core.\n\n" + "\n".join(rows) + "\n\nCredentials alone:\n\n" + "\n".join(floods),
    )


if __name__ == "__main__":
    main()
