"""Runs an ASGI application on loopback in a thread of its own, for as long as a `with` block lasts.

In: an application. Out: the port it answers on. The socket is bound before the thread starts, so there is no moment at
which the port could be somebody else's.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

__all__ = ["bound_socket", "free_port", "serving"]

LOOPBACK: Final = "127.0.0.1"
LONGEST_START_S: Final = 30.0


def bound_socket(preferred: int = 0) -> socket.socket:
    """A listening socket on the preferred port of loopback, or on any free one."""
    for port in (preferred, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            listener.close()
            if port == 0:
                raise
            continue
        listener.listen(1024)
        return listener
    raise AssertionError("the loop returns or raises")


def free_port(preferred: int = 0) -> int:
    """A port that is free now, for another process to bind."""
    with bound_socket(preferred) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def serving(app: Any, *, preferred_port: int = 0) -> Iterator[int]:
    listener = bound_socket(preferred_port)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, lifespan="off", timeout_graceful_shutdown=2
    )
    server = _Announcing(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        if not server.up.wait(LONGEST_START_S):
            raise RuntimeError("a stand-in server did not start")
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(LONGEST_START_S)
        listener.close()


class _Announcing(uvicorn.Server):
    """A server that says when it accepts connections."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()
