"""`policyd check`: what is wrong with policies, and what is proved of them.

In come files or folders and perhaps a deployment file; out go findings and, for each policy, a line of what it is and the
assertions that hold for every possible request. The stages are those of `pipeline`; nothing is decided here but how it is
said and which exit code it is.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from policyd.cli.output import Style, say, style_for
from policyd.cli.reading import find_policies, read_source
from policyd.cli.report import (
    CLEAN,
    FINDINGS,
    NOT_PROVED,
    UNUSABLE,
    exit_code,
    report_findings,
    report_unusable,
    worst,
)
from policyd.cli.test import tests_text
from policyd.pipeline import Checked, check_policy
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.printable import printable
from policyd.trials.run import nothing_tested

__all__ = ["configure", "run"]

Bindings: TypeAlias = Callable[[Program], tuple[Diagnostic, ...]]
"""What a deployment file lacks for a policy, or gives it wrongly."""

_EPILOG: Final = """\
A folder means every .policy file in it that no other file there includes. Without PATH: the policy that the deployment
file names, or this folder.

examples:
  policyd check
  policyd check policies/coding-team.policy
  policyd check --deployment policyd.toml

exit codes: 0 clean (notes do not count), 1 findings, 2 usage or unreadable input, 3 not proved
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("paths", metavar="PATH", nargs="*", help="policies, or folders of them")
    parser.add_argument("--deployment", metavar="FILE", help="check what this deployment file binds, too")
    parser.add_argument("--quiet", action="store_true", help="print findings only")
    parser.add_argument("--no-notes", action="store_true", help="leave notes out")


def run(arguments: argparse.Namespace) -> int:
    notes = not arguments.no_notes
    paths: Sequence[str] = arguments.paths or (".",)
    codes: list[int] = []
    bindings: Bindings | None = None
    if arguments.deployment is not None:
        from policyd.cli import deployments  # noqa: PLC0415  pydantic is slow to import

        deployment, wrong = deployments.read_deployment_file(arguments.deployment)
        unreadable = exit_code(wrong) == UNUSABLE
        codes.append(report_unusable(wrong) if unreadable else report_findings(wrong, notes=notes))
        if deployment is not None:
            bindings = partial(deployments.binding_findings, deployment=deployment)
        if not arguments.paths:
            paths = () if deployment is None else (deployments.policy_path(deployment),)
    found = find_policies(paths)
    if found.diagnostics:
        codes.append(report_unusable(found.diagnostics))
    codes += [_check(path, bindings, quiet=arguments.quiet, notes=notes) for path in found.files]
    return worst(codes)


def _check(path: str, bindings: Bindings | None, *, quiet: bool, notes: bool) -> int:
    began = time.perf_counter()
    source = read_source(path)
    if isinstance(source, Diagnostic):
        return report_unusable((source,))
    checked = check_policy(Path(path), today=date.today())
    found = [*checked.diagnostics]
    if checked.program is not None:
        if not checked.tests:
            found.append(nothing_tested(path, Severity.NOTE))
        if bindings is not None:
            found.extend(bindings(checked.program))
    code = report_findings(found, notes=notes)
    if checked.unfinished and code in (CLEAN, FINDINGS):
        code = NOT_PROVED
    if not quiet:
        _summary(path, checked, found, code, time.perf_counter() - began)
    return code


def _summary(path: str, checked: Checked, found: Sequence[Diagnostic], code: int, seconds: float) -> None:
    style = style_for(sys.stdout)
    parts = [_verdict(code, found, style)]
    if checked.program is not None:
        parts.append(_rules_text(checked))
        parts.append(_proved_text(checked))
        if checked.tests:
            parts.append(tests_text(checked.tests))
    parts.append(f"{seconds:.2f} s")
    say(f"{printable(path)}: {', '.join(parts)}")
    if checked.program is not None:
        for assertion in checked.program.assertions:
            if assertion.name in checked.proved:
                say(f"  {style.green('proved')} {assertion.name}: {printable(assertion.text)}")


def _verdict(code: int, found: Sequence[Diagnostic], style: Style) -> str:
    if code == CLEAN:
        return style.green("ok")
    counts = [
        (sum(d.severity is severity for d in found), severity)
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    said = [f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts if count]
    if code == NOT_PROVED:
        said.insert(0, "not proved")
    return style.red(", ".join(said))


def _rules_text(checked: Checked) -> str:
    program = checked.program
    assert program is not None
    rules = (
        ("guard", sum(not g.builtin for g in program.guards)),
        ("deny", len(program.denies)),
        ("route", len(program.routes)),
    )
    plural = {"guard": "guards", "deny": "denies", "route": "routes"}
    listed = ", ".join(f"{n} {name if n == 1 else plural[name]}" for name, n in rules if n)
    total = sum(n for _, n in rules)
    return f"{total} {'rule' if total == 1 else 'rules'} ({listed})"


def _proved_text(checked: Checked) -> str:
    assert checked.program is not None
    total, proved = len(checked.program.assertions), len(checked.proved)
    if not total:
        return "no assertions"
    if proved == total:
        return f"{total} {'assertion' if total == 1 else 'assertions'} proved"
    return f"{proved} of {total} {'assertion' if total == 1 else 'assertions'} proved"
