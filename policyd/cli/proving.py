"""What became of the claims that were asked of one policy, for people as lines and for programs as JSON.

In comes a `Proving`; out goes text. Everything an author wrote is escaped for the terminal; JSON carries it as it is. A
refuted claim shows its request, and the command that replays it.
"""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from policyd import __version__
from policyd.cli.origins import Origin
from policyd.cli.output import Style
from policyd.policy.written import given_text
from policyd.proofs.claims import Answer, Outcome
from policyd.proofs.findings import Finding, outcome_text
from policyd.proofs.witness import Witness
from policyd.reports.values import (
    Json,
    decision_json,
    diagnostic_json,
    document_text,
    place_json,
    request_json,
)
from policyd.text.codes import CODES
from policyd.text.diagnostic import Diagnostic
from policyd.text.printable import printable
from policyd.text.render import render

__all__ = ["Proving", "proving_json", "proving_lines", "replay"]

_FORMAT: Final = 1
_MARGIN: Final = " " * 12


@dataclass(frozen=True, slots=True)
class Proving:
    """One policy's answers. `about` are warnings and notes that point into a claim."""

    origin: Origin
    digest: str
    answers: tuple[Answer, ...]
    about: tuple[Diagnostic, ...]
    seconds: float


def replay(origin: Origin, witness: Witness) -> str:
    """The command that shows the witness' decision, as a shell takes it."""
    return shlex.join(("policyd", "explain", *origin.words, "--given", given_text(witness.given)))


def proving_lines(proving: Proving, style: Style) -> Iterator[str]:
    """An answer for each claim, and a line for the policy."""
    for diagnostic in proving.about:
        yield render(diagnostic, colour=style.colour)
        yield ""
    for answer in proving.answers:
        yield f"{_verdict(answer.outcome, style)}{printable(answer.claim.text)}"
        if answer.finding is not None:
            yield from (f"{_MARGIN}{line}" for line in _why(proving.origin, answer.finding, style))
    proved = sum(a.outcome is Outcome.PROVED for a in proving.answers)
    total = len(proving.answers)
    count = f"{proved} of {total} {'claim' if total == 1 else 'claims'} proved"
    yield f"{printable(proving.origin.shown)}: policy {proving.digest}, {count}, {proving.seconds:.2f} s"


def proving_json(provings: Iterable[Proving], *, exit_code: int) -> str:
    """One object; `docs/schemas/prove-1.json` says what is in it."""
    policies: list[Json] = [_policy_json(p) for p in provings]
    return document_text(
        {
            "format": _FORMAT,
            "command": "prove",
            "policyd": __version__,
            "exit_code": exit_code,
            "policies": policies,
        }
    )


def _verdict(outcome: Outcome, style: Style) -> str:
    word = f"{outcome.value:<{len(_MARGIN)}}"
    match outcome:
        case Outcome.PROVED:
            return style.green(word)
        case Outcome.REFUTED:
            return style.red(word)
        case Outcome.VACUOUS | Outcome.NOT_PROVED:
            return style.yellow(word)


def _why(origin: Origin, finding: Finding, style: Style) -> Iterator[str]:
    place = "".join(style.dim(f"  ({printable(label.span.place)})") for label in finding.labels)
    yield f"{printable(_reason(finding))}{place}"
    yield from (printable(line) for line in finding.diagnostic().details)
    for witness in (finding.witness, finding.twin):
        if witness is not None:
            yield style.bold(printable(replay(origin, witness)))
    if finding.unfinished and finding.help is not None:
        yield f"help: {printable(finding.help)}"


def _reason(finding: Finding) -> str:
    """What there is to say beyond the claim itself."""
    named = f"assertion `{finding.subject}` "
    return finding.message.removeprefix(f"{named}is broken: ").removeprefix(f"{named}is ").removeprefix(named)


def _policy_json(proving: Proving) -> dict[str, Json]:
    served = proving.origin.served
    return {
        "policy": str(proving.origin.path),
        "sidecar": None if served is None else served.address,
        "digest": proving.digest,
        "claims": [_answer_json(proving.origin, a) for a in proving.answers],
        "diagnostics": [diagnostic_json(d, CODES[d.code].title) for d in proving.about],
    }


def _answer_json(origin: Origin, answer: Answer) -> dict[str, Json]:
    finding = answer.finding
    said = (finding and finding.said) or (None, None)
    return {
        "claim": answer.claim.text,
        "outcome": answer.outcome.value,
        "because": None if finding is None else _reason(finding),
        "decided_here": [place_json(label.span) for label in finding.labels] if finding else [],
        "witness": _witness_json(origin, finding.witness, said[0]) if finding else None,
        "twin": _witness_json(origin, finding.twin, said[1]) if finding else None,
    }


def _witness_json(origin: Origin, witness: Witness | None, said: str | None) -> Json:
    if witness is None:
        return None
    return {
        **request_json(witness.given),
        "outcome": said or outcome_text(witness),
        "decision": decision_json(witness.decision),
        "replay": replay(origin, witness),
    }
