"""The sidecar as a process: started, told to reload, ended, killed, and looked at from outside.

In come the files; out go its life as `Stretch`es and samples of `/proc`. The one idea: everything that is known of it is
known as an operator would, by its standard error, its admin address and the operating system.
"""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Final

from tests.faults.collector import found_in
from tests.faults.evidence import Evidence, Sample, Stretch

__all__ = ["Process", "free_ports"]

_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_GAUGE: Final = re.compile(
    r"(policyd_(?:target_in_flight|target_waiting|connections|bodies_bytes|bodies|log_waiting))(?:\{[^}]*\})? ([\d.e+-]+)$"
)
STARTING: Final = 60.0
RELOADING: Final = 30.0
ENDING: Final = 60.0


class Process:
    """One sidecar at a time, again and again on the same ports."""

    def __init__(self, deployment: Path, evidence: Evidence, admin: int) -> None:
        self._deployment = deployment
        self._admin = admin
        self._evidence = evidence
        self._process: asyncio.subprocess.Process | None = None
        self._listening: asyncio.Task[None] | None = None
        self.ready = asyncio.Event()

    @property
    def stretch(self) -> Stretch:
        return self._evidence.stretches[-1]

    @property
    def lines(self) -> int:
        return len(self._evidence.said)

    async def start(self) -> None:
        began, before = monotonic(), self.lines
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "policyd", "serve", str(self._deployment),
            stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        self._evidence.stretches.append(Stretch(self._process.pid, began))
        self._listening = asyncio.create_task(self._listen(self._process))
        if not await self.says("admin on", before, STARTING):
            raise RuntimeError("the sidecar did not start: " + "".join(self._evidence.said[before:]))
        self.stretch.ready = monotonic()
        self.ready.set()

    async def _listen(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while line := await process.stderr.readline():
            self._evidence.said.append(line.decode(errors="replace"))

    async def says(self, text: str, since: int, seconds: float = RELOADING) -> bool:
        """Whether a line with the text comes after the first `since` ones."""
        until = monotonic() + seconds
        while not any(text in line for line in self._evidence.said[since:]):
            if monotonic() > until or (self._process is not None and self._process.returncode is not None):
                return False
            await asyncio.sleep(0.01)
        return True

    def hang_up(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)

    async def end(self) -> None:
        """In order."""
        assert self._process is not None and self._listening is not None
        self.ready.clear()
        self.stretch.stopping = monotonic()
        self._process.terminate()
        try:
            async with asyncio.timeout(ENDING):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._ended()

    async def kill(self) -> None:
        assert self._process is not None
        self.ready.clear()
        self.stretch.killed = True
        self.stretch.stopping = monotonic()
        self._process.kill()
        await self._process.wait()
        await self._ended()

    async def _ended(self) -> None:
        assert self._process is not None and self._listening is not None
        self.stretch.ended = monotonic()
        self.stretch.code = self._process.returncode
        await self._listening

    async def watch(
        self, asked: Callable[[], int], upstream: Callable[[], int], *, every: float = 0.5
    ) -> None:
        """Samples the process for as long as the task runs."""
        while True:
            if self.ready.is_set():
                sample = self.sample(asked(), upstream())
                if sample is not None:
                    self.stretch.samples.append(sample)
                for path in ("/metrics", "/readyz", "/targets", "/policy"):
                    self._evidence.pages += 1
                    if found_in(await self.page(path)):
                        self._evidence.strays.append(f"the admin page {path} shows text of a request")
            await asyncio.sleep(every)

    async def page(self, path: str) -> bytes:
        """A page of the admin side, empty where it cannot be had."""
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._admin)
        except OSError:
            return b""
        try:
            writer.write(b"GET %b HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n" % path.encode())
            return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    async def gauges(self) -> dict[str, float]:
        """Sums over their labels of what it says it holds."""
        out: dict[str, float] = {}
        for line in (await self.page("/metrics")).decode().splitlines():
            found = _GAUGE.match(line)
            if found is not None:
                out[found[1]] = out.get(found[1], 0.0) + float(found[2])
        return out

    def sample(self, asked: int, upstream: int) -> Sample | None:
        pid = self.stretch.pid
        try:
            resident = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            descriptors = len(os.listdir(f"/proc/{pid}/fd"))
            threads = len(os.listdir(f"/proc/{pid}/task"))
        except OSError:
            return None
        return Sample(monotonic(), asked, resident, descriptors, threads, upstream)


def free_ports(count: int) -> list[int]:
    """Ports that nobody uses now."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()
