"""A request that has ended, as telemetry looks at it.

In come the record, the outcome and what served; out go the few things that both metrics and spans say of it. The one idea:
nothing is looked at twice on the way of a request: all of this is asked for after its answer's bytes have left.
"""

from dataclasses import dataclass

from policyd.policy.decision import Plan
from policyd.proxy.errand import Attempt, Outcome
from policyd.proxy.live import Live
from policyd.proxy.record import Record
from policyd.proxy.telemetry.trace import Trace

__all__ = ["Finished"]

_PASSED = frozenset({"answered", "upstream_error"})
"""Outcomes with an answer of a target."""


@dataclass(slots=True)
class Finished:
    """It does not change (and is not frozen because one is made for every request). `began` is of the clock that attempts use (`perf_counter`), `record.at` the same moment in POSIX time."""

    record: Record
    outcome: Outcome
    live: Live
    trace: Trace | None
    began: float

    @property
    def route(self) -> str:
        decided = self.record.decided
        return decided.route if isinstance(decided, Plan) else ""

    @property
    def target(self) -> str:
        """The target whose answer the caller got, or else the last one that was tried."""
        if self.record.target is not None:
            return self.record.target
        return self.outcome.attempts[-1].target if self.outcome.attempts else ""

    @property
    def error(self) -> str:
        """The class of error that the request ended with, empty where it ended well."""
        record = self.record
        if record.outcome in _PASSED and record.status >= 400:
            return str(record.status)
        return "" if record.outcome == "answered" else record.outcome

    @property
    def answered_by(self) -> Attempt | None:
        """The attempt whose answer the caller got."""
        attempts = self.outcome.attempts
        return attempts[-1] if self.record.target is not None and attempts else None

    @property
    def named_model(self) -> str:
        """The caller's word: to be looked up, never to be shown."""
        named = self.record.features.get("model")
        return named if isinstance(named, str) else ""

    @property
    def overhead(self) -> float:
        """Seconds that policyd itself took."""
        away = sum((a.took or 0.0) - a.permitted for a in self.outcome.attempts)
        return max(0.0, self.record.took - self.record.body_took - away - self.outcome.waited)
