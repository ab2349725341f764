"""Tokens counted here: the answer to Anthropic's `count_tokens` where the target that would answer does not have it.

In comes a decided request and its errand; out go what the target says, or a count of policyd's own in the same shape with
the header `x-policyd-counted: here`. The one idea: a plan says who may see the text, and nobody else does; so the first
candidate is asked, and where it is known to lack the endpoint, or says so itself, the tokens are counted on the spot and
nothing is sent on. The count is that target's estimate (`tokenizer`, `tokens_scale`). What cannot be counted is refused.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from itertools import takewhile
from typing import Any, Final, TypeAlias

import orjson

from policyd.deploy.bindings import Bound
from policyd.policy.program import Program
from policyd.proxy.errand import Errand, Outcome, Send
from policyd.proxy.refusals import Refusal, refuse
from policyd.proxy.weigh import Weigher
from policyd.traffic.reading import Reading
from policyd.traffic.tokens import AS_COUNTED, Measure

__all__ = ["COUNTED_HERE", "carried", "count", "without_counting"]

LACKING: Final = frozenset({404, 405, 501})
"""Statuses by which a server says that it does not have the endpoint."""

COUNTED_HERE: Final = (b"x-policyd-counted", b"here")

Carry: TypeAlias = Callable[[Errand, Send], Awaitable[None]]


def without_counting(program: Program, bound: Bound) -> frozenset[str]:
    """Targets that do not answer `count_tokens`: by their binding, or because they do not speak messages."""
    silent = {b.name for b in bound.targets if not b.binding.counts_tokens}
    return frozenset(
        silent | {t.name for t in program.targets if "messages" not in _spoken(t.fact("speaks"))}
    )


def _spoken(fact: object) -> frozenset[Any]:
    return fact if isinstance(fact, frozenset) else frozenset()


class _Sieve:
    """Lets an answer pass unless its status says that the endpoint is not there."""

    __slots__ = ("_send", "lacking")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.lacking = False

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start" and message["status"] in LACKING:
            self.lacking = True
        if not self.lacking:
            await self._send(message)


async def carried(
    errand: Errand, lacking: frozenset[str], carry: Carry, send: Send, outcome: Outcome
) -> bool:
    """Whether the candidates before the first that lacks the endpoint answered or refused; otherwise it is to be counted
    here, and nothing has gone to the caller."""
    asked = tuple(takewhile(lambda target: target not in lacking, errand.targets))
    if asked:
        sieve = _Sieve(send)
        await carry(replace(errand, targets=asked), sieve)
        failed = outcome.refusal is not None and outcome.refusal.startswith("upstream_")
        if not sieve.lacking and not (failed and len(asked) < len(errand.targets)):
            return True
        outcome.status = outcome.target = outcome.refusal = outcome.cut = outcome.tap = None
        outcome.sent, outcome.erred = 0, False
    return False


async def count(
    weigher: Weigher, reading: Reading, size: int, measure: Measure = AS_COUNTED, model: str = ""
) -> bytes | Refusal:
    """The answer's body. `size` is the request's in bytes; `measure` and `model` are the target's."""
    counted = await weigher.count(reading, size, measure.vocabulary)
    if counted is None:
        return refuse(
            "caller_uncountable",
            "the target does not count tokens, and the request has what cannot be counted here: files, PDFs or audio",
        )
    return orjson.dumps({"input_tokens": measure.of(counted) + reading.extra_tokens_at(model)})
