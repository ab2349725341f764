"""The examples of the language reference are what they say: accepted without a finding, or rejected for the named reason.

A fragment gets what it leaves out. What it declares itself is left out of the preamble.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from policyd.engine.matrix import build_matrix
from policyd.policy.builtins import BUILTIN_FEATURES
from policyd.policy.program import BoolDomain, Feature, NamesDomain, NumberDomain, StringDomain, Unknown
from policyd.proofs.prove import prove
from policyd.resolve.load import load
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.run import failures, run_tests

REFERENCE: Final = Path(__file__).parents[2] / "docs" / "language.md"
FENCE: Final = re.compile(
    r"^```(?:policy|csv) (?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)

BEFORE: Final = (
    ("edition", "edition 1"),
    ("level sensitivity", "level sensitivity { public < internal < confidential }"),
    ("string team", "string team from identity unknown reject"),
    ("enum latency", 'enum latency { interactive, batch } from header "x-latency" unknown interactive'),
    (
        "classify sensitivity",
        'classify sensitivity { starts at internal at least header "x-data-class"'
        ' at least confidential when opaque or findings contains "secret" }',
    ),
    ("target", "target rack { location on_prem context 64k speaks chat, messages }"),
    ("target", "target cloud_a { location cloud context 200k speaks chat, messages }"),
)
"""What a statement begins with when a fragment brings its own, and the statement to add when it does not."""


@dataclass(frozen=True, slots=True)
class Example:
    """One fenced block. `code` is None where it must be accepted; `files` are the files that earlier blocks made."""

    line: int
    text: str
    code: str | None
    files: tuple[tuple[str, str], ...]


def examples() -> list[Example]:
    markdown = REFERENCE.read_text()
    files: list[tuple[str, str]] = []
    found: list[Example] = []
    for block in FENCE.finditer(markdown):
        kind, _, argument = block["info"].partition(" ")
        line = markdown.count("\n", 0, block.start()) + 1
        if kind.startswith("file="):
            files.append((kind.removeprefix("file="), block["text"]))
            continue
        assert kind in {"accept", "reject"}, f"{REFERENCE}:{line}: what is `policy {block['info']}`?"
        found.append(Example(line, block["text"], argument or None, tuple(files)))
    return found


EXAMPLES: Final = examples()


def completed(fragment: str) -> str:
    """A whole policy. A block that has an `edition`, or targets and an `otherwise`, is one already."""

    def has(keyword: str) -> bool:
        return re.search(rf"^{keyword}\b", fragment, re.MULTILINE) is not None

    if has("edition") or (has("target") and has("otherwise")):
        return fragment
    targets = re.findall(r"^target (\w+)", fragment, re.MULTILINE) or ["rack", "cloud_a"]
    after = (
        ("route", f"route rest_of_it to {', '.join(targets)}"),
        ("otherwise", 'otherwise reject "no target"'),
    )
    missing_before = [text for keyword, text in BEFORE if not has(keyword)]
    missing_after = [text for keyword, text in after if not has(keyword)]
    return "\n".join([*missing_before, "", fragment, *missing_after, ""])


def found_in(example: Example, folder: Path) -> tuple[Diagnostic, ...]:
    """All findings: of reading, and where there is a program, of the proofs and of its tests. Notes do not count."""
    for name, text in example.files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    main = folder / "main.policy"
    main.write_text(completed(example.text))
    result = load(main)
    found = result.diagnostics
    if result.program is not None:
        proofs = prove(result.program, build_matrix(result.program)).diagnostics
        found = (*found, *proofs, *failures(run_tests(result.program)))
    return tuple(d for d in found if d.severity is not Severity.NOTE)


def told(diagnostics: tuple[Diagnostic, ...]) -> list[str]:
    return [f"{d.code} {d.span.place if d.span else ''} {d.message}" for d in diagnostics]


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.code is None], ids=lambda e: f"line {e.line}")
def test_an_accepted_example_has_no_finding(example: Example, tmp_path: Path) -> None:
    findings = found_in(example, tmp_path)
    assert not findings, "\n".join(told(findings))


@pytest.mark.parametrize("example", [e for e in EXAMPLES if e.code is not None], ids=lambda e: f"line {e.line}, {e.code}")  # fmt: skip
def test_a_rejected_example_has_the_named_finding_and_no_other(example: Example, tmp_path: Path) -> None:
    findings = found_in(example, tmp_path)
    assert {d.code for d in findings} == {example.code}, "\n".join(told(findings))
    assert example.code in CODES


STATEMENTS: Final = (
    "edition", "level", "enum", "string", "int", "bool", "fact", "set", "let", "classify", "target", "guard", "deny",
    "budget", "limit", "except", "include", "route", "otherwise", "assert", "test", "tests",
    "severity", "suppress",
)  # fmt: skip


@pytest.mark.parametrize("keyword", STATEMENTS)
def test_a_statement_has_an_accepted_and_a_rejected_example(keyword: str) -> None:
    used = {e.code is None for e in EXAMPLES if re.search(rf"^{keyword}\b", e.text, re.MULTILINE)}
    assert used == {True, False}


def domain_text(feature: Feature) -> str:
    match feature.domain:
        case BoolDomain():
            return "bool"
        case NumberDomain(unit="date"):
            return "date"
        case NumberDomain(low, high):
            return f"{low}..{high}" if high < 1000 else "number"
        case StringDomain():
            return "text"
        case NamesDomain():
            return "set of names"
        case domain:
            return (" < " if domain.ordered else ", ").join(domain.values)


def unknown_text(feature: Feature) -> str:
    match feature.unknown:
        case Unknown.NEVER:
            return "never"
        case Unknown.EVERYTHING:
            return "every finding"
        case bool(flag):
            return str(flag).lower()
        case int():
            return "the largest"
        case other:
            return f'`"{other}"`'


def feature_table() -> str:
    head = "| feature | values | provenance | unknown | meaning |\n|---|---|---|---|---|\n"
    rows = (
        f"| `{f.name}` | {domain_text(f)} | {f.provenance} | {unknown_text(f)} | {f.doc} |"
        for f in BUILTIN_FEATURES
    )
    return head + "\n".join(rows) + "\n"


def test_the_table_of_built_in_features_is_the_code_s_own() -> None:
    between = re.search(r"<!-- builtin-features.*?-->\n(.*?)<!-- end -->", REFERENCE.read_text(), re.DOTALL)
    assert between is not None
    assert between[1] == feature_table(), "paste this between the marks:\n" + feature_table()
