"""Deployment files for commands: read, and asked whether they give a policy what it says.

In comes a path; out go what the file says and everything that is wrong with it. Nothing here serves, so a secret that is
not there is a note: a file is often checked where no secrets are. Imported only where a deployment file is given: reading
one needs pydantic, which a plain check does not wait for.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from policyd.deploy.author import Author
from policyd.deploy.bindings import check_bindings
from policyd.deploy.model import Deployment
from policyd.deploy.read import read_deployment
from policyd.engine.compile import Compiled, compile_program
from policyd.policy.program import Program
from policyd.proxy.classifying import absent_classifiers, classifier_findings
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["Draft", "binding_findings", "policy_path", "read_deployment_file"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A deployment to be looked at, perhaps without its secrets, and who knows its places."""

    deployment: Deployment
    author: Author | None

    @property
    def features(self) -> tuple[tuple[str, str | int | bool], ...]:
        return self.deployment.features

    @property
    def own_findings(self) -> frozenset[str]:
        return self.deployment.own_findings


def read_deployment_file(path: str) -> tuple[Draft | None, tuple[Diagnostic, ...]]:
    """What the file says, or None where a key has no possible value."""
    read = read_deployment(Path(path), os.environ, absent_secret=Severity.NOTE)
    if read.draft is None:
        return None, read.diagnostics
    return Draft(read.draft, read.author), (*read.diagnostics, *_log_finding(read.draft, read.author))


def _log_finding(deployment: Deployment, author: Author | None) -> Iterable[Diagnostic]:
    """A note, like a secret that is not here: the folder may be there only where policyd serves."""
    folder = None if deployment.log is None else Path(deployment.log).parent
    if folder is not None and not folder.is_dir():
        message = f"`log.path`: there is no folder `{folder}`"
        span = None if author is None else author.span(("log", "path"))
        yield Diagnostic("PD505", Severity.NOTE, message, span, help="make it where policyd serves")


def policy_path(draft: Draft) -> str:
    """The deployment's policy, as short as it can be written from here."""
    here = os.path.relpath(draft.deployment.policy)
    return draft.deployment.policy if here.startswith("..") else here


def binding_findings(program: Program, deployment: Draft) -> tuple[Diagnostic, ...]:
    found = (
        *check_bindings(program, deployment.deployment, deployment.author),
        *absent_classifiers(deployment.deployment, deployment.author),
    )
    if all(classifier.network is None for classifier in deployment.deployment.classifiers):
        return found
    compiled = compile_program(program)
    if not isinstance(compiled, Compiled):
        # The check of the policy itself says what is wrong with it.
        return found
    return (*found, *classifier_findings(program, compiled.matrix, deployment.deployment, deployment.author))
