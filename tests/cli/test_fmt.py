"""`policyd fmt`: what is rewritten, what is shown, and what is left alone."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest

from policyd.cli import fmt
from tests.cli.conftest import CLEAN, MISSPELT, Run


@pytest.fixture
def standard(run: Run, tmp_path: Path) -> str:
    """The clean policy in the standard form."""
    (tmp_path / "main.policy").write_text(CLEAN)
    assert run("fmt", "main.policy").code == 0
    return (tmp_path / "main.policy").read_text()


def test_rewrites_and_is_then_done(run: Run, tmp_path: Path, standard: str) -> None:
    path = tmp_path / "main.policy"
    path.write_text(standard.replace("otherwise reject", "otherwise   reject"))
    ran = run("fmt", "main.policy")
    assert (ran.code, ran.err) == (0, "main.policy rewritten\n")
    assert path.read_text() == standard
    assert run("fmt", "main.policy").err == ""
    assert run("fmt", "--check", "main.policy").code == 0


def test_check_writes_nothing_and_names_the_file(run: Run, tmp_path: Path, standard: str) -> None:
    path = tmp_path / "main.policy"
    path.write_text("\n\n" + standard)
    ran = run("fmt", "--check")
    assert ran.code == 1
    assert "main.policy is not in the standard form" in ran.err
    assert path.read_text() == "\n\n" + standard


def test_diff_shows_and_writes_nothing(run: Run, tmp_path: Path, standard: str) -> None:
    path = tmp_path / "main.policy"
    rough = standard.replace("otherwise reject", "otherwise   reject")
    path.write_text(rough)
    ran = run("fmt", "--diff", "main.policy")
    assert ran.code == 0
    assert "-otherwise   reject" in ran.out
    assert "+otherwise reject" in ran.out
    assert path.read_text() == rough
    assert run("fmt", "--diff", "--check", "main.policy").code == 1


def test_standard_input_to_standard_output(run: Run, standard: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(("\n\n" + standard).encode())))
    ran = run("fmt", "-")
    assert (ran.code, ran.out) == (0, standard)


def test_standard_input_stands_alone(run: Run) -> None:
    assert run("fmt", "-", "main.policy").code == 2


def test_a_file_with_a_mistake_is_left_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    ran = run("fmt", "main.policy")
    assert ran.code == 1
    assert "PD102" in ran.out
    assert (tmp_path / "main.policy").read_text() == MISSPELT


def test_included_files_of_a_folder_are_formatted_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "a.policy").write_text("edition 1\nroute   quick to local\n")
    assert run("fmt", ".").code == 0
    assert "route quick to local" in (tmp_path / "teams" / "a.policy").read_text()


def test_the_mode_of_a_file_and_a_link_to_it_stay(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "real.policy"
    path.write_text("edition 1\nroute   quick to local\n")
    path.chmod(0o640)
    (tmp_path / "link.policy").symlink_to("real.policy")
    assert run("fmt", "link.policy").code == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert (tmp_path / "link.policy").is_symlink()
    assert "route quick to local" in path.read_text()


def test_a_write_that_fails_leaves_the_file_and_no_litter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "main.policy"
    path.write_text("old")

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="No space"):
        fmt.write_atomically(str(path), "new")
    assert [p.name for p in tmp_path.iterdir()] == ["main.policy"]
    assert path.read_text() == "old"


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", None])
def test_what_cannot_be_read_is_two(content: bytes | None, run: Run, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "main.policy").write_bytes(content)
    assert run("fmt", "main.policy").code == 2


def test_a_folder_without_policies_is_two(run: Run) -> None:
    assert run("fmt", ".").code == 2
