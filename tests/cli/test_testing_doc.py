"""The page about testing shows what the commands really say."""

import re
import shlex
from pathlib import Path
from typing import Final

from tests.cli.conftest import Run

PAGE: Final = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
BLOCK: Final = re.compile(r"^```(policy|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def without_requests(text: str) -> str:
    """Another search may suggest another request; what it is suggested for stays."""
    return re.sub(r"^        such as .*$", "        such as …", text, flags=re.MULTILINE)


def test_every_command_on_the_page_says_what_the_page_shows(run: Run, tmp_path: Path) -> None:
    blocks = BLOCK.findall(PAGE)
    policy = next(text for kind, text in blocks if kind == "policy")
    (tmp_path / "main.policy").write_text(policy)
    (tmp_path / "with-boundary.policy").write_text(
        policy.replace("edition 1\n", 'edition 1\n\ninclude "boundary.policy"\n', 1)
    )
    assert run("fmt", "--check", "main.policy").code == 0
    commands = [text.partition("\n") for kind, text in blocks if kind == "console"]
    assert len(commands) == 4
    for command, _, shown in commands:
        words = shlex.split(command.removeprefix("$ policyd "))
        assert without_requests(run(*words).out) == without_requests(shown), command


def test_the_generated_tests_on_the_page_are_generated(run: Run, tmp_path: Path) -> None:
    blocks = [text for kind, text in BLOCK.findall(PAGE) if kind == "policy"]
    (tmp_path / "main.policy").write_text(blocks[0])
    assert blocks[1] in run("test", "--generate", "main.policy").out
