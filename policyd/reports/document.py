"""A run as JSON: every policy with its verdict, its assertions, its findings and its tests.

In comes a `Run`; out goes an object whose `format` is 1 for as long as no key of it changes its meaning or goes away; new
keys may come. `docs/schemas/check-1.json` is its schema. Words stay exactly as the author wrote them: escaping is JSON's.
"""

from collections.abc import Sequence

from policyd.reports.model import Claim, Entry, PolicyReport, Run, Shown, Suppression, Trial
from policyd.reports.values import (
    Json,
    decision_json,
    diagnostic_json,
    document_text,
    place_json,
    request_json,
)
from policyd.text.codes import CODES
from policyd.text.diagnostic import Severity

__all__ = ["FORMAT", "entry_json", "run_document", "run_json"]

FORMAT = 1


def run_json(run: Run) -> str:
    return document_text(run_document(run))


def run_document(run: Run) -> dict[str, Json]:
    return {
        "format": FORMAT,
        "command": run.command,
        "policyd": run.version,
        "exit_code": run.exit_code,
        "findings": _entries(run.entries),
        "policies": [_policy(policy) for policy in run.policies],
    }


def entry_json(entry: Entry) -> dict[str, Json]:
    """One finding with its witness, and with its suppression where it has one."""
    return {
        **diagnostic_json(entry.diagnostic, CODES[entry.diagnostic.code].title),
        "path": entry.path,
        "subject": entry.subject or None,
        "unfinished": entry.unfinished,
        "witness": _shown(entry.witness),
        "twin": _shown(entry.twin),
        "suppression": _suppression(entry.suppression),
    }


def _policy(policy: PolicyReport) -> Json:
    states = [claim.state for claim in policy.claims]
    counts: dict[str, Json] = {f"{severity}s": policy.count(severity) for severity in Severity}
    return {
        "path": policy.path,
        "digest": policy.digest,
        "verdict": policy.verdict,
        "exit_code": policy.exit_code,
        "counts": {
            **counts,
            "suppressed": len(policy.suppressed),
            **dict(policy.rules),
            "assertions": len(states),
            "proved": states.count("proved"),
            "tests": len(policy.trials),
            "failed_tests": sum(bool(trial.problems) for trial in policy.trials),
        },
        "assertions": [_claim(claim) for claim in policy.claims],
        "findings": _entries(policy.entries),
        "suppressed": _entries(policy.suppressed),
        "tests": [_trial(trial) for trial in policy.trials],
        **dict(policy.further),
    }


def _entries(entries: Sequence[Entry]) -> Json:
    return [entry_json(entry) for entry in entries]


def _claim(claim: Claim) -> Json:
    return {"name": claim.name, "claim": claim.text, "state": claim.state, "place": place_json(claim.span)}


def _trial(trial: Trial) -> Json:
    return {
        "name": trial.name,
        "passed": not trial.problems,
        "problems": [*trial.problems],
        "request": request_json(trial.given),
        "expected": trial.expected,
        "decision": None if trial.decision is None else decision_json(trial.decision),
        "place": place_json(trial.span),
    }


def _shown(shown: Shown | None) -> Json:
    if shown is None:
        return None
    return {
        **request_json(shown.given),
        "outcome": shown.outcome,
        "decision": decision_json(shown.decision),
    }


def _suppression(suppression: Suppression | None) -> Json:
    if suppression is None:
        return None
    return {
        "reason": suppression.reason,
        "until": suppression.until,
        "place": place_json(suppression.span),
    }
