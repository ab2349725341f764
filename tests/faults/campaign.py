"""One campaign: places, a sidecar, clients and events, for a number of requests or of minutes; out goes the evidence.

The one idea: everything random comes from one seed. Two runs with one seed ask the same requests and break them in the
same way where they arrive; what is timed by the machine is not the same.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic
from typing import Final

from policyd.pipeline import Ready
from tests.faults.asks import ask
from tests.faults.clients import Client
from tests.faults.collector import Collector
from tests.faults.events import Events
from tests.faults.evidence import Evidence
from tests.faults.places import Place
from tests.faults.policies import PLACES, POLICIES, compiled, deployment, placings
from tests.faults.process import Process, free_ports

__all__ = ["CALM", "EVERYTHING", "Campaign", "Result", "run_campaign"]

EVERYTHING: Final[Mapping[str, float]] = {
    "new policy": 30, "new placing": 20, "bad policy": 12, "hang-up": 6, "restart": 8, "kill": 8, "away": 16,
}  # fmt: skip
CALM: Final[Mapping[str, float]] = {
    "new policy": 40, "new placing": 20, "bad policy": 12, "hang-up": 10, "away": 18,
}  # fmt: skip
"""Without a new process, so that what it leaks adds up."""

SETTLING: Final = 3.0


@dataclass(frozen=True, slots=True)
class Campaign:
    """How much and of what. `first` are events that happen in their order before others are drawn: requests go on until
    they have happened. `served` are the policies that the sidecar is given, where they are not the ones it is judged by;
    `extra` are further lines of the deployment."""

    requests: int
    seed: int
    seconds: float = float("inf")
    clients: int = 24
    every: float = 2.5
    kinds: Mapping[str, float] = field(default_factory=lambda: EVERYTHING)
    first: tuple[str, ...] = ()
    served: Mapping[str, str] = field(default_factory=lambda: POLICIES)
    extra: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """`failures`: events that the sidecar did not answer as it should."""

    evidence: Evidence
    policies: Mapping[str, Ready]
    failures: tuple[str, ...]
    log: bytes
    took: float


async def run_campaign(campaign: Campaign, folder: Path) -> Result:
    """Runs it in `folder` to its end, and ends all that it started."""
    policies = compiled(folder)
    evidence = Evidence()
    listen, admin, closed = free_ports(3)
    began = monotonic()
    async with contextlib.AsyncExitStack() as stack:
        places = {
            name: await stack.enter_async_context(Place(name, evidence, campaign.seed)) for name in PLACES
        }
        collector = await stack.enter_async_context(Collector(evidence, campaign.seed))
        ports = {name: place.port for name, place in places.items()}

        def text_of(placing: str) -> str:
            return deployment(
                placings()[placing], ports, listen=listen, admin=admin, closed=closed, collector=collector.port, log="decisions.jsonl", extra=campaign.extra
            )  # fmt: skip

        process = Process(folder / "policyd.toml", evidence, admin)
        chance = Random(f"{campaign.seed} events")
        digests = {name: ready.digest for name, ready in compiled(folder, campaign.served).items()}
        events = Events(folder, process, places, evidence, chance, text_of, campaign.served, digests)
        events.begin()
        await process.start()
        try:
            await _clients_and_events(campaign, evidence, process, places, events, listen)
        finally:
            if process.ready.is_set():
                await process.end()
    log = (folder / "decisions.jsonl").read_bytes()
    return Result(evidence, policies, tuple(events.failures), log, monotonic() - began)


async def _clients_and_events(
    campaign: Campaign,
    evidence: Evidence,
    process: Process,
    places: Mapping[str, Place],
    events: Events,
    port: int,
) -> None:
    def upstream() -> int:
        return sum(place.open for place in places.values())

    def asked() -> int:
        return len(evidence.asks)

    numbers = count(1)
    until = monotonic() + campaign.seconds

    async def one(client: Client) -> None:
        for number in numbers:
            if monotonic() > until or (number > campaign.requests and events.first_done.is_set()):
                break
            await process.ready.wait()
            made = ask(number, Random(f"{campaign.seed} ask {number}"))
            evidence.asks[number] = made
            evidence.seen[number] = await client.ask(made)
        client.leave()

    clients = [Client(port, Random(f"{campaign.seed} client {n}")) for n in range(campaign.clients)]
    happening = asyncio.create_task(events.run(campaign.every, campaign.kinds, campaign.first))
    watching = asyncio.create_task(process.watch(asked, upstream))
    working = asyncio.gather(*(one(client) for client in clients))
    try:
        await asyncio.wait({happening, working}, return_when=asyncio.FIRST_COMPLETED)
        if happening.done() and happening.exception() is not None:
            working.cancel()
            happening.result()
        await working
        await _finished(happening, process)
        await asyncio.sleep(SETTLING)
        process.stretch.resting = process.sample(asked(), upstream())
        process.stretch.gauges = await process.gauges()
    finally:
        for task in (happening, watching):
            task.cancel()
        await asyncio.gather(happening, watching, return_exceptions=True)


async def _finished(happening: asyncio.Task[None], process: Process) -> None:
    """Lets a restart that is under way come to its end before the events stop."""
    ready = asyncio.create_task(process.ready.wait())
    await asyncio.wait({ready, happening}, timeout=90, return_when=asyncio.FIRST_COMPLETED)
    happening.cancel()
    ready.cancel()
