"""Every way policyd itself answers instead of a model: one table, and how it is said in each dialect.

In comes a code of the table, a sentence and who decided; out go a status, headers and a body that the caller's SDK
understands as its own kind of error. The one idea: a refusal must be seen once and understood, so its status and type
are ones that clients do not retry, unless waiting is what helps. It knows no request and no policy.

The vocabulary is closed. `caller_*`: the request is at fault. `policy_*`: the policy said no. `upstream_*`: a permitted
model server failed. `internal_*`: policyd could not do its duty and therefore sent nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from typing import Literal as Lit

import orjson

from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.traffic.found import UNANSWERED, Found
from policyd.traffic.refused import CallerFault, Refused

__all__ = [
    "REFUSALS",
    "Dialect",
    "Refusal",
    "Row",
    "body_of",
    "for_the_log",
    "headers_of",
    "refuse",
    "refuse_unread",
    "refuse_unredacted",
    "stream_error",
]

Dialect: TypeAlias = Lit["openai", "anthropic"]


@dataclass(frozen=True, slots=True)
class Row:
    """One code: its usual status, and whether the same request may succeed if it is sent again later."""

    code: str
    status: int
    waiting_helps: bool
    meaning: str


_ROWS: Final = (
    Row("caller_unidentified", 401, False, "nothing that says who is asking, or nothing that the deployment knows"),
    Row("caller_bad_claim", 403, False, "what is shown of the caller does not say who it is in one way only"),
    Row("caller_unknown_model", 404, False, "this caller may not use a model of this name"),
    Row("caller_bad_header", 400, False, "a header that the policy reads is not text, or was sent twice"),
    Row("caller_bad_query", 400, False, "the query has characters that a query may not have"),
    Row("caller_bad_host", 421, False, "the request was made for another host than this sidecar"),
    Row("caller_unknown_key", 400, False, "a key that the API does not have, and every target sends requests on"),
    Row("caller_bad_value", 400, False, "a claimed feature is outside its domain"),
    Row("caller_uncountable", 400, False, "the tokens were to be counted here, and cannot be"),
    Row("caller_too_large", 413, False, "the body is larger than the deployment allows"),
    Row("caller_slow", 400, False, "the request did not arrive in time"),
    Row("caller_not_http", 400, False, "not an HTTP/1.1 request that every server reads alike"),
    Row("policy_denied", 403, False, "a deny of the policy holds, or no route has a permitted target"),
    Row("policy_unknown", 403, False, "a feature that must be known is not"),
    Row("policy_redaction", 403, False, "what the policy takes out of requests could not be taken out of this one"),
    Row("upstream_unavailable", 503, True, "no permitted target answered"),
    Row("upstream_busy", 503, True, "every permitted target has as much as the deployment gives it"),
    Row("upstream_timeout", 504, True, "no permitted target answered in time"),
    Row("upstream_credential", 502, False, "the target refused the deployment's credential"),
    Row("upstream_redirect", 502, False, "the target answered with a redirect, which is never followed"),
    Row("upstream_broke", 502, True, "the target's answer ended before it was complete"),
    Row("internal_log", 503, True, "the decision log cannot be written, so nothing is sent"),
    Row("internal_changing", 503, True, "the policy changed again while the request was being decided"),
    Row("internal_identity", 503, True, "the keys by which callers are known cannot be had"),
    Row("internal_overload", 503, True, "more is in flight than the deployment allows"),
    Row("internal_gate", 500, False, "the gate found an attempt that the decision does not permit"),
    Row("internal_stopped", 503, True, "the sidecar is being stopped"),
    Row("internal_error", 500, False, "an error in policyd"),
)  # fmt: skip

_READING: Final = tuple(
    Row(fault.value, Refused(fault, "").status, False, fault.name.lower().replace("_", " "))
    for fault in CallerFault
)
"""What reading a request finds wrong with it has its own table, and keeps its words here."""

REFUSALS: Final = MappingProxyType({row.code: row for row in (*_READING, *_ROWS)})
assert len(REFUSALS) == len(_ROWS) + len(_READING), "INVARIANT: one row for each code"


@dataclass(frozen=True, slots=True)
class Refusal:
    """What is said to the caller. `by` names the guards or denies that decided; `field` the feature, header or key at
    fault. `message` holds no prompt text and nothing of the caller's that is not escaped and bounded. `detail` may repeat the
    name of a key that the caller sent: it is for the caller alone and is not logged. `found`: where in the request stands what it was refused for."""

    code: str
    status: int
    message: str
    by: tuple[str, ...] = ()
    field: str | None = None
    retry_after: int = 1
    """seconds, said where waiting helps"""
    detail: str = ""
    found: tuple[Found, ...] = ()


def refuse(
    code: str, message: str, *, by: tuple[str, ...] = (), field: str | None = None, status: int | None = None
) -> Refusal:
    """A refusal with the table's status, or the one that the policy asks for."""
    return Refusal(code, REFUSALS[code].status if status is None else status, message, by, field)


