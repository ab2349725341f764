"""`[detectors]`: rules from files in gitleaks' format and inline, each mistake at its line, and names that must be there."""

from pathlib import Path

import pytest

from policyd.deploy.bindings import bind
from policyd.deploy.read import Loaded, read_deployment
from policyd.deploy.rules import read_rule_file
from policyd.detect.rules import Allow, Rule
from policyd.resolve.load import load
from policyd.text.diagnostic import Severity

HEAD = """policy = "x.policy"
[identity]
kind = "loopback"
user = "ana"
[targets.gpu]
url = "http://127.0.0.1:8000"
dialects = ["openai"]
"""

TEAM = r"""title = "acme"
[[rules]]
id = "acme-key"
description = "keys of acme"
regex = '''(?i)acme[_-]?key\s*=\s*([a-f0-9]{16})'''
secretGroup = 1
entropy = 2.5
keywords = ["acme"]
tags = ["key"]

[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''sample''']
stopwords = ["dead"]

[[rules]]
id = "acme.token"
regex = '''acmetok_[0-9]{4}'''

[[allowlists]]
stopwords = ["0000"]

[[allowlists]]
targetRules = ["acme.token"]
regexes = ['''^acmetok_1''']
"""


def deployed(folder: Path, table: str) -> Loaded:
    (folder / "policyd.toml").write_text(HEAD + table)
    return read_deployment(folder / "policyd.toml", {})


def told(text: str) -> list[tuple[str, str, str]]:
    """Code and severity of everything that is said of a file of rules, and the source from its place on."""
    _, found = read_rule_file("team.toml", text)
    return [
        (d.code, str(d.severity), "" if d.span is None else d.span.source.text[d.span.start : d.span.end])
        for d in found
    ]


def test_a_file_of_gitleaks_is_read_whole() -> None:
    rules, found = read_rule_file("team.toml", TEAM)
    assert found == ()
    everywhere = Allow((), ("0000",))
    assert rules == (
        Rule(
            "acme-key", r"(?i)acme[_-]?key\s*=\s*([a-f0-9]{16})", ("acme",), 1, 2.5,
            (Allow(("sample",), ("dead",), "line", both=True), everywhere),
        ),
        Rule("acme.token", "acmetok_[0-9]{4}", allow=(everywhere, Allow(("^acmetok_1",)))),
    )  # fmt: skip


RULE = '[[rules]]\nid = "a"\nregex = "xy"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(RULE + 'path = "\\\\.py$"', [("PD551", "note", "path")], id="a path beside an expression"),
        pytest.param(RULE + "[[rules.allowlists]]\npaths = ['x']", [("PD551", "note", "paths")], id="paths of an allowlist"),
        pytest.param(RULE + "[extend]\nuseDefault = true", [("PD551", "note", "useDefault")], id="the default rules"),
        pytest.param(RULE + "[extend]\ndisabledRules = ['x']", [("PD551", "warning", "disabledRules")], id="disabled rules"),
        pytest.param(RULE + "[extend]\npath = 'b.toml'", [("PD551", "error", "path")], id="rules of another file"),
        pytest.param(RULE + "[[rules.required]]\nid = 'b'", [("PD551", "error", "required")], id="a rule that needs another"),
        pytest.param(RULE + "colour = 1", [("PD551", "error", "colour")], id="an unknown key"),
        pytest.param(RULE + "entropy = 'high'", [("PD551", "error", "entropy")], id="entropy in words"),
        pytest.param(RULE + "keywords = 'x'", [("PD551", "error", "keywords")], id="a keyword that is no list"),
        pytest.param(RULE + "secretGroup = 1", [("PD552", "error", "secretGroup")], id="a group that is not there"),
        pytest.param(RULE + "[[rules.allowlists]]\nregexTarget = 'file'\nregexes = ['x']", [("PD551", "error", "regexTarget")], id="an unknown target"),
        pytest.param(RULE + "[[rules.allowlists]]\ncondition = 'XOR'\nregexes = ['x']", [("PD551", "error", "condition")], id="an unknown condition"),
        pytest.param(RULE + "[[rules.allowlists]]\ndescription = 'x'", [("PD551", "error", "allowlists")], id="an empty allowlist"),
        pytest.param("[[rules]]\nregex = 'xy'", [("PD551", "error", "rules")], id="no id"),
        pytest.param("[[rules]]\nid = 'a'\npath = 'x'", [("PD551", "error", "rules")], id="no expression"),
        pytest.param("[[rules]]\nid = 'a b'\nregex = 'xy'", [("PD551", "error", "id")], id="an id that is no name"),
        pytest.param("[[rules]]\nid = 'a'\nregex = 'x*'", [("PD552", "error", "regex")], id="an expression that is empty"),
        pytest.param("title = 'x'", [("PD551", "error", "")], id="no rules"),
        pytest.param("rules = 3", [("PD551", "error", "rules")], id="rules that are a number"),
    ],
)  # fmt: skip
def test_what_means_nothing_here_is_told_and_what_would_mean_less_is_refused(
    text: str, expected: list[tuple[str, str, str]]
) -> None:
    assert told(text) == expected


