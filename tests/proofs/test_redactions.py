"""Redactions in proofs: against brute force over every request by what was found and what cannot be taken out of it."""

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.decision import Plan
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.possible import agree
from policyd.policy.program import Assertion, Program, Target
from policyd.policy.quiet import quiet_request
from policyd.policy.redacted import as_written, seeing
from policyd.policy.request import EVERYTHING, Request, admit
from policyd.policy.variants import covers
from policyd.proofs.assertions import counterexample
from policyd.proofs.holes import holes
from policyd.proofs.loosens import unknown_loosens
from policyd.proofs.monotone import not_monotone
from policyd.proofs.prove import prove
from policyd.proofs.redactions import opened_by_redaction, redaction_of_route, redactions_in_vain
from policyd.proofs.unreached import unreached_targets
from policyd.proofs.unredacted import unredacted_elsewhere
from policyd.resolve.load import load_text
from tests.proofs import brute
from tests.proofs.brute_more import gains, reached, steps
from tests.proofs.drawn import case_of, finished
from tests.strategies.programs import conditions
from tests.strategies.redactions import every_request, redacting_programs

FEATURES = ("findings", "team")
Drawn = tuple[Program, list[Request]]


@st.composite
def drawn_policies(draw: st.DrawFn) -> Drawn:
    program = draw(redacting_programs(*FEATURES, max_routes=3, max_guards=3, max_denies=1))
    program = replace(program, guards=tuple(g for g in program.guards if g.name != "context"))
    every = every_request(program, "team")
    assume(every is not None)
    assert every is not None
    return program, every


def sent(program: Program, request: Request) -> tuple[str, frozenset[str]] | None:
    decision = evaluate(program, request)
    return (decision.route, frozenset(decision.targets)) if isinstance(decision, Plan) else None


@given(drawn_policies(), conditions(("findings",), levels=False), st.data())
def test_assertions_about_variants_hold_iff_no_request_breaks_them(
    drawn: Drawn, condition: object, data: st.DataObject
) -> None:
    program, _ = drawn
    hit = frozenset(data.draw(st.sets(st.sampled_from([t.name for t in program.targets]), max_size=3)))
    program = replace(program, assertions=(Assertion("a", "never", hit, condition, "…"),))  # type: ignore[arg-type]
    every = every_request(program, "team")
    assume(every is not None)
    found = counterexample(case_of(program), program.assertions[0])
    assert (found is not None) == brute.broken_by(program, program.assertions[0], every or ())
    if found is not None:
        assert agree(found.request.values)


@given(drawn_policies())
def test_holes_and_targets_that_nobody_reaches(drawn: Drawn) -> None:
    program, every = drawn
    case = case_of(program)
    assert any(f.code == "PD306" for f in finished(holes(case))) == brute.has_hole(program, every)
    plain = {t.plain for t in program.targets if t.name in reached(program, every)}
    unreached = {f.subject for f in finished(unreached_targets(case))}
    assert unreached == {t.name for t in program.declared} - plain


@given(drawn_policies())
def test_what_after_redaction_opens_is_found_and_nothing_else(drawn: Drawn) -> None:
    program, every = drawn
    before = as_written(program)
    opened = {
        (route, guard)
        for request in every
        if (goes := sent(program, request)) is not None
        for route, targets in [goes]
        for target in targets
        for guard in firing_guards(before, request).get(target, ())
    }
    case = case_of(program)
    found = finished(opened_by_redaction(case))
    said = {
        (f.subject, g.name)
        for f in found
        for g in program.written
        if f"`{g.name}` forbids as they come" in f.message
    }
    assert said == opened
    silent = {f.subject for f in found if "opens nothing" in f.message}
    after = {r.name for r in program.routes if (red := redaction_of_route(case, r)) is not None and red.after}
    assert silent == after - {route for route, _ in opened}
    for finding in found:
        if finding.witness is not None:
            assert sent(program, finding.witness.request) is not None
            assert agree(finding.witness.request.values)