_OF_WHO_ASKS: Final = frozenset({"caller_unidentified", "caller_bad_claim"})
"""INVARIANT: their messages hold words of policyd and of the deployment, and nothing that was shown."""


def for_the_log(refusal: Refusal) -> str:
    """What the log says of it. Where a request is at fault the message may repeat what the caller sent: that is for the
    caller alone, and the log gets the row's meaning and the name of the feature or header. Why somebody is not known, it
    says in full: who looks after the deployment has to tell an expired token from a wrong audience."""
    code = refusal.code
    if code in _OF_WHO_ASKS or (not code.startswith("caller_") and code != "policy_unknown"):
        return refusal.message
    meaning = REFUSALS[refusal.code].meaning
    return meaning if refusal.field is None else f"{meaning}: {refusal.field}"


def refuse_unredacted(names: Iterable[str]) -> Refusal:
    """The refusal of a request in which one of these findings would be left. It holds names and no text."""
    shown = ", ".join(sorted(names)) or "something"
    return refuse("policy_redaction", f"{REFUSALS['policy_redaction'].meaning}: {shown}; nothing was sent")


def refuse_unread(refused: Refused) -> Refusal:
    """The refusal of a request that could not be read."""
    return Refusal(refused.code, refused.status, refused.message)


_ANTHROPIC_TYPES: Final = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        429: "rate_limit_error",
        504: "timeout_error",
    }
)
_OPENAI_TYPES: Final = MappingProxyType(
    {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
)


def _kind(dialect: Dialect, status: int) -> str:
    """The dialect's error type. Never `overloaded_error`, which clients send again whatever the status."""
    if dialect == "anthropic":
        return _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return _OPENAI_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")


MOST_PLACES: Final = 4
"""Places that a message repeats; a program is told more of them."""


def _said(refusal: Refusal, decision: str) -> str:
    message = f"{refusal.message} ({refusal.detail})" if refusal.detail else refusal.message
    there = [one for one in refusal.found if one.where != UNANSWERED]
    if there:
        more = ", …" if len(there) > MOST_PLACES else ""
        message += f"; found: {', '.join(map(str, there[:MOST_PLACES]))}{more}"
    for silence in dict.fromkeys(str(one) for one in refusal.found if one.where == UNANSWERED):
        message += f"; {silence}"
    return f"{message} [policyd {refusal.code}, decision {decision}]"


def body_of(refusal: Refusal, dialect: Dialect, decision: str) -> bytes:
    """The error body, in the dialect's own shape with one key `policyd` more for programs."""
    kind = _kind(dialect, refusal.status)
    detail: dict[str, Any] = {"code": refusal.code, "by": refusal.by, "decision": decision}
    if refusal.found:
        detail["found"] = refusal.found
    message = _said(refusal, decision)
    if dialect == "anthropic":
        error = {"type": kind, "message": message, "policyd": detail}
        return orjson.dumps({"type": "error", "error": error, "request_id": decision})
    return orjson.dumps(
        {
            "error": {
                "message": message,
                "type": kind,
                "param": refusal.field,
                "code": refusal.code,
                "policyd": detail,
            }
        }
    )


def headers_of(refusal: Refusal, body: bytes, decision: str) -> list[tuple[bytes, bytes]]:
    """The refusal's headers: `x-should-retry`, which the official SDKs honour, follows the table, or a 429's nature."""
    out = [
        (b"content-type", b"application/json"),
        (b"content-length", b"%d" % len(body)),
        (b"request-id", decision.encode()),
        (b"x-request-id", decision.encode()),
    ]
    row = REFUSALS[refusal.code]
    if row.waiting_helps:
        out.append((b"retry-after", b"%d" % refusal.retry_after))
    elif refusal.status != 429:
        out.append((b"x-should-retry", b"false"))
    if refusal.status == 401:
        out.append((b"www-authenticate", b"Bearer"))
    if refusal.status == 426:
        out += [(b"upgrade", b"HTTP/1.1"), (b"connection", b"close")]
    return out


def stream_error(refusal: Refusal, endpoint: str, decision: str, *, tail: bytes) -> bytes:
    """The error as an event of the endpoint's own stream. `tail` is the end of what was already sent: an event that was
    cut in the middle is ended first."""
    lead = b"" if not tail or tail.endswith((b"\n\n", b"\r\n\r\n")) else b"\n\n"
    message = _said(refusal, decision)
    if endpoint in DIALECT_ENDPOINTS["anthropic"]:
        event = {"type": "error", "error": {"type": "api_error", "message": message}, "request_id": decision}
        return b"%sevent: error\ndata: %s\n\n" % (lead, orjson.dumps(event))
    error = {"message": message, "type": "server_error", "param": None, "code": refusal.code}
    if endpoint == "responses":
        # The API's event has the words at its top; OpenAI's SDKs raise only what stands under `error`.
        told = {"type": "error", "code": refusal.code, "message": message, "param": None, "error": error}
        return b"%sevent: error\ndata: %s\n\n" % (lead, orjson.dumps(told))
    return b"%sdata: %s\n\n" % (lead, orjson.dumps({"error": error}))
