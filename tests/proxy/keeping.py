"""A client that keeps its connection: one request after the other, each answer read to its end."""

import asyncio
from typing import Self

from tests.proxy.bench import Answer, parsed

__all__ = ["Keeping"]


class Keeping:
    """INVARIANT: one request at a time. `opened` counts connections: 1 as long as the server keeps it."""

    def __init__(self, port: int, *, reopens: bool = True) -> None:
        self._port = port
        self._reopens = reopens
        self.opened = 0

    async def __aenter__(self) -> Self:
        await self._open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def _open(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.opened += 1

    async def ask(self, request: bytes) -> Answer:
        self._writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        answer = parsed(head)
        body = await self._reader.readexactly(int(answer.headers[b"content-length"]))
        if answer.headers.get(b"connection") == b"close" and self._reopens:
            self._writer.close()
            await self._open()
        return parsed(head + body)
