"""What telemetry costs: for one request by each way of counting, and of a sidecar's throughput.

    python -m bench.telemetry_bench [--seconds 4] [--rounds 3] [--out bench/results/telemetry.md]

The first part counts the same finished request over and over: as policyd does, with prometheus_client's own counters and
histograms, and with OpenTelemetry's SDK (where it is installed), with and without a sampled span. The second part is
`bench.proxy_bench`'s sidecar, policy and load (whose needs it has): without telemetry, with metrics, with metrics and a collector
at the default sampling, and with a span for every request, in turn, so that other work on the machine disturbs all alike; the
middle of the rounds counts. "Without" is the same sidecar whose telemetry was taken out (`--without`, which nothing else uses).
"""

import argparse
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram

from bench import proxy_bench
from policyd.policy.decision import Candidates, Plan
from policyd.proxy import forward, serve
from policyd.proxy.errand import Attempt, Outcome
from policyd.proxy.live import Live
from policyd.proxy.record import Record
from policyd.proxy.reload import bring_up
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.instruments import INSTRUMENTS
from policyd.proxy.telemetry.naming import Names
from policyd.proxy.telemetry.recording import Recording
from policyd.proxy.telemetry.spans import spans_of
from policyd.proxy.telemetry.tally import Tally
from policyd.proxy.telemetry.trace import Sampler
from policyd.proxy.usage import Told, Usage, tap_for

COLLECTOR_PORT = 18305
MODES = {
    "without telemetry": None,
    "metrics (default)": "",
    "metrics and spans of 1 in 100, pushed": f'[telemetry]\nendpoint = "http://127.0.0.1:{COLLECTOR_PORT}"\n',
    "metrics and spans of every request, pushed": f'[telemetry]\nendpoint = "http://127.0.0.1:{COLLECTOR_PORT}"\nsample_ratio = 1\n',
}
HEADERS = [
    (b"host", b"localhost"),
    (b"content-type", b"application/json"),
    (b"authorization", b"Bearer x"),
] * 3
ANSWER = (
    proxy_bench.ANSWER[:-1].encode()
    + b',"usage":{"prompt_tokens":212,"completion_tokens":180,"total_tokens":392}}'
)


def finished(live: Live) -> Finished:
    outcome = Outcome(
        [Attempt("t2", 1.0, "answered", 200, first_byte=0.2, took=0.9, permitted=0.0001)], 200, "t2"
    )
    record = Record(
        "d" * 24, 1e9, live.ready.digest, "chat", outcome="answered", status=200, target="t2", decide_took=6e-5,
        decided=Plan("rest", (Candidates("order", ("t2",)),), ()), took=1.0, told=Told(Usage(212, 180)), bytes_in=1000,
        bytes_out=1000,
    )  # fmt: skip
    return Finished(record, outcome, live, None, 0.0)


def micros(work: Callable[[], object], count: int = 20_000) -> float:
    """The best of five rounds, of the processor's time."""
    best = float("inf")
    for _ in range(5):
        began = time.process_time()
        for _ in range(count):
            work()
        best = min(best, (time.process_time() - began) / count)
    return best * 1e6


def ways(folder: Path) -> dict[str, float]:
    proxy_bench.sidecar_command(folder)
    live = bring_up(folder / "policyd.toml", {}, time.time())
    assert isinstance(live, Live)
    ended, tally, sampler = finished(live), Tally(), Sampler(0.01, spans=True)
    json_headers = [(b"content-type", b"application/json")]

    def tapped() -> None:
        tap = tap_for(json_headers)
        assert tap is not None
        tap.feed(ANSWER)
        tap.told()

    out = {
        "policyd: reading a 1 KB answer's usage": micros(tapped),
        "policyd: whether a request is sampled": micros(lambda: sampler.begin(HEADERS)),
        "policyd: counting a request (13 metrics)": micros(lambda: tally.add(ended)),
    }
    out |= _with_prometheus()
    out |= _with_the_sdk()
    names = Names(live)
    trace = Sampler(1.0, spans=True).begin([])
    assert trace is not None
    trace.header(0)
    sampled = Finished(ended.record, ended.outcome, live, trace, 0.0)
    out["policyd: the spans of a sampled request"] = micros(lambda: spans_of(sampled, names), 5000)
    return out


