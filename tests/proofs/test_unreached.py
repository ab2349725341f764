"""Targets nobody reaches, capabilities nobody has, and tests that hold whatever the rules say."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.policy.builtins import CAPABILITIES, SPOKEN
from policyd.policy.condition import TRUE, Condition, Flag, OneOf
from policyd.policy.decision import Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import Deny, Group, Member, Program, Route
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proofs.findings import Finding
from policyd.proofs.idle import idle_tests, unservable
from policyd.proofs.lacking import lacking_capabilities
from policyd.proofs.unreached import unreached_targets
from policyd.resolve.guards import capability_guards
from policyd.resolve.load import load_text
from tests.proofs.brute_more import reached
from tests.proofs.drawn import Drawn, case_of, finished, small
from tests.strategies.programs import programs


@given(small())
def test_targets_that_are_no_candidate_are_found_and_no_others(drawn: Drawn) -> None:
    program, _, every = drawn
    found = finished(unreached_targets(case_of(program)))
    assert {f.subject for f in found} == {t.name for t in program.targets} - reached(program, every)


POLICY = """edition 1
string team from identity unknown reject
target rack {{ location on_prem context 64k speaks chat, messages supports tools }}
target away {{ location cloud context 200k speaks chat supports tools }}
{}
otherwise reject "no"
"""


def program_of(*lines: str) -> Program:
    loaded = load_text(POLICY.format("\n".join(lines)))
    assert loaded.program is not None, loaded.diagnostics
    return loaded.program


@pytest.mark.parametrize(
    ("lines", "message", "labelled"),
    [
        pytest.param(
            ("route rest to rack",), "no request reaches target `away`: no route names it", [], id="no route"
        ),
        pytest.param(
            ('guard home only location == on_prem because "x"', "route rest to away, rack"),
            "no request reaches target `away`: `home` always rules it out", ["home"], id="a guard",
        ),
        pytest.param(
            ("route first to rack", "route far to away when endpoint == chat and context_needed < 1k and not tools and not images and not json and not reasoning and not server_tools and not stored and not remote_content"),
            "no request reaches target `away`: where `far` could lead to it, `first` decides first", ["far"], id="a route",
        ),
        pytest.param(
            ('guard days forbid location == cloud when hour > 5 because "x"', "route far to away when hour > 7", "route rest to rack"),
            "no request reaches target `away`: where `far` could lead to it, `days` rules it out", ["far"], id="a guard there",
        ),
    ],
)  # fmt: skip
def test_what_keeps_a_target_from_being_reached_is_said(
    lines: tuple[str, ...], message: str, labelled: list[str]
) -> None:
    (finding,) = unreached_targets(case_of(program_of(*lines)))
    assert (finding.code, finding.message) == ("PD318", message)
    assert [label.span.text for label in finding.labels] == labelled


@st.composite
def capable(draw: st.DrawFn) -> Program:
    """A program whose targets speak and support what is drawn, with the guards of that, and perhaps denies of a word."""
    program = draw(programs(("team", "urgent"), max_denies=0))
    targets = tuple(
        replace(
            t,
            facts=(
                ("context", 1_000),
                ("speaks", frozenset(draw(st.sets(st.sampled_from(SPOKEN), min_size=1)))),
                ("supports", frozenset(draw(st.sets(st.sampled_from(CAPABILITIES))))),
            ),
        )
        for t in program.targets[: draw(st.integers(1, 3))]
    )
    names = {t.name for t in targets}
    written = tuple(replace(g, hits=g.hits & names) for g in program.guards if not g.builtin)
    word = st.sampled_from((*SPOKEN, *CAPABILITIES))
    denies = tuple(Deny(f"no_{w}", _asks(w), 403, "x") for w in sorted(draw(st.sets(word, max_size=2))))
    everywhere = Route("all", (Group("order", tuple(Member(t.name) for t in targets)),), TRUE)
    return replace(
        program,
        targets=targets,
        guards=(*written, *capability_guards(targets)),
        denies=denies,
        routes=(everywhere,),
    )


def _asks(word: str) -> Condition:
    if word in SPOKEN:
        return OneOf("endpoint", frozenset({"messages", "count_tokens"} if word == "messages" else {word}))
    return Flag(word)


def _lacked(program: Program, word: str) -> bool:
    """A plain request for it is not denied, and the capability guards take every target away because of it."""
    given: dict[str, object] = (
        {"team": "x", "origin": "eu", "endpoint": word}
        if word in SPOKEN
        else {"team": "x", "origin": "eu", word: True}
    )
    request = quiet_request(program, given)
    assert isinstance(request, Request)
    if any(holds(program, d.condition, request) for d in program.denies):
        # Denied with the endpoint that is quiet: another one may not be.
        others = [
            quiet_request(program, {**given, "endpoint": e})
            for e in (*SPOKEN, "models")
            if word not in SPOKEN
        ]
        if all(
            any(holds(program, d.condition, r) for d in program.denies)
            for r in others
            if isinstance(r, Request)
        ):
            return False
    kind = "speaks" if word in SPOKEN else "supports"
    only = replace(program, guards=tuple(g for g in program.guards if g.builtin and g.name == kind))
    return set(firing_guards(only, request)) == {t.name for t in program.targets}


@given(capable())
def test_words_that_no_target_states_are_listed_and_no_others(program: Program) -> None:
    found = finished(lacking_capabilities(case_of(program)))
    words = [w for w in (*SPOKEN, *CAPABILITIES) if _lacked(program, w)]
    assert len(found) == bool(words)
    for finding in found:
        quoted = set(finding.message.split("`")[1::2])
        assert quoted == set(words)
        assert finding.witness is not None and isinstance(finding.witness.decision, Reject)
        assert finding.witness.decision.by == ("otherwise",)


def test_the_note_names_what_is_missing_and_the_largest_context() -> None:
    everything = "chat, completions, responses, embeddings, messages"
    can = "tools, images, json, reasoning, stored, remote_content"
    lines = f"target all {{ location cloud context 32k speaks {everything} supports {can} }}\nroute rest to all, rack, away"
    (finding,) = lacking_capabilities(case_of(program_of(lines)))
    assert finding.code == "PD319"
    assert finding.message == "no target supports `server_tools`: such requests are always rejected"
    assert finding.labels == () and "what needs more than 200k tokens of context" in (finding.help or "")
    denied = 'deny no_tools when server_tools because "say so"'
    assert lacking_capabilities(case_of(program_of(lines, denied))) == ()


def idle(*tests: str) -> tuple[Finding, ...]:
    return idle_tests(
        case_of(
            program_of(
                'guard g forbid target == away when tools because "x"', "route rest to away, rack", *tests
            )
        )
    )


@pytest.mark.parametrize(
    ("given_", "expect", "found"),
    [
        pytest.param("endpoint embeddings", "expect rejected", True, id="nobody speaks it"),
        pytest.param("context_needed 1M", "expect rejected", True, id="nobody holds it"),
        pytest.param("endpoint messages, context_needed 100k", "expect rejected", True, id="each lacks something else"),
        pytest.param("endpoint embeddings", "expect rejected by otherwise", False, id="it says why"),
        pytest.param("endpoint embeddings", "expect rejected status 403", False, id="it says how"),
        pytest.param("endpoint embeddings", "expect rejected, removed rack by speaks", False, id="it says what is removed"),
        pytest.param("tools", "expect rejected", False, id="a target can take it"),
        pytest.param("endpoint embeddings", "expect rack", False, id="it expects a plan"),
    ],
)  # fmt: skip
def test_a_test_that_no_rule_could_break_is_found(given_: str, expect: str, found: bool) -> None:
    findings = idle(f'test "it" given {{ team "x", {given_} }} {expect}')
    assert [(f.code, f.subject) for f in findings] == ([("PD320", "it")] if found else [])


@given(capable(), st.data())
def test_what_is_idle_holds_with_every_rule_removed(program: Program, data: st.DataObject) -> None:
    given_: dict[str, object] = {
        "team": "x",
        "origin": "eu",
        "endpoint": data.draw(st.sampled_from((*SPOKEN, "count_tokens", "models"))),
        "context_needed": data.draw(st.sampled_from((0, 1_000, 1_001))),
        **dict.fromkeys(data.draw(st.sets(st.sampled_from(CAPABILITIES), max_size=2)), True),
    }
    request = quiet_request(program, given_)
    assert isinstance(request, Request)
    bare = replace(program, denies=(), guards=tuple(g for g in program.guards if g.builtin))
    assert bool(unservable(program, request)) == isinstance(evaluate(bare, request), Reject)
