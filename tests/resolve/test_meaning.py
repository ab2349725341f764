"""What a resolved policy is: constants folded, predicates as sets of targets, exceptions and scopes inside conditions."""

from datetime import date

import pytest

from policyd.policy.condition import (
    FALSE,
    TRUE,
    AtLeast,
    Condition,
    Either,
    Flag,
    Has,
    InRange,
    Not,
    OneOf,
    Prefix,
    both,
    negate,
)
from policyd.policy.condition import tests_of as atoms
from policyd.policy.evaluate import evaluate, level_rank
from policyd.policy.program import MAX_NUMBER, Program, Provenance, Where
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.resolve.load import load_text
from policyd.text.diagnostic import Severity
from tests.resolve.completed import completed

TODAY = date(2026, 11, 20)


def resolved(fragment: str, files: dict[str, str] | None = None) -> Program:
    loaded = load_text(completed(fragment), "main.policy", files or {}, today=TODAY)
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


CONDITIONS = {
    "hour >= 9": InRange("hour", 9, 23),
    "hour > 9": InRange("hour", 10, 23),
    "hour < 9": InRange("hour", 0, 8),
    "hour == 9": InRange("hour", 9, 9),
    "hour != 9": Not(InRange("hour", 9, 9)),
    "hour in 20..40": InRange("hour", 20, 23),
    "hour in { 3, 1, 2, 7 }": Either((InRange("hour", 1, 3), InRange("hour", 7, 7))),
    "hour not in 1..3": Not(InRange("hour", 1, 3)),
    "hour < 24": TRUE,
    "hour > 23": FALSE,
    "hour == 99": FALSE,
    "hour != 99": TRUE,
    "hour in 0..23": TRUE,
    "hour not in 30..40": TRUE,
    "context_needed > 200k": InRange("context_needed", 200_001, MAX_NUMBER),
    "date >= 2026-12-24": InRange("date", date(2026, 12, 24).toordinal(), date(2099, 12, 31).toordinal()),
    "date < 2001-01-01": FALSE,
    "weekday in mon..fri": OneOf("weekday", frozenset({"mon", "tue", "wed", "thu", "fri"})),
    "weekday > fri": OneOf("weekday", frozenset({"sat", "sun"})),
    "weekday <= sun": TRUE,
    "latency == batch": OneOf("latency", frozenset({"batch"})),
    "latency != batch": Not(OneOf("latency", frozenset({"batch"}))),
    "latency in { batch, interactive }": TRUE,
    "latency not in { batch, interactive }": FALSE,
    "sensitivity >= internal": AtLeast("sensitivity", 1),
    "sensitivity > internal": AtLeast("sensitivity", 2),
    "sensitivity == internal": both(AtLeast("sensitivity", 1), negate(AtLeast("sensitivity", 2))),
    "sensitivity == public": Not(AtLeast("sensitivity", 1)),
    "sensitivity == confidential": AtLeast("sensitivity", 2),
    "sensitivity < internal": Not(AtLeast("sensitivity", 1)),
    "sensitivity in public..confidential": TRUE,
    "sensitivity in { public, confidential }": Either(
        (Not(AtLeast("sensitivity", 1)), AtLeast("sensitivity", 2))
    ),
    'team == "e\u0301"': OneOf("team", frozenset({"\u00e9"})),
    'team not in { "a", "b" }': Not(OneOf("team", frozenset({"a", "b"}))),
    "team in { }": FALSE,
    'project starts with "eu-"': Prefix("project", "eu-"),
    'project starts with ""': TRUE,
    'findings contains "secret"': Has("findings", "secret"),
    'findings contains any { "a", "b" }': Either((Has("findings", "a"), Has("findings", "b"))),
    'findings contains all { "a", "b" }': both(Has("findings", "a"), Has("findings", "b")),
    "findings contains any { }": FALSE,
    "findings contains all { }": TRUE,
    "images": Flag("images"),
    "not images": Not(Flag("images")),
    "not not images": Flag("images"),
    "exceeded(burst)": Flag("exceeded(burst)"),
    "images and true": Flag("images"),
    "images or true": TRUE,
}


@pytest.mark.parametrize(("text", "expected"), CONDITIONS.items(), ids=CONDITIONS)
def test_a_condition_becomes(text: str, expected: Condition) -> None:
    program = resolved(f"route quick to rack when {text}")
    assert program.routes[0].condition == expected


@pytest.mark.parametrize("text", [t for t, c in CONDITIONS.items() if c in (TRUE, FALSE) and "true" not in t])
def test_what_the_domain_decides_is_a_warning(text: str) -> None:
    loaded = load_text(completed(f"route quick to rack when {text}"), today=TODAY)
    assert [(d.code, d.severity) for d in loaded.diagnostics] == [("PD226", Severity.WARNING)]


@pytest.mark.parametrize("text", CONDITIONS)
def test_every_test_has_its_place(text: str) -> None:
    program = resolved(f"route quick to rack when {text}")
    for test in atoms(program.routes[0].condition):
        assert test.span is not None
        assert test.span.text in text


