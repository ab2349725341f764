"""Starts `policyd serve` with the example's files, waits until it is ready, and stops it.

In: the example's folder and the stand-ins' ports. Out: a running sidecar. The example's files are copied and only their
ports are changed, so what runs is what a person can read.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

__all__ = ["Sidecar", "SidecarFailed", "sidecar"]

LONGEST_START_S: Final = 60.0
LONGEST_STOP_S: Final = 15.0


class SidecarFailed(Exception):
    """The sidecar did not start; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """`log` is the decision log's file."""

    url: str
    admin_url: str
    deployment: Path
    policy: Path
    log: Path


@contextmanager
def sidecar(example: Path, folder: Path, *, listen: int, admin: int, ports: Mapping[str, int]) -> Iterator[Sidecar]:  # fmt: skip
    """`ports` maps a port as the example writes it to the one that is used; `folder` takes the copies."""
    running = _prepared(example, folder, listen, admin, ports)
    output = folder / "sidecar.log"
    with output.open("wb") as sink:
        command = [sys.executable, "-m", "policyd", "serve", str(running.deployment)]
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=sink, stderr=subprocess.STDOUT, env=_variables()
        )
    try:
        _wait_until_ready(process, running, output)
        yield running
    finally:
        _stop(process)


def _prepared(example: Path, folder: Path, listen: int, admin: int, ports: Mapping[str, int]) -> Sidecar:
    deployment, policy, log = folder / "policyd.toml", folder / "demo.policy", folder / "decisions.jsonl"
    shutil.copy(example / "demo.policy", policy)
    text = (example / "policyd.toml").read_text()
    for written, used in {**ports, "8484": listen, "8485": admin}.items():
        if written not in text:
            raise SidecarFailed(f"{example / 'policyd.toml'} does not mention the port {written}")
        text = text.replace(written, str(used))
    deployment.write_text(text)
    return Sidecar(f"http://127.0.0.1:{listen}", f"http://127.0.0.1:{admin}", deployment, policy, log)


def _variables() -> dict[str, str]:
    """The environment without the caller's own settings of a sidecar, which would change what the tour shows."""
    return {name: value for name, value in os.environ.items() if not name.startswith("POLICYD")}


def _wait_until_ready(process: subprocess.Popen[bytes], running: Sidecar, output: Path) -> None:
    give_up = time.monotonic() + LONGEST_START_S
    while time.monotonic() < give_up:
        if process.poll() is not None:
            raise SidecarFailed(f"`policyd serve` ended with {process.returncode}:\n{output.read_text()}")
        if _ready(running.admin_url):
            return
        time.sleep(0.05)
    raise SidecarFailed(f"`policyd serve` was not ready in {LONGEST_START_S:.0f} s:\n{output.read_text()}")


def _ready(admin_url: str) -> bool:
    try:
        return httpx.get(f"{admin_url}/readyz", timeout=1.0, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ask it to drain; a process that does not end is killed, so that nothing stays behind."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(LONGEST_STOP_S)
    except (subprocess.TimeoutExpired, KeyboardInterrupt):
        process.kill()
        process.wait()
