"""`policyd test --coverage`, `--generate` and `--mutate` from the command line."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from policyd.cli.growth import Growth
from policyd.cli.output import Style
from policyd.resolve.load import load
from policyd.trials.coverage import coverage_of
from tests.cli.conftest import CLEAN, FAILING, UNTESTED, Run
from tests.trials.drawn import case_of


def test_coverage_counts_by_kind_and_shows_a_request_for_what_is_missing(run: Run, clean: str) -> None:
    ran = run("test", "--coverage", clean)
    assert ran.code == 0
    assert "coverage 68 %: 11 of 16 goals" in ran.out
    assert "routes      1 of 2" in ran.out
    assert "route `batch` decides  (main.policy:18:7)\n        such as team=search latency=batch" in ran.out


def test_a_minimum_that_is_missed_is_one(run: Run, clean: str) -> None:
    ran = run("test", "--coverage", "--minimum", "69", clean)
    assert ran.code == 1
    assert (
        "error[PD405] the tests of `main.policy` cover 11 of 16 goals (68 %), and 69 % is the least"
        in ran.out
    )
    assert run("test", "--coverage", "--minimum", "68", clean).code == 0


def test_generated_tests_can_be_included_and_cover_everything(run: Run, clean: str, tmp_path: Path) -> None:
    ran = run("test", "--generate", "--into", "more.policy", clean)
    assert ran.code == 0
    assert 'then add to main.policy: include "more.policy"' in ran.out
    assert run("fmt", "--check", "more.policy").code == 0
    (tmp_path / "main.policy").write_text(CLEAN.replace("edition 1\n", 'edition 1\ninclude "more.policy"\n'))
    ran = run("test", "--coverage", "--minimum", "100", clean)
    assert ran.code == 0, ran.out
    assert "nothing to add" in run("test", "--generate", clean).err


def test_generated_tests_ask_to_be_confirmed(run: Run, clean: str) -> None:
    ran = run("test", "--generate", "--for", "batch", clean)
    assert ran.code == 0
    assert ran.out.startswith(
        "# For: route `batch`: `latency == batch` holds (and 1 more). Confirm: is this what you mean?\n"
        'test "route batch: latency == batch holds"\n'
        '    given { team "search", latency batch }\n'
        "    expect only local via batch\n"
    )
    assert ran.out.count("\ntest ") == 1


def test_an_existing_file_is_never_written_to(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "more.policy").write_text("edition 1\n")
    ran = run("test", "--generate", "--into", "more.policy", clean)
    assert ran.code == 2
    assert "PD008" in ran.err
    assert (tmp_path / "more.policy").read_text() == "edition 1\n"


def test_nothing_is_generated_while_a_test_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(FAILING)
    ran = run("test", "--generate", "main.policy")
    assert ran.code == 1
    assert "PD402" in ran.out
    assert "Confirm" not in ran.out


def test_a_policy_without_tests_gets_its_first_ones(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(UNTESTED)
    ran = run("test", "--generate", "main.policy")
    assert ran.code == 0
    (tmp_path / "main.policy").write_text(UNTESTED + "\n" + ran.out)
    assert run("test", "--coverage", "--minimum", "100", "main.policy").code == 0


def test_a_mistake_that_nothing_notices_is_a_warning_with_the_test_that_would(
    run: Run, clean: str, tmp_path: Path
) -> None:
    ran = run("test", "--mutate", clean)
    assert ran.code == 1
    dropped = 'the raise of `sensitivity` by header "x-data-class" was dropped'
    assert f"main.policy:9:14: warning[PD406] no test and no assertion notices that {dropped}" in ran.out
    assert "2 tests passed\n  17 of 21 planted mistakes are noticed (80 %)" in ran.out
    test = ran.out.split("a test that would notice:\n")[1].split("help:")[0]
    (tmp_path / "main.policy").write_text(CLEAN + "\n" + test)
    again = run("test", "--mutate", clean)
    assert dropped not in again.out
    assert "3 tests passed" in again.out


def test_a_wrong_fact_of_a_target_is_a_mistake_too(run: Run, clean: str) -> None:
    out = run("test", "--mutate", clean).out
    assert "`location on_prem` became" not in out, "the tests notice that `local` is not at home"


def test_what_was_not_tried_is_said(run: Run, clean: str) -> None:
    ran = run("test", "--mutate", "--most", "2", clean)
    assert ran.code == 3
    assert "not tried: beyond --most or --seconds" in ran.out
    assert "planted mistakes are noticed; 2 of 21 were tried" in ran.out
    assert "%" not in ran.out


def test_goals_that_there_was_no_time_for_are_counted(clean: str, tmp_path: Path) -> None:
    loaded = load(tmp_path / clean)
    assert loaded.program is not None
    coverage = coverage_of(case_of(loaded.program), until=lambda: True)
    lines = Growth(coverage, None, ()).lines(Style(colour=False))
    assert lines[0] == "  coverage 68 %: 11 of 16 goals"
    told = "  5 goals that no test shows were not asked about, for want of time, and count as missing: --seconds gives more"
    assert lines[-1] == told


def test_tests_go_into_a_policy(run: Run, clean: str, tmp_path: Path) -> None:
    ran = run("test", "--generate", "--into", "more.csv", clean)
    assert ran.code == 2
    assert "`more.csv` is no name of a policy" in ran.err
    assert ".policy" in ran.err
    assert not (tmp_path / "more.csv").exists()


def test_tables_count(run: Run, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text('name,team,latency,expect\nbatch stays,"""search""",batch,local\n')
    (tmp_path / "main.policy").write_text(CLEAN + '\ntests from "cases.csv"\n')
    assert "route `batch` decides" not in run("test", "--coverage", "main.policy").out


def test_json_holds_every_goal_and_every_mistake(run: Run, clean: str) -> None:
    schema = json.loads((Path(__file__).parents[2] / "docs" / "schemas" / "check-1.json").read_text())
    told = json.loads(run("test", "--coverage", "--mutate", "--format", "json", clean).out)
    assert [e.message for e in Draft202012Validator(schema).iter_errors(told)] == []
    policy = told["policies"][0]
    states = [goal["state"] for goal in policy["coverage"]["goals"]]
    assert states.count("covered") == policy["coverage"]["covered"] == 11
    assert states.count("missed") == 5
    survivors = [m for m in policy["mutation"]["mutants"] if m["fate"] == "survived"]
    assert len(survivors) == policy["mutation"]["survived"] == 4
    assert survivors[0]["test"].startswith('test "header:x-data-class=confidential: local via rest"\n')
    assert [f["code"] for f in policy["findings"]] == ["PD406"] * 4


def test_junit_has_the_tests_and_what_is_missing(run: Run, clean: str) -> None:
    out = run("test", "--coverage", "--minimum", "100", "--format", "junit", clean).out
    assert "a chat goes out" in out
    assert "PD405" in out


@pytest.mark.parametrize(
    "words",
    [
        ("--minimum", "90"),
        ("--coverage", "--minimum", "101"),
        ("--for", "routes"),
        ("--into", "x.policy"),
        ("--most", "3"),
        ("--seconds", "3"),
        ("--mutate", "--most", "0"),
        ("--generate", "--coverage"),
        ("--generate", "--format", "json"),
        ("--generate", "--for", "nobody"),
    ],
)
def test_flags_that_mean_nothing_together_are_two(run: Run, clean: str, words: tuple[str, ...]) -> None:
    ran = run("test", *words, clean)
    assert ran.code == 2
    assert ran.err
