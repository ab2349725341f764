"""A real `redis-server` on a port of its own, in the test's folder, ended with it; and servers that are none."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

__all__ = ["CERTS", "RedisServer", "a_redis", "needs_redis", "no_redis"]

_BINARY = shutil.which("redis-server") or "/usr/bin/redis-server"

CERTS = Path(__file__).parents[1] / "upstream" / "certs"

needs_redis = pytest.mark.skipif(not Path(_BINARY).exists(), reason="redis-server is not installed")


class RedisServer:
    """One server, which can be killed and started again on its port, with nothing of what it held."""

    def __init__(self, folder: Path, password: str | None, certificate: str | None = None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._folder = folder
        self._password = password
        self._certificate = certificate
        self._process: asyncio.subprocess.Process | None = None

    @property
    def url(self) -> str:
        return f"{'redis' if self._certificate is None else 'rediss'}://127.0.0.1:{self.port}/0"

    async def start(self) -> None:
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", str(self._folder), "--maxmemory", "64mb"]  # fmt: skip
        if self._password is not None:
            options += ["--requirepass", self._password]
        if self._certificate is not None:
            options[:2] = ["--port", "0", "--tls-port", str(self.port), "--tls-auth-clients", "no"]
            options += [
                "--tls-cert-file",
                str(CERTS / self._certificate),
                "--tls-key-file",
                str(CERTS / "leaf.key"),
            ]
            options += ["--tls-ca-cert-file", str(CERTS / "ca.pem")]
        self._process = await asyncio.create_subprocess_exec(
            _BINARY, *options, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        async with asyncio.timeout(10):
            while not await self._listens():
                await asyncio.sleep(0.01)

    async def _listens(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return False
        writer.close()
        return True

    async def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()

    async def command(self, *words: str) -> bytes:
        """One command as text, and the first bytes of what is said."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        if self._password is not None:
            words = ("AUTH", self._password, "\r\n", *words)
        writer.write(" ".join(words).encode() + b"\r\n")
        said = await reader.read(65536)
        writer.close()
        return said


@asynccontextmanager
async def a_redis(
    folder: Path, *, password: str | None = None, certificate: str | None = None
) -> AsyncIterator[RedisServer]:
    server = RedisServer(folder, password, certificate)
    await server.start()
    try:
        yield server
    finally:
        await server.kill()


@asynccontextmanager
async def no_redis(says: bytes | None) -> AsyncIterator[str]:
    """The URL of something that answers everything with these bytes, or with nothing at all."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            if says is not None:
                writer.write(says)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"
    finally:
        server.close()
