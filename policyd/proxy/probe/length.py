"""How long a prompt a target's server really reads: a long one is sent, and what it says it read is compared. Pure.

In come the usage that a server reports and what it was sent; out goes a verdict on the `context` fact. The one idea: some
servers cut a prompt silently and answer 200, and only their own count of tokens gives them away. How many tokens a text has
for this server is measured first, with two short prompts, so that no tokenizer has to be known.
"""

from dataclasses import dataclass
from typing import Any, Final

from policyd.proxy.probe.expected import Expected, Verdict
from policyd.proxy.probe.question import Answer, Question, Said, read_object
from policyd.proxy.probe.spoken import prompt_question
from policyd.proxy.standing import Why

__all__ = [
    "Measure",
    "asks_at",
    "judge_length",
    "long_question",
    "measure_of",
    "read_tokens",
    "short_questions",
]

_UNIT: Final = "the sea is wide and the sky is open. "
_FEW, _SOME = 8, 40
"""Units of the two short prompts."""

_SHARE: Final = 0.9
"""Of the context that is filled: the rest is room for the answer and for what the server adds."""

_READ_SHARE: Final = 0.8
"""Of what was sent, from which on a server has read it: counts differ a little, a cut does not differ a little."""

_MOST_TOKENS: Final = 1_000_000
_MOST_BYTES: Final = 16 * 1024 * 1024
_ROOM: Final = 64
_TOO_LONG: Final = frozenset({400, 413, 422})
_GENERATING: Final = ("chat", "messages", "completions")
"""Endpoints in the order of preference. `responses` counts the same prompt, and asks for more of an answer."""


@dataclass(frozen=True, slots=True)
class Measure:
    """Tokens of a prompt of `n` units, as this server counts: `fixed + n * each`."""

    fixed: float
    each: float

    def tokens(self, units: int) -> int:
        return int(self.fixed + units * self.each)


def asks_at(expected: Expected) -> str | None:
    """The endpoint to ask at; None where the target generates nothing."""
    return next((e for e in (*_GENERATING, "responses") if e in expected.speaks), None)


def short_questions(endpoint: str, model: str) -> tuple[Question, Question]:
    return prompt_question(endpoint, model, _UNIT * _FEW), prompt_question(endpoint, model, _UNIT * _SOME)


def measure_of(few: Answer, some: Answer) -> Measure | None:
    """None where the server does not say what it read."""
    small, large = read_tokens(few), read_tokens(some)
    if small is None or large is None or large <= small:
        return None
    each = (large - small) / (_SOME - _FEW)
    return Measure(small - _FEW * each, each)


def long_question(
    expected: Expected, endpoint: str, model: str, measure: Measure
) -> tuple[Question, int] | None:
    """The long prompt and its tokens; None where the context is too small for one."""
    wanted = min(_SHARE * (expected.context - _ROOM), _MOST_TOKENS) - measure.fixed
    units = min(int(wanted / measure.each), _MOST_BYTES // len(_UNIT))
    if units <= _SOME:
        return None
    return prompt_question(endpoint, model, _UNIT * units), measure.tokens(units)


def read_tokens(answer: Answer) -> int | None:
    """The tokens of the prompt that the server says it read, from a cache or not. None where it does not say."""
    found = read_object(answer)
    usage = None if found is None else found.get("usage")
    if not isinstance(usage, dict):
        return None
    if "prompt_tokens" in usage:
        return _count(usage["prompt_tokens"])
    # Anthropic counts what comes from a cache apart; OpenAI's responses count it in, and have none of these keys.
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    counts = [_count(usage.get(part)) for part in parts]
    return None if counts[0] is None else sum(count or 0 for count in counts)


def judge_length(sent: int, answer: Answer) -> Verdict | None:
    """None where nothing is known: no answer, or one about something else."""
    if not isinstance(answer, Said):
        return None
    if answer.status in _TOO_LONG:
        against = f"the server refused a prompt of about {sent:,} tokens with {answer.status}"
        return Verdict(Why.CONTEXT_SMALLER, "prompt", against)
    read = read_tokens(answer)
    if read is None:
        return None
    cut = read < _READ_SHARE * sent
    against = f"the server read {read:,} of about {sent:,} tokens of a prompt and answered as if it were all"
    return Verdict(Why.CONTEXT_SMALLER, "prompt", against if cut else None)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
