"""A server that does exactly what a test's script says with the bytes of each connection, and what tests ask of it.

It speaks no HTTP of its own: a script reads a request, sends bytes, half-closes, resets. So every framing and every fault
is written out where it is tested.
"""

import asyncio
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import uvloop

from policyd.deploy.model import AddressRule, Binding, BoundTarget, Endpoint, Timeouts, Tls
from policyd.proxy.gate import Gate, Permit, Serving, Ticket
from policyd.proxy.upstream.client import HttpExchange, HttpUpstream

CERTS = Path(__file__).parent / "certs"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
PATIENT = Timeouts(connect=20.0, first_byte=30.0, idle=30.0, total=40.0)


class Peer:
    """One connection as the server sees it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> bytes:
        """The next request's bytes, head and body; empty once the client has closed."""
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""
        lengths = [
            int(line.split(b":")[1])
            for line in head.lower().split(b"\r\n")
            if line.startswith(b"content-length")
        ]
        return head + (await self.reader.readexactly(lengths[0]) if lengths else b"")

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Returns once the client has closed its side."""
        try:
            while await self.reader.read(65536):
                pass
        except ConnectionError:
            return

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()


Script = Callable[[Peer, int], Awaitable[None]]


class Scripted:
    """Runs the script for each connection; the second argument counts connections from 0."""

    def __init__(self, script: Script, *, tls: str | None = None, path: str | None = None) -> None:
        self.script = script
        self.connections = 0
        self.open = 0
        self._path = path
        self._context: ssl.SSLContext | None = None
        if tls is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(CERTS / tls, CERTS / "leaf.key")
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        if self._path is not None:
            self._server = await asyncio.start_unix_server(self._serve, self._path)
            self.port = 0
        else:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
            self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close_door(self) -> None:
        """From now on connections are refused; those that are open stay."""
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        number = self.connections
        self.connections += 1
        self.open += 1
        try:
            await self.script(Peer(reader, writer), number)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()


def answering(data: bytes) -> Script:
    """Answers every request with the same bytes and keeps the connection."""

    async def script(peer: Peer, _: int) -> None:
        while await peer.request():
            await peer.send(data)

    return script


def answering_then_closing(data: bytes) -> Script:
    async def script(peer: Peer, _: int) -> None:
        await peer.request()
        await peer.send(data)

    return script


def target(port: int, name: str = "a", **changes: Any) -> BoundTarget:
    endpoint = changes.pop("endpoint", Endpoint("http", "127.0.0.1", port))
    rule = changes.pop("addresses", AddressRule("loopback"))
    binding = Binding(name, endpoint, frozenset({"openai"}), model="m", timeouts=PATIENT)
    return BoundTarget(name, replace(binding, **changes), rule)


def https(port: int, host: str = "127.0.0.1", tls: Tls = Tls()) -> BoundTarget:  # noqa: B008
    return target(port, endpoint=Endpoint("https", host, port), tls=tls)


class Client:
    """A gate and an upstream for some targets; every permit is for the first unless another is named."""

    def __init__(self, *targets: BoundTarget) -> None:
        self.targets = targets
        self.gate = Gate(Serving("digest", {t.name: t for t in targets}))
        self.upstream = HttpUpstream(self.gate, targets)

    def permit(self, name: str = "", *, method: bytes = b"POST", body: bytes = b'{"model":"m"}') -> Permit:
        chosen = name or self.targets[0].name
        permit = self.gate.permit(
            Ticket("r1", "digest", frozenset({chosen})),
            chosen,
            method=method,
            path=b"/v1/chat/completions",
            headers=[(b"accept", b"*/*")],
            body=body if method == b"POST" else b"",
        )
        assert isinstance(permit, Permit), permit
        return permit

    async def open(self, name: str = "", **request: Any) -> HttpExchange:
        return await self.upstream.open(self.permit(name, **request))

    async def fetch(self, name: str = "", **request: Any) -> tuple[int, bytes]:
        exchange = await self.open(name, **request)
        try:
            return exchange.status, b"".join([piece async for piece in exchange])
        finally:
            exchange.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.upstream.aclose()


async def until(condition: Callable[[], bool]) -> None:
    """Turns the loop until the condition holds; gives up before any clock of the client would have made it hold."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0)


def run(test: Awaitable[None]) -> None:
    async def main() -> None:
        async with asyncio.timeout(60):
            await test

    uvloop.run(main())


@contextmanager
def unused_port() -> Iterator[int]:
    """A port where nothing listens while the block runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
