"""When each target is looked at, and what follows: it is taken out, told of, and brought back.

In comes what serves (`serve`, at the start and after each reload); out go changes of `TargetsOut` and a line on standard
error for each. The one idea: a few tasks for each target that ask, judge and wait, on the event loop's monotonic clock and
with jitter, so that sidecars which started together do not ask together. What one source found stands until the same source
finds otherwise. It holds nothing of any request.
"""

import asyncio
import random
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field

from policyd.proxy.live import Live
from policyd.proxy.probe.expected import Expected, Verdict, expected_of
from policyd.proxy.probe.looks import look_at_context, look_at_dialects, look_at_models
from policyd.proxy.probe.pulse import Pulse, beat
from policyd.proxy.probe.question import Ask, Question
from policyd.proxy.standing import TargetsOut, Why

__all__ = ["JITTER", "Prober", "Watched"]

JITTER = 0.2
"""Share of an interval by which it is longer or shorter."""

_HEALTH, _MODELS, _DIALECTS, _CONTEXT = "health", "models", "dialects", "context"
_SOURCES = {_MODELS: ("models", "props", "ollama"), _DIALECTS: ("dialects",), _CONTEXT: ("prompt",)}
"""Look to the sources of its verdicts."""


@dataclass(slots=True)
class Watched:
    """One target under watch. `against` holds what stands against it, by reason and source; `looks` counts, by look."""

    expected: Expected
    pulse: Pulse = Pulse()
    against: dict[tuple[Why, str], str] = field(default_factory=dict)
    looks: dict[str, int] = field(default_factory=dict)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    first: asyncio.Event = field(default_factory=asyncio.Event)


class Prober:
    """INVARIANT: a target is out for a reason of ours exactly as long as its `Watched` has something against it for it.
    Belongs to one event loop."""

    def __init__(
        self,
        ask: Ask,
        out: TargetsOut,
        tell: Callable[[str], None],
        *,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self._ask = ask
        self._out = out
        self._tell = tell
        self._draw = draw
        self._watched: dict[str, Watched] = {}

    def watched(self) -> Iterable[Watched]:
        """What is known of each target, in the policy's order."""
        return tuple(self._watched.values())

    def serve(self, live: Live) -> None:
        """From now on these targets. One whose facts and binding are the same goes on undisturbed; one that is reached or
        judged in another way is forgotten and looked at anew."""
        before, self._watched = self._watched, {}
        for expected in expected_of(live):
            known = before.pop(expected.name, None)
            if known is not None and known.expected == expected:
                self._watched[expected.name] = known
                continue
            fresh = Watched(expected)
            if known is not None:
                _end(known)
                if known.expected.judged == expected.judged:
                    fresh.against = known.against
                    fresh.pulse = known.pulse
            self._watched[expected.name] = fresh
            self._forget_what_nobody_looks_at(fresh)
            self._begin(fresh)
        for gone in before.values():
            _end(gone)
        self._out.keep_only(w.expected.name for w in self._watched.values() if w.against)

    async def first_looks(self, seconds: float) -> None:
        """Returns once each target's models were looked at for the first time, or after so many seconds."""
        waiting = [w.first.wait() for w in self._watched.values() if w.expected.looks_at_models]
        if waiting:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await asyncio.gather(*waiting)

    async def aclose(self) -> None:
        tasks = [task for w in self._watched.values() for task in w.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _forget_what_nobody_looks_at(self, watched: Watched) -> None:
        """Nobody would ever bring back a target for a look that was turned off."""
        looks = _looks_of(watched.expected)
        kept = {source for look in looks for source in _SOURCES.get(look, (look,))}
        for why, source in tuple(watched.against):
            if source not in kept:
                self._judge(watched, (Verdict(why, source, None),))
        if _HEALTH not in looks:
            watched.pulse = Pulse()

    def _begin(self, watched: Watched) -> None:
        expected = watched.expected
        probe, health = expected.probe, expected.target.binding.health
        looks: dict[str, tuple[float, Callable[[], Awaitable[None]]]] = {
            _HEALTH: (health.interval if health else 0.0, lambda: self._beat(watched)),
            _MODELS: (probe.interval, lambda: self._look_at_models(watched)),
            _DIALECTS: (probe.costly_interval, lambda: self._look(watched, look_at_dialects)),
            _CONTEXT: (probe.costly_interval, lambda: self._look(watched, look_at_context)),
        }
        loop = asyncio.get_running_loop()
        for look in _looks_of(expected):
            interval, work = looks[look]
            watched.tasks.append(loop.create_task(self._repeat(watched, look, interval, work)))

    async def _repeat(
        self, watched: Watched, look: str, interval: float, work: Callable[[], Awaitable[None]]
    ) -> None:
        while True:
            try:
                await work()
            except Exception as error:
                # An error of ours must not end the watching; its message may quote what a server said.
                at = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{at.filename.rsplit('/', 1)[-1]}:{at.lineno}"
                print(
                    f"policyd: internal error in a probe: {type(error).__name__} at {where}", file=sys.stderr
                )
            watched.looks[look] = watched.looks.get(look, 0) + 1
            if look == _MODELS:
                watched.first.set()
            await asyncio.sleep(interval * (1 - JITTER + 2 * JITTER * self._draw()))

    async def _beat(self, watched: Watched) -> None:
        health = watched.expected.target.binding.health
        assert health is not None, "INVARIANT: only targets with a health path have this task"
        answer = await self._ask(watched.expected.name, Question(health.path), health.timeout)
        watched.pulse = pulse = beat(watched.pulse, health, answer)
        against = f"{pulse.said}, {pulse.bad or health.unhealthy_after} times in a row" if pulse.out else None
        self._judge(watched, (Verdict(Why.UNHEALTHY, _HEALTH, against),))

    async def _look_at_models(self, watched: Watched) -> None:
        load = (Why.CONTEXT_SMALLER, "ollama") in watched.against
        self._judge(watched, await look_at_models(watched.expected, self._ask, load=load))

    async def _look(
        self, watched: Watched, look: Callable[[Expected, Ask], Awaitable[tuple[Verdict, ...]]]
    ) -> None:
        self._judge(watched, await look(watched.expected, self._ask))

    def _judge(self, watched: Watched, verdicts: Iterable[Verdict]) -> None:
        name = watched.expected.name
        for verdict in verdicts:
            key = (verdict.why, verdict.source)
            if verdict.against is None:
                watched.against.pop(key, None)
            else:
                watched.against[key] = verdict.against
            standing = [said for (why, _), said in watched.against.items() if why is verdict.why]
            if standing:
                if self._out.take_out(name, verdict.why, standing[0]):
                    self._tell(f"the target `{name}` is out ({verdict.why}): {standing[0]}")
            elif self._out.bring_back(name, verdict.why):
                others = ", ".join(sorted({why for why, _ in watched.against}))
                rest = f"is still out ({others})" if others else "is back"
                self._tell(f"the target `{name}` {rest}: {verdict.why} no longer holds")


def _looks_of(expected: Expected) -> tuple[str, ...]:
    """The looks that the deployment asks for."""
    wanted = {
        _HEALTH: expected.target.binding.health is not None,
        _MODELS: expected.looks_at_models,
        _DIALECTS: expected.probe.dialects,
        _CONTEXT: expected.probe.context,
    }
    return tuple(look for look, asked in wanted.items() if asked)


def _end(watched: Watched) -> None:
    for task in watched.tasks:
        task.cancel()
