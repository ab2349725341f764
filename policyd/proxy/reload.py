"""Keeps the newest good policy serving: notices changed files, builds the new policy beside the old one, swaps.

In come the deployment and what swaps (`publish`); out goes nothing but the swap and a `LoadState` that says how it stands.
The one idea: a new policy has to pass everything that a starting sidecar asks, in a thread, before it serves; one that
does not leaves the old one serving and is told. It polls, because that works on every file system and in every container.
"""

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from policyd.deploy.bindings import bind
from policyd.deploy.model import Deployment
from policyd.pipeline import NotReady, compile_policy
from policyd.proxy.live import Live, live_from
from policyd.proxy.weigh import warm
from policyd.text.diagnostic import Diagnostic, Severity, has_errors, in_order

__all__ = ["WATCH_SECONDS", "LoadState", "NotLive", "Reloader", "bring_up"]

P = ParamSpec("P")
T = TypeVar("T")

WATCH_SECONDS = 1.0
"""Between two looks at the files."""


@dataclass(frozen=True, slots=True)
class NotLive:
    """Why a policy cannot serve under this deployment. `files` are those that were read, as far as that went;
    `unfinished`: only proofs that outgrew their budget stand in the way."""

    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    unfinished: bool = False


@dataclass(frozen=True, slots=True)
class LoadState:
    """How the last load went. `failed` is empty where it went well; `at` is the POSIX time of that attempt."""

    at: float
    reloads: int = 0
    failures: int = 0
    failed: tuple[Diagnostic, ...] = ()


def bring_up(deployment: Deployment, now: float) -> Live | NotLive:
    """The policy of a deployment through every stage, bound; or everything that keeps it from serving."""
    ready = compile_policy(Path(deployment.policy))
    if isinstance(ready, NotReady):
        return NotLive(ready.diagnostics, ready.files, ready.unfinished)
    bound = bind(ready.program, deployment)
    if has_errors(bound.diagnostics):
        return NotLive(in_order((*ready.diagnostics, *bound.diagnostics)), ready.files)
    live = live_from(ready, bound, deployment, now)
    warm(live.read)
    return live


def _bring_up_or_say(deployment: Deployment, now: float) -> Live | NotLive:
    """The same, where an error of ours must not end the watching."""
    try:
        return bring_up(deployment, now)
    except Exception as error:
        frame = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{type(error).__name__} at {os.path.basename(frame.filename)}:{frame.lineno}"
        message = f"policyd failed while it compiled this policy ({where})"
        cure = "this is a mistake in policyd, not in the policy; report it"
        return NotLive((Diagnostic("PD605", Severity.ERROR, message, None, help=cure),), ())


class Reloader:
    """Watches the files of one deployment's policy. `publish` is called in the event loop with a policy that is ready."""

    def __init__(
        self,
        deployment: Deployment,
        live: Live,
        publish: Callable[[Live], None],
        tell: Callable[[LoadState, Live], None],
        *,
        clock: Callable[[], float] = time.time,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        self._deployment = deployment
        self._live = live
        self._publish = publish
        self._tell = tell
        self._clock = clock
        self._seconds = seconds
        self._seen = _marks(self._watched(live.ready.files))
        self._asked = asyncio.Event()
        # A thread of its own: a large policy takes seconds, and requests do not wait behind it.
        self._thread = ThreadPoolExecutor(1, "policyd-reload")
        self.state = LoadState(live.loaded_at)

    def ask(self) -> None:
        """Load now, whether or not a file has changed."""
        self._asked.set()

    async def run(self) -> None:
        """Until it is cancelled. One load at a time; a change during a load is seen after it."""
        while True:
            try:
                async with asyncio.timeout(self._seconds):
                    await self._asked.wait()
            except TimeoutError:
                if await self._aside(_marks, tuple(self._seen)) == self._seen:
                    continue
            self._asked.clear()
            await self._load()

    async def _load(self) -> None:
        # The marks are taken before the files are read: a file that changes in between is loaded once more.
        before = await self._aside(_marks, tuple(self._seen))
        found = await self._aside(_bring_up_or_say, self._deployment, self._clock())
        state = replace(self.state, at=self._clock())
        if isinstance(found, Live):
            files = found.ready.files
            self._live = found
            self._publish(found)
            self.state = replace(state, reloads=state.reloads + 1, failed=())
        else:
            files = (*self._live.ready.files, *found.files)
            self.state = replace(state, failures=state.failures + 1, failed=found.diagnostics)
        watched = self._watched(files)
        self._seen = {path: before.get(path, _mark(path)) for path in watched}
        self._tell(self.state, self._live)

    async def _aside(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **options))

    def _watched(self, files: Iterable[str]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((self._deployment.policy, *files)))


_Mark = tuple[int, int, int] | None


def _marks(paths: Iterable[str]) -> dict[str, _Mark]:
    return {path: _mark(path) for path in paths}


def _mark(path: str) -> _Mark:
    """What changes when a file does; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
