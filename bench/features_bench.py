"""What the features of a request cost: reading, scanning and counting by size, stalls of the event loop, and throughput.

    python -m bench.features_bench [--seconds 4] [--rounds 3] [--only PART] [--out bench/results/features.md]

Needs Linux with two cores, `wrk` and `nginx`, as `proxy_bench` does. The load and the model server (an nginx that answers 1 KB at once) are on
the first core, what is measured has the second one to itself. Loopback only; every process that was started is ended.

Parts: `sizes` (one thread, no sidecar), `hostile` (that nothing is worse than linear), `stalls` (a sidecar's event loop while bodies of 4 MB
are scanned and counted), `conversation` (an agent's conversation of 80 turns: how many requests had to be scanned and counted), `throughput` (1 KB,
policies with and without findings, in turns).
"""

import argparse
import asyncio
import gc
import json
import os
import platform
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import orjson
import uvloop

from bench.proxy_bench import (
    ADMIN_PORT,
    BODY,
    CONNECTIONS,
    LOAD_CORE,
    MODEL,
    MODEL_PORT,
    PROXY_CORE,
    PROXY_PORT,
    Load,
    deployment,
    load,
    nginx,
    policy,
    running,
)
from policyd.detect.scanner import Scanner
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.live import Live
from policyd.proxy.reload import bring_up
from policyd.proxy.serve import COLLECT, SWITCH_SECONDS, open_listener, serving
from policyd.proxy.weigh import Weigher
from policyd.traffic.body import Body, read_body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.tokens import TokenCounter, byte_bounds

KB, MB = 1024, 1024 * 1024
SIZES = {"1 KB": KB, "100 KB": 100 * KB, "1 MB": MB, "4 MB": 4 * MB}
ROOT = Path(__file__).parents[1]
SECOND_PORT, SECOND_ADMIN = 18311, 18312
FAR = 10**9


def sources() -> list[str]:
    """Source files, which are what a coding agent reads. Those of the detectors have what they look for in them."""
    found = sorted((ROOT / "policyd").rglob("*.py"))
    return [p.read_text() for p in found if p.stat().st_size > 2 * KB and p.parent.name != "detect"]


def text_of(size: int, rng: random.Random, files: Sequence[str]) -> str:
    """Code and prose, with numbers that no other text has, so that nothing of it is remembered."""
    parts: list[str] = []
    left = size
    while left > 0:
        file = rng.choice(files)
        at = rng.randrange(max(1, len(file) - KB))
        part = f"{rng.randrange(10**9)}: {file[at : at + min(left, 4 * KB)]}\n"
        parts.append(part)
        left -= len(part)
    return "".join(parts)[:size]


def chat(size: int, rng: random.Random, files: Sequence[str]) -> bytes:
    """A chat of about this size, in messages of at most 16 KB."""
    messages = [{"role": "system", "content": "You are brief."}]
    left = size - 150
    while left > 0:
        text = text_of(min(left, 16 * KB), rng, files)
        messages.append({"role": ("user", "assistant")[len(messages) % 2], "content": text})
        left -= len(text) + 40
    return orjson.dumps({"model": "m", "messages": messages})


def best(work: Callable[[], object], times: int) -> float:
    """Milliseconds of processor time, the least of so many."""
    found = []
    for _ in range(times):
        began = time.thread_time()
        work()
        found.append((time.thread_time() - began) * 1000)
    return min(found)


