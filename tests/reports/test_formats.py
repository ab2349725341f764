"""Every format, whatever the words in it: valid, complete, and with no markup or command of an author's making."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft7Validator, Draft202012Validator, FormatChecker

from policyd.policy.decision import Candidates, Plan
from policyd.reports.annotations import annotations
from policyd.reports.document import run_json
from policyd.reports.junit import junit_text
from policyd.reports.model import Claim, Entry, PolicyReport, Run, Shown, Suppression, Trial
from policyd.reports.places import Base
from policyd.reports.sarif import MOST_RESULTS, Page, sarif_text
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source, Span
from tests.reports.hostile import RUNS

ROOT: Final = Path(__file__).parents[2]
BASE: Final = Base("/repository/policies", "/repository")
PAGES: Final = {code: Page("What it means.", "Long.", "Long.") for code in CODES}
SCHEMA: Final = json.loads((ROOT / "docs" / "schemas" / "check-1.json").read_text())
ARBITRARY: Final = settings(
    max_examples=60,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow],
)


@cache
def sarif_schema() -> Draft7Validator:
    return Draft7Validator(json.loads((ROOT / "tests/data/sarif/sarif-schema-2.1.0.json").read_text()), format_checker=FormatChecker())  # fmt: skip


def sarif_of(run: Run) -> dict[str, Any]:
    """The log, once it is valid."""
    log = json.loads(sarif_text(run, base=BASE, pages=PAGES))
    assert [f"{'/'.join(map(str, e.path))}: {e.message}" for e in sarif_schema().iter_errors(log)] == []
    return dict(log)


def results_of(run: Run) -> list[dict[str, Any]]:
    return list(sarif_of(run)["runs"][0]["results"])


def found(
    code: str, message: str, span: Span | None = None, *, severity: Severity = Severity.ERROR
) -> Diagnostic:
    return Diagnostic(code, severity, message, span, "help")


def run_of(*entries: Entry, suppressed: tuple[Entry, ...] = (), **parts: Any) -> Run:
    return Run(
        "check",
        "0.1.0",
        1,
        (PolicyReport("main.policy", "0" * 32, "findings", 1, entries, suppressed, **parts),),
    )


def place(text: str, at: str, name: str = "main.policy") -> Span:
    start = text.index(at)
    return Span(Source(name, text), start, start + len(at))


# Whatever the words.


@ARBITRARY
@given(RUNS)
def test_json_is_valid_against_its_schema(run: Run) -> None:
    text = run_json(run)
    assert text.isascii()
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(json.loads(text))


@ARBITRARY
@given(RUNS)
def test_sarif_is_valid_against_its_schema_and_keeps_what_github_asks_for(run: Run) -> None:
    results = results_of(run)
    assert len(results) == len(list(run.all_entries()))
    for result in results:
        assert result["locations"], "GitHub shows no result without a place"
        text = result["message"]["text"] + "."
        assert text.splitlines() == text.split("\n"), "a hidden character"
        assert "](" not in result["message"]["text"]
        for location in [*result["locations"], *result.get("relatedLocations", [])]:
            artifact = location["physicalLocation"]["artifactLocation"]
            assert re.fullmatch(r"(file:///)?[A-Za-z0-9._~%/-]*", artifact["uri"])
            assert ("uriBaseId" in artifact) != artifact["uri"].startswith("file:")


@ARBITRARY
@given(RUNS)
def test_xml_can_be_read_and_counts_what_it_holds(run: Run) -> None:
    root = ElementTree.fromstring(junit_text(run))
    assert root.tag == "testsuites"
    for suite in root:
        check_suite(suite)
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.attrib[name]) == sum(int(suite.attrib[name]) for suite in root)


def check_suite(suite: ElementTree.Element) -> None:
    """What the schemas of JUnit XML in use agree on."""
    assert suite.tag == "testsuite"
    cases = [child for child in suite if child.tag == "testcase"]
    assert [child.tag for child in suite] in (
        ["testcase"] * len(cases),
        ["testcase"] * len(cases) + ["system-out"],
    )
    assert int(suite.attrib["tests"]) == len(cases)
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[attribute]) == sum(case.find(tag) is not None for case in cases)
    seen = set()
    for case in cases:
        assert {"name", "classname", "file"} <= set(case.attrib) <= {"name", "classname", "file", "line"}
        assert len(case) <= 1
        assert all(set(child.attrib) <= {"type", "message"} for child in case)
        seen.add((case.attrib["classname"], case.attrib["name"]))
    assert len(seen) == len(cases), "CI systems tell cases apart by class and name"


@ARBITRARY
@given(RUNS)
def test_every_annotation_is_one_line_and_one_command(run: Run) -> None:
    text = annotations(run, base=BASE)
    lines = text.split("\n")[:-1]
    assert text.splitlines() == lines, "a character that a reader takes for the end of a line"
    assert len(lines) == sum(e.suppression is None for e in run.all_entries())
    for line, entry in zip(lines, (e for e in run.all_entries() if e.suppression is None), strict=True):
        command, properties, message = read_command(line)
        severity = {"error": "error", "warning": "warning", "notice": "note"}[command]
        assert severity == entry.diagnostic.severity
        assert set(properties) <= {"file", "line", "endLine", "col", "endColumn", "title"}
        assert properties["title"] == f"{entry.diagnostic.code}: {CODES[entry.diagnostic.code].title}"
        assert message.count("\n") == len(entry.diagnostic.details) + (entry.diagnostic.help is not None)


def read_command(line: str) -> tuple[str, dict[str, str], str]:
    """As the runner reads a line: up to the second `::` a command and its properties, the rest is its message."""
    assert line.startswith("::")
    head, _, message = line.removeprefix("::").partition("::")
    command, _, rest = head.partition(" ")
    properties = dict(part.split("=", 1) for part in rest.split(","))
    return command, {k: unescaped(v, True) for k, v in properties.items()}, unescaped(message, False)


def unescaped(text: str, prop: bool) -> str:
    for code, ch in (("%3A", ":"), ("%2C", ",")) if prop else ():
        text = text.replace(code, ch)
    return text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


# What each format says.


def test_a_place_is_the_same_in_every_format() -> None:
    span = place("é😀 first\nsecond here\n", "second here")
    run = run_of(Entry(found("PD305", "dead", span), "main.policy"))
    region = results_of(run)[0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 1, "endLine": 2, "endColumn": 12}
    assert "line=2,endLine=2,col=1,endColumn=12" in annotations(run, base=BASE)
    where = json.loads(run_json(run))["policies"][0]["findings"][0]["place"]
    assert where == {"path": "main.policy", "line": 2, "column": 1, "end_line": 2, "end_column": 12}


def test_columns_are_characters() -> None:
    span = place("é😀 first", "first")
    log = sarif_of(run_of(Entry(found("PD305", "dead", span), "main.policy")))["runs"][0]
    assert log["columnKind"] == "unicodeCodePoints"
    assert log["results"][0]["locations"][0]["physicalLocation"]["region"]["startColumn"] == 4


def test_several_lines_have_no_columns_in_an_annotation() -> None:
    run = run_of(Entry(found("PD305", "dead", place("one\ntwo", "one\ntwo")), "main.policy"))
    line = annotations(run, base=BASE)
    assert "line=1,endLine=2,title" in line
    assert "col=" not in line


@pytest.mark.parametrize(
    ("path", "uri", "relative"),
    [
        ("main.policy", "policies/main.policy", True),
        ("../top.policy", "top.policy", True),
        ("a b%/ü:1.policy", "policies/a%20b%25/%C3%BC%3A1.policy", True),
        ("/elsewhere/x.policy", "file:///elsewhere/x.policy", False),
        ("../../x.policy", "file:///x.policy", False),
        ("..names/x.policy", "policies/..names/x.policy", True),
    ],
)
def test_paths_are_those_of_the_repository(path: str, uri: str, relative: bool) -> None:
    assert BASE.uri(path) == (uri, relative)
    assert unquote(uri).removeprefix("file://") == BASE.path(path)


def fingerprints(*entries: Entry) -> list[str]:
    return [r["partialFingerprints"]["policydFinding/v1"] for r in results_of(run_of(*entries))]


def test_a_finding_stays_the_same_when_lines_move() -> None:
    def at(text: str) -> Entry:
        message = f"`x` is declared twice, first at main.policy:{text.count(chr(10)) + 1}:3"
        return Entry(found("PD202", message, place(text, "x")), "main.policy")

    assert fingerprints(at("x")) == fingerprints(at("\n\n  x"))
    assert fingerprints(at("x")) != fingerprints(
        Entry(found("PD202", "`y` is declared twice"), "main.policy")
    )


def test_a_subject_outweighs_the_message() -> None:
    one = Entry(found("PD301", "broken: a is a candidate"), "main.policy", "stays_home")
    other = Entry(found("PD301", "broken: b is a candidate"), "main.policy", "stays_home")
    assert fingerprints(one) == fingerprints(other)
    assert fingerprints(one) != fingerprints(Entry(one.diagnostic, "main.policy", "another"))
    assert fingerprints(one) != fingerprints(Entry(one.diagnostic, "other.policy", "stays_home"))


def test_findings_alike_have_fingerprints_of_their_own() -> None:
    entry = Entry(found("PD101", "unexpected text"), "main.policy")
    assert len(set(fingerprints(entry, entry, entry))) == 3


def test_a_suppressed_finding_is_in_sarif_with_its_reason_and_nowhere_counts() -> None:
    by = Suppression("kept for the audit", "2026-12-31", place("suppress", "suppress"))
    entry = Entry(found("PD305", "dead", severity=Severity.WARNING), "main.policy", suppression=by)
    run = run_of(suppressed=(entry,))
    (result,) = results_of(run)
    assert result["suppressions"][0]["kind"] == "inSource"
    assert result["suppressions"][0]["justification"] == "kept for the audit (until 2026-12-31)"
    assert annotations(run, base=BASE) == ""
    root = ElementTree.fromstring(junit_text(run))
    assert (root.attrib["failures"], root.attrib["skipped"]) == ("0", "1")
    policy = json.loads(run_json(run))["policies"][0]
    assert policy["findings"] == []
    assert policy["suppressed"][0]["suppression"]["until"] == "2026-12-31"


def test_a_result_that_counts_has_no_suppression() -> None:
    assert results_of(run_of(Entry(found("PD305", "dead"), "main.policy")))[0]["suppressions"] == []


def test_a_witness_is_in_json_and_in_sarif() -> None:
    shown = Shown(
        (("team", "a b"), ("findings", frozenset({"secret"}))),
        Plan("rest", (Candidates("order", ("t",)),)),
        "goes to t",
    )
    run = run_of(Entry(found("PD301", "broken"), "main.policy", "a", shown))
    expected = {
        "given": {"team": "a b", "findings": ["secret"]},
        "line": 'team="a b" findings=secret',
        "outcome": "goes to t",
    }
    for witness in (
        json.loads(run_json(run))["policies"][0]["findings"][0]["witness"],
        results_of(run)[0]["properties"]["witness"],
    ):
        assert expected.items() <= witness.items()
        assert witness["decision"]["route"] == "rest"


def cases_of(run: Run) -> Iterator[tuple[str, str, str | None]]:
    for case in ElementTree.fromstring(junit_text(run)).iter("testcase"):
        yield case.attrib["classname"], case.attrib["name"], case[0].tag if len(case) else None


def test_assertions_and_tests_are_cases_and_take_their_findings() -> None:
    span = place('test "t"', '"t"')
    run = run_of(
        Entry(found("PD301", "assertion `a` is broken"), "main.policy", "a"),
        Entry(found("PD302", "assertion `b` is not proved"), "main.policy", "b", unfinished=True),
        Entry(found("PD402", "test `t` fails", span), "main.policy"),
        Entry(found("PD305", "dead", severity=Severity.WARNING), "main.policy"),
        Entry(found("PD306", "hole", severity=Severity.NOTE), "main.policy"),
        claims=(Claim("a", "…", "broken", None), Claim("b", "…", "not proved", None), Claim("c", "…", "proved", None), Claim("d", "…", "unchecked", None)),
        trials=(Trial("t", (), "only x", ("expected x",), None, span), Trial("u", (), "only x", (), None, None)),
    )  # fmt: skip
    assert list(cases_of(run)) == [
        ("main.policy assertions", "a", "failure"),
        ("main.policy assertions", "b", "error"),
        ("main.policy assertions", "c", None),
        ("main.policy assertions", "d", "skipped"),
        ("main.policy tests", "t", "failure"),
        ("main.policy tests", "u", None),
        ("main.policy findings", "PD305 dead rule: dead", "failure"),
    ]
    assert "note[PD306] hole" in junit_text(run)


def test_a_clean_policy_has_a_case_that_passed() -> None:
    assert list(cases_of(run_of())) == [("main.policy findings", "no other errors or warnings", None)]


def test_sarif_has_every_rule_and_says_how_the_run_ended() -> None:
    log = sarif_of(Run("check", "0.1.0", 2, (), (Entry(found("PD001", "cannot read"), "x.policy"),)))["runs"][
        0
    ]
    assert [rule["id"] for rule in log["tool"]["driver"]["rules"]] == sorted(CODES)
    assert log["invocations"] == [{"executionSuccessful": False, "exitCode": 2}]
    (result,) = log["results"]
    assert log["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "PD001"
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "policies/x.policy"


def test_sarif_never_drops_a_finding_in_silence() -> None:
    notes = [
        Entry(found("PD306", f"hole {i}", severity=Severity.NOTE), "main.policy") for i in range(MOST_RESULTS)
    ]
    run = run_of(*notes, Entry(found("PD301", "broken"), "main.policy"))
    log = json.loads(sarif_text(run, base=BASE, pages=PAGES))["runs"][0]
    assert len(log["results"]) == MOST_RESULTS
    assert log["results"][0]["ruleId"] == "PD301"
    assert (
        "1 further findings are left out"
        in log["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    )


def test_where_the_documents_are_served_rules_say_so() -> None:
    log = json.loads(sarif_text(run_of(), base=BASE, pages=PAGES, home="https://docs.example/rules"))
    assert list(sarif_schema().iter_errors(log)) == []
    assert log["runs"][0]["tool"]["driver"]["rules"][0]["helpUri"] == "https://docs.example/rules/PD001.md"


def test_the_example_of_the_document_is_what_the_schema_says() -> None:
    document = (ROOT / "docs" / "outputs.md").read_text()
    example = json.loads(document.partition("```json\n")[2].partition("```")[0])
    Draft202012Validator({**SCHEMA["$defs"]["shown_or_null"], "$defs": SCHEMA["$defs"]}).validate(example)
    assert set(example) == {"given", "line", "outcome", "decision"}
