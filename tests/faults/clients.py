"""The clients of the campaign: patient ones, slow ones, ones that leave or half-close; each notes what it saw.

In come an ask and a connection; out goes a `Seen`. The one idea: answers are read by another parser than any that the
sidecar uses (h11), which says whether an answer ended as its framing promises. It sends a request once and never again.
"""

import asyncio
from random import Random
from time import monotonic
from typing import Final

import h11

from tests.faults.evidence import Ask, Seen

__all__ = ["Client"]

PATIENCE: Final = 40.0
"""Seconds after which a client gives up: longer than any deadline of the sidecar, so giving up is a finding."""

_READ: Final = 64 * 1024


class Client:
    """One of many. Keeps its connection from one request to the next where both sides let it."""

    def __init__(self, port: int, chance: Random) -> None:
        self._port = port
        self._chance = chance
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, ask: Ask) -> Seen:
        seen = Seen(ask.number, monotonic())
        try:
            async with asyncio.timeout(PATIENCE):
                await self._exchange(ask, seen)
        except TimeoutError:
            seen.error = "nothing came any more"
            self.leave()
        except (ConnectionError, OSError) as error:
            seen.error = type(error).__name__
            self.leave()
        seen.ended = monotonic()
        return seen

    def leave(self) -> None:
        """Closes the connection at once, whatever is under way."""
        if self._writer is not None:
            self._writer.transport.abort()
        self._reader = self._writer = None

    async def _exchange(self, ask: Ask, seen: Seen) -> None:
        reader, writer = await self._connection()
        seen.connected = True
        try:
            await self._send(ask, seen, writer)
        except (ConnectionError, RuntimeError):
            # uvloop has a RuntimeError for a connection that closed meanwhile. A refusal may be waiting: a server need not read what it will not take.
            seen.error = "the rest was not taken"
        if seen.left:
            return
        if ask.manner == "leaves while waiting":
            await asyncio.sleep(self._chance.random() * 0.1)
            self._leave(seen)
            return
        await self._read(ask, seen, reader)
        if seen.left:
            return
        kept = ask.lasting and seen.clean and not seen.extra and seen.headers.get(b"connection") != b"close"
        # Of a request that was not sent to its end, the connection has room for the rest only.
        if not kept or ask.manner in {"half-closes", "falls silent"}:
            self.leave()

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._reader is None or self._writer is None or self._reader.at_eof() or self._writer.is_closing():
            self.leave()
            self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self._reader, self._writer

    def _leave(self, seen: Seen) -> None:
        seen.left = True
        self.leave()

    async def _send(self, ask: Ask, seen: Seen, writer: asyncio.StreamWriter) -> None:
        match ask.manner:
            case "leaves early":
                writer.write(ask.head + ask.body[: len(ask.body) // 2])
                await writer.drain()
                self._leave(seen)
            case "falls silent":
                # Half of it, and then it waits for an answer.
                writer.write(ask.head + ask.body[: len(ask.body) // 2])
                await writer.drain()
            case "slow to send":
                writer.write(ask.head)
                step = len(ask.body) // 5 + 1
                for at in range(0, len(ask.body), step):
                    await asyncio.sleep(0.03)
                    writer.write(ask.body[at : at + step])
                    await writer.drain()
            case _:
                writer.write(ask.head + ask.body)
                await writer.drain()
        if ask.manner == "half-closes":
            writer.write_eof()

    async def _read(self, ask: Ask, seen: Seen, reader: asyncio.StreamReader) -> None:
        parser = _parser()
        pieces: list[bytes] = []
        try:
            while not seen.clean:
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    if ask.manner == "slow to read" and len(pieces) < 40:
                        await asyncio.sleep(0.02)
                        data = await reader.read(2048)
                    else:
                        data = await reader.read(_READ)
                    parser.receive_data(data)
                elif isinstance(event, h11.Response):
                    seen.status = event.status_code
                    seen.headers = dict(event.headers.raw_items()) | dict(event.headers)
                elif isinstance(event, h11.Data):
                    pieces.append(bytes(event.data))
                    if ask.manner == "leaves inside":
                        self._leave(seen)
                        break
                elif isinstance(event, h11.EndOfMessage):
                    seen.clean = True
                elif isinstance(event, h11.ConnectionClosed):
                    seen.error = seen.error or "closed"
                    break
        except h11.RemoteProtocolError as error:
            seen.error = f"cut: {error}" if seen.status is not None else f"no answer: {error}"
        except ConnectionError as error:
            seen.error = type(error).__name__
        seen.body = b"".join(pieces)
        seen.extra = bytes(parser.trailing_data[0]) if seen.clean else b""
        if not seen.clean and not seen.left:
            self.leave()


def _parser() -> h11.Connection:
    parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=256 * 1024)
    parser.send(h11.Request(method="POST", target="/", headers=[("host", "x"), ("content-length", "0")]))
    parser.send(h11.EndOfMessage())
    return parser
