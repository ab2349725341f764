"""What a policy says of its findings: graded and suppressed, nothing lost, and a sidecar that keeps to it."""

from collections import Counter
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.pipeline import NotReady, Ready, check_policy, compile_policy
from policyd.policy.digest import digest
from policyd.policy.program import Program
from policyd.proofs.find import Budget
from policyd.proofs.findings import Finding
from policyd.proofs.prove import ANALYSES, Report, prove, stopping
from policyd.resolve.load import load_text
from policyd.syntax.literals import write_string
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity

TODAY: Final = date(2026, 11, 20)
UNTIL: Final = 'until 2027-03-31 because "kept until the migration is over"'
# Findings of many kinds: dead rules, claims and unknowns that loosen, holes, dead ends, a claim about nothing.
MANY: Final = """edition 1
level sensitivity { internal < confidential }
enum latency { interactive, batch } from header "x-latency" unknown interactive
string team from identity unknown ""
target local { location on_prem context 32k speaks chat }
target cloud { location cloud context 128k speaks chat }
classify sensitivity {
    starts at internal
    at least header "x-data-class"
    at least confidential when opaque
}
guard stays_home only location == on_prem when sensitivity >= confidential because "R-1"
guard interactive_home only location == on_prem when latency == interactive because "R-2"
guard risk_home only location == on_prem when team == "risk" because "R-3"
guard dead_guard forbid location == cloud when hour in 1..5 and hour in 7..9 because "R-4"
deny dead_deny when stream and not stream because "R-5"
route batch to cloud when latency == batch
route rest to local
route old_batch to local when latency == batch
route old_rest to local
assert idle never location == cloud when hour == 3 and hour == 4
otherwise reject "no"
"""


def program_of(*said: str, text: str = MANY) -> Program:
    loaded = load_text(text + "\n".join(said), today=TODAY)
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


def report_of(*said: str, budget: Budget | None = None, only: bool = False) -> Report:
    program = program_of(*said)
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return prove(program, matrix, budget, codes=stopping(program) if only else None)


def suppression(code: str, subject: str) -> str:
    written = subject if subject.isidentifier() else write_string(subject)
    return f"suppress {code} on {written} {UNTIL}"


def told(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(f.code, f.subject, f.message) for f in findings]


FOUND: Final = report_of().findings
SUBJECTS: Final = sorted({(f.code, f.subject) for f in FOUND})


def test_there_is_something_to_suppress() -> None:
    assert {f.code for f in FOUND} >= {"PD303", "PD304", "PD305", "PD306", "PD307", "PD310"}


@given(st.sets(st.sampled_from(SUBJECTS)), st.data())
def test_what_is_suppressed_is_what_is_named_and_nothing_is_lost(
    chosen: set[tuple[str, str]], data: st.DataObject
) -> None:
    codes = sorted({code for code, _ in SUBJECTS if code != "PD306"})
    grades = data.draw(st.dictionaries(st.sampled_from(codes), st.sampled_from(list(Severity))))
    said = [
        *(suppression(*pair) for pair in sorted(chosen)),
        *(f"severity {c} {s}" for c, s in grades.items()),
    ]
    report = report_of(*said)
    assert {(f.code, f.subject) for f in report.findings} == set(SUBJECTS) - chosen
    assert {(d.code, d.subject) for d, _ in report.suppressed} == chosen
    everything = [(f.code, f.message) for f in report.findings] + [
        (d.code, d.message) for d, _ in report.suppressed
    ]
    assert Counter(everything) == Counter((f.code, f.message) for f in FOUND)
    usual = {(f.code, f.message): f.severity for f in FOUND}
    for finding in (*report.findings, *(d for d, _ in report.suppressed)):
        expected = grades.get(finding.code, usual[finding.code, finding.message])
        assert finding.severity is expected
    assert all(by.speaks_of(d.code, d.subject) for d, by in report.suppressed)


def test_what_is_said_of_findings_changes_no_digest() -> None:
    said = program_of(suppression("PD305", "old_batch"), "severity PD303 note")
    assert said.suppressions and said.severities
    assert digest(said) == digest(program_of())


def test_a_suppression_of_nothing_names_what_may_have_been_meant() -> None:
    report = report_of(
        suppression("PD305", "old_bach"),
        suppression("PD310", "old_batch"),
        suppression("PD305", "elsewhere"),
        suppression("PD305", "old_rest"),
        suppression("PD305", "old_rest"),
    )
    unused = [f for f in report.findings if f.code == "PD321"]
    assert [f.subject for f in unused] == ["old_bach", "old_batch", "elsewhere", "old_rest"]
    assert [f.help for f in unused] == [
        "did you mean `old_batch`?",
        "what is found about `old_batch` is PD305",
        "remove it; PD305 is found about `dead_deny`, `dead_guard`, `old_batch`",
        "remove it",
    ]
    assert [label.text for label in unused[3].labels] == ["suppressed here already"]


