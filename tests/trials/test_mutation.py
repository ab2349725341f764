"""Mutants against brute force: what is equivalent is, what survives is told apart, what is noticed is wrong."""

import gc
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.policy.condition import All, AtLeast, Condition, Either, Flag, InRange, OneOf, negate
from policyd.policy.evaluate import evaluate
from policyd.policy.program import Assertion, Program
from policyd.policy.request import Request
from policyd.policy.wording import condition_text
from policyd.proofs.assertions import check_assertion
from policyd.proofs.find import Budget
from policyd.proofs.kinds import kind_of
from policyd.resolve.load import load_text
from policyd.trials.altered import altered
from policyd.trials.generate import Proposal
from policyd.trials.mutants import mutants_of
from policyd.trials.mutate import Fate, mutate, surviving
from policyd.trials.run import run_tests
from tests.proofs.brute import broken_by, grid_of
from tests.trials.drawn import asked_about, case_of, small
from tests.trials.small import small_program

Drawn = tuple[Program, tuple[str, ...], list[Request]]


def differ(one: Program, other: Program, requests: list[Request]) -> bool:
    return any(kind_of(one, other, r) is not None for r in requests)


@settings(max_examples=40)
@given(small(assertions=2, max_routes=3), st.data())
def test_each_fate_is_what_brute_force_says(drawn: Drawn, data: st.DataObject) -> None:
    program, reading, every = drawn
    program = asked_about(program, data.draw(st.lists(st.sampled_from(every), max_size=3)))
    mutants = tuple(mutants_of(program))
    some = data.draw(st.lists(st.sampled_from(mutants), max_size=8, unique_by=id)) if mutants else []
    mutation = mutate(program, some)
    assert [t.mutant for t in mutation.trials] == some
    for trial in mutation.trials:
        mutant = trial.mutant.build()
        assert mutant is not None
        every_too = grid_of(mutant, reading, most=2000) or []
        match trial.fate:
            case Fate.BY_TESTS:
                failed = [r.case.name for r in run_tests(mutant, tests=program.tests) if not r.passed]
                assert failed[0] == trial.by
            case Fate.BY_ASSERTIONS:
                assertion = next(a for a in program.assertions if a.name == trial.by)
                assert not broken_by(program, assertion, every)
                assert check_assertion(case_of(mutant), assertion) is not None
            case Fate.EQUIVALENT:
                assert not differ(program, mutant, every)
                assert not differ(program, mutant, every_too)
            case Fate.SURVIVED:
                assert trial.witness is not None
                assert trial.witness.decision == evaluate(program, trial.witness.request)
                assert trial.after == evaluate(mutant, trial.witness.request)
                assert kind_of(program, mutant, trial.witness.request) is not None
                if trial.test is not None:
                    assert run_tests(program, tests=(trial.test.case,))[0].passed
                    assert not run_tests(mutant, tests=(trial.test.case,))[0].passed
                assert surviving(trial, "x").code == "PD406"
            case Fate.NOT_PROVED:
                raise AssertionError("small programs are within every budget")


@settings(max_examples=40)
@given(small(max_routes=3))
def test_tests_that_fail_and_assertions_that_are_broken_notice_nothing(drawn: Drawn) -> None:
    program, _, every = drawn
    wrong = asked_about(program, every[:2])
    wrong = replace(
        wrong, tests=tuple(replace(t, expect=replace(t.expect, targets=("nobody",))) for t in wrong.tests)
    )
    claim = Assertion("a", "never", frozenset(t.name for t in program.targets), negate(Flag("tools")), "…")
    wrong = replace(wrong, assertions=(claim,))
    if check_assertion(case_of(wrong), claim) is None:
        return
    mutation = mutate(wrong, tuple(mutants_of(wrong))[:5])
    assert {t.fate for t in mutation.trials} <= {Fate.SURVIVED, Fate.EQUIVALENT}


@given(small())
def test_a_mutant_is_one_change_and_comes_once(drawn: Drawn) -> None:
    program, _, _ = drawn
    mutants = list(mutants_of(program))
    assert mutants == list(mutants_of(program)), "the order is always the same"
    assert all(m.build() != program for m in mutants)


def test_what_is_not_proved_is_said_and_counts_against_the_score() -> None:
    program = small_program()
    mutation = mutate(program, mutants_of(program), budget=Budget(nodes=1))
    assert mutation.of(Fate.NOT_PROVED)
    noticed, every = mutation.score
    assert noticed == 0
    assert every == len(mutation.trials) - len(mutation.of(Fate.EQUIVALENT))


def test_no_program_is_made_before_its_mutant_is_tried() -> None:
    routes = "".join(f'route r{i} to t when team == "t{i}" and hour > 8\n' for i in range(1000))
    program = load_text(
        "edition 1\nstring team from identity unknown reject\n"
        f'target t {{ location on_prem context 1k speaks chat }}\n{routes}otherwise reject "no"\n'
    ).program
    assert program is not None
    gc.collect()
    before = programs_alive()
    mutants = tuple(mutants_of(program))
    assert len(mutants) == 8999
    assert programs_alive() == before
    mutation = mutate(program, mutants, most=2)
    assert mutation.left_out == len(mutants) - 2
    gc.collect()
    assert programs_alive() == before, "a trial keeps no program"


