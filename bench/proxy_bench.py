"""What the sidecar costs: requests per second, added latency and stalls, beside a direct connection and nginx.

    python -m bench.proxy_bench [--seconds 4] [--out bench/results/proxy.md]

Needs Linux with two cores, `wrk` and `nginx`. The load generator and the model server (an nginx that answers 1 KB at once)
share the first core, what is measured has the second one to itself. The sidecar has a policy of 100 rules, every feature
of the request computed, findings scanned in every request, and the decision log written to a file. Everything is bounded:
about a minute in all, loopback only, and every process that was started is ended. On a machine that has other work, run it as
`chrt -r 10 nice -n -10 python -m bench.proxy_bench`, which gives it the cores while it runs. Round robin: first in, first out would
keep the decision log's thread from the core that the event loop is on, until the sidecar refuses for want of a log.
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.live import Live
from policyd.proxy.reload import bring_up
from policyd.proxy.serve import SWITCH_SECONDS, open_listener, serving

CONNECTIONS = 64
LOAD_CORE, PROXY_CORE = "0", "1"
MODEL_PORT, NGINX_PORT, PROXY_PORT, ADMIN_PORT = 18301, 18302, 18303, 18304
ANSWER = json.dumps({"id": "chatcmpl-1", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assistant", "content": "x" * 850}, "finish_reason": "stop"}]})  # fmt: skip
PROMPT = "Please explain in one paragraph why the sky is blue and the sea is not always. " * 10
TAIL = '"}], "temperature": 0.2}'
BODY = json.dumps({"model": "gpt-5", "messages": [{"role": "system", "content": "You are brief."}, {"role": "user", "content": PROMPT}], "temperature": 0.2})  # fmt: skip

HEADERS = {"x-latency": "interactive", "authorization": "Bearer nobody"}


def policy() -> str:
    """100 rules: 60 routes, 25 guards, 10 denies, and a level with 5 raises."""
    teams = [f"team-{n}" for n in range(60)]
    names = [f"t{n}" for n in range(8)]
    lines = [
        "edition 1",
        "level sensitivity { public < internal < confidential < restricted }",
        'enum latency { interactive, batch, background } from header "x-latency" unknown interactive',
        'enum difficulty { low, middle, high } from header "x-difficulty" unknown middle',
        "string team from identity unknown reject",
        'string project from header "x-project" unknown "none"',
        "enum origin { eu, us } from deployment unknown reject",
        "classify sensitivity {",
        '  starts at public when team == "docs"',
        "  starts at internal",
        '  at least header "x-data-class"',
        "  at least confidential when opaque",
        '  at least confidential when findings contains any { "secret", "private-key" }',
        '  at least restricted when findings contains any { "card-number", "iban", "national-id" }',
        '  at least confidential when team in { "team-50", "team-51" }',
        "}",
    ]
    for n, name in enumerate(names):
        place = "on_prem" if n % 2 else "cloud"
        region = "eu" if n % 3 else "us"
        lines.append(
            f"target {name} {{ location {place} region {region} retention none context {200 + 100 * n}k "
            "speaks chat, messages, responses supports tools, json, images, reasoning }"
        )
    lines.append('guard home only location == on_prem when sensitivity >= confidential because "DLP-7"')
    lines.append(
        'guard region only region == eu when origin == eu and sensitivity >= internal because "GDPR"'
    )
    for n in range(23):
        lines.append(
            f'guard g{n} forbid target in {{ {names[n % 4 * 2]} }} when project == "secret-{n}" because "rule {n}"'
        )
    for n in range(10):
        lines.append(
            f'deny d{n} when team == "{teams[n]}" and latency == background and context_needed > {50 + n}k because "no"'
        )
    for n, team in enumerate(teams):
        condition = f'team == "{team}"' + (" and difficulty == high" if n % 2 else " and not tools")
        lines.append(f"route r{n} to {names[n % 8]}, {names[(n + 3) % 8]} when {condition}")
    lines.append("route rest to t2, t5, t1")
    lines.append('otherwise reject "nothing fits"')
    lines.append("assert home_holds never location == cloud when sensitivity >= confidential")
    return "\n".join(lines) + "\n"


def deployment(folder: Path, model_port: int = MODEL_PORT, more: str = "") -> str:
    targets = "\n".join(
        f'[targets.t{n}]\nurl = "http://127.0.0.1:{model_port}"\ndialects = ["openai", "anthropic"]\nmodel = "model-{n}"\n{more}'
        for n in range(8)
    )
    return f"""policy = "bench.policy"
