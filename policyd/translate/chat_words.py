"""The words of OpenAI's chat completions in which an answer of Anthropic's messages is said, whole or streamed.

In come a stop reason and a usage; out come a finish reason and a usage. The one idea: one table for both forms, so that a
streamed answer adds up to the whole one. What has no true word raises `Unsayable`.
"""

from typing import Any, Final

from policyd.translate.asking import Json
from policyd.translate.loss import Unsayable

__all__ = ["answered", "finish_of", "refusal_of", "tokens", "usage_of"]

_FINISHES: Final = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
"""Without `pause_turn`: a turn that waits to be sent back has no word in chat, where it would pass for a finished one."""


def finish_of(reason: object) -> str:
    finish = _FINISHES.get(reason) if isinstance(reason, str) else None
    if finish is None:
        raise Unsayable("the answer stopped for a reason that chat has no word for")
    return finish


def refusal_of(answer: Json) -> str | None:
    """Why the model was stopped, where the API says so in words."""
    details = answer.get("stop_details")
    said = details.get("explanation") if isinstance(details, dict) else None
    return said if isinstance(said, str) and said else None


def tokens(value: Json, key: str) -> int:
    """A count of tokens, or 0 where there is none: what is not told is not made up."""
    count = value.get(key)
    return count if isinstance(count, int) and not isinstance(count, bool) and count >= 0 else 0


def usage_of(usage: object) -> Json | None:
    """What chat counts as the prompt includes what was read from a cache and what was written to it."""
    if not isinstance(usage, dict):
        return None
    read, written = tokens(usage, "cache_read_input_tokens"), tokens(usage, "cache_creation_input_tokens")
    prompt = tokens(usage, "input_tokens") + read + written
    completion = tokens(usage, "output_tokens")
    out: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
    }
    details = usage.get("output_tokens_details")
    if isinstance(details, dict):
        out["completion_tokens_details"] = {"reasoning_tokens": tokens(details, "thinking_tokens")}
    return out


def answered(value: Json, key: str) -> str:
    """A text of an answer. Raises `Unsayable` where it is none."""
    given = value.get(key)
    if not isinstance(given, str):
        raise Unsayable(f"the answer's `{key}` is not a text")
    return given
