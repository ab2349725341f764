"""`--format` and `--output` of `policyd check`: what goes where, in a form that other programs read."""

import contextlib
import io
import json
import os
import stat
import subprocess
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from policyd.cli.check_text import hint_text
from policyd.cli.formats import write_whole
from policyd.cli.main import main
from policyd.cli.output import Style
from policyd.syntax.literals import write_string
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable
from tests.cli.conftest import ASSERTION, CLEAN, DEAD, FAILING, LEAK, MISSPELT, TESTS, Run

ROOT: Final = Path(__file__).parents[2]
FORMATS: Final = ("json", "sarif", "github", "junit")
SCHEMAS: Final = {
    "json": Draft202012Validator(
        json.loads((ROOT / "docs/schemas/check-1.json").read_text()), format_checker=FormatChecker()
    ),
    "sarif": Draft7Validator(
        json.loads((ROOT / "tests/data/sarif/sarif-schema-2.1.0.json").read_text()),
        format_checker=FormatChecker(),
    ),
}
POLICIES: Final = {
    "clean": CLEAN,
    "leak": LEAK,
    "dead": DEAD,
    "failing": FAILING,
    "misspelt": MISSPELT,
    "suppressed": DEAD + 'suppress PD305 on late until 2099-06-30 because "kept, ::error::for now"\n',
}


def document(text: str) -> dict[str, Any]:
    read = json.loads(text)
    SCHEMAS["json"].validate(read)
    return dict(read)


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    for name, text in POLICIES.items():
        (tmp_path / f"{name}.policy").write_text(text)
    return tmp_path


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("policies")
def test_every_format_is_valid_and_the_exit_code_is_the_same(form: str, run: Run) -> None:
    for name in POLICIES:
        path = f"{name}.policy"
        plain = run("check", path)
        ran = run("check", "--format", form, path)
        assert (ran.code, ran.err) == (plain.code, plain.err)
        if form == "junit":
            ElementTree.fromstring(ran.out)
        elif form != "github":
            SCHEMAS[form].validate(json.loads(ran.out))


def test_json_says_all_that_is_known(run: Run, policies: Path) -> None:
    read = document(run("check", "--format", "json", str(policies.relative_to(Path.cwd()))).out)
    assert read["exit_code"] == 1
    told = {p["path"]: p for p in read["policies"]}
    assert {path: p["verdict"] for path, p in told.items()} == {
        "clean.policy": "ok",
        "leak.policy": "findings",
        "dead.policy": "findings",
        "failing.policy": "findings",
        "misspelt.policy": "findings",
        "suppressed.policy": "ok",
    }
    clean = told["clean.policy"]
    assert clean["assertions"][0]["state"] == "proved"
    assert [t["passed"] for t in clean["tests"]] == [True, True]
    assert clean["counts"]["routes"] == 2
    assert told["leak.policy"]["assertions"][0]["state"] == "broken"
    assert told["misspelt.policy"]["digest"] is None
    assert [f["code"] for f in told["dead.policy"]["findings"] if f["severity"] == "warning"] == ["PD305"]
    (suppressed,) = told["suppressed.policy"]["suppressed"]
    assert suppressed["code"] == "PD305"
    assert suppressed["subject"] == "late"
    assert suppressed["suppression"]["until"] == "2099-06-30"
    assert told["suppressed.policy"]["counts"]["suppressed"] == 1
    (failed,) = [t for t in told["failing.policy"]["tests"] if not t["passed"]]
    assert failed["name"] == "a secret stays"
    assert failed["decision"]["route"] == "rest"


def test_a_witness_can_be_explained_as_a_line_and_as_json(run: Run, policies: Path) -> None:
    (policies / "request.json").write_text("{}")
    read = document(run("check", "--format", "json", "leak.policy").out)
    shown = [f["witness"] for f in read["policies"][0]["findings"] if f["witness"] is not None]
    assert len(shown) >= 2
    for witness in shown:
        (policies / "request.json").write_text(json.dumps(witness["given"]))
        by_line = run("explain", "leak.policy", "--given", witness["line"], "--json")
        by_json = run("explain", "leak.policy", "request.json", "--json")
        assert by_line.out == by_json.out
        decided = json.loads(by_line.out)["decision"]
        assert decided.items() <= witness["decision"].items()


def test_unreadable_files_are_in_every_format_and_on_standard_error(run: Run, clean: str) -> None:
    for form in FORMATS:
        ran = run("check", "--format", form, "nowhere.policy", clean)
        assert ran.code == 2
        assert "error[PD001]" in ran.err
        assert "PD001" in ran.out
        assert "nowhere.policy" in ran.out


def test_a_folder_without_policies_has_a_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    log = json.loads(run("check", "--format", "sarif", "empty").out)["runs"][0]
    (result,) = log["results"]
    assert result["ruleId"] == "PD003"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "empty"


