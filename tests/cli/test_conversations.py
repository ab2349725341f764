"""`at least conversation` in every command: it is a feature like the others, and a policy that stops asking for it is looser."""

import json
from pathlib import Path

import pytest

from policyd.cli.main import main

POLICY = """edition 1
level  sensitivity { public < internal < restricted }
string team from identity unknown reject
classify sensitivity {
    starts at public
    at least conversation for 2 days
    at least restricted when opaque
}
target rack { location on_prem  context 256k  speaks chat, messages }
target claude { location cloud  context 256k  speaks chat, messages }
guard stays only location == on_prem when sensitivity >= restricted because "DLP"
route all to claude, rack
otherwise reject "x"
assert stays_home never location == cloud when sensitivity >= restricted
tests from "t.csv"
"""
TABLE = """name,team,endpoint,conversation sensitivity,expect
reached,s,chat,restricted,only rack
unknown,s,chat,unknown,only rack
new,s,chat,,claude then rack
"""


@pytest.fixture(autouse=True)
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(TABLE)
    path = tmp_path / "a.policy"
    path.write_text(POLICY)
    return path


def test_it_is_checked_and_its_tests_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "a.policy"]) == 0
    assert "proved" in capsys.readouterr().out
    assert main(["test", "a.policy"]) == 0
    assert "3 tests passed" in capsys.readouterr().out


def test_a_guard_that_a_higher_conversation_lifts_is_found(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy.write_text(
        POLICY.replace("restricted because", "internal and sensitivity < restricted because")
        .replace("assert stays_home never location == cloud when sensitivity >= restricted\n", "")
        .replace('tests from "t.csv"\n', "")
    )
    assert main(["check", "a.policy"]) == 1
    out = capsys.readouterr().out
    assert "[PD304] an unknown `conversation:sensitivity` allows `claude`" in out


@pytest.mark.parametrize("value", ["restricted", "unknown"])
def test_it_is_explained(capsys: pytest.CaptureFixture[str], value: str) -> None:
    assert (
        main(["explain", "a.policy", "--given", f"team=s endpoint=chat conversation:sensitivity={value}"])
        == 0
    )
    out = capsys.readouterr().out
    assert out.startswith("rack via all") and "at least restricted: the conversation has reached it" in out


def test_it_is_listed_with_what_unknown_means(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["features", "a.policy", "--json"]) == 0
    features = {f["name"]: f for f in json.loads(capsys.readouterr().out)}
    one = features["conversation:sensitivity"]
    assert (one["provenance"], one["unknown"], one["source"]) == (
        "attested", {"kind": "value", "value": "restricted"}, {"kind": "conversation", "key": "sensitivity"},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        ("for 2 days", "for 1 hour", 4, "is kept for 1 hour, and was for 2 days"),
        ("for 1 hour", "for 2 days", 0, "is kept for 2 days, and was for 1 hour"),
        ("at least conversation for 2 days", "", 4, "raises it no longer"),
    ],
)
def test_a_diff_says_what_is_kept(
    policy: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, code: int, said: str
) -> None:
    old = POLICY.replace("for 2 days", before) if before.startswith("for") else POLICY
    text = old.replace(before, after)
    text = text if after else text.replace('tests from "t.csv"\n', "")
    policy.write_text(old)
    Path("b.policy").write_text(text)
    assert main(["diff", "a.policy", "b.policy"]) in {code, 1}
    out = capsys.readouterr().out
    assert said in out and ("looser" in out) is (code == 4)


def test_it_is_written_as_it_was(policy: Path) -> None:
    assert main(["fmt", "a.policy"]) == 0
    assert "    at least conversation for 2 days\n" in policy.read_text()
