"""The model servers of the campaign: a recorder at each place, which notes all that arrives and answers by its fault.

In come the asks (to know what should have arrived); out go arrivals. The one idea: an arrival is noted with the first
bytes of a request that come, by the marker in its head, so that even half a request at a forbidden place is seen. What is
noted is what the network brought; nothing is taken from the sidecar.
"""

import asyncio
import re
from collections.abc import Callable
from random import Random
from time import monotonic
from typing import Final, Self

from tests.faults.evidence import Arrival, Ask, Evidence
from tests.faults.faults import FAULTS, Fault, Turn, drawn
from tests.faults.policies import CALLERS
from tests.upstream.scripted import Peer

__all__ = ["Place"]

_MARK: Final = re.compile(rb"MARK-(\d{7})-")
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_STREAM: Final = re.compile(rb'"stream"\s*:\s*true')
_ENDPOINTS: Final = {
    b"/v1/chat/completions": "chat",
    b"/v1/completions": "completions",
    b"/v1/responses": "responses",
    b"/v1/embeddings": "embeddings",
    b"/v1/messages": "messages",
    b"/v1/messages/count_tokens": "count_tokens",
}
MOST_HEAD: Final = 256 * 1024


class Place:
    """One server. `down` closes its door, so that connections are refused; those that are open stay."""

    def __init__(
        self, name: str, evidence: Evidence, seed: int, draw: Callable[[Random], Fault] = drawn
    ) -> None:
        self.name = name
        self._evidence = evidence
        self._seed = seed
        self._draw = draw
        self._health = Random(f"{seed} health of {name}")
        self._tries: dict[int, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.open = 0

    async def __aenter__(self) -> Self:
        await self.up()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.down()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def up(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port, limit=MOST_HEAD)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass
        except asyncio.CancelledError:
            pass
        except RuntimeError as error:
            # What uvloop says of a connection that closed meanwhile.
            if "closed" not in str(error):
                raise
        finally:
            self.open -= 1
            self._tasks.discard(task)
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; False where the connection carries no more."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                self._note(cut.partial)
            return False
        arrival = self._note(head)
        if arrival is None:
            # A question of the sidecar's own: it has no marker, and the judges look that it has nothing of a request.
            return await self._of_its_own(head, reader, writer)
        chance = Random(f"{self._seed} {arrival.number} {self.name} {self._tries.get(arrival.number, 0)}")
        self._tries[arrival.number] = self._tries.get(arrival.number, 0) + 1
        fault = self._draw(chance)
        arrival.fault, arrival.outcomes = fault.name, fault.outcomes
        body = await reader.readexactly(_length(head))
        arrival.read = True
        self._compare(arrival, head, body)
        endpoint = _ENDPOINTS.get(arrival.path, "chat")
        name = f"ANSWER-{arrival.number:07d}-{self.name}"
        turn = Turn(Peer(reader, writer), arrival, endpoint, bool(_STREAM.search(body)), chance, name)
        await fault.doing(turn)
        return not writer.is_closing()

    def _note(self, head: bytes) -> Arrival | None:
        found = _MARK.search(head)
        if found is None:
            return None
        path = head.split(b" ", 2)[1].partition(b"?")[0] if head.count(b" ") > 1 else b""
        arrival = Arrival(self.name, int(found[1]), monotonic(), "none", path)
        self._evidence.arrivals.append(arrival)
        return arrival

    def _compare(self, arrival: Arrival, head: bytes, body: bytes) -> None:
        asked: Ask | None = self._evidence.asks.get(arrival.number)
        marks = {int(n) for n in _MARK.findall(head + body)}
        arrival.foreign = marks != {arrival.number}
        arrival.altered = asked is None or body != asked.body
        arrival.secrets = tuple(team for team, key in CALLERS.items() if key.encode() in head)

    async def _of_its_own(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        body = await reader.readexactly(_length(head))
        if b"MARK-" in body:
            self._evidence.strays.append(f"{self.name}: a request without its head's marker")
        if self._health.random() < 0.25:
            writer.write(b"HTTP/1.1 503 Unwell\r\ncontent-length: 0\r\n\r\n")
            await writer.drain()
            return True
        if head.startswith(b"GET /v1/models"):
            said = (
                b'{"object":"list","data":[{"id":"gpt-5","object":"model"},{"id":"pinned","object":"model"}]}'
            )
        else:
            said = b'{"input_tokens": 3}'
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
            % (len(said), said)
        )
        await writer.drain()
        return True


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


assert "fine" in FAULTS
