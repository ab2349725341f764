"""`policyd prove`: every outcome with its exit code, its witness and the command that replays it, on files and sidecars."""

import json
import shlex
from pathlib import Path
from typing import Final

import pytest
from jsonschema import Draft202012Validator

from policyd.cli.reading import find_policies
from tests.cli.conftest import CLEAN, LEAK, MISSPELT, Ran, Run

STAYS = "never location == cloud when sensitivity >= confidential"


ROOT: Final = Path(__file__).parents[2]
SCHEMA: Final = Draft202012Validator(json.loads((ROOT / "docs" / "schemas" / "prove-1.json").read_text()))


def claims_of(ran: Ran) -> list[dict[str, object]]:
    document = json.loads(ran.out)
    SCHEMA.validate(document)
    (policy,) = document["policies"]
    return list(policy["claims"])


def test_a_claim_that_holds_is_proved(run: Run, clean: str) -> None:
    ran = run("prove", STAYS, clean)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"proved      {STAYS}\n")
    assert "1 of 1 claim proved" in ran.out


def test_without_a_path_it_is_the_policy_of_this_folder(run: Run, clean: str) -> None:
    ran = run("prove", STAYS)
    assert ran.code == 0
    assert f"\n{clean}: policy " in ran.out


def test_a_claim_that_is_broken_shows_a_request_and_replays_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(LEAK)
    ran = run("prove", STAYS, "main.policy")
    assert ran.code == 1
    assert "refuted     never location == cloud" in ran.out
    assert "`cloud` is a candidate of route `rest`  (main.policy:" in ran.out
    (command,) = [line.strip() for line in ran.out.splitlines() if "policyd explain" in line]
    again = run(*shlex.split(command)[1:])
    assert again.out.startswith("cloud then local via rest\n")
    assert "sensitivity is confidential" in again.out


def test_every_witness_replays_with_the_same_decision(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(LEAK)
    texts = (STAYS, "never rejected", "never target == local when images", "claimed never loosens")
    ran = run("prove", *texts, "--format", "json")
    shown = [claim["witness"] for claim in claims_of(ran) if claim["outcome"] == "refuted"]
    assert len(shown) >= 2
    for witness in shown:
        assert isinstance(witness, dict)
        again = json.loads(run(*shlex.split(witness["replay"])[1:], "--json").out)
        expected = {k: v for k, v in witness["decision"].items() if k not in ("removed", "passed_over")}
        assert again["decision"] == expected


def test_the_quiet_request_replays_too(run: Run, tmp_path: Path) -> None:
    text = CLEAN.replace("string team from identity unknown reject\n", "")
    (tmp_path / "main.policy").write_text(text.replace('team "search", ', ""))
    (claim,) = claims_of(run("prove", "never target == local when endpoint == chat", "--format", "json"))
    witness = claim["witness"]
    assert isinstance(witness, dict)
    assert witness["line"] == ""
    assert run(*shlex.split(witness["replay"])[1:]).code == 0


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        ("never location == cloud when opaque and not opaque", "no request meets its condition"),
        ('never location == cloud when team == "a" and team == "b"', "no request meets its condition"),
        ("never context >= 1M", "no target is what it speaks of"),
    ],
)
def test_a_claim_that_says_nothing_is_no_proof(run: Run, clean: str, claim: str, why: str) -> None:
    ran = run("prove", claim, clean)
    assert ran.code == 1
    assert ran.out.startswith("vacuous     ")
    assert why in ran.out


def test_a_claim_that_cannot_be_finished_is_not_green(run: Run, clean: str) -> None:
    ran = run("prove", STAYS, "never rejected", clean, "--seconds", "0.000001")
    assert ran.code == 3
    assert "not proved  " in ran.out
    assert "2 of 2 claims proved" not in ran.out


@pytest.mark.parametrize(
    ("claim", "code", "said"),
    [
        ("nevr location == cloud", "PD101", "did you mean `never`?"),
        ("never location == clod", "PD222", "did you mean `cloud`?"),
        ("never location == cloud when sensitivty > 3", "PD201", "did you mean `sensitivity`?"),
        ("", "PD107", "a claim is"),
    ],
)
def test_a_claim_that_cannot_be_read_is_two_and_points_into_it(
    run: Run, clean: str, claim: str, code: str, said: str
) -> None:
    ran = run("prove", claim, clean)
    assert (ran.code, ran.out) == (2, "")
    assert "<claim>:1:" in ran.err and f"error[{code}]" in ran.err
    assert said in ran.err


def test_no_claim_is_no_proof(run: Run, clean: str) -> None:
    ran = run("prove", clean)
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD011]" in ran.err


def test_a_policy_with_errors_is_not_asked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    ran = run("prove", STAYS, "main.policy")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean `guard`?" in ran.err


def test_a_policy_that_is_not_there_is_two(run: Run) -> None:
    ran = run("prove", STAYS, "nowhere.policy")
    assert ran.code == 2
    assert "error[PD001]" in ran.err


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("path", ["sp dir/ab.policy", "my main.policy", "sp dir/sub dir"])
def test_a_file_that_is_not_there_is_no_claim(path: str, run: Run) -> None:
    ran = run("prove", STAYS, path)
    assert (ran.code, ran.out) == (2, "")
    assert f"there is no file `{path}`" in ran.err


@pytest.mark.parametrize(
    "claim", ['never target == cloud when team == "a/b"', 'nevr target == cloud when team == "x/y"']
)
def test_a_claim_about_a_path_is_a_claim(claim: str, run: Run, clean: str) -> None:
    assert "there is no file" not in run("prove", claim, clean).err


