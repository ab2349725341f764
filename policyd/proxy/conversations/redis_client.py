"""The client of Redis that `shared` asks: the library, with its retries off, its time bounded and its errors told in a few words.

In come a place, a password and time; out goes something that runs scripts. It takes nothing from Redis for granted: whatever
the library raises, and whatever takes too long, is `Unreachable`. Redis is asked by this alone, and no proxy of the
environment stands between.
"""

import asyncio
import ssl
from collections.abc import Sequence
from hashlib import sha1
from typing import Any, Final

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoScriptError, RedisError

from policyd.deploy.model import SharedStore
from policyd.proxy.conversations.shared import Unreachable

__all__ = ["RedisClient"]

MOST_CONNECTIONS: Final = 32


class _Tls(SSLConnection):
    """With a context of our own: the library would believe the system's authorities beside the one that is given."""

    def __init__(self, *, context: ssl.SSLContext, **options: Any) -> None:
        super().__init__(**options)
        self.ssl_context.context = context


class RedisClient:
    """A `Redis`. Connections are opened when they are needed and kept."""

    def __init__(self, where: SharedStore) -> None:
        self._seconds = where.timeout
        kind, options = _connecting(where)
        self._redis: Redis = Redis(
            connection_pool=BlockingConnectionPool(
                connection_class=kind,
                max_connections=MOST_CONNECTIONS,
                timeout=where.timeout,
                db=where.database,
                username=where.username,
                password=None if where.password is None else where.password.value,
                socket_timeout=where.timeout,
                socket_connect_timeout=where.timeout,
                protocol=2,
                retry=Retry(NoBackoff(), 0),
                **options,
            )
        )

    async def run(self, script: str, keys: Sequence[bytes], arguments: Sequence[str]) -> object:
        try:
            async with asyncio.timeout(self._seconds):
                return await self._run(script, keys, arguments)
        except TimeoutError:
            raise Unreachable(f"no answer within {self._seconds:g} s") from None
        except RedisError as error:
            raise Unreachable(_told(error)) from None
        except Exception as error:
            # What is no Redis can make the library stumble in ways of its own.
            raise Unreachable(f"it does not answer as Redis does ({type(error).__name__})") from None

    async def _run(self, script: str, keys: Sequence[bytes], arguments: Sequence[str]) -> object:
        sha = sha1(script.encode(), usedforsecurity=False).hexdigest()
        try:
            return await self._redis.evalsha(sha, len(keys), *keys, *arguments)
        except NoScriptError:
            return await self._redis.eval(script, len(keys), *keys, *arguments)

    async def close(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await self._redis.aclose(close_connection_pool=True)
        except (TimeoutError, RedisError, OSError):
            return


def _connecting(where: SharedStore) -> tuple[type[Connection | UnixDomainSocketConnection], dict[str, Any]]:
    endpoint = where.endpoint
    if endpoint.scheme == "unix":
        return UnixDomainSocketConnection, {"path": endpoint.host}
    place: dict[str, Any] = {"host": endpoint.host, "port": endpoint.port}
    if endpoint.scheme == "http":
        return Connection, place
    # With an authority of its own, that one alone.
    context = ssl.create_default_context(cadata=where.ca)
    return _Tls, place | {"context": context}


def _told(error: RedisError) -> str:
    """The kind of error, and of what Redis itself says the first word, such as `NOAUTH` or `OOM`: the rest may quote."""
    said = str(error).split(" ", 1)[0]
    word = f" {said}" if said.isalpha() and said.isupper() and len(said) <= 20 else ""
    return f"{type(error).__name__}{word}"
