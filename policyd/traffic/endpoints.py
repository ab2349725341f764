"""Which endpoint a path is.

Comes in: a method and the path exactly as it stood on the request line. Goes out: an `Endpoint` or a `Refused`.

The one idea: a closed list compared byte for byte. Nothing is decoded, normalised or lower-cased, so a path that another
server would read differently (`//`, `..`, `%2e`, a trailing slash, another case) is simply unknown, and unknown is 404.
The paths of Azure's clients are in the list: they name the model in the path, and that name counts.

Not here: query strings (they pass through unchanged; the caller of this splits them off) and authentication.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from policyd.traffic.refused import CallerFault, Refused, quoted

__all__ = ["Dialect", "Endpoint", "EndpointName", "allowed_methods", "dialect_of", "find_endpoint"]


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
    """A known path. `path` is what is appended to a target's URL; `model_id` is set for `/v1/models/{id}` only, `deployment`
    is the model that an Azure path names, and `azure` says that the caller speaks Azure's paths. `allow` holds the methods
    of a path that was only probed (`alive`)."""

    name: EndpointName
    dialect: Dialect
    path: str
    model_id: str | None = None
    deployment: str | None = None
    azure: bool = False
    allow: str = ""


POSTS: Final[dict[str, tuple[EndpointName, Dialect]]] = {
    "/v1/chat/completions": (EndpointName.CHAT, Dialect.OPENAI),
    "/v1/completions": (EndpointName.COMPLETIONS, Dialect.OPENAI),
    "/v1/responses": (EndpointName.RESPONSES, Dialect.OPENAI),
    "/v1/embeddings": (EndpointName.EMBEDDINGS, Dialect.OPENAI),
    "/v1/messages": (EndpointName.MESSAGES, Dialect.ANTHROPIC),
    "/v1/messages/count_tokens": (EndpointName.COUNT_TOKENS, Dialect.ANTHROPIC),
}
"""Every path that takes a body."""

_POSTED: Final = {path: Endpoint(name, dialect, path) for path, (name, dialect) in POSTS.items()}

AZURE: Final = "/openai"
AZURE_BARE: Final = frozenset({"/responses", "/models"})
"""What follows `/openai` without a version in the path: the version is a key of the query."""

AZURE_NAMED: Final = re.compile(
    r"/openai/deployments/([A-Za-z0-9_][A-Za-z0-9_.:@-]*)(/chat/completions|/completions|/embeddings)",
    re.ASCII,
)
_AZURE_SERVED: Final = (
    *(f"{AZURE}{path}" for path, (_, dialect) in POSTS.items() if dialect is Dialect.OPENAI),
    f"{AZURE}/v1/models",
    f"{AZURE}/deployments/MODEL/chat/completions",
    f"{AZURE}/deployments/MODEL/completions",
    f"{AZURE}/deployments/MODEL/embeddings",
    f"{AZURE}/responses",
    f"{AZURE}/models",
)
"""The same as a person is told them."""

BASES: Final = frozenset({"/v1", "/openai", "/openai/v1"})
"""What base URLs of clients end in, with or without a slash behind it: they may be probed."""

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
    if not path.startswith(prefix):
        return _unknown(path, prefix)
    below = path.removeprefix(prefix)
    if method == "POST" and below in _POSTED:
        return _POSTED[below]
    if _is_base(below, prefix):
        if method in {"GET", "HEAD"}:
            return Endpoint(
                EndpointName.ALIVE, dialect_of(header_names), "/", allow=allowed_methods(path, prefix)
            )
        return _method(path, "GET")
    known, deployment, azure = _plain(below)
    if known in POSTS:
        name, dialect = POSTS[known]
        if method == "POST":
            return Endpoint(name, dialect, known, deployment=deployment, azure=azure)
        if method == "HEAD":
            return Endpoint(EndpointName.ALIVE, dialect, "/", allow=allowed_methods(path, prefix))
        if method == "GET" and name is EndpointName.RESPONSES:
            return Refused(
                CallerFault.UPGRADE,
                "responses are served over POST and not over a WebSocket; fall back to `POST /v1/responses`",
            )
        return _method(path, "POST")
    model = MODEL_ID.fullmatch(known)
    if known == MODELS or model is not None:
        if method not in {"GET", "HEAD"}:
            return _method(path, "GET")
        speaks = Dialect.OPENAI if azure else dialect_of(header_names)
        return Endpoint(EndpointName.MODELS, speaks, known, model.group(1) if model else None, azure=azure)
    return _unknown(path, prefix)


def allowed_methods(path: str, prefix: str = "") -> str:
    """The methods of a path that is served, as the header `allow` has them; empty for any other path."""
    if not path.startswith(prefix):
        return ""
    below = path.removeprefix(prefix)
    known, _, _ = _plain(below)
    if known in POSTS:
        return "POST, HEAD"
    if _is_base(below, prefix) or known == MODELS or MODEL_ID.fullmatch(known):
        return "GET, HEAD"
    return ""


def _is_base(below: str, prefix: str) -> bool:
    """Whether a client's base URL may end here. With a prefix, the prefix itself is one."""
    return below == "/" or (bool(prefix) and below == "") or below.removesuffix("/") in BASES


def _plain(below: str) -> tuple[str, str | None, bool]:
    """A path of Azure's as the plain one, the model that it names, and whether it was one."""
    if not below.startswith(AZURE):
        return below, None, False
    rest = below.removeprefix(AZURE)
    if rest in AZURE_BARE or rest.startswith("/models/"):
        return "/v1" + rest, None, True
    if rest.startswith("/v1/") and POSTS.get(rest, (None, Dialect.OPENAI))[1] is Dialect.OPENAI:
        return rest, None, True
    named = AZURE_NAMED.fullmatch(below)
    if named is None:
        return below, None, False
    return "/v1" + named.group(2), named.group(1), True


def _unknown(path: str, prefix: str) -> Refused:
    """The paths that are named are whole, and of Azure's form to whom asks in it."""
    azure = path.removeprefix(prefix).startswith(AZURE)
    served = ", ".join(prefix + known for known in (_AZURE_SERVED if azure else (*POSTS, MODELS)))
    return Refused(
        CallerFault.UNKNOWN_PATH, f"the path {quoted(path)} is not served here; served are {served}"
    )


def _method(path: str, allowed: str) -> Refused:
    return Refused(CallerFault.METHOD, f"{quoted(path)} is served for {allowed} only")
