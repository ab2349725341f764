"""Answers to what never became a request that could be decided: broken HTTP, a head that does not end, one connection too many.

In comes what the connection noticed (`Early`); out go the bytes of an answer, with a decision's id like any other. The one
idea: whoever sent it reads the answer with an SDK, so it has the dialect's shape where one can tell which that is, and a
shape that both understand where nothing can be told yet. It repeats nothing of what was sent.
"""

from http import HTTPStatus
from typing import Final

import orjson

from policyd.proxy.refusals import Dialect, Refusal, body_of, headers_of, refuse
from policyd.proxy.wire import Early
from policyd.traffic.endpoints import dialect_of

__all__ = ["bytes_of", "plain", "refusal_for"]

_CLOSE: Final = (b"connection", b"close")


def refusal_for(early: Early) -> Refusal:
    return refuse(early.code, early.message)


def bytes_of(early: Early, refusal: Refusal, decision: str, policy: bytes) -> bytes:
    """The whole answer. `policy` is the digest of the one that serves."""
    body = _body(early, refusal, decision)
    headers = headers_of(refusal, body, decision)
    headers += [
        (b"x-policyd-decision", decision.encode()),
        (b"x-policyd-policy", policy),
        (b"x-policyd-attempts", b"0"),
        _CLOSE,
    ]
    return _joined(refusal.status, headers, body)


def plain(early: Early) -> bytes:
    """The answer of a side that decides nothing."""
    refusal = refusal_for(early)
    body = orjson.dumps({"error": refusal.message, "code": refusal.code})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body)), _CLOSE]
    return _joined(refusal.status, headers, body)


def _joined(status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> bytes:
    first = b"HTTP/1.1 %d %b\r\n" % (status, HTTPStatus(status).phrase.encode())
    return first + b"".join(b"%b: %b\r\n" % header for header in headers) + b"\r\n" + body


def _dialect(early: Early) -> Dialect | None:
    """The caller's, as far as its path and headers came."""
    path = early.url.partition(b"?")[0]
    if (
        b"/messages" in path
        or dialect_of({name.decode("latin-1") for name, _ in early.headers}) == "anthropic"
    ):
        return "anthropic"
    return "openai" if path else None


def _body(early: Early, refusal: Refusal, decision: str) -> bytes:
    dialect = _dialect(early)
    if dialect is not None:
        return body_of(refusal, dialect, decision)
    both = orjson.loads(body_of(refusal, "anthropic", decision))
    both["error"] = orjson.loads(body_of(refusal, "openai", decision))["error"] | both["error"]
    return orjson.dumps(both)
