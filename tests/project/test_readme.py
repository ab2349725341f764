"""What the README shows is what policyd does: the policy is clean, and the leak gives the output that is printed there."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

README: Final = Path(__file__).parents[2] / "README.md"


def block(language: str) -> str:
    """The first fenced block in this language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"the README has no block in {language}"
    return found[1]


def planted() -> str:
    """The README's policy with the README's change made to it."""
    removed = re.search(r"^-(.*)$", block("diff"), re.MULTILINE)
    added = re.search(r"^\+(.*)$", block("diff"), re.MULTILINE)
    assert removed is not None and added is not None
    assert removed[1] in block("policy")
    return block("policy").replace(removed[1], added[1])


def policyd(folder: Path, policy: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "main.policy").write_text(policy)
    command = [sys.executable, "-m", "policyd", *arguments, "main.policy"]
    root = str(README.parent)
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": root}, capture_output=True, text=True, check=False
    )


def without_time(output: str) -> str:
    return re.sub(r"\b\d+\.\d+ s$", "TIME", output, flags=re.MULTILINE)


def test_the_policy_of_the_readme_is_clean(tmp_path: Path) -> None:
    done = policyd(tmp_path, block("policy"), "check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_policies_of_the_readme_are_formatted(tmp_path: Path) -> None:
    for policy in (block("policy"), planted()):
        done = policyd(tmp_path, policy, "fmt", "--check")
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_policy_of_the_readme_has_at_most_fifteen_lines() -> None:
    assert len(block("policy").splitlines()) <= 15


def test_the_leak_is_reported_as_the_readme_prints_it(tmp_path: Path) -> None:
    done = policyd(tmp_path, planted(), "check", "--no-notes")
    assert done.returncode == 1
    assert without_time(done.stdout + done.stderr) == without_time(block("text"))
