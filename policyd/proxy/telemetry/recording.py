"""Telemetry as the sidecar uses it: a trace is begun with a request, and the request counted when it has ended.

In come requests as they begin and end; out go `/metrics`, and what is pushed where the deployment names a collector. The one
idea: a request touches this twice, and whatever happens to a metric or a span happens after its answer has left.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Final

from policyd.deploy.model import Telemetry
from policyd.proxy.calibration import Comparison
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.push import Pusher
from policyd.proxy.telemetry.series import Family
from policyd.proxy.telemetry.spans import spans_of
from policyd.proxy.telemetry.tally import Tally
from policyd.proxy.telemetry.trace import Sampler, Trace

__all__ = ["Recording"]

_LOOK_SECONDS: Final = 5.0
"""For the event loop to say how the parts stand, before metrics are pushed without that."""


class Recording:
    """`vitals` says how the parts stand; it is called from the event loop."""

    def __init__(self, where: Telemetry, vitals: Callable[[], Iterable[Family]]) -> None:
        self._tally = Tally()
        self._vitals = vitals
        self._pusher: Pusher | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        if where.endpoint is not None:
            self._pusher = Pusher(where, str(uuid.uuid4()), self._from_the_thread)
        self._sampler = Sampler(where.sample_ratio, spans=self._pusher is not None)

    def start(self) -> None:
        """From the event loop."""
        self._loop = asyncio.get_running_loop()
        if self._pusher is not None:
            self._pusher.start()

    async def close(self) -> None:
        if self._pusher is not None:
            await asyncio.to_thread(self._pusher.close)

    def begin(self, headers: Iterable[tuple[bytes, bytes]]) -> Trace | None:
        return self._sampler.begin(headers)

    def ended(self, request: Finished) -> None:
        self._tally.add(request)
        if self._pusher is not None and request.trace is not None and request.trace.sampled:
            # Made now: what waits must not hold on to a request's features.
            self._pusher.add(spans_of(request, self._tally.names(request.live)))

    def compared(self, comparison: Comparison) -> None:
        self._tally.compare(comparison)

    def families(self) -> tuple[Family, ...]:
        """Everything there is to read now; from the event loop."""
        pushed = () if self._pusher is None else self._pusher.read()
        return (*self._tally.read(), *self._vitals(), *pushed)

    def _from_the_thread(self) -> tuple[Family, ...]:
        loop = self._loop
        assert loop is not None  # INVARIANT: the thread is started by `start`
        looked: Future[tuple[Family, ...]] = Future()

        def look() -> None:
            try:
                looked.set_result(self.families())
            except Exception as error:
                looked.set_exception(error)

        loop.call_soon_threadsafe(look)
        return looked.result(_LOOK_SECONDS)
