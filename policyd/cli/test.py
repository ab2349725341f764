"""`policyd test`: run the tests that policies carry, and ask what they are worth.

In come files or folders; out goes every failure and a line for each policy. A policy without tests fails. The reference
reads every test and the compiled policy must agree. What `--coverage`, `--generate` and `--mutate` find out, and how it is
said, is in `growth` and its neighbours, which are imported only then.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from policyd import __version__
from policyd.cli.formats import Outputs, Writer, chosen_outputs, configure_formats, deliver
from policyd.cli.output import Style, complain, style_for
from policyd.cli.reading import find_policies, read_source
from policyd.cli.report import (
    NOT_PROVED,
    UNUSABLE,
    exit_code,
    findings_text,
    report_unusable,
    worst,
)
from policyd.engine.compile import Compiled, compile_program
from policyd.pipeline import deciding
from policyd.policy.program import Program
from policyd.resolve.load import Loaded, load
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable
from policyd.trials.run import TestResult, failures, nothing_tested, run_tests

if TYPE_CHECKING:
    from policyd.cli.growth import Growth
    from policyd.reports.model import PolicyReport

__all__ = ["configure", "run", "tests_text"]

FORMATS: Final = ("text", "json", "sarif", "github", "junit")

_EPILOG: Final = """\
A folder means every .policy file in it that no other includes. Without PATH: this folder.

examples:
  policyd test
  policyd test -v policies/coding-team.policy
  policyd test --coverage --minimum 90
  policyd test --generate --into more-tests.policy main.policy
  policyd test --mutate main.policy

