"""`policyd check`: what is wrong with policies, and what is proved of them.

In come files or folders and perhaps a deployment file; out go findings and, for each policy, a line of what it is and the
assertions that hold for every possible request; or the same for machines. The stages are those of `pipeline`; nothing is
decided here but which exit code it is. How it is said as text is `check_text`.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import Final, TypeAlias

from policyd import __version__
from policyd.cli.check_text import CheckedText, hint_text, verdict_text
from policyd.cli.formats import Outputs, Writer, chosen_outputs, configure_formats, deliver
from policyd.cli.output import Style, style_for
from policyd.cli.reading import find_policies, read_source
from policyd.cli.report import (
    CLEAN,
    FINDINGS,
    NOT_PROVED,
    UNUSABLE,
    exit_code,
    findings_text,
    report_unusable,
    worst,
)
from policyd.pipeline import Checked, check_policy
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.trials.run import nothing_tested

__all__ = ["configure", "run"]

Bindings: TypeAlias = Callable[[Program], tuple[Diagnostic, ...]]
"""What a deployment file lacks for a policy, or gives it wrongly."""

FORMATS: Final = ("text", "json", "sarif", "github", "junit")

_EPILOG: Final = """\
A folder means every .policy file in it that no other file there includes. Without PATH: the policy that the deployment
file names, or this folder.

examples:
  policyd check
  policyd check policies/coding-team.policy
  policyd check --deployment policyd.toml
  policyd check --output sarif=check.sarif --output junit=check.xml
  policyd check --format json

exit codes: 0 clean (notes do not count), 1 findings, 2 usage or unreadable input, 3 not proved
"""


@dataclass(slots=True)
class _Checking:
    """What has been found so far. Text goes to the screen as it comes; the other formats wait for the whole."""

    outputs: Outputs
    quiet: bool
    notes: bool
    loose: list[tuple[str, Diagnostic]] = field(default_factory=list)
    policies: list["_Policy"] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    deployment: tuple[str, Sequence[Diagnostic]] = ("", ())
    named_by: Callable[[Sequence[Diagnostic]], Sequence[Diagnostic]] | None = None
    """Points at the key of the deployment file that names the policy, where one does."""

    def unusable(self, path: str, found: Sequence[Diagnostic]) -> None:
        """What keeps a path from being checked. It is told on standard error whatever the format."""
        found = found if self.named_by is None else self.named_by(found)
        self.codes.append(report_unusable(found))
        self.loose += [(path, d) for d in found]

    def found_in_deployment(self, path: str, found: Sequence[Diagnostic]) -> None:
        self.codes.append(exit_code(found))
        self.deployment = (path, found)
        self.loose += [(path, d) for d in found]
        if self.outputs.on_screen("text"):
            colour = style_for(sys.stdout).colour
            sys.stdout.write(findings_text(found, notes=self.notes, colour=colour))

    def deployment_text(self, style: Style) -> str:
        """A last line for the deployment file, where something is wrong with it: the policy's own may say ok."""
        path, found = self.deployment
        return "" if self.quiet or exit_code(found) == CLEAN else verdict_text(path, found, style)

    def checked(self, policy: "_Policy") -> None:
        self.codes.append(policy.code)
        self.policies.append(policy)
        if self.outputs.on_screen("text"):
            sys.stdout.write(self.text_of(policy, style_for(sys.stdout)))

    def text_of(self, policy: "_Policy", style: Style) -> str:
        said = findings_text(policy.found, notes=self.notes, colour=style.colour)
        return said if self.quiet else said + policy.text(style)


@dataclass(frozen=True, slots=True)
class _Policy:
    path: str
    checked: Checked
    found: tuple[Diagnostic, ...]
    code: int
    seconds: float

    def text(self, style: Style) -> str:
        return CheckedText(self.path, self.checked, self.found, self.code, self.seconds).lines(style)


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("paths", metavar="PATH", nargs="*", help="policies, or folders of them")
    parser.add_argument("--deployment", metavar="FILE", help="check what this deployment file binds, too")
    parser.add_argument("--quiet", action="store_true", help="as text, print findings only")
    parser.add_argument("--no-notes", action="store_true", help="leave notes out")
    configure_formats(parser, FORMATS)


def run(arguments: argparse.Namespace) -> int:
    state = _Checking(chosen_outputs(arguments), arguments.quiet, not arguments.no_notes)
    paths: Sequence[str] = arguments.paths or (".",)
    bindings: Bindings | None = None
    if arguments.deployment is not None:
        from policyd.cli import deployments  # noqa: PLC0415  pydantic is slow to import
        from policyd.deploy.author import at_policy  # noqa: PLC0415  with it

        deployment, wrong = deployments.read_deployment_file(arguments.deployment)
        if exit_code(wrong) == UNUSABLE:
            state.unusable(arguments.deployment, wrong)
        else:
            state.found_in_deployment(arguments.deployment, wrong)
        if deployment is not None:
            bindings = partial(deployments.binding_findings, deployment=deployment)
        if not arguments.paths:
            paths = () if deployment is None else (deployments.policy_path(deployment),)
            state.named_by = None if deployment is None else partial(at_policy, author=deployment.author)
    for path in _files(paths, state):
        _check(path, bindings, state)
    if state.outputs.on_screen("text"):
        sys.stdout.write(state.deployment_text(style_for(sys.stdout)))
    code = worst(state.codes)
    written = deliver(state.outputs, _writers(state, code))
    if state.outputs.on_screen("text") and not state.quiet and sys.stdout.isatty():
        sys.stdout.write(hint_text([d for p in state.policies for d in p.found], style_for(sys.stdout)))
    return written or code


def _files(paths: Sequence[str], state: _Checking) -> tuple[str, ...]:
    """Every policy that the paths name, once."""
    files: dict[str, None] = {}
    for path in paths:
        found = find_policies((path,))
        files.update(dict.fromkeys(found.files))
        if found.diagnostics:
            state.unusable(path, found.diagnostics)
    return tuple(files)


def _check(path: str, bindings: Bindings | None, state: _Checking) -> None:
    began = time.perf_counter()
    source = read_source(path)
    if isinstance(source, Diagnostic):
        state.unusable(path, (source,))
        return
    checked = check_policy(Path(path), today=date.today())
    found = [*checked.diagnostics]
    if checked.program is not None:
        if not checked.tests:
            found.append(nothing_tested(path, Severity.NOTE))
        if bindings is not None:
            found.extend(bindings(checked.program))
    code = exit_code(found)
    if checked.unfinished and code in (CLEAN, FINDINGS):
        code = NOT_PROVED
    state.checked(_Policy(path, checked, tuple(found), code, time.perf_counter() - began))


def _writers(state: _Checking, code: int) -> dict[str, Writer]:
    """A writer for each format. Only formats for machines need the reports, which are imported with them."""

    def text() -> str:
        plain = Style(colour=False)
        loose = findings_text((d for _, d in state.loose), notes=state.notes, colour=False)
        checked = "".join(state.text_of(policy, plain) for policy in state.policies)
        return loose + checked + state.deployment_text(plain)

    if not any(state.outputs.wants(form) for form in FORMATS if form != "text"):
        return {"text": text}
    from policyd.cli import reported  # noqa: PLC0415

    run_ = reported.Run(
        "check",
        __version__,
        code,
        tuple(
            reported.checked_report(p.path, p.checked, p.found, p.code, notes=state.notes)
            for p in state.policies
        ),
        tuple(e for path, d in state.loose for e in reported.entries_of(path, (d,), notes=state.notes)),
    )
    return {"text": text, **reported.writers(run_)}
