"""`policyd check --deployment` and `policyd serve`: all mistakes in one round, each at the place where its cure is."""

from pathlib import Path

import pytest

from policyd.cli.main import main

POLICY = """\
edition 1
string team from identity unknown reject
enum origin { eu, us } from deployment unknown reject
target gpu { location on_prem  context 64k  speaks chat }
target cloud { location cloud  context 64k  speaks chat, messages }
route all to gpu, cloud
otherwise reject "no"
test "a chat" given { team "a", origin eu, endpoint chat } expect gpu then cloud
"""
TOML = """\
policy = "x.policy"
[listen]
address = "0.0.0.0"
[identity]
kind = "loopback"
[features]
orgin = "eu"
[targets.gpu]
url = "https://10.1.2.3"
dialects = ["openai"]
[targets.cloud]
url = "http://example.com"
dialects = ["openai"]
credential = { env = "POLICYD_TEST_NOT_SET" }
[targets.spare]
url = "https://example.com"
dialects = ["openai"]
"""
PLACES = {
    "PD509": (5, 1),
    "PD507": (14, 1),
    "PD521": (15, 10),
    "PD522": (9, 1),
    "PD523": (12, 1),
    "PD524": (13, 1),
    "PD526": (6, 2),
    "PD527": (4, 2),
}


@pytest.mark.parametrize("command", [["check", "--deployment"], ["serve"]])
def test_one_round_tells_everything(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.policy").write_text(POLICY)
    (tmp_path / "policyd.toml").write_text(TOML)
    assert main([*command, "policyd.toml"]) == 1
    shown = capsys.readouterr()
    text = shown.out + shown.err
    for code, (line, column) in PLACES.items():
        heads = [head for head in text.splitlines() if f"[{code}]" in head]
        assert any(head.startswith(f"policyd.toml:{line}:{column}: ") for head in heads), (code, heads)
    assert "x.policy:4:8" in text, "the policy's line is shown beside"
    assert f"{'note' if command[0] == 'check' else 'error'}[PD507]" in text


def test_a_secret_that_is_only_absent_does_not_fail_a_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.policy").write_text(POLICY)
    good = (
        TOML.replace("0.0.0.0", "127.0.0.1")
        .replace("orgin", "origin")
        .replace('kind = "loopback"', 'kind = "loopback"\nteam = "a"')
        .replace("https://10.1.2.3", "http://127.0.0.1:1")
        .replace("http://example", "https://example")
        .replace('"openai"]\ncredential', '"openai", "anthropic"]\ncredential')
    )
    good = good[: good.index("[targets.spare]")]
    (tmp_path / "policyd.toml").write_text(good)
    assert main(["check", "--deployment", "policyd.toml"]) == 0
    assert "note[PD507]" in capsys.readouterr().out
    assert main(["serve", "policyd.toml"]) == 1
    assert "error[PD507]" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["check", "--deployment"], ["serve"]])
def test_a_policy_that_is_not_there_is_told_where_it_is_named(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "policyd.toml").write_text(
        'timezone = "UTC"\npolicy = "mian.policy"\n[identity]\nkind = "loopback"\n'
        '[targets.a]\nurl = "http://127.0.0.1:1"\ndialects = ["openai"]\n'
    )
    assert main([*command, "policyd.toml"]) == 2
    said = capsys.readouterr().err
    assert "policyd.toml:2:1: error[PD001]" in said
    assert "mian.policy`" in said
    assert "help: `policy` is the path of the policy, relative to the folder of this file" in said


def test_a_log_whose_folder_is_not_here_is_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == 0
    toml = tmp_path / "policyd.toml"
    toml.write_text(toml.read_text().replace("stdout = true", 'path = "none/decisions.jsonl"'))
    assert main(["check", "--deployment", "policyd.toml"]) == 0
    said = capsys.readouterr().out
    assert f"note[PD505] `log.path`: there is no folder `{tmp_path / 'none'}`" in said
    (tmp_path / "none").mkdir()
    assert main(["check", "--deployment", "policyd.toml"]) == 0
    assert "PD505" not in capsys.readouterr().out
