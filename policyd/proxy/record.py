"""One line of the decision log: what was asked, decided and done, as JSON without any of the request's text. Pure.

In come the values of one exchange, out goes a line. The one idea: the vector that was decided on is the record, so a
later policy can be asked what it would have done; the words in it that a caller chose are bounded and escaped.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import orjson

from policyd.policy.decision import Decision, Plan
from policyd.policy.program import MAX_NUMBER, Value
from policyd.policy.request import EVERYTHING
from policyd.proxy.errand import Attempt
from policyd.proxy.usage import NOTHING, Told
from policyd.traffic.found import Found

__all__ = ["Record", "line_of", "shortest_line_of", "shown"]

_PLAIN: Final = frozenset({int, bool})

LONGEST: Final = 200
"""Characters of a string that a record repeats."""

LONGEST_MODEL: Final = 64
"""The same of the model's name, which is any text that a caller likes."""

MOST_CLAIMS: Final = 32
"""Claims of a caller that a record repeats."""

_UNBOUNDED: Final = frozenset({"tokens", "context_needed", "max_output"})
"""Numbers whose largest value stands for one that nobody knows or bounds."""


@dataclass(slots=True)
class Record:
    """What is known of one request; filled while it is served. `caller` holds the identity's claims, whether or not the
    policy reads them; `dates` names the features whose numbers are days; `between` marks token features that were decided by their
    bounds, without counting. Times are seconds. `redacted`: how often each finding was taken out of what went on.
    `found`: where the findings stand that the decision was about."""

    decision: str
    at: float
    policy: str
    endpoint: str
    caller: Mapping[str, str] = field(default_factory=dict)
    features: Mapping[str, Value] = field(default_factory=dict)
    dates: frozenset[str] = frozenset()
    between: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    decided: Decision | None = None
    decide_took: float = 0.0
    attempts: Iterable[Attempt] = ()
    passed: Iterable[tuple[str, str]] = ()
    status: int = 0
    outcome: str = ""
    target: str | None = None
    said: str | None = None
    by: tuple[str, ...] = ()
    bytes_in: int = 0
    bytes_out: int = 0
    took: float = 0.0
    body_took: float = 0.0
    told: Told = NOTHING
    conversation: Mapping[str, Any] = field(default_factory=dict)
    redacted: Mapping[str, int] = field(default_factory=dict)
    found: tuple[Found, ...] = ()


def line_of(record: Record) -> bytes:
    """The record as one line of JSON with its line break."""
    features: dict[str, Any] = {
        name: value if value.__class__ in _PLAIN else _text(value) if value.__class__ is str else shown(value)
        for name, value in record.features.items()
    }
    model = features.get("model")
    if isinstance(model, str) and len(model) > LONGEST_MODEL:
        features["model"] = model[:LONGEST_MODEL] + "…"
    for name in record.dates:
        if name in features:
            features[name] = _day(features[name])
    for name in _UNBOUNDED:
        if features.get(name) == MAX_NUMBER:
            features[name] = None
    for name, (low, high) in record.between.items():
        features[name] = {"at_least": low, "at_most": high}
    out: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.at, UTC),
        "decision": record.decision,
        "policy": record.policy,
        "endpoint": record.endpoint,
        "status": record.status,
        "outcome": record.outcome,
        "target": record.target,
        "caller": {_text(k): _text(v) for k, v in islice(record.caller.items(), MOST_CLAIMS)},
        "features": features,
        **_decided(record.decided),
        "attempts": [_attempt(a) for a in record.attempts],
        "decide_us": round(record.decide_took * 1e6, 1),
        "ms": _ms(record.took),
        "bytes_in": record.bytes_in,
        "bytes_out": record.bytes_out,
    }
    usage = record.told.usage
    if usage is not None:
        out["usage"] = {name: number for name, number in usage._asdict().items() if number is not None}
    if record.redacted:
        out["redacted"] = record.redacted
    if record.found:
        out["found"] = record.found
    if record.conversation:
        out["conversation"] = record.conversation
    if record.passed:
        out["passed"] = dict(record.passed)
    if record.by:
        out["by"] = record.by
    if record.said is not None:
        out["said"] = shown(record.said)
    return orjson.dumps(out, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z)


def shortest_line_of(record: Record) -> bytes:
    """A line for a record of which something cannot be written: who, when, what came of it, and nothing that could fail."""
    return line_of(
        Record(
            record.decision,
            record.at,
            record.policy,
            record.endpoint,
            status=record.status,
            outcome=record.outcome,
            target=record.target,
            bytes_in=record.bytes_in,
            bytes_out=record.bytes_out,
            took=record.took,
        )
    )


def _text(value: str) -> str:
    return _printed(value if len(value) <= LONGEST else value[:LONGEST] + "…")


@lru_cache(maxsize=4096)
def _printed(short: str) -> str:
    if short.isprintable():
        return short
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in short)


@lru_cache(maxsize=64)
def _day(ordinal: int) -> str:
    return date.fromordinal(ordinal).isoformat()


def shown(value: Value) -> object:
    """A feature's value as the log repeats it."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, frozenset):
        return ["*"] if value is EVERYTHING else sorted(value)
    return value


def _decided(decision: Decision | None) -> dict[str, Any]:
    if decision is None:
        return {"route": None}
    removed = {r.target: r.guards for r in decision.removed}
    if isinstance(decision, Plan):
        return {"route": decision.route, "candidates": decision.targets, "removed": removed}
    return {"route": None, "rejected_by": decision.by, "removed": removed}


def _attempt(attempt: Attempt) -> dict[str, Any]:
    out: dict[str, Any] = {"target": attempt.target, "outcome": attempt.outcome}
    if attempt.status is not None:
        out["status"] = attempt.status
    if attempt.stale:
        out["stale"] = True
    if attempt.first_byte is not None:
        out["first_byte_ms"] = _ms(attempt.first_byte)
    if attempt.took is not None:
        out["ms"] = _ms(attempt.took)
    return out


def _ms(seconds: float) -> float:
    return round(seconds * 1e3, 3)
