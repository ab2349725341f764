"""What an answer of chat completions is in the words of Anthropic messages: why it ended, what it cost, what went wrong.

In come values of an answer; out come the messages API's values for them. The one idea: a whole answer and a stream say the
same thing in the same words, so the words are here.
"""

import re
from typing import Any, Final

from policyd.translate.loss import Unsayable
from policyd.translate.marks import REASONING_KEYS

__all__ = ["error_event", "error_of", "error_type", "reasoning_in", "stop_of", "tokens", "usage_of"]

_TYPES: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}

_TOO_LONG: Final = re.compile(r"maximum context length|exceeds? the (?:available )?context|context (?:size|window|length) (?:has been )?exceeded", re.IGNORECASE)  # fmt: skip
_TOO_LONG_CODES: Final = frozenset({"context_length_exceeded", "exceed_context_size_error"})
TOO_LONG: Final = "prompt is too long: "
"""How Anthropic begins to say so, by which its clients know that they must shorten the conversation."""

LONGEST_MESSAGE: Final = 2_000
"""Characters of an error that is no JSON which are passed on."""


def stop_of(choice: dict[str, Any], *, called: bool, refused: bool) -> tuple[str, str | None]:
    """Why the answer ended, and at which stop sequence where the server says so (vLLM and SGLang do, each in a key of its
    own; of the others nobody can tell a stop sequence from an end). Raises `Unsayable` where it did not end."""
    match choice.get("finish_reason"):
        case "length":
            return "max_tokens", None
        case "content_filter":
            return "refusal", None
        case "tool_calls" | "function_call" if called:
            return "tool_use", None
        case "stop" | "tool_calls" | "function_call":
            if called:
                return "tool_use", None
            if refused:
                return "refusal", None
            for key in ("stop_reason", "matched_stop"):
                if isinstance(choice.get(key), str):
                    return "stop_sequence", choice[key]
            return "end_turn", None
    raise Unsayable("the answer does not say that it ended, or why")


def tokens(value: object) -> int:
    """A count, or 0 where there is none: what is not told is not made up."""
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def usage_of(usage: object) -> dict[str, Any]:
    """Usage as messages count it: `input_tokens` without those that were read from a prompt cache or written to it."""
    told = usage if isinstance(usage, dict) else {}
    details, spent = (told.get(key) for key in ("prompt_tokens_details", "completion_tokens_details"))
    details = details if isinstance(details, dict) else {}
    cached, written = tokens(details.get("cached_tokens")), tokens(details.get("cache_write_tokens"))
    out: dict[str, Any] = {
        "input_tokens": max(tokens(told.get("prompt_tokens")) - cached - written, 0),
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": cached,
        "output_tokens": tokens(told.get("completion_tokens")),
    }
    thought = tokens(spent.get("reasoning_tokens")) if isinstance(spent, dict) else 0
    if thought:
        out["output_tokens_details"] = {"thinking_tokens": thought}
    return out


def reasoning_in(message: dict[str, Any]) -> tuple[str, str] | None:
    """The key under which a message or a delta has reasoning, and the reasoning."""
    for key in REASONING_KEYS:
        value = message.get(key)
        if isinstance(value, str) and value:
            return key, value
    return None


def error_type(status: int) -> str:
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def error_of(said: object, status: int) -> dict[str, Any]:
    """The messages API's error object for whatever a server of chat completions says went wrong: OpenAI's object, an object
    of other servers with whole numbers as codes, FastAPI's `detail`, or plain text."""
    message, code = _message_of(said)
    if not message.startswith(TOO_LONG) and (code in _TOO_LONG_CODES or _TOO_LONG.search(message)):
        message = TOO_LONG + message
    return {
        "type": "error",
        "error": {"type": error_type(status), "message": message or f"the model server answered {status}"},
    }


def _message_of(said: object) -> tuple[str, str]:
    """What it says, and its code or type where that is a word."""
    if isinstance(said, str):
        return said.strip()[:LONGEST_MESSAGE], ""
    if not isinstance(said, dict):
        return "", ""
    inner = next((said[key] for key in ("error", "detail") if said.get(key)), said)
    if not isinstance(inner, dict):
        return (inner, "") if isinstance(inner, str) else ("", "")
    words = [inner.get(key) for key in ("code", "type")]
    code = next((word for word in words if isinstance(word, str) and word in _TOO_LONG_CODES), "")
    message = inner.get("message")
    return (message, code) if isinstance(message, str) else ("", code)


def error_event(said: dict[str, Any]) -> dict[str, Any]:
    """The error event for an error inside a stream. Its status is the code, where that is one."""
    inner = said.get("error")
    code = inner.get("code") if isinstance(inner, dict) else said.get("code")
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return error_of(said, status)
