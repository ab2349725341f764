"""A request in one line or in JSON: what is read, and what is said about mistakes."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.policy.program import Value
from policyd.policy.request import EVERYTHING, Inadmissible, Request, admit_value
from policyd.policy.written import given_text, number_text, number_value, value_text
from policyd.text.diagnostic import Severity
from policyd.trials.given import read_json, read_line, request_from
from policyd.trials.never import never_seen
from tests.trials.small import small_program

PROGRAM = small_program()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("team=search", {"team": "search"}),
        ("  team=search   images ", {"team": "search", "images": True}),
        ("not images", {"images": False}),
        ("images=no tools=yes", {"images": False, "tools": True}),
        ("context_needed=40k", {"context_needed": 40_000}),
        ("context_needed=256Ki", {"context_needed": 262_144}),
        ("findings=secret.aws,iban", {"findings": ["secret.aws", "iban"]}),
        ("findings=", {"findings": []}),
        ("findings=unknown", {"findings": None}),
        ('team="a b"', {"team": "a b"}),
        ('team="unknown"', {"team": "unknown"}),
        (r'team="say \"hi\" \\"', {"team": 'say "hi" \\'}),
        (r'team="a\nb\tc\u{202e}\u{0}"', {"team": "a\nb\tc\u202e\0"}),
        (r'findings="a\u{2c}b, iban"', {"findings": ["a,b", "iban"]}),
        ("header:x-data-class=confidential", {"header:x-data-class": "confidential"}),
        ("exceeded(burst)", {"exceeded(burst)": True}),
        ("date=2026-03-01", {"date": "2026-03-01"}),
        ("", {}),
    ],
)
def test_a_line_reads_as_values(text: str, values: dict[str, object]) -> None:
    read = read_line(PROGRAM, text)
    assert read.diagnostics == ()
    assert dict(read.values) == values


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("taem=search", "PD005", "no feature `taem`"),
        ("latency=bach", "PD006", "`latency` cannot be `bach`"),
        ("context_needed=lots", "PD006", "`context_needed` cannot be `lots`"),
        ("hour=24", "PD006", "`hour` cannot be `24`"),
        ("images=perhaps", "PD006", "`images` cannot be `perhaps`"),
        ("date=tomorrow", "PD006", "`date` cannot be `tomorrow`"),
        ("team=unknown", "PD006", "`team` cannot be unknown here"),
        ("team=a team=b", "PD004", "`team` is given twice"),
        ('team="open', "PD004", "cannot read the request"),
        (r'team="C:\dir"', "PD004", r"`\d` is not an escape"),
        (r'team="\u{110000}"', "PD004", r"`\u{110000}` is not an escape"),
        ("findings=iban,,phone", "PD006", "`findings` has a name that is empty"),
        ("findings=iban,", "PD006", "`findings` has a name that is empty"),
        ("findings=,", "PD006", "`findings` has a name that is empty"),
        ("images not", "PD004", "`not` at the end"),
        ("not images=yes", "PD004", "`not images=yes` has a value"),
        ("findings", "PD006", "`findings` cannot be `true`"),
    ],
)
def test_a_mistake_in_a_line_is_named(text: str, code: str, said: str) -> None:
    (found,) = read_line(PROGRAM, text).diagnostics
    assert found.code == code
    assert said in found.message


def test_all_mistakes_are_told_at_once_with_near_names() -> None:
    found = read_line(PROGRAM, "taem=search latency=bach context_neded=4k").diagnostics
    assert [d.code for d in found] == ["PD005", "PD006", "PD005"]
    assert ["did you mean" in (d.help or "") for d in found] == [True, True, True]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"team": "search", "images": true}', {"team": "search", "images": True}),
        ('{"context_needed": "40k"}', {"context_needed": 40_000}),
        ('{"context_needed": 40000}', {"context_needed": 40_000}),
        ('{"findings": ["secret.aws"]}', {"findings": ["secret.aws"]}),
        ('{"findings": null}', {"findings": None}),
        ('{"team": "unknown"}', {"team": "unknown"}),
        ("{}", {}),
    ],
)
def test_json_reads_as_values(text: str, values: dict[str, object]) -> None:
    read = read_json(PROGRAM, text)
    assert read.diagnostics == ()
    assert dict(read.values) == values


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "PD004"),
        ("[]", "PD004"),
        ('"team"', "PD004"),
        ("{", "PD004"),
        ('{"team": "a", "team": "b"}', "PD004"),
        ('{"hour": NaN}', "PD004"),
        ("[" * 100_000, "PD004"),
        ('{"team": 3}', "PD006"),
        ('{"hour": 3.5}', "PD006"),
        ('{"hour": true}', "PD006"),
        ('{"hour": 10000000000000000000000000000}', "PD006"),
        ('{"findings": "secret.aws", "images": 1}', "PD006"),
        ('{"findings": [1]}', "PD006"),
        ('{"findings": ["iban", ""]}', "PD006"),
        ('{"model": {"a": 1}}', "PD006"),
        ('{"messages_": 1}', "PD005"),
    ],
)
def test_wrong_json_is_a_diagnostic(text: str, code: str) -> None:
    found = read_json(PROGRAM, text).diagnostics
    assert [d.code for d in found] == [code]


def test_a_finding_that_no_detector_makes_is_warned_of() -> None:
    read = read_line(PROGRAM, "findings=secrt,secret,iban,zzzzzz")
    assert read.diagnostics == ()
    first, second = never_seen(PROGRAM, read.values)
    assert (first.code, first.severity) == ("PD228", Severity.WARNING)
    assert "`secrt`" in first.message and first.help == "did you mean `secret`?"
    assert "`zzzzzz`" in second.message and "lists" in (second.help or "")
    assert never_seen(PROGRAM, read_line(PROGRAM, "findings=unknown").values) == ()


def test_what_must_be_given_is_named_all_at_once() -> None:
    found = request_from(PROGRAM, {})
    assert not isinstance(found, Request)
    assert [d.code for d in found] == ["PD007"]
    assert "`team` has to be given" in found[0].message


def test_what_is_not_given_is_quiet() -> None:
    request = request_from(PROGRAM, {"team": "search", "tokens": 10, "max_output": 5})
    assert isinstance(request, Request)
    assert request.values["context_needed"] == 15
    assert request.values["images"] is False
    assert request.values["findings"] == frozenset()


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 40_000, 1_000_000, 2_500_000, 10**12, 200_001])
def test_numbers_keep_their_value_in_their_short_form(number: int) -> None:
    assert number_value(number_text(number)) == number


@pytest.mark.parametrize("text", ["", "k", "4kk", "1.5k", "0x10", "٣", "-"])
def test_what_is_no_number_is_none(text: str) -> None:
    assert number_value(text) is None


def test_unknown_findings_read_as_every_finding() -> None:
    assert value_text(EVERYTHING) == "every finding"
    assert value_text(frozenset({"secret", "secret.aws"})) == "{ secret.aws }"


_NAMES = st.sampled_from(["secret.aws", "iban", "phi", "secret.aws.root"])
_TEXTS = st.text(
    st.sampled_from("a\n\t\r\0\u202e\u2028\u00a0\u0085\ufeff\ud800\"'\\ ,;=u{}é"), max_size=12
) | st.text(max_size=20)
_VALUES = {
    "team": _TEXTS | st.just("unknown"),
    "images": st.booleans(),
    "context_needed": st.integers(0, 10**12),
    "findings": st.none() | st.frozensets(_NAMES),
    "header:x-data-class": st.sampled_from(["public", "internal", "confidential"]),
    "date": st.integers(730_500, 766_000),
    "exceeded(burst)": st.booleans() | st.none(),
}


@settings(max_examples=200, deadline=None)
@given(st.fixed_dictionaries({}, optional=_VALUES))
def test_the_line_that_is_written_reads_back_to_the_same_request(values: dict[str, Value | None]) -> None:
    read = read_line(PROGRAM, given_text(values.items()))
    assert read.diagnostics == ()
    again = {n: admit_value(PROGRAM.feature(n), v) for n, v in read.values.items()}
    assert again == {n: admit_value(PROGRAM.feature(n), v) for n, v in values.items()}


@settings(max_examples=200, deadline=None)
@given(
    _TEXTS,
    st.frozensets(_TEXTS.filter(lambda name: name != ""), max_size=3) | st.just(frozenset({"unknown"})),
)
def test_a_line_says_all_that_is_in_it_and_reads_back_to_it(team: str, names: frozenset[str]) -> None:
    """On a terminal and from a shell: no control, no line break, nothing invisible."""
    values: dict[str, Value | None] = {
        "team": admitted("team", team),
        "findings": admitted("findings", names),
    }
    line = given_text(values.items())
    assert line.isprintable()
    read = read_line(PROGRAM, line)
    assert read.diagnostics == ()
    assert {name: admitted(name, value) for name, value in read.values.items()} == values


def admitted(name: str, value: object) -> Value:
    found = admit_value(PROGRAM.feature(name), value)
    assert not isinstance(found, Inadmissible)
    return found


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=60))
def test_no_line_raises(text: str) -> None:
    read_line(PROGRAM, text)


@settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from([f.name for f in PROGRAM.features]) | st.text(max_size=5),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=5),
            lambda inner: st.lists(inner, max_size=2),
            max_leaves=3,
        ),
        max_size=4,
    )
)
def test_no_json_raises(values: dict[str, object]) -> None:
    read = read_json(PROGRAM, json.dumps(values))
    if not read.diagnostics:
        request_from(PROGRAM, read.values)
