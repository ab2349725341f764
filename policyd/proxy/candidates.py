"""The candidates of one request in the order in which they are tried, and how much of a target's minute it takes. Pure
but for the state of the targets that it looks at.

In come a plan and the request that it is for; out goes `order`'s answer. The one idea: what an order among equals goes by
is only worked out where the policy leaves one open, which most routes do not.
"""

from collections.abc import Callable, Iterable, Mapping

from policyd.policy.decision import Plan
from policyd.policy.program import MAX_NUMBER
from policyd.proxy.decide import Decided
from policyd.proxy.live import Live
from policyd.proxy.order import Seen, Standing, in_order_to_try, is_fixed
from policyd.proxy.prefix import conversation_of
from policyd.proxy.usage import Usage
from policyd.traffic.body import Body
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Reading

__all__ = ["BYTES_PER_TOKEN", "candidates_of", "tokens_at", "tokens_of", "tokens_spent"]

BYTES_PER_TOKEN = 4
"""Of JSON with English text and code; a guess, and used only where nothing was counted."""


def candidates_of(
    plan: Plan,
    live: Live,
    endpoint: EndpointName,
    body: Body,
    tokens: tuple[int, int],
    seen: Callable[[Iterable[str]], Mapping[str, Seen]],
    draw: Callable[[], float],
) -> tuple[str, ...]:
    """`tokens`: of the prompt, and at most of the answer."""
    if is_fixed(plan):
        return plan.targets if len(plan.groups) == 1 else tuple(dict.fromkeys(plan.targets))
    picks = {group.pick for group in plan.groups}
    standing = Standing(
        seen(plan.targets),
        _costs(live, plan, tokens) if "cheapest" in picks else {},
        conversation_of(endpoint, body.parsed) if picks & {"any", "fastest"} else None,
    )
    return in_order_to_try(plan, standing, draw)


def tokens_of(decided: Decided, reading: Reading, size: int, answer_reserve: int) -> tuple[int, int]:
    """What the request has: tokens of its prompt, counted where the decision counted them, and the most that its answer
    may have."""
    counted = decided.values.get("tokens")
    known = "tokens" not in decided.between and isinstance(counted, int) and counted < MAX_NUMBER
    if known and isinstance(counted, int):
        prompt = counted
    else:
        low, high = decided.between.get("tokens", (0, MAX_NUMBER))
        prompt = min(max(low, size // BYTES_PER_TOKEN + reading.extra_tokens), high)
    return prompt, answer_reserve if reading.max_output is None else reading.max_output


def tokens_spent(usage: Usage | None) -> int | None:
    """The tokens that a target says it had, prompt and answer; None where it does not say both."""
    if usage is None or usage.input is None or usage.output is None:
        return None
    return usage.input + usage.output


def tokens_at(live: Live, target: str, prompt: int) -> int:
    """A prompt's tokens as the target's own scale has them."""
    own = live.measures[target].permille
    return prompt if own == live.measure.permille else prompt * own // live.measure.permille


def _costs(live: Live, plan: Plan, tokens: tuple[int, int]) -> Mapping[str, float]:
    """What the request would cost at most. A target without prices costs nothing: it is one's own."""
    prompt, answer = tokens
    return {
        t: float(p[0] * tokens_at(live, t, prompt) + p[1] * answer)
        for t in plan.targets
        if (p := live.prices.get(t))
    }
