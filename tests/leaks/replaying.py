"""Witnesses replayed: by `policyd explain` from the line that is printed, and by a sidecar from a real request.

In come a policy's program and its findings; out go the witnesses that no request is like, with why. Whatever is replayed
and comes out otherwise than the witness says fails here.
"""

import asyncio
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from policyd.cli.main import main
from policyd.detect.scanner import Scanner
from policyd.engine.matrix import Matrix, build_matrix
from policyd.policy.decision import Decision, Plan, Reject
from policyd.policy.evaluate import evaluate
from policyd.policy.program import MAX_NUMBER, NumberDomain, Program, Redaction, Value
from policyd.policy.request import EVERYTHING, Request
from policyd.policy.variants import covers, plain_decision, plain_plan, redaction_of
from policyd.proofs.findings import Finding
from policyd.proofs.witness import Witness
from tests.leaks.asking import Asked, Impossible, asked_from, same_to_the_policy
from tests.leaks.unchecked import Servers, Told, ask_all, servers

__all__ = ["Case", "Shown", "Unlike", "explained", "replay", "replayed", "shown_by"]


@dataclass(frozen=True, slots=True)
class Case:
    """A request and what a policy is said to decide about it."""

    label: str
    request: Request
    decision: Decision


@dataclass(frozen=True, slots=True)
class Shown:
    """A witness of a finding, with the line that a person is shown of it."""

    finding: Finding
    witness: Witness
    line: str

    @property
    def label(self) -> str:
        return f"{self.finding.code} {self.finding.subject}: {self.line or 'the quiet request'}"

    @property
    def case(self) -> Case:
        return Case(self.label, self.witness.request, self.witness.decision)


@dataclass(frozen=True, slots=True)
class Unlike:
    """A witness that no request is like."""

    label: str
    why: str


def shown_by(findings: Iterable[Finding]) -> tuple[Shown, ...]:
    """Every witness with the line that the diagnostic prints for it."""
    return tuple(shown for finding in findings for shown in _shown_by(finding))


def _shown_by(finding: Finding) -> Iterator[Shown]:
    printed = [line.partition(": ") for line in finding.diagnostic().details]
    lines = [line for title, _, line in printed if title.strip() in {"witness", "with"}]
    witnesses = [w for w in (finding.witness, finding.twin) if w is not None]
    assert len(lines) == len(witnesses)
    for line, witness in zip(lines, witnesses, strict=True):
        yield Shown(finding, witness, "" if line == "the quiet request" else line)


def explained(policy: Path, shown: Shown) -> None:
    """`policyd explain` reads the printed line and decides as the witness says."""
    out = io.StringIO()
    with redirect_stdout(out):
        code = main(("explain", str(policy), "--given", shown.line, "--json"))
    assert code == 0, shown.label
    decision = plain_decision(shown.witness.decision)
    expected: dict[str, Any]
    if isinstance(decision, Plan):
        candidates = [{"pick": g.pick, "targets": list(g.targets)} for g in decision.groups]
        expected = {"kind": "plan", "route": decision.route, "candidates": candidates}
        assert isinstance(shown.witness.decision, Plan)
        if redaction := redaction_of(shown.witness.decision.targets):
            expected["redaction"] = redaction
    else:
        expected = {
            "kind": "reject",
            "by": list(decision.by),
            "reasons": list(decision.reasons),
            "status": decision.status,
        }
    assert json.loads(out.getvalue())["decision"] == expected, shown.label


def replayed(folder: Path, program: Program, cases: Sequence[Case]) -> tuple[Unlike, ...]:
    """Each case as a request to a sidecar of this program whose model servers record every byte: first with all of them
    up, then with all of them down, so that every candidate is tried."""

    async def run() -> tuple[Unlike, ...]:
        async with asyncio.timeout(100), servers({t.plain for t in program.targets}) as running:
            return await replay(folder, program, running, cases)

    return asyncio.run(run())