def lines(text: str) -> list[tuple[str, str, str]]:
    """Code, message and the line at which it stands of everything that is said of a file of rules."""
    _, found = read_rule_file("team.toml", text)
    shown = text.splitlines()
    return [
        (d.code, d.message, shown[int(d.span.place.split(":")[1]) - 1]) for d in found if d.span is not None
    ]


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        (RULE + "[rules.allowlist]\nregexes = ['y', '(']", "the rule `a`: `(`: RE2 does not take it", "regexes = ['y', '(']"),
        (RULE + "[[rules.allowlists]]\npaths = ['x']\n[[rules.allowlists]]\nregexes = ['(']", "the rule `a`: `(`: RE2", "regexes = ['(']"),
        (RULE + "[[rules.allowlists]]\nregexes = ['y']\n[[rules.allowlists]]\nregexes = ['(']", "the rule `a`: `(`: RE2", "regexes = ['(']"),
        (RULE + RULE.replace('"a"', '"b"') + "[[allowlists]]\nregexes = ['(']", "an allowlist: `(`: RE2 does not", "regexes = ['(']"),
        (RULE + "[[rules.allowlists]]\ncondition = 'XOR'\nregexes = ['x']", "`condition` is `XOR`", "condition = 'XOR'"),
        (RULE + "secretGroup = 1", "the rule `a`: `secretGroup` is 1, and the expression has no group", "secretGroup = 1"),
        (RULE.replace("xy", "(xy)") + "secretGroup = 2", "the rule `a`: `secretGroup` is 2, and the expression has 1 group", "secretGroup = 2"),
        ("[[rules]]\nid = 'a'\nregexp = 'xy'", "`regexp` is not a key of the rule `a`", "regexp = 'xy'"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_once_at_its_own_line_as_it_was_written(text: str, message: str, line: str) -> None:
    told = [said for said in lines(text) if said[1].startswith(message)]
    assert [where for _, _, where in told] == [line]
    assert [words for _, words, _ in lines(text) if "is ignored" not in words] == [told[0][1]]


def test_a_key_that_is_nearly_one_is_named() -> None:
    _, found = read_rule_file("team.toml", "[[rules]]\nid = 'a'\nregexp = 'xy'")
    assert [d.help for d in found] == ["did you mean `regex`?"]
    _, found = read_rule_file("team.toml", RULE + "entropy = 9")
    assert [d.help for d in found] == ["write a number from 0 to 8: `entropy = 3.5`"]


def test_the_same_id_twice_stands_at_the_second_rule(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(RULE + RULE)
    loaded = deployed(tmp_path, '[detectors]\nrules = ["team.toml"]\n')
    (found,) = loaded.diagnostics
    assert found.span is not None and found.span.place.endswith("team.toml:5:1")
    assert [label.span.place.endswith("team.toml:2:1") for label in found.labels] == [True]


def test_names_of_rules_that_could_not_be_read_are_not_missed(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text("[[rules]\n")
    loaded = deployed(tmp_path, '[detectors]\nrules = ["team.toml"]\n')
    (tmp_path / "x.policy").write_text(_policy("custom.acme.token"))
    program = load(tmp_path / "x.policy").program
    assert program is not None and loaded.draft is not None
    assert [d.code for d in loaded.diagnostics] == ["PD550"]
    assert "PD554" not in [d.code for d in bind(program, loaded.draft, loaded.author).diagnostics]


def test_the_number_of_a_group_is_no_secret(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(RULE + "secretGroup = 77\n")
    loaded = deployed(tmp_path, '[detectors]\nrules = ["team.toml"]\n')
    assert [d.span is not None and "77" in d.span.source.text for d in loaded.diagnostics] == [True]


def test_what_no_rule_of_the_policy_asks_for_is_noted(tmp_path: Path) -> None:
    (tmp_path / "team.toml").write_text(TEAM)
    classifier = '[classifiers.{0}]\nfindings = ["custom.{0}", "custom.acme"]\n'
    loaded = deployed(
        tmp_path,
        f'[detectors]\nrules = ["team.toml"]\n{classifier.format("idle")}{classifier.format("used")}',
    )
    (tmp_path / "x.policy").write_text(_policy("custom.used"))
    program = load(tmp_path / "x.policy").program
    assert program is not None and loaded.deployment is not None
    found = [d for d in bind(program, loaded.deployment, loaded.author).diagnostics if d.code == "PD558"]
    assert [d.severity for d in found] == [Severity.NOTE, Severity.NOTE]
    assert "`custom.acme-key`, `custom.acme.token`" in found[0].message
    assert "`idle`" in found[1].message


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = "[[rules]]\nid = 'a'\nregex = '(?=x)'\n[[rules]]\nid = 'b'\n[[rules]]\nid = 'c'\nregex = 'xy'\ncolour = 1"
    assert sorted(code for code, _, _ in told(text)) == ["PD551", "PD551", "PD552"]


def test_a_file_that_is_no_toml_is_told_at_its_line() -> None:
    _, found = read_rule_file("team.toml", RULE + "x = = 3\n")
    assert [(d.code, d.span is not None and d.span.place) for d in found] == [("PD550", "team.toml:4:5")]


def test_files_and_inline_rules_go_together_and_files_are_watched(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "team.toml").write_text(TEAM)
    table = '[detectors]\nrules = ["rules/team.toml"]\n[[detectors.rule]]\nid = "orion"\nregex = "Orion"\nexamples = ["Orion"]\nfinding = "secret"\n'
    loaded = deployed(tmp_path, table)
    assert loaded.diagnostics == ()
    assert loaded.deployment is not None
    assert loaded.deployment.detectors.names == {"custom.acme-key", "custom.acme.token", "custom.orion"}
    assert str(tmp_path / "rules" / "team.toml") in loaded.files


@pytest.mark.parametrize(
    ("table", "code", "words"),
    [
        ('rules = ["none.toml"]', "PD550", "no such file"),
        ('rules = ["."]', "PD550", "folder"),
        (
            'rule = [{ id = "a", regex = "xy" }, { id = "a", regex = "z" }]',
            "PD551",
            "two rules have the id `a`",
        ),
        ('rule = [{ id = "a", regex = "xy", finding = "secrets" }]', "PD551", "`secrets`"),
        ('rule = [{ id = "a", regex = "xy", path = "x" }]', "PD551", "`path` is not a key"),
        ('rule = [{ id = "a", regex = "xy", examples = ["no"] }]', "PD553", "does not find its own example"),
        ('rule = [{ id = "a", regex = "(xy" }]', "PD552", "RE2 does not take it"),
        ('accelerator = "gpu"', "PD505", "detectors.accelerator"),
    ],
)
def test_a_mistake_keeps_the_deployment_from_serving(
    tmp_path: Path, table: str, code: str, words: str
) -> None:
    loaded = deployed(tmp_path, f"[detectors]\n{table}\n")
    assert loaded.deployment is None
    errors = [d for d in loaded.diagnostics if d.severity is Severity.ERROR]
    assert [d.code for d in errors] == [code]
    assert words in errors[0].message
    assert errors[0].span is not None


@pytest.mark.parametrize(
    ("name", "served"),
    [("custom.acme.token", True), ("custom.acme", True), ("custom", True), ("secret.aws", True), ("custom.acm", False), ("custom.other", False),
     ("secret", True), ("card-nunber", False), ("label.confidencial", False), ("secrets", False)],
)  # fmt: skip
def test_a_policy_asks_only_for_names_that_the_deployment_finds(
    tmp_path: Path, name: str, served: bool
) -> None:
    (tmp_path / "team.toml").write_text(TEAM)
    loaded = deployed(tmp_path, '[detectors]\nrules = ["team.toml"]\n')
    (tmp_path / "x.policy").write_text(_policy(name))
    program = load(tmp_path / "x.policy").program
    assert program is not None and loaded.deployment is not None
    found = bind(program, loaded.deployment, loaded.author).diagnostics
    assert [d.code for d in found if d.code == "PD554"] == ([] if served else ["PD554"])


@pytest.mark.parametrize(
    ("name", "meant"),
    [("card-nunber", "card-number"), ("tax-id.py-rut", "tax-id.py-ruc"), ("custom.acme.tokn", "custom.acme.token"), ("phi", None)],
)  # fmt: skip
def test_a_misspelt_finding_is_an_error_where_requests_are_served(
    tmp_path: Path, name: str, meant: str | None
) -> None:
    (tmp_path / "team.toml").write_text(TEAM)
    loaded = deployed(tmp_path, '[detectors]\nrules = ["team.toml"]\n')
    (tmp_path / "x.policy").write_text(_policy(name))
    program = load(tmp_path / "x.policy").program
    assert program is not None and loaded.deployment is not None
    (found,) = (d for d in bind(program, loaded.deployment, loaded.author).diagnostics if d.code == "PD554")
    assert found.severity is Severity.ERROR
    assert (f"did you mean `{meant}`?" in (found.help or "")) == (meant is not None)


def _policy(name: str) -> str:
    return (
        "edition 1\ntarget gpu { location on_prem  context 64k  speaks chat }\n"
        f'guard here only location == on_prem when findings contains "{name}" because "it stays here"\n'
        'route all to gpu\notherwise reject "no"\n'
    )
