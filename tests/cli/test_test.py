"""`policyd test`: a policy's own tests from the command line."""

from pathlib import Path

from tests.cli.conftest import CLEAN, FAILING, MISSPELT, UNTESTED, Run


def test_passing_tests_are_zero(run: Run, clean: str) -> None:
    ran = run("test", clean)
    assert (ran.code, ran.err) == (0, "")
    assert "main.policy: 2 tests passed" in ran.out


def test_verbose_lists_each_test(run: Run, clean: str) -> None:
    out = run("test", "-v", clean).out
    assert "passed  a chat goes out" in out
    assert "passed  a secret stays" in out


def test_a_failing_test_is_one_and_says_how(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(FAILING)
    ran = run("test", "-v", "main.policy")
    assert ran.code == 1
    assert "error[PD402]" in ran.out
    assert "expected cloud, got local via rest" in ran.out
    assert "cloud removed by stays_home" in ran.out
    assert "1 of 2 tests failed" in ran.out
    assert "FAILED  a secret stays" in ran.out


def test_the_line_of_a_failure_can_be_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(FAILING)
    out = run("test", "main.policy").out
    line = next(x.split("given ", 1)[1] for x in out.splitlines() if x.strip().startswith("given team="))
    assert run("explain", "main.policy", "--given", line).out.startswith("local via rest")


def test_no_tests_is_a_failure(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(UNTESTED)
    ran = run("test", "main.policy")
    assert ran.code == 1
    assert "error[PD401]" in ran.out


def test_a_policy_with_errors_runs_no_test(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    ran = run("test", "main.policy")
    assert ran.code == 1
    assert "passed" not in ran.out


def test_tables_are_tests_too(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(
        'name,team,endpoint,latency,expect\nbatch stays,"""search""",chat,batch,local\n'
    )
    (tmp_path / "main.policy").write_text(CLEAN + '\ntests from "cases.csv"\n')
    ran = run("test", "-v", "main.policy")
    assert ran.code == 0, ran.out
    assert "3 tests passed" in ran.out
    assert "batch stays" in ran.out


def test_a_folder_runs_the_tests_of_each_policy(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.policy").write_text(CLEAN)
    (tmp_path / "b.policy").write_text(FAILING)
    ran = run("test")
    assert ran.code == 1
    assert "a.policy: 2 tests passed" in ran.out


def test_nothing_to_test_is_two(run: Run) -> None:
    assert run("test").code == 2
