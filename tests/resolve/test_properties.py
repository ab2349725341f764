"""What holds for every policy: resolving never fails but by its findings, and what it accepts decides every request."""

import re

from hypothesis import event, given
from hypothesis import strategies as st

from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import Program
from policyd.policy.request import Inadmissible, Request, admit
from policyd.resolve.files import Unit
from policyd.resolve.load import load_text
from policyd.resolve.program import build
from policyd.resolve.report import Report
from policyd.syntax.nodes import Module
from policyd.text.diagnostic import Severity, has_errors
from tests.resolve.drawn import policies
from tests.resolve.test_example import EXAMPLE
from tests.strategies.modules import modules
from tests.strategies.requests import raw_requests

WORDS = re.findall(r"\w+|\s+|.", EXAMPLE.read_text("utf-8"))
"""The example's text, cut where a slip of the hand would cut it."""
PLACES = st.sampled_from([i for i, word in enumerate(WORDS) if not word.isspace()])


def accepted(policy: tuple[str, dict[str, str]]) -> Program:
    text, files = policy
    loaded = load_text(text, "main.policy", files)
    assert loaded.program is not None, [d for d in loaded.diagnostics if d.severity is Severity.ERROR]
    return loaded.program


@given(modules())
def test_any_tree_resolves_to_a_program_or_to_errors(module: Module) -> None:
    report = Report()
    program = build(Unit(module), report)
    assert (program is None) == has_errors(report.diagnostics())


@given(modules(), modules())
def test_any_tree_may_include_any_other(outer: Module, inner: Module) -> None:
    places = range(len(outer.statements))
    report = Report()
    program = build(Unit(outer, {i: Unit(inner) for i in places}), report)
    assert (program is None) == has_errors(report.diagnostics())


@given(st.data())
def test_a_damaged_policy_is_a_policy_or_a_list_of_errors(data: st.DataObject) -> None:
    words = list(WORDS)
    for _ in range(data.draw(st.integers(1, 6))):
        at, other = data.draw(PLACES), data.draw(PLACES)
        match data.draw(st.sampled_from(("drop", "swap", "copy"))):
            case "drop":
                words[at] = " "
            case "swap":
                words[at], words[other] = words[other], words[at]
            case _:
                words[at] = words[other]
    loaded = load_text("".join(words), "main.policy")
    assert (loaded.program is None) == has_errors(loaded.diagnostics)
    event("accepted" if loaded.program else "refused")


@given(st.data())
def test_an_accepted_policy_decides_every_request(data: st.DataObject) -> None:
    program = accepted(data.draw(policies()))
    request = admit(program, data.draw(raw_requests(program)))
    event(type(request).__name__)
    if isinstance(request, Inadmissible):
        assert request.status in {400, 403}
        return
    decision = evaluate(program, request)
    event(type(decision).__name__)
    match decision:
        case Plan():
            assert decision.targets
        case Reject():
            assert 400 <= decision.status <= 503


@given(st.data())
def test_no_plan_has_a_target_that_a_guard_forbids(data: st.DataObject) -> None:
    program = accepted(data.draw(policies()))
    request = admit(program, data.draw(raw_requests(program)))
    if isinstance(request, Request):
        decision = evaluate(program, request)
        if isinstance(decision, Plan):
            assert not set(decision.targets) & firing_guards(program, request).keys()


@given(st.data())
def test_a_scoped_file_means_nothing_outside_its_scope(data: st.DataObject) -> None:
    program = accepted(data.draw(policies()))
    request = admit(program, data.draw(raw_requests(program)))
    if not isinstance(request, Request) or not program.inclusions:
        return
    if not holds(program, program.inclusions[0].scope, request):
        scoped = (
            *(g.condition for g in program.guards if g.name.startswith("ta.")),
            *(d.condition for d in program.denies if d.name.startswith("ta.")),
            *(r.condition for r in program.routes if r.include == "ta"),
        )
        assert scoped
        assert not any(holds(program, condition, request) for condition in scoped)


@given(policies())
def test_resolving_twice_is_resolving_once(policy: tuple[str, dict[str, str]]) -> None:
    assert accepted(policy) == accepted(policy)
