"""Coverage against brute force: what counts as shown, what is left out, and what is generated."""

from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.cli.proposed import proposed_file
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import All, Condition, Const, Either, InRange, Not
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate, firing_guards, holds, level_rank
from policyd.policy.excepted import applies, without_exception
from policyd.policy.possible import agree
from policyd.policy.program import Classify, NumberDomain, Program
from policyd.policy.request import Request
from policyd.proofs.case import open_case
from policyd.proofs.find import Budget
from policyd.resolve.load import load_text
from policyd.syntax.format import format_source
from policyd.text.source import Source
from policyd.trials.coverage import State, bare_edges, below_minimum, coverage_of
from policyd.trials.generate import missing, proposals
from policyd.trials.goals import Edge, Goal, goals_of, look, met
from policyd.trials.leaves import leaves_of
from policyd.trials.run import failures, run_tests
from tests.resolve.drawn import policies
from tests.trials.drawn import asked_about, case_of, small

Drawn = tuple[Program, tuple[str, ...], list[Request]]


def forced(program: Program, condition: Condition, request: Request, leaf: int, value: bool) -> bool:
    """The condition's truth with the leaf of this number forced. Ranges with two ends inside their domain are two."""
    numbers = count()

    def walk(c: Condition) -> bool:
        match c:
            case Const(truth):
                return truth
            case Not(operand):
                return not walk(operand)
            case All(operands):
                truths = [walk(o) for o in operands]  # all of them: each leaf has its number
                return all(truths)
            case Either(operands):
                truths = [walk(o) for o in operands]
                return any(truths)
            case InRange(feature, low, high):
                domain = program.feature(feature).domain
                assert isinstance(domain, NumberDomain)
                here = request.values[feature]
                assert isinstance(here, int)
                if low == domain.low or high == domain.high:
                    return one(low <= here <= high)
                ends = (one(low <= here), one(here <= high))
                return all(ends)
            case _:
                return one(holds(program, c, request))

    def one(truth: bool) -> bool:
        return value if next(numbers) == leaf else truth

    return walk(condition)


@given(small())
def test_a_leaf_decides_exactly_where_forcing_it_turns_the_condition(drawn: Drawn) -> None:
    program, _, every = drawn
    conditions = [x.condition for part in (program.guards, program.denies, program.routes) for x in part]
    for condition in conditions:
        for number, leaf in enumerate(leaves_of(program, condition)):
            for request in every[:60]:
                turned = forced(program, condition, request, number, True) != forced(
                    program, condition, request, number, False
                )
                assert holds(program, leaf.alone, request) == turned


def plainly(program: Program, goal: Goal, request: Request) -> bool:
    """The same as `met` for what is about whole rules, from what the decision says."""
    decision = evaluate(program, request)
    by = () if isinstance(decision, Plan) else decision.by
    denied = bool(by) and by != ("otherwise",)
    match goal.kind:
        case "routes":
            return isinstance(decision, Plan) and decision.route == goal.rule
        case "denies":
            return by[:1] == (goal.rule,)
        case "otherwise":
            return by == ("otherwise",)
        case "guards" | "exceptions":
            guard = program.guards[goal.index]
            tried = [*decision.passed_over, *([decision.route] if isinstance(decision, Plan) else [])]
            offered = {t for r in program.routes if r.name in tried for t in r.targets}
            if denied or offered.isdisjoint(guard.hits):
                return False
            applied = any(guard.name in names for names in firing_guards(program, request).values())
            if goal.kind == "guards":
                return applied == goal.text.endswith("removes a target")
            exception = next(e for e in program.exceptions if e.name == goal.rule)
            without = without_exception(guard.condition, exception)
            return holds(program, without, request) and holds(program, applies(exception), request)
        case _:
            raise AssertionError(goal.kind)


@given(small())
def test_what_a_request_shows_of_a_rule_is_what_the_decision_says(drawn: Drawn) -> None:
    program, _, every = drawn
    goals = [g for g in goals_of(program) if g.kind not in {"conditions", "starts", "raises"}]
    for request in every[:80]:
        seen = look(program, request)
        for goal in goals:
            assert met(program, goal, seen) == plainly(program, goal, request)


