"""`policyd explain`: requests from a line and from a file, text and JSON, and every kind of wrong request."""

import io
import json
import shlex
import sys
from pathlib import Path

import pytest

from policyd.proofs.find import Budget
from tests.cli.conftest import CLEAN, MISSPELT, UNTESTED, Run


def test_says_what_is_decided_and_why(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", "team=search endpoint=chat findings=secret.aws")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("local via rest\n")
    assert "removed by stays_home" in ran.out
    assert 'because "confidential stays home"' in ran.out
    assert "main.policy:" in ran.out
    assert "sensitivity is confidential" in ran.out


def test_says_which_features_were_looked_at(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--json", "--given", "team=search endpoint=chat latency=batch")
    document = json.loads(ran.out)
    looked, left = document["looked_at"], document["not_needed"]
    assert "latency" in looked
    assert "findings" in left
    assert set(looked).isdisjoint(left)
    assert sorted(looked + left) == sorted(document["features"])


def test_a_feature_that_decides_is_looked_at(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--json", "--given", "team=search endpoint=chat")
    assert "findings" in json.loads(ran.out)["looked_at"]


def test_a_rejection_is_explained_too(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", "team=search endpoint=chat images findings=secret")
    assert ran.code == 0
    assert ran.out.startswith("rejected by otherwise (status 403)\n")


@pytest.mark.parametrize("words", [(), ("--json",), ("--nearest",), ("--why-not", "cloud")])
def test_a_mistyped_finding_is_warned_of_beside_the_answer(
    words: tuple[str, ...], run: Run, clean: str
) -> None:
    ran = run("explain", clean, "--given", "team=search endpoint=chat findings=secrt", *words)
    assert ran.code == 0 and ran.out
    assert "warning[PD228] no detector of this version finds `secrt`" in ran.err
    assert "did you mean `secret`?" in ran.err


@pytest.mark.parametrize(
    ("line", "added"),
    [
        ("tokens=10 context_needed=11", "max_output = 1"),
        ("date=2026-03-06", "weekday = fri"),
        ("images", "opaque = true"),
        ("tokens=10 max_output=5 context_needed=15", None),
    ],
)
def test_what_was_completed_is_said(line: str, added: str | None, run: Run, clean: str) -> None:
    given = ("--given", f"team=search endpoint=chat {line}")
    said = [
        run("explain", clean, *given, *words).out for words in ((), ("--why-not", "cloud"), ("--nearest",))
    ]
    for out in said:
        lines = [text for text in out.splitlines() if text.startswith("completed")]
        assert lines == (
            [] if added is None else [f"completed   {added}, by what is given; everything else is quiet"]
        )
    features = json.loads(run("explain", clean, *given, "--json").out)["features"]
    completed = [name for name, feature in features.items() if feature["completed"]]
    assert completed == ([] if added is None else [added.split()[0]])


def test_a_file_and_a_line_together(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text('{"team": "search", "endpoint": "chat", "findings": ["secret.aws"]}')
    assert run("explain", clean, "r.json").out.startswith("local via rest")
    assert run("explain", clean, "r.json", "--given", "findings=").out.startswith("cloud then local via rest")


def test_a_request_from_standard_input(run: Run, clean: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = io.BytesIO(b'{"team": "search", "endpoint": "chat"}')
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given))
    assert run("explain", clean, "-").out.startswith("cloud then local via rest")


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "PD004"),
        (b"[1]", "PD004"),
        (b"\xff\xfe", "PD002"),
        (b'{"team": "\0"}', "PD002"),
        (b'{"taem": "search"}', "PD005"),
        (b'{"team": 3}', "PD006"),
        (b'{"latency": "batch"}', "PD007"),
    ],
)
def test_a_wrong_request_file_is_two_and_named(
    content: bytes, code: str, run: Run, clean: str, tmp_path: Path
) -> None:
    (tmp_path / "r.json").write_bytes(content)
    ran = run("explain", clean, "r.json")
    assert (ran.code, ran.out) == (2, "")
    assert f"error[{code}]" in ran.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("taem=search", "did you mean `team`?"),
        ("team=search latency=bach", "did you mean `batch`?"),
        ("team=search context_needed=lots", "a whole number"),
        ("endpoint=chat", "`team` has to be given"),
    ],
)
def test_a_wrong_line_is_two_and_says_what_was_meant(line: str, said: str, run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", line)
    assert ran.code == 2
    assert said in ran.err


def test_no_request_at_all_names_what_has_to_be_given(run: Run, clean: str) -> None:
    ran = run("explain", clean)
    assert ran.code == 2
    assert "PD007" in ran.err


def test_a_missing_request_file_is_two(run: Run, clean: str) -> None:
    ran = run("explain", clean, "nowhere.json")
    assert ran.code == 2
    assert "error[PD001]" in ran.err


def test_a_policy_with_errors_is_shown_and_not_explained(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    ran = run("explain", "main.policy", "--given", "team=search")
    assert ran.code == 1
    assert "did you mean `guard`?" in ran.out
    assert "via" not in ran.out


def test_a_policy_that_is_not_there_is_two(run: Run) -> None:
    assert run("explain", "nowhere.policy", "--given", "team=search").code == 2


@pytest.mark.parametrize("line", ["tokens=50k context_needed=1k", "date=2026-11-20 weekday=mon"])
def test_a_request_that_cannot_be_is_two(line: str, run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", f"team=search endpoint=chat {line}")
    assert ran.code == 2
    assert "error[PD284] no request is like this" in ran.err


@pytest.mark.parametrize("line", ["tokens=50k", "date=2026-11-20", "weekday=sat", "context_needed=unknown"])
def test_what_follows_from_the_rest_need_not_be_given(line: str, run: Run, clean: str) -> None:
    assert run("explain", clean, "--given", f"team=search endpoint=chat {line}").code == 0


def test_the_witness_of_a_finding_is_a_request_that_explain_takes(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(CLEAN.replace("only location == on_prem", "forbid target == local"))
    checked = run("check", "main.policy")
    assert checked.code == 1
    witness = next(x.split("witness: ", 1)[1] for x in checked.out.splitlines() if "witness: " in x)
    explained = run("explain", "main.policy", "--given", witness)
    assert explained.code == 0


def test_why_not_a_target_names_all_that_stands_in_the_way(run: Run, clean: str) -> None:
    ran = run(
        "explain", clean, "--given", "team=search endpoint=chat findings=secret.aws", "--why-not", "cloud"
    )
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("local via rest\n\nwhy not cloud?\n")
    assert "removed by stays_home: only location == on_prem" in ran.out
    assert 'by findings contains "secret"' in ran.out


def test_the_nearest_request_replays(run: Run, clean: str) -> None:
    line = "team=search endpoint=chat findings=secret.aws"
    ran = run("explain", clean, "--given", line, "--why-not", "cloud", "--nearest")
    assert "nearest request that has cloud as a candidate: 1 feature away" in ran.out
    assert "findings  { secret.aws } → { }  computed from the content" in ran.out
    (command,) = [text.strip() for text in ran.out.splitlines() if "policyd explain" in text]
    again = run(*shlex.split(command)[1:])
    assert again.out.startswith("cloud then local via rest\n")


def test_nearest_alone_is_about_another_outcome(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", "team=search endpoint=chat", "--nearest")
    assert "nearest request that has another outcome: 1 feature away" in ran.out
    assert "why not" not in ran.out
    assert "the caller writes it, in header x-latency" in ran.out


def test_what_no_request_reaches_is_proved_to_be_so(run: Run, clean: str, tmp_path: Path) -> None:
    never = UNTESTED.replace("route rest to cloud, local", "route rest to local")
    (tmp_path / "main.policy").write_text(never)
    ran = run("explain", clean, "--given", "team=search endpoint=chat", "--why-not", "cloud", "--nearest")
    assert ran.code == 0
    assert "no route names it" in ran.out
    assert "no request has cloud as a candidate: proved" in ran.out


def test_json_has_why_not_and_nearest_beside_the_rest(run: Run, clean: str) -> None:
    words = ("--given", "team=search endpoint=chat findings=secret.aws", "--why-not", "cloud", "--nearest")
    document = json.loads(run("explain", clean, *words, "--json").out)
    assert document["decision"]["route"] == "rest"
    assert [cause["name"] for cause in document["why_not"]["removed_by"]] == ["stays_home"]
    near = document["nearest"]
    assert (near["proved"], near["distance"]) == (True, 1)
    assert near["to"] == {"kind": "target", "name": "cloud"}
    assert near["requests"][0]["changes"] == [
        {
            "feature": "findings",
            "from": ["secret", "secret.aws"],
            "to": [],
            "follows": False,
            "provenance": "derived",
            "source": {"kind": "builtin", "key": "findings"},
        }
    ]
    given = near["requests"][0]["request"]["line"]
    again = json.loads(run("explain", clean, "--given", given, "--json").out)
    assert again["decision"]["candidates"] == near["requests"][0]["decision"]["candidates"]


def test_a_question_about_nothing_is_two(run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", "team=search endpoint=chat", "--why-not", "clout")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD012]" in ran.err and "did you mean `cloud`?" in ran.err


def test_not_proved_to_be_the_nearest_is_three(run: Run, clean: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("policyd.cli.explain.BUDGET", Budget(nodes=0, seconds=60.0))
    ran = run(
        "explain", clean, "--given", "team=search endpoint=chat", "--why-not", "route:batch", "--nearest"
    )
    assert ran.code == 3
    assert "the search ran out of its budget" in ran.out


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("main.policy", "r.json", "--sidecar", "http://127.0.0.1:9"),
        ("--sidecar", "http://127.0.0.1:9", "main.policy", "--given", "team=a"),
    ],
)
def test_a_policy_is_named_once(run: Run, words: tuple[str, ...]) -> None:
    ran = run("explain", *words)
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD003]" in ran.err


def test_an_exception_that_has_expired_is_not_in_force(run: Run, clean: str, tmp_path: Path) -> None:
    permitted = CLEAN.replace(
        'because "confidential stays home"', 'overridable by "ciso" because "stays home"'
    )
    over = (
        'except pilot to stays_home when team == "search" until 2020-01-01 owner "ciso" because "a pilot"\n'
    )
    (tmp_path / "main.policy").write_text(permitted.replace("\nroute batch", f"\n{over}route batch"))
    ran = run("explain", clean, "--given", "team=search endpoint=chat findings=secret.aws date=2019-12-31")
    assert ran.out.startswith("local via rest\n")


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ("language=guarani", 'warning[PD237] `language` is never `guarani`: it is a code such as `es`\nhelp: write `language="gn"`'),
        ("findings=custom.legaj", "warning[PD228] no rule of the policy asks for `custom.legaj`, so it changes nothing"),
        ("findings=tax-id.py-rut", "help: did you mean `tax-id.py-ruc`?"),
        ("language=gn findings=tax-id.py-ruc", ""),
    ],
)  # fmt: skip
def test_a_value_that_never_is_is_warned_of(given: str, warned: str, run: Run, clean: str) -> None:
    ran = run("explain", clean, "--given", f"team=search endpoint=chat {given}")
    assert ran.code == 0 and ran.out
    assert warned in ran.err and (warned or not ran.err)


def test_a_name_of_one_s_own_that_is_asked_for_is_not_warned_of(run: Run, tmp_path: Path) -> None:
    (tmp_path / "own.policy").write_text(
        "edition 1\ntarget gpu { location on_prem context 64k speaks chat }\n"
        'guard here only location == on_prem when findings contains "custom.legajo" because "it stays here"\n'
        'route all to gpu\notherwise reject "no"\n'
    )
    assert run("explain", "own.policy", "--given", "findings=custom.legajo.old").err == ""
    assert (
        "did you mean `custom.legajo`?"
        in run("explain", "own.policy", "--given", "findings=custom.legaj").err
    )
