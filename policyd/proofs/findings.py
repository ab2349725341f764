"""What a proof found out, as data.

A `Finding` says what is wrong and carries its witness; `diagnostic()` is how a person sees it. `unfinished` marks a
question that outgrew its budget: not proved, never green.
"""

from dataclasses import dataclass

from policyd.policy.decision import Plan
from policyd.policy.variants import plain_decision, redaction_of
from policyd.policy.written import given_text
from policyd.proofs.witness import Witness
from policyd.text.diagnostic import Diagnostic, Label, Severity
from policyd.text.source import Span

__all__ = ["Finding", "not_proved", "outcome_text"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the rule, feature or assertion it is about. `witness` is a request that shows it; `twin`, for the
    findings that compare two requests, is the same request with the one feature changed. `said` is what to say of the
    two, where their decisions do not show the difference."""

    code: str
    severity: Severity
    subject: str
    message: str
    span: Span | None
    help: str | None = None
    labels: tuple[Label, ...] = ()
    witness: Witness | None = None
    twin: Witness | None = None
    said: tuple[str, str] | None = None
    unfinished: bool = False

    def diagnostic(self) -> Diagnostic:
        first, second = self.said or (None, None)
        details = [*_lines("witness", self.witness, first), *_lines("   with", self.twin, second)]
        return Diagnostic(
            self.code,
            self.severity,
            self.message,
            self.span,
            self.help,
            self.labels,
            tuple(details),
            self.subject,
        )


def not_proved(
    subject: str,
    question: str,
    span: Span | None,
    help_: str | None = None,
    *,
    severity: Severity = Severity.WARNING,
) -> Finding:
    """A question (`whether …`) that outgrew its budget."""
    message = f"{question} is not proved: the search ran out of its budget"
    return Finding("PD309", severity, subject, message, span, help_, unfinished=True)


def _lines(title: str, witness: Witness | None, said: str | None) -> list[str]:
    if witness is None:
        return []
    shown = given_text(witness.given) or "the quiet request"
    return [f"{title}: {shown}", f"         {said or outcome_text(witness)}"]


def outcome_text(witness: Witness) -> str:
    """`goes to a, then b via route` or `is rejected by deny`, with what was removed."""
    decision = plain_decision(witness.decision)
    redaction = redaction_of(witness.decision.targets) if isinstance(witness.decision, Plan) else ""
    removed = "; ".join(f"{r.target} removed by {' and '.join(r.guards)}" for r in decision.removed)
    tail = f" ({removed})" if removed else ""
    if isinstance(decision, Plan):
        redacted = f" with {redaction}" if redaction else ""
        return f"goes to {', then '.join(decision.targets)} via {decision.route}{redacted}{tail}"
    return f"is rejected by {' and '.join(decision.by)}{tail}"
