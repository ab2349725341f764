"""policyd beside a direct connection, nginx and other gateways, in one run: bodies of three sizes, and streams.

    python -m bench.gateways_bench [--litellm BIN] [--portkey start-server.js] [--smg BIN] [--seconds 5] [--out FILE]

Needs Linux with two cores, `wrk`, `nginx` and `curl`; the gateways are installed apart:

    pip install 'litellm[proxy]'                      → --litellm …/bin/litellm
    npm install @portkey-ai/gateway                   → --portkey …/node_modules/@portkey-ai/gateway/build/start-server.js
    pip install --no-deps sglang-router; pip install setproctitle aiohttp orjson uvicorn fastapi requests → --smg …/bin/smg

The load and the model server share the first core, what is measured has the second to itself, one process each. policyd has a
policy of 100 rules, computes every feature, scans every request, writes its log and keeps its metrics; the others route only. What is
compared are ratios of one run: the machine matters to all alike. Everything is bounded and on loopback.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bench.gateways import NoAnswer, Way, free_port, ways
from bench.proxy_bench import ANSWER, LOAD_CORE, PROMPT, TAIL, Load, load, nginx, running

SIZES: Final = {"1 KB": 1_000, "100 KB": 100_000, "1 MB": 1_000_000}
STREAMS: Final = (1, 50, 1_000)
CONNECTIONS: Final = 64
MILLION: Final = 1_000_000


@dataclass(frozen=True)
class Streamed:
    """Milliseconds from an event's making to its arrival, and to the first event; streams that ended whole or not."""

    p50: float
    p99: float
    first: float
    complete: int
    broken: int
    per_second: float


