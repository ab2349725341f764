"""Commands over policies whose routes redact: what a comparison calls looser, what an explanation names, what a test notices."""

import json
from itertools import permutations
from pathlib import Path
from typing import Final

import pytest

from policyd.resolve.load import load
from tests.cli.conftest import Run

SHIPPED: Final = Path(__file__).parents[2] / "policies" / "redacted.policy"
POLICY: Final = """edition 1
level sensitivity {{ internal < confidential }}
classify sensitivity {{
    starts at internal
    at least confidential when opaque or findings contains any {{ "secret", "iban" }}
}}
target rack {{ location on_prem context 128k speaks chat, messages }}
target claude {{ location cloud context 200k speaks chat, messages }}
guard stays_home only location == on_prem when sensitivity >= confidential because "DLP-7"
route out to claude {}
route at_home to rack
otherwise reject "no target may serve this request"
"""
FORMS: Final = {
    "nothing": "",
    "a key": "with redact(secret.aws)",
    "keys": "with redact(secret)",
    "more": "with redact(secret, iban)",
    "restored": "with redact(secret) restored",
    "after": "with redact(secret) after redaction",
    "restored after": "with redact(secret) restored after redaction",
    "more after": "with redact(secret, iban) after redaction",
}
ORDER: Final = ("nothing", "a key", "keys", "more")
"""Each takes out more than the one before."""


@pytest.mark.parametrize(("old", "new"), list(permutations(FORMS, 2)))
def test_less_taken_out_is_looser_and_so_is_less_to_see(old: str, new: str, run: Run, tmp_path: Path) -> None:
    for name, form in (("old", old), ("new", new)):
        (tmp_path / f"{name}.policy").write_text(POLICY.format(FORMS[form]))
    less = _taken(new) < _taken(old)
    opens = _blinding(new) - _blinding(old)
    ran = run("diff", "old.policy", "new.policy")
    assert (ran.code == 4) == bool(less or opens), ran.out
    if less:
        assert "may get requests with less taken out" in ran.out
    if opens and not less:
        assert "`stays_home` removed `claude with redact(" in ran.out
    if (_taken(old), _blinding(old)) == (_taken(new), _blinding(new)):
        assert ran.code == 1 and "re-routed" in ran.out
        assert "looser" not in ran.out and "tighter" not in ran.out
    elif ran.code != 4:
        assert "tighter" in ran.out


def _taken(form: str) -> int:
    return ORDER.index(
        {"restored": "keys", "after": "keys", "restored after": "keys", "more after": "more"}.get(form, form)
    )


def _blinding(form: str) -> set[str]:
    """What guards do not see."""
    hidden = {"after": {"secret"}, "restored after": {"secret"}, "more after": {"secret", "iban"}}
    return hidden.get(form, set())


@pytest.mark.parametrize("form", ["with redact(secret)", "with redact(secret) after redaction"])
def test_what_is_put_back_into_answers_opens_nothing(form: str, run: Run, tmp_path: Path) -> None:
    claim = 'assert keys never location == cloud and not redacts contains "secret" when findings contains "secret"\n'
    for name, said in (("old", form), ("new", form.replace(")", ") restored"))):
        (tmp_path / f"{name}.policy").write_text(POLICY.format(said) + claim)
    for pair in (("old.policy", "new.policy"), ("new.policy", "old.policy")):
        ran = run("diff", *pair, "--deny-new", "location == cloud")
        assert ran.code == 1, ran.out
        assert "1 re-routed" in ran.out and "answers" in ran.out and "claims" not in ran.out


def test_a_changed_redaction_is_told_in_words(run: Run, tmp_path: Path) -> None:
    (tmp_path / "old.policy").write_text(POLICY.format("with redact(secret, iban) restored"))
    (tmp_path / "new.policy").write_text(POLICY.format("with redact(secret, card-number) after redaction"))
    out = run("diff", "old.policy", "new.policy").out
    for said in (
        "route `out` no longer redacts `iban`",
        "route `out` redacts `card-number` now",
        "route `out` decides after redaction now",
        "route `out` no longer puts what it redacts back into answers",
    ):
        assert said in out
    assert "is new" not in out and "is gone" not in out


def test_a_policy_that_redacts_means_the_same_as_itself(run: Run, tmp_path: Path) -> None:
    for name in ("old", "new"):
        (tmp_path / f"{name}.policy").write_text(POLICY.format(FORMS["more after"]))
    ran = run("diff", "old.policy", "new.policy")
    assert ran.code == 0, ran.out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param("findings=secret.aws", ["claude via cleaned with redact(card-number, secret)"], id="taken out"),
        pytest.param(
            "findings=secret.aws unredactable=secret.aws",
            ["claude  removed by redacts", "`secret` cannot be taken out of the request where it stands"], id="stuck",
        ),
        pytest.param("findings=unknown", ["claude  removed by stays_home and redacts"], id="unknown"),
        pytest.param(
            "findings=iban",
            ["cleaned  passed over, no target was left, with redact(card-number, secret)", "claude  removed by stays_home"],
            id="what stays",
        ),
    ],
)  # fmt: skip
def test_an_explanation_names_plain_targets(given: str, said: list[str], run: Run) -> None:
    ran = run("explain", str(SHIPPED), "--given", f"team=search endpoint=chat {given}")
    assert ran.code == 0
    assert "claude with redact" not in ran.out
    for text in said:
        assert text in ran.out


