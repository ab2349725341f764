"""The upstream client against aiohttp: CPU for each request, 64 connections, 1 KB each way, on loopback.

    python bench/upstream_bench.py [--requests 20000] [--connections 64] [--rounds 3] [--save]

A small asyncio server on httptools runs in a process of its own; the clients take turns in this one, round by round, so
that both meet the same machine. The figure is this process's CPU time for each request, which a busy neighbour on
another core changes little; requests per second are printed beside it and do depend on the neighbours. `gate` counts the
permit as well: what the proxy really pays. `--save` adds the run to bench/results/upstream.jsonl.
"""

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import statistics
import time
from collections.abc import Awaitable, Callable
from multiprocessing.connection import Connection as Pipe
from pathlib import Path

import aiohttp
import httptools
import uvloop

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Endpoint
from policyd.proxy.gate import Gate, Permit, Serving, Ticket
from policyd.proxy.upstream.client import HttpUpstream

BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"x" * 960 + b'"}]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1024\r\n\r\n" + b"y" * 1024
HEADERS = [(b"accept", b"*/*"), (b"content-type", b"application/json"), (b"user-agent", b"bench")]
RESULTS = Path(__file__).parent / "results" / "upstream.jsonl"


class Answering(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.transport.write(ANSWER)  # type: ignore[attr-defined]


def serve(pipe: Pipe) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0, backlog=1024)
        pipe.send(server.sockets[0].getsockname()[1])
        await asyncio.get_running_loop().run_in_executor(None, pipe.recv)
        server.close()

    uvloop.run(main())


async def in_turns(
    one: Callable[[], Awaitable[None]], requests: int, connections: int
) -> tuple[float, float]:
    """CPU and wall-clock seconds for all requests, `connections` at a time."""

    async def worker(count: int) -> None:
        for _ in range(count):
            await one()

    await asyncio.gather(*(worker(20) for _ in range(connections)))
    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(worker(requests // connections) for _ in range(connections)))
    return time.process_time() - cpu, time.perf_counter() - wall


async def with_policyd(
    port: int, requests: int, connections: int, *, each_permit: bool
) -> tuple[float, float]:
    endpoint = Endpoint("http", "127.0.0.1", port)
    binding = Binding("a", endpoint, frozenset({"openai"}), model="m", max_connections=connections)
    target = BoundTarget("a", binding, AddressRule("loopback"))
    gate = Gate(Serving("digest", {"a": target}))
    upstream = HttpUpstream(gate, [target])
    ticket = Ticket("r", "digest", frozenset({"a"}))

    def permit() -> Permit:
        made = gate.permit(
            ticket, "a", method=b"POST", path=b"/v1/chat/completions", headers=HEADERS, body=BODY
        )
        assert isinstance(made, Permit)
        return made

    kept = permit()

    async def one() -> None:
        exchange = await upstream.open(permit() if each_permit else kept)
        received = 0
        async for piece in exchange:
            received += len(piece)
        exchange.close()
        assert received == 1024

    try:
        return await in_turns(one, requests, connections)
    finally:
        await upstream.aclose()


async def with_aiohttp(port: int, requests: int, connections: int) -> tuple[float, float]:
    connector = aiohttp.TCPConnector(limit=0)
    url = f"http://127.0.0.1:{port}/v1/chat/completions"
    headers = [(name.decode(), value.decode()) for name, value in HEADERS]
    async with aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    ) as session:

        async def one() -> None:
            async with session.post(url, data=BODY, headers=headers, allow_redirects=False) as answer:
                received = 0
                async for piece in answer.content.iter_any():
                    received += len(piece)
                assert received == 1024

        return await in_turns(one, requests, connections)


def measure(port: int, requests: int, connections: int, rounds: int) -> dict[str, dict[str, float]]:
    found: dict[str, list[tuple[float, float]]] = {"aiohttp": [], "policyd": [], "policyd + gate": []}
    for _ in range(rounds):
        found["aiohttp"].append(uvloop.run(with_aiohttp(port, requests, connections)))
        found["policyd"].append(uvloop.run(with_policyd(port, requests, connections, each_permit=False)))
        found["policyd + gate"].append(
            uvloop.run(with_policyd(port, requests, connections, each_permit=True))
        )
    done = requests // connections * connections
    return {
        name: {
            "cpu_us": round(statistics.median(cpu for cpu, _ in runs) / done * 1e6, 1),
            "requests_per_s": round(done / statistics.median(wall for _, wall in runs)),
        }
        for name, runs in found.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true")
    asked = parser.parse_args()
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    server = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    server.start()
    try:
        figures = measure(ours.recv(), asked.requests, asked.connections, asked.rounds)
    finally:
        ours.send("stop")
        server.join(10)
    for name, row in figures.items():
        ratio = figures["aiohttp"]["cpu_us"] / row["cpu_us"]
        print(
            f"{name:16} {row['cpu_us']:7.1f} µs CPU  {row['requests_per_s']:7.0f} requests/s  {ratio:5.2f} × aiohttp"
        )
    if asked.save:
        machine = {
            "machine": platform.machine(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
        }
        versions = {
            "aiohttp": aiohttp.__version__,
            "httptools": httptools.__version__,
            "uvloop": uvloop.__version__,
        }
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a") as out:
            shape = {"requests": asked.requests, "connections": asked.connections, "rounds": asked.rounds}
            out.write(json.dumps({**machine, **versions, **shape, "figures": figures}) + "\n")


if __name__ == "__main__":
    main()