@given(drawn_policies())
def test_what_goes_out_elsewhere_as_it_came_is_found_and_nothing_else(drawn: Drawn) -> None:
    program, every = drawn
    by_name = {t.name: t for t in program.targets}
    case = case_of(program)
    found = finished(unredacted_elsewhere(case))
    leaving = set()
    for number, route in enumerate(program.routes):
        redaction = redaction_of_route(case, route)
        behind = {r.name for r in program.routes[number + 1 :]}
        for request in every if redaction is not None else ():
            goes = sent(program, request)
            if goes is None or goes[0] not in behind or not holds(program, route.condition, request):
                continue
            stuck = [n for n in redaction.names if n in request.values["unredactable"]]  # type: ignore[union-attr, operator]
            if any(_gets(by_name[t], n) for t in goes[1] for n in stuck):
                leaving.add(route.name)
    assert {f.subject for f in found} == leaving
    assert all(f.witness is not None and agree(f.witness.request.values) for f in found)


def _gets(target: Target, name: str) -> bool:
    redaction = target.redaction
    return target.fact("location") == "cloud" and (redaction is None or not covers(redaction, name))


@given(drawn_policies())
def test_redactions_in_vain_are_found_and_nothing_else(drawn: Drawn) -> None:
    program, every = drawn
    case = case_of(program)
    never = set()
    for route in program.routes:
        redaction = redaction_of_route(case, route)
        decided = [r for r in every if (goes := sent(program, r)) is not None and goes[0] == route.name]
        for name in () if redaction is None else redaction.names:
            if not any(name in r.values["findings"] for r in decided):  # type: ignore[operator]
                never.add((route.name, name))
    found = finished(redactions_in_vain(case))
    said = {(f.subject, n) for f in found for n in _named(f.message)}
    assert said == never


def _named(message: str) -> list[str]:
    return (
        message.partition(" never takes out ")[2]
        .partition(": ")[0]
        .replace(" and ", ", ")
        .replace("`", "")
        .split(", ")
    )


@given(drawn_policies())
def test_unknown_findings_never_leave_by_a_route_that_redacts(drawn: Drawn) -> None:
    program, every = drawn
    variants = {t.name for t in program.targets if t.of is not None}
    for request in every:
        if request.values["findings"] is EVERYTHING:
            goes = sent(program, request)
            assert goes is None or variants.isdisjoint(goes[1])


@given(drawn_policies())
def test_what_is_sent_redacted_holds_nothing_that_it_promises_to_take_out(drawn: Drawn) -> None:
    program, every = drawn
    by_name = {t.name: t for t in program.targets}
    for request in every:
        goes = sent(program, request)
        for target in () if goes is None else goes[1]:
            redaction = by_name[target].redaction
            if redaction is not None:
                assert not any(name in request.values["unredactable"] for name in redaction.names)  # type: ignore[operator]


@given(drawn_policies())
def test_one_more_finding_and_unknown_findings(drawn: Drawn) -> None:
    """What `not monotone` and `unknown loosens` find of names is what steps between requests gain."""
    program, every = drawn
    case = case_of(program)
    loosened = {f.subject for f in finished(unknown_loosens(case))} & {"findings", "unredactable"}
    unknown = {"findings": EVERYTHING, "unredactable": EVERYTHING}
    gaining = set()
    for request in every:
        other = admit(program, {**request.values, **unknown})
        assert isinstance(other, Request)
        gaining |= gains(program, other, request)
    assert bool(loosened) == bool(gaining)
    found = {f.subject for f in finished(not_monotone(case))} & {"findings", "unredactable"}
    for name in ("findings", "unredactable"):
        stepped = {
            gain
            for request in every
            for _, twin in steps(program, request, name)
            if agree(twin.values)
            for gain in gains(program, request, twin)
        }
        assert name not in found or stepped
        if stepped - gaining:
            assert name in found


