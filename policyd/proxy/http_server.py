"""One HTTP server on one listener: uvicorn without what belongs to a process.

In come an ASGI application, a protocol class and a listener; out goes a server that serves until it is told to stop. The
one idea: it stops listening at once, lets what is under way end within a limit that is asked for then, cancels what
outlasts it and waits until that has ended too. Signals, logging and the order of several servers are not its affair.
"""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from typing import Any, Protocol, cast

import uvicorn

from policyd.proxy.listen_tls import ListenerTls

__all__ = ["HttpServer"]

LOOK_SECONDS = 0.02
"""Between two looks whether the drain is over."""

HANDSHAKE_SECONDS = 10.0
"""For TLS on a listener. A client that is slower than that holds a connection that is not counted yet."""


class Leaving(Protocol):
    """What this server needs of a connection beside uvicorn's needs."""

    def take_leave(self, app: Any) -> None: ...


class HttpServer(uvicorn.Server):
    """A server that leaves the signals to the process and waits to be told instead of looking ten times a second.
    `drain_limit` is asked again at every look, so that an order to end at once holds at once."""

    def __init__(
        self,
        app: Any,
        protocol: type[asyncio.Protocol],
        drain_limit: Callable[[], float],
        *,
        tls: ListenerTls | None = None,
    ) -> None:
        super().__init__(_config(app, protocol))
        self.config.load()
        self.config.ssl = None if tls is None else tls.context
        self._told = asyncio.Event()
        self._drain_limit = drain_limit

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, with a bound on handshakes: until one is over there is no protocol that could have one of its own."""
        if self.config.ssl is None:
            await super().startup(sockets)
            return

        def make() -> asyncio.Protocol:
            protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
                config=self.config, server_state=self.server_state, app_state=self.lifespan.state
            )
            return protocol

        loop = asyncio.get_running_loop()
        self.servers = [
            await loop.create_server(
                make,
                sock=listener,
                ssl=self.config.ssl,
                backlog=self.config.backlog,
                ssl_handshake_timeout=HANDSHAKE_SECONDS,
            )
            for listener in sockets or ()
        ]
        self.started = True

    async def main_loop(self) -> None:
        await self._told.wait()

    def stop(self) -> None:
        self.should_exit = True
        self._told.set()

    def take_leave(self) -> None:
        """From now on every answer is the last of its connection. A client that keeps its connection would otherwise send
        the next request just when the connection is closed, and not know whether it was taken."""
        app = _with_close(self.config.loaded_app)
        self.config.loaded_app = app
        for connection in self.server_state.connections:
            cast("Leaving", connection).take_leave(app)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stops listening, lets what is under way end, cancels what outlasts the drain, and waits until that has ended
        too, so that every request has its line in the log."""
        for server in self.servers:
            server.close()
        for listener in sockets or ():
            listener.close()
        state = self.server_state
        for connection in list(state.connections):
            connection.shutdown()
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (state.connections or state.tasks) and loop.time() - began < self._drain_limit():
            await asyncio.sleep(LOOK_SECONDS)
        cancelled = list(state.tasks)
        for task in cancelled:
            task.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)


def _with_close(app: Any) -> Any:
    async def closing(scope: Any, receive: Any, send: Any) -> None:
        async def say(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, say)

    return closing


def _config(app: Any, protocol: type[asyncio.Protocol]) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