PREDICATES = {
    "location == on_prem": {"rack"},
    "location != on_prem": {"cloud_a"},
    "region in { eu }": {"rack"},
    "region not in { eu }": {"cloud_a"},
    "retention == none": {"rack"},
    "retention > 29 days": {"cloud_a"},
    "retention <= 30 days": {"rack", "cloud_a"},
    "context >= 200k": {"cloud_a"},
    "context > 64k": {"cloud_a"},
    "context < 200k": {"rack"},
    "context <= 200k": {"rack", "cloud_a"},
    "context < 64k": set(),
    "context in 1k..64k": {"rack"},
    "context not in 1k..64k": {"cloud_a"},
    "speaks contains chat": {"rack", "cloud_a"},
    "speaks contains all { chat, embeddings }": set(),
    "speaks contains any { chat, embeddings }": {"rack", "cloud_a"},
    "supports contains tools": set(),
    "target == rack": {"rack"},
    "target not in { rack }": {"cloud_a"},
    "not (location == on_prem) or target == rack": {"rack", "cloud_a"},
    "true": {"rack", "cloud_a"},
}


@pytest.mark.parametrize(("text", "satisfied"), PREDICATES.items(), ids=PREDICATES)
def test_a_predicate_is_a_set_of_targets(text: str, satisfied: set[str]) -> None:
    program = resolved(
        f'guard f forbid {text} when tools because "R"\nguard o only {text} when tools because "R"\n'
        f"assert n never {text}\nassert a always {text}"
    )
    everything = {"rack", "cloud_a"}
    forbid, only = program.guards[:2]
    never, always = program.assertions
    assert (forbid.hits, only.hits) == (satisfied, everything - satisfied)
    assert (never.targets, always.targets) == (satisfied, everything - satisfied)


def test_an_exception_is_part_of_its_guard_until_its_last_day() -> None:
    program = resolved(
        'guard home only location == on_prem when tools overridable by "ciso" because "R"\n'
        'except pilot to home when team == "lab" until 2026-12-31 owner "ciso" because "trial"'
    )
    last = date(2026, 12, 31).toordinal()
    low = date(2001, 1, 1).toordinal()
    excepted = both(OneOf("team", frozenset({"lab"})), InRange("date", low, last))
    assert program.guards[0].condition == both(Flag("tools"), negate(excepted))
    assert [(e.name, e.guard, e.until) for e in program.exceptions] == [("pilot", "home", last)]


def test_an_expired_exception_means_nothing() -> None:
    program = resolved(
        'guard home only location == on_prem when tools overridable by "ciso" because "R"\n'
        'except pilot to home when team == "lab" until 2026-11-19 owner "ciso" because "trial"'
    )
    assert program.guards[0].condition == Flag("tools")
    assert program.exceptions == ()


def test_capabilities_forbid_what_a_target_cannot_do() -> None:
    program = resolved("")
    context = {g.hits: g.condition for g in program.guards if g.name == "context"}
    assert context == {
        frozenset({"rack"}): InRange("context_needed", 64_001, MAX_NUMBER),
        frozenset({"cloud_a"}): InRange("context_needed", 200_001, MAX_NUMBER),
    }
    (speaks,) = [g for g in program.guards if g.name == "speaks"]
    assert speaks.condition == OneOf("endpoint", frozenset({"completions", "responses", "embeddings"}))
    assert len([g for g in program.guards if g.name == "supports"]) == 7


def test_what_a_target_translates_it_takes_if_nothing_is_lost() -> None:
    program = resolved(
        "target both { location on_prem region eu context 64k speaks chat, messages }\n"
        "target said { location on_prem region eu context 64k speaks chat translates responses, messages }\n"
    )
    (translates,) = [g for g in program.guards if g.name == "translates"]
    assert translates.hits == {"said"}
    assert translates.condition == both(
        OneOf("endpoint", frozenset({"messages", "responses"})), Flag("untranslatable")
    )
    unspoken = {t: g.condition for g in program.guards if g.name == "speaks" for t in g.hits}
    assert unspoken["said"] == OneOf("endpoint", frozenset({"completions", "embeddings"}))
    assert unspoken["both"] == OneOf("endpoint", frozenset({"completions", "embeddings", "responses"}))


def test_a_scoped_file_acts_inside_its_scope_and_its_names_carry_the_alias() -> None:
    program = resolved(
        'include "teams/search.policy" scope team == "search"',
        {
            "teams/search.policy": "edition 1\nlet busy = tools\n"
            'guard home only location == on_prem when busy because "R"\n'
            'deny late when hour > 20 because "R"\n'
            "classify sensitivity { at least confidential when images }\n"
            "route quick to rack\nassert a never location == cloud when busy\n"
            'include "../night.policy" scope hour in 0..5\n',
            "night.policy": "edition 1\nroute idle to rack when tools\n",
        },
    )
    scope = OneOf("team", frozenset({"search"}))
    night = both(scope, InRange("hour", 0, 5))
    assert (program.guards[0].name, program.guards[0].condition) == (
        "search.home",
        both(scope, Flag("tools")),
    )
    assert (program.denies[0].name, program.denies[0].condition) == (
        "search.late",
        both(scope, InRange("hour", 21, 23)),
    )
    assert [(r.name, r.include, r.condition) for r in program.routes] == [
        ("search.quick", "search", scope),
        ("search.night.idle", "search.night", both(night, Flag("tools"))),
        ("rest", None, TRUE),
    ]
    assert program.assertions[0].condition == both(scope, Flag("tools"))
    assert both(scope, Flag("images")) in [r.when for r in program.level("sensitivity").raises]
    assert [(i.alias, i.scope) for i in program.inclusions] == [("search", scope), ("search.night", night)]