def test_paths_are_those_of_the_repository(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "main.policy").write_text(DEAD)
    monkeypatch.chdir(tmp_path / "gateway")
    out = run("check", "--format", "github", "--no-notes", "main.policy").out
    assert out.startswith("::warning file=gateway/main.policy,line=")
    log = json.loads(run("check", "--format", "sarif", "main.policy").out)["runs"][0]
    uris = {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in log["results"]}
    assert uris == {"gateway/main.policy"}


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.usefixtures("policies")
def test_notes_can_be_left_out_of_every_format(form: str, run: Run) -> None:
    assert "PD306" in findings_part(form, run("check", "--format", form, "dead.policy").out)
    assert "PD306" not in findings_part(form, run("check", "--format", form, "--no-notes", "dead.policy").out)


def findings_part(form: str, text: str) -> str:
    return text if form != "sarif" else json.dumps(json.loads(text)["runs"][0]["results"])


@pytest.mark.usefixtures("policies")
def test_quiet_is_about_text_only(run: Run) -> None:
    assert run("check", "--quiet", "--format", "json", "clean.policy").out == run("check", "--format", "json", "clean.policy").out  # fmt: skip


# Where it goes.


def test_files_are_written_beside_the_text(run: Run, policies: Path) -> None:
    plain = run("check", "leak.policy")
    ran = run("check", "--output", "sarif=check.sarif", "--output", "junit=check.xml", "leak.policy")
    assert ran.code == plain.code == 1
    assert ran.out.split("proved,")[0] == plain.out.split("proved,")[0]
    SCHEMAS["sarif"].validate(json.loads((policies / "check.sarif").read_text()))
    assert ElementTree.parse(policies / "check.xml").getroot().tag == "testsuites"


def test_a_file_without_a_format_takes_that_of_the_format_flag(run: Run, policies: Path) -> None:
    ran = run("check", "--format", "json", "--output", "check.json", "leak.policy")
    assert "error[PD301]" in ran.out
    document((policies / "check.json").read_text())


def test_a_file_and_standard_output_may_both_be_for_machines(run: Run, policies: Path) -> None:
    ran = run("check", "--format", "github", "--output", "json=check.json", "leak.policy")
    assert ran.out.startswith("::")
    document((policies / "check.json").read_text())


def test_text_can_go_into_a_file(run: Run, policies: Path) -> None:
    ran = run("check", "--output", "all.txt", "leak.policy")
    assert (policies / "all.txt").read_text().split("proved,")[0] == ran.out.split("proved,")[0]


@pytest.mark.parametrize("wrong", ["xml=x.txt", "jsn=x.txt", "=x.txt"])
def test_a_mistyped_format_is_not_the_name_of_a_file(wrong: str, run: Run, policies: Path) -> None:
    before = sorted(policies.iterdir())
    ran = run("check", "--output", wrong, "clean.policy")
    assert (ran.code, ran.out) == (2, "")
    assert "is no format: choose from text, json, sarif, github, junit" in ran.err
    assert f"`text={wrong}`" in ran.err
    assert sorted(policies.iterdir()) == before


@pytest.mark.parametrize(
    ("words", "name"),
    [("text=xml=x.txt", "xml=x.txt"), ("./x=y.txt", "x=y.txt"), ("json=a=b.json", "a=b.json")],
)
def test_a_file_may_have_an_equals_sign_in_its_name(words: str, name: str, run: Run, policies: Path) -> None:
    assert run("check", "--output", words, "clean.policy").code == 0
    assert (policies / name).exists()


def test_a_file_that_cannot_be_written_is_two_and_leaves_nothing(run: Run, policies: Path) -> None:
    ran = run("check", "--output", "json=missing/check.json", "clean.policy")
    assert ran.code == 2
    assert "cannot write `missing/check.json`" in ran.err
    assert "clean.policy: ok" in ran.out
    assert not [p.name for p in policies.iterdir() if p.name.startswith(".policyd-")]


@pytest.mark.parametrize("words", [("--output", ""), ("--output", "json="), ("--format", "yaml")])
def test_wrong_flags_are_usage(words: tuple[str, str], run: Run, clean: str) -> None:
    assert run("check", *words, clean).code == 2


def test_a_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    old = tmp_path / "check.json"
    old.write_text("old")
    old.chmod(0o640)
    assert write_whole(str(old), "new") is None
    assert old.read_text() == "new"
    assert stat.S_IMODE(old.stat().st_mode) == 0o640


def test_a_new_file_gets_the_mode_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "by_open").write_text("")
    assert write_whole(str(tmp_path / "by_us"), "new") is None
    assert (tmp_path / "by_us").stat().st_mode == (tmp_path / "by_open").stat().st_mode


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to("real")
    assert write_whole(str(tmp_path / "link"), "new") is None
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


def test_a_device_is_written_to_and_stays(tmp_path: Path) -> None:
    assert write_whole(os.devnull, "gone") is None
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert write_whole(str(tmp_path / "a\0b"), "x") is not None


def test_hostile_words_stay_in_their_place(run: Run, tmp_path: Path) -> None:
    (tmp_path / "::error file=x::y.policy").write_text(DEAD.replace("late", "Late"))
    out = run("check", "--format", "github", ".").out
    assert all(
        line.startswith(("::warning file=%3A%3Aerror", "::notice file=%3A%3Aerror"))
        for line in out.splitlines()
    )


