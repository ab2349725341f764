"""Everything a model server may do wrong, each as a function that does it, with what may honestly become of it.

In come a connection, the request that arrived and a source of chance; a fault sends bytes and notes what it sent. The one
idea: the one who breaks an answer knows whether it was whole, so that a judge never has to guess from what came out.
"""

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from typing import Final

from tests.faults.answers import error_body, error_event, events_of, garbled_event, whole_of
from tests.faults.evidence import Arrival
from tests.upstream.scripted import Peer

__all__ = ["FAULTS", "Fault", "Turn", "drawn"]

TRICKLE: Final = 0.02
STALLED: Final = 12.0
"""Seconds for which a stalled server says nothing: longer than any deadline of the deployment."""

_TIMEOUTS: Final = ("first_byte_timeout", "idle_timeout", "total_timeout")


@dataclass(slots=True)
class Turn:
    """One request at one place. `name` is what its answer calls itself."""

    peer: Peer
    arrival: Arrival
    endpoint: str
    stream: bool
    chance: Random
    name: str

    def pieces(self) -> list[bytes]:
        if self.stream:
            return events_of(self.endpoint, self.name, self.chance)
        return [whole_of(self.endpoint, self.name, self.chance)]

    async def head(self, status: int, *more: bytes, kind: bytes | None = None) -> None:
        said = kind or (b"text/event-stream" if self.stream else b"application/json")
        lines = b"".join(b"%b\r\n" % line for line in more)
        self.arrival.status = status
        await self.peer.send(b"HTTP/1.1 %d Said\r\ncontent-type: %b\r\n%b\r\n" % (status, said, lines))

    async def chunk(self, data: bytes) -> None:
        await self.peer.send(b"%x\r\n%b\r\n" % (len(data), data))
        self.arrival.body += data

    async def last_chunk(self) -> None:
        await self.peer.send(b"0\r\n\r\n")

    def done(self, *, formed: bool = True) -> None:
        self.arrival.whole = True
        self.arrival.formed = formed

    def end(self) -> None:
        """The connection ends here, in order or not."""
        if self.chance.random() < 0.5:
            self.peer.reset()
        else:
            self.peer.close()


