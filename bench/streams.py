"""Streams side by side: a model server that stamps every event with its time, and clients that read the stamps.

    python -m bench.streams serve PORT
    python -m bench.streams load PORT STREAMS SECONDS [HEADER=VALUE …]

Both are plain protocols on uvloop, so that neither is what is measured. An event holds the clock of the moment it was
written; the client compares it with its own, which on one machine is the same clock. What a proxy adds to an event is the
difference to a run without one.
"""

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

import uvloop

EVENTS: Final = 40
EVERY: Final = 0.05
"""Seconds between two events of a stream: a model that says twenty tokens in a second."""

_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_EVENT = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"%d"},"finish_reason":null}]}\n\n'
_LAST = b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_STAMP = re.compile(rb'"content": ?"(\d{12,})"')


class _Model(asyncio.Protocol):
    """Answers every request with a stream."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._came = b""

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, mark, body = self._came.partition(b"\r\n\r\n")
        if not mark:
            return
        length = _LENGTH.search(head)
        wanted = int(length[1]) if length else 0
        if len(body) < wanted:
            return
        self._came = body[wanted:]
        self._transport.write(_HEAD)
        self._say(0)

    def _say(self, number: int) -> None:
        if self._transport.is_closing():
            return
        if number == EVENTS:
            self._transport.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(_LAST), _LAST))
            return
        event = _EVENT % time.perf_counter_ns()
        self._transport.write(b"%x\r\n%b\r\n" % (len(event), event))
        self._loop.call_later(EVERY, self._say, number + 1)


@dataclass
class Streams:
    """Milliseconds: `first` from the request to the first event, `late` from an event's stamp to its arrival."""

    complete: int = 0
    broken: int = 0
    first: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)


class _Client(asyncio.Protocol):
    """One stream after the other on one connection."""

    def __init__(self, request: bytes, found: Streams, until: float) -> None:
        self._request, self._found, self._until = request, found, until
        self._rest = b""
        self._first = True
        self.over = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._first, self._began, self._rest = True, time.perf_counter_ns(), b""
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter_ns()
        text = self._rest + data
        end = 0
        for stamp in _STAMP.finditer(text):
            end = stamp.end()
            if self._first:
                self._first = False
                self._found.first.append((now - self._began) / 1e6)
            self._found.late.append((now - int(stamp[1])) / 1e6)
        self._rest = text[max(end, len(text) - 400) :]
        if b"[DONE]" in self._rest and self._rest.endswith(b"0\r\n\r\n"):
            self._found.complete += 1
            if time.perf_counter() < self._until:
                self._ask()
            else:
                self._transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if b"[DONE]" not in self._rest:
            self._found.broken += 1
        self.over.set_result(None)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Model, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def _load(port: int, streams: int, seconds: float, headers: Mapping[str, str]) -> Streams:
    found = Streams()
    body = json.dumps({"model": "gpt-5", "stream": True, "messages": [{"role": "user", "content": "Say something long. " * 40}]}).encode()  # fmt: skip
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{lines}"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
    loop = asyncio.get_running_loop()
    until = time.perf_counter() + seconds
    clients = []
    for _ in range(streams):
        _, client = await loop.create_connection(lambda: _Client(request, found, until), "127.0.0.1", port)
        clients.append(client.over)
        # Streams that all began at once would all speak at once.
        await asyncio.sleep(EVERY / streams if streams > 1 else 0)
    await asyncio.wait_for(asyncio.gather(*clients), seconds + 60)
    return found


def main() -> None:
    what, port, *rest = sys.argv[1:]
    if what == "serve":
        uvloop.run(_serve(int(port)))
        return
    streams, seconds, *headers = rest
    found = uvloop.run(_load(int(port), int(streams), float(seconds), dict(h.split("=", 1) for h in headers)))
    print(json.dumps(asdict(found)))


if __name__ == "__main__":
    main()
