"""The page about `policyd diff` shows what the command says about the policies of the page."""

import re
import shlex
from pathlib import Path
from typing import Final

import pytest

from policyd.cli.main import main

PAGE: Final = Path(__file__).parents[2] / "docs" / "diff.md"


def blocks(kind: str) -> list[str]:
    """The texts between fences of this kind, in their order."""
    parts = re.split(r"^```(\w*)\n", PAGE.read_text(), flags=re.MULTILINE)
    inside = zip(parts[1::4], parts[2::4], strict=False)
    return [text for opened, text in inside if opened == kind]


def changed(text: str, diff: str) -> str:
    """The text after a diff without context: each run of `-` lines becomes the `+` lines that follow it."""
    edits = [(line[0], line[1:]) for line in diff.splitlines()]
    removed = [line for sign, line in edits if sign == "-"]
    for line in removed:
        assert f"{line}\n" in text, line
    at = 0
    out = text
    while at < len(edits):
        run: dict[str, list[str]] = {"-": [], "+": []}
        for sign in "-+":
            while at < len(edits) and edits[at][0] == sign:
                run[sign].append(edits[at][1])
                at += 1
        before, after = ("".join(f"{line}\n" for line in run[sign]) for sign in "-+")
        assert out.count(before) == 1, before
        out = out.replace(before, after)
    return out


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (old,) = blocks("policy")
    (diff,) = blocks("diff")
    renamed = old.replace("route rest ", "route everyday ").replace(
        "context_needed > 32k", "not (context_needed <= 32k)"
    )
    for name, text in (("old", old), ("new", changed(old, diff)), ("renamed", renamed)):
        (tmp_path / f"{name}.policy").write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_shows_what_the_commands_say(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = [block for block in blocks("") if block.startswith("$ ")]
    assert len(shown) >= 3
    assert (folder / "new.policy").is_file()
    for block in shown:
        command, _, expected = block.removeprefix("$ policyd ").partition("\n")
        main(shlex.split(command))
        assert capsys.readouterr().out == expected
