"""`policyd test`: run the tests that policies carry.

In come files or folders; out goes every failure and a line for each policy. A policy without tests fails. The reference
reads every test and the compiled policy must agree.
"""

import argparse
import sys
from typing import Final

from policyd.cli.opening import opened_policy
from policyd.cli.output import say, style_for
from policyd.cli.reading import find_policies
from policyd.cli.report import FINDINGS, report_findings, report_unusable, worst
from policyd.engine.compile import Compiled, compile_program
from policyd.pipeline import deciding
from policyd.text.diagnostic import Severity
from policyd.text.printable import printable
from policyd.trials.run import TestResult, failures, nothing_tested, run_tests

__all__ = ["configure", "run", "tests_text"]

_EPILOG: Final = """\
A folder means every .policy file in it that no other includes. Without PATH: this folder.

examples:
  policyd test
  policyd test -v policies/coding-team.policy
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", default=["."], help="policies, or folders of them"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list every test")


def run(arguments: argparse.Namespace) -> int:
    found = find_policies(arguments.paths)
    codes = [report_unusable(found.diagnostics)] if found.diagnostics else []
    codes += [_test(path, verbose=arguments.verbose) for path in found.files]
    return worst(codes)


def tests_text(results: tuple[TestResult, ...]) -> str:
    """`12 tests passed`, or `1 of 12 tests failed`."""
    count = len(results)
    failed = sum(not r.passed for r in results)
    tests = "test" if count == 1 else "tests"
    return f"{failed} of {count} {tests} failed" if failed else f"{count} {tests} passed"


def _test(path: str, *, verbose: bool) -> int:
    program = opened_policy(path)
    if isinstance(program, int):
        return program
    if not program.tests:
        return report_findings((nothing_tested(path, Severity.ERROR),))
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        return report_findings(compiled)
    results = run_tests(program, decide=deciding(compiled))
    if verbose:
        _list(results)
    code = report_findings(failures(results))
    style = style_for(sys.stdout)
    text = tests_text(results)
    say(f"{printable(path)}: {style.red(text) if code == FINDINGS else style.green(text)}")
    return code


def _list(results: tuple[TestResult, ...]) -> None:
    style = style_for(sys.stdout)
    for result in results:
        mark = style.green("passed") if result.passed else style.red("FAILED")
        place = "" if result.case.span is None else style.dim(f"  ({printable(result.case.span.place)})")
        say(f"{mark}  {printable(result.case.name)}{place}")
