"""`policyd prove`: whether a claim holds for every request that a policy could ever get.

In come claims in the words of `assert`, and policies: files, folders, or what a running sidecar serves. Out go answers:
proved, refuted with a request that shows it, vacuous, or not proved. The claim is read and proved by the very functions
that read and prove the policy's own assertions; nothing is decided here but how it is said and which exit code it is.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from policyd.cli.formats import chosen_outputs, configure_formats, deliver
from policyd.cli.origins import Origin, file_origin, mismatch, sidecar_origin
from policyd.cli.output import Style, say, style_for
from policyd.cli.proving import Proving, proving_json, proving_lines
from policyd.cli.reading import SUFFIX, find_policies, read_input
from policyd.cli.report import CLEAN, FINDINGS, NOT_PROVED, report_unusable, worst
from policyd.cli.sidecar import served_digest
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.digest import digest
from policyd.proofs.claims import Outcome, answers
from policyd.proofs.find import Budget
from policyd.syntax.claims import parse_claim, parse_claims
from policyd.syntax.nodes import Assert
from policyd.text.diagnostic import Diagnostic, Severity
from policyd.text.source import Source

__all__ = ["configure", "run"]

_EPILOG: Final = """\
A CLAIM is what stands behind the name in `assert NAME …`:
  never CONDITION [when CONDITION]     no target like this is ever a candidate
  always CONDITION [when CONDITION]    every candidate is like this
  never rejected [when CONDITION]
  claimed never loosens
An argument with a space in it that is no file and not like the name of one is a claim; every other one is a policy, or a folder
of them. Without PATH: the policy that the deployment file names, or this folder.

examples:
  policyd prove 'never location == cloud when sensitivity >= confidential'
  policyd prove 'never rejected when team == "risk"' 'claimed never loosens' policies/regulated.policy
  policyd prove --claims audit.txt --deployment policyd.toml --format json
  policyd prove 'never location == cloud when opaque' --sidecar http://127.0.0.1:8485

