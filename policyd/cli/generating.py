"""`policyd test --generate`: the tests that are missing, on standard output or in a new file.

In come policies; out go tests that pass on them, for a person to confirm. An existing file is never written to, and no
policy is edited: tests that were not looked at are worth nothing, so whoever includes them has seen them.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from policyd.cli.growth import until_after
from policyd.cli.opening import opened_policy
from policyd.cli.output import complain
from policyd.cli.proposed import proposed_file, proposed_tests
from policyd.cli.report import CLEAN, NOT_PROVED, UNUSABLE, report_findings, worst
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.program import Program
from policyd.proofs.case import open_case
from policyd.text.printable import printable
from policyd.trials.coverage import State
from policyd.trials.generate import EDGES, Proposal, missing, proposals
from policyd.trials.goals import KINDS, goals_of
from policyd.trials.run import failures, run_tests

__all__ = ["generate"]


def generate(paths: Sequence[str], goals: Sequence[str], into: str | None, seconds: int) -> int:
    """The exit code. `goals`: only for goals of these kinds or rules. `seconds`: for the questions of one policy."""
    if into is not None and not into.endswith(".policy"):
        complain(
            f"policyd test: --into writes tests as policy text, and `{printable(into)}` is no name of a policy"
        )
        complain("help: choose a name that ends in .policy, such as more-tests.policy")
        return UNUSABLE
    if into is not None and len(paths) != 1:
        complain(f"policyd test: --into writes the tests of one policy, and these are {len(paths)}")
        return UNUSABLE
    if into is not None and os.path.lexists(into):
        complain(f"error[PD008]: `{printable(into)}` exists already; nothing was written")
        complain("help: choose another name, or leave `--into` out and paste the tests where they belong")
        return UNUSABLE
    return worst(_generate(path, goals, into, seconds) for path in paths)


def _generate(path: str, goals: Sequence[str], into: str | None, seconds: int) -> int:
    program = opened_policy(path)
    if isinstance(program, int):
        return program
    matrix = build_matrix(program)
    if not isinstance(matrix, Matrix):
        return report_findings(matrix)
    unknown = _unknown(program, goals)
    if unknown:
        complain(
            f"policyd test: `{printable(unknown[0])}` is neither a kind of goal nor a rule of `{printable(path)}`"
        )
        complain(f"help: the kinds are {', '.join((*KINDS, EDGES))}")
        return UNUSABLE
    failing = failures(run_tests(program))
    if failing:
        # What the policy says now would be written down as what is meant, although a test says otherwise.
        return report_findings(failing)
    rows = missing(open_case(program, matrix), goals, until=until_after(seconds))
    found = proposals(program, rows)
    open_ = {row.goal.text for row in rows if row.state is State.NOT_PROVED}
    if open_:
        late = len({row.goal.text for row in rows if not row.asked})
        more = (
            f"; {late} of them were not asked about, for want of time: --seconds gives more" if late else ""
        )
        complain(
            f"note: for {len(open_)} goals it is not proved whether any request meets them; they get no test{more}"
        )
    written = _write(path, program, found, into, open_=bool(open_))
    return worst((written, NOT_PROVED)) if open_ else written


def _unknown(program: Program, goals: Sequence[str]) -> list[str]:
    known = {EDGES, *KINDS, *(g.rule for g in goals_of(program))}
    return [word for word in goals if word not in known]


def _write(path: str, program: Program, found: Sequence[Proposal], into: str | None, *, open_: bool) -> int:
    if not found:
        if not open_:
            complain(f"{printable(path)}: nothing to add, the tests cover every goal that was asked for")
        return CLEAN
    if into is None:
        sys.stdout.write(proposed_tests(program, found))
        return CLEAN
    try:
        with open(into, "x", encoding="utf-8", newline="\n") as file:
            file.write(proposed_file(program, found))
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or "its name is not possible"
        complain(f"error[PD001]: cannot write `{printable(into)}`: {why.lower()}")
        return UNUSABLE
    tests = "1 test" if len(found) == 1 else f"{len(found)} tests"
    sys.stdout.write(f"{printable(into)}: {tests} to confirm; {_advice(path, into)}\n")
    return CLEAN


def _advice(path: str, into: str) -> str:
    """The line that includes the file, where it lies within the policy's folder."""
    folder = Path(os.path.realpath(path)).parent
    real = Path(os.path.realpath(into))
    if real.is_relative_to(folder):
        return f'then add to {printable(path)}: include "{printable(real.relative_to(folder).as_posix())}"'
    return f"then move it into the folder of {printable(path)} and include it"
