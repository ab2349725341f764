"""`policyd check`: what is said about clean, wrong, leaking and unreadable policies, and the exit code of each."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import ASSERTION, CLEAN, DEAD, FAILING, LEAK, MISSPELT, UNTESTED, Run


def test_a_clean_policy_is_zero_and_names_what_is_proved(run: Run, clean: str) -> None:
    ran = run("check", clean)
    assert (ran.code, ran.err) == (0, "")
    assert "main.policy: ok, " in ran.out
    assert "2 tests passed" in ran.out
    assert "proved confidential_stays_home: " in ran.out


def test_a_leak_is_one_with_a_witness(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(LEAK)
    ran = run("check", "main.policy")
    assert ran.code == 1
    assert "error[PD301]" in ran.out
    assert "witness: " in ran.out
    assert "proved confidential_stays_home" not in ran.out
    assert "ok" not in ran.out.split("main.policy: ", 1)[1].split(",")[0]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(MISSPELT, "PD102", id="a misspelt statement"),
        pytest.param(DEAD, "PD305", id="a dead rule"),
        pytest.param(FAILING, "PD402", id="a failing test"),
        pytest.param("", "PD107", id="an empty file"),
        pytest.param(CLEAN.replace('team "search", ', "", 1), "PD282", id="a test of no request"),
    ],
)
def test_findings_are_one(text: str, code: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(text)
    ran = run("check", "main.policy")
    assert ran.code == 1
    assert f"[{code}]" in ran.out


def test_notes_are_not_findings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(UNTESTED)
    ran = run("check", "main.policy")
    assert ran.code == 0
    assert "note[PD401]" in ran.out
    assert "note[" not in run("check", "--no-notes", "main.policy").out


def test_quiet_says_only_findings(run: Run, clean: str, tmp_path: Path) -> None:
    assert run("check", "--quiet", "--no-notes", clean).out == ""
    (tmp_path / "leak.policy").write_text(LEAK)
    ran = run("check", "--quiet", "leak.policy")
    assert "error[PD301]" in ran.out
    assert "main.policy" not in ran.out


def test_all_mistakes_are_told_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT.replace("latency == batch", "latency == bach"))
    ran = run("check", "main.policy")
    assert "PD102" in ran.out
    assert "`bach`" in ran.out


def test_a_folder_means_the_policies_that_nothing_includes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "teams").mkdir()
    (tmp_path / "teams" / "search.policy").write_text("edition 1\n\nroute quick to local\n")
    include = 'include "teams/search.policy" scope team == "search"\nroute batch'
    (tmp_path / "main.policy").write_text(CLEAN.replace("route batch", include, 1).split("\ntest ", 1)[0])
    (tmp_path / "other.policy").write_text(CLEAN)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "broken.policy").write_text("nonsense")
    ran = run("check")
    assert ran.code == 0, ran.out
    assert "main.policy: ok" in ran.out
    assert "other.policy: ok" in ran.out
    assert "search.policy: " not in ran.out


def test_a_folder_without_policies_is_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    ran = run("check")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD003]" in ran.err


@pytest.mark.parametrize(
    ("content", "code"),
    [(b"\x7fELF\x00\x01\xff", "PD002"), ("edition 1 # naïve".encode("latin-1"), "PD002"), (None, "PD001")],
)
def test_what_cannot_be_read_is_two(content: bytes | None, code: str, run: Run, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "main.policy").write_bytes(content)
    ran = run("check", "main.policy")
    assert (ran.code, ran.out) == (2, "")
    assert f"error[{code}]" in ran.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_two(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / clean).chmod(0)
    ran = run("check", clean)
    assert ran.code == 2
    assert "you may not read it" in ran.err


def test_one_unreadable_file_does_not_hide_the_others(run: Run, clean: str) -> None:
    ran = run("check", "nowhere.policy", clean)
    assert ran.code == 2
    assert "main.policy: ok" in ran.out


def test_a_missing_include_is_a_finding_at_its_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(
        CLEAN.replace("route batch", 'include "gone.policy"\nroute batch', 1)
    )
    ran = run("check", "main.policy")
    assert ran.code in {1, 2}
    assert "main.policy:" in ran.out
    assert "gone.policy" in ran.out


def test_includes_in_a_circle_are_a_finding(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.policy").write_text('edition 1\ninclude "b.policy"\n')
    (tmp_path / "b.policy").write_text('edition 1\ninclude "a.policy"\n')
    ran = run("check")
    assert ran.code == 1
    assert "a.policy" in ran.out


def test_a_file_that_includes_itself_is_a_finding(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.policy").write_text('edition 1\ninclude "a.policy"\n')
    assert run("check", "a.policy").code == 1


def test_an_include_of_an_impossible_name_is_a_finding(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text('edition 1\ninclude "a\\u{0}b.policy"\n')
    (tmp_path / "other.policy").write_text(CLEAN)
    ran = run("check")
    assert ran.code == 1
    assert "main.policy:2:" in ran.out


@pytest.mark.parametrize("command", ["check", "fmt", "test"])
def test_a_pipe_holds_no_command_up(command: str, run: Run, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "main.policy")
    ran = run(command, "main.policy")
    assert ran.code == 2
    assert "it is not a regular file" in ran.err


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000, "", "main.policy/inside"])
def test_an_impossible_path_is_two(path: str, run: Run, clean: str) -> None:
    ran = run("check", path)
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD001]" in ran.err
    assert clean == "main.policy"


def test_a_link_to_itself_is_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "loop.policy").symlink_to("loop.policy")
    assert run("check", "loop.policy").code == 2


def test_a_deployment_file_that_is_not_there_is_two(run: Run) -> None:
    ran = run("check", "--deployment", "nowhere.toml")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD501]" in ran.err


def test_what_a_deployment_file_does_not_bind_is_a_finding(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "policyd.toml").write_text(
        f'policy = "{clean}"\n[identity]\nkind = "loopback"\nteam = "a"\n'
        '[targets.local]\nurl = "http://127.0.0.1:1"\ndialects = ["openai"]\n'
    )
    ran = run("check", "--deployment", "policyd.toml")
    assert ran.code == 1
    assert "error[PD520]" in ran.out
    assert "main.policy: 1 error, " in ran.out


def test_hostile_names_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    name = "\x1b[31mred.policy"
    (tmp_path / name).write_text(CLEAN)
    ran = run("check", name)
    assert ran.code == 0
    assert "\\u{1b}" in ran.out


def test_each_assertion_is_named_as_proved(run: Run, tmp_path: Path) -> None:
    second = ASSERTION.replace("confidential_stays_home", "again")
    (tmp_path / "main.policy").write_text(CLEAN + second)
    out = run("check", "main.policy").out
    assert "2 assertions proved" in out
    assert "proved again: never location == cloud" in out


def test_what_is_suppressed_is_counted_and_is_no_finding(run: Run, tmp_path: Path) -> None:
    late = 'suppress PD305 on late until 2099-06-30 because "kept for now"\n'
    (tmp_path / "main.policy").write_text(DEAD + late)
    ran = run("check", "main.policy")
    assert ran.code == 0
    assert "PD305" not in ran.out
    assert ", 1 finding suppressed until 2099-06-30, " in ran.out
    hole = 'suppress PD306 on otherwise until 2098-06-30 because "nobody asks for that"\n'
    (tmp_path / "main.policy").write_text(DEAD + late + hole)
    assert ", 2 findings suppressed until 2098-06-30 or later, " in run("check", "main.policy").out


DEPLOYED = """policy = "clean.policy"
[identity]
kind = "loopback"
user = "ana"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
"""


def test_the_last_line_counts_what_is_wrong_with_the_deployment(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "policyd.toml").write_text(
        DEPLOYED.replace("clean.policy", clean) + '[detectors]\nrules = ["none.toml", "neither.toml"]\n'
    )
    ran = run("check", "--deployment", "policyd.toml")
    assert ran.code == 1
    assert ran.out.splitlines()[-1] == "policyd.toml: 2 errors"
    quiet = run("check", "--quiet", "--deployment", "policyd.toml")
    assert "policyd.toml: 2 errors" not in quiet.out


def test_a_classifier_that_is_not_installed_here_is_a_note(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "policyd.toml").write_text(
        DEPLOYED.replace("clean.policy", clean) + '[classifiers.nobodys]\nfindings = ["custom.x"]\n'
    )
    ran = run("check", "--deployment", "policyd.toml")
    assert "note[PD557] the classifier `nobodys`: no package that is installed here" in ran.out
