"""One question to a target's server and what came of it, and the way it takes: through the gate, like any request.

In comes a `Question` of policyd's own making; out goes what the server said. The one idea: a probe is a request like
another. It needs a ticket for its target, a permit of the gate and the target's own pool, follows no redirect, and its
bytes are made of nothing that a caller sent. What is read of an answer is bounded.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import orjson

from policyd.deploy.model import Binding
from policyd.proxy.azure import azure_address
from policyd.proxy.gate import Gate, GateClosed, Permit, PolicyChanged, Refused, Ticket
from policyd.proxy.upstream.errors import Kind, UpstreamError
from policyd.proxy.upstream.protocol import Exchange, Upstream

__all__ = ["Answer", "Ask", "Question", "Said", "Unanswered", "ask_through", "read_object"]

LARGEST_ANSWER: Final = 4 * 1024 * 1024
"""Bytes of an answer that are read: the longest list of models is about a megabyte."""

LARGE: Final = 128 * 1024
"""Bytes of a body from which the gate looks at it off the event loop."""


@dataclass(frozen=True, slots=True)
class Question:
    """`path` is below the target's URL; `body` is None for a GET. `headers` are added to those of every question."""

    path: str
    body: Mapping[str, object] | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """The whole answer of a server, or as much of it as is read."""

    status: int
    kind: str
    body: bytes

    @property
    def well(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer. `kind` is the upstream client's word, `barred` where the gate refuses what is asked, or None where nothing
    is known: the policy changed meanwhile, or all connections were taken by requests."""

    kind: str | None


Answer: TypeAlias = Said | Unanswered
Ask: TypeAlias = Callable[[str, Question, float], Awaitable[Answer]]
"""Target, question and seconds to what came of it."""

_HEADERS: Final = ((b"accept", b"application/json"), (b"user-agent", b"policyd-probe"))


def ask_through(gate: Gate, upstream: Upstream) -> Ask:
    """Asks the targets that the gate knows, over the upstream client."""

    async def ask(name: str, question: Question, seconds: float) -> Answer:
        try:
            async with asyncio.timeout(seconds):
                permit = await _permit(gate, name, question)
                if not isinstance(permit, Permit):
                    return Unanswered("barred" if isinstance(permit, Refused) else None)
                exchange = await upstream.open(permit)
                try:
                    return await _read(exchange)
                finally:
                    exchange.close()
        except TimeoutError:
            return Unanswered(Kind.TOTAL_TIMEOUT)
        except UpstreamError as error:
            return Unanswered(None if error.kind is Kind.POOL_EXHAUSTED else error.kind)
        except GateClosed as closed:
            return Unanswered("barred" if isinstance(closed.outcome, Refused) else None)

    return ask


async def _permit(gate: Gate, name: str, question: Question) -> Permit | Refused | PolicyChanged | None:
    """None: the policy does not have this target any more."""
    serving = gate.serving
    bound = serving.targets.get(name)
    if bound is None:
        return None
    body = b"" if question.body is None else _bound(bound.binding, question.body)
    headers = [*_HEADERS, *question.headers]
    if body:
        headers.append((b"content-type", b"application/json"))

    def permit() -> Permit | Refused | PolicyChanged:
        return gate.permit(
            Ticket("probe", serving.digest, frozenset({name})),
            name,
            method=b"POST" if body else b"GET",
            path=_address(bound.binding, question),
            headers=headers,
            body=body,
        )

    return await asyncio.to_thread(permit) if len(body) > LARGE else permit()


def _address(binding: Binding, question: Question) -> bytes:
    path, query = question.path.encode("ascii"), b""
    model = (question.body or {}).get("model", binding.model)
    if binding.azure_api_version is not None and isinstance(model, str) and path.startswith(b"/v1/"):
        path, query = azure_address(binding.azure_api_version, path, b"", model)
    return binding.endpoint.prefix.encode("ascii") + (path + b"?" + query if query else path)


def _bound(binding: Binding, body: Mapping[str, object]) -> bytes:
    """What the binding declares for every body holds for a probe's too."""
    return orjson.dumps({**body, **{key: orjson.loads(text) for key, text in binding.send}})


async def _read(exchange: Exchange) -> Said:
    pieces: list[bytes] = []
    size = 0
    async for piece in exchange:
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST_ANSWER:
            break
    kind = next((value for name, value in exchange.headers if name == b"content-type"), b"")
    return Said(exchange.status, kind.decode("latin-1").lower(), b"".join(pieces)[:LARGEST_ANSWER])


def read_object(answer: Answer) -> Mapping[str, Any] | None:
    """The JSON object of a good answer; None where there is none."""
    if not isinstance(answer, Said) or not answer.well:
        return None
    try:
        found = orjson.loads(answer.body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
