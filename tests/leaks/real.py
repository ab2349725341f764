"""The product's own sidecar with a policy that has leaks planted in it: it is to start with none and to load none.

In come the files of a policy as it ships and of the planted ones, and requests; out goes why a planted one is not taken,
and where each request goes afterwards. Nothing of the product is replaced but the clock.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from policyd.deploy.model import ApiKey, Listen
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.live import Live
from policyd.proxy.reload import LoadState, bring_up
from policyd.proxy.serve import Running, open_listener, serving
from policyd.text.diagnostic import Severity
from tests.leaks.asking import Asked
from tests.leaks.plants import DEFAULT_CLAIMS, Plant, files_of
from tests.leaks.unchecked import Servers
from tests.proxy.bench import exchange

__all__ = ["Reloaded", "refused_with_a_provider", "reloaded", "written"]

NOON: Final = 1_795_176_000.0
"""2026-11-20, 12:00 in UTC."""

PROVIDER: Final = "https://provider.example"
ORIGIN: Final = (("origin", "eu"),)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """`refused`: the codes for which the planted policy is not taken, none where it is. `arrived`: the targets that then
    got the request's very bytes; `status` is what its caller was told."""

    refused: tuple[str, ...]
    arrived: tuple[str, ...]
    status: int | None


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """The files in the folder; out goes the root's path."""
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder / next(iter(files))


async def reloaded(
    folder: Path, running: Servers, plants: Sequence[tuple[Plant, Asked | None, frozenset[str]]]
) -> list[Reloaded]:
    """Each plant of one policy, told to a sidecar that serves the policy as it ships, and its request with the targets
    that are down."""
    out: dict[int, Reloaded] = {}
    groups: dict[tuple[tuple[str, object], ...], list[int]] = {}
    for number, (_, asked, _) in enumerate(plants):
        groups.setdefault(() if asked is None else asked.features, []).append(number)
    for features, numbers in groups.items():
        known = [asked.identity for n in numbers if (asked := plants[n][1]) is not None]
        root = written(folder, files_of(plants[0][0].policy))
        urls = {name: recorder.url for name, recorder in running.recorders.items()}
        # The policy as it ships reads the origin from the deployment, whatever the planted one does.
        toml = _deployment(root, urls, features or ORIGIN, known)
        async with _real(toml) as (real, port):
            for number in numbers:
                out[number] = await _one(folder, running, real, port, *plants[number])
                if out[number].refused and number == numbers[0]:
                    # To start with it is refused for the same reasons; asked once, for it is the same function.
                    assert refused_at_start(toml) == out[number].refused
    return [out[n] for n in range(len(plants))]


async def _one(
    folder: Path,
    running: Servers,
    real: Running,
    port: int,
    plant: Plant,
    asked: Asked | None,
    down: frozenset[str],
) -> Reloaded:
    state = await _load(folder, real, files_of(plant.policy, plant))
    refused = tuple(sorted({d.code for d in state.failed if d.severity is Severity.ERROR}))
    assert bool(refused) == bool(state.failed)
    arrived: tuple[str, ...] = ()
    status = None
    if asked is not None:
        running.down = down
        answer = await exchange(port, asked.raw)
        arrived = tuple(a.target for a in running.taken() if b"marked: this must not leave" in a.body)
        running.down = frozenset()
        status = answer.status
    if not refused:
        state = await _load(folder, real, files_of(plant.policy))
        assert not state.failed
    return Reloaded(refused, arrived, status)


async def _load(folder: Path, real: Running, files: Mapping[str, str]) -> LoadState:
    before = real.reloader.state
    written(folder, files)
    real.reloader.ask()
    async with asyncio.timeout(60):
        while real.reloader.state is before:
            # The load has a thread of its own, and turning this one would keep the interpreter from it.
            await asyncio.sleep(0.002)
    return real.reloader.state


def refused_with_a_provider(folder: Path, plant: Plant, targets: Sequence[str]) -> tuple[str, ...]:
    """The codes for which a sidecar does not start whose deployment says where the plant's target really is."""
    root = written(folder, files_of(plant.policy, plant))
    urls = {
        name: PROVIDER if name == plant.target else f"http://127.0.0.1:{9 + n}"
        for n, name in enumerate(targets)
    }
    return refused_at_start(_deployment(root, urls, ORIGIN, ()))


def refused_at_start(toml: Path) -> tuple[str, ...]:
    """The codes for which a sidecar does not start; none where it does."""
    found = bring_up(toml, {}, NOON)
    if isinstance(found, Live):
        return ()
    return tuple(sorted({d.code for d in found.diagnostics if d.severity is Severity.ERROR}))


def _deployment(
    root: Path, urls: Mapping[str, str], features: Sequence[tuple[str, object]], identities: Sequence[ApiKey]
) -> Path:
    keys = (ApiKey("0" * 64, DEFAULT_CLAIMS), *{i.sha256: i for i in identities}.values())
    lines = [f'policy = "{root.name}"', "[identity]", 'kind = "api-keys"']
    for key in keys:
        lines += ["[[identity.keys]]", f'sha256 = "{key.sha256}"']
        lines += [f'{name} = "{value}"' for name, value in key.claims]
    lines += ["[features]", *(f'{name} = "{value}"' for name, value in features)]
    for name, url in urls.items():
        lines += [f"[targets.{name}]", f'url = "{url}"', 'dialects = ["openai", "anthropic"]']
        # Who forwards must have its model pinned.
        lines += ['model = "pinned"'] if name == "broker" else []
    path = root.parent / "policyd.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@asynccontextmanager
async def _real(toml: Path) -> AsyncIterator[tuple[Running, int]]:
    live = bring_up(toml, {}, NOON)
    assert isinstance(live, Live), live
    log = DecisionLog(str(toml.parent / "real.jsonl"))
    proxy, admin = (open_listener(Listen("127.0.0.1", 0)) for _ in range(2))
    port = proxy.getsockname()[1]
    try:
        async with serving(
            toml,
            live,
            log,
            proxy,
            admin,
            drain_seconds=5,
            watch_seconds=600,
            environ={},
            clock=lambda: NOON,
            probing=False,
        ) as running:
            yield running, port
    finally:
        log.close()
