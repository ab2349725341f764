"""How many tokens an answer says it used, read beside the bytes as they pass.

In come an answer's headers and the pieces of its body, whole or streamed, of any dialect; out goes what the target told of
tokens, model and reasons to stop. The one idea: the one object that matters is found by its key, and that it stands where the
API puts it is proved by the rest of its line or body being balanced, so nothing else is parsed and what is kept has a bound
however long a stream is. It changes no byte, and what it cannot read it leaves unknown.
"""

import re
import zlib
from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import orjson

__all__ = ["NOTHING", "Tap", "Told", "Usage", "tap_for"]

LARGEST_WHOLE: Final = 64 * 1024
"""Bytes of a whole body that are kept; of a larger one, its end alone."""

KEPT: Final = 16 * 1024
"""Bytes of the end of a large body, and of a line that is not complete. What an API writes behind `usage` is shorter."""

MOST_INFLATED: Final = 4 * 1024 * 1024
"""Bytes that are unpacked of a compressed answer; behind them its usage is unknown."""

MOST_TOKENS: Final = 1_000_000_000
"""A larger number is none that a model can have counted."""

_STEP: Final = 64 * 1024
_USAGE: Final = re.compile(rb'"usage"[ \t]*:[ \t]*\{')
_MODEL: Final = re.compile(rb'"model"[ \t]*:[ \t]*"([^"\\]{1,128})"')
_REASON: Final = re.compile(rb'"(?:finish_reason|stop_reason)"[ \t]*:[ \t]*"([a-z_]{1,32})"')
_MOST_REASONS: Final = 8
_GZIP_OR_ZLIB: Final = zlib.MAX_WBITS | 32


class Usage(NamedTuple):
    """Tokens; None where the target did not say. `input` counts the whole prompt, what came from a cache (`cache_read`) or
    went into one (`cache_creation`) with it, and `output` counts `reasoning` with it, whatever the dialect's own sums are."""

    input: int | None = None
    output: int | None = None
    cache_read: int | None = None
    cache_creation: int | None = None
    reasoning: int | None = None


class Told(NamedTuple):
    """What an answer says of itself. `model` and `reasons` are the target's words: whoever passes them on bounds them."""

    usage: Usage | None = None
    model: str | None = None
    reasons: tuple[str, ...] = ()


NOTHING: Final = Told()
_NO_USAGE: Final = Usage()


class Tap(Protocol):
    """`curious`: model and reasons are looked for as well. `streams`: the answer is a stream of events."""

    @property
    def streams(self) -> bool: ...

    @property
    def curious(self) -> bool: ...

    @curious.setter
    def curious(self, value: bool) -> None: ...

    def feed(self, piece: bytes) -> None: ...

    def told(self) -> Told:
        """Asked once, after the last piece that came."""


def tap_for(headers: Iterable[tuple[bytes, bytes]]) -> Tap | None:
    """For an answer with these headers (lower-case names); None where it is of no kind that can be read."""
    kind = coding = b""
    for name, value in headers:
        if name == b"content-type":
            kind = value.lower()
        elif name == b"content-encoding":
            coding = value.strip().lower()
    tap: Tap
    if kind.startswith(b"text/event-stream"):
        tap = _Events()
    elif b"json" in kind:
        tap = _Whole()
    else:
        return None
    if coding in {b"", b"identity"}:
        return tap
    return _Inflated(tap) if coding in {b"gzip", b"x-gzip", b"deflate"} else None


class _Whole:
    """A body that is one JSON object."""

    __slots__ = ("_pieces", "_size", "curious")

    streams: bool = False

    def __init__(self) -> None:
        self.curious = False
        self._pieces: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> None:
        self._size += len(piece)
        self._pieces.append(piece)
        if self._size > LARGEST_WHOLE and sum(map(len, self._pieces)) > LARGEST_WHOLE:
            self._pieces = [b"".join(self._pieces)[-KEPT:]]

    def told(self) -> Told:
        kept = b"".join(self._pieces)
        self._pieces = []
        if not self.curious:
            at = kept.rfind(b'"usage"')
            found = None if at < 0 else _object(b"{" + kept[at:])
            if found is not None:
                return Told(_usage(found.get("usage")))
        if self._size > LARGEST_WHOLE:
            at = kept.rfind(b'"usage"')
            found = None if at < 0 else _object(b"{" + kept[at:])
            return NOTHING if found is None else Told(_usage(found.get("usage")))
        whole = _object(kept)
        return NOTHING if whole is None else _told_by(whole)