[listen]
port = {PROXY_PORT}
[admin]
port = {ADMIN_PORT}
[identity]
kind = "loopback"
team = "team-41"
[features]
origin = "eu"
[log]
path = "{folder}/decisions.jsonl"
{targets}"""


@contextmanager
def running(command: list[str], port: int, core: str, cwd: Path | None = None) -> Iterator[int]:
    """A process on a core, once its port answers; ended at the end."""
    process = subprocess.Popen(
        ["taskset", "-c", core, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd
    )
    try:
        for _ in range(400):
            if process.poll() is not None:
                raise SystemExit(f"{command[0]} ended: run it by hand to see why: {' '.join(command)}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def nginx(folder: Path, name: str, server: str, *, connections: int = 1024) -> list[str]:
    config = folder / f"{name}.conf"
    config.write_text(
        f"daemon off; master_process off; worker_processes 1; pid {folder}/{name}.pid; error_log /dev/null;\n"
        f"events {{ worker_connections {connections}; }}\n"
        f"http {{ access_log off; keepalive_requests 10000000; client_body_buffer_size 2m; client_max_body_size 64m;\n"
        f"  client_body_temp_path {folder}/{name}.body; proxy_temp_path {folder}/{name}.proxy; fastcgi_temp_path {folder}/{name}.f;\n"
        f"  uwsgi_temp_path {folder}/{name}.u; scgi_temp_path {folder}/{name}.s;\n{server}\n}}\n"
    )
    return ["nginx", "-c", str(config), "-p", str(folder)]


@dataclass(frozen=True, slots=True)
class Load:
    """What one run of the load generator measured."""

    per_second: float
    p50_ms: float
    p99_ms: float
    errors: int
    cpu_us: float | None


def load(
    port: int,
    connections: int,
    seconds: int,
    folder: Path,
    pid: int | None,
    *,
    body: str = BODY,
    headers: Mapping[str, str] = HEADERS,
) -> Load:
    """Bodies end in `TAIL`; a number is put before it, so that no two are alike."""
    script = folder / "post.lua"
    lines = "".join(f'wrk.headers["{name}"] = "{value}"\n' for name, value in headers.items())
    script.write_text(
        f'wrk.method = "POST"\nwrk.headers["content-type"] = "application/json"\n{lines}'
        f"local before, after = [==[{body[: -len(TAIL)]}]==], [==[{TAIL}]==]\n"
        "local n = 0\n"
        "request = function() n = n + 1; return wrk.format(nil, nil, nil, before .. n .. after) end\n"
    )
    before = cpu_seconds(pid)
    out = subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script),
         f"http://127.0.0.1:{port}/v1/chat/completions"],
        capture_output=True, text=True, check=True, timeout=seconds + 30,
    ).stdout  # fmt: skip
    used = cpu_seconds(pid) - before
    total = int(_one(r"(\d+) requests in", out))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return Load(
        float(_one(r"Requests/sec:\s+([\d.]+)", out)),
        _ms(_one(r"\s50%\s+([\d.]+\w+)", out)),
        _ms(_one(r"\s99%\s+([\d.]+\w+)", out)),
        int(bad.group(1)) if bad else 0,
        used / total * 1e6 if pid is not None and total else None,
    )


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"wrk said something else than expected:\n{text}")
    return found.group(1)


def _ms(text: str) -> float:
    number = float(re.sub(r"[a-z]+", "", text))
    return number / 1000 if text.endswith("us") else number if text.endswith("ms") else number * 1000


def cpu_seconds(pid: int | None) -> float:
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sidecar_command(folder: Path, model_port: int = MODEL_PORT, more: str = "") -> list[str]:
    """`more` are further lines of each target."""
    (folder / "bench.policy").write_text(policy())
    (folder / "policyd.toml").write_text(deployment(folder, model_port, more))
    return [sys.executable, "-m", "policyd", "serve", str(folder / "policyd.toml")]


MODEL = f"""server {{ listen 127.0.0.1:{MODEL_PORT} backlog=1024; default_type application/json;
    location / {{ return 200 '{ANSWER}'; }} }}"""
RELAY = f"""upstream model {{ server 127.0.0.1:{MODEL_PORT}; keepalive 256; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{NGINX_PORT} backlog=1024;
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; }} }}"""


def measure(seconds: int, rounds: int, folder: Path) -> dict[str, dict[int, Load]]:
    """Every way at one and at 64 connections; the best of the rounds, which other work on the machine disturbs least."""
    found: dict[str, dict[int, Load]] = {}
    with ExitStack() as stack:
        stack.enter_context(running(nginx(folder, "model", MODEL), MODEL_PORT, LOAD_CORE))
        relay = stack.enter_context(running(nginx(folder, "relay", RELAY), NGINX_PORT, PROXY_CORE))
        sidecar = stack.enter_context(running(sidecar_command(folder), PROXY_PORT, PROXY_CORE))
        ways = (("direct", MODEL_PORT, None), ("nginx", NGINX_PORT, relay), ("policyd", PROXY_PORT, sidecar))
        for _, port, pid in ways:
            load(port, CONNECTIONS, 1, folder, pid)  # warm
        for _ in range(rounds):
            for name, port, pid in ways:
                for connections in (1, CONNECTIONS):
                    one = load(port, connections, seconds, folder, pid)
                    best = found.setdefault(name, {}).get(connections)
                    if best is None or one.per_second > best.per_second:
                        found[name][connections] = one
                    print(name, connections, one, file=sys.stderr)
    return found


# Stalls: the sidecar's own event loop, asked every 2 ms whether it is late, while bodies of 1 MB come in.


async def _stalls(folder: Path, seconds: float) -> dict[str, list[float]]:
    sys.setswitchinterval(SWITCH_SECONDS)
    path = folder / "policyd.toml"
    live = bring_up(path, {}, time.time())
    assert isinstance(live, Live)
    deployment = live.deployment
    log = DecisionLog(deployment.log)
    late: dict[str, list[float]] = {"idle": [], "1 MB bodies": []}
    listeners = open_listener(deployment.listen), open_listener(deployment.admin)
    async with serving(path, live, log, *listeners):
        for name, lates in late.items():
            client = None
            if name != "idle":
                client = await asyncio.create_subprocess_exec(
                    "taskset", "-c", LOAD_CORE, sys.executable, __file__, "--client", str(seconds)
                )
            until = time.perf_counter() + seconds
            while (before := time.perf_counter()) < until:
                await asyncio.sleep(0.002)
                lates.append((time.perf_counter() - before - 0.002) * 1000)
            if client is not None:
                await client.wait()
    log.close()
    return late


def stalls(folder: Path, seconds: float) -> dict[str, list[float]]:
    # The ordinary scheduler, whatever the load was measured under: a thread of ours must be able to yield to another.
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    os.sched_setaffinity(0, {int(PROXY_CORE)})
    gc.collect()
    gc.freeze()
    return uvloop.run(_stalls(folder, seconds))


def client(seconds: float) -> None:
    """Two connections that send bodies of 1 MB, every one with other words, one after the other."""
    words = [f"{random.choice('bcdfgklmnprst')}{random.choice('aeiou')}{n % 97}" for n in range(5000)]

    async def one() -> int:
        reader, writer = await asyncio.open_connection("127.0.0.1", PROXY_PORT)
        sent = 0
        until = time.perf_counter() + seconds - 0.5
        while time.perf_counter() < until:
            messages = []
            for n in range(64):
                text = " ".join(random.choices(words, k=3600))
                messages.append({"role": "user" if n % 2 else "assistant", "content": text})
            body = json.dumps({"model": "m", "messages": messages}).encode()
            head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
            writer.write(head.encode() + body)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", answer)[1])  # type: ignore[index]
            await reader.readexactly(length)
            sent += 1
        writer.close()
        return sent

    async def both() -> list[int]:
        return await asyncio.gather(one(), one())

    print("bodies of 1 MB:", sum(asyncio.run(both())), file=sys.stderr)


def report(found: dict[str, dict[int, Load]], late: dict[str, list[float]]) -> str:
    direct = found["direct"]
    lines = [
        "# The sidecar beside a direct connection and nginx",
        "",
        f"{time.strftime('%Y-%m-%d')}, {platform.processor() or platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}.",
        "1 KB bodies and answers; no two alike; the load generator and the model server on one core, what is measured on the other;",
        "a policy of 100 rules, every feature, findings scanned, log on. Best of the rounds. Repeat with `python -m bench.proxy_bench`.",
        "",
        f"| | requests/s, {CONNECTIONS} connections | of direct | CPU µs per request | p50 ms, 1 connection | added p50 ms | p99 ms, {CONNECTIONS} | errors |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, loads in found.items():
        many, one = loads[CONNECTIONS], loads[1]
        share = many.per_second / direct[CONNECTIONS].per_second
        cpu = "" if many.cpu_us is None else f"{many.cpu_us:.0f}"
        lines.append(
            f"| {name} | {many.per_second:,.0f} | {share:.1%} | {cpu} | {one.p50_ms:.3f} | {one.p50_ms - direct[1].p50_ms:.3f} "
            f"| {many.p99_ms:.2f} | {many.errors + one.errors} |"
        )
    lines += ["", "How late the sidecar's event loop was, asked every 2 ms (ms):", "", "| | p50 | p99 | largest | over 10 ms |", "|---|---|---|---|---|"]  # fmt: skip
    for name, lates in late.items():
        ordered = sorted(lates)
        over = sum(x > 10 for x in lates)
        p99 = ordered[int(len(ordered) * 0.99)]
        lines.append(
            f"| {name} | {statistics.median(ordered):.2f} | {p99:.2f} | {ordered[-1]:.2f} | {over} of {len(lates)} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=4, help="of each run (at most 30)")
    parser.add_argument("--rounds", type=int, default=2, help="at most 5")
    parser.add_argument("--out", type=Path, help="write the table there too")
    parser.add_argument("--only", choices=["load", "stalls"])
    parser.add_argument("--client", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.client is not None:
        client(options.client)
        return
    missing = [tool for tool in ("wrk", "nginx", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"needs {', '.join(missing)} (Debian: apt-get install wrk nginx util-linux)")
    seconds, rounds = min(options.seconds, 30), min(options.rounds, 5)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found = measure(seconds, rounds, folder) if options.only != "stalls" else {}
        late: dict[str, list[float]] = {}
        if options.only != "load":
            sidecar_command(folder)
            with running(nginx(folder, "model", MODEL), MODEL_PORT, LOAD_CORE):
                late = stalls(folder, seconds * 2.0)
    if not found:
        print({n: (statistics.median(x), max(x), sum(v > 10 for v in x), len(x)) for n, x in late.items()})
        return
    text = report(found, late)
    print(text)
    if options.out is not None:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