def test_an_explanation_says_what_guards_see_of_the_rest(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(POLICY.format(FORMS["after"]))
    for given, seen in (
        ("findings=secret.aws", "no finding, sensitivity internal (as it came: confidential)"),
        ("findings=secret.aws,iban", "findings { iban }, sensitivity confidential"),
        ("findings=unknown", "every finding that is not taken out, sensitivity confidential"),
    ):
        assert f"    guards see  {seen}\n" in run("explain", "main.policy", "--given", given).out
    route = json.loads(run("explain", "main.policy", "--given", "findings=secret.aws,iban", "--json").out)[
        "routes"
    ][0]
    assert route["guards_see"] == {"findings": ["iban"], "levels": {"sensitivity": "confidential"}}
    (tmp_path / "main.policy").write_text(POLICY.format(FORMS["keys"]))
    assert "guards see" not in run("explain", "main.policy", "--given", "findings=secret.aws").out


def test_why_a_target_is_none_is_asked_of_all_its_forms(run: Run) -> None:
    words = ("--given", "team=search endpoint=chat findings=secret.aws unredactable=secret.aws")
    ran = run("explain", str(SHIPPED), *words, "--why-not", "claude", "--nearest")
    assert "removed by redacts: `secret` cannot be taken out" in ran.out
    assert "unredactable  { secret.aws } → { }" in ran.out
    ran = run("explain", str(SHIPPED), "--given", "team=search findings=secret.aws", "--why-not", "claude")
    assert "claude via cleaned" in ran.out


def test_documents_name_plain_targets_and_the_redaction(run: Run) -> None:
    given = ("--given", "team=search endpoint=chat findings=secret.aws", "--json")
    decision = json.loads(run("explain", str(SHIPPED), *given).out)["decision"]
    assert decision["candidates"] == [{"pick": "order", "targets": ["claude"]}]
    assert decision["redaction"] == "redact(card-number, secret) restored after redaction"
    at_home = ("--given", "team=search endpoint=chat findings=iban", "--json")
    assert "redaction" not in json.loads(run("explain", str(SHIPPED), *at_home).out)["decision"]


def test_mistakes_in_a_redaction_are_noticed(run: Run, tmp_path: Path) -> None:
    ran = run("test", "--mutate", str(SHIPPED))
    assert ran.code == 0, ran.out
    without = (
        SHIPPED.read_text().split("assert secrets")[0]
        + SHIPPED.read_text()[SHIPPED.read_text().index("test ") :]
    )
    (tmp_path / "bare.policy").write_text(without.replace(" after redaction", ""))
    out = run("test", "--mutate", "bare.policy").out
    assert (
        "no test and no assertion notices that `card-number` is no longer redacted in route `cleaned`" in out
    )
    assert "no test and no assertion notices that the redaction was dropped in route `cleaned`" in out


def test_a_proposed_test_notices_what_is_no_longer_taken_out(run: Run, tmp_path: Path) -> None:
    policy = POLICY.format(FORMS["restored after"])
    (tmp_path / "bare.policy").write_text(policy)
    out = run("test", "--mutate", "bare.policy").out
    assert "the redaction was dropped" in out and "one request does not show" not in out
    shown = out.split("a test that would notice:\n")[1:]
    tests = [
        "\n".join(x for x in part.splitlines() if x.startswith("    "))[: part.index("help:")]
        for part in shown
    ]
    assert any("via out with redact(secret)" in test for test in tests)
    tested = (
        policy + 'test "keys" given { findings { "secret.aws" } } expect claude via out with redact({})\n'
    )
    for names, code in (
        ("secret", 0),
        ("secret.aws", 1),
        ("secret, iban", 1),
        ("secret) restored after redaction #", 0),
    ):
        (tmp_path / "tested.policy").write_text(tested.replace("redact({})", f"redact({names})"))
        assert run("test", "tested.policy").code == code, names


def test_a_table_says_what_is_taken_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "main.policy").write_text(POLICY.format(FORMS["after"]) + 'tests from "cases.csv"\n')
    (tmp_path / "cases.csv").write_text("name,expect,via,redact\na,claude,out,secret\n")
    assert run("test", "main.policy").code == 0
    (tmp_path / "cases.csv").write_text('name,expect,via,redact\na,claude,out,"secret, iban"\n')
    ran = run("test", "main.policy")
    assert ran.code == 1
    assert "expected redact(iban, secret), but redact(secret) after redaction" in ran.out + ran.err


def test_generated_tests_name_plain_targets(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bare.policy").write_text(POLICY.format(FORMS["after"]))
    ran = run("test", "--generate", "bare.policy")
    assert "via out with redact(secret)" in ran.out and "claude with" not in ran.out
    (tmp_path / "more.policy").write_text(POLICY.format(FORMS["after"]) + ran.out)
    assert load(tmp_path / "more.policy").program is not None
    assert run("test", "--coverage", "--minimum", "100", "more.policy").code == 0
