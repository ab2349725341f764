"""Why not: everything that stands in the way of a target, a route, a deny or a guard."""

from dataclasses import replace

import pytest
from hypothesis import given

from policyd.cli.output import Style
from policyd.cli.whynot_text import why_not_json, why_not_lines
from policyd.explain.parts import deciding_part, reasons
from policyd.explain.whynot import Subject, WhyNot, subject_of, why_not
from policyd.policy.condition import AtLeast, Flag, Has, OneOf, both, either, negate
from policyd.policy.decision import Plan, Reject
from policyd.policy.evaluate import evaluate, firing_guards, holds
from policyd.policy.program import Program
from policyd.policy.request import Request
from policyd.policy.wording import condition_text
from policyd.text.diagnostic import Diagnostic
from policyd.trials.given import read_line, request_from
from tests.explain.test_nearest import Drawn, cases
from tests.trials.small import small_program

PROGRAM = small_program()
PLAIN = Style(colour=False)


def request_of(line: str, program: Program = PROGRAM) -> Request:
    request = request_from(program, read_line(program, f"team=search endpoint=chat {line}").values)
    assert isinstance(request, Request)
    return request


def asked(line: str, name: str) -> WhyNot:
    subject = subject_of(PROGRAM, name)
    assert isinstance(subject, Subject)
    return why_not(PROGRAM, request_of(line), subject)


def text_of(line: str, name: str) -> list[str]:
    return [text.strip() for text in why_not_lines(asked(line, name), PLAIN)]


@pytest.mark.parametrize(
    ("line", "name", "said"),
    [
        ("", "cloud", ["why not cloud?", "it is a candidate: route rest decides and names it"]),
        (
            "findings=secret.aws",
            "cloud",
            [
                "why not cloud?",
                "removed by stays_home: only location == on_prem when sensitivity >= confidential",
                'holds: sensitivity >= confidential  (sensitivity is confidential, by findings contains "secret")',
                'because "confidential stays home"',
                "exception pilot (`team == \"lab\"` does not hold, until 2027-01-19; owner ciso)",
            ],
        ),
        (
            "context_needed=300k latency=batch",
            "cloud",
            [
                "why not cloud?",
                "removed by context: the request needs 300k tokens of context, the target has 200k",
                "route long, which decides, does not name it",
                "route rest names it and would match, but comes after long",
            ],
        ),
        (
            "",
            "spare",
            [
                "why not spare?",
                "route rest, which decides, does not name it",
                "route long names it and does not match",
                "fails: context_needed > 200k  (context_needed is 0)",
                "route batch names it and does not match",
                "fails: latency == batch  (latency is interactive)",
            ],
        ),
        (
            "latency=batch stored",
            "cloud",
            [
                "why not cloud?",
                "route batch, which decides, does not name it",
                "route rest names it, comes after batch and does not match",
                "fails: not stored  (stored is true)",
            ],
        ),
        (
            "exceeded(burst)",
            "cloud",
            [
                "why not cloud?",
                "denied by too_fast before any route: when exceeded(burst)",
                'because "slow down"',
                "route rest names it, and no route is reached",
            ],
        ),
        (
            "",
            "route:batch",
            ["why not route batch?", "its condition does not hold", "fails: latency == batch  (latency is interactive)"],
        ),
        ("latency=batch", "batch", ["why not route batch?", "it decides"]),
        (
            "latency=batch",
            "rest",
            ["why not route rest?", "route batch decides before it", "its condition holds, and cloud and local are left"],
        ),
        (
            "latency=batch images",
            "batch",
            [
                "why not route batch?",
                "its condition holds, and no target of it is left",
                "local removed by supports",
                "spare removed by supports",
            ],
        ),
        (
            "",
            "too_fast",
            ["why not deny too_fast?", "it does not hold", "fails: exceeded(burst)  (exceeded(burst) is false)"],
        ),
        ("exceeded(burst)", "too_fast", ["why not deny too_fast?", "it holds: exceeded(burst)"]),
        (
            "",
            "stays_home",
            [
                "why not guard stays_home?",
                "it does not hold",
                "fails: sensitivity >= confidential  (sensitivity is internal)",
            ],
        ),
    ],
)  # fmt: skip
def test_everything_that_stands_in_the_way_is_said(line: str, name: str, said: list[str]) -> None:
    assert text_of(line, name) == said


def test_a_target_that_nobody_names_is_said_to_be_one() -> None:
    program = replace(PROGRAM, routes=PROGRAM.routes[2:])
    why = why_not(program, request_of("", program), Subject("target", "spare"))
    assert "  no route names it" in list(why_not_lines(why, PLAIN))


