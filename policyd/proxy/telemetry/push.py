"""Pushes metrics and spans to a collector, from a thread of its own.

In come spans, and a way to ask for the metrics; out go OTLP requests. The one idea: requests are
never kept waiting for telemetry. What waits to be pushed has a bound beyond which it is dropped and counted, a push that fails
is counted and not repeated, and a collector that is slow or gone costs this thread's time and nobody else's. It follows no
redirect, asks no `HTTP_PROXY`, and reads no `OTEL_…` variable: the deployment file alone says where anything goes.
"""

import gzip
import http.client
import ssl
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from policyd.deploy.model import Telemetry, Tls
from policyd.proxy.telemetry import instruments as of
from policyd.proxy.telemetry.series import Family, family
from policyd.proxy.telemetry.spans import Span
from policyd.proxy.upstream.tls import context_for
from policyd.text.printable import printable

__all__ = ["Pusher"]

MOST_WAITING: Final = 4096
"""Spans that may wait to be pushed: some megabytes."""

BATCH: Final = 512
"""Spans in one push."""

SPANS_SECONDS: Final = 5.0
"""After which spans are pushed, however few they are."""

CLOSING_SECONDS: Final = 2.0
"""For the last push, when the sidecar stops."""

LARGEST_ANSWER: Final = 64 * 1024


class Pusher:
    """`add` is called from the event loop and never waits. `metrics` is called from the thread."""

    def __init__(
        self,
        where: Telemetry,
        instance: str,
        metrics: Callable[[], Iterable[Family]],
        *,
        say: Callable[[str], None] = lambda text: print(f"policyd: {text}", file=sys.stderr, flush=True),
    ) -> None:
        assert where.endpoint is not None  # INVARIANT: without a collector there is no pusher
        self._where = where
        self._endpoint = where.endpoint
        self._instance = instance
        self._metrics = metrics
        self._say = say
        self._tls: ssl.SSLContext | None = None
        if self._endpoint.scheme == "https":
            self._tls = context_for(Tls(where.ca))
        self._waiting: deque[Span] = deque()
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._sent = self._dropped = self._failed = 0
        self._pushes = {
            (signal, result): 0 for signal in ("metrics", "traces") for result in ("good", "failed")
        }
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def add(self, spans: Sequence[Span]) -> None:
        """The spans of one request."""
        if len(self._waiting) + len(spans) > MOST_WAITING:
            self._dropped += len(spans)
            return
        self._waiting += spans
        if len(self._waiting) >= BATCH:
            self._wake.set()

    def read(self) -> tuple[Family, ...]:
        """How it did itself."""
        spans = ((("sent",), self._sent), (("dropped",), self._dropped), (("failed",), self._failed))
        return (family(of.SPANS, spans), family(of.PUSHES, self._pushes.items()))

    def close(self) -> None:
        """Pushes what waits, for a moment; what takes longer, or comes behind a push that failed, is lost."""
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(CLOSING_SECONDS)

    def _run(self) -> None:
        # Imported here: it takes a tenth of a second, and the thread has it.
        from policyd.proxy.telemetry.otlp import metrics_message, resource_of, traces_message  # noqa: PLC0415

        where = self._where
        resource = resource_of(where.service_name, self._instance, where.resource)
        began = time.time_ns()
        interval = where.interval
        metrics_at = time.monotonic() + interval
        while True:
            last = self._closing.is_set()
            left = metrics_at - time.monotonic()
            if not last:
                self._wake.wait(max(0.0, min(left, SPANS_SECONDS)))
            self._wake.clear()
            good = True
            while self._waiting and (good or not self._closing.is_set()):
                spans = [self._waiting.popleft() for _ in range(min(len(self._waiting), BATCH))]
                good = self._push("traces", lambda spans=spans: traces_message(spans, resource))  # type: ignore[misc]
                self._sent += len(spans) if good else 0
                self._failed += 0 if good else len(spans)
            if good if last else time.monotonic() >= metrics_at:
                metrics_at = time.monotonic() + interval
                self._push(
                    "metrics", lambda: metrics_message(self._metrics(), resource, began, time.time_ns())
                )
            if last:
                return

    def _push(self, signal: str, message: Callable[[], bytes]) -> bool:
        """One push, whatever happens."""
        try:
            self._post(f"/v1/{signal}", message())
        except Exception as error:
            # A thread that ended with an error would end telemetry in silence.
            self._pushes[signal, "failed"] += 1
            if not self._failing:
                self._failing = True
                self._say(f"telemetry cannot be pushed to {self._endpoint.authority}: {_why(error)}")
            return False
        self._pushes[signal, "good"] += 1
        if self._failing:
            self._failing = False
            self._say(f"telemetry is pushed to {self._endpoint.authority} again")
        return True

    def _post(self, path: str, body: bytes) -> None:
        endpoint, timeout = self._endpoint, self._where.timeout
        if self._closing.is_set():
            timeout = min(timeout, CLOSING_SECONDS)
        connection: http.client.HTTPConnection
        if self._tls is None:
            connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=timeout)
        else:
            connection = http.client.HTTPSConnection(
                endpoint.host, endpoint.port, timeout=timeout, context=self._tls
            )
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        headers |= {name: secret.value for name, secret in self._where.headers}
        try:
            connection.request("POST", endpoint.prefix + path, gzip.compress(body, 1), headers)
            answer = connection.getresponse()
            answer.read(LARGEST_ANSWER)
            if not 200 <= answer.status < 300:
                raise _NotTaken(answer.status)
        finally:
            connection.close()


class _NotTaken(Exception):
    """The collector answered with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def _why(error: Exception) -> str:
    """Of an error what quotes nothing that was sent or came."""
    match error:
        case _NotTaken():
            return f"it answered {error.status}"
        case ssl.SSLCertVerificationError():
            return printable(error.verify_message)
        case OSError() if error.strerror:
            return printable(error.strerror)
        case _:
            return type(error).__name__
