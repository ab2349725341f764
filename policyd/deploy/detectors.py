"""The table `[detectors]`: a company's own rules, in files and inline, and the optional accelerator.

In come what TOML read and the files that it names; out go `Detectors` and diagnostics. The one idea: everything is read,
compiled and tried when the file is loaded, so that what is wrong keeps the deployment from serving, and a reload keeps
what serves. Here is also asked whether a policy tests only such names as the deployment can find.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final
from typing import Literal as Lit

from pydantic import Field

from policyd.deploy.author import Author, Pointing
from policyd.deploy.model import Deployment, Detectors
from policyd.deploy.rules import INLINE_KEYS, RuleReader, placed_rules
from policyd.deploy.table import Table, Words
from policyd.deploy.values import Surroundings, why_unread
from policyd.detect.rules import Rule
from policyd.policy.asked import asked_findings
from policyd.policy.findings import FINDINGS, near_finding
from policyd.policy.program import Program
from policyd.text.diagnostic import Diagnostic, Label, Severity, has_errors
from policyd.text.source import Span

__all__ = ["DETECTOR_TABLES", "DetectorsFile", "check_findings", "detectors_of"]

LARGEST: int = 4 << 20

MOST_SHOWN: Final = 8
"""Names that a note repeats."""


class DetectorsFile(Table):
    rules: list[Words] = Field(default=[])
    rule: list[dict[str, Any]] = Field(default=[], max_length=1000)
    accelerator: Lit["hyperscan"] | None = None


DETECTOR_TABLES: dict[tuple[str, ...], tuple[str, ...]] = {
    ("detectors",): tuple(DetectorsFile.model_fields),
    ("detectors", "rule"): INLINE_KEYS,
}


def detectors_of(
    file: DetectorsFile, author: Author, surroundings: Surroundings
) -> tuple[Detectors, tuple[Diagnostic, ...]]:
    """The detectors, and everything that is wrong with them, in whichever file."""
    found: list[Diagnostic] = []
    rules: list[tuple[Rule, Span]] = []
    for number, where in enumerate(file.rules):
        place = author.span(("detectors", "rules", number))
        text = _text_of(where, surroundings)
        if isinstance(text, _Unread):
            cure = "name a file in gitleaks' format, relative to the folder of this file"
            found.append(
                Diagnostic(
                    "PD550",
                    Severity.ERROR,
                    f"the rules of `{where}` cannot be read: {text.why}",
                    place,
                    help=cure,
                )
            )
            continue
        read, told = placed_rules(str((surroundings.folder / where).absolute()), text)
        rules += read
        found += told
    reader = RuleReader(author)
    inline = [
        (("detectors", "rule", n), reader.rule(("detectors", "rule", n), t, INLINE_KEYS))
        for n, t in enumerate(file.rule)
    ]
    served = reader.serving((path, rule) for path, rule in inline if rule is not None)
    rules += [(rule, author.span((*path, "id"))) for path, rule in served]
    found += reader.all_found()
    found += _twice(rules)
    if file.accelerator == "hyperscan" and find_spec("hyperscan") is None:
        cure = "install it with `pip install 'policyd[hyperscan]'`, or leave the key out: it makes nothing but speed"
        said = "`detectors.accelerator`: the library `hyperscan` is not installed"
        found.append(
            Diagnostic("PD505", Severity.ERROR, said, author.span(("detectors", "accelerator")), help=cure)
        )
    return Detectors(tuple(rule for rule, _ in rules), file.accelerator, has_errors(found)), tuple(found)


@dataclass(frozen=True, slots=True)
class _Unread:
    why: str


def _text_of(where: str, surroundings: Surroundings) -> str | _Unread:
    try:
        text = surroundings.read(where, "utf-8")
    except (OSError, ValueError) as error:
        return _Unread(why_unread(error))
    return _Unread("it is larger than 4 MiB") if len(text) > LARGEST else text


def _twice(rules: Iterable[tuple[Rule, Span]]) -> Iterator[Diagnostic]:
    seen: dict[str, Span] = {}
    for rule, place in rules:
        if rule.id in seen:
            message = f"two rules have the id `{rule.id}`"
            yield Diagnostic(
                "PD551",
                Severity.ERROR,
                message,
                place,
                help="a finding says which rule found it: give one of them another id",
                labels=(Label(seen[rule.id], "the first one"),),
            )
        seen.setdefault(rule.id, place)


def check_findings(program: Program, deployment: Deployment, pointing: Pointing) -> Iterator[Diagnostic]:
    """A policy may ask only for what the built-in detectors or the deployment find: a guard on what nothing finds never holds.
    What it does not ask for is noted."""
    yield from _not_asked(program, deployment, pointing)
    if deployment.detectors.incomplete:
        # What is wrong with its rules has been told; which names they would have is not known.
        return
    provided = deployment.own_findings
    found = (*FINDINGS, *provided)
    told: set[str] = set()
    for name, span in asked_findings(program):
        if name in told or any(have == name or have.startswith(f"{name}.") for have in found):
            continue
        told.add(name)
        message = f"the policy asks for `{name}`, which nothing of the deployment finds"
        cure = _custom_cure(name, provided) if _is_custom(name) else _cure(name, provided)
        yield pointing.at(
            ("detectors",), "PD554", message, help=cure, policy=span, beside="the policy asks for it here"
        )


def _not_asked(program: Program, deployment: Deployment, pointing: Pointing) -> Iterator[Diagnostic]:
    """Rules and classifiers whose findings no rule of the policy reads: they cost time and change nothing."""
    asked = {name for name, _ in asked_findings(program)}

    def idle(names: Iterable[str]) -> bool:
        return not any(name == a or name.startswith(f"{a}.") for name in names for a in asked)

    cure = "ask for it with `findings contains`, or leave it out: it costs time and changes nothing"
    rules = [f"`{rule.names[-1]}`" for rule in deployment.detectors.rules if idle(rule.names)]
    if rules:
        shown = ", ".join(rules[:MOST_SHOWN]) + (", …" if len(rules) > MOST_SHOWN else "")
        said = f"no rule of the policy asks for what these rules of detectors find: {shown}"
        yield pointing.at(("detectors",), "PD558", said, help=cure, severity=Severity.NOTE)
    for one in deployment.classifiers:
        if idle(one.findings):
            said = f"no rule of the policy asks for what the classifier `{one.name}` finds"
            yield pointing.at(("classifiers", one.name), "PD558", said, help=cure, severity=Severity.NOTE)


def _custom_cure(name: str, provided: frozenset[str]) -> str:
    have = ", ".join(f"`{n}`" for n in sorted(provided)) or "none"
    close = near_finding(name, provided)
    meant = f"did you mean `{close}`? Or " if close else ""
    return f"{meant}add a rule to `[detectors]` or a classifier; the names that there are: {have}"


def _cure(name: str, provided: frozenset[str]) -> str:
    close = near_finding(name, provided)
    return f"did you mean `{close}`?" if close else "`policyd features --findings` lists the names"


def _is_custom(name: str) -> bool:
    return name == "custom" or name.startswith("custom.")