exit codes: 0 clean, 1 findings, 2 usage or unreadable input, 3 not proved
"""


@dataclass(frozen=True, slots=True)
class _Tested:
    """What is known of one policy. `program` is None where it has mistakes; they are in `found`."""

    path: str
    program: Program | None
    results: tuple[TestResult, ...]
    found: tuple[Diagnostic, ...]
    code: int
    growth: "Growth | None" = None

    def text(self, style: Style, *, verbose: bool) -> str:
        said = findings_text(self.found, notes=True, colour=style.colour)
        if self.program is None:
            return said
        lines = [_line(r, style) for r in self.results] if verbose else []
        failed = not self.results or not all(r.passed for r in self.results)
        summary = tests_text(self.results)
        lines.append(f"{printable(self.path)}: {style.red(summary) if failed else style.green(summary)}")
        if self.growth is not None:
            lines += self.growth.lines(style)
        return said + "".join(line + "\n" for line in lines)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument(
        "paths", metavar="PATH", nargs="*", default=["."], help="policies, or folders of them"
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="list every test")
    parser.add_argument("--coverage", action="store_true", help="say what no test has looked at")
    parser.add_argument(
        "--minimum",
        type=_percent,
        metavar="N",
        help="fail where fewer than N of a hundred goals are covered (with --coverage)",
    )
    parser.add_argument(
        "--generate", action="store_true", help="write the tests that are missing, for a person to confirm"
    )
    parser.add_argument(
        "--for",
        action="append",
        default=[],
        dest="goals",
        metavar="GOAL",
        help="only for goals of this kind or rule, such as `guards` or `stays_home` (with --generate)",
    )
    parser.add_argument("--into", metavar="FILE", help="write them into a new file (with --generate)")
    parser.add_argument(
        "--mutate", action="store_true", help="plant mistakes in the policy and say which nothing notices"
    )
    parser.add_argument(
        "--most", type=_count, metavar="N", help="try at most so many mistakes (with --mutate)"
    )
    parser.add_argument(
        "--seconds",
        type=_count,
        metavar="S",
        help="ask about no further goal and try no further mistake after so many seconds (for goals, 60 by default)",
    )
    configure_formats(parser, FORMATS)


def run(arguments: argparse.Namespace) -> int:
    wrong = _misuse(arguments)
    if wrong is not None:
        complain(f"policyd test: {wrong}")
        return UNUSABLE
    found = find_policies(arguments.paths)
    codes = [report_unusable(found.diagnostics)] if found.diagnostics else []
    if arguments.generate:
        # Only these questions need the proofs and the writer of tests.
        from policyd.cli.generating import generate  # noqa: PLC0415
        from policyd.cli.growth import SECONDS  # noqa: PLC0415

        seconds = arguments.seconds or SECONDS
        return worst((*codes, generate(found.files, arguments.goals, arguments.into, seconds)))
    outputs = chosen_outputs(arguments)
    tested: list[_Tested] = []
    unread = [(" ".join(arguments.paths), d) for d in found.diagnostics]
    for path in found.files:
        source = read_source(path)
        if isinstance(source, Diagnostic):
            codes.append(report_unusable((source,)))
            unread.append((path, source))
            continue
        one = _tested(path, load(Path(path)), arguments)
        tested.append(one)
        if outputs.on_screen("text"):
            sys.stdout.write(one.text(style_for(sys.stdout), verbose=arguments.verbose))
    code = worst((*codes, *(t.code for t in tested)))
    return deliver(outputs, _writers(outputs, tested, unread, code, verbose=arguments.verbose)) or code


def tests_text(results: tuple[TestResult, ...]) -> str:
    """`12 tests passed`, or `1 of 12 tests failed`."""
    count = len(results)
    failed = sum(not r.passed for r in results)
    tests = "test" if count == 1 else "tests"
    return f"{failed} of {count} {tests} failed" if failed else f"{count} {tests} passed"


def _tested(path: str, loaded: Loaded, arguments: argparse.Namespace) -> _Tested:
    program = loaded.program
    if program is None:
        errors = tuple(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
        return _Tested(path, None, (), errors, exit_code(errors))
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        return _Tested(path, None, (), compiled, exit_code(compiled))
    results = run_tests(program, decide=deciding(compiled))
    found = failures(results) if results else (nothing_tested(path, Severity.ERROR),)
    if not (arguments.coverage or arguments.mutate):
        return _Tested(path, program, results, found, exit_code(found))
    from policyd.cli.growth import grow  # noqa: PLC0415  only these questions need the proofs

    growth = grow(
        path,
        loaded,
        program,
        compiled.matrix,
        coverage=arguments.coverage,
        minimum=arguments.minimum,
        mutation=arguments.mutate,
        most=arguments.most,
        seconds=arguments.seconds,
    )
    code = exit_code((*found, *growth.found))
    return _Tested(
        path, program, results, (*found, *growth.found), NOT_PROVED if growth.unfinished else code, growth
    )


def _misuse(arguments: argparse.Namespace) -> str | None:
    """What the flags cannot mean together."""
    rules = (
        (arguments.minimum is not None and not arguments.coverage, "--minimum goes with --coverage"),
        (bool(arguments.goals) and not arguments.generate, "--for goes with --generate"),
        (arguments.into is not None and not arguments.generate, "--into goes with --generate"),
        (arguments.most is not None and not arguments.mutate, "--most goes with --mutate"),
        (
            arguments.seconds is not None
            and not (arguments.mutate or arguments.coverage or arguments.generate),
            "--seconds goes with --coverage, --generate or --mutate",
        ),
        (
            arguments.generate and (arguments.coverage or arguments.mutate),
            "--generate writes tests and nothing else: run --coverage and --mutate on their own",
        ),
        (
            arguments.generate and (arguments.format != "text" or bool(arguments.output)),
            "--generate writes tests in the language of policies: --format and --output do not go with it",
        ),
    )
    return next((message for broken, message in rules if broken), None)


def _writers(
    outputs: Outputs,
    tested: Sequence[_Tested],
    unread: Sequence[tuple[str, Diagnostic]],
    code: int,
    *,
    verbose: bool,
) -> dict[str, Writer]:
    """A writer for each format. Only formats for machines need the reports, which are imported with them. `unread`: paths
    that hold no policy that can be read, and why."""

    def text() -> str:
        return "".join(t.text(Style(colour=False), verbose=verbose) for t in tested)

    if not any(outputs.wants(form) for form in FORMATS if form != "text"):
        return {"text": text}
    from policyd.cli import reported  # noqa: PLC0415

    reports = tuple(_report(t) for t in tested)
    loose = tuple(e for path, d in unread for e in reported.entries_of(path, (d,)))
    return {"text": text, **reported.writers(reported.Run("test", __version__, code, reports, loose))}


def _report(tested: _Tested) -> "PolicyReport":
    from policyd.cli import reported  # noqa: PLC0415
    from policyd.cli.growth_json import growth_json  # noqa: PLC0415

    if tested.program is None:
        return reported.unusable_report(tested.path, tested.found, tested.code)
    report = reported.tested_report(tested.path, tested.program, tested.results, tested.found, tested.code)
    if tested.growth is None:
        return report
    return replace(report, further=tuple(growth_json(tested.program, tested.growth)))


def _line(result: TestResult, style: Style) -> str:
    mark = style.green("passed") if result.passed else style.red("FAILED")
    place = "" if result.case.span is None else style.dim(f"  ({printable(result.case.span.place)})")
    return f"{mark}  {printable(result.case.name)}{place}"


def _percent(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or int(text) > 100:
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number from 0 to 100")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not text.isascii() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"`{text}` is no whole number from 1 up")
    return int(text)