def _with_prometheus() -> dict[str, float]:
    registry = CollectorRegistry()
    made: dict[str, Any] = {}
    for i in INSTRUMENTS:
        labels = [label.replace(".", "_") for label in i.labels]
        if i.kind == "histogram":
            made[i.name] = Histogram(i.prometheus, "x", labels, buckets=i.buckets, registry=registry)
        elif i.kind == "counter":
            made[i.name] = Counter(i.prometheus, "x", labels, registry=registry)
    place = ("chat", "openai", "model-2", "127.0.0.1", "18301", "t2")

    def count() -> None:
        made["policyd.requests"].labels("chat", "answered", "rest", "t2").inc()
        made["policyd.attempts"].labels("t2", "answered").inc()
        made["policyd.bytes"].labels("in").inc(1000)
        made["policyd.bytes"].labels("out").inc(1000)
        made["policyd.tokens"].labels("t2", "input").inc(212)
        made["policyd.tokens"].labels("t2", "output").inc(180)
        made["policyd.request.duration"].labels("chat").observe(1.0)
        made["policyd.decision.duration"].labels("chat").observe(6e-5)
        made["policyd.overhead.duration"].labels("chat").observe(1e-4)
        made["gen_ai.client.operation.duration"].labels(*place, "").observe(1.0)
        made["gen_ai.client.token.usage"].labels(*place, "input").observe(212)
        made["gen_ai.client.token.usage"].labels(*place, "output").observe(180)

    return {"prometheus_client's own counters and histograms": micros(count)}


def _with_the_sdk() -> dict[str, float]:
    """Nothing where it is not installed: policyd does not need it."""
    if find_spec("opentelemetry.sdk") is None:
        return {}
    metrics, reading, tracing, exporting, keeping, sampling = (
        import_module(f"opentelemetry.sdk.{name}")
        for name in ("metrics", "metrics.export", "trace", "trace.export", "trace.export.in_memory_span_exporter", "trace.sampling")
    )  # fmt: skip
    meter = metrics.MeterProvider([reading.InMemoryMetricReader()]).get_meter("bench")
    made: dict[str, Any] = {}
    for i in INSTRUMENTS:
        if i.kind == "histogram":
            made[i.name] = meter.create_histogram(
                i.name, i.unit, explicit_bucket_boundaries_advisory=list(i.buckets)
            ).record
        elif i.kind == "counter":
            made[i.name] = meter.create_counter(i.name, i.unit).add
    place = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "model-2", "server.address": "127.0.0.1", "server.port": 18301, "policyd.target": "t2"}  # fmt: skip

    def count() -> None:
        made["policyd.requests"](
            1,
            {
                "policyd.endpoint": "chat",
                "policyd.outcome": "answered",
                "policyd.route": "rest",
                "policyd.target": "t2",
            },
        )
        made["policyd.attempts"](1, {"policyd.target": "t2", "policyd.outcome": "answered"})
        made["policyd.bytes"](1000, {"policyd.direction": "in"})
        made["policyd.bytes"](1000, {"policyd.direction": "out"})
        made["policyd.tokens"](212, {"policyd.target": "t2", "gen_ai.token.type": "input"})
        made["policyd.tokens"](180, {"policyd.target": "t2", "gen_ai.token.type": "output"})
        made["policyd.request.duration"](1.0, {"policyd.endpoint": "chat"})
        made["policyd.decision.duration"](6e-5, {"policyd.endpoint": "chat"})
        made["policyd.overhead.duration"](1e-4, {"policyd.endpoint": "chat"})
        made["gen_ai.client.operation.duration"](1.0, place)
        made["gen_ai.client.token.usage"](212, {**place, "gen_ai.token.type": "input"})
        made["gen_ai.client.token.usage"](180, {**place, "gen_ai.token.type": "output"})

    def spans(ratio: float) -> Callable[[], None]:
        provider = tracing.TracerProvider(sampler=sampling.ParentBased(sampling.TraceIdRatioBased(ratio)))
        exporter = keeping.InMemorySpanExporter()
        provider.add_span_processor(exporting.SimpleSpanProcessor(exporter))
        tracer = provider.get_tracer("bench")

        def one() -> None:
            with (
                tracer.start_as_current_span("chat", attributes=place),
                tracer.start_as_current_span("attempt"),
            ):
                pass
            if random.random() < 0.001:
                exporter.clear()

        return one

    return {
        "OpenTelemetry's SDK: the same metrics by its instruments": micros(count, 5000),
        "OpenTelemetry's SDK: two spans that are not sampled": micros(spans(0.0), 5000),
        "OpenTelemetry's SDK: two spans that are sampled": micros(spans(1.0), 2000),
    }


