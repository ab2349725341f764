"""Which conversation a request belongs to, as far as its body says so. Pure.

In comes a parsed body; out goes a short name that the later requests of the same conversation have too, or None. The one
idea: a conversation grows at its end, so what it began with names it: what the system says and the first message. The name
only chooses among equal targets: two conversations with one name share a place, and nothing else depends on it. It is a
hash of bounded pieces and can be made anywhere, so that several sidecars agree; it is never logged or sent.
"""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName

__all__ = ["conversation_of"]

_PIECE: Final = 1024
_MOST_PIECES: Final = 64
_DEEPEST: Final = 6
_SYSTEM: Final = ("system", "developer")
"""Looked for by equality: in `responses` a role may be anything."""


def conversation_of(endpoint: EndpointName, body: Mapping[str, Any]) -> str | None:
    """None where a request belongs to no conversation, or does not say to which."""
    named = body.get("prompt_cache_key")
    if isinstance(named, str) and named:
        return _hash(iter((named,)))
    match endpoint:
        case EndpointName.CHAT:
            beginning: list[Any] = _beginning(body.get("messages"))
        case EndpointName.MESSAGES:
            beginning = [body.get("system"), *_beginning(body.get("messages"))]
        case EndpointName.RESPONSES if body.get("previous_response_id") is None:
            given = body.get("input")
            beginning = [
                body.get("instructions"),
                *([given] if isinstance(given, str) else _beginning(given)),
            ]
        case EndpointName.COMPLETIONS:
            beginning = [body.get("prompt")]
        case _:
            return None
    pieces = list(_pieces(beginning, _DEEPEST))[:_MOST_PIECES]
    return _hash(iter(pieces)) if pieces else None


def _beginning(messages: object) -> list[Any]:
    """The messages up to the first that is not the system's."""
    out: list[Any] = []
    if isinstance(messages, list):
        for message in messages[:_MOST_PIECES]:
            if not isinstance(message, dict):
                break
            out.append(message.get("content"))
            if message.get("role") not in _SYSTEM:
                break
    return out


def _pieces(value: object, depth: int) -> Iterator[str]:
    """The beginning of every text inside; what a text is called does not matter, and neither does a cache's marker."""
    if isinstance(value, str):
        yield value[:_PIECE]
    elif depth and isinstance(value, list):
        for item in value[:_MOST_PIECES]:
            yield from _pieces(item, depth - 1)
    elif depth and isinstance(value, dict):
        for key, item in value.items():
            if key != "cache_control":
                yield from _pieces(item, depth - 1)


def _hash(pieces: Iterator[str]) -> str:
    whole = blake2b(digest_size=12)
    for piece in pieces:
        whole.update(piece.encode("utf-8", "surrogatepass") + b"\0")
    return whole.hexdigest()
