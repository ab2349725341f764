"""The table `[conversations]`, and what of it cannot go together.

In come what TOML read and, for mistakes, where it stands; out go the table and diagnostics. Like `values`: a function takes
what was written and returns what it means, or raises a `PydanticCustomError`.
"""

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

from pydantic import Field, PlainValidator, ValidationInfo
from pydantic_core import PydanticCustomError

from policyd.deploy import values
from policyd.deploy.author import Author
from policyd.deploy.collector import is_in_the_clear
from policyd.deploy.model import Conversations, Endpoint, Secret, SharedStore
from policyd.deploy.table import Seconds, Table, Words
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["ConversationsFile", "conversation_findings", "conversations_of"]

_SCHEMES: Final = ("redis", "rediss")
_PORT: Final = 6379
SHORTEST_SECRET: Final = 32


def redis_url(value: Any) -> tuple[Endpoint, int]:
    """`rediss://host[:port][/database]`, `redis://…` or `unix:/run/redis.sock`."""
    if not isinstance(value, str) or not value.isascii() or any(c.isspace() or ord(c) < 32 for c in value):
        raise _wrong("a URL is a string of ASCII characters without spaces", "url")
    if value.startswith("unix:"):
        return values.endpoint(value, whose="a Redis' URL"), 0
    try:
        parts = urlsplit(value)
        port = parts.port or _PORT
    except ValueError as error:
        raise _wrong(f"this is not a URL: {error}", "url") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise _wrong("a Redis' URL begins with `rediss://`, `redis://` or `unix:`", "url")
    if parts.username is not None or parts.password is not None:
        raise _wrong(
            "a URL may not hold a user or a password: use `username` and `password`", "secret_literal"
        )
    database = parts.path.strip("/")
    if parts.query or parts.fragment or not (database == "" or (database.isdigit() and int(database) < 1024)):
        raise _wrong("behind a Redis' host comes at most the number of its database: `/0`", "url")
    return Endpoint("https" if parts.scheme == "rediss" else "http", parts.hostname, port), int(database or 0)


def reference(value: Any, info: ValidationInfo) -> Secret:
    """`{ env = "NAME" }` or `{ file = "path" }`."""
    if isinstance(value, dict) and "style" in value:
        raise _wrong("this is sent in no header: leave `style` out")
    return values.credential(value, info).secret


def _wrong(message: str, kind: str = "value") -> PydanticCustomError:
    # The braces of a value must not be read as pydantic's own placeholders.
    return PydanticCustomError(kind, "{sentence}", {"sentence": message})


class ConversationsFile(Table):
    entries: Annotated[int, Field(ge=1000, le=100_000_000)] = 100_000
    wait: Seconds = 10.0
    secret: Annotated[Secret, PlainValidator(reference)] | None = None
    redis: Annotated[tuple[Endpoint, int], PlainValidator(redis_url)] | None = None
    username: Words | None = None
    password: Annotated[Secret, PlainValidator(reference)] | None = None
    ca: Annotated[str, PlainValidator(values.certificate_authority)] | None = None
    timeout: Seconds = 0.25


def conversations_of(file: ConversationsFile) -> Conversations:
    shared: SharedStore | None = None
    if file.redis is not None:
        endpoint, database = file.redis
        shared = SharedStore(endpoint, database, file.username, file.password, file.ca, file.timeout)
    return Conversations(file.entries, file.wait, file.secret, shared)


def conversation_findings(file: ConversationsFile, author: Author) -> Iterable[Diagnostic]:
    def at(key: str, code: str, message: str, cure: str) -> Diagnostic:
        return Diagnostic(code, Severity.ERROR, message, author.span(("conversations", key)), help=cure)

    given = file.secret
    if given is not None and given.value != values.UNSENDABLE and len(given.value) < SHORTEST_SECRET:
        yield at(
            "secret",
            "PD560",
            f"the secret from {given.origin} is shorter than {SHORTEST_SECRET} characters, so the ids that it hides can be guessed",
            "make one by `openssl rand -hex 32`, and give it to every sidecar",
        )
    if file.redis is None:
        for key in ("username", "password", "ca"):
            if getattr(file, key) is not None:
                yield at(
                    key, "PD563", f"`{key}` is of a Redis, and there is none", "add `redis`, or remove it"
                )
        return
    endpoint, _ = file.redis
    if given is None:
        yield at(
            "redis",
            "PD560",
            "several sidecars know a conversation by the same hash only if they have the same `secret`",
            'add `secret = { env = "…" }`, with one value for all of them',
        )
    if find_spec("redis") is None:
        yield at(
            "redis",
            "PD561",
            "the library that speaks to Redis is not installed",
            "install it with `pip install 'policyd[redis]'`, or remove the key",
        )
    if is_in_the_clear(endpoint):
        yield at(
            "redis",
            "PD562",
            "whoever is on the way to this Redis could lower what conversations have reached",
            "use `rediss://`, with `ca` where its certificate is of your own authority",
        )
    if file.ca is not None and endpoint.scheme != "https":
        yield at(
            "ca", "PD563", "`ca` says how a server proves itself, but `redis` is not `rediss://`", "remove it"
        )
