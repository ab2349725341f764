"""Run a policy's own tests: the `test` blocks and the rows of its tables.

In come a program and, where there is one, the compiled `decide`; out goes one `TestResult` per test, and from it
diagnostics. The reference reads every test; the compiled evaluator must agree with it. No test is skipped, and a policy
without tests has failed a test run (`nothing_tested`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

from policyd.policy.decision import Candidates, Decision, Plan, Reject, Removal, outcome_of
from policyd.policy.evaluate import evaluate, firing_guards
from policyd.policy.program import Expectation, Program, TestCase
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Inadmissible, Request
from policyd.policy.variants import plain_decision, plain_name, redaction_of, redaction_text, taken_out
from policyd.policy.written import given_text
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["TestResult", "decision_text", "expectation_text", "failures", "nothing_tested", "run_tests"]


@dataclass(frozen=True, slots=True)
class TestResult:
    """One test. `problems` is empty exactly when it passed; `code` says of which kind the first one is. `decision` is
    None where what is given never enters the policy."""

    __test__: ClassVar[bool] = False

    case: TestCase
    decision: Decision | None
    problems: tuple[str, ...] = ()
    code: str = ""

    @property
    def passed(self) -> bool:
        return not self.problems


def run_tests(
    program: Program,
    *,
    decide: Callable[[Request], Decision] | None = None,
    tests: tuple[TestCase, ...] | None = None,
) -> tuple[TestResult, ...]:
    """Every test of the program, or these instead, in written order."""
    return tuple(_run(program, case, decide) for case in (program.tests if tests is None else tests))


def failures(results: Iterable[TestResult]) -> tuple[Diagnostic, ...]:
    """One error for each test that failed."""
    return tuple(_failure(r) for r in results if not r.passed)


def nothing_tested(name: str, severity: Severity) -> Diagnostic:
    """What a policy without tests gets: an error from a test run, a note from a check."""
    return Diagnostic(
        "PD401",
        severity,
        f"`{name}` has no tests",
        None,
        'write `test "…" given { … } expect TARGET`, or `tests from "cases.csv"`',
    )


def decision_text(decision: Decision) -> str:
    """`gpu_rack then any { a, b } via rest`, with what is redacted, or `rejected by too_fast (status 429)`."""
    if isinstance(decision, Plan):
        groups = " then ".join(_group_text(g) for g in plain_decision(decision).groups)
        redaction = redaction_of(decision.targets)
        return f"{groups} via {decision.route}" + (f" with {redaction}" if redaction else "")
    return f"rejected by {' and '.join(decision.by)} (status {decision.status})"


def expectation_text(expect: Expectation) -> str:
    """The expectation in the words of the language."""
    if expect.targets is None:
        by = f" by {' and '.join(expect.by)}" if expect.by else ""
        text = f"rejected{by}" + (f" status {expect.status}" if expect.status is not None else "")
    else:
        text = ("only " if expect.exact else "") + " then ".join(expect.targets)
        text += f" via {expect.via}" if expect.via else ""
        text += f" with {redaction_text(expect.redaction)}" if expect.redaction else ""
    return text + "".join(f", removed {t} by {' and '.join(sorted(g))}" for t, g in expect.removed)


def _run(program: Program, case: TestCase, decide: Callable[[Request], Decision] | None) -> TestResult:
    request = quiet_request(program, dict(case.given))
    if isinstance(request, Inadmissible):
        return TestResult(case, None, (request.message,), "PD403")
    decision = evaluate(program, request)
    if decide is not None:
        compiled = decide(request)
        if outcome_of(compiled) != outcome_of(decision):
            problem = (
                f"the compiled policy says {decision_text(compiled)}, the reference {decision_text(decision)}"
            )
            return TestResult(case, decision, (problem,), "PD404")
    problems = (
        *_outcome_problems(case.expect, plain_decision(decision)),
        *_redaction_problems(case.expect, decision),
        *_removal_problems(program, request, case.expect, decision),
    )
    return TestResult(case, decision, problems, "PD402" if problems else "")


def _outcome_problems(expect: Expectation, decision: Decision) -> tuple[str, ...]:
    if isinstance(decision, Reject):
        return _reject_problems(expect, decision)
    if expect.targets is None:
        return (f"expected a rejection, got {decision_text(decision)}",)
    problems: list[str] = []
    wanted = " then ".join(expect.targets)
    if not _begins(decision.groups, expect.targets):
        problems.append(f"expected {wanted}, got {decision_text(decision)}")
    elif expect.exact and len(expect.targets) != len(decision.targets):
        further = ", ".join(t for t in decision.targets if t not in expect.targets)
        problems.append(f"expected only {wanted}, but {further} may be tried after it")
    if expect.via is not None and expect.via != decision.route:
        problems.append(f"expected route {expect.via}, but {decision.route} decided")
    return tuple(problems)


def _redaction_problems(expect: Expectation, decision: Decision) -> tuple[str, ...]:
    """Exactly these names are taken out; where the test says so, they are restored and decided by, too."""
    wanted = expect.redaction
    if wanted is None or isinstance(decision, Reject):
        return ()
    said = redaction_of(decision.targets)
    alike = (
        taken_out(decision.targets) == wanted.names
        and (not wanted.restored or ") restored" in said)
        and (not wanted.after or said.endswith(" after redaction"))
    )
    return () if alike else (f"expected {redaction_text(wanted)}, but {said or 'nothing is redacted'}",)


def _reject_problems(expect: Expectation, decision: Reject) -> tuple[str, ...]:
    if expect.targets is not None:
        return (f"expected {' then '.join(expect.targets)}, got {decision_text(decision)}",)
    problems: list[str] = []
    if expect.by and frozenset(expect.by) != frozenset(decision.by):
        problems.append(f"expected rejected by {' and '.join(expect.by)}, but by {' and '.join(decision.by)}")
    if expect.status is not None and expect.status != decision.status:
        problems.append(f"expected status {expect.status}, got {decision.status}")
    return tuple(problems)


def _begins(groups: tuple[Candidates, ...], targets: tuple[str, ...]) -> bool:
    """Whether the plan can begin with these targets: in a group that the proxy orders, every member may be next."""
    rest = list(targets)
    for group in groups:
        left = list(group.targets)
        while left and rest:
            allowed = left[:1] if group.pick == "order" else left
            if rest[0] not in allowed:
                return False
            left.remove(rest.pop(0))
    return not rest


def _removal_problems(
    program: Program, request: Request, expect: Expectation, decision: Decision
) -> tuple[str, ...]:
    if not expect.removed:
        return ()
    if isinstance(decision, Reject) and decision.by != ("otherwise",):
        return (
            f"nothing was removed: the request was denied by {' and '.join(decision.by)} before any route",
        )
    by = firing_guards(program, request)
    tried = (
        {decision.route, *decision.passed_over} if isinstance(decision, Plan) else set(decision.passed_over)
    )
    offered = {t for route in program.routes if route.name in tried for t in route.targets}
    problems: list[str] = []
    for target, guards in expect.removed:
        wanted = " and ".join(sorted(guards))
        forms = [form for form in offered if plain_name(form) == target]
        removing = frozenset(g for form in forms for g in by.get(form, ()))
        if not forms:
            problems.append(
                f"expected {target} removed by {wanted}, but no route that was tried offers {target}"
            )
        elif not all(form in by for form in forms):
            problems.append(f"expected {target} removed by {wanted}, but no guard removed it")
        elif guards != removing:
            problems.append(f"expected {target} removed by {wanted}, but by {' and '.join(sorted(removing))}")
    return tuple(problems)


def _failure(result: TestResult) -> Diagnostic:
    case = result.case
    if result.code == "PD403":
        return Diagnostic(
            "PD403",
            Severity.ERROR,
            f"test `{case.name}` gives a request that never enters the policy",
            case.span,
            result.problems[0],
        )
    details = [*result.problems] if len(result.problems) > 1 else []
    details.append("given " + (given_text(case.given) or "nothing"))
    if result.decision is not None:
        details.append(f"got   {decision_text(result.decision)}")
        details.extend(_removal_lines(plain_decision(result.decision).removed))
        details.extend(
            f"      passed over {route}: no target was left" for route in result.decision.passed_over
        )
    if result.code == "PD404":
        return Diagnostic(
            "PD404",
            Severity.ERROR,
            f"test `{case.name}`: {result.problems[0]}",
            case.span,
            "this is a mistake in policyd, not in the policy: please report it with the policy",
            details=tuple(details),
        )
    return Diagnostic(
        "PD402",
        Severity.ERROR,
        f"test `{case.name}` fails: {result.problems[0]}",
        case.span,
        "`policyd explain POLICY --given '…'` with the line above says why",
        details=tuple(details),
    )


def _removal_lines(removed: tuple[Removal, ...]) -> tuple[str, ...]:
    return tuple(f"      {r.target} removed by {' and '.join(r.guards)}" for r in removed)


def _group_text(group: Candidates) -> str:
    if group.pick == "order":
        return " then ".join(group.targets)
    return f"{group.pick} {{ {', '.join(group.targets)} }}"
