"""The scripts' environment: when it is taken as it is, when it is made again, and what is said when it cannot be made."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

SCRIPT: Final = Path(__file__).parents[2] / "scripts" / "environment.py"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, for a project in an empty folder whose `.venv` is this interpreter's own."""
    spec = importlib.util.spec_from_file_location("environment_under_test", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    monkeypatch.setattr(module, "ROOT", str(tmp_path))
    monkeypatch.setattr(module, "ENVIRONMENT", str(tmp_path / ".venv"))
    monkeypatch.setattr(module, "STAMP", str(tmp_path / ".venv" / "stamp.json"))
    return module


def install(environment: ModuleType, folder: Path, *extras: str) -> Path:
    """An environment that looks installed: this interpreter, and the stamp of these extras."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    stamp = {"fingerprint": environment._fingerprint(), "extras": ["", *extras]}
    Path(environment.STAMP).write_text(json.dumps(stamp))
    return python


def refuse_to_install(environment: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the installation by a note of which extra was asked for."""
    asked: list[str] = []
    monkeypatch.setattr(environment, "_install", lambda _python, extra: asked.append(extra))
    return asked


def test_a_complete_environment_is_taken_as_it_is(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = install(environment, tmp_path, "dev")
    asked = refuse_to_install(environment, monkeypatch)
    assert [environment.ready("dev"), environment.ready("")] == [str(python)] * 2
    assert asked == []


def test_what_is_missing_is_installed_and_remembered(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(environment, tmp_path)
    asked = refuse_to_install(environment, monkeypatch)
    environment.ready("dev")
    environment.ready("dev")
    environment.ready("")
    assert asked == ["dev"]


def test_changed_dependencies_are_installed_again(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(environment, tmp_path, "dev")
    asked = refuse_to_install(environment, monkeypatch)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    environment.ready("")
    environment.ready("dev")
    assert asked == ["", "dev"]


def test_an_interrupted_installation_is_not_taken_for_a_complete_one(
    environment: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(environment, tmp_path)

    def interrupted(_python: str, _extra: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(environment, "_install", interrupted)
    with pytest.raises(KeyboardInterrupt):
        environment.ready("dev")
    asked = refuse_to_install(environment, monkeypatch)
    environment.ready("")
    assert asked == [""]


def test_without_a_python_that_is_new_enough_it_says_so(
    environment: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(environment, "OLDEST", (99, 0))
    with pytest.raises(SystemExit) as stopped:
        environment.ready("")
    assert stopped.value.code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: policyd needs Python 3.11 or newer")
    assert "help: install Python 3.11" in said


def test_a_failed_installation_names_the_command(
    environment: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(environment, tmp_path)
    with pytest.raises(SystemExit):
        environment._do([sys.executable, "-c", "raise SystemExit(3)"], "it could not be installed")
    assert "error: it could not be installed" in capsys.readouterr().err