def lifted(program: Program, level: Classify, number: int, request: Request) -> bool:
    """The level is lower without this raise."""
    without = replace(level, raises=(*level.raises[:number], *level.raises[number + 1 :]))
    return level_rank(program, without, request) < level_rank(program, level, request)


@given(small())
def test_a_raise_is_shown_where_the_level_is_lower_without_it(drawn: Drawn) -> None:
    program, _, every = drawn
    for level in program.levels:
        goals = [g for g in goals_of(program) if g.kind == "raises" and g.rule == level.name]
        assert len(goals) == len(level.raises)
        for request in every[:80]:
            for number, goal in enumerate(goals):
                shown = met(program, goal, look(program, request))
                assert shown == lifted(program, level, number, request)


@settings(max_examples=60)
@given(small(), st.data())
def test_nothing_is_left_out_that_some_request_shows_and_suggestions_do(
    drawn: Drawn, data: st.DataObject
) -> None:
    program, _, every = drawn
    some = data.draw(st.lists(st.sampled_from(every), max_size=3))
    program = asked_about(program, some)
    seen = [look(program, r) for r in every]
    for row in coverage_of(case_of(program)).rows:
        shown = any(met(program, row.goal, look(program, r)) for r in some)
        assert (row.state is State.COVERED) == shown
        assert row.state is not State.NOT_PROVED, "small programs are within every budget"
        if row.state is State.IMPOSSIBLE:
            assert not any(met(program, row.goal, s) for s in seen)
        if row.state is State.MISSED:
            assert row.witness is not None
            assert met(program, row.goal, look(program, row.witness.request))
            assert agree(row.witness.request.values)


@settings(max_examples=60)
@given(small())
def test_a_threshold_is_asked_for_exactly_where_a_request_stands_there(drawn: Drawn) -> None:
    """If any request of the grid meets the goal at the edge, so does the one that is suggested."""
    program, _, every = drawn
    for row in coverage_of(case_of(program)).of(State.MISSED):
        edge = row.goal.edge
        if not isinstance(edge, Edge) or edge.feature in {"tokens", "max_output", "context_needed"}:
            continue
        assert row.witness is not None
        at = any(
            r.values[edge.feature] == edge.value and met(program, row.goal, look(program, r)) for r in every
        )
        if at:
            assert row.witness.request.values[edge.feature] == edge.value


@settings(max_examples=60)
@given(small(), st.data())
def test_generated_tests_pass_and_cover_whatever_can_be(drawn: Drawn, data: st.DataObject) -> None:
    program, _, every = drawn
    program = asked_about(program, data.draw(st.lists(st.sampled_from(every), max_size=2)))
    found = proposals(program, missing(case_of(program)))
    grown = replace(program, tests=(*program.tests, *(p.case for p in found)))
    assert all(r.passed for r in run_tests(grown))
    assert len({t.name for t in grown.tests}) == len(grown.tests)
    coverage = coverage_of(case_of(grown))
    assert not coverage.of(State.MISSED)
    covered, feasible = coverage.counts()
    assert covered == feasible
    assert coverage.percent == "100 %"
    assert below_minimum("x", coverage, 100) is None
    assert not proposals(grown, missing(case_of(grown)))


@settings(max_examples=40)
@given(policies())
def test_generated_text_is_in_standard_form_loads_and_passes(drawn: tuple[str, dict[str, str]]) -> None:
    text, files = drawn
    program = load_text(text, "main.policy", files).program
    assert program is not None
    found = proposals(program, missing(case_of(program)))
    written = proposed_file(program, found)
    assert format_source(Source("more.policy", written)).text == written
    root = text.replace("edition 1\n", 'edition 1\ninclude "more.policy"\n', 1)
    again = load_text(root, "main.policy", {**files, "more.policy": written})
    assert again.program is not None, again.diagnostics
    assert len(again.program.tests) == len(found)
    assert not failures(run_tests(again.program))
    assert not coverage_of(case_of(again.program)).of(State.MISSED)


