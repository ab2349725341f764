"""A deployment's classifiers: whether the policy lets each have requests, and the processes in which they run.

In come a deployment and the policy that it serves; out go diagnostics, or `Classifiers` that were started. The one idea: a
classifier with a network sees every request before it is decided, so it stands in the policy as a target, and it is proved
that no guard forbids that target for any request. What nobody declared as a network is taken away (`plugins.confine`).
"""

import os
import sys
from collections.abc import Iterable
from importlib.metadata import entry_points

from policyd.deploy.author import Author, Pointing
from policyd.deploy.model import Classifier, Deployment
from policyd.engine.matrix import Matrix
from policyd.plugins.child import Plan
from policyd.plugins.classifiers import Classifiers, Declared, Unloadable
from policyd.plugins.protocol import GROUP
from policyd.policy.program import Program
from policyd.policy.written import given_text
from policyd.proofs.permitted import forbidding
from policyd.text.diagnostic import Diagnostic, Severity

__all__ = ["absent_classifiers", "classifier_findings", "classifiers_of"]


def classifier_findings(
    program: Program, matrix: Matrix, deployment: Deployment, author: Author | None
) -> Iterable[Diagnostic]:
    """What keeps classifiers with a network from having one."""
    pointing = Pointing(author)
    declared = {target.name: target for target in program.declared}
    for classifier in deployment.classifiers:
        if classifier.network is None:
            continue
        path = ("classifiers", classifier.name, "network")
        target = declared.get(classifier.network)
        if target is None:
            yield pointing.at(
                path,
                "PD555",
                f"the classifier `{classifier.name}` sends texts to `{classifier.network}`, which is no target of the policy",
                help="declare the target with its facts, so that guards can speak of it; or leave `network` out",
            )
            continue
        found = forbidding(program, matrix, target.name)
        if found is None:
            continue
        where = "whether it does for some request is not proved"
        if found.witness is not None:
            where = f"it does for: {given_text(found.witness.given) or 'the quiet request'}"
        yield pointing.at(
            path,
            "PD556",
            f"the classifier `{classifier.name}` gets every request before it is decided, and guard `{found.guard.name}` may"
            f" forbid its target `{target.name}`; {where}",
            help="run it without a network, or where every guard lets all requests go",
            policy=found.guard.span,
            beside="forbidden here",
        )


def absent_classifiers(deployment: Deployment, author: Author | None) -> Iterable[Diagnostic]:
    """A note, like a secret that is not here: the package may be installed only where policyd serves. Nothing is started."""
    here = frozenset(point.name for point in entry_points(group=GROUP)) if deployment.classifiers else ()
    for one in deployment.classifiers:
        if one.entry_point not in here:
            said = f"the classifier `{one.name}`: no package that is installed here has the entry point `{one.entry_point}` in `{GROUP}`"
            cure, path = "install the package where policyd serves", ("classifiers", one.name, "entry_point")
            yield Pointing(author).at(path, "PD557", said, help=cure, severity=Severity.NOTE)


def classifiers_of(
    deployment: Deployment, author: Author | None, before: tuple[Deployment, Classifiers] | None
) -> Classifiers | tuple[Diagnostic, ...]:
    """The classifiers, started; those that run already where nothing about them changed. Or why one does not start."""
    if before is not None and before[0].classifiers == deployment.classifiers:
        return before[1]
    classifiers = Classifiers(map(_declared, deployment.classifiers), salt=os.urandom(32), tell=_tell_news)
    try:
        classifiers.start(_tell)
    except Unloadable as unloadable:
        path = ("classifiers", unloadable.name, unloadable.key)
        return (Pointing(author).at(path, "PD557", str(unloadable), help=unloadable.cure),)
    return classifiers


def _declared(classifier: Classifier) -> Declared:
    networked = classifier.network is not None
    return Declared(
        classifier.name,
        frozenset(classifier.findings),
        classifier.timeout,
        classifier.processes,
        Plan(
            classifier.entry_point,
            dict(classifier.options),
            classifier.memory or 0,
            networked,
            classifier.kernel,
        ),
    )


_CONFINED = {
    "kernel": "without a network, by the kernel",
    "python": "without a network, as far as Python code goes: the kernel has no filter of system calls for it",
    "declared": "with the network that the deployment declares",
}


def _tell(name: str, confined: str) -> None:
    print(f"policyd: the classifier `{name}` runs {_CONFINED[confined]}", file=sys.stderr)


def _tell_news(name: str, word: str | None) -> None:
    said = (
        f"the classifier `{name}` answers again"
        if word is None
        else f"the classifier `{name}` does not answer ({word}): until it does, its findings count as found"
    )
    print(f"policyd: {said}", file=sys.stderr, flush=True)