def sizes() -> list[str]:
    files, rng = sources(), random.Random(1)
    Scanner().scan(("load what is needed, whatever it is",))
    TokenCounter().count_till_limit(["the same"], FAR)
    columns: dict[str, list[float]] = {}
    rows = (
        "read", "its JSON alone", "collect texts", "scan, cold", "scan, warm", "bounds of the tokens", "count, cold", "count, warm",
        "all, cold", "all, warm",
    )  # fmt: skip
    for name, size in SIZES.items():
        times = 20 if size <= 100 * KB else 4
        body = chat(size, rng, files)
        read = best(lambda body=body: _read(body), times)
        plain = best(lambda body=body: orjson.loads(body), times)
        reading = _read(body)
        collect = best(lambda reading=reading: (reading.texts, reading.prompt), times)
        texts, prompt = reading.texts, reading.prompt
        scanner, counter = Scanner(), TokenCounter()
        cold_scan = best(lambda texts=texts: Scanner().scan(texts), times)
        scanner.scan(texts)
        warm_scan = best(lambda texts=texts, scanner=scanner: scanner.scan(texts), times)
        bounds = best(lambda prompt=prompt: byte_bounds(prompt), times)
        cold_count = best(lambda prompt=prompt: TokenCounter().count_till_limit(prompt, FAR), times)
        counter.count_till_limit(prompt, FAR)
        warm_count = best(lambda prompt=prompt, counter=counter: counter.count_till_limit(prompt, FAR), times)
        columns[name] = [
            read, plain, collect, cold_scan, warm_scan, bounds, cold_count, warm_count,
            read + collect + cold_scan + cold_count, read + collect + warm_scan + warm_count,
        ]  # fmt: skip
        print(name, [round(x, 3) for x in columns[name]], file=sys.stderr)
    lines = ["## By size", "", "Milliseconds of processor time, the best of several; source code and prose in messages of up to 16 KB. *Cold*: nothing of it is remembered.", ""]  # fmt: skip
    lines += ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    for at, row in enumerate(rows):
        lines.append(f"| {row} | " + " | ".join(_ms(found[at]) for found in columns.values()) + " |")
    return lines


def _ms(value: float) -> str:
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}" if value < 10 else f"{value:,.0f}"


def _read(raw: bytes) -> Any:
    body = read_body(raw, "application/json", None)
    assert isinstance(body, Body)
    return read_request(EndpointName.CHAT, body.parsed)


