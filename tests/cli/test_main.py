"""The command line itself: words, help, exit codes of usage, and what happens when something goes wrong."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

import policyd
from policyd import __version__
from policyd.cli import main as cli
from policyd.cli.output import Style, style_for, table
from tests.cli.conftest import CLEAN

PYTHON = sys.executable
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(policyd.__file__).parent.parent)}


def run(*words: str) -> int:
    return cli.main(words)


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    out = capsys.readouterr().out
    for command in cli.COMMANDS:
        assert command.word in out
        assert command.summary in out
    assert "exit codes" in out


@pytest.mark.parametrize("command", [c.word for c in cli.COMMANDS])
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command, "--help") == 0
    out = capsys.readouterr().out
    assert "example" in out
    assert f"policyd {command}" in out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"policyd {__version__}\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "required"),
        (("chek",), "did you mean `policyd check`?"),
        (("zzz",), "invalid choice"),
        (("check", "--no-such-flag"), "unrecognized arguments"),
        (("explain",), "POLICY"),
        (("serve",), "policyd.toml"),
    ],
)
def test_wrong_usage_is_two_and_says_why(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    ("words", "usage"),
    [
        (("check", "--no-such-flag"), "usage: policyd check "),
        (("check", "a", "--no-such-flag", "b"), "usage: policyd check "),
        (("diff", "a", "b", "c"), "usage: policyd diff "),
        (("graph", "a", "--format", "chek"), "usage: policyd graph "),
        (("--no-such-flag", "check"), "usage: policyd [-h]"),
        (("--no-such-flag",), "usage: policyd [-h]"),
    ],
)
def test_wrong_usage_shows_the_usage_of_the_command(
    words: tuple[str, ...], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*words) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(usage)
    assert "did you mean" not in captured.err


@pytest.mark.parametrize(
    "words",
    [
        ("prove", "never location == cloud when opaque", "--seconds", "5", "a.policy"),
        ("check", "a.policy", "--no-notes", "b.policy"),
        ("check", "--quiet", "a.policy", "--no-notes", "b.policy"),
        ("test", "a.policy", "--coverage", "b.policy"),
        ("fmt", "--check", "a.policy", "--diff", "b.policy"),
        ("explain", "a.policy", "--given", "team=search endpoint=chat", "r.json", "--nearest"),
        ("diff", "a.policy", "--pairs", "all", "b.policy"),
        ("check", "a.policy", "--no-notes", "--", "b.policy"),
    ],
)
def test_flags_may_stand_between_paths(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("a.policy", "b.policy"):
        (tmp_path / name).write_text(CLEAN)
    (tmp_path / "r.json").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert run(*words) in (0, 1)
    assert "usage" not in capsys.readouterr().err


def test_a_path_that_begins_with_a_dash_stands_behind_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "-a.policy").write_text(CLEAN)
    monkeypatch.chdir(tmp_path)
    assert run("check", "--no-notes", "--", "-a.policy") == 0
    assert "-a.policy" in capsys.readouterr().out


def _command(run_it: Callable[[object], int]) -> ModuleType:
    module = ModuleType("broken")
    module.configure = lambda _: None  # type: ignore[attr-defined]
    module.run = run_it  # type: ignore[attr-defined]
    return module


def _raise(error: BaseException) -> Callable[[object], int]:
    def run_it(_: object) -> int:
        raise error

    return run_it


def test_a_mistake_of_ours_is_seventy_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.Command, "load", lambda _: _command(_raise(KeyError("\x1b[31mx"))))
    monkeypatch.delenv("POLICYD_TRACEBACK", raising=False)
    assert run("check") == 70
    err = capsys.readouterr().err
    assert "internal error: KeyError" in err
    assert "report" in err
    assert "Traceback" not in err
    assert "\x1b" not in err


def test_the_traceback_is_there_for_who_asks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.Command, "load", lambda _: _command(_raise(KeyError("x"))))
    monkeypatch.setenv("POLICYD_TRACEBACK", "1")
    assert run("check") == 70
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_quietly(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.Command, "load", lambda _: _command(_raise(KeyboardInterrupt())))
    assert run("check") == 130
    assert capsys.readouterr().err == "\n"


def test_a_reader_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [PYTHON, "-m", "policyd", "features"],
            stdout=writer,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
            env=ENVIRONMENT,
        )
    finally:
        os.close(writer)
    assert done.returncode == 141
    assert done.stderr == b""


def test_runs_as_a_module(tmp_path: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-m", "policyd", "--version"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        timeout=60,
        env=ENVIRONMENT,
    )
    assert (done.returncode, done.stdout) == (0, f"policyd {__version__}\n")


def test_help_imports_no_command_and_nothing_heavy() -> None:
    listing = "import sys; from policyd.cli.main import main; main(['--help']); print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [PYTHON, "-c", listing], capture_output=True, text=True, check=True, timeout=60, env=ENVIRONMENT
    )
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint({f"policyd.cli.{c.word}" for c in cli.COMMANDS})
    assert loaded.isdisjoint(
        {"lark", "pydantic", "fastapi", "uvicorn", "httpx", "asyncio", "policyd.policy.program"}
    )


def test_a_check_imports_no_web_server_and_no_settings(tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(CLEAN)
    listing = "import sys; from policyd.cli.main import main; main(['check']); print(*sorted(sys.modules), sep='\\n', file=sys.stderr)"
    done = subprocess.run(
        [PYTHON, "-c", listing],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=ENVIRONMENT,
        cwd=tmp_path,
    )
    assert "main.policy: ok" in done.stdout
    loaded = set(done.stderr.split())
    assert loaded.isdisjoint(
        {"pydantic", "fastapi", "uvicorn", "httpx", "asyncio", "ssl", "policyd.proxy.serve"}
    )


class _Stream:
    def __init__(self, *, terminal: bool) -> None:
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "environ", "colour"),
    [
        (True, {}, True),
        (True, {"TERM": "xterm"}, True),
        (True, {"NO_COLOR": ""}, True),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"TERM": "dumb"}, False),
        (False, {}, False),
    ],
)
def test_colours_only_where_they_are_wanted(terminal: bool, environ: dict[str, str], colour: bool) -> None:
    assert style_for(_Stream(terminal=terminal), environ).colour is colour  # type: ignore[arg-type]


def test_paint_leaves_text_alone_without_colour() -> None:
    assert Style(colour=False).red("x") == "x"
    assert Style(colour=True).red("x") == "\x1b[31mx\x1b[0m"


def test_tables_align_and_do_not_trail() -> None:
    text = table(("a", "bb"), [("long", ""), ("x", "y\x07")], Style(colour=False))
    assert text == "a     bb\nlong\nx     y\\u{7}"
