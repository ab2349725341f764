"""Every proof against brute force on small domains: nothing missed, nothing invented, every witness really one."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.condition import TRUE
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.possible import agree
from policyd.policy.program import Inclusion, Program, Provenance
from policyd.policy.request import Request, admit, unknown_value
from policyd.proofs.assertions import counterexample
from policyd.proofs.case import Case, open_case
from policyd.proofs.conflicts import conflicting_includes
from policyd.proofs.dead import dead_rules
from policyd.proofs.findings import Finding
from policyd.proofs.holes import dead_ends, holes
from policyd.proofs.loosens import claimed_loosens, unknown_loosens
from policyd.proofs.prove import prove
from tests.proofs import brute
from tests.strategies.programs import SMALL, programs

NUMBERS = ("tokens", "context_needed", "max_output", "team")
GROUPS = (
    SMALL,
    NUMBERS,
    ("project", "latency", "header:x-data-class", "opaque", "images"),
    ("findings", "team"),
    ("date", "weekday"),
)


@st.composite
def small(
    draw: st.DrawFn, *, assertions: int = 0, routes: int = 5
) -> tuple[Program, tuple[str, ...], list[Request]]:
    group = draw(st.sampled_from(GROUPS))
    names = tuple(draw(st.lists(st.sampled_from(group), min_size=1, max_size=3, unique=True)))
    program = draw(programs(names, max_routes=routes, max_assertions=assertions))
    reading = names + (
        ("context_needed",)
        if any(g.builtin for g in program.guards) and "context_needed" not in names
        else ()
    )
    if "images" in reading and "opaque" not in reading:
        reading += ("opaque",)  # the one brings the other
    every = brute.grid_of(program, reading)
    assume(every is not None)
    assert every is not None
    return program, reading, every


def case_of(program: Program) -> Case:
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    return open_case(program, matrix)


def subjects(findings: tuple[Finding, ...]) -> set[str]:
    assert not any(f.unfinished for f in findings)
    return {f.subject for f in findings}


@given(small(assertions=3))
def test_an_assertion_is_proved_iff_no_request_breaks_it(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = drawn
    case = case_of(program)
    for assertion in program.assertions:
        witness = counterexample(case, assertion)
        assert (witness is not None) == brute.broken_by(program, assertion, every)
        if witness is not None:
            assert brute.breaks(program, assertion, witness.request)


@given(small())
def test_dead_rules_are_those_that_never_decide(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = drawn
    assert subjects(dead_rules(case_of(program))) == brute.dead(program, every)


@given(small())
def test_removing_a_dead_route_changes_nothing(drawn: tuple[Program, tuple[str, ...], list[Request]]) -> None:
    program, _, every = drawn
    dead = [f.subject for f in dead_rules(case_of(program)) if f.subject.startswith("r")]
    for name in dead:
        less = replace(program, routes=tuple(r for r in program.routes if r.name != name))
        for request in every:
            before, after = evaluate(program, request), evaluate(less, request)
            assert type(before) is type(after)
            if isinstance(before, Plan) and isinstance(after, Plan):
                assert (before.route, before.groups) == (after.route, after.groups)


@given(small())
def test_there_is_a_hole_iff_a_request_reaches_otherwise(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = drawn
    found = holes(case_of(program))
    assert bool(subjects(found)) == brute.has_hole(program, every)
    for finding in found:
        assert finding.witness is not None and finding.witness.decision.by == ("otherwise",)  # type: ignore[union-attr]


@given(small())
def test_dead_ends_are_the_routes_that_guards_empty(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    program, _, every = drawn
    assert subjects(dead_ends(case_of(program))) == brute.dead_end_routes(program, every)


@given(small(), st.booleans())
def test_what_loosens_is_found_and_nothing_else(
    drawn: tuple[Program, tuple[str, ...], list[Request]], claimed: bool
) -> None:
    program, names, every = drawn
    found = (claimed_loosens if claimed else unknown_loosens)(case_of(program))
    assert not any(f.unfinished for f in found)
    expected = brute.loosening(program, names, every, claimed=claimed)
    # Tokens and context are unknown together; which of the two a finding names depends on what the rule reads.
    together = {"context_needed": "tokens"}
    features = {together.get(feature, feature) for feature, _ in expected}
    assert {together.get(f.subject, f.subject) for f in found} == features
    for finding in found:
        assert finding.witness is not None and finding.twin is not None
        rules = brute.gained(program, finding.witness.request, finding.twin.request)
        assert any((finding.subject, rule) in expected for rule in rules)


@given(small(), st.lists(st.sampled_from(("a", "b", None)), min_size=6, max_size=6))
def test_includes_conflict_iff_some_request_gets_two_plans(
    drawn: tuple[Program, tuple[str, ...], list[Request]], owners: list[str | None]
) -> None:
    program, _, every = drawn
    routes = tuple(replace(r, include=o) for r, o in zip(program.routes, owners, strict=False))
    none: frozenset[str] = frozenset()
    inclusions = tuple(Inclusion(a, f"{a}.policy", TRUE, none, none) for a in ("a", "b"))
    program = replace(program, routes=routes, inclusions=inclusions)
    found = conflicting_includes(case_of(program))
    assert bool(subjects(found)) == brute.conflicts(program, every, "a", "b")
    ordered = replace(program, inclusions=(inclusions[0], replace(inclusions[1], after=frozenset({"a"}))))
    assert conflicting_includes(case_of(ordered)) == ()


@given(
    programs(max_assertions=2)
    | programs(("tokens", "max_output", "context_needed"), max_assertions=3)
    | programs(("images", "opaque", "date", "weekday"), max_assertions=3)
)
def test_every_finding_carries_a_possible_witness(program: Program) -> None:
    case = case_of(program)
    report = prove(program, case.matrix)
    for finding in report.findings:
        for witness in (finding.witness, finding.twin):
            if witness is not None:
                assert evaluate(program, witness.request) == witness.decision
                assert agree(witness.request.values)
        assert finding.diagnostic().code == finding.code


def allowed(program: Program, request: Request) -> frozenset[str]:
    """The targets that no guard removes; none where a deny holds."""
    if any(holds(program, d.condition, request) for d in program.denies):
        return frozenset()
    return frozenset(t.name for t in program.targets).difference(firing_guards(program, request))


@given(small())
def test_where_check_finds_nothing_no_claim_and_nothing_unknown_widens(
    drawn: tuple[Program, tuple[str, ...], list[Request]],
) -> None:
    """A label, a header or a body field never gets a caller further than leaving it out; an unknown, such as findings
    that could not be scanned, never further than any value."""
    program, names, every = drawn
    case = case_of(program)
    found = {f.subject for f in (*claimed_loosens(case), *unknown_loosens(case))}
    for feature in program.features:
        unknown = unknown_value(feature)
        if feature.name not in names or feature.name in found or unknown is None:
            continue
        if feature.name in {"tokens", "context_needed", "max_output"}:
            continue  # they change together; the comparison with brute force covers them
        for request in every:
            without = admit(program, {**request.values, feature.name: unknown})
            assert isinstance(without, Request)
            if not agree(without.values):
                continue
            wide, narrow = (
                (without, request) if feature.provenance is Provenance.CLAIMED else (request, without)
            )
            assert allowed(program, narrow) <= allowed(program, wide)