HOSTILE: dict[str, Callable[[int], Any]] = {
    "source code": lambda n: text_of(n, random.Random(n), sources()),
    "spaces": lambda n: " " * n,
    "one letter": lambda n: "a" * n,
    "digits": lambda n: "1234567890" * (n // 10),
    "nearly cards": lambda n: "4111 1111 1111 1112 " * (n // 20),
    "prefixes of keys": lambda n: "AKIA ghp_ sk-ant- xoxb- " * (n // 24),
    "base64": lambda n: "QWxhZGRpbjpvcGVuIHNlc2FtZQ" * (n // 26),
    "percent signs": lambda n: "%41%6b" * (n // 6),
    "random Chinese": lambda n: "".join(map(chr, random.Random(n).choices(range(0x4E00, 0x9FFF), k=n // 3))),
    "invisible characters": lambda n: "a\u200b" * (n // 4),
}


def hostile() -> list[str]:
    lines = ["## Hostile texts", "", "Milliseconds for 1 MB, and how many times as long 4 MB take: 4 is linear.", "", "| | scan, 1 MB | 4 MB | count, 1 MB | 4 MB | longest step of counting, ms |", "|---|---|---|---|---|---|"]  # fmt: skip
    counter = TokenCounter()
    for name, make in HOSTILE.items():
        found = []
        longest = 0.0
        for size in (MB, 4 * MB):
            text = make(size)
            scan = best(lambda text=text: Scanner().scan((text,)), 2)
            began, steps = time.thread_time(), 0.0
            for _ in counter.steps(text, None):
                steps = max(steps, time.thread_time() - began)
                began = time.thread_time()
            longest = max(longest, steps * 1000)
            count = best(lambda text=text: TokenCounter().count_till_limit([text], FAR), 2)
            found.append((scan, count))
        (s1, c1), (s4, c4) = found
        print(name, found, file=sys.stderr)
        lines.append(
            f"| {name} | {_ms(s1)} | {s4 / s1:.1f} × | {_ms(c1)} | {c4 / c1:.1f} × | {longest:.2f} |"
        )
    for name, body in (
        ("100,000 parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": f"part {n}"} for n in range(100_000)]}]}),
        ("JSON in JSON, 120 levels", {"messages": [], "tools": [_nested(120) for _ in range(2000)]}),
    ):  # fmt: skip
        raw = orjson.dumps({"model": "m", **body})
        half = {
            k: [{**v[0], "content": v[0]["content"][:25_000]}] if k == "messages" and v else v[:500]
            for k, v in body.items()
        }
        found_sizes = []
        for one in (orjson.dumps({"model": "m", **half}), raw):
            reading = _read(one)
            took = best(lambda one=one: _read(one), 3), best(lambda reading=reading: Scanner().scan(reading.texts), 2), best(lambda reading=reading: TokenCounter().count_till_limit(reading.prompt, FAR), 2)  # fmt: skip
            found_sizes.append(took)
        quarter, whole = found_sizes
        print(name, found_sizes, file=sys.stderr)
        lines.append("")
        lines.append(
            f"{name} ({len(raw) / MB:.1f} MB): read {_ms(whole[0])}, scan {_ms(whole[1])}, count {_ms(whole[2])} ms; "
            f"{whole[0] / quarter[0]:.1f}, {whole[1] / quarter[1]:.1f} and {whole[2] / quarter[2]:.1f} times as long as a quarter of them."
        )
    return lines


def _nested(depth: int) -> Any:
    value: Any = "x"
    for n in range(depth):
        value = {"k": value} if n % 2 else [value]
    return {"type": "function", "function": {"name": "f", "parameters": value}}


# Stalls: a sidecar in a process of its own asks its event loop every millisecond whether it is late.


async def _serve(folder: Path, seconds: float) -> dict[str, Any]:
    sys.setswitchinterval(SWITCH_SECONDS)
    path = folder / "policyd.toml"
    live = bring_up(path, {}, time.time())
    assert isinstance(live, Live)
    log = DecisionLog(live.deployment.log)
    idle: list[float] = []
    busy: list[float] = []
    listeners = open_listener(live.deployment.listen), open_listener(live.deployment.admin)
    before_rss = rss()
    async with serving(path, live, log, *listeners) as serving_now:
        print("ready", flush=True)
        until = time.perf_counter() + seconds
        while (before := time.perf_counter()) < until:
            held = serving_now.sidecar.held >= MB
            await asyncio.sleep(0.001)
            late = (time.perf_counter() - before - 0.001) * 1000
            (busy if held or serving_now.sidecar.held >= MB else idle).append(late)
    log.close()
    return {"idle": idle, "busy": busy, "rss": (before_rss, rss())}


def rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / MB


async def _exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes) -> float:
    began = time.perf_counter()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body) + body)  # fmt: skip
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise SystemExit(f"the sidecar answered {head!r}")
    return (time.perf_counter() - began) * 1000


async def _ask(seconds: float, large: bool) -> tuple[list[float], list[float]]:
    """Small requests, one every 5 ms; with `large`, bodies of 4 MB beside them, one after the other. Milliseconds each took."""
    files, rng = sources(), random.Random(time.time())
    until = time.perf_counter() + seconds
    took: list[float] = []
    slow: list[float] = []

    async def small() -> None:
        streams = await asyncio.open_connection("127.0.0.1", PROXY_PORT)
        while time.perf_counter() < until:
            took.append(await _exchange(*streams, chat(KB, rng, files)))
            await asyncio.sleep(0.005)
        streams[1].close()

    async def big() -> None:
        streams = await asyncio.open_connection("127.0.0.1", PROXY_PORT, limit=MB)
        bodies = [chat(4 * MB, rng, files) for _ in range(3)]
        at = 0
        while time.perf_counter() < until:
            # A word that is new in each message: nothing is remembered, at little cost to this side.
            body = bodies[at % 3].replace(b'"content":"', b'"content":"%d ' % at)
            slow.append(await _exchange(*streams, body))
            at += 1
        streams[1].close()

    if large:
        began = time.perf_counter()
        ready = [chat(4 * MB, rng, files)]
        until += time.perf_counter() - began
        del ready
    await asyncio.gather(small(), *([big()] if large else []))
    return took, slow


def stalls(folder: Path, seconds: float) -> list[str]:
    # A window that holds 4 MB, and a number that can only be told from them by counting.
    text = re.sub(r"context \d+k ", "context 3M ", policy())
    text = text.replace("route r0 ", "route counted to t7 when tokens > 1200k\nroute r0 ")
    (folder / "bench.policy").write_text(text)
    (folder / "policyd.toml").write_text(deployment(folder))
    lines = ["## Stalls", "", "A sidecar whose event loop is asked every millisecond whether it is late (ms), while it holds a body of 4 MB that is read, scanned and counted anew, and requests of 1 KB beside it.", "", "| | p50 | p99 | largest | asked |", "|---|---|---|---|---|"]  # fmt: skip
    with running(nginx(folder, "model", MODEL), MODEL_PORT, LOAD_CORE):
        found: dict[bool, tuple[dict[str, Any], list[float], list[float]]] = {}
        for large in (False, True):
            whole = seconds + (6 if large else 2)
            process = subprocess.Popen(
                ["taskset", "-c", PROXY_CORE, sys.executable, "-m", "bench.features_bench", "--serve", str(whole), "--folder", str(folder)],
                stdout=subprocess.PIPE, text=True, cwd=ROOT,
            )  # fmt: skip
            try:
                assert process.stdout is not None
                assert process.stdout.readline() == "ready\n"
                asked = asyncio.run(_ask(seconds, large))
                process.wait(60)
                said = json.loads((folder / "stalls.json").read_text())
            finally:
                process.terminate()
                process.wait(20)
            found[large] = (said, *asked)
    quiet, loud = found[False], found[True]
    rows = {
        "event loop, no large body": quiet[0]["idle"],
        "event loop, with a body of 4 MB": loud[0]["busy"],
        "answer to 1 KB, no large body": quiet[1],
        "answer to 1 KB, with bodies of 4 MB": loud[1],
        "answer to 4 MB": loud[2],
    }
    for name, values in rows.items():
        ordered = sorted(values)
        lines.append(f"| {name} | {statistics.median(ordered):.2f} | {ordered[int(len(ordered) * 0.99)]:.2f} | {ordered[-1]:.2f} | {len(ordered)} |")  # fmt: skip
    small, large_rss = quiet[0]["rss"], loud[0]["rss"]
    lines += ["", f"Resident memory: {small[0]:.0f} MB before the first request, {small[1]:.0f} MB after small ones, {large_rss[1]:.0f} MB after bodies of 4 MB."]  # fmt: skip
    print("\n".join(lines), file=sys.stderr)
    return lines


# An agent's conversation: generated from the public shapes of what a coding agent sends, with source files as what it reads.


def conversation(turns: int) -> Iterator[dict[str, Any]]:
    rng, files = random.Random(7), sources()
    tools = [
        {"name": f"Tool{n}", "description": text_of(1200, rng, files), "input_schema": {"type": "object", "properties": {f"p{k}": {"type": "string", "description": f"the value {k} of tool {n}"} for k in range(6)}}}
        for n in range(18)
    ]  # fmt: skip
    system = [{"type": "text", "text": text_of(12_000, rng, files), "cache_control": {"type": "ephemeral"}}]
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": "Please find why the test fails, and mend it."}
    ]
    for turn in range(turns):
        yield {
            "model": "claude-sonnet-5", "max_tokens": 32_000, "stream": True, "system": system, "tools": tools,
            "messages": list(messages), "metadata": {"user_id": "user_1_account__session_2"},
        }  # fmt: skip
        call = f"toolu_{turn:024d}"
        said = {"type": "text", "text": f"Let me look at the next file, number {turn}."}
        used = {"type": "tool_use", "id": call, "name": "Tool3", "input": {"p0": f"/src/file_{turn}.py"}}
        result = {"type": "tool_result", "tool_use_id": call, "content": text_of(rng.choice((400, 2000, 6000, 12_000)), rng, files)}  # fmt: skip
        messages += [{"role": "assistant", "content": [said, used]}, {"role": "user", "content": [result]}]


