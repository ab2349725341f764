"""`policyd features` and `policyd init`: the table of features, and a start that works as it stands."""

import json
from pathlib import Path

import pytest

from policyd.cli.starting import STARTING_FILES
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.findings import FINDINGS
from tests.cli.conftest import MISSPELT, Run


def test_without_a_policy_the_built_in_features_are_listed(run: Run) -> None:
    ran = run("features")
    assert (ran.code, ran.err) == (0, "")
    for feature in BUILTIN_FEATURES:
        assert f"\n{feature.name} " in ran.out


def test_a_policy_adds_its_own(run: Run, clean: str) -> None:
    out = run("features", clean).out
    assert "header x-latency" in out
    assert "identity, claim team" in out
    assert "header:x-data-class" in out


def test_features_as_json(run: Run, clean: str) -> None:
    rows = {row["name"]: row for row in json.loads(run("features", "--json", clean).out)}
    assert rows["latency"]["domain"] == {"kind": "enum", "values": ["interactive", "batch"], "ordered": False}
    assert rows["latency"]["unknown"] == {"kind": "value", "value": "interactive"}
    assert rows["team"]["unknown"] == {"kind": "reject"}
    assert rows["findings"]["unknown"] == {"kind": "everything"}
    assert rows["team"]["provenance"] == "attested"


def test_a_policy_with_errors_has_no_features(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    assert run("features", "main.policy").code == 1


def test_a_wrong_deployment_file_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "policyd.toml").write_text("nonsense")
    ran = run("features", "--deployment", "policyd.toml")
    assert ran.code in {1, 2}
    assert "error[PD502]" in ran.out + ran.err


def test_a_start_works_as_it_stands(run: Run) -> None:
    started = run("init", "gateway")
    assert (started.code, started.err) == (0, "")
    assert "policyd check --deployment" in started.out
    checked = run("check", "--deployment", "gateway/policyd.toml", "gateway/main.policy")
    assert checked.code == 0, checked.out + checked.err
    assert "warning[" not in checked.out
    assert run("check", "--deployment", "gateway/policyd.toml").code == 0
    assert run("fmt", "--check", "gateway").code == 0
    tested = run("test", "gateway")
    assert tested.code == 0
    assert "9 tests passed" in tested.out
    explained = run("explain", "gateway/main.policy", "--given", "team=search findings=secret.aws")
    assert explained.out.startswith("local via interactive")
    assert run("features", "gateway/main.policy", "--deployment", "gateway/policyd.toml").code == 0


def test_a_start_serves_claude_code_and_programs_of_both_apis(run: Run) -> None:
    """The first thing that many try is an agent on Anthropic's API, and a refusal is the last."""
    assert run("init", "gateway").code == 0
    for endpoint in ("chat", "messages", "count_tokens"):
        given = f"team=search endpoint={endpoint} tools=true reasoning=true tokens=25k max_output=32k"
        explained = run("explain", "gateway/main.policy", "--given", given)
        assert explained.out.startswith("cloud via interactive"), explained.out


def test_init_writes_here_without_a_folder(run: Run, tmp_path: Path) -> None:
    assert run("init").code == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(STARTING_FILES)


@pytest.mark.parametrize("name", list(STARTING_FILES))
def test_init_never_overwrites(name: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / name).write_text("mine")
    ran = run("init", ".")
    assert ran.code == 2
    assert "error[PD008]" in ran.err
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_init_where_no_folder_can_be_is_two(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    ran = run("init", "file/inside")
    assert ran.code == 2
    assert "cannot write" in ran.err


def test_one_feature_is_explained(run: Run, clean: str) -> None:
    out = run("features", "--explain", "task").out
    assert "who says it  derived" in out
    assert "The first rule that holds" in out
    assert "header x-latency" in run("features", clean, "--explain", "latency").out
    row = json.loads(run("features", "--explain", "language", "--json").out)
    assert [r["name"] for r in row] == ["language"]
    assert "py3langid" in row[0]["how"]


def test_a_feature_that_is_not_there_is_named_with_the_near_one(run: Run) -> None:
    ran = run("features", "--explain", "tsk")
    assert ran.code == 1
    assert "did you mean `task`?" in ran.out + ran.err


def test_the_findings_are_listed_with_those_of_the_deployment(run: Run, tmp_path: Path) -> None:
    rows = {row["name"]: row for row in json.loads(run("features", "--findings", "--json").out)}
    assert set(rows) == set(FINDINGS)
    assert rows["email"]["weight"] == "everyday" and rows["tax-id.py-ruc"]["weight"] == "grave"
    assert rows["tax-id.py-ruc"]["doc"].endswith("PY")
    assert all(row["doc"] for row in rows.values())
    run("init", "gateway")
    with (tmp_path / "gateway" / "policyd.toml").open("a") as file:
        file.write("\n[[detectors.rule]]\nid = 'acme-key'\nregex = 'acme_[a-f0-9]{32}'\n")
    out = run("features", "--findings", "--deployment", "gateway/policyd.toml").out
    assert "\ncustom.acme-key " in out and "\nsecret.aws " in out


def test_a_level_is_explained_though_it_is_no_feature(run: Run, clean: str) -> None:
    ran = run("features", clean, "--explain", "sensitivity")
    assert ran.code == 0
    assert "starts at" in ran.out and "confidential when " in ran.out
    document = json.loads(run("features", clean, "--explain", "sensitivity", "--json").out)
    assert document["kind"] == "level" and document["raises"]
    assert run("features", clean, "--explain", "sensitivty").code != 0