# The hint.


def diagnostics(*codes: str) -> list[Diagnostic]:
    return [Diagnostic(c, Severity.WARNING if c == "PD305" else Severity.ERROR, "", None) for c in codes]


@pytest.mark.parametrize(
    ("codes", "hint"),
    [
        ((), ""),
        (("PD305",), "`policyd rule PD305` explains it\n"),
        (("PD305", "PD301", "PD301"), "`policyd rule PD301 PD305` explains them\n"),
    ],
)
def test_the_hint_names_the_worst_first(codes: tuple[str, ...], hint: str) -> None:
    assert hint_text(diagnostics(*codes), Style(colour=False)) == hint


def test_a_note_needs_no_hint() -> None:
    assert hint_text([Diagnostic("PD306", Severity.NOTE, "", None)], Style(colour=False)) == ""


@pytest.mark.usefixtures("policies")
def test_no_hint_without_a_terminal(run: Run) -> None:
    assert "policyd rule" not in run("check", "leak.policy").out


def test_each_assertion_has_its_state(run: Run, tmp_path: Path) -> None:
    second = ASSERTION.replace("confidential_stays_home", "again")
    (tmp_path / "main.policy").write_text(CLEAN + second)
    read = document(run("check", "--format", "json", "main.policy").out)
    assert [a["state"] for a in read["policies"][0]["assertions"]] == ["proved", "proved"]
    (tmp_path / "main.policy").write_text(CLEAN.replace("latency == batch", "latency == bach"))
    read = document(run("check", "--format", "json", "main.policy").out)
    assert {a["state"] for p in read["policies"] for a in p["assertions"]} <= {"unchecked"}


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_terminal_gets_the_hint_once(policies: Path) -> None:
    assert on_a_terminal(policies, "check", ".").count("`policyd rule PD") == 1
    assert "`policyd rule" not in on_a_terminal(policies, "check", "--quiet", ".")
    assert "`policyd rule" not in on_a_terminal(policies, "check", "clean.policy")


def on_a_terminal(folder: Path, *words: str) -> str:
    """What a command writes to a terminal."""
    master, slave = os.openpty()
    command = subprocess.Popen(
        [sys.executable, "-m", "policyd", *words], cwd=folder, stdout=slave, stdin=slave
    )
    os.close(slave)
    written = b""
    with contextlib.suppress(OSError):  # Linux says EIO where everything was read
        while part := os.read(master, 65536):
            written += part
    os.close(master)
    assert command.wait() in {0, 1}
    return written.decode()


# Whatever is in a policy.


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.reuse, Phase.generate))
@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30), st.sampled_from(FORMATS))
def test_words_of_a_policy_are_data_in_every_format(words: str, form: str) -> None:
    text = LEAK.replace('"no model may take this"', write_string(words)) + TESTS.replace(
        '"a chat goes out"', write_string(words)
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "main.policy"
        path.write_text(text)
        written = io.StringIO()
        with contextlib.redirect_stdout(written):
            assert main(("check", "--format", form, str(path))) == 1
    out = written.getvalue()
    if form == "junit":
        (name, _) = [
            c.attrib["name"]
            for c in ElementTree.fromstring(out).iter("testcase")
            if c.attrib["classname"].endswith("tests")
        ]
        assert name.startswith(printable(unicodedata.normalize("NFC", words))[:1])
    elif form == "github":
        assert all(line.startswith(("::error file=", "::notice file=")) for line in out.splitlines())
    else:
        SCHEMAS[form].validate(json.loads(out))
    if form == "json":
        assert json.loads(out)["policies"][0]["tests"][0]["name"] == unicodedata.normalize("NFC", words)


# Tests alone.


@pytest.mark.parametrize("form", FORMATS)
def test_the_formats_of_test_are_valid_and_the_exit_code_is_the_same(
    form: str, run: Run, policies: Path
) -> None:
    for path in (*(p.name for p in sorted(policies.iterdir())), "nowhere.policy"):
        ran = run("test", "--format", form, path)
        assert ran.code == run("test", path).code
        if form == "junit":
            ElementTree.fromstring(ran.out)
        elif form != "github":
            SCHEMAS[form].validate(json.loads(ran.out))


@pytest.mark.usefixtures("policies")
def test_a_failed_test_is_a_failed_case(run: Run) -> None:
    root = ElementTree.fromstring(run("test", "--format", "junit", "failing.policy").out)
    failed = {c.attrib["name"] for c in root.iter("testcase") if c.find("failure") is not None}
    assert failed == {"a secret stays"}
    assert run("test", "--format", "github", "failing.policy").out.startswith("::error file=")


@pytest.mark.parametrize("form", FORMATS)
def test_what_cannot_be_read_is_in_every_format_of_test(form: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "PD001" in findings_part(form, run("test", "--format", form, "nowhere.policy").out)
    assert "PD003" in findings_part(form, run("test", "--format", form, "empty").out)