def test_the_json_says_the_same() -> None:
    document = why_not_json(asked("findings=secret.aws", "cloud"))
    assert (document["kind"], document["name"], document["takes_part"]) == ("target", "cloud", False)
    (removed,) = document["removed_by"]  # type: ignore[misc]
    assert removed["name"] == "stays_home"  # type: ignore[index]
    assert removed["holding"] == [  # type: ignore[index]
        {
            "condition": "sensitivity >= confidential",
            "here": {"sensitivity": "confidential"},
            "since": ['findings contains "secret"'],
        }
    ]


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("cloud", Subject("target", "cloud")),
        ("target:cloud", Subject("target", "cloud")),
        ("rest", Subject("route", "rest")),
        ("deny:too_fast", Subject("deny", "too_fast")),
        ("guard:stays_home", Subject("guard", "stays_home")),
    ],
)
def test_a_name_is_found_by_what_it_names(name: str, subject: Subject) -> None:
    assert subject_of(PROGRAM, name) == subject


@pytest.mark.parametrize(
    ("name", "message", "cure"),
    [
        ("clout", "no target, route, deny or guard `clout`", "did you mean `cloud`?"),
        ("route:cloud", "no route `cloud`", "the routes are `long`, `batch`, `rest`"),
        ("context", "no target, route, deny or guard `context`", "the targets are"),
        ("", "no target, route, deny or guard ``", "the targets are"),
        ("otherwise", "no target, route, deny or guard `otherwise`", "or write `target:NAME`, `route:NAME`"),
        ("except:pilot", "`except` is no kind that can be asked for", "`deny:NAME` or `guard:NAME`"),
        ("routes:rest", "`routes` is no kind that can be asked for", "or write `target:NAME`, `route:NAME`"),
    ],
)
def test_a_name_of_nothing_is_said_to_be_one(name: str, message: str, cure: str) -> None:
    found = subject_of(PROGRAM, name)
    assert isinstance(found, Diagnostic)
    assert found.code == "PD012"
    assert message in found.message and cure in (found.help or "")


def test_a_name_of_two_things_has_to_say_which() -> None:
    routes = (*PROGRAM.routes, replace(PROGRAM.routes[0], name="cloud"))
    found = subject_of(replace(PROGRAM, routes=routes), "cloud")
    assert isinstance(found, Diagnostic)
    assert found.message == "`cloud` is a target and a route"
    assert found.help == "write `target:cloud` or `route:cloud`"


SECRET, IBAN = Has("findings", "secret"), Has("findings", "iban")


@pytest.mark.parametrize(
    ("condition", "part"),
    [
        (both(Flag("images"), Flag("tools")), "tools"),
        (either(Flag("images"), Flag("tools")), "images"),
        (both(either(Flag("images"), Flag("tools")), SECRET), 'images and findings contains "secret"'),
        (either(IBAN, Flag("tools")), 'findings contains "iban" or tools'),
        (negate(both(Flag("images"), Flag("tools"))), "not tools"),
        (negate(either(Flag("images"), Flag("tools"))), "not images"),
        (both(IBAN, Flag("tools"), SECRET), 'findings contains "iban" and tools'),
        (OneOf("latency", frozenset({"batch"})), "latency == batch"),
    ],
)
def test_the_part_that_decides(condition: object, part: str) -> None:
    request = request_of("images findings=secret.aws")
    found = deciding_part(PROGRAM, condition, request)  # type: ignore[arg-type]
    assert condition_text(PROGRAM, found) == part


def test_a_level_says_what_raised_it_and_only_where_it_holds() -> None:
    label = request_of("header:x-data-class=confidential findings=secret")
    (reason,) = reasons(PROGRAM, AtLeast("sensitivity", 2), label)
    assert reason.since == ('header:x-data-class == confidential or findings contains "secret"',)
    (reason,) = reasons(PROGRAM, AtLeast("sensitivity", 2), request_of(""))
    assert reason.since == ()


@given(cases())
def test_the_deciding_part_is_as_true_as_the_whole(drawn: Drawn) -> None:
    program, request = drawn.program, drawn.request
    rules = (*program.guards, *program.denies, *program.routes)
    for condition in [r.condition for r in rules]:
        part = deciding_part(program, condition, request)
        assert holds(program, part, request) == holds(program, condition, request)


@given(cases())
def test_nothing_in_the_way_means_it_takes_part(drawn: Drawn) -> None:
    """What is said of a target is what the reference says: removed by these guards, decided by that route."""
    program, request = drawn.program, drawn.request
    decision = evaluate(program, request)
    denied = isinstance(decision, Reject) and decision.by != ("otherwise",)
    for target in program.targets:
        why = why_not(program, request, Subject("target", target.name))
        removed = {r.cause.name for r in why.removals}
        assert removed == set(firing_guards(program, request).get(target.name, ()))
        assert bool(why.denies) == denied
        named = any(step.state == "decides" for step in why.routes)
        assert why.takes_part == (not removed and named and isinstance(decision, Plan))
