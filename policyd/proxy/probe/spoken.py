"""Whether a target's server answers the endpoints that the policy says it speaks. Pure.

In come an endpoint and what the server said to a question; out goes whether it is spoken, or None where that is not known.
The one idea: free forms first. A server that answers `GET` on the path with 405 has the path; only otherwise is a request
sent that costs a few tokens.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from policyd.proxy.probe.expected import Expected, Verdict
from policyd.proxy.probe.question import Answer, Question, Said, read_object
from policyd.proxy.standing import Why

__all__ = [
    "free_question",
    "is_spoken",
    "judge_spoken",
    "path_exists",
    "prompt_question",
    "tiny_question",
    "versioned",
]

_PATHS: Final = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
}
_SAYS: Final = {
    "chat": "choices", "completions": "choices", "responses": "output", "embeddings": "data", "messages": "content",
}  # fmt: skip
"""A key that every good answer of the endpoint has."""

_VERSION: Final = ((b"anthropic-version", b"2023-06-01"),)
_SAID_NO: Final = frozenset({405, 501})
_SAID_YES: Final = frozenset({400, 422, 429})
"""The server has read the request far enough to find fault with it, or counts it."""


def versioned(endpoint: str) -> tuple[tuple[bytes, bytes], ...]:
    """Headers without which a server of the dialect answers nothing."""
    return _VERSION if endpoint == "messages" else ()


def free_question(endpoint: str) -> Question:
    return Question(_PATHS[endpoint], None, versioned(endpoint))


def path_exists(answer: Answer) -> bool:
    """Whether the answer to `free_question` shows that the endpoint is there. That it is not, it cannot show."""
    return isinstance(answer, Said) and answer.status == 405


def tiny_question(endpoint: str, model: str) -> Question:
    """The smallest request of the endpoint."""
    return Question(_PATHS[endpoint], _tiny(endpoint, model, "hi"), versioned(endpoint))


def _tiny(endpoint: str, model: str, text: str) -> Mapping[str, object]:
    match endpoint:
        case "chat" | "messages":
            return {"model": model, "max_tokens": 1, "messages": [{"role": "user", "content": text}]}
        case "completions":
            return {"model": model, "max_tokens": 1, "prompt": text}
        case "responses":
            # A server that keeps answers unasked is told not to. Some ask for no fewer than 16 tokens.
            return {"model": model, "max_output_tokens": 16, "store": False, "input": text}
        case _:
            return {"model": model, "input": text}


def prompt_question(endpoint: str, model: str, text: str) -> Question:
    """The same with a text of its own, for an endpoint that generates."""
    return Question(_PATHS[endpoint], _tiny(endpoint, model, text), versioned(endpoint))


def is_spoken(endpoint: str, answer: Answer) -> bool | None:
    """Whether the answer to `tiny_question` is one of this endpoint."""
    if not isinstance(answer, Said):
        return None
    if answer.well:
        # Some stream unasked; what a stream says would have to be read to its end.
        if answer.kind.startswith("text/event-stream"):
            return True
        found = read_object(answer)
        return found is not None and _SAYS[endpoint] in found
    if answer.status == 404:
        return _is_about_the_model(answer.body)
    if answer.status in _SAID_NO:
        return False
    return True if answer.status in _SAID_YES else None


def _is_about_the_model(body: bytes) -> bool:
    """A 404 for the model's name comes from an endpoint that is there."""
    try:
        found: Any = orjson.loads(body)
    except ValueError:
        return False
    error = found.get("error", found) if isinstance(found, dict) else None
    said = (
        error if isinstance(error, str) else orjson.dumps(error).decode() if isinstance(error, dict) else ""
    )
    return "model" in said.lower()


def judge_spoken(expected: Expected, spoken: Mapping[str, bool | None]) -> Verdict | None:
    """One verdict over all endpoints; None where nothing is known against any, and not everything is known."""
    unspoken = sorted(endpoint for endpoint in expected.speaks if spoken.get(endpoint) is False)
    if unspoken:
        words = ", ".join(f"`{endpoint}`" for endpoint in unspoken)
        return Verdict(
            Why.DIALECT_NOT_SPOKEN,
            "dialects",
            f"the server does not answer {words}, which the policy says it speaks",
        )
    if any(spoken.get(endpoint) is None for endpoint in expected.speaks):
        return None
    return Verdict(Why.DIALECT_NOT_SPOKEN, "dialects", None)
