"""Whole answers of policyd's own, and what is noted of any answer.

In come a request and what to say; out go ASGI's messages and the record's last values. The one idea: whatever ends a
request, its answer and its line in the log are made here. Answers of targets are `forward.py`'s.
"""

from collections.abc import Mapping
from dataclasses import replace
from math import ceil
from typing import Final

from policyd.policy.decision import Plan
from policyd.proxy.asked import Asked
from policyd.proxy.errand import Outcome, Send
from policyd.proxy.outbound import Headers
from policyd.proxy.record import Record
from policyd.proxy.refusals import REFUSALS, Refusal, body_of, for_the_log, headers_of, refuse

__all__ = [
    "note_outcome",
    "of_upstreams",
    "own_headers",
    "redacted_header",
    "send_alive",
    "send_refusal",
    "send_whole",
]

LONGEST_WAIT: Final = 60
"""Seconds after which a caller is asked to come back at the latest; longer waits are not believed, and clients cap them."""


async def send_refusal(request: Asked, refusal: Refusal) -> None:
    """The refusal, in the dialect's shape."""
    record = request.record
    record.said, record.by = for_the_log(refusal), refusal.by
    record.outcome = refusal.code
    body = body_of(refusal, request.dialect, record.decision)
    plan = record.decided if isinstance(record.decided, Plan) else None
    headers = headers_of(refusal, body, record.decision)
    if REFUSALS[refusal.code].status == 413:
        headers.append((b"connection", b"close"))
    if refusal.status == 405 and request.allow:
        headers.append((b"allow", request.allow.encode()))
    attempts = len(request.outcome.attempts)
    headers += own_headers(
        record.decision, record.policy.encode(), None if plan is None else plan.route, None, attempts
    )
    await send_whole(request, refusal.status, headers, body)


def own_headers(decision: str, tag: bytes, route: str | None, target: str | None, attempts: int) -> Headers:
    out = [
        (b"x-policyd-decision", decision.encode()),
        (b"x-policyd-policy", tag),
        (b"x-policyd-attempts", b"%d" % attempts),
    ]
    if route is not None:
        out.append((b"x-policyd-route", route.encode()))
    if target is not None:
        out.append((b"x-policyd-target", target.encode()))
    return out


def redacted_header(counts: Mapping[str, int]) -> Headers:
    """What was taken out of the request, by name, for whoever wonders at placeholders. Nothing where nothing was."""
    if not counts:
        return []
    return [(b"x-policyd-redacted", ", ".join(f"{name}={n}" for name, n in counts.items()).encode())]


def of_upstreams(code: str, outcome: Outcome) -> Refusal:
    """The refusal where no candidate gave an answer: what became of each, and when one may be asked again."""
    became = [f"{a.target}: {a.status or a.outcome}" for a in outcome.attempts]
    what = ", ".join(became + [f"{target}: {why.value}" for target, why in outcome.passed])
    refusal = refuse(code, f"{REFUSALS[code].meaning} ({what})")
    return replace(refusal, retry_after=min(max(1, ceil(outcome.retry_after or 0)), LONGEST_WAIT))


def note_outcome(record: Record, outcome: Outcome) -> None:
    record.attempts = outcome.attempts
    record.passed = outcome.passed
    record.bytes_out = outcome.sent
    record.target = outcome.target
    if outcome.status is not None:
        record.status = outcome.status
    if outcome.gone:
        record.outcome = "client_gone"
    elif outcome.cut is not None:
        record.outcome = outcome.cut
    elif not record.outcome:
        record.outcome = "upstream_error" if outcome.erred else "answered"
    if outcome.gate_said is not None:
        record.said = outcome.gate_said


async def send_whole(request: Asked, status: int, headers: Headers, body: bytes) -> None:
    request.answered = True
    request.record.status = status
    request.outcome.sent += len(body)
    await request.send({"type": "http.response.start", "status": status, "headers": headers})
    await request.send({"type": "http.response.body", "body": body, "more_body": False})


async def send_alive(send: Send, decision: str, tag: bytes, allow: str) -> None:
    """What clients probe before their first request. It says which policy serves, and nothing else."""
    headers = [
        (b"content-length", b"0"),
        (b"allow", allow.encode()),
        *own_headers(decision, tag, None, None, 0),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
