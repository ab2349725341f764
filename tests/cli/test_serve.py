"""`policyd serve` from the command line: what does not start says why, and what `policyd init` wrote starts and stops."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import policyd
from tests.cli.conftest import LEAK, Run


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_deployment_file_that_is_not_there_is_two(run: Run) -> None:
    ran = run("serve", "nowhere.toml")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD501]" in ran.err


def test_a_wrong_deployment_file_is_one(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policyd.toml").write_text("nonsense")
    ran = run("serve", "policyd.toml")
    assert (ran.code, ran.out) == (1, "")
    assert "error[PD502]" in ran.err


def test_a_policy_with_a_broken_assertion_does_not_start(run: Run, tmp_path: Path) -> None:
    assert run("init").code == 0
    (tmp_path / "main.policy").write_text(LEAK)
    ran = run("serve", "policyd.toml")
    assert ran.code == 1
    assert "error[PD301]" in ran.err


@pytest.mark.skipif(not hasattr(signal, "SIGTERM") or os.name == "nt", reason="signals as POSIX has them")
def test_what_init_writes_starts_and_stops(run: Run, tmp_path: Path) -> None:
    assert run("init").code == 0
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(policyd.__file__).parent.parent),
        "POLICYD__LISTEN__PORT": str(free_port()),
        "POLICYD__ADMIN__PORT": str(free_port()),
    }
    with subprocess.Popen(
        [sys.executable, "-m", "policyd", "serve", "policyd.toml"],
        cwd=tmp_path, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    ) as server:  # fmt: skip
        assert server.stderr is not None
        said: list[str] = []
        try:
            for line in server.stderr:
                said.append(line)
                if "admin on " in line:
                    break
            server.send_signal(signal.SIGTERM)
            rest = server.stderr.read()
            code = server.wait(timeout=60)
        finally:
            server.kill()
    assert any("serving policy" in line for line in said), "".join(said)
    assert "Traceback" not in "".join(said) + rest
    assert code == 0
