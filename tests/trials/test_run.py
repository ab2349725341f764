"""A policy's own tests: what passes, what fails, and what a failure says."""

import pytest

from policyd.policy import program as p
from policyd.policy.decision import Candidates, Decision, Plan
from policyd.policy.request import Request
from policyd.text.diagnostic import Severity
from policyd.trials.run import decision_text, expectation_text, failures, nothing_tested, run_tests
from tests.trials.small import expecting, small_program

Expect = p.Expectation
SECRET = ("findings", frozenset({"secret.aws"}))
BATCH = ("latency", "batch")


def problems_of(expect: p.Expectation, *given: tuple[str, p.Value | None]) -> tuple[str, ...]:
    (result,) = run_tests(small_program(expecting(expect, *given)))
    assert result.passed == (not result.problems)
    return result.problems


@pytest.mark.parametrize(
    ("expect", "given"),
    [
        pytest.param(Expect(("cloud",)), (), id="the first candidate"),
        pytest.param(Expect(("cloud", "local")), (), id="candidates in order"),
        pytest.param(Expect(("cloud", "local"), exact=True), (), id="all candidates"),
        pytest.param(Expect(("cloud",), via="rest"), (), id="the route"),
        pytest.param(Expect(("spare",)), (BATCH,), id="any member of a group may be first"),
        pytest.param(Expect(("spare", "local"), exact=True), (BATCH,), id="and the others follow in any order"),
        pytest.param(
            Expect(("local",), exact=True, removed=(("cloud", frozenset({"stays_home"})),)), (SECRET,), id="a removal"
        ),
        pytest.param(
            Expect(("local",), removed=(("cloud", frozenset({"stays_home", "no_night_cloud"})),)),
            (SECRET, ("hour", 23)),
            id="all guards of a removal",
        ),
        pytest.param(Expect(None), (("exceeded(burst)", True),), id="rejected by anything"),
        pytest.param(Expect(None, by=("too_fast",), status=429), (("exceeded(burst)", True),), id="rejected by a deny"),
        pytest.param(Expect(None, by=("otherwise",)), (("stored", True),), id="rejected by otherwise"),
        pytest.param(
            Expect(None, by=("otherwise",), removed=(("local", frozenset({"supports"})),)),
            (("images", True), SECRET),
            id="a removal on the way to otherwise",
        ),
        pytest.param(Expect(("local",), removed=(("cloud", frozenset({"stays_home"})),)), (("findings", None),), id="unknown findings are every finding"),
    ],
)  # fmt: skip
def test_passes(expect: p.Expectation, given: tuple[tuple[str, p.Value | None], ...]) -> None:
    assert problems_of(expect, *given) == ()


@pytest.mark.parametrize(
    ("expect", "given", "said"),
    [
        pytest.param(
            Expect(("local",)), (), "expected local, got cloud then local via rest", id="another first candidate"
        ),
        pytest.param(
            Expect(("cloud",), exact=True), (), "expected only cloud, but local may be tried after it", id="a further one"
        ),
        pytest.param(
            Expect(("cloud", "local", "spare")), (), "expected cloud then local then spare, got cloud then local via rest",
            id="one that is not there",
        ),
        pytest.param(Expect(("cloud",), via="batch"), (), "expected route batch, but rest decided", id="another route"),
        pytest.param(
            Expect(("spare", "spare")), (BATCH,), "expected spare then spare, got any { local, spare } via batch",
            id="a member counts once",
        ),
        pytest.param(Expect(None), (), "expected a rejection, got cloud then local via rest", id="a plan"),
        pytest.param(
            Expect(("cloud",)), (("exceeded(burst)", True),), "expected cloud, got rejected by too_fast (status 429)",
            id="a rejection",
        ),
        pytest.param(
            Expect(None, by=("too_fast",)), (("exceeded(burst)", True), ("endpoint", "models")),
            "expected rejected by too_fast, but by too_fast and no_models", id="a further deny",
        ),
        pytest.param(
            Expect(None, status=403), (("exceeded(burst)", True),), "expected status 403, got 429", id="another status"
        ),
        pytest.param(
            Expect(("local",), removed=(("cloud", frozenset({"stays_home"})),)), (SECRET, ("hour", 23)),
            "expected cloud removed by stays_home, but by no_night_cloud and stays_home", id="a further guard",
        ),
        pytest.param(
            Expect(("cloud",), removed=(("local", frozenset({"context"})),)), (),
            "expected local removed by context, but no guard removed it", id="no removal",
        ),
        pytest.param(
            Expect(("cloud",), removed=(("spare", frozenset({"supports"})),)), (("images", True),),
            "expected spare removed by supports, but no route that was tried offers spare", id="a target of no route",
        ),
        pytest.param(
            Expect(None, removed=(("cloud", frozenset({"stays_home"})),)), (("exceeded(burst)", True), SECRET),
            "nothing was removed: the request was denied by too_fast before any route", id="denied before",
        ),
    ],
)  # fmt: skip
def test_fails_and_says_how(
    expect: p.Expectation, given: tuple[tuple[str, p.Value | None], ...], said: str
) -> None:
    assert said in problems_of(expect, *given)


def test_a_request_that_never_enters_the_policy_fails_its_test() -> None:
    case = p.TestCase("no team", (), Expect(("cloud",)))
    (failure,) = failures(run_tests(small_program(case)))
    assert failure.code == "PD403"
    assert "team" in (failure.help or "")


def test_a_failure_shows_what_was_given_and_what_removed_what() -> None:
    case = expecting(Expect(("cloud",)), SECRET, ("context_needed", 9000))
    (failure,) = failures(run_tests(small_program(case)))
    assert (failure.code, failure.severity) == ("PD402", Severity.ERROR)
    assert failure.details == (
        "given team=search findings=secret.aws context_needed=9k",
        "got   rejected by otherwise (status 403)",
        "      cloud removed by stays_home",
        "      local removed by context",
        "      passed over rest: no target was left",
    )


def test_the_compiled_policy_must_agree_with_the_reference() -> None:
    def lies(_: Request) -> Decision:
        return Plan("rest", (Candidates("order", ("local",)),))

    program = small_program(expecting(Expect(("cloud",))))
    (failure,) = failures(run_tests(program, decide=lies))
    assert failure.code == "PD404"
    assert (
        "the compiled policy says local via rest, the reference cloud then local via rest" in failure.message
    )


def test_every_test_runs_and_only_failures_are_reported() -> None:
    program = small_program(
        expecting(Expect(("cloud",))), expecting(Expect(("spare",))), expecting(Expect(None))
    )
    results = run_tests(program)
    assert [r.passed for r in results] == [True, False, False]
    assert len(failures(results)) == 2


def test_a_policy_without_tests_is_told_how_to_write_one() -> None:
    found = nothing_tested("main.policy", Severity.ERROR)
    assert (found.code, found.severity) == ("PD401", Severity.ERROR)
    assert found.help is not None
    assert "expect" in found.help


def test_decisions_and_expectations_read_as_the_language_does() -> None:
    plan = Plan("r", (Candidates("order", ("a", "b")), Candidates("any", ("c", "d"))))
    assert decision_text(plan) == "a then b then any { c, d } via r"
    expect = Expect(("a", "b"), exact=True, via="r", removed=(("c", frozenset({"y", "x"})),))
    assert expectation_text(expect) == "only a then b via r, removed c by x and y"
    assert expectation_text(Expect(None, by=("d",), status=429)) == "rejected by d status 429"