AGENTS = """policy = "{policy}"
[identity]
kind = "loopback"
team = "web"
[listen]
port = {port}
[admin]
port = {admin}
[log]
path = "{folder}/turns.jsonl"
[targets.rack]
url = "http://127.0.0.1:{model}"
dialects = ["openai", "anthropic"]
model = "own"
[targets.anthropic]
url = "http://127.0.0.1:{model}"
dialects = ["anthropic"]
[targets.openai]
url = "http://127.0.0.1:{model}"
dialects = ["openai"]
"""

BARE = """
edition 1
string team from identity unknown reject
target rack { location on_prem  context 256k  speaks chat, completions, responses, messages  supports tools, json, reasoning }
target anthropic { location cloud  context 200k  speaks messages  supports tools, images, json, reasoning }
target openai { location cloud  context 400k  speaks chat, responses  supports tools, images, json, reasoning }
route all to anthropic, openai, rack
otherwise reject "no"
"""

LADDER = BARE.replace("route all", "route short to rack when tokens <= 20k\nroute middle to rack when tokens <= 60k\nroute long to anthropic when tokens <= 120k\nroute all")  # fmt: skip


def turns(folder: Path, number: int) -> list[str]:
    lines = ["## An agent's conversation", "", f"{number} turns, each with everything before it: 18 tools, a system prompt of 12 KB, and a file or a command's output of 0.4 to 12 KB each turn. It was generated from the public shapes of what a coding agent sends, with this project's source as the files; no recording is published with this repository.", "", "| policy | scanned | tokens counted to the end | decided by bounds | the decision, p50 ms | p99 ms | last body |", "|---|---|---|---|---|---|---|"]  # fmt: skip
    agents = (ROOT / "examples" / "agents" / "agents.policy").read_text()
    for name, text in (
        ("no findings, windows of 200k and more", BARE),
        ("the same, with rules at 20k, 60k and 120k tokens", LADDER),
        ("examples/agents: findings decide where it may go", agents),
    ):
        where = folder / f"conversation-{len(lines)}"
        where.mkdir()
        (where / "x.policy").write_text(text)
        (where / "policyd.toml").write_text(AGENTS.format(policy="x.policy", port=PROXY_PORT, admin=ADMIN_PORT, folder=where, model=MODEL_PORT))  # fmt: skip
        command = [sys.executable, "-m", "policyd", "serve", str(where / "policyd.toml")]
        size = 0
        with (
            running(nginx(folder, "model", MODEL), MODEL_PORT, LOAD_CORE),
            running(command, PROXY_PORT, PROXY_CORE, ROOT),
        ):
            size = asyncio.run(_converse(number))
        records = [json.loads(line) for line in (where / "turns.jsonl").read_bytes().splitlines()]
        assert len(records) == number and all(r["status"] == 200 for r in records), records[-1]
        scanned = sum("findings" in r["features"] for r in records)
        counted = sum(isinstance(r["features"].get("tokens"), int) for r in records)
        took = sorted(r["decide_us"] / 1000 for r in records)
        lines.append(f"| {name} | {scanned} of {number} | {counted} | {number - counted} | {took[len(took) // 2]:.2f} | {took[int(len(took) * 0.99)]:.2f} | {size // KB} KB |")  # fmt: skip
        print(lines[-1], file=sys.stderr)
    lines += ["", "What a tokenizer was given of all that text, where the policy asks for these numbers of tokens:", "", "| numbers | turns without counting | characters counted | of all characters |", "|---|---|---|---|"]  # fmt: skip
    for marks in ((200_000, 256_000, 400_000), (20_000, 60_000, 120_000), (10**9,)):
        lines.append(asyncio.run(_given(marks, number)))
    return lines


