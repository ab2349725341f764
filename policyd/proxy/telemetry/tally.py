"""Counts every request once, after its answer has left.

In comes a finished request; out goes, whenever it is asked for, what was counted. The one idea: everything that a request
adds to is found by two lookups and kept, so that counting one costs a few microseconds, whether or not anybody reads.
"""

from typing import Final

from policyd.policy.program import MAX_NUMBER
from policyd.proxy.calibration import Comparison
from policyd.proxy.live import Live
from policyd.proxy.refusals import REFUSALS
from policyd.proxy.telemetry import instruments as of
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.naming import Names, operation_of
from policyd.proxy.telemetry.series import Counters, Family, Histogram, Histograms, Labels
from policyd.proxy.usage import Usage

__all__ = ["Tally"]

_FINE: Final = frozenset({"answered", "upstream_error", "client_gone"})
"""Outcomes that are no refusal."""

_WITHOUT_USAGE: Final = frozenset({"count_tokens", "models"})
"""Endpoints whose answers have none."""

_NAMED: Final = (2, 5)
"""The labels of an operation that policy and deployment name: model and target."""


class _Operation:
    """The series of one endpoint at one target with one model."""

    __slots__ = ("_errors", "_labels", "_tally", "first", "input", "output", "per_token")

    def __init__(self, tally: "Tally", labels: Labels) -> None:
        self._tally = tally
        self._labels = labels
        self._errors: dict[str, Histogram] = {}
        self.first = tally.first_token.of(labels)
        self.per_token = tally.per_token.of(labels)
        self.input = tally.token_usage.of((*labels, "input"))
        self.output = tally.token_usage.of((*labels, "output"))

    def took(self, error: str, seconds: float) -> None:
        found = self._errors.get(error)
        if found is None:
            found = self._errors[error] = self._tally.operation.of((*self._labels, error))
        found.add(seconds)


class Tally:
    """Of one event loop; `read` may be called from any thread."""

    def __init__(self) -> None:
        self.operation = Histograms(of.OPERATION, _NAMED)
        self.token_usage = Histograms(of.TOKEN_USAGE, _NAMED)
        self.first_token = Histograms(of.FIRST_TOKEN, _NAMED)
        self.per_token = Histograms(of.PER_TOKEN, _NAMED)
        self._requests = Counters(of.REQUESTS, (2, 3))
        self._refusals = Counters(of.REFUSALS, (1,))
        self._attempts = Counters(of.ATTEMPTS, (0,))
        self._passed = Counters(of.PASSED, (0,))
        self._redacted = Counters(of.REDACTED, (0,))
        self._tokens = Counters(of.TOKENS, (0,))
        self._unknown = Counters(of.USAGE_UNKNOWN, (0,))
        self._ratios = Histograms(of.TOKEN_RATIO, (0, 1))
        self._compared = Counters(of.TOKENS_COMPARED, (0,))
        self._beyond = Counters(of.TOKENS_BEYOND, (0,))
        self._durations = Histograms(of.DURATION)
        self._decisions = Histograms(of.DECISION)
        self._overheads = Histograms(of.OVERHEAD)
        self._operations: dict[Labels, _Operation] = {}
        self._bytes_in = self._bytes_out = 0
        self._live: Live | None = None
        self._names: Names | None = None
        for code in REFUSALS:
            # A counter that begins at one shows no increase.
            self._refusals.add((code, ""), 0)

    def names(self, live: Live) -> Names:
        """Made once for each policy."""
        if live is not self._live or self._names is None:
            self._live, self._names = live, Names(live)
            self._operations.clear()
        return self._names

    def add(self, ended: Finished) -> None:
        record, outcome, target = ended.record, ended.outcome, ended.target
        endpoint = record.endpoint
        self._requests.add((endpoint, record.outcome, ended.route, record.target or ""))
        if record.outcome not in _FINE:
            for name in record.by or ("",):
                self._refusals.add((record.outcome, name))
        self._bytes_in += record.bytes_in
        self._bytes_out += record.bytes_out
        key = (endpoint,)
        self._durations.of(key).add(record.took)
        if record.decide_took:
            self._decisions.of(key).add(record.decide_took)
        self._overheads.of(key).add(ended.overhead)
        if outcome.attempts:
            for name, number in record.redacted.items():
                self._redacted.add((name,), number)
        for name, why in outcome.passed:
            self._passed.add((name, why.value))
        if outcome.attempts:
            for attempt in outcome.attempts:
                self._attempts.add((attempt.target, attempt.outcome))
            self._operated(ended, endpoint, target)

    def _operated(self, ended: Finished, endpoint: str, target: str) -> None:
        names = self.names(ended.live)
        # INVARIANT: the model is a name that is known, so that callers cannot fill this up.
        key = (endpoint, target, names.sent(target, ended.named_model))
        operation = self._operations.get(key)
        if operation is None:
            labels = (operation_of(endpoint), *names.place(target, endpoint, key[2]), target)
            operation = self._operations[key] = _Operation(self, labels)
        operation.took(ended.error, ended.record.took)
        answered = ended.answered_by
        if answered is None or ended.record.status >= 300:
            return
        usage = ended.record.told.usage
        if usage is not None:
            self._used(operation, target, usage)
            if usage.input is not None and usage.input > _asked_with(ended):
                self._beyond.add((target,))
        elif ended.record.outcome == "answered" and endpoint not in _WITHOUT_USAGE:
            self._unknown.add((target,))
        tap = ended.outcome.tap
        if tap is not None and tap.streams and answered.first_byte is not None:
            operation.first.add(answered.first_byte)
            output = None if usage is None else usage.output
            if output is not None and output > 1 and answered.took is not None:
                operation.per_token.add((answered.took - answered.first_byte) / (output - 1))

    def _used(self, operation: _Operation, target: str, usage: Usage) -> None:
        if usage.input is not None:
            operation.input.add(usage.input)
        if usage.output is not None:
            operation.output.add(usage.output)
        for kind, number in zip(Usage._fields, usage, strict=True):
            if number:
                self._tokens.add((target, kind), number)

    def compare(self, one: Comparison) -> None:
        """A prompt whose tokens were estimated here and reported by its target."""
        model = self.names(one.live).sent(one.target, one.named)
        self._ratios.of((one.target, model)).add(one.estimated / one.reported)
        self._compared.add((one.target, "estimated"), one.estimated)
        self._compared.add((one.target, "reported"), one.reported)

    def read(self) -> tuple[Family, ...]:
        counted = (
            self._requests, self._refusals, self._attempts, self._passed, self._redacted, self._tokens, self._unknown, self._ratios, self._compared,
            self._beyond, self._durations, self._decisions, self._overheads, self.operation, self.token_usage, self.first_token, self.per_token,
        )  # fmt: skip
        moved = Family(of.BYTES, ((("in",), self._bytes_in), (("out",), self._bytes_out)))
        return (*(one.read() for one in counted), moved)


def _asked_with(ended: Finished) -> int:
    """The most tokens that the policy took the prompt to have; without a bound, where it did not ask."""
    bounds = ended.record.between.get("tokens")
    if bounds is not None:
        return bounds[1]
    tokens = ended.record.features.get("tokens")
    return tokens if isinstance(tokens, int) else MAX_NUMBER
