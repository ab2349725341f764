"""The usage that a stream tells only when it is asked to: asked for upstream, and taken out again for the caller.

In come what a body says of its stream, and later the answer's pieces; out go the value of `stream_options` to send, and the
pieces without the one event that the caller did not ask for. The one idea: an event is passed as soon as it is complete and
as the bytes that came; the only one that is dropped has no choices and a usage. It reads no numbers (`usage` does).
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import orjson

from policyd.proxy.outbound import Headers
from policyd.proxy.way import Head
from policyd.traffic.endpoints import EndpointName

__all__ = ["NOTHING_MORE", "Unasked", "asking_for_usage", "stream_options_to_ask", "uncompressed"]

LARGEST: Final = 16 * 1024
"""Bytes up to which an event can be one of usage alone; a larger one is not held until it is complete."""

NOTHING_MORE: Final[Mapping[str, bytes]] = MappingProxyType({})

_ASKED: Final = frozenset({EndpointName.CHAT, EndpointName.COMPLETIONS})
"""The endpoints whose streams say their usage only when asked."""

_BOUNDARY: Final = re.compile(rb"\r?\n\r?\n")
_USAGE: Final = re.compile(rb'"usage"[ \t]*:[ \t]*\{')


def asking_for_usage(endpoint: EndpointName, body: Mapping[str, Any]) -> Mapping[str, bytes]:
    """The values to put into a body of this endpoint, as JSON; empty where there is nothing to ask for."""
    options = stream_options_to_ask(body) if endpoint in _ASKED else None
    return NOTHING_MORE if options is None else {"stream_options": options}


def uncompressed(headers: Headers) -> Headers:
    """The headers of a request whose answer has to be readable, so that an event can be taken out."""
    out = [pair for pair in headers if pair[0] != b"accept-encoding"]
    out.append((b"accept-encoding", b"identity"))
    return out


def stream_options_to_ask(body: Mapping[str, Any]) -> bytes | None:
    """The value of `stream_options` by which a target says the usage of a stream, or None: the body asks for no stream, asks
    already, or says what the target itself had better refuse."""
    if body.get("stream") is not True:
        return None
    options = body.get("stream_options")
    if options is None:
        return b'{"include_usage":true}'
    if not isinstance(options, dict) or options.get("include_usage", False) is not False:
        return None
    return orjson.dumps({**options, "include_usage": True})


class Unasked:
    """A `Reply`: a stream without its event of usage alone. What is no stream of events, is compressed or is no success
    passes untouched."""

    __slots__ = ("_filters", "_held", "_passing")

    def __init__(self) -> None:
        self._filters = False
        self._held = b""
        self._passing = False

    def head(self, status: int, headers: Headers) -> Head:
        said = dict(headers)
        plain = said.get(b"content-encoding", b"identity").strip().lower() in {b"", b"identity"}
        events = said.get(b"content-type", b"").strip().lower().startswith(b"text/event-stream")
        self._filters = status == 200 and plain and events
        if self._filters:
            headers = [pair for pair in headers if pair[0] != b"content-length"]
        return Head(status, headers, False)

    def feed(self, piece: bytes) -> bytes:
        if not self._filters:
            return piece
        if not self._held and not self._passing and piece.endswith(b"\n\n") and not _USAGE.search(piece):
            return piece
        data, self._held = self._held + piece, b""
        out: list[bytes] = []
        start = 0
        for boundary in _BOUNDARY.finditer(data):
            event = data[start : boundary.end()]
            start = boundary.end()
            if self._passing or not _is_usage_alone(event):
                out.append(event)
            else:
                # Blank lines before it are not its own.
                out.append(event[: len(event) - len(event.lstrip(b"\r\n"))])
            self._passing = False
        rest = data[start:]
        if self._passing or len(rest) > LARGEST:
            # The end of what may be a boundary stays, so that it is seen whole.
            self._passing = True
            keep = len(rest) - len(rest.rstrip(b"\r\n"))
            out.append(rest[: len(rest) - keep])
            rest = rest[len(rest) - keep :]
        self._held = rest
        return b"".join(out)

    def end(self) -> bytes:
        held, self._held = self._held, b""
        return held


def _is_usage_alone(event: bytes) -> bool:
    """Whether the event's data is an object with a usage and an empty list of choices."""
    if len(event) > LARGEST or _USAGE.search(event) is None:
        return False
    lines = [line for line in event.splitlines() if line.startswith(b"data:")]
    if len(lines) != 1:
        return False
    try:
        data = orjson.loads(lines[0][5:])
    except orjson.JSONDecodeError:
        return False
    return isinstance(data, dict) and data.get("choices") == [] and isinstance(data.get("usage"), dict)
