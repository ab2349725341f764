"""Does the generated evaluator mean what the policy means, and does it ask only for what matters?"""

import linecache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policyd.engine import guarding, leaves, room, tree
from policyd.engine.axes import StringAxis, build_axes
from policyd.engine.compile import Compiled, compile_program, emit
from policyd.engine.matrix import Matrix, build_matrix
from policyd.engine.rows import decide_by_rows
from policyd.engine.source import Membership
from policyd.policy.condition import TRUE, AtLeast, Flag, Has, InRange, OneOf, Prefix, both, either
from policyd.policy.decision import Decision, Plan, Reject, outcome_of
from policyd.policy.evaluate import evaluate
from policyd.policy.program import (
    MAX_NUMBER,
    Assertion,
    Deny,
    Group,
    Guard,
    Member,
    Otherwise,
    Program,
    Route,
)
from policyd.policy.request import Request
from policyd.text.diagnostic import Severity
from tests.strategies.programs import FEATURES, TARGETS, grid, programs, requests
from tests.strategies.redactions import redacting_programs


def compiled_of(program: Program) -> Compiled:
    compiled = compile_program(program)
    assert isinstance(compiled, Compiled), compiled
    return compiled


def bare(
    routes: tuple[Route, ...] = (), guards: tuple[Guard, ...] = (), denies: tuple[Deny, ...] = ()
) -> Program:
    return Program(FEATURES, (), TARGETS, guards, denies, routes, Otherwise("no", 403, Severity.NOTE))


def to(name: str, *targets: str, when: object = TRUE) -> Route:
    return Route(name, (Group("order", tuple(Member(t) for t in targets)),), when)  # type: ignore[arg-type]


def some_request(program: Program, **values: object) -> Request:
    request = next(grid(program, []))
    return Request({**request.values, **values})  # type: ignore[dict-item]


def decide(compiled: Compiled, request: Request) -> Decision:
    return compiled.decide(compiled.vector(request))


def assert_traces_what_the_reference_does(found: Decision, reference: Decision) -> None:
    """Every removed target with at least one guard, and none that the reference does not name."""
    by = {r.target: set(r.guards) for r in reference.removed}
    if isinstance(reference, Plan):
        assert [r.target for r in found.removed] == [r.target for r in reference.removed]
    for removal in found.removed:
        assert removal.guards
        assert set(removal.guards) <= by[removal.target]
    if isinstance(found, Reject):
        assert found.passed_over == reference.passed_over


@given(st.data())
def test_generated_is_rows_is_reference(data: st.DataObject) -> None:
    program = data.draw(programs() | redacting_programs())
    compiled = compiled_of(program)
    for _ in range(5):
        request = data.draw(requests(program))
        found, reference = decide(compiled, request), evaluate(program, request)
        assert (
            outcome_of(found) == outcome_of(reference) == outcome_of(decide_by_rows(compiled.matrix, request))
        )
        assert_traces_what_the_reference_does(found, reference)


