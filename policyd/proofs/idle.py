"""Tests that assert nothing that a rule could change.

A test that expects a rejection and does not say why also holds where no target can take its request at all: none speaks
its endpoint, holds its context or supports what it uses. Then every set of rules over these targets rejects it, and the
test would hold with all of them removed. A forgotten `endpoint` is the usual reason.

A test of a scoped file whose request lies outside the scope is refused when the files are read (PD284).
"""

from policyd.policy.evaluate import evaluate, holds
from policyd.policy.program import Program, TestCase
from policyd.policy.quiet import quiet_request
from policyd.policy.request import Request
from policyd.proofs.case import Case
from policyd.proofs.findings import Finding
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Severity

__all__ = ["idle_tests", "unservable"]


def idle_tests(case: Case) -> tuple[Finding, ...]:
    """One warning per test that expects no more than what is certain."""
    out: list[Finding] = []
    for test in case.program.tests:
        if not _only_rejected(test):
            continue
        request = quiet_request(case.program, dict(test.given))
        if isinstance(request, Request) and (why := unservable(case.program, request)):
            out.append(_finding(case.program, test, request, why))
    return tuple(out)


def unservable(program: Program, request: Request) -> tuple[str, ...]:
    """The capability guards that together remove every target, or none where a target can take the request."""
    removed: set[str] = set()
    names: dict[str, None] = {}
    for guard in program.guards:
        if guard.builtin and holds(program, guard.condition, request):
            removed |= guard.hits
            names[guard.name] = None
    return tuple(names) if removed.issuperset(t.name for t in program.targets) else ()


def _only_rejected(test: TestCase) -> bool:
    """The test expects a rejection and nothing that would say which."""
    expect = test.expect
    return expect.targets is None and not expect.by and expect.status is None and not expect.removed


def _finding(program: Program, test: TestCase, request: Request, why: tuple[str, ...]) -> Finding:
    listed = " and ".join(f"`{name}`" for name in why)
    return Finding(
        "PD320",
        Severity.WARNING,
        test.name,
        f'test "{test.name}" holds whatever the rules say: no target can take its request (by {listed})',
        test.span,
        "give a request that some target can take, such as another `endpoint`; or say what rejects it: "
        "`expect rejected by otherwise`",
        witness=Witness(test.given, request, evaluate(program, request)),
    )
