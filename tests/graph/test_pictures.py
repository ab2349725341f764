"""The pictures in the docs are what the commands beside them make, and the docs show what they are."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from policyd.cli.main import main
from tests.graph.drawn import ROOT

DOCUMENT: Final = ROOT / "docs" / "graph.md"
COMMANDS: Final = re.findall(r"^policyd (graph .*)$", DOCUMENT.read_text(), re.MULTILINE)
FILES: Final = [c for c in COMMANDS if "--output" in c]
PICTURES: Final = sorted((ROOT / "docs" / "pictures").glob("*.svg"))


@pytest.mark.parametrize("command", FILES)
def test_a_picture_is_what_its_command_makes(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    *words, output = shlex.split(command)
    made = tmp_path / Path(output).name
    assert main([*words, str(made)]) == 0
    assert made.read_text() == (ROOT / output).read_text(), f"make it again: policyd {command}"


def test_every_picture_of_a_policy_is_shown_with_its_command() -> None:
    text = DOCUMENT.read_text()
    drawn = {Path(c.split()[-1]).name for c in FILES}
    assert len(drawn) == len(FILES) >= 2
    assert drawn <= {p.name for p in PICTURES}
    assert all(f"](pictures/{name})" in text for name in drawn)


def test_every_picture_is_shown_somewhere() -> None:
    pages = "".join(page.read_text() for page in (ROOT / "docs").glob("*.md"))
    assert [p.name for p in PICTURES if f"](pictures/{p.name})" not in pages] == []


def test_the_mermaid_block_is_what_its_command_writes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (command,) = (c for c in COMMANDS if "--output" not in c)
    assert main(shlex.split(command)) == 0
    found = re.search(r"```mermaid\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found is not None
    assert found[1] == capsys.readouterr().out, f"paste it again: policyd {command}"