@pytest.mark.parametrize(
    ("flat", "wide", "behind", "sets"),
    [
        pytest.param(0, 64, 8, 64, id="every leaf in rows"),
        pytest.param(3, 64, 8, 64, id="large leaves in rows"),
        pytest.param(48, 0, 8, 64, id="guards in rows"),
        pytest.param(48, 64, 0, 64, id="what is behind a certain route on its own"),
        pytest.param(0, 64, 0, 64, id="and in rows"),
        pytest.param(48, 64, 0, 0, id="or in the table of all routes"),
        pytest.param(0, 0, 0, 0, id="everything in rows"),
    ],
)
def test_every_way_to_write_a_leaf_means_the_same(
    flat: int, wide: int, behind: int, sets: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits decide only how a leaf is written: forced down, rows and tables are used for small policies too."""
    monkeypatch.setattr(tree, "FLAT", flat)
    monkeypatch.setattr(leaves, "FLAT", flat)
    monkeypatch.setattr(guarding, "WIDE", wide)
    monkeypatch.setattr(leaves, "_BEHIND", behind)
    monkeypatch.setattr(leaves, "_SETS", sets)
    monkeypatch.setattr(tree, "_WORTH", 0)

    @settings(max_examples=30)
    @given(st.data())
    def check(data: st.DataObject) -> None:
        program = data.draw(programs(max_routes=8))
        compiled = compiled_of(program)
        for _ in range(3):
            request = data.draw(requests(program))
            found, reference = decide(compiled, request), evaluate(program, request)
            assert outcome_of(found) == outcome_of(reference)
            assert_traces_what_the_reference_does(found, reference)

    check()


@given(st.data())
def test_a_missing_feature_is_asked_for_or_does_not_matter(data: st.DataObject) -> None:
    program = data.draw(programs() | redacting_programs())
    compiled = compiled_of(program)
    request = data.draw(requests(program))
    costly = {f.name for f in program.features if f.cost >= 2}
    vector = compiled.vector_type()
    for feature, slot in compiled.slots.items():
        if feature not in costly:
            setattr(vector, slot, request.values[feature])
    missing = set(costly)
    while True:
        try:
            found = compiled.decide(vector)
            break
        except AttributeError as error:
            feature = compiled.need_of(error)
            assert feature in missing
            missing.remove(feature)
            setattr(vector, compiled.slots[feature], request.values[feature])
    assert outcome_of(found) == outcome_of(evaluate(program, request))


@given(st.data())
def test_no_plan_holds_a_target_that_a_guard_forbids(data: st.DataObject) -> None:
    program = data.draw(programs() | redacting_programs())
    compiled = compiled_of(program)
    request = data.draw(requests(program))
    found = decide(compiled, request)
    if isinstance(found, Plan):
        for guard in program.guards:
            alone = bare((to("r", *(t.name for t in TARGETS)),), (guard,))
            levels = Program(**{**fields_of(alone), "levels": program.levels})
            removed = {r.target for r in evaluate(levels, request).removed}
            assert removed.isdisjoint(found.targets)


def fields_of(program: Program) -> dict[str, object]:
    return {name: getattr(program, name) for name in Program.__dataclass_fields__}


@given(st.data())
def test_the_source_is_deterministic_and_holds_no_text_of_the_policy(data: st.DataObject) -> None:
    program = data.draw(programs() | redacting_programs())
    first, second = build_matrix(program), build_matrix(program)
    assert isinstance(first, Matrix) and isinstance(second, Matrix)
    source = emit(first).source
    assert source == emit(second).source
    for text in ('"', "'", "search", "secret", "because", "iban"):
        assert text not in source


def test_the_source_can_be_shown_in_a_traceback() -> None:
    compiled = compiled_of(bare((to("r", "t0"),)))
    assert linecache.getline(f"<policy {compiled.digest}>", 1) == compiled.source.splitlines(keepends=True)[0]


SCAN = Has("findings", "secret")
LONG = InRange("tokens", 100, MAX_NUMBER)


def needs(program: Program, **values: object) -> list[str]:
    """The costly features that a decision asks for, in order."""
    compiled = compiled_of(program)
    request = some_request(program, **values)
    vector = compiled.vector_type()
    asked: list[str] = []
    for feature in program.features:
        if feature.cost < 2:
            setattr(vector, compiled.slots[feature.name], request.values[feature.name])
    while True:
        try:
            compiled.decide(vector)
            return asked
        except AttributeError as error:
            asked.append(compiled.need_of(error))
            setattr(vector, compiled.slots[asked[-1]], request.values[asked[-1]])


def guard(name: str, when: object, *hits: str) -> Guard:
    return Guard(name, frozenset(hits), when, "", "")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("guards", "values", "asked"),
    [
        pytest.param((guard("g", SCAN, "t3"),), {}, [], id="a guard that hits no candidate is not evaluated"),
        pytest.param((guard("g", SCAN, "t0"),), {}, ["findings"], id="a guard that hits one is"),
        pytest.param(
            (guard("scan", SCAN, "t1"), guard("cheap", Flag("opaque"), "t1")),
            {"opaque": True},
            [],
            id="what a cheap guard removed is not scanned for",
        ),
        pytest.param(
            (guard("scan", SCAN, "t1"), guard("long", LONG, "t1")),
            {"tokens": 500},
            ["tokens"],
            id="counting comes before scanning and can save it",
        ),
        pytest.param(
            (guard("either", either(SCAN, Flag("opaque")), "t1"),),
            {"opaque": True},
            [],
            id="an alternative that is cheap decides a costly guard",
        ),
        pytest.param(
            (guard("either", either(SCAN, Flag("opaque")), "t1"), guard("long", LONG, "t1")),
            {"opaque": True},
            [],
            id="and does so before another costly guard is evaluated",
        ),
        pytest.param(
            (guard("both", both(SCAN, Flag("opaque")), "t1"),),
            {},
            [],
            id="a cheap part that is false ends a conjunction",
        ),
    ],
)
def test_costly_features_are_asked_for_only_if_they_matter(
    guards: tuple[Guard, ...], values: dict[str, object], asked: list[str]
) -> None:
    assert needs(bare((to("r", "t0", "t1"),), guards), **values) == asked


def test_an_error_that_is_no_missing_feature_is_raised_again() -> None:
    compiled = compiled_of(bare((to("r", "t0"),)))
    with pytest.raises(AttributeError, match="elsewhere"):
        compiled.need_of(AttributeError("elsewhere", name="f0", obj=object()))


def test_a_split_moves_only_what_a_removal_must() -> None:
    members = tuple(Member(t.name, weight) for t, weight in zip(TARGETS, (5, 3, 1, 1), strict=True))
    route = Route("r", (Group("split", members, "team"),), TRUE)
    program = bare(
        (route,), (guard("g", Flag("opaque"), "t1"),), (Deny("d", OneOf("team", frozenset({"x"})), 403, ""),)
    )
    compiled = compiled_of(program)
    firsts: dict[str, int] = {}
    for i in range(300):
        before = decide(compiled, some_request(program, team=f"team{i}", opaque=False))
        after = decide(compiled, some_request(program, team=f"team{i}", opaque=True))
        assert isinstance(before, Plan) and isinstance(after, Plan)
        firsts[before.targets[0]] = firsts.get(before.targets[0], 0) + 1
        if before.targets[0] != "t1":
            assert after.targets[0] == before.targets[0]
    assert set(firsts) == {"t0", "t1", "t2", "t3"}


def test_a_policy_of_a_thousand_rules_decides_as_the_reference() -> None:
    routes = tuple(
        to(
            f"r{i}",
            f"t{i % 4}",
            f"t{(i + 1) % 4}",
            when=both(
                Prefix("team", f"team{i % 100}-"),
                InRange("tokens", i, 1000 + i),
                OneOf("latency", frozenset({"batch"})),
            ),
        )
        for i in range(1000)
    )
    program = bare(
        (*routes, to("last", "t0")),
        (guard("g", SCAN, "t1"), guard("h", Flag("opaque"), "t0", "t1", "t2", "t3")),
    )
    compiled = compiled_of(program)
    for i in range(0, 1000, 13):
        for flags in ({}, {"opaque": True}, {"findings": frozenset({"secret"})}):
            request = some_request(program, team=f"team{i % 100}-x", tokens=i * 2, latency="batch", **flags)
            assert outcome_of(decide(compiled, request)) == outcome_of(evaluate(program, request))


def test_thresholds_are_the_constants_a_counter_may_stop_at() -> None:
    program = bare((to("r", "t0", when=LONG), to("s", "t0", when=InRange("tokens", 7, 7))))
    assert compiled_of(program).thresholds["tokens"] == (7, 8, 100)


def test_a_constant_of_an_assertion_alone_is_no_threshold() -> None:
    program = bare((to("r", "t0", when=LONG),))
    claim = Assertion("a", "never", frozenset(), InRange("tokens", 50, 60), "")
    claimed = Program(**{**fields_of(program), "assertions": (claim,)})  # type: ignore[arg-type]
    assert compiled_of(claimed).thresholds["tokens"] == (100,)


def test_a_number_that_a_split_hashes_is_settled_only_when_it_is_known() -> None:
    split = Route("r", (Group("split", (Member("t0"), Member("t1")), "tokens"),), TRUE)
    compiled = compiled_of(bare((split,)))
    assert not compiled.settled("tokens", 1, 2)
    assert compiled.settled("tokens", 2, 2)


def test_what_callers_choose_is_remembered_only_up_to_the_allowance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MOST_REMEMBERED", 0)
    route = to("r", "t0", "t1", when=either(Prefix("project", "a"), Prefix("project", "b")))
    program = bare((route,), (guard("g", Flag("opaque"), "t0", "t1"), guard("h", SCAN, "t0")))
    compiled = compiled_of(program)
    names = [f"a{i}" for i in range(50)] + [f"c{i}" for i in range(50)]
    for name in names:
        for flags in ({}, {"opaque": True}, {"findings": frozenset({"secret"})}):
            request = some_request(program, project=name, **flags)
            assert outcome_of(decide(compiled, request)) == outcome_of(evaluate(program, request))


def test_a_table_stops_remembering_when_the_allowance_is_used_up() -> None:
    axes = build_axes(FEATURES, [Prefix("project", "a"), OneOf("project", frozenset({"abc"}))])
    axis = axes.axes[0]
    assert isinstance(axis, StringAxis)
    inside = Membership(axis, axis.mask(Prefix("project", "a")), room.Room(2))
    answers = [inside[name] for name in ("a1", "b1", "a2", "b2", "abc", "a" * 500)]
    assert answers == [True, False, True, False, True, True]
    assert set(inside) == {"a1", "b1"}


@given(st.data())
def test_thresholds_of_a_level_are_nested(data: st.DataObject) -> None:
    """Wherever a level is at least a rank, it is at least every lower one."""
    program = data.draw(programs() | redacting_programs())
    matrix = build_matrix(program, [AtLeast("sensitivity", k) for k in range(1, 4)])
    assert isinstance(matrix, Matrix)
    cell = [data.draw(st.integers(0, a.size - 1)) for a in matrix.axes]
    held = [
        any(
            all(m >> cell[a] & 1 for a, m in box.items())
            for box in matrix.boxes_of(AtLeast("sensitivity", k))
        )
        for k in range(1, 4)
    ]
    assert held == sorted(held, reverse=True)


@given(st.data())
def test_settled_bounds_decide_alike(data: st.DataObject) -> None:
    program = data.draw(programs(["tokens", "team", "latency"]))
    compiled = compiled_of(program)
    request = data.draw(requests(program))
    low, high = sorted(data.draw(st.tuples(*[st.sampled_from([0, 5, 10, 15, 30, 70, 150, 10_000])] * 2)))
    if compiled.settled("tokens", low, high):
        ends = [Request({**request.values, "tokens": n}) for n in (low, high)]
        assert outcome_of(decide(compiled, ends[0])) == outcome_of(evaluate(program, ends[1]))
    else:
        assert any(low < cut <= high for cut in compiled.thresholds["tokens"])


def test_a_compiler_that_is_wrong_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test notices an evaluator that takes routes in the wrong order."""
    program = bare((to("r", "t0", when=Flag("opaque")), to("s", "t1", when=Flag("urgent"))))
    monkeypatch.setattr(leaves.LeafWriter, "_owners", backwards(leaves.LeafWriter._owners))
    found = compile_program(program)
    assert isinstance(found, tuple)
    assert [d.code for d in found] == ["PD605"]


def backwards(owners):  # type: ignore[no-untyped-def]
    return lambda self, live: owners(self, live)[::-1]