async def replay(
    folder: Path, program: Program, running: Servers, cases: Sequence[Case]
) -> tuple[Unlike, ...]:
    """`replayed` with model servers that run already."""
    matrix = build_matrix(program)
    assert isinstance(matrix, Matrix)
    asked: list[tuple[Case, Asked]] = []
    unlike: list[Unlike] = []
    for number, case in enumerate(cases):
        made = asked_from(program, matrix, case.request, marker=f"marked {number:06d}")
        if isinstance(made, Impossible):
            unlike.append(Unlike(case.label, made.why))
        else:
            asked.append((case, made))
    names = frozenset(t.plain for t in program.targets)
    none: frozenset[str] = frozenset()
    plans = [(c, a) for c, a in asked if isinstance(c.decision, Plan)]
    tried = [*((a, none) for _, a in asked), *((a, names) for _, a in plans)]
    told = await ask_all(folder, program, running, tried)
    for (case, request), up in zip(asked, told, strict=False):
        _same_features(program, matrix, case, up)
        if isinstance(case.decision, Plan):
            plain = plain_plan(case.decision, program)
            _arrived(case.label, *plain, request, up, tries=1)
            assert up.answer.status == 200, case.label
            assert up.answer.headers[b"x-policyd-target"] == up.arrived[0].target.encode(), case.label
        else:
            _refused(case.label, case.decision, up)
    for (case, request), down in zip(plans, told[len(asked) :], strict=True):
        assert isinstance(case.decision, Plan)
        assert down.answer.status == 503, case.label
        plain = plain_plan(case.decision, program)
        _arrived(case.label, *plain, request, down, tries=len(case.decision.targets))
    return tuple(unlike)


def _arrived(
    label: str, plan: Plan, redaction: Redaction | None, asked: Asked, told: Told, *, tries: int
) -> None:
    """The bytes that were sent arrived at the plan's first candidates in its order, and nowhere else: exactly, or without what
    the plan takes out."""
    targets = [a.target for a in told.arrived]
    assert len(targets) == tries, (label, targets, told.answer.raw)
    at = 0
    for group in plan.groups:
        here = targets[at : at + len(group.targets)]
        if group.pick == "order":
            assert here == list(group.targets)[: len(here)], (label, targets)
        else:
            assert set(here) <= set(group.targets), (label, targets)
        at += len(group.targets)
    for arrived in told.arrived:
        if redaction is None:
            assert arrived.body == asked.body, label
        else:
            assert not _left(redaction, arrived.body), label
            assert _left(redaction, asked.body), label
    assert all(a.path == asked.path.encode() for a in told.arrived), label
    assert told.record["route"] == plan.route, label
    assert told.record["candidates"] == list(plan.targets), label


def _left(redaction: Redaction, body: bytes) -> frozenset[str]:
    """What is found in the body that is to be taken out."""
    found = Scanner().scan(list(_strings(json.loads(body))))
    return frozenset(name for name in found if covers(redaction, name))


def _strings(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case list():
            for item in value:
                yield from _strings(item)
        case dict():
            for key, item in value.items():
                yield from _strings(key)
                yield from _strings(item)


def _refused(label: str, decision: Reject, told: Told) -> None:
    """The refusal has the status and the rule, and nothing arrived anywhere."""
    assert told.answer.status == decision.status, (label, told.answer.raw)
    assert told.answer.code == "policy_denied", label
    assert told.record["rejected_by"][0] == decision.by[0], label
    assert told.arrived == (), label


def _same_features(program: Program, matrix: Matrix, case: Case, told: Told) -> None:
    """What the proxy computed is, to this policy, what the witness says."""
    seen = seen_by(program, told, case.request)
    other = same_to_the_policy(matrix, seen, case.request.values)
    values = {name: (seen[name], case.request.values[name]) for name in sorted(other)}
    assert not other, (case.label, values)
    whole = Request({**case.request.values, **seen})
    assert _outcome(evaluate(program, whole)) == _outcome(case.decision), case.label


def _outcome(decision: Decision) -> tuple[object, ...]:
    return (
        (decision.route, decision.groups) if isinstance(decision, Plan) else (decision.by[0], decision.status)
    )


def seen_by(program: Program, told: Told, expected: Request) -> dict[str, Value]:
    """The features of the decision log's line, as values. Of a number that only bounds are known of, the expected one if
    it lies between them."""
    features = told.record["features"]
    return {name: _value(program, name, raw, expected.values[name]) for name, raw in features.items()}


def _value(program: Program, name: str, raw: Any, expected: Value) -> Value:
    domain = program.feature(name).domain
    if raw is None:
        return MAX_NUMBER
    if isinstance(raw, dict):
        assert isinstance(expected, int)
        return min(max(expected, int(raw["at_least"])), int(raw["at_most"]), MAX_NUMBER)
    if isinstance(raw, list):
        return EVERYTHING if raw == ["*"] else frozenset(raw)
    if isinstance(domain, NumberDomain) and domain.unit == "date":
        return date.fromisoformat(raw).toordinal()
    assert isinstance(raw, bool | int | str)
    return raw
