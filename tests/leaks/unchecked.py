"""A sidecar with the check switched off, for tests alone: the product has no way to build one.

In come a program, proved or not, and requests; out goes what the proxy answered and which model server got which bytes.
All but the proofs is the product's own: the compiled policy, the binding, the proxy, the gate, the sockets.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from policyd.deploy.bindings import bind
from policyd.deploy.model import ApiKeyIdentity, Binding, Breaking, Deployment, Endpoint, Listen, Timeouts
from policyd.detect.scanner import Scanner
from policyd.engine.compile import Compiled, emit
from policyd.engine.matrix import Matrix, build_matrix
from policyd.pipeline import Ready
from policyd.policy.program import Program
from policyd.proofs.prove import Report
from policyd.proxy.decision_log import DecisionLog
from policyd.proxy.lanes import Stopped
from policyd.proxy.live import Live, live_from
from policyd.proxy.serve import open_listener, serving
from policyd.proxy.weigh import Weigher
from policyd.traffic.reading import Reading
from tests.leaks.asking import Asked
from tests.proxy.bench import OK, Answer, Recorder, exchange, records
from tests.upstream.scripted import Peer

__all__ = ["Arrived", "Servers", "Told", "ask_all", "servers"]

T = TypeVar("T")

DOWN = b"HTTP/1.1 503 Down\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
SOON = Timeouts(connect=5.0, first_byte=20.0, idle=20.0, total=60.0)


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a model server received."""

    target: str
    path: bytes
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one request: the answer, what arrived where, in order, and the line of the decision log."""

    answer: Answer
    arrived: tuple[Arrived, ...]
    record: Mapping[str, Any]


class Servers:
    """A model server for each target. Those of `down` answer that they are, until that is changed."""

    def __init__(self, recorders: Mapping[str, Recorder]) -> None:
        self.recorders = recorders
        self.down: frozenset[str] = frozenset()
        self.arrived: list[Arrived] = []
        for name, recorder in recorders.items():
            recorder.answer = self._answering(name)

    def _answering(self, name: str) -> Any:
        async def answer(peer: Peer, request: bytes) -> None:
            head, _, body = request.partition(b"\r\n\r\n")
            self.arrived.append(Arrived(name, head.split(b" ")[1], body))
            await peer.send(DOWN if name in self.down else OK)

        return answer

    def taken(self) -> tuple[Arrived, ...]:
        """What has arrived since this was asked last."""
        out, self.arrived = tuple(self.arrived), []
        return out


@asynccontextmanager
async def servers(names: Iterable[str]) -> AsyncIterator[Servers]:
    async with AsyncExitStack() as stack:
        yield Servers({name: await stack.enter_async_context(Recorder()) for name in names})


async def ask_all(
    folder: Path, program: Program, servers: Servers, requests: Sequence[tuple[Asked, frozenset[str]]]
) -> tuple[Told, ...]:
    """Each request with the targets that are down meanwhile, by an unchecked sidecar; in their order."""
    out: dict[int, Told] = {}
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, (asked, _) in enumerate(requests):
        groups.setdefault((asked.features, asked.reserve, asked.unscanned, asked.uncounted), []).append(
            number
        )
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    # What is decided is compared with the reference, so the compiler's own test of itself can be left out.
    compiled = emit(matrix)
    for numbers in groups.values():
        answers = await _ask_group(folder, compiled, servers, [requests[n] for n in numbers])
        out |= dict(zip(numbers, answers, strict=True))
    return tuple(out[n] for n in range(len(requests)))


async def _ask_group(
    folder: Path, compiled: Compiled, servers: Servers, requests: Sequence[tuple[Asked, frozenset[str]]]
) -> list[Told]:
    log_path = folder / "unchecked.jsonl"
    log_path.unlink(missing_ok=True)
    log = DecisionLog(str(log_path))
    answers: list[tuple[Answer, tuple[Arrived, ...]]] = []
    now = [0.0]
    live = _live(compiled, servers, [asked for asked, _ in requests])
    proxy, admin = (open_listener(Listen("127.0.0.1", 0)) for _ in range(2))
    port = proxy.getsockname()[1]
    try:
        async with serving(
            folder / "none.toml",
            live,
            log,
            proxy,
            admin,
            drain_seconds=5,
            environ={},
            clock=lambda: now[0],
            probing=False,
        ):
            for asked, down in requests:
                now[0], servers.down = asked.at, down
                answer = await exchange(port, asked.raw)
                answers.append((answer, servers.taken()))
    finally:
        servers.down = frozenset()
        log.close()
    lines = records(log_path)
    return [Told(answer, arrived, line) for (answer, arrived), line in zip(answers, lines, strict=True)]


def _live(compiled: Compiled, servers: Servers, requests: Sequence[Asked]) -> Live:
    """What would serve if nobody asked the proofs."""
    program = compiled.program
    ready = Ready(program, compiled, Report((), ()), compiled.digest, (), (), (), date(2026, 11, 20))
    deployment = Deployment(
        policy="",
        listen=Listen(),
        admin=Listen(),
        identity=ApiKeyIdentity(
            tuple({asked.identity.sha256: asked.identity for asked in requests}.values())
        ),
        bindings=tuple(_binding(name, recorder) for name, recorder in servers.recorders.items()),
        features=requests[0].features,
        answer_reserve=requests[0].reserve,
    )
    live = live_from(ready, bind(program, deployment), deployment, (), 0.0)
    one = requests[0]
    return replace(live, weigher=_OutOfTime(one.reserve, unscanned=one.unscanned, uncounted=one.uncounted))


class _OutOfTime(Weigher):
    """For which the time for scanning, or for counting, always runs out."""

    def __init__(self, answer_reserve: int, *, unscanned: bool, uncounted: bool) -> None:
        super().__init__(answer_reserve)
        self._unscanned = unscanned
        self._uncounted = uncounted

    async def scanning(self, work: Callable[[Scanner, Stopped], T], size: int) -> T:
        if self._unscanned:
            raise TimeoutError
        return await super().scanning(work, size)

    def _weigh(
        self, reading: Reading, marks: tuple[int, ...], stopped: Stopped, *, exact: bool
    ) -> tuple[int, int]:
        if self._uncounted:
            raise TimeoutError
        return super()._weigh(reading, marks, stopped, exact=exact)


def _binding(name: str, recorder: Recorder) -> Binding:
    port = int(recorder.url.rsplit(":", 1)[1])
    return Binding(
        name,
        Endpoint("http", "127.0.0.1", port),
        frozenset({"openai", "anthropic"}),
        timeouts=SOON,
        # Targets are taken down so that the next one is seen to be tried, again and again.
        breaker=Breaking(faults=1000),
        # What arrives is compared with what was sent, byte for byte.
        include_usage=False,
    )
