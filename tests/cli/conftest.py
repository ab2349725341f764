"""What the tests of commands share: a folder of their own, policies of each kind, and running a command in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from policyd.cli.main import main

VOCABULARY = """\
edition 1

level sensitivity { internal < confidential }
string team from identity unknown reject
enum latency { interactive, batch } from header "x-latency" unknown interactive

classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential when opaque or findings contains "secret"
}

target local { location on_prem context 32k speaks chat supports tools, json }
target cloud { location cloud context 128k speaks chat supports tools, images, json, reasoning }
"""

GUARD = """
guard stays_home only location == on_prem when sensitivity >= confidential because "confidential stays home"
"""

ROUTES = """
route batch to local when latency == batch
route rest to cloud, local
otherwise reject "no model may take this"
"""

ASSERTION = """
assert confidential_stays_home never location == cloud when sensitivity >= confidential
"""

TESTS = """
test "a chat goes out"
    given { team "search", endpoint chat }
    expect only cloud then local via rest

test "a secret stays"
    given { team "search", endpoint chat, findings { "secret.aws" } }
    expect only local via rest, removed cloud by stays_home
"""

CLEAN = VOCABULARY + GUARD + ROUTES + ASSERTION + TESTS
LEAK = VOCABULARY + ROUTES + ASSERTION
DEAD = CLEAN.replace("otherwise reject", 'route late to local when team == "late"\notherwise reject')
FAILING = CLEAN.replace(
    "expect only local via rest, removed cloud by stays_home", "expect only cloud via rest"
)
UNTESTED = VOCABULARY + GUARD + ROUTES + ASSERTION
MISSPELT = CLEAN.replace("guard stays_home", "gaurd stays_home")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


Run = Callable[..., Ran]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs a command in the test's own folder. No command may show a traceback or a terminal's colours."""
    monkeypatch.chdir(tmp_path)

    def run_command(*words: str) -> Ran:
        code = main(words)
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err + captured.out
        assert "internal error" not in captured.err
        assert "\x1b" not in captured.err + captured.out
        return Ran(code, captured.out, captured.err)

    return run_command


@pytest.fixture
def clean(tmp_path: Path) -> str:
    (tmp_path / "main.policy").write_text(CLEAN)
    return "main.policy"
