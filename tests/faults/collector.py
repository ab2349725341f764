"""A collector of telemetry that is as unreliable as anything else, and looks whether anything of a request comes to it.

In come pushes of metrics and spans; out go strays. The one idea: every text of the campaign has one word that stands
nowhere else, so one search finds what should not be there.
"""

import asyncio
from random import Random
from typing import Final, Self

from tests.faults.asks import CANARY, SECRETS
from tests.faults.evidence import Evidence

__all__ = ["Collector", "found_in"]

_GOOD: Final = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
_BUSY: Final = b"HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n"


def found_in(data: bytes) -> bool:
    """Whether a request's text, or one of its secrets, is in there."""
    return any(text.encode() in data for text in (CANARY, *SECRETS))


class Collector:
    def __init__(self, evidence: Evidence, seed: int) -> None:
        self._evidence = evidence
        self._chance = Random(f"{seed} collector")
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self.pushes = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._pushes(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _pushes(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.split(b":")[1])
                for line in head.lower().split(b"\r\n")
                if line.startswith(b"content-length")
            )
            body = await reader.readexactly(length)
            self.pushes += 1
            if found_in(head + body):
                self._evidence.strays.append("the collector got text of a request")
            match self._chance.choices(["good", "busy", "cut", "silent"], [7, 1, 1, 1])[0]:
                case "good":
                    writer.write(_GOOD)
                case "busy":
                    writer.write(_BUSY)
                case "cut":
                    return
                case _:
                    await asyncio.sleep(7)
            await writer.drain()
