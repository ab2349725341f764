"""A request said in the dialect of a target that does not speak the caller's, and its answer said back.

In come the body as it was scanned and a binding; out goes a `Way`, or that nothing can say the request. The one idea: what is
sent is made of the parsed body that was scanned and of nothing else, and is scanned itself, as texts that stood apart may
stand together in it; the binding's model and keys go into it like into any body (`bound_body`). What words become is
`policyd.translate`'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from policyd.deploy.model import Binding
from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.policy.program import Target
from policyd.proxy.bound_body import bound_body
from policyd.proxy.outbound import Headers
from policyd.proxy.usage_chunk import uncompressed
from policyd.proxy.way import Garbled, Head, Way
from policyd.traffic.body import Body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.reading import Reading
from policyd.translate.directions import DIRECTIONS, Direction, Stream
from policyd.translate.later_system import as_users
from policyd.translate.loss import Loss, Unsayable
from policyd.translate.marks import BEGIN, REASONING_KEYS, mark_of, without_marked

__all__ = ["ANTHROPIC_VERSION", "SaidBack", "Speech", "Translation", "speech_of"]

ANTHROPIC_VERSION: Final = b"2023-06-01"
"""What a request to Anthropic's messages must name, where its caller speaks another dialect."""

_OF_ANTHROPIC: Final = DIALECT_ENDPOINTS["anthropic"]
"""Where thinking has signatures."""

_MARK: Final = (BEGIN + "reasoning").encode()
assert all(mark_of(key).startswith(_MARK.decode()) for key in REASONING_KEYS), (
    "INVARIANT: what every mark begins with"
)
_OF_A_DIALECT: Final = (b"anthropic-", b"openai-")
_ABOUT_THE_BODY: Final = frozenset({b"content-length", b"content-type", b"etag", b"content-md5", b"digest"})
_LIMITS: Final = ("max_tokens", "max_completion_tokens")
_JSON: Final = b"application/json"
_EVENTS: Final = b"text/event-stream"


@dataclass(frozen=True, slots=True)
class Speech:
    """What the policy says of a target's words: the endpoints that are translated for it, whether it reasons, and the most
    tokens that it answers with, where that is known."""

    translates: frozenset[str]
    reasons: bool
    max_output: int | None


def speech_of(target: Target) -> Speech:
    translates, supports, most = (target.fact(name) for name in ("translates", "supports", "max_output"))
    return Speech(
        translates if isinstance(translates, frozenset) else frozenset(),
        isinstance(supports, frozenset) and "reasoning" in supports,
        most if isinstance(most, int) and not isinstance(most, bool) else None,
    )


class Translation:
    """One request in the other dialect, made when it is first asked for. INVARIANT: the same whatever the target."""

    __slots__ = ("_asked", "_body", "_direction", "_endpoint", "_own", "_said")

    def __init__(self, endpoint: EndpointName, body: Body) -> None:
        self._endpoint = endpoint
        self._body = body
        self._direction: Direction | None = DIRECTIONS.get(endpoint.value)
        self._asked = body.parsed
        self._said: dict[str, Any] | Loss | None = None
        self._own: Body | None = None

    def said(self) -> dict[str, Any] | Loss:
        """The body, or what would be lost. Pure but for remembering it: with a large body, call it off the event loop."""
        if self._said is None:
            direction = self._direction
            if direction is None:
                self._said = Loss("", "nothing translates this endpoint")
            else:
                self._said = direction.request(self._asked)
        return self._said

    def may_differ(self, translated: frozenset[str]) -> bool:
        """Whether any target may get the request in another form than it came in, by the endpoints that are translated for
        some target."""
        return self._endpoint in _OF_ANTHROPIC or self._endpoint in translated

    def readings(self, translated: frozenset[str]) -> tuple[Reading, ...]:
        """The forms besides the one that came in which a target may get the request, each read like one that came so."""
        out: list[Reading] = []
        if self._direction is not None and self._endpoint in translated:
            said = self.said()
            if not isinstance(said, Loss):
                out.append(read_request(EndpointName(self._direction.into), said))
        own = self.own()
        if own is not self._body:
            out.append(read_request(self._endpoint, own.parsed))
        return tuple(out)

    def own(self) -> Body:
        """The body for a target that speaks the caller's dialect: nearly always the one that came."""
        if self._own is None:
            self._own = _unmarked(self._body) if self._endpoint in _OF_ANTHROPIC else self._body
        return self._own

    def way(self, binding: Binding, speech: Speech, headers: Headers, named: str) -> Way:
        """How the request is said to a target. `headers` are the caller's that may pass to it, `named` is the caller's model."""
        direction, said = self._direction, self.said()
        # INVARIANT: the guard `translates` has removed the target otherwise.
        assert direction is not None and not isinstance(said, Loss), "nothing says this request to the target"
        fitted = _fitted(said, self._asked, direction, binding, speech)
        body = bound_body(binding, Body(orjson.dumps(fitted), fitted), named)
        passed = _headers(headers, direction, binding)
        return Way(direction.path, b"", passed, body, SaidBack(direction, self._asked))


