"""Every way to a model that is measured side by side: how it is started, and what its clients must send.

Direct and nginx need nothing that is not on the machine. The gateways are installed apart, each in an environment of its own;
one that is not given is left out.
"""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bench.proxy_bench import HEADERS, PROXY_CORE, PROXY_PORT, nginx, running, sidecar_command

__all__ = ["NoAnswer", "Way", "free_port", "ways"]

SECONDS_TO_START: Final = 60.0


class NoAnswer(Exception):
    """A gateway that is there and does not serve what is measured."""


@dataclass(frozen=True)
class Way:
    """`command` is None for the model server itself."""

    name: str
    port: int
    command: list[str] | None
    headers: Mapping[str, str] = field(default_factory=lambda: dict(HEADERS))
    environ: Mapping[str, str] = field(default_factory=dict)

    @contextmanager
    def started(self, *, stream: bool = False) -> Iterator[int | None]:
        """The process id, once it answers; ended at the end. `stream`: what its model server says is a stream."""
        if self.command is None:
            yield None
            return
        with _environment(self.environ), running(self.command, self.port, PROXY_CORE) as pid:
            self._until_it_answers(stream)
            yield pid

    def _until_it_answers(self, stream: bool) -> None:
        """A port that is open is not yet a gateway that has found its models."""
        until = time.monotonic() + SECONDS_TO_START
        body = {"model": "gpt-5", "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
        while time.monotonic() < until:
            done = subprocess.run(
                ["curl", "-s", "-o", "/dev/null", "-m", "5", "-w", "%{http_code}",
                 *(word for name, value in self.headers.items() for word in ("-H", f"{name}: {value}")),
                 "-H", "content-type: application/json",
                 "-d", json.dumps(body),
                 f"http://127.0.0.1:{self.port}/v1/chat/completions"],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.stdout == "200":
                return
            time.sleep(0.5)
        raise NoAnswer(
            f"{self.name} does not answer: run it by hand to see why: {' '.join(self.command or ())}"
        )


@contextmanager
def _environment(more: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in more}
    os.environ.update(more)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def ways(
    folder: Path, model_port: int, *, litellm: str | None, portkey: str | None, smg: str | None
) -> list[Way]:
    """All that can be measured before this model server."""
    model = f"http://127.0.0.1:{model_port}"
    port = free_port
    found = [
        Way("direct", model_port, None),
        _nginx(folder, model_port, port()),
        Way("policyd", PROXY_PORT, sidecar_command(folder, model_port, "max_connections = 4096\n")),
    ]
    if smg is not None:
        at = port()
        command = [smg, "launch", "--worker-urls", model, "--host", "127.0.0.1", "--port", str(at),
                   "--log-level", "error", "--max-concurrent-requests", "-1"]  # fmt: skip
        found.append(Way("smg", at, command))
    if portkey is not None:
        at = port()
        headers = {"x-portkey-provider": "openai", "x-portkey-custom-host": f"{model}/v1", **HEADERS}
        # Run by its JavaScript: the launcher would stay the parent of what is measured.
        found.append(Way("portkey", at, ["node", portkey, f"--port={at}"], headers))
    if litellm is not None:
        at = port()
        config = folder / "litellm.yaml"
        config.write_text(
            "model_list:\n  - model_name: gpt-5\n"
            f"    litellm_params: {{model: openai/model-0, api_base: '{model}/v1', api_key: x}}\n"
            "litellm_settings: {telemetry: false, num_retries: 0}\n"
            "general_settings: {dangerously_permit_weak_or_unset_master_key: true}\n"
        )
        command = [
            litellm,
            "--config",
            str(config),
            "--host",
            "127.0.0.1",
            "--port",
            str(at),
            "--num_workers",
            "1",
        ]
        quiet = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
        found.append(Way("litellm", at, command, environ=quiet))
    return found


def _nginx(folder: Path, model_port: int, at: int) -> Way:
    server = f"""upstream model {{ server 127.0.0.1:{model_port}; keepalive 1024; keepalive_requests 10000000; }}
  server {{ listen 127.0.0.1:{at} backlog=1024;
    location / {{ proxy_pass http://model; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off; }} }}"""
    return Way("nginx", at, nginx(folder, "relay", server, connections=8192))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
