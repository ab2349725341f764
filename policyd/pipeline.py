"""Every stage from a policy's files to a policy that is ready, in order, on one screen.

    load ─▶ Program ─compile_program─▶ Compiled (its matrix, its decide) ─prove─▶ Report ─▶ Ready

In comes the path of a root file; out goes a `Ready`, or every diagnostic that keeps it from being one. The proxy and the
command line enter here, so that what is checked and what serves cannot differ. No stage is written here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from policyd.engine.compile import Compiled, compile_program
from policyd.policy.decision import Decision
from policyd.policy.program import Program, Suppression
from policyd.policy.request import Request
from policyd.proofs.findings import Finding
from policyd.proofs.prove import Report, prove, stopping
from policyd.resolve.load import Loaded, load
from policyd.text.diagnostic import Diagnostic, Severity, has_errors, in_order
from policyd.text.source import Source
from policyd.trials.run import TestResult, failures, run_tests

__all__ = ["Checked", "Loaded", "NotReady", "Ready", "check_policy", "compile_policy", "deciding", "load"]


@dataclass(frozen=True, slots=True, eq=False)
class Ready:
    """A policy without errors, its assertions proved, compiled and tested against the reference. `files`: every file it
    was read from, `sources` their texts, `today` the day they were read for; `diagnostics`: what was found and does not
    stop it."""

    program: Program
    compiled: Compiled
    report: Report
    digest: str
    files: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]
    sources: tuple[Source, ...]
    today: date


@dataclass(frozen=True, slots=True)
class NotReady:
    """Why a policy cannot serve: at least one diagnostic is an error. `unfinished`: only proofs that outgrew their budget
    stand in the way. `files` as far as they could be read."""

    diagnostics: tuple[Diagnostic, ...]
    files: tuple[str, ...]
    unfinished: bool = False


def compile_policy(path: Path, *, today: date) -> Ready | NotReady:
    """The policy at `path`, through every stage. `today` decides which exceptions have expired, as in `check_policy`.
    Proofs that never stop a sidecar with this policy are left to that."""
    loaded = load(path, today=today)
    files = tuple(str(f) for f in loaded.files)
    program = loaded.program
    if program is None:
        return NotReady(loaded.diagnostics, files)
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        return NotReady(in_order((*loaded.diagnostics, *compiled)), files)
    report = prove(program, compiled.matrix, codes=stopping(program))
    refusing = report.refuses_to_serve
    if refusing:
        unfinished = all(f.unfinished for f in report.findings if f.severity is Severity.ERROR)
        return NotReady(in_order((*loaded.diagnostics, *refusing)), files, unfinished)
    found = in_order((*loaded.diagnostics, *report.diagnostics))
    assert not has_errors(found), "INVARIANT: an error in loading leaves no program, one in proofs refuses"
    return Ready(program, compiled, report, compiled.digest, files, found, loaded.sources, today)


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """All that is known of a policy after every stage, proofs and its own tests included. `program` is None where a file
    has errors; `tests` and `proved` (names of assertions) are empty where the policy does not compile. `unfinished`: a
    proof outgrew its budget. `suppressed`: what was found and does not count for now, with who says so; it is not among
    the diagnostics. `findings`: those of the diagnostics that proofs made, with their witnesses."""

    program: Program | None
    tests: tuple[TestResult, ...]
    proved: frozenset[str]
    unfinished: bool
    diagnostics: tuple[Diagnostic, ...]
    suppressed: tuple[tuple[Diagnostic, Suppression], ...] = ()
    findings: tuple[Finding, ...] = ()


def check_policy(path: Path, *, today: date) -> Checked:
    """The policy at `path`, with everything there is to say about it. `today` decides which exceptions have expired."""
    loaded = load(path, today=today)
    if loaded.meant is None:
        return Checked(None, (), frozenset(), False, loaded.diagnostics, loaded.suppressed)
    program = loaded.meant
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        found = in_order((*loaded.diagnostics, *compiled))
        return Checked(program, (), frozenset(), False, found, loaded.suppressed)
    report = prove(program, compiled.matrix)
    tests = run_tests(program, decide=deciding(compiled))
    found = in_order((*loaded.diagnostics, *report.diagnostics, *failures(tests)))
    suppressed = (*loaded.suppressed, *report.suppressed)
    proved = frozenset(report.proved)
    return Checked(program, tests, proved, bool(report.unfinished), found, suppressed, report.findings)


def deciding(compiled: Compiled) -> Callable[[Request], Decision]:
    """The compiled policy as a function of a whole request."""
    return lambda request: compiled.decide(compiled.vector(request))