exit codes: 0 proved, 1 refuted or the claim says nothing, 2 a claim or a policy that cannot be read, 3 not proved
"""
_CODES: Final = {
    Outcome.PROVED: CLEAN,
    Outcome.REFUTED: FINDINGS,
    Outcome.VACUOUS: FINDINGS,
    Outcome.NOT_PROVED: NOT_PROVED,
}
_CLAIM_WORDS: Final = ("never ", "always ", "claimed ", "assert ")
_QUOTED: Final = re.compile(r'"[^"]*"')
_SEPARATORS: Final = tuple(mark for mark in (os.sep, os.altsep) if mark)
_ROUNDS: Final = 3
"""How often a sidecar is asked again because it changed its policy meanwhile."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """The claims as they could be read, and every mistake in them."""

    assertions: tuple[Assert, ...]
    diagnostics: tuple[Diagnostic, ...]


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = _EPILOG
    parser.add_argument("words", metavar="CLAIM | PATH", nargs="*", help="claims, and policies or folders")
    parser.add_argument(
        "--claims", metavar="FILE", action="append", default=[], help="a file of claims, one a line"
    )
    parser.add_argument("--deployment", metavar="FILE", help="the policy that this deployment file names")
    parser.add_argument(
        "--sidecar",
        metavar="URL",
        action="append",
        default=[],
        help="what the sidecar with this admin address serves",
    )
    parser.add_argument("--digest", metavar="HEX", help="refuse any other policy than the one of this digest")
    parser.add_argument(
        "--seconds", metavar="N", type=_seconds, help="how long one question may take (default: 2)"
    )
    configure_formats(parser, ("text", "json"))


def run(arguments: argparse.Namespace) -> int:
    outputs = chosen_outputs(arguments)
    claims = tuple(word for word in arguments.words if _is_claim(word))
    paths = tuple(word for word in arguments.words if not _is_claim(word))
    asked = _read_claims(claims, arguments.claims)
    # With a claim that cannot be read nothing is asked: no policy is read and no sidecar called.
    found = () if asked.diagnostics else _origins(paths, arguments.deployment, arguments.sidecar)
    problems = [*asked.diagnostics, *(f for f in found if isinstance(f, Diagnostic))]
    codes = [report_unusable(problems)] if problems else []
    provings: list[Proving] = []
    for origin in (f for f in found if isinstance(f, Origin)):
        proving = _proving(origin, asked, arguments.digest, _budget(arguments.seconds))
        if isinstance(proving, Proving):
            provings.append(proving)
            codes += [_CODES[answer.outcome] for answer in proving.answers]
            if outputs.on_screen("text"):
                for line in proving_lines(proving, style_for(sys.stdout)):
                    say(line)
        else:
            codes.append(report_unusable(proving))
    code = worst(codes)
    writers = {
        "json": lambda: proving_json(provings, exit_code=code),
        "text": lambda: "".join(
            f"{line}\n" for p in provings for line in proving_lines(p, Style(colour=False))
        ),
    }
    return deliver(outputs, writers) or code


def _read_claims(texts: Sequence[str], files: Sequence[str]) -> _Asked:
    """Every claim, each once."""
    if not texts and not files:
        cure = "write one, such as `policyd prove 'never location == cloud when opaque'`"
        return _Asked((), (Diagnostic("PD011", Severity.ERROR, "there is no claim to prove", None, cure),))
    assertions: dict[str, Assert] = {}
    problems: list[Diagnostic] = []
    for number, text in enumerate(texts, 1):
        name = "<claim>" if len(texts) == 1 else f"<claim {number}>"
        read = parse_claim(Source(name, text))
        problems.extend(read.diagnostics)
        assertions |= {a.name.text: a for a in read.assertions if a.name.text not in assertions}
    for path in files:
        held = read_input(path)
        if isinstance(held, Diagnostic):
            problems.append(held)
            continue
        read = parse_claims(Source(path, held))
        problems.extend(read.diagnostics)
        assertions |= {a.name.text: a for a in read.assertions if a.name.text not in assertions}
    return _Asked(tuple(assertions.values()), tuple(problems))


def _origins(
    paths: Sequence[str], deployment: str | None, sidecars: Sequence[str]
) -> tuple[Origin | Diagnostic, ...]:
    """Where every policy that is asked comes from, and what keeps one from being asked."""
    out: list[Origin | Diagnostic] = [sidecar_origin(address) for address in sidecars]
    if deployment is not None:
        from policyd.cli import deployments  # noqa: PLC0415  pydantic is slow to import

        draft, wrong = deployments.read_deployment_file(deployment)
        if draft is None:
            return (*out, *(d for d in wrong if d.severity is Severity.ERROR))
        paths = (*paths, deployments.policy_path(draft))
    elif not paths and not sidecars:
        paths = (".",)
    found = find_policies(paths)
    return (*out, *found.diagnostics, *(file_origin(p, today=date.today()) for p in found.files))


def _proving(
    origin: Origin, asked: _Asked, wanted: str | None, budget: Budget
) -> Proving | tuple[Diagnostic, ...]:
    """The answers, or what keeps the policy from being asked. What a sidecar serves is asked for once more at the end, so
    that the answer is about the requests it decides now."""
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        loaded = origin.load(asked.assertions)
        if loaded.program is None or loaded.asked is None:
            return tuple(d for d in loaded.diagnostics if d.severity is Severity.ERROR)
        wrong = mismatch(origin, loaded.program, wanted)
        matrix = build_matrix(loaded.asked) if wrong is None else (wrong,)
        if not isinstance(matrix, Matrix):
            return matrix
        found = answers(loaded.asked, matrix, budget)
        about = tuple(d for d in loaded.diagnostics if _is_about(d, asked))
        proving = Proving(origin, digest(loaded.program), found, about, time.perf_counter() - began)
        if origin.served is None:
            return proving
        now = served_digest(origin.served.address)
        if isinstance(now, Diagnostic):
            return (now,)
        if now == origin.served.digest:
            return proving
        again = sidecar_origin(origin.served.address)
        if isinstance(again, Diagnostic):
            return (again,)
        origin = again
    message = f"the sidecar at `{origin.shown}` changes its policy faster than it can be asked about it"
    return (Diagnostic("PD010", Severity.ERROR, message, None, "ask again when its files are at rest"),)


def _is_about(diagnostic: Diagnostic, asked: _Asked) -> bool:
    """Whether it points into a claim."""
    sources = {id(a.name.span.source) for a in asked.assertions}
    return diagnostic.span is not None and id(diagnostic.span.source) in sources


def _is_claim(word: str) -> bool:
    if os.path.exists(word):
        return False
    return not word or (any(ch.isspace() for ch in word) and not _is_like_a_path(word))


def _is_like_a_path(word: str) -> bool:
    """A file that is not there is said to be missing, and not taken for a claim about everything in this folder."""
    unquoted = _QUOTED.sub("", word)
    return not word.lstrip().startswith(_CLAIM_WORDS) and (
        unquoted.endswith(SUFFIX) or any(mark in unquoted for mark in _SEPARATORS)
    )


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds <= 86_400:
        raise argparse.ArgumentTypeError("give a number of seconds above 0")
    return seconds


def _budget(seconds: float | None) -> Budget:
    usual = Budget()
    if seconds is None:
        return usual
    more = seconds / usual.seconds
    return replace(
        usual,
        nodes=max(1, int(usual.nodes * more)),
        seconds=seconds,
        together=max(usual.together, usual.together * more),
    )
