"""What happens to a sidecar while it works: reloads good and bad, new placings, restarts, kills, servers that go away.

In come the process, the places and a source of chance; out go changed files, signals, and the generations that were in
force. The one idea: a generation begins when its file is written and the one before ends when the sidecar has said that
the new one serves, so that between the two either may be judged by.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from tests.faults.evidence import Evidence, Generation
from tests.faults.places import Place
from tests.faults.policies import BROKEN, placings
from tests.faults.process import Process

__all__ = ["Events", "Life"]

Life = Callable[[str], str]
"""The text of the deployment file for a placing."""


class Events:
    """Draws one event after the other, and does it."""

    def __init__(
        self,
        folder: Path,
        process: Process,
        places: Mapping[str, Place],
        evidence: Evidence,
        chance: Random,
        deployment: Life,
        policies: Mapping[str, str],
        digests: Mapping[str, str],
    ) -> None:
        self._policy = folder / "campaign.policy"
        self._deployment = folder / "policyd.toml"
        self._process = process
        self._places = places
        self._evidence = evidence
        self._chance = chance
        self._text_of = deployment
        self._policies = policies
        self._digests = digests
        self.failures: list[str] = []
        self.first_done = asyncio.Event()

    def begin(self, policy: str = "open", placing: str = "usual") -> None:
        """Writes the first generation; nothing serves yet."""
        self._write(policy, placing)
        self._evidence.generations.append(Generation(policy, placing, monotonic()))

    async def run(self, seconds: float, kinds: Mapping[str, float], first: Iterable[str] = ()) -> None:
        """The first ones in their order, then one after the other, so many seconds apart on average, for as long as the
        task runs."""
        for kind in first:
            await self._do(kind)
        self.first_done.set()
        while kinds:
            await asyncio.sleep(seconds * (0.5 + self._chance.random()))
            await self._do(self._chance.choices(list(kinds), list(kinds.values()))[0])

    async def _do(self, kind: str) -> None:
        self._evidence.events.append((monotonic(), kind))
        await _DOING[kind](self)

    @property
    def _now(self) -> Generation:
        return self._evidence.generations[-1]

    def _write(self, policy: str, placing: str) -> None:
        _replace(self._policy, self._policies[policy])
        _replace(self._deployment, self._text_of(placing))

    def _turn(self, policy: str, placing: str) -> Generation:
        """The next generation is written from now on; says which one it replaces."""
        before = self._now
        self._evidence.generations.append(Generation(policy, placing, monotonic()))
        self._write(policy, placing)
        return before

    async def new_policy(self) -> None:
        since = self._process.lines
        other = self._chance.choice([p for p in self._policies if p != self._now.policy])
        before = self._turn(other, self._now.placing)
        if self._chance.random() < 0.5:
            self._process.hang_up()
        if await self._process.says(f"serving policy {self._digests[other]} and", since):
            before.until = monotonic()
        else:
            self.failures.append(f"the policy {other} was not taken up")

    async def new_placing(self) -> None:
        """The policy's digest stays, so the line that says what serves may be of a load that had begun before. The line
        behind it is not."""
        other = self._chance.choice([p for p in placings() if p != self._now.placing])
        before = self._turn(self._now.policy, other)
        for _ in range(2):
            since = self._process.lines
            self._process.hang_up()
            if not await self._process.says("and the deployment of", since):
                self.failures.append(f"the placing {other} was not taken up")
                return
        before.until = monotonic()

    async def bad_policy(self) -> None:
        """It must leave what serves serving; afterwards the good text comes back."""
        since = self._process.lines
        kind = self._chance.choice(list(BROKEN))
        _replace(self._policy, BROKEN[kind])
        self._process.hang_up()
        if not await self._process.says("what changed is not served", since):
            self.failures.append(f"{kind}: was not told")
        since = self._process.lines
        self._write(self._now.policy, self._now.placing)
        self._process.hang_up()
        if not await self._process.says("serving policy", since):
            self.failures.append("what was good before was not taken up again")

    async def hang_up(self) -> None:
        since = self._process.lines
        self._process.hang_up()
        if not await self._process.says("serving policy", since):
            self.failures.append("a hang-up was not answered")

    async def restart(self) -> None:
        await self._process.end()
        await self._another_life()

    async def kill(self) -> None:
        if self._chance.random() < 0.3:
            # Right after a new policy was written: which of the two the dead process took up, nobody knows.
            before = self._turn(self._chance.choice(list(self._policies)), self._now.placing)
            await self._process.kill()
            before.until = monotonic()
        else:
            await self._process.kill()
        await self._another_life()

    async def _another_life(self) -> None:
        if self._chance.random() < 0.5:
            before = self._turn(self._chance.choice(list(self._policies)), self._now.placing)
            before.until = monotonic()
        await self._process.start()

    async def away(self) -> None:
        """A place closes its door for a while."""
        place = self._chance.choice(list(self._places.values()))
        await place.down()
        await asyncio.sleep(0.3 + self._chance.random())
        await place.up()


_DOING: Final[Mapping[str, Callable[[Events], Awaitable[None]]]] = {
    "new policy": Events.new_policy,
    "new placing": Events.new_placing,
    "bad policy": Events.bad_policy,
    "hang-up": Events.hang_up,
    "restart": Events.restart,
    "kill": Events.kill,
    "away": Events.away,
}


def _replace(path: Path, text: str) -> None:
    """As an editor or a ConfigMap does it: nobody ever reads half of it."""
    fresh = path.with_suffix(".fresh")
    fresh.write_text(text)
    os.replace(fresh, path)