class _Given:
    """A tokenizer that remembers how much it was given."""

    def __init__(self) -> None:
        self.characters = 0

    def count(self, text: str) -> int:
        self.characters += len(text)
        return _TOKENS.count_till_limit([text], FAR)


_TOKENS = TokenCounter(memo_bytes=0)


async def _given(marks: tuple[int, ...], number: int) -> str:
    given = _Given()
    weigher = Weigher(4096, counters={"o200k": TokenCounter(given)})
    without = every = 0
    for body in conversation(number):
        raw = orjson.dumps(body)
        reading = read_request(EndpointName.MESSAGES, body)
        every += sum(map(len, reading.prompt))
        before = given.characters
        if weigher.by_size(reading, len(raw), {"tokens": marks}, frozenset()) is None:
            await weigher.tokens(reading, len(raw), {"tokens": marks}, frozenset())
        without += given.characters == before
    shown = ", ".join(f"{mark:,}" for mark in marks)
    return f"| {shown} | {without} of {number} | {given.characters:,} | {given.characters / every:.2%} |"


async def _converse(number: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", PROXY_PORT, limit=MB)
    size = 0
    for body in conversation(number):
        raw = orjson.dumps(body)
        size = len(raw)
        writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % size + raw)  # fmt: skip
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0]))
    writer.close()
    return size


# Throughput at 1 KB.


def without_findings(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if "findings" not in line) + "\n"


@contextmanager
def sidecar(folder: Path, name: str, text: str, port: int, admin: int) -> Iterator[int]:
    where = folder / name
    where.mkdir()
    (where / "bench.policy").write_text(text)
    toml = (
        deployment(where)
        .replace(f"port = {PROXY_PORT}", f"port = {port}")
        .replace(f"port = {ADMIN_PORT}", f"port = {admin}")
    )
    (where / "policyd.toml").write_text(toml)
    command = [sys.executable, "-m", "policyd", "serve", str(where / "policyd.toml")]
    with running(command, port, PROXY_CORE, ROOT) as pid:
        yield pid