def test_a_suppression_is_not_called_unused_where_a_question_was_left_open() -> None:
    said = suppression("PD305", "elsewhere")
    assert "PD321" in {f.code for f in report_of(said).findings}
    found = report_of(said, budget=Budget(nodes=0)).findings
    assert "PD309" in {f.code for f in found} and "PD321" not in {f.code for f in found}


def test_a_suppression_is_not_called_unused_where_nobody_looked() -> None:
    assert report_of(suppression("PD305", "elsewhere"), only=True).findings == ()


def test_a_sidecar_asks_what_may_stop_it_and_nothing_else() -> None:
    of_errors = {c for a in ANALYSES for c in a.codes if CODES[c].severity is Severity.ERROR}
    assert stopping(program_of()) == of_errors
    assert stopping(program_of("severity PD305 error", "severity PD303 note")) == of_errors | {"PD305"}
    held = program_of(text=MANY.replace('reject "no"', 'reject "no" holes error'))
    assert stopping(held) == of_errors | {"PD306"}
    assert {f.code for f in report_of("severity PD305 error", only=True).findings} == {"PD305"}


def test_what_is_not_proved_stops_a_sidecar_where_its_finding_would() -> None:
    nothing = Budget(nodes=0)
    without = MANY.replace("assert idle never location == cloud when hour == 3 and hour == 4\n", "")
    for said, stops in (("severity PD305 error", True), ("severity PD305 note", False)):
        program = program_of(said, text=without)
        matrix = build_matrix(program)
        assert isinstance(matrix, Matrix)
        report = prove(program, matrix, nothing)
        assert "PD309" in {f.code for f in report.findings}
        assert ("PD309" in {d.code for d in report.refuses_to_serve}) == stops


LIVED_WITH: Final = [suppression("PD305", s) for s in ("dead_guard", "dead_deny", "old_batch", "old_rest")]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ([], set()),
        (["severity PD305 warning"], set()),
        (["severity PD305 error"], {"PD305"}),
        (["severity PD305 error", *LIVED_WITH], set()),
        (["severity PD306 error"], {"PD306"}),
        (["severity PD306 error", suppression("PD306", "otherwise")], set()),
        (["severity PD307 error"], {"PD307"}),
        (["severity PD321 error", suppression("PD305", "elsewhere")], {"PD321"}),
        ([suppression("PD305", "elsewhere")], set()),
        (["severity PD322 error", 'suppress PD305 on old_rest until 2020-01-01 because "x"'], {"PD322"}),
        (['suppress PD305 on old_rest until 2020-01-01 because "x"'], set()),
    ],
)
def test_what_an_author_makes_an_error_stops_a_sidecar(
    said: list[str], refused: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "main.policy"
    path.write_text(MANY + "\n".join(said) + "\n")
    compiled = compile_policy(path, today=TODAY)
    if refused:
        assert isinstance(compiled, NotReady)
        assert {d.code for d in compiled.diagnostics if d.severity is Severity.ERROR} == refused
        assert not compiled.unfinished
    else:
        assert isinstance(compiled, Ready)
    checked = check_policy(path, today=TODAY)
    assert {d.code for d in checked.diagnostics if d.severity is Severity.ERROR} == refused


def test_what_is_found_when_loading_is_graded_and_suppressed_too(tmp_path: Path) -> None:
    path = tmp_path / "main.policy"
    scoped = MANY.replace("    at least confidential when opaque\n", "")
    path.write_text(scoped + "severity PD244 error\n")
    compiled = compile_policy(path, today=TODAY)
    assert isinstance(compiled, NotReady)
    assert {d.code for d in compiled.diagnostics if d.severity is Severity.ERROR} == {"PD244"}
    checked = check_policy(path, today=TODAY)
    assert {"PD244", "PD305"} <= {d.code for d in checked.diagnostics}
    path.write_text(scoped + "severity PD244 error\n" + suppression("PD244", "sensitivity") + "\n")
    assert isinstance(compile_policy(path, today=TODAY), Ready)
    checked = check_policy(path, today=TODAY)
    assert [(d.code, d.subject) for d, _ in checked.suppressed] == [("PD244", "sensitivity")]


def test_a_broken_claim_is_not_hidden_by_what_suppresses_its_cause() -> None:
    claims = MANY + "assert tight claimed never loosens\n"
    program = program_of(suppression("PD303", "latency"), text=claims)
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    report = prove(program, matrix)
    assert "PD303" in {d.code for d, _ in report.suppressed}
    assert "PD301" in {d.code for d in report.refuses_to_serve}