def test_a_minimum_is_not_rounded_up() -> None:
    program = load_text(
        "edition 1\nbool a from deployment unknown false\nbool b from deployment unknown false\n"
        "target t { location on_prem context 1k speaks chat }\n"
        'route one to t when a\nroute two to t when b\notherwise reject "no"\n'
        'test "a" given { a } expect t\n'
    ).program
    assert program is not None
    coverage = coverage_of(case_of(program))
    assert coverage.counts() == (2, 7)
    assert coverage.reaches(28)
    assert not coverage.reaches(29)
    found = below_minimum("main.policy", coverage, 29)
    assert found is not None
    assert found.code == "PD405"


def test_only_what_is_asked_for_is_generated() -> None:
    program = load_text(
        'edition 1\nint risk 0..9 from header "x-risk" unknown 0\n'
        "target t { location on_prem context 1k speaks chat }\ntarget u { location cloud context 1k speaks chat }\n"
        'guard home only location == on_prem when risk > 4 because "x"\n'
        'route all to u, t\notherwise reject "no"\n'
    ).program
    assert program is not None
    case = case_of(program)

    def asked(*words: str) -> list[object]:
        return [dict(p.given).get("risk") for p in proposals(program, missing(case, words))]

    assert asked("home") == [5, 4]
    assert asked("routes") == [None]
    assert asked("edges") == [5, 4]
    assert asked("edges", "routes") == [5, 4], "one of them is what the route needs, too"


def test_a_threshold_that_no_test_stands_at_gets_its_tests() -> None:
    text = (
        'edition 1\nint risk 0..99 from header "x-risk" unknown 0\n'
        "target t { location on_prem context 1k speaks chat }\ntarget u { location cloud context 1k speaks chat }\n"
        'route high to t when risk >= 41\nroute low to u\notherwise reject "no"\n'
        'test "low" given { risk 3 } expect u\ntest "high" given { risk 90 } expect t\n'
        'test "none" given { endpoint messages } expect rejected\n'
    )
    program = load_text(text).program
    assert program is not None
    coverage = coverage_of(case_of(program))
    assert coverage.percent == "100 %"
    assert [r.goal.text for r in bare_edges(case_of(program))] == [
        "route `high`: `risk >= 41` holds",
        "route `high`: `risk >= 41` does not hold",
    ]
    assert [p.given for p in proposals(program, missing(case_of(program)))] == [
        (("risk", 41),),
        (("risk", 40),),
    ]


def test_what_is_not_proved_counts_as_missing() -> None:
    program = load_text(
        'edition 1\ntarget t { location on_prem context 1k speaks chat }\nroute one to t when stream\notherwise reject "no"\n'
    ).program
    assert program is not None
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    coverage = coverage_of(open_case(program, matrix, Budget(nodes=0)))
    assert not coverage.of(State.IMPOSSIBLE)
    assert len(coverage.of(State.NOT_PROVED)) == coverage.counts()[1] == 4
    assert not coverage.reaches(1)


def test_what_there_was_no_time_to_ask_counts_as_missing() -> None:
    program = load_text(
        "edition 1\ntarget t { location on_prem context 1k speaks chat }\n"
        'route one to t when stream\notherwise reject "no"\ntest "a" given { stream } expect t\n'
    ).program
    assert program is not None
    case = case_of(program)
    in_time, late = coverage_of(case), coverage_of(case, until=lambda: True)
    assert late.counts() == in_time.counts() == (2, 4)
    assert [r.asked for r in late.of(State.NOT_PROVED)] == [False, False]
    assert all(r.asked for r in in_time.rows)
    rows = missing(case, until=lambda: True)
    assert len(rows) == 2
    assert not any(r.asked for r in rows)
    turns = iter([False])
    begun = coverage_of(case, until=lambda: next(turns, True)).of(State.NOT_PROVED)
    assert [r.asked for r in begun] == [True, False], "the time runs out within the first question, too"


def test_tests_that_fail_show_nothing() -> None:
    text = (
        "edition 1\ntarget t { location on_prem context 1k speaks chat }\n"
        'route one to t when stream\notherwise reject "no"\ntest "wrong" given { stream } expect rejected\n'
    )
    program = load_text(text).program
    assert program is not None
    assert coverage_of(case_of(program)).counts() == (0, 4)
