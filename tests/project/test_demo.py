"""The tour ends well: every request went where it must, no secret left, and nothing stays behind."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = [sys.executable, "-m", "policyd.demo"]
ENVIRONMENT: Final = {**os.environ, "PYTHONUNBUFFERED": "1"}

pytestmark = pytest.mark.slow


def test_the_tour_shows_every_request_and_proves_that_no_secret_left() -> None:
    done = subprocess.run(
        [*COMMAND, "--once"], cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "UNEXPECTED" not in done.stdout
    assert re.search(
        r"the AWS key: in [1-9]\d* of \d+ requests to the server room, in 0 of [1-9]", done.stdout
    )
    assert re.search(
        r"the card number: in [1-9]\d* of \d+ requests to the server room, in 0 of [1-9]", done.stdout
    )
    assert "kept from   cloud (by stays_home)" in done.stdout
    assert "refused with 403" in done.stdout


@pytest.fixture
def tour() -> Iterator[subprocess.Popen[str]]:
    # A session of its own stands for a terminal's foreground job: Ctrl-C reaches every process in it.
    process = subprocess.Popen(COMMAND, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True)  # fmt: skip
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def stays_up(process: subprocess.Popen[str]) -> str:
    """What it printed up to the moment at which it waits for a person."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C ends everything" in line:
            return "".join(lines)
    raise AssertionError("it ended:\n" + "".join(lines))


@pytest.mark.parametrize("end", ["Ctrl-C in the terminal", "SIGTERM to the tour alone"])
def test_it_stays_up_for_a_person_and_leaves_nothing_behind(tour: subprocess.Popen[str], end: str) -> None:
    told = stays_up(tour)
    url = re.search(r"OPENAI_BASE_URL=(http://127\.0\.0\.1:(\d+))/v1", told)
    assert url is not None
    hints = re.findall(r"^  ((?:\S*policyd|\S+ -m policyd) (prove|explain) .*)$", told, re.MULTILINE)
    assert [word for _, word in hints] == ["prove", "explain"]
    for typed, _ in hints:
        done = subprocess.run(
            shlex.split(typed),
            cwd=ROOT,
            env=ENVIRONMENT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    body = {"model": "m", "messages": [{"role": "user", "content": "mine"}]}
    answer = httpx.post(f"{url[1]}/v1/chat/completions", json=body, trust_env=False)
    assert answer.status_code == 200 and answer.headers["x-policyd-target"] == "cloud"

    if end == "SIGTERM to the tour alone":
        tour.terminate()
    else:
        os.killpg(tour.pid, signal.SIGINT)
    tour.communicate(timeout=60)
    assert tour.returncode == 0
    with pytest.raises(ProcessLookupError):
        os.killpg(tour.pid, 0)
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(url[2]))) != 0