def _fitted(
    said: Mapping[str, Any], asked: Mapping[str, Any], direction: Direction, binding: Binding, speech: Speech
) -> dict[str, Any]:
    """As this server takes it: without what it would refuse and does not need to hear, with system messages where it takes
    them, and with the limit of the answer under its own key. Where the caller set none and one is needed, it is the most that the server answers with."""
    out = dict(said)
    if not binding.include_usage:
        out.pop("stream_options", None)
    if out.get("reasoning_effort") == "none" and not speech.reasons:
        del out["reasoning_effort"]
    if direction.into == "chat" and binding.later_system == "user":
        out["messages"] = as_users(out["messages"])
    if direction.into == "chat" and "max_tokens" in out:
        out[binding.limit_key] = out.pop("max_tokens")
    unlimited = all(asked.get(key) is None for key in _LIMITS)
    if direction.into == "messages" and unlimited and speech.max_output is not None:
        out["max_tokens"] = speech.max_output
    return out


def _headers(headers: Headers, direction: Direction, binding: Binding) -> Headers:
    """Those that belong to no dialect, and the other one's. The answer has to be readable."""
    out = uncompressed([pair for pair in headers if not pair[0].startswith(_OF_A_DIALECT)])
    declared = {name.lower() for name, _ in binding.headers}
    if direction.into == "messages" and "anthropic-version" not in declared:
        out.append((b"anthropic-version", ANTHROPIC_VERSION))
    return out


def _unmarked(body: Body) -> Body:
    """A messages request for a server that speaks messages: without thinking that policyd made of a chat answer, whose mark
    such a server would take for a signature and refuse. Nearly always the body itself."""
    if _MARK not in body.raw:
        return body
    without = without_marked(body.parsed)
    return body if without is None else Body(orjson.dumps(without), without)


class SaidBack:
    """A `Reply`: one answer of the target in the caller's dialect. A stream is said event by event, everything else whole."""

    __slots__ = ("_asked", "_direction", "_pieces", "_status", "_stream")

    def __init__(self, direction: Direction, asked: Mapping[str, Any]) -> None:
        self._direction = direction
        self._asked = dict(asked)
        self._pieces: list[bytes] = []
        self._status = 0
        self._stream: Stream | None = None

    def head(self, status: int, headers: Headers) -> Head:
        said = dict(headers)
        if said.get(b"content-encoding", b"identity").strip().lower() not in {b"", b"identity"}:
            raise Garbled("the answer is compressed, though it was asked not to be")
        events = said.get(b"content-type", b"").strip().lower().startswith(_EVENTS)
        out = [pair for pair in headers if pair[0] not in _ABOUT_THE_BODY]
        out = [pair for pair in out if not pair[0].startswith(_OF_A_DIALECT)]
        name, other = (
            (b"x-request-id", b"request-id")
            if self._direction.into == "chat"
            else (b"request-id", b"x-request-id")
        )
        if name in said and other not in said:
            out.append((other, said[name]))
        self._status = status
        if status >= 400:
            self._status, _ = self._direction.error(status, b"")
            return Head(self._status, [*out, (b"content-type", _JSON)], True)
        if status != 200 or events != (self._asked.get("stream") is True):
            raise Garbled("the answer is not of the kind that was asked for")
        if not events:
            return Head(status, [*out, (b"content-type", _JSON)], True)
        self._stream = self._direction.stream(self._asked)
        return Head(status, [*out, (b"content-type", _EVENTS + b"; charset=utf-8")], False)

    def feed(self, piece: bytes) -> bytes:
        if self._stream is None:
            self._pieces.append(piece)
            return b""
        try:
            return self._stream.feed(piece)
        except Unsayable as unsayable:
            raise Garbled(str(unsayable)) from None

    def end(self) -> bytes:
        try:
            if self._stream is not None:
                return self._stream.end()
            return self._whole(b"".join(self._pieces))
        except Unsayable as unsayable:
            raise Garbled(str(unsayable)) from None

    def _whole(self, body: bytes) -> bytes:
        if self._status >= 400:
            return self._direction.error(self._status, body)[1]
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Garbled("the answer is not JSON") from None
        if not isinstance(answer, dict):
            raise Garbled("the answer is not an object")
        return orjson.dumps(self._direction.whole(answer, self._asked))