def body_of(size: int) -> str:
    head = '{"model": "gpt-5", "messages": [{"role": "user", "content": "'
    text = (PROMPT * (size // len(PROMPT) + 1))[: size - len(head) - len(TAIL)]
    return head + text + TAIL


def measure_loads(options: argparse.Namespace, folder: Path) -> dict[str, dict[tuple[str, int], Load]]:
    found: dict[str, dict[tuple[str, int], Load]] = {}
    port = free_port()
    server = f"""server {{ listen 127.0.0.1:{port} backlog=1024; default_type application/json;
        location / {{ return 200 '{ANSWER}'; }} }}"""
    with running(nginx(folder, "model", server), port, LOAD_CORE):
        for way in _ways(options, folder, port):
            with way.started() as pid:
                load(way.port, CONNECTIONS, 1, folder, pid, headers=way.headers)  # warm
                for size, length in SIZES.items():
                    for connections in (1, CONNECTIONS):
                        best = _best(
                            options.rounds,
                            lambda w=way, c=connections, n=length, p=pid: load(  # type: ignore[misc]
                                w.port, c, options.seconds, folder, p, body=body_of(n), headers=w.headers
                            ),
                        )
                        found.setdefault(way.name, {})[size, connections] = best
                        print(way.name, size, connections, best, file=sys.stderr)
    return found


def _best(rounds: int, run: Callable[[], Load]) -> Load:
    # A refusal is quicker than an answer: a round with errors counts only where there is no other.
    return max((run() for _ in range(rounds)), key=lambda one: (-one.errors, one.per_second))


def measure_streams(options: argparse.Namespace, folder: Path) -> dict[str, dict[int, Streamed]]:
    found: dict[str, dict[int, Streamed]] = {}
    port = free_port()
    with running([sys.executable, "-m", "bench.streams", "serve", str(port)], port, LOAD_CORE):
        for way in _ways(options, folder, port):
            try:
                with way.started(stream=True):
                    for streams in STREAMS:
                        one = streamed(way, streams, options.seconds)
                        found.setdefault(way.name, {})[streams] = one
                        print(way.name, streams, one, file=sys.stderr)
            except NoAnswer as left_out:
                print(left_out, file=sys.stderr)
    return found


def streamed(way: Way, streams: int, seconds: float) -> Streamed:
    out = subprocess.run(
        ["taskset", "-c", LOAD_CORE, sys.executable, "-m", "bench.streams", "load", str(way.port), str(streams), str(seconds),
         *(f"{name}={value}" for name, value in way.headers.items())],
        capture_output=True, text=True, check=True, timeout=seconds + 120,
    ).stdout  # fmt: skip
    said = json.loads(out)
    late = sorted(said["late"]) or [float("nan")]
    return Streamed(
        statistics.median(late),
        late[int(len(late) * 0.99)],
        statistics.median(said["first"] or [float("nan")]),
        said["complete"],
        said["broken"],
        len(said["late"]) / seconds,
    )


def measure_memory(options: argparse.Namespace, folder: Path) -> list[tuple[int, float]]:
    """Requests answered so far and resident megabytes of the sidecar, up to the number that was asked for."""
    port = free_port()
    server = f"""server {{ listen 127.0.0.1:{port} backlog=1024; default_type application/json;
        location / {{ return 200 '{ANSWER}'; }} }}"""
    marks: list[tuple[int, float]] = []
    with running(nginx(folder, "model", server), port, LOAD_CORE):
        way = next(w for w in _ways(options, folder, port) if w.name == "policyd")
        with way.started() as pid:
            assert pid is not None
            marks.append((0, resident(pid)))
            done = 0
            while done < options.requests:
                one = load(way.port, CONNECTIONS, 10, folder, pid, headers=way.headers)
                done += int(one.per_second * 10)
                marks.append((done, resident(pid)))
                print(marks[-1], file=sys.stderr)
    return marks


def resident(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def _ways(options: argparse.Namespace, folder: Path, port: int) -> list[Way]:
    return ways(folder, port, litellm=options.litellm, portkey=options.portkey, smg=options.smg)


def report(
    loads: dict[str, dict[tuple[str, int], Load]],
    streams: dict[str, dict[int, Streamed]],
    memory: list[tuple[int, float]],
) -> str:
    lines = [
        "# policyd beside other gateways",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}. Repeat with",
        "`python -m bench.gateways_bench` (its head says what to install). One process on one core each; the load and the model server on",
        "the other. policyd decides by 100 rules, computes every feature, scans every request, and has its log and metrics on.",
    ]
    if loads:
        lines += ["", "## Requests", ""]
        head = "| | " + " | ".join(
            f"{s}: req/s at {CONNECTIONS} | of direct | p50 ms at 1 | added | p99 ms at {CONNECTIONS}"
            for s in SIZES
        )
        lines += [head + " | errors |", "|---" * (2 + 5 * len(SIZES)) + "|"]
        for name, found in loads.items():
            cells = []
            for size in SIZES:
                many, one = found[size, CONNECTIONS], found[size, 1]
                direct = loads["direct"]
                cells.append(
                    f"{many.per_second:,.0f} | {many.per_second / direct[size, CONNECTIONS].per_second:.1%} | {one.p50_ms:.3f} | "
                    f"{one.p50_ms - direct[size, 1].p50_ms:.3f} | {many.p99_ms:.1f}"
                )
            errors = sum(one.errors for one in found.values())
            lines.append(f"| {name} | {' | '.join(cells)} | {errors} |")
        ours = loads.get("policyd")
        if ours is not None:
            lines += [
                "",
                "policyd's throughput as a multiple of the others':",
                "",
                "| | " + " | ".join(SIZES) + " |",
                "|---" * (1 + len(SIZES)) + "|",
            ]
            for name, found in loads.items():
                if name != "policyd":
                    ratios = (
                        f"{ours[s, CONNECTIONS].per_second / found[s, CONNECTIONS].per_second:.2f}"
                        for s in SIZES
                    )
                    lines.append(f"| {name} | {' | '.join(ratios)} |")
    if streams:
        lines += [
            "",
            "## Streams",
            "",
            "Of 40 events, one every 50 ms. `late`: from an event's making to its arrival, in ms.",
            "",
        ]
        lines += [
            "| | "
            + " | ".join(f"{n} streams: late p50 | p99 | first event | whole | broken" for n in STREAMS)
            + " |"
        ]
        lines += ["|---" * (1 + 5 * len(STREAMS)) + "|"]
        for name, found_streams in streams.items():
            cells = [
                f"{s.p50:.2f} | {s.p99:.2f} | {s.first:.1f} | {s.complete} | {s.broken}"
                for s in (found_streams[n] for n in STREAMS)
            ]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    if memory:
        lines += ["", "## Memory of policyd", "", "| requests | resident MB |", "|---|---|"]
        lines += [f"| {done:,} | {size:.1f} |" for done, size in memory[:: max(1, len(memory) // 12)]]
        if memory[-1] not in memory[:: max(1, len(memory) // 12)]:
            lines.append(f"| {memory[-1][0]:,} | {memory[-1][1]:.1f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--litellm", help="LiteLLM's command")
    parser.add_argument("--portkey", help="the gateway's build/start-server.js")
    parser.add_argument("--smg", help="the router's command")
    parser.add_argument("--seconds", type=int, default=4, help="of each run (at most 30)")
    parser.add_argument("--rounds", type=int, default=2, help="of each load, the best counts (at most 5)")
    parser.add_argument("--only", choices=["loads", "streams", "memory"])
    parser.add_argument("--requests", type=int, default=MILLION, help="for the memory")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.seconds, options.rounds = min(options.seconds, 30), min(options.rounds, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        loads = measure_loads(options, folder) if options.only in {None, "loads"} else {}
        streams = measure_streams(options, folder) if options.only in {None, "streams"} else {}
        memory = measure_memory(options, folder) if options.only in {None, "memory"} else []
    text = report(loads, streams, memory)
    print(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