def programs_alive() -> int:
    return sum(isinstance(x, Program) for x in gc.get_objects())


@settings(max_examples=40)
@given(small(max_routes=3))
def test_the_witness_is_the_request_of_the_test_that_is_suggested(drawn: Drawn) -> None:
    program, _, _ = drawn
    tests: dict[str, Proposal] = {}
    for trial in mutate(program, tuple(mutants_of(program))[:20]).of(Fate.SURVIVED):
        if trial.test is not None:
            assert trial.witness is not None
            assert trial.test.given == trial.witness.given
            assert tests.setdefault(trial.test.name, trial.test) == trial.test, "a name is of one test"


def test_decisions_that_read_the_same_are_told_apart() -> None:
    program = small_program()
    trial = next(
        t
        for t in mutate(program, mutants_of(program)).of(Fate.SURVIVED)
        if t.witness is not None and t.witness.decision.removed
    )
    assert trial.witness is not None
    same = replace(trial, after=replace(trial.witness.decision, removed=()))
    told = "\n".join(surviving(same, "test", told_at="main.policy:3:1").details)
    assert "both read the same: what differs is which guards removed what" in told
    assert "then: removed nothing" in told
    assert "which is shown at main.policy:3:1, would notice, too" in told
    split = replace(trial, after=trial.witness.decision)
    assert "both read the same: the shares of a split differ" in "\n".join(surviving(split, None).details)
    assert "both read the same" not in "\n".join(surviving(trial, None).details)


def test_a_scope_is_changed_at_its_include() -> None:
    program = load_text(
        "edition 1\nstring team from identity unknown reject\n"
        "target t { location on_prem context 1k speaks chat }\n"
        'include "search.policy" scope team == "search"\nroute all to t\notherwise reject "no"\n',
        "main.policy",
        {"search.policy": 'edition 1\ndeny late when hour > 8 because "x"\n'},
    ).program
    assert program is not None
    said = [m.said for m in mutants_of(program)]
    place = "in the scope of include `search`, as deny `search.late` has it"
    assert f'`team == "search"` was dropped {place}' in said
    assert "`hour > 8` was dropped in deny `search.late`" in said


def test_what_is_beyond_the_number_or_the_time_is_counted() -> None:
    program = small_program()
    mutants = tuple(mutants_of(program))
    assert mutate(program, mutants, most=3).left_out == len(mutants) - 3
    assert mutate(program, mutants, until=lambda: True).left_out == len(mutants) - 1
    assert mutate(program, mutants).left_out == 0


def test_protections_are_dropped_first() -> None:
    said = [m.said for m in mutants_of(small_program())]
    assert said[:4] == [
        "guard `stays_home` was dropped",
        "guard `no_night_cloud` was dropped",
        "deny `too_fast` was dropped",
        "deny `no_models` was dropped",
    ]
    assert "`only location == on_prem` became `forbid location == on_prem` in guard `stays_home`" in said
    assert "targets `cloud` and `local` were swapped in route `rest`" in said
    assert "target `local` was dropped from route `batch`" in said
    assert "targets `local` and `spare` were swapped in route `batch`" not in said, "`any` has no order"
    assert "routes `long` and `batch` were swapped" in said
    assert "the raise of `sensitivity` to `confidential` was dropped" in said
    assert "`internal` became `public` in the start of `sensitivity` at `internal`" in said


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (
            InRange("hour", 9, 23),
            {
                "`hour >= 9` became `hour <= 8`",
                "`hour >= 9` became `hour >= 8`",
                "`hour >= 9` became `hour > 9`",
                "`hour >= 9` became `hour <= 9`",
                "`hour >= 9` was dropped",
            },
        ),
        (
            InRange("context_needed", 200_001, 10**12),
            {
                "`context_needed > 200k` became `context_needed <= 200k`",
                "`context_needed > 200k` became `context_needed >= 200k`",
                "`context_needed > 200k` became `context_needed > 200001`",
                "`context_needed > 200k` became `context_needed <= 200001`",
                "`context_needed > 200k` was dropped",
            },
        ),
        (
            InRange("hour", 1, 23),
            {
                "`hour >= 1` became `hour == 0`",
                "`hour >= 1` became `hour >= 0`",
                "`hour >= 1` became `hour >= 2`",
                "`hour >= 1` became `hour <= 1`",
            },
        ),
        (
            AtLeast("sensitivity", 1),
            {
                "`sensitivity >= internal` became `sensitivity < internal`",
                "`sensitivity >= internal` became `sensitivity >= public`",
                "`sensitivity >= internal` became `sensitivity >= confidential`",
            },
        ),
        (
            OneOf("weekday", frozenset({"sat", "sun"})),
            {
                "`weekday >= sat` became `weekday <= fri`",
                "`weekday >= sat` became `weekday >= fri`",
                "`weekday >= sat` became `weekday == sun`",
                "`weekday >= sat` was dropped",
            },
        ),
        (
            OneOf("team", frozenset({"a", "b"})),
            {
                '`team in { "a", "b" }` became `team not in { "a", "b" }`',
                '`a` was dropped from `team in { "a", "b" }`',
                '`b` was dropped from `team in { "a", "b" }`',
                '`team in { "a", "b" }` was dropped',
            },
        ),
        (
            Either((Flag("tools"), All((Flag("json"), negate(Flag("stored")))))),
            {
                "`tools` was dropped",
                "`tools` became `not tools`",
                "`json and not stored` was dropped",
                "`json` was dropped",
                "`json` became `not json`",
                "`not stored` was dropped",
                "`stored` became `not stored`",
            },
        ),
    ],
    ids=["a threshold", "a long threshold", "the lowest threshold", "a level", "days", "a set", "a tree"],
)
def test_the_ways_to_alter_a_condition(condition: Condition, expected: set[str]) -> None:
    assert {a.said for a in altered(small_program(), condition)} == expected