def test_no_policy_is_read_for_a_claim_that_cannot_be_read(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(MISSPELT)
    ran = run("prove", STAYS, "nevr rejected", "--sidecar", "http://127.0.0.1:1")
    assert (ran.code, ran.out) == (2, "")
    assert "<claim 2>:1:1" in ran.err
    assert "main.policy" not in ran.err and "sidecar" not in ran.err


def test_claims_of_a_file_and_of_the_line_are_each_asked_once(run: Run, clean: str, tmp_path: Path) -> None:
    (tmp_path / "audit.txt").write_text(f"# audit\n{STAYS}\nnever location == cloud\n    when opaque\n")
    ran = run("prove", "--claims", "audit.txt", STAYS, clean, "--format", "json")
    assert ran.code == 0
    assert [c["claim"] for c in claims_of(ran)] == [STAYS, "never location == cloud when opaque"]


def test_the_policies_own_assertions_are_not_asked(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(LEAK)
    ran = run("prove", "never target == local when images")
    assert (ran.code, ran.out.count("\n")) == (0, 2)


def test_what_a_claim_warns_of_is_shown(run: Run, clean: str) -> None:
    ran = run("prove", "never location == cloud when opaque and context_needed >= 0", clean)
    assert ran.code == 0
    assert ran.out.startswith("<claim>:1:41: warning[PD226]")


def test_a_finding_that_no_detector_makes_does_not_contradict_what_refutes_it(run: Run, clean: str) -> None:
    ran = run("prove", 'never location == cloud when findings contains "s"', clean)
    assert "refuted" in ran.out
    assert "only unknown findings meet this, or another version's" in ran.out
    assert "never holds" not in ran.out


def test_another_digest_is_refused(run: Run, clean: str) -> None:
    ran = run("prove", STAYS, clean, "--digest", "0" * 32)
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD010]" in ran.err
    policy = json.loads(run("prove", STAYS, clean, "--format", "json").out)["policies"][0]
    assert run("prove", STAYS, clean, "--digest", policy["digest"].upper()).code == 0


def test_the_digest_does_not_depend_on_the_claim(run: Run, clean: str) -> None:
    ran = run("prove", 'never rejected when user == "a"', clean, "--format", "json")
    explained = json.loads(run("explain", clean, "--given", "team=a", "--json").out)
    assert json.loads(ran.out)["policies"][0]["digest"] == explained["digest"]


def test_two_policies_have_the_worse_code(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.policy").write_text(CLEAN)
    (tmp_path / "b.policy").write_text(LEAK)
    ran = run("prove", STAYS, "a.policy", "b.policy")
    assert ran.code == 1
    assert ran.out.index("proved ") < ran.out.index("refuted ")


def test_nobody_at_the_address_is_two(run: Run) -> None:
    ran = run("prove", STAYS, "--sidecar", "http://127.0.0.1:9")
    assert (ran.code, ran.out) == (2, "")
    assert "error[PD009] cannot ask the sidecar at `http://127.0.0.1:9`: connection refused" in ran.err


@pytest.mark.parametrize(
    "address", ["", "http://", "ftp://127.0.0.1", "http://127.0.0.1:8485/policy", "http://[", "a b"]
)
def test_what_is_no_address_is_two(run: Run, address: str) -> None:
    ran = run("prove", STAYS, "--sidecar", address)
    assert ran.code == 2
    assert "error[PD009]" in ran.err


def test_the_json_is_as_its_schema_says(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(LEAK)
    (tmp_path / "wrong.policy").write_text(MISSPELT)
    texts = (STAYS, "never context >= 1M", "claimed never loosens", "never target == local when images")
    ran = run("prove", *texts, "main.policy", "wrong.policy", "--format", "json")
    document = json.loads(ran.out)
    SCHEMA.validate(document)
    assert (ran.code, document["exit_code"]) == (2, 2)
    assert {c["outcome"] for c in document["policies"][0]["claims"]} == {"proved", "refuted", "vacuous"}


def test_the_text_goes_into_a_file_beside_the_json(run: Run, clean: str, tmp_path: Path) -> None:
    ran = run("prove", STAYS, clean, "--format", "json", "--output", "text=proof.txt")
    assert json.loads(ran.out)["exit_code"] == ran.code == 0
    assert (tmp_path / "proof.txt").read_text().startswith(f"proved      {STAYS}\n")


def test_the_policy_of_a_deployment_is_asked(run: Run) -> None:
    run("init", "gateway")
    ran = run("prove", STAYS, "--deployment", "gateway/policyd.toml")
    assert ran.code == 0
    assert "gateway/main.policy: policy " in ran.out
    assert run("prove", STAYS, "--deployment", "nowhere.toml").code == 2


SHIPPED: Final = tuple(map(Path, find_policies((str(ROOT / "policies"),)).files))
BROAD: Final = (
    "never rejected",
    "never location == cloud",
    "never location == on_prem when opaque",
    "never context < 1G",
)


@pytest.mark.parametrize("policy", SHIPPED, ids=lambda p: p.stem)
def test_what_refutes_a_claim_of_a_shipped_policy_replays(run: Run, policy: Path) -> None:
    refuted = [c for c in claims_of(run("prove", *BROAD, str(policy), "--format", "json")) if c["witness"]]
    assert refuted
    for claim in refuted:
        witness = claim["witness"]
        assert isinstance(witness, dict)
        again = json.loads(run(*shlex.split(witness["replay"])[1:], "--json").out)
        assert again["decision"].items() <= witness["decision"].items()