class _Events:
    """A stream of events: of the lines that have a `usage`, the first and the last one's are kept. Where there are two, as in
    the messages API, the later numbers stand over the earlier ones."""

    __slots__ = ("_first", "_last", "_line", "_model", "_reasons", "curious")

    streams: bool = True

    def __init__(self) -> None:
        self.curious = False
        self._line = b""
        self._first: bytes | None = None
        self._last: bytes | None = None
        self._model: str | None = None
        self._reasons: dict[str, None] = {}

    def feed(self, piece: bytes) -> None:
        if self._line:
            piece = self._line + piece
        at = piece.rfind(b"\n") + 1
        if b'"usage"' in piece:
            for found in _USAGE.finditer(piece, 0, at):
                end = piece.index(b"\n", found.start())
                rest = piece[found.start() : min(end, found.start() + KEPT)]
                if self._first is None:
                    self._first = rest
                else:
                    self._last = rest
        if self.curious:
            self._look(piece[:at])
        self._line = piece[at:] if len(piece) - at <= KEPT else piece[-KEPT:]

    def _look(self, lines: bytes) -> None:
        if self._model is None and (found := _MODEL.search(lines)) is not None:
            self._model = found[1].decode("utf-8", "replace")
        for reason in _REASON.findall(lines):
            if len(self._reasons) < _MOST_REASONS:
                self._reasons[reason.decode("ascii")] = None

    def told(self) -> Told:
        if self._line:
            # A stream may end without a line break.
            self.feed(b"\n")
        merged: dict[str, Any] = {}
        for rest in (self._first, self._last):
            if rest is not None:
                merged |= {k: v for k, v in _usage_in_event(rest).items() if v is not None}
        return Told(_usage(merged), self._model, tuple(self._reasons))


class _Inflated:
    """A compressed body, unpacked up to a bound."""

    __slots__ = ("_left", "_tap", "_unpack")

    def __init__(self, tap: Tap) -> None:
        self._tap = tap
        self._unpack = zlib.decompressobj(_GZIP_OR_ZLIB)
        self._left = MOST_INFLATED

    @property
    def streams(self) -> bool:
        return self._tap.streams

    @property
    def curious(self) -> bool:
        return self._tap.curious

    @curious.setter
    def curious(self, value: bool) -> None:
        self._tap.curious = value

    def feed(self, piece: bytes) -> None:
        try:
            while piece and self._left > 0:
                plain = self._unpack.decompress(piece, _STEP)
                self._left -= len(plain)
                self._tap.feed(plain)
                piece = self._unpack.unconsumed_tail
        except zlib.error:
            self._left = 0

    def told(self) -> Told:
        return self._tap.told() if self._left > 0 else NOTHING


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None


def _usage_in_event(rest: bytes) -> dict[str, Any]:
    """The usage at which `rest` begins, if it is a key of the event's object or of the object inside it (`message`,
    `response`): only then everything behind it closes what these opened."""
    found = _object(b"{" + rest)
    if found is None:
        outer = _object(b'{"in":{' + rest)
        # What follows may say `in` again, and then it is whatever the answer likes.
        found = None if outer is None else outer["in"]
    usage = found.get("usage") if isinstance(found, dict) else None
    return usage if isinstance(usage, dict) else {}


def _told_by(answer: Mapping[str, Any]) -> Told:
    model = answer.get("model")
    reasons: dict[str, None] = {}
    choices = answer.get("choices")
    for choice in choices[:_MOST_REASONS] if isinstance(choices, list) else ():
        if isinstance(choice, dict) and isinstance(choice.get("finish_reason"), str):
            reasons[choice["finish_reason"]] = None
    if isinstance(answer.get("stop_reason"), str):
        reasons[answer["stop_reason"]] = None
    return Told(_usage(answer.get("usage")), model if isinstance(model, str) else None, tuple(reasons))


def _usage(said: object) -> Usage | None:
    """The numbers of any dialect, by the names that each has for them."""
    if not isinstance(said, dict):
        return None
    if "prompt_tokens" in said or "completion_tokens" in said:
        asked, given = said.get("prompt_tokens_details"), said.get("completion_tokens_details")
        usage = Usage(
            _count(said, "prompt_tokens"),
            _count(said, "completion_tokens"),
            _count(asked, "cached_tokens"),
            None,
            _count(given, "reasoning_tokens"),
        )
    elif "input_tokens_details" in said or "output_tokens_details" in said:
        usage = Usage(
            _count(said, "input_tokens"),
            _count(said, "output_tokens"),
            _count(said.get("input_tokens_details"), "cached_tokens"),
            None,
            _count(said.get("output_tokens_details"), "reasoning_tokens"),
        )
    else:
        fresh = _count(said, "input_tokens")
        read, created = _count(said, "cache_read_input_tokens"), _count(said, "cache_creation_input_tokens")
        whole = None if fresh is None else fresh + (read or 0) + (created or 0)
        usage = Usage(whole, _count(said, "output_tokens"), read, created)
    return None if usage == _NO_USAGE else usage


def _count(table: object, key: str) -> int | None:
    number = table.get(key) if isinstance(table, dict) else None
    return number if type(number) is int and 0 <= number <= MOST_TOKENS else None