@given(drawn_policies())
def test_every_finding_has_a_witness_that_can_be(drawn: Drawn) -> None:
    program, _ = drawn
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    for finding in prove(program, matrix).findings:
        for witness in (finding.witness, finding.twin):
            if witness is not None:
                assert agree(witness.request.values)
                assert quiet_request(program, dict(witness.given)) == witness.request
                assert evaluate(program, witness.request) == witness.decision


@given(drawn_policies())
def test_guards_as_written_and_as_they_see_are_each_other_s(drawn: Drawn) -> None:
    program, every = drawn
    whole = as_written(program)
    assert [g.name for g in whole.guards if not g.builtin] == [g.name for g in program.written]
    assert seeing(whole) == program
    for target in (t for t in program.targets if t.redaction is None or not t.redaction.after):
        for request in every:
            assert firing_guards(whole, request).get(target.name) == firing_guards(program, request).get(
                target.name
            )


POLICY = """edition 1
level sensitivity {{ low < high }}
classify sensitivity {{ starts at low at least high when findings contains any {{ "secret", "iban" }} or opaque }}
target home {{ location on_prem context 64k speaks chat }}
target away {{ location cloud context 64k speaks chat }}
guard stays only location == on_prem when sensitivity >= high because "x"
{}
route rest to home
otherwise reject "no"
"""


def loaded(*lines: str) -> Program:
    found = load_text(POLICY.format("\n".join(lines)))
    assert found.program is not None, found.diagnostics
    return found.program


@pytest.mark.parametrize(
    ("redaction", "given_", "target"),
    [
        pytest.param("redact(secret)", {"secret.aws"}, "home", id="guards see the original"),
        pytest.param("redact(secret) after redaction", {"secret.aws"}, "away", id="unless it is written"),
        pytest.param("redact(secret) after redaction", {"secret.aws", "iban"}, "home", id="what stays is seen"),
        pytest.param("redact(secret.aws) after redaction", {"secret.aws"}, "home", id="a name above stays"),
        pytest.param("redact(secret, iban) after redaction", {"iban", "secret"}, "away", id="both are taken out"),
    ],
)  # fmt: skip
def test_what_guards_see(redaction: str, given_: set[str], target: str) -> None:
    program = loaded(f"route out to away with {redaction}")
    request = quiet_request(program, {"endpoint": "chat", "findings": given_})
    assert isinstance(request, Request)
    decision = evaluate(program, request)
    assert isinstance(decision, Plan) and program.target(decision.targets[0]).plain == target
    assert holds(program, program.written[0].condition, request)


def test_a_redaction_opens_nothing_where_no_guard_asks_for_it() -> None:
    program = loaded("route out to home with redact(secret) after redaction")
    (found,) = opened_by_redaction(case_of(program))
    assert found.code == "PD325"
    assert "opens nothing" in found.message


def test_why_a_redaction_never_happens() -> None:
    program = loaded("route out to away with redact(secret, card-number)")
    (found,) = redactions_in_vain(case_of(program))
    assert found.code == "PD326"
    assert found.message == (
        "route `out` never takes out `secret`: `stays` forbids its targets before, as guards see the request as it comes"
    )
    assert "write `after redaction`" in (found.help or "")


@pytest.mark.parametrize(("after", "also"), [("", " and write `after redaction`"), (" after redaction", "")])
def test_a_guard_that_asks_for_more_than_is_taken_out_is_the_reason(after: str, also: str) -> None:
    """Through a level, as guards mostly ask."""
    program = loaded(f"route out to away with redact(secret.aws, card-number){after}")
    (found,) = redactions_in_vain(case_of(program))
    assert found.message == (
        "route `out` never takes out `secret.aws`: `stays` asks for `secret`, of which `secret.aws` is a part,"
        " and what else is `secret` is not taken out"
    )
    assert found.help == f"redact `secret`{also}, or leave the name out"
    assert [label.text for label in found.labels] == ["asks for more than is taken out"]