@given(small())
def test_an_altered_condition_is_another(drawn: Drawn) -> None:
    program, _, _ = drawn
    for route in program.routes:
        ways = list(altered(program, route.condition))
        assert len({w.condition for w in ways}) == len(ways)
        assert route.condition not in {w.condition for w in ways}
        for way in ways:
            assert condition_text(program, way.condition)


def test_two_budgets_are_mistaken_for_each_other() -> None:
    program = small_program()
    month = replace(program.feature("exceeded(burst)"), name="exceeded(month)")
    program = replace(program, features=(*program.features, month))
    said = [m.said for m in mutants_of(program)]
    assert "`exceeded(burst)` became `exceeded(month)` in deny `too_fast`" in said


def test_a_dropped_part_leaves_the_others() -> None:
    program = small_program()
    a, b, c = Flag("tools"), Flag("json"), Flag("stored")
    found = {x.said: x.condition for x in altered(program, All((a, Either((b, c)), negate(c))))}
    assert found["`tools` was dropped"] == All((Either((b, c)), negate(c)))
    assert found["`json` was dropped"] == All((a, c, negate(c)))
    assert found["`not stored` was dropped"] == All((a, Either((b, c))))
    assert found["`tools` became `not tools`"] == All((negate(a), Either((b, c)), negate(c)))


@pytest.mark.parametrize(
    ("said", "hours"),
    [
        ("`hour in 9..17` became `hour in 8..17`", (8, 17)),
        ("`hour in 9..17` became `hour in 10..17`", (10, 17)),
        ("`hour in 9..17` became `hour in 9..16`", (9, 16)),
        ("`hour in 9..17` became `hour in 9..18`", (9, 18)),
    ],
)
def test_a_threshold_is_one_off(said: str, hours: tuple[int, int]) -> None:
    found = {x.said: x.condition for x in altered(small_program(), InRange("hour", 9, 17))}
    assert found[said] == InRange("hour", *hours)


def test_an_exception_that_is_forgotten_is_noticed_by_the_test_that_uses_it() -> None:
    text = (
        "edition 1\nstring team from identity unknown reject\n"
        "target t { location on_prem context 1k speaks chat }\ntarget u { location cloud context 1k speaks chat }\n"
        'guard home only location == on_prem overridable by "ciso" because "x"\n'
        'except pilot to home when team == "lab" until 2030-01-01 owner "ciso" because "a pilot"\n'
        'route all to u, t\notherwise reject "no"\n'
    )
    used = 'test "the pilot" given { team "lab" } expect only u then t\n'
    for tests, fate in ((used, Fate.BY_TESTS), ("", Fate.SURVIVED)):
        program = load_text(text + tests).program
        assert program is not None
        found = {t.mutant.said: t.fate for t in mutate(program, mutants_of(program)).trials}
        assert found["exception `pilot` was dropped"] is fate


def test_assertions_are_proved_of_the_mutant() -> None:
    text = (
        'edition 1\nint risk 0..9 from header "x-risk" unknown 9\n'
        "target t { location on_prem context 1k speaks chat }\ntarget u { location cloud context 1k speaks chat }\n"
        'guard home only location == on_prem when risk > 4 because "x"\n'
        'route all to u, t\notherwise reject "no"\nassert at_home never location == cloud when risk >= 5\n'
    )
    program = load_text(text).program
    assert program is not None
    found = {t.mutant.said: (t.fate, t.by) for t in mutate(program, mutants_of(program)).trials}
    assert found["guard `home` was dropped"] == (Fate.BY_ASSERTIONS, "at_home")
    assert found["`risk > 4` became `risk > 5` in guard `home`"] == (Fate.BY_ASSERTIONS, "at_home")
    assert found["`risk > 4` became `risk >= 4` in guard `home`"] == (Fate.SURVIVED, None)