# Throughput: the sidecar of `proxy_bench`, with other lines in its deployment.


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def throughput(seconds: int, rounds: int, folder: Path) -> dict[str, list[proxy_bench.Load]]:
    """Each mode's loads, round by round. The sidecars run side by side and only one of them is asked at a time."""
    proxy_bench.ANSWER = ANSWER.decode()
    model = proxy_bench.MODEL.replace(
        proxy_bench.MODEL.split("return 200 '")[1].split("'")[0], ANSWER.decode()
    )
    found: dict[str, list[proxy_bench.Load]] = {name: [] for name in MODES}
    server = ThreadingHTTPServer(("127.0.0.1", COLLECTOR_PORT), _Taking)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with ExitStack() as stack:
        stack.enter_context(
            proxy_bench.running(
                proxy_bench.nginx(folder, "model", model), proxy_bench.MODEL_PORT, proxy_bench.LOAD_CORE
            )
        )
        sidecars = []
        for at, (name, lines) in enumerate(MODES.items()):
            own = folder / f"mode{at}"
            own.mkdir()
            command = proxy_bench.sidecar_command(own)
            port = 18310 + 2 * at
            toml = own / "policyd.toml"
            text = (
                toml.read_text()
                .replace(str(proxy_bench.PROXY_PORT), str(port))
                .replace(str(proxy_bench.ADMIN_PORT), str(port + 1))
            )
            toml.write_text(text + "\n" + (lines or ""))
            if lines is None:
                command = [sys.executable, "-m", "bench.telemetry_bench", "--without", str(toml)]
            pid = stack.enter_context(proxy_bench.running(command, port, proxy_bench.PROXY_CORE, Path.cwd()))
            sidecars.append((name, port, pid))
        for _, port, pid in sidecars:
            proxy_bench.load(port, proxy_bench.CONNECTIONS, 1, folder, pid)
        for turn in range(rounds):
            for name, port, pid in sidecars if turn % 2 == 0 else reversed(sidecars):
                one = proxy_bench.load(port, proxy_bench.CONNECTIONS, seconds, folder, pid)
                found[name].append(one)
                print(name, one, file=sys.stderr)
    server.shutdown()
    return found


def serve_without(path: str) -> int:
    """`policyd serve` with a telemetry that does nothing, and answers whose usage nobody reads."""

    def nothing(*_: object) -> None:
        """In place of each of them."""

    setattr(Recording, "begin", nothing)  # noqa: B010
    setattr(Recording, "ended", nothing)  # noqa: B010
    setattr(forward, "tap_for", nothing)  # noqa: B010
    return serve.serve(path)


def report(costs: dict[str, float], found: dict[str, list[proxy_bench.Load]]) -> str:
    lines = [
        "# What telemetry costs",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores with a load of {os.getloadavg()[1]:.1f}, CPython {platform.python_version()}. Repeat with `python -m bench.telemetry_bench`.",
        "",
        "## One request, by each way",
        "",
        "| way | µs |",
        "|---|---|",
        *(f"| {name} | {cost:.2f} |" for name, cost in costs.items()),
        "",
        "## A sidecar",
        "",
        "The policy of 100 rules, load and answers of 1 KB of [proxy.md](proxy.md), 64 connections, one core. Ratios are of the same round.",
        "",
        "| | requests/s | of the one without | CPU µs per request | more | errors |",
        "|---|---|---|---|---|---|",
    ]
    base = found["without telemetry"]
    for name, loads in found.items():
        ratios = [one.per_second / other.per_second for one, other in zip(loads, base, strict=True)]
        cpu = [one.cpu_us or 0.0 for one in loads]
        more = [c / (other.cpu_us or 1.0) - 1 for c, other in zip(cpu, base, strict=True)]
        lines.append(
            f"| {name} | {statistics.median(o.per_second for o in loads):,.0f} | {statistics.median(ratios):.1%} "
            f"| {statistics.median(cpu):.0f} | {statistics.median(more):+.1%} | {sum(o.errors for o in loads)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=4, help="of each run (at most 30)")
    parser.add_argument("--rounds", type=int, default=3, help="at most 9")
    parser.add_argument("--out", type=Path, help="write the tables there too")
    parser.add_argument("--without", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.without is not None:
        sys.exit(serve_without(options.without))
    with tempfile.TemporaryDirectory() as name:
        costs = ways(Path(name))
        print(costs, file=sys.stderr)
        found = throughput(min(options.seconds, 30), min(options.rounds, 9), Path(name))
    text = report(costs, found)
    print(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
