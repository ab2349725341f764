"""Keeps the newest good policy and deployment serving: notices changed files, builds what they say beside what serves, swaps.

In come the deployment file's path and what swaps (`publish`); out goes nothing but the swap and a `LoadState` that says
how it stands. The one idea: what is new has to pass everything that a starting sidecar asks, in a thread, before it
serves, and policy and deployment are swapped in one step; what does not pass leaves the old ones serving and is told. It
polls, because that works on every file system and in every container.
"""

import asyncio
import os
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from policyd.deploy.author import at_policy
from policyd.deploy.bindings import bind
from policyd.deploy.read import read_deployment
from policyd.deploy.restart import needs_restart
from policyd.deploy.zone import zone_of
from policyd.pipeline import NotReady, compile_policy
from policyd.plugins.classifiers import Classifiers
from policyd.proxy.classifying import classifier_findings, classifiers_of
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
    """Why a deployment and its policy cannot serve. `files` are those that were read, as far as that went;
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


def bring_up(
    path: Path, environ: Mapping[str, str], now: float, *, before: Live | None = None
) -> Live | NotLive:
    """The deployment file at `path` and its policy through every stage, bound; or everything that keeps them from
    serving. `before` is what serves now: some keys cannot change under it."""
    loaded = read_deployment(path, environ)
    found, draft = list(loaded.diagnostics), loaded.draft
    if draft is None:
        return NotLive(loaded.diagnostics, loaded.files)
    if before is not None:
        found += needs_restart(before.deployment, draft, loaded.author)
    today = datetime.fromtimestamp(now, UTC).astimezone(zone_of(draft.timezone)).date()
    ready = compile_policy(Path(draft.policy), today=today)
    files = tuple(dict.fromkeys((*loaded.files, draft.policy, *ready.files)))
    if isinstance(ready, NotReady):
        unfinished = ready.unfinished and not has_errors(found)
        return NotLive(in_order((*found, *at_policy(ready.diagnostics, loaded.author))), files, unfinished)
    bound = bind(ready.program, draft, loaded.author)
    found += (
        *ready.diagnostics,
        *bound.diagnostics,
        *classifier_findings(ready.program, ready.compiled.matrix, draft, loaded.author),
    )
    if loaded.deployment is None or has_errors(found):
        return NotLive(in_order(found), files)
    running = None if before is None else (before.deployment, before.classifiers)
    classifiers = classifiers_of(loaded.deployment, loaded.author, running)
    if not isinstance(classifiers, Classifiers):
        return NotLive(in_order((*found, *classifiers)), files)
    live = live_from(
        ready, bound, loaded.deployment, files, now, in_order(found), classifiers=classifiers, before=before
    )
    warm(
        live.read if live.remembers is None else live.read | live.remembers.needs,
        live.deployment.tokens.tokenizer,
    )
    return live


def _bring_up_or_say(path: Path, environ: Mapping[str, str], now: float, before: Live) -> Live | NotLive:
    """The same, where an error of ours must not end the watching."""
    try:
        return bring_up(path, environ, now, before=before)
    except Exception as error:
        return NotLive((_our_mistake(error),), ())


def _our_mistake(error: Exception) -> Diagnostic:
    frame = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{type(error).__name__} at {os.path.basename(frame.filename)}:{frame.lineno}"
    message = f"policyd failed while it loaded these files ({where})"
    cure = "this is a mistake in policyd, not in the files; report it"
    return Diagnostic("PD605", Severity.ERROR, message, None, help=cure)


class Reloader:
    """Watches one deployment file and all that it leads to: the policy's files, certificates, files with secrets.
    `publish` is called in the event loop with what is ready to serve."""

    def __init__(
        self,
        path: Path,
        environ: Mapping[str, str],
        live: Live,
        publish: Callable[[Live], None],
        tell: Callable[[LoadState, Live], None],
        *,
        clock: Callable[[], float] = time.time,
        seconds: float = WATCH_SECONDS,
    ) -> None:
        self._path = path
        self._environ = environ
        self._live = live
        self._publish = publish
        self._tell = tell
        self._clock = clock
        self._seconds = seconds
        self._seen = _marks(live.files)
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
        found = await self._aside(_bring_up_or_say, self._path, self._environ, self._clock(), self._live)
        state = replace(self.state, at=self._clock())
        if isinstance(found, Live):
            found = self._published(found)
        if isinstance(found, Live):
            files: Iterable[str] = found.files
            self.state = replace(state, reloads=state.reloads + 1, failed=())
        else:
            files = dict.fromkeys((*self._live.files, *found.files))
            self.state = replace(state, failures=state.failures + 1, failed=found.diagnostics)
        self._seen = {path: before.get(path, _mark(path)) for path in files}
        self._tell(self.state, self._live)

    def _published(self, live: Live) -> Live | NotLive:
        """What serves from now on; where the swap fails, the old goes on, and so does the watching."""
        try:
            self._publish(live)
        except Exception as error:
            return NotLive((_our_mistake(error),), live.files)
        self._live = live
        return live

    async def _aside(self, work: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(work, *args, **options))


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
