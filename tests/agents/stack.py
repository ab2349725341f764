"""A model server, a real `policyd serve` before it and before two stand-ins for clouds, and what each of them saw.

In: a folder and the deployment to serve. Out: a `Stack` with the port for agents, what arrived at the clouds, and the lines
of the decision log. Addresses are put over the deployment file by the environment, so that the file that ships is served
as it is. It starts no agents.
"""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from policyd.demo.serving import free_port, serving
from tests.agents.cloud import Cloud

__all__ = ["LLAMA", "MODEL", "TRANSFORMERS", "TRANSFORMERS_MODEL", "Stack", "llama_server", "sidecar", "transformers_server"]  # fmt: skip

LLAMA: Final = os.environ.get("POLICYD_LLAMA_SERVER")
MODEL: Final = os.environ.get("POLICYD_LLAMA_MODEL")
TRANSFORMERS: Final = os.environ.get("POLICYD_TRANSFORMERS")
TRANSFORMERS_MODEL: Final = os.environ.get("POLICYD_TRANSFORMERS_MODEL")

CONTEXT: Final = 262_144
"""Tokens of one conversation. `--parallel 2` halves what the server is given, and agents ask two things at once."""

LONGEST_START_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stack:
    """`clouds` by the target's name."""

    port: int
    clouds: Mapping[str, Cloud]
    log: Path
    serving: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def records(self) -> list[dict[str, Any]]:
        """The decision log. It is complete once the sidecar has ended, so this ends it."""
        self.serving.terminate()
        self.serving.wait(LONGEST_START_S)
        return [json.loads(line) for line in self.log.read_text().splitlines()] if self.log.exists() else []

    def arrived(self, text: str) -> int:
        """How many requests with this text reached a cloud."""
        return sum(each.holds(text) for cloud in self.clouds.values() for each in cloud.arrived)


@contextmanager
def llama_server() -> Iterator[str]:
    """llama.cpp's server with the model, once it is well."""
    assert LLAMA is not None and MODEL is not None
    port = free_port()
    options = f"--alias coder --host 127.0.0.1 --port {port} -c {2 * CONTEXT} --jinja --parallel 2 --threads 2 --predict 48"
    environment = {**os.environ, "LD_LIBRARY_PATH": str(Path(LLAMA).parent)}
    with _process([LLAMA, "-m", MODEL, *options.split()], environment, None) as running:
        _await(lambda: _answers(f"http://127.0.0.1:{port}/health"), running)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def transformers_server() -> Iterator[str]:
    """The server of transformers with the checkpoint, once it is well. It looks for nothing at any hub."""
    assert TRANSFORMERS is not None and TRANSFORMERS_MODEL is not None
    port = free_port()
    environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
    command = [TRANSFORMERS, "serve", TRANSFORMERS_MODEL, "--device", "cpu", "--port", str(port)]
    with _process(command, environment, None) as running:
        _await(lambda: _answers(f"http://127.0.0.1:{port}/health"), running)
        yield f"http://127.0.0.1:{port}"


@contextmanager
def sidecar(folder: Path, deployment: Path, *, rack: str, clouds: tuple[str, ...]) -> Iterator[Stack]:
    """`policyd serve` on the deployment, with every target on this machine: the rack at that address, the others stand-ins."""
    port, admin = free_port(), free_port()
    log = folder / "decisions.jsonl"
    standins = {name: Cloud() for name in clouds}
    with _serving_all(standins) as urls:
        overriding = {
            "POLICYD__LISTEN__PORT": str(port),
            "POLICYD__ADMIN__PORT": str(admin),
            "POLICYD__LOG__PATH": str(log),
            **{f"POLICYD__TARGETS__{name.upper()}__URL": url for name, url in {"rack": rack, **urls}.items()},
            **{f"{name.upper()}_API_KEY": f"provider-key-of-{name}" for name in clouds},
        }
        command = [str(Path(sys.executable).with_name("policyd")), "serve", str(deployment)]
        with _process(command, {**os.environ, **overriding}, folder / "serve.log") as running:
            _await(lambda: _answers(f"http://127.0.0.1:{admin}/readyz"), running)
            yield Stack(port, standins, log, running)


@contextmanager
def _serving_all(clouds: Mapping[str, Cloud]) -> Iterator[dict[str, str]]:
    if not clouds:
        yield {}
        return
    (name, cloud), *others = clouds.items()
    with serving(cloud) as port, _serving_all(dict(others)) as urls:
        yield {name: f"http://127.0.0.1:{port}", **urls}


@contextmanager
def _process(
    command: list[str], environment: Mapping[str, str], output: Path | None
) -> Iterator[subprocess.Popen[bytes]]:
    """Runs a program as long as the block lasts."""
    with (
        open(output or os.devnull, "wb") as told,
        subprocess.Popen(command, env=environment, stdout=told, stderr=told) as running,
    ):
        try:
            yield running
        finally:
            running.terminate()
            try:
                running.wait(20)
            except subprocess.TimeoutExpired:
                running.kill()


def _await(condition: Callable[[], bool], running: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONGEST_START_S
    while not condition():
        assert running.poll() is None, "the program ended before it was ready"
        assert time.monotonic() < deadline, "the program did not become ready"
        time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False
