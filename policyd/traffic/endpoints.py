"""Which endpoint a path is.

Comes in: a method and the path exactly as it stood on the request line. Goes out: an `Endpoint` or a `Refused`.

The one idea: a closed list compared byte for byte. Nothing is decoded, normalised or lower-cased, so a path that another
server would read differently (`//`, `..`, `%2e`, a trailing slash, another case) is simply unknown, and unknown is 404.

Not here: query strings (they pass through unchanged; the caller of this splits them off) and authentication.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policyd.traffic.refused import CallerFault, Refused, quoted

__all__ = ["Dialect", "Endpoint", "EndpointName", "dialect_of", "find_endpoint"]


class Dialect(StrEnum):
    """Whose request and error shapes are spoken."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class EndpointName(StrEnum):
    """The values of the feature `endpoint`, and `alive`, which no policy sees: the root that clients probe."""

    CHAT = "chat"
    COMPLETIONS = "completions"
    RESPONSES = "responses"
    EMBEDDINGS = "embeddings"
    MESSAGES = "messages"
    COUNT_TOKENS = "count_tokens"
    MODELS = "models"
    ALIVE = "alive"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A known path. `path` is what is appended to a target's URL; `model_id` is set for `/v1/models/{id}` only."""

    name: EndpointName
    dialect: Dialect
    path: str
    model_id: str | None = None


POSTS: Final[dict[str, tuple[EndpointName, Dialect]]] = {
    "/v1/chat/completions": (EndpointName.CHAT, Dialect.OPENAI),
    "/v1/completions": (EndpointName.COMPLETIONS, Dialect.OPENAI),
    "/v1/responses": (EndpointName.RESPONSES, Dialect.OPENAI),
    "/v1/embeddings": (EndpointName.EMBEDDINGS, Dialect.OPENAI),
    "/v1/messages": (EndpointName.MESSAGES, Dialect.ANTHROPIC),
    "/v1/messages/count_tokens": (EndpointName.COUNT_TOKENS, Dialect.ANTHROPIC),
}
"""Every path that takes a body."""

MODELS: Final = "/v1/models"
MODEL_ID: Final = re.compile(r"/v1/models/([A-Za-z0-9_][A-Za-z0-9_.:@-]*)", re.ASCII)


def dialect_of(header_names: Collection[str]) -> Dialect:
    """The dialect of a request whose path does not say it, from its lower-case header names."""
    if "anthropic-version" in header_names or "x-api-key" in header_names:
        return Dialect.ANTHROPIC
    return Dialect.OPENAI


def find_endpoint(
    method: str,
    path: str,
    *,
    header_names: Collection[str] = (),
    prefix: str = "",
) -> Endpoint | Refused:
    """The endpoint of a method and a raw path without its query. `prefix` is the deployment's, such as `/llm`: with one,
    only paths below it are known. `header_names` are lower-case."""
    known = path.removeprefix(prefix) if path.startswith(prefix) else None
    if known is None:
        return _unknown(path)
    if known in {"", "/"} and (prefix or known == "/"):
        if method in {"GET", "HEAD"}:
            return Endpoint(EndpointName.ALIVE, dialect_of(header_names), "/")
        return _method(path, "GET")
    if known in POSTS:
        name, dialect = POSTS[known]
        if method == "POST":
            return Endpoint(name, dialect, known)
        if method == "GET" and name is EndpointName.RESPONSES:
            return Refused(
                CallerFault.UPGRADE,
                "responses are served over POST and not over a WebSocket; fall back to `POST /v1/responses`",
            )
        return _method(path, "POST")
    model = MODEL_ID.fullmatch(known)
    if known == MODELS or model is not None:
        if method != "GET":
            return _method(path, "GET")
        return Endpoint(
            EndpointName.MODELS, dialect_of(header_names), known, model.group(1) if model else None
        )
    return _unknown(path)


def _unknown(path: str) -> Refused:
    served = ", ".join((*POSTS, MODELS))
    return Refused(
        CallerFault.UNKNOWN_PATH, f"the path {quoted(path)} is not served here; served are {served}"
    )


def _method(path: str, allowed: str) -> Refused:
    return Refused(CallerFault.METHOD, f"{quoted(path)} is served for {allowed} only")