def throughput(folder: Path, seconds: int, rounds: int) -> list[str]:
    found: dict[str, list[Load]] = {"none": [], "all": []}
    with ExitStack() as stack:
        stack.enter_context(running(nginx(folder, "model", MODEL), MODEL_PORT, LOAD_CORE))
        none = stack.enter_context(
            sidecar(folder, "none", without_findings(policy()), PROXY_PORT, ADMIN_PORT)
        )
        every = stack.enter_context(sidecar(folder, "all", policy(), SECOND_PORT, SECOND_ADMIN))
        ways = (("none", PROXY_PORT, none), ("all", SECOND_PORT, every))
        for _, port, pid in ways:
            load(port, CONNECTIONS, 1, folder, pid, body=BODY)
        for _ in range(rounds):
            for name, port, pid in ways:
                found[name].append(load(port, CONNECTIONS, seconds, folder, pid, body=BODY))
                print(name, found[name][-1], file=sys.stderr)
    shares = [a.per_second / n.per_second for a, n in zip(found["all"], found["none"], strict=True)]
    lines = ["## Throughput at 1 KB", "", f"The same 100 rules, with the lines about findings and without them; {CONNECTIONS} connections, in turns, no two bodies alike. Medians of {rounds} rounds.", "", "| | requests/s | CPU µs per request | p99 ms | errors |", "|---|---|---|---|---|"]  # fmt: skip
    for name, loads in found.items():
        label = "no detectors" if name == "none" else "all detectors, every request scanned"
        cpu = statistics.median([one.cpu_us or 0.0 for one in loads])
        lines.append(f"| {label} | {statistics.median([one.per_second for one in loads]):,.0f} | {cpu:.0f} | {statistics.median([one.p99_ms for one in loads]):.1f} | {sum(one.errors for one in loads)} |")  # fmt: skip
    lines += ["", f"With all detectors: {statistics.median(shares):.1%} of the throughput without any (rounds: {', '.join(f'{s:.1%}' for s in shares)})."]  # fmt: skip
    return lines


HOLDS = """## What holds the event loop

- Parsing. orjson reads a body in one go and holds the interpreter meanwhile: 6 ms for 4 MB of chat; 60 to 110 ms for 4 MB of nothing but brackets
  or numbers, which is the longest stall that a caller can cause with that size. Another process could parse it, but what comes back has to become
  objects here again, at the same price; so `limits.body` is the bound.
- Counting, at most 3 ms: 16,384 characters at a time, the worst of which is random Chinese. Hashing (64 KiB) and counting keys (256 KiB) go in pieces too;
  at once they held it for 8 ms each.
- Searching does not: RE2 and Aho-Corasick let others run. A thread that does hold it gives it back after 1 ms, if it can, when the event loop waits."""

PARTS = ("sizes", "hostile", "stalls", "conversation", "throughput")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=4, help="of each run (at most 30)")
    parser.add_argument("--rounds", type=int, default=3, help="at most 9")
    parser.add_argument("--only", choices=PARTS, action="append")
    parser.add_argument("--out", type=Path, help="write the report there too")
    parser.add_argument("--serve", type=float, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    # As the sidecar itself.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT)
    if options.serve is not None:
        found = uvloop.run(_serve(options.folder, options.serve))
        (options.folder / "stalls.json").write_text(json.dumps(found))
        return
    seconds, rounds = min(options.seconds, 30), min(options.rounds, 9)
    wanted = options.only or PARTS
    lines = ["# What the features of a request cost", "", f"{time.strftime('%Y-%m-%d')}, {platform.machine()}, {os.cpu_count()} cores, CPython {platform.python_version()}. Repeat with `python -m bench.features_bench`."]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for part, work in (
            ("sizes", sizes),
            ("hostile", hostile),
            ("stalls", lambda: stalls(folder, float(seconds * 2))),
            ("conversation", lambda: turns(folder, 80)),
            ("throughput", lambda: throughput(folder, seconds, rounds)),
        ):
            if part in wanted:
                lines += ["", *work()]
                lines += ["", HOLDS] if part == "stalls" else []
    text = "\n".join(lines) + "\n"
    print(text)
    if options.out is not None:
        options.out.write_text(text)


if __name__ == "__main__":
    main()
