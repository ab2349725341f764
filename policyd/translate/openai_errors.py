"""Errors as OpenAI's APIs say them: of Anthropic's servers, and of the many servers of chat completions.

In come a parsed error, whatever it is, and what to say where it says nothing; out goes OpenAI's error object. The one idea: an
error is for a person, so its message stays as it is, and the type and the code are those by which clients decide what to do.
"""

import re
from typing import Any, Final

import orjson

from policyd.translate.asking import Json

__all__ = ["TOO_LONG", "in_words", "of_chat", "of_messages", "parsed", "said"]

TOO_LONG: Final = "context_length_exceeded"
"""The code by which OpenAI's clients know that they must shorten the conversation."""

_TOO_LONG: Final = re.compile(
    r"maximum context length|exceeds? the (?:available )?context"
    r"|context (?:size|window|length) (?:has been )?exceeded|^prompt is too long",
    re.IGNORECASE,
)
_MOST_WORDS: Final = 2_000
"""Characters of an error that is no JSON which are passed on."""

_TOO_LONG_TYPES: Final = (TOO_LONG, "exceed_context_size_error")

_OF_ANTHROPIC: Final = {
    "invalid_request_error": ("invalid_request_error", None),
    "authentication_error": ("authentication_error", "invalid_api_key"),
    "permission_error": ("permission_error", None),
    "not_found_error": ("invalid_request_error", "model_not_found"),
    "request_too_large": ("invalid_request_error", "request_too_large"),
    "rate_limit_error": ("rate_limit_error", "rate_limit_exceeded"),
    "billing_error": ("insufficient_quota", "insufficient_quota"),
    "overloaded_error": ("server_error", "overloaded"),
    "timeout_error": ("server_error", "timeout"),
    "api_error": ("server_error", None),
}


def of_messages(value: Json, otherwise: str) -> Json:
    """The error that a body or an event of Anthropic's holds."""
    told = value.get("error")
    told = told if isinstance(told, dict) else {}
    kind, code = _OF_ANTHROPIC.get(str(told.get("type")), (None, None))
    return _error(told.get("message"), otherwise, {"type": kind, "param": None, "code": code})


def of_chat(told: object, otherwise: str) -> Json:
    """The error that a server of chat tells. Some have numbers for codes, some no frame, some a text only."""
    value = {"message": told} if isinstance(told, str) else told if isinstance(told, dict) else {}
    texts = {
        key: value[key] if isinstance(value.get(key), str) else None for key in ("type", "param", "code")
    }
    return _error(value.get("message", value.get("detail")), otherwise, texts)


def _error(message: object, otherwise: str, texts: dict[str, str | None]) -> Json:
    told = message if isinstance(message, str) and message else otherwise
    if _TOO_LONG.search(told) or texts["type"] in _TOO_LONG_TYPES:
        texts = texts | {"code": TOO_LONG}
    return {"message": told} | texts


def parsed(body: bytes) -> Any:
    """The JSON of an error answer; None where it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def in_words(status: int, body: bytes) -> str:
    """What to say of an error that says nothing itself: the words that it is, or its status."""
    words = body.decode(errors="replace").strip()
    if words and words.isprintable() and words[0] not in "<{[":
        return words[:_MOST_WORDS]
    return f"the target answered with status {status}"


def said(status: int, error: Json) -> bytes:
    """The body of an error answer. Where the error has no type, the status has."""
    kind = "invalid_request_error" if status < 500 else "server_error"
    return orjson.dumps({"error": error | {"type": error["type"] or kind}})