Doing = Callable[[Turn], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Fault:
    """`outcomes`: what the sidecar's log may call an attempt that met it, timeouts of a slow machine aside."""

    name: str
    weight: float
    doing: Doing
    outcomes: frozenset[str]


FAULTS: Final[dict[str, Fault]] = {}


def _fault(weight: float, *outcomes: str) -> Callable[[Doing], Doing]:
    def note(doing: Doing) -> Doing:
        name = doing.__name__.strip("_").replace("_", " ")
        FAULTS[name] = Fault(name, weight, doing, frozenset(outcomes))
        return doing

    return note


def drawn(chance: Random) -> Fault:
    """A fault; `fine` is the most likely."""
    return chance.choices(list(FAULTS.values()), [f.weight for f in FAULTS.values()])[0]


# Nothing wrong, in every framing.


@_fault(60, "answered")
async def _fine(turn: Turn) -> None:
    pieces = turn.pieces()
    if turn.stream:
        await _chunked(turn, pieces)
    else:
        await turn.head(200, b"content-length: %d" % len(pieces[0]))
        await turn.peer.send(pieces[0])
        turn.arrival.body = pieces[0]
    turn.done()


async def _chunked(turn: Turn, pieces: list[bytes], *more: bytes) -> None:
    await turn.head(200, b"transfer-encoding: chunked", *more)
    for piece in pieces:
        await turn.chunk(piece)
    await turn.last_chunk()


@_fault(3, "answered")
async def _ends_with_its_connection(turn: Turn) -> None:
    await turn.head(200, b"connection: close")
    for piece in turn.pieces():
        await turn.peer.send(piece)
        turn.arrival.body += piece
    turn.done()
    turn.peer.close()


@_fault(2, "answered")
async def _trickles(turn: Turn) -> None:
    data = b"".join(turn.pieces())
    await turn.head(200, b"content-length: %d" % len(data))
    step = max(1, len(data) // 20)
    for at in range(0, len(data), step):
        await turn.peer.send(data[at : at + step])
        turn.arrival.body += data[at : at + step]
        await asyncio.sleep(TRICKLE)
    turn.done()


@_fault(2, "answered")
async def _interim_answers_first(turn: Turn) -> None:
    await turn.peer.send(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>; rel=preload\r\n\r\n"
    )
    await _fine(turn)


@_fault(2, "answered", "malformed")
async def _compressed(turn: Turn) -> None:
    data = gzip.compress(b"".join(turn.pieces()), 1)
    await turn.head(200, b"content-length: %d" % len(data), b"content-encoding: gzip")
    await turn.peer.send(data)
    turn.arrival.body = data
    turn.done()


@_fault(1, "answered")
async def _large_headers(turn: Turn) -> None:
    data = b"".join(turn.pieces())
    more = [b"x-filler-%d: %b" % (n, b"f" * 1000) for n in range(30)]
    await turn.head(200, b"content-length: %d" % len(data), *more)
    await turn.peer.send(data)
    turn.arrival.body = data
    turn.done()


@_fault(3, "answered")
async def _leaves_after_its_answer(turn: Turn) -> None:
    """Without a word: whoever takes the connection next finds it closed."""
    await _fine(turn)
    # In order: a reset would take with it what is still on its way.
    turn.peer.close()


@_fault(1, "answered")
async def _trailers(turn: Turn) -> None:
    await turn.head(200, b"transfer-encoding: chunked", b"trailer: x-late")
    for piece in turn.pieces():
        await turn.chunk(piece)
    await turn.peer.send(b"0\r\nx-late: yes\r\n\r\n")
    turn.done()


# Statuses.


async def _status(turn: Turn, status: int, *more: bytes) -> None:
    body = error_body(turn.endpoint, status, turn.name)
    await turn.head(status, b"content-length: %d" % len(body), *more, kind=b"application/json")
    await turn.peer.send(body)
    turn.arrival.body = body
    turn.done()


@_fault(2, "answered")
async def _saturated(turn: Turn) -> None:
    await _status(turn, 429)


@_fault(2, "answered")
async def _saturated_for_a_second(turn: Turn) -> None:
    await _status(turn, turn.chance.choice([429, 503]), b"retry-after: 1")


@_fault(1, "answered")
async def _saturated_until_a_date(turn: Turn) -> None:
    until = datetime.now(UTC) + timedelta(seconds=turn.chance.choice([1, 2, 3600]))
    await _status(turn, 429, b"retry-after: %b" % format_datetime(until, usegmt=True).encode())


@_fault(4, "answered")
async def _broken(turn: Turn) -> None:
    await _status(turn, turn.chance.choice([500, 502, 503, 504, 529, 408]))


@_fault(2, "answered")
async def _refuses_the_request(turn: Turn) -> None:
    await _status(turn, turn.chance.choice([400, 403, 404, 413, 422]))


@_fault(1, "answered")
async def _refuses_the_credential(turn: Turn) -> None:
    await _status(turn, turn.chance.choice([401, 402]))


@_fault(1.5, "answered")
async def _redirects(turn: Turn) -> None:
    place = turn.chance.choice(
        [b"http://127.0.0.1:%d/v1/chat/completions" % turn.chance.randint(2000, 60000), b"/v1/messages"]
    )
    await _status(turn, turn.chance.choice([301, 302, 307, 308]), b"location: " + place)


# Connections that end.


@_fault(2, "reset", "truncated")
async def _ends_without_an_answer(turn: Turn) -> None:
    turn.end()


@_fault(1.5, "reset", "truncated")
async def _ends_inside_the_head(turn: Turn) -> None:
    await turn.peer.send(b"HTTP/1.1 200 OK\r\ncontent-type: applic")
    turn.end()


@_fault(1.5, "reset", "truncated", "answered")
async def _ends_after_the_head(turn: Turn) -> None:
    await turn.head(200, b"transfer-encoding: chunked")
    turn.end()


@_fault(3, "reset", "truncated", "answered")
async def _ends_inside_the_body(turn: Turn) -> None:
    pieces = turn.pieces()
    await turn.head(200, b"transfer-encoding: chunked")
    for piece in pieces[: max(1, len(pieces) // 2)]:
        await turn.chunk(piece[:-3] if piece is pieces[-1] else piece)
    turn.end()


@_fault(2, "reset", "truncated", "answered")
async def _promises_more_than_it_sends(turn: Turn) -> None:
    data = b"".join(turn.pieces())
    await turn.head(200, b"content-length: %d" % (len(data) + turn.chance.choice([1, 500])))
    await turn.peer.send(data)
    turn.arrival.body = data
    turn.end()


@_fault(1, "reset", "truncated", "answered")
async def _ends_inside_a_chunk(turn: Turn) -> None:
    data = b"".join(turn.pieces())
    await turn.head(200, b"transfer-encoding: chunked")
    await turn.peer.send(b"%x\r\n%b" % (len(data) + 100, data))
    turn.arrival.body = data
    turn.end()


@_fault(2, "reset", "truncated", "malformed", "answered")
async def _is_cut_with_its_connection(turn: Turn) -> None:
    """Neither a length nor chunks, and not the end of what its API says."""
    pieces = turn.pieces()
    await turn.head(200, b"connection: close")
    data = b"".join(pieces)[: -(len(pieces[-1]) + 5)] if turn.stream else pieces[0][:-4]
    await turn.peer.send(data)
    turn.arrival.body = data
    turn.peer.close()


# Answers that are not what they should be.


@_fault(1, "malformed", "answered")
async def _promises_less_than_it_sends(turn: Turn) -> None:
    """Whole by its framing, and what comes behind belongs to nothing."""
    data = b"".join(turn.pieces())
    short = max(1, len(data) - 30)
    await turn.head(200, b"content-length: %d" % short)
    turn.arrival.body = data[:short]
    turn.done(formed=False)
    await turn.peer.send(data)
    turn.peer.close()


@_fault(1.5, "malformed")
async def _is_not_http(turn: Turn) -> None:
    garbage = [b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 abc OK\r\n\r\n", b"HTTP/1.1 999 Odd\r\ncontent-length: 0\r\n\r\n",
               b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"{}"]  # fmt: skip
    await turn.peer.send(turn.chance.choice(garbage))
    turn.peer.close()


@_fault(1, "malformed", "answered")
async def _breaks_its_chunks(turn: Turn) -> None:
    await turn.head(200, b"transfer-encoding: chunked")
    await turn.chunk(turn.pieces()[0][:-2])
    await turn.peer.send(b"zz\r\nnot a chunk\r\n")
    turn.peer.close()


@_fault(1, "malformed")
async def _says_its_length_in_two_ways(turn: Turn) -> None:
    await turn.head(200, b"content-length: 5", b"transfer-encoding: chunked")
    await turn.peer.send(b"5\r\nhello\r\n0\r\n\r\n")
    turn.peer.close()


@_fault(1, "malformed")
async def _endless_headers(turn: Turn) -> None:
    more = [b"x-filler-%d: %b" % (n, b"f" * 1000) for n in range(90)]
    await turn.head(200, b"content-length: 2", *more)
    turn.peer.close()


@_fault(1.5, "answered", "malformed")
async def _bad_json(turn: Turn) -> None:
    if turn.stream:
        pieces = turn.pieces()
        pieces.insert(len(pieces) // 2, garbled_event(turn.endpoint, turn.name))
        await _chunked(turn, pieces)
    else:
        data = turn.pieces()[0][:-2]
        await turn.head(200, b"content-length: %d" % len(data))
        await turn.peer.send(data)
        turn.arrival.body = data
    turn.done(formed=False)


@_fault(1.5, "answered", "malformed", "truncated")
async def _stops_in_order_before_its_end(turn: Turn) -> None:
    """A stream that its framing ends well, without the event that its API ends with."""
    if not turn.stream:
        await _fine(turn)
        return
    last = 2 if turn.endpoint in {"chat", "completions"} else 1
    await _chunked(turn, turn.pieces()[:-last])
    turn.done(formed=False)


@_fault(2, "answered", "error_event", "malformed", "truncated", "upstream_error")
async def _errs_as_its_first_event(turn: Turn) -> None:
    if not turn.stream:
        await _status(turn, 500)
        return
    await _chunked(turn, [error_event(turn.endpoint, turn.name)])
    turn.done()


@_fault(1.5, "answered", "error_event", "malformed", "truncated", "upstream_error")
async def _errs_inside(turn: Turn) -> None:
    if not turn.stream:
        await _status(turn, 529)
        return
    pieces = turn.pieces()
    await _chunked(turn, [*pieces[: len(pieces) // 2], error_event(turn.endpoint, turn.name)])
    turn.done()


@_fault(0.7, "answered", "malformed")
async def _says_nothing_with_200(turn: Turn) -> None:
    await turn.head(turn.chance.choice([200, 204]), b"content-length: 0")
    turn.done(formed=False)


# Silence.


async def _silence(turn: Turn) -> None:
    async with asyncio.timeout(STALLED):
        await turn.peer.gone()


@_fault(0.7, *_TIMEOUTS)
async def _never_answers(turn: Turn) -> None:
    await _silence(turn)


@_fault(0.7, *_TIMEOUTS, "answered")
async def _falls_silent(turn: Turn) -> None:
    pieces = turn.pieces()
    await turn.head(200, b"transfer-encoding: chunked")
    for piece in pieces[: len(pieces) // 2]:
        await turn.chunk(piece)
    await _silence(turn)