def test_the_innermost_declaration_of_a_name_is_meant() -> None:
    program = resolved(
        'set cleared = { "root" }\ninclude "a.policy" scope team == "a"\nroute quick to rack when project in cleared',
        {"a.policy": 'edition 1\nset cleared = { "inner" }\nroute quick to rack when project in cleared\n'},
    )
    conditions = {r.name: list(atoms(r.condition))[-1] for r in program.routes[:2]}
    assert conditions == {
        "a.quick": OneOf("project", frozenset({"inner"})),
        "quick": OneOf("project", frozenset({"root"})),
    }


def test_an_include_without_a_scope_is_text_in_place() -> None:
    program = resolved(
        'include "first.policy"', {"first.policy": "edition 1\nroute quick to rack when tools\n"}
    )
    assert [(r.name, r.include) for r in program.routes] == [("quick", None), ("rest", None)]


def test_neighbouring_targets_are_one_group() -> None:
    program = resolved(
        "target b { location cloud context 1k speaks chat }\nroute quick to any { rack }, cloud_a, b"
    )
    assert [(g.pick, [m.target for m in g.members]) for g in program.routes[0].groups] == [
        ("any", ["rack"]),
        ("order", ["cloud_a", "b"]),
    ]


def test_a_table_of_tests_reads_like_blocks() -> None:
    program = resolved(
        'tests from "cases.csv"',
        {
            "cases.csv": "name,team,findings,exceeded(burst),expect,via,removed,status\r\n"
            'one,"""a""",,,rack then cloud_a,rest,,\r\n'
            '"two, quoted","""a""","{ ""iban"" }",true,rejected,,rack by context,403\r\n'
            ',"""a""",unknown,,rack,,,\r\n'
        },
    )
    one, two, three = program.tests
    assert (one.name, one.given, one.expect.targets, one.expect.via) == (
        "one",
        (("team", "a"),),
        ("rack", "cloud_a"),
        "rest",
    )
    assert two.name == "two, quoted"
    assert two.given == (("team", "a"), ("findings", frozenset({"iban"})), ("exceeded(burst)", True))
    assert (two.expect.targets, two.expect.status) == (None, 403)
    assert two.expect.removed == (("rack", frozenset({"context"})),)
    assert (three.name, three.given) == ("row 3", (("team", "a"), ("findings", None)))


def test_otherwise_says_its_status_and_how_loud_holes_are() -> None:
    loaded = load_text(
        "edition 1\ntarget rack { location on_prem context 1k speaks chat }\nroute all to rack\n"
        'otherwise reject "no" status 503 holes error\n'
    )
    assert loaded.program is not None
    assert (loaded.program.otherwise.status, loaded.program.otherwise.holes) == (503, Severity.ERROR)


def test_a_target_too_small_is_no_candidate() -> None:
    program = resolved("")
    request = quiet_request(program, {"team": "a", "context_needed": 100_000})
    assert isinstance(request, Request)
    assert evaluate(program, request).targets == ("cloud_a",)  # type: ignore[union-attr]


def test_a_conversation_raises_a_level_and_is_the_highest_where_it_is_unknown() -> None:
    policy = (
        "edition 1\nlevel s { low < mid < high }\nstring team from identity unknown reject\n"
        "classify s { starts at low at least conversation for 2 hours when stream at least high when opaque }\n"
        "target rack { location on_prem context 64k speaks chat }\nroute all to rack\n"
        'otherwise reject "no"\ntest "given" given { team "a", conversation s mid } expect rack\n'
        'test "unknown" given { team "a", conversation s unknown } expect rejected\n'
    )
    loaded = load_text(policy, "main.policy")
    program = loaded.program
    assert program is not None, loaded.diagnostics
    level, feature = program.level("s"), program.feature("conversation:s")
    assert level.kept == 7200
    assert (feature.provenance, feature.cost, feature.unknown) == (Provenance.ATTESTED, 0, "high")
    assert feature.where == Where("conversation", "s")
    assert [t.given[1] for t in program.tests] == [("conversation:s", "mid"), ("conversation:s", None)]

    def rank(**given: object) -> int:
        request = quiet_request(program, {"team": "a", **given})
        assert isinstance(request, Request)
        return level_rank(program, level, request)

    assert rank(stream=True) == 0
    assert rank(stream=True, **{"conversation:s": "mid"}) == 1
    assert rank(**{"conversation:s": "mid"}) == 0
    assert rank(stream=True, **{"conversation:s": None}) == 2
