"""Deployment files for commands: read, and asked whether they give a policy what it says.

In comes a path; out go the deployment and everything that is wrong with it. Imported only where a deployment file is
given: reading one needs pydantic, which a plain check does not wait for.
"""

import os
from pathlib import Path

from policyd.deploy.bindings import check_bindings
from policyd.deploy.model import Deployment
from policyd.deploy.read import read_deployment
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic

__all__ = ["binding_findings", "policy_path", "read_deployment_file"]


def read_deployment_file(path: str) -> tuple[Deployment | None, tuple[Diagnostic, ...]]:
    """The deployment, or None where a diagnostic is an error."""
    read = read_deployment(Path(path), os.environ)
    return read.deployment, read.diagnostics


def policy_path(deployment: Deployment) -> str:
    """The deployment's policy, as short as it can be written from here."""
    here = os.path.relpath(deployment.policy)
    return deployment.policy if here.startswith("..") else here


def binding_findings(program: Program, deployment: Deployment) -> tuple[Diagnostic, ...]:
    return check_bindings(program, deployment)
