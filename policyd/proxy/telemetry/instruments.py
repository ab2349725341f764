"""Every metric that policyd reports: one table, from which Prometheus, OTLP and the documentation are made.

Names, units and buckets of `gen_ai.*` are those of OpenTelemetry's conventions for generative AI; the others are policyd's
own. The one idea: a metric that is not in this table cannot be reported, and a label's values are names of the policy, of the
deployment, or of a closed vocabulary of this code, never words of a request.
"""

from dataclasses import dataclass
from typing import Final
from typing import Literal as Lit

__all__ = [
    "ATTEMPTS", "BODIES", "BREAKERS", "BYTES", "CONNECTIONS", "CONVERSATIONS", "CONVERSATION_EVENTS", "CONVERSATION_STORE", "CPU", "DECISION", "DESCRIPTORS", "DRAINING", "DURATION", "FIRST_TOKEN",
    "INSTRUMENTS", "LOG_FAILING", "LOG_LINES", "LOG_WAITING", "MEMORY", "OPERATION", "OVERHEAD", "PER_TOKEN", "PASSED", "POLICY", "POLICY_LOADED",
    "PUSHES", "REDACTED", "REFUSALS", "RELOADS", "RELOAD_FAILING", "REQUESTS", "SPANS", "TARGET_CONNECTIONS", "TARGET_FIRST_BYTE",
    "TARGET_IN_FLIGHT", "TARGET_OUT", "TARGET_WAITING", "TOKENS", "TOKENS_BEYOND", "TOKENS_COMPARED", "TOKEN_RATIO", "TOKEN_USAGE",
    "USAGE_UNKNOWN", "Instrument",
]  # fmt: skip

_PROMETHEUS_UNITS: Final = {"s": "_seconds", "By": "_bytes"}


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric. `unit` is UCUM; `labels` are attribute names in the order in which values are given; `buckets` are the upper
    bounds of a histogram's."""

    name: str
    kind: Lit["counter", "gauge", "histogram"]
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()

    @property
    def prometheus(self) -> str:
        """The family's name as Prometheus has it, by OpenTelemetry's rules of translation. Counters have `_total` behind it."""
        plain = self.name.replace(".", "_")
        unit = _PROMETHEUS_UNITS.get(self.unit, "")
        return plain if plain.endswith(unit) else plain + unit


_SECONDS: Final = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST: Final = (0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_PER_TOKEN: Final = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
_TOKENS: Final = tuple(float(4**n) for n in range(14))
_MICROSECONDS: Final = tuple(
    n / 1e6
    for n in (10, 25, 50, 75, 100, 150, 250, 500, 1000, 2500, 5000, 10_000, 25_000, 100_000, 1_000_000)
)
_RATIOS: Final = (0.25, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 1.0, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0, 4.0)
_OPERATION: Final = (
    "gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "server.address", "server.port", "policyd.target",
)  # fmt: skip

OPERATION: Final = Instrument("gen_ai.client.operation.duration", "histogram", "s", (*_OPERATION, "error.type"), "from the request's arrival to the answer's end, where a target was tried", _SECONDS)  # fmt: skip
TOKEN_USAGE: Final = Instrument("gen_ai.client.token.usage", "histogram", "{token}", (*_OPERATION, "gen_ai.token.type"), "tokens of one request, as its target counted them; cached ones are part of `input`", _TOKENS)  # fmt: skip
FIRST_TOKEN: Final = Instrument("gen_ai.server.time_to_first_token", "histogram", "s", _OPERATION, "from the attempt's begin to the first byte of a streamed answer", _FIRST)  # fmt: skip
PER_TOKEN: Final = Instrument("gen_ai.server.time_per_output_token", "histogram", "s", _OPERATION, "of a streamed answer behind its first byte, for each output token but the first", _PER_TOKEN)  # fmt: skip
REQUESTS: Final = Instrument("policyd.requests", "counter", "{request}", ("policyd.endpoint", "policyd.outcome", "policyd.route", "policyd.target"), "requests that ended, by what became of them")  # fmt: skip
REFUSALS: Final = Instrument("policyd.refusals", "counter", "{refusal}", ("policyd.code", "policyd.guard"), "refusals, once for each guard or deny that had a part in one")  # fmt: skip
ATTEMPTS: Final = Instrument("policyd.attempts", "counter", "{attempt}", ("policyd.target", "policyd.outcome"), "attempts at a target, by what came of them")  # fmt: skip
PASSED: Final = Instrument("policyd.passed", "counter", "{candidate}", ("policyd.target", "policyd.reason"), "candidates that were passed over without an attempt: `out`, breaker `open`, `rate`, or `busy`")  # fmt: skip
REDACTED: Final = Instrument("policyd.redacted", "counter", "{value}", ("policyd.finding",), "findings that were replaced by placeholders in what was sent, as often as they stood there")  # fmt: skip
TOKENS: Final = Instrument("policyd.tokens", "counter", "{token}", ("policyd.target", "gen_ai.token.type"), "tokens as targets counted them: `input`, `output`, and of these `cache_read`, `cache_creation`, `reasoning`")  # fmt: skip
USAGE_UNKNOWN: Final = Instrument("policyd.usage.unknown", "counter", "{answer}", ("policyd.target",), "complete answers whose usage is not known")  # fmt: skip
TOKEN_RATIO: Final = Instrument("policyd.token.estimate.ratio", "histogram", "1", ("policyd.target", "gen_ai.request.model"), "our estimate of a prompt's tokens by the number that the target reported, of requests that were counted", _RATIOS)  # fmt: skip
TOKENS_COMPARED: Final = Instrument("policyd.token.compared", "counter", "{token}", ("policyd.target", "policyd.source"), "tokens of those prompts, as `estimated` and as `reported`")  # fmt: skip
TOKENS_BEYOND: Final = Instrument("policyd.token.beyond", "counter", "{answer}", ("policyd.target",), "answers for which the target counted more tokens of the prompt than the policy was asked with")  # fmt: skip
BYTES: Final = Instrument("policyd.bytes", "counter", "By", ("policyd.direction",), "bytes of bodies: `in` from callers, `out` to them")  # fmt: skip
DURATION: Final = Instrument("policyd.request.duration", "histogram", "s", ("policyd.endpoint",), "of every request, refused ones too", _SECONDS)  # fmt: skip
DECISION: Final = Instrument("policyd.decision.duration", "histogram", "s", ("policyd.endpoint",), "of asking the policy, with the counting and scanning that it asked for", _MICROSECONDS)  # fmt: skip
OVERHEAD: Final = Instrument("policyd.overhead.duration", "histogram", "s", ("policyd.endpoint",), "of a request without waiting for its body and for targets: what policyd itself took", _MICROSECONDS)  # fmt: skip
TARGET_IN_FLIGHT: Final = Instrument("policyd.target.in_flight", "gauge", "{request}", ("policyd.target",), "attempts under way")  # fmt: skip
TARGET_CONNECTIONS: Final = Instrument("policyd.target.connections", "gauge", "{connection}", ("policyd.target", "policyd.state"), "connections that are `open`, and of these `idle`")  # fmt: skip
TARGET_WAITING: Final = Instrument("policyd.target.waiting", "gauge", "{request}", ("policyd.target",), "requests that wait for a connection or for their turn")  # fmt: skip
TARGET_FIRST_BYTE: Final = Instrument("policyd.target.first_byte", "gauge", "s", ("policyd.target",), "smoothed time to the first byte")  # fmt: skip
TARGET_OUT: Final = Instrument("policyd.target.out", "gauge", "1", ("policyd.target", "policyd.reason"), "1 for each reason for which a target is out; 0 without a reason where it is not")  # fmt: skip
BREAKERS: Final = Instrument("policyd.target.breaker", "gauge", "1", ("policyd.target", "policyd.state"), "1 for the state in which the target's breaker is: `closed`, `open` or `half_open`")  # fmt: skip
CONNECTIONS: Final = Instrument("policyd.connections", "gauge", "{connection}", (), "clients' connections that are open")  # fmt: skip
BODIES: Final = Instrument("policyd.bodies", "gauge", "By", (), "bodies of requests that are held")
LOG_LINES: Final = Instrument("policyd.log.lines", "counter", "{line}", ("policyd.result",), "lines of the decision log that were `written`, and requests `refused` because there was no place for theirs")  # fmt: skip
LOG_WAITING: Final = Instrument("policyd.log.waiting", "gauge", "{line}", (), "lines that wait to be written")
LOG_FAILING: Final = Instrument("policyd.log.failing", "gauge", "1", (), "1 while the decision log cannot be written")  # fmt: skip
RELOADS: Final = Instrument("policyd.reloads", "counter", "{load}", ("policyd.result",), "loads of changed files: `good` or `failed`")  # fmt: skip
RELOAD_FAILING: Final = Instrument("policyd.reload.failing", "gauge", "1", (), "1 where the files as they are now do not serve, and what served before does")  # fmt: skip
POLICY: Final = Instrument("policyd.policy.info", "gauge", "1", ("policyd.policy.digest", "policyd.version"), "1 for the policy that serves")  # fmt: skip
POLICY_LOADED: Final = Instrument("policyd.policy.loaded.timestamp", "gauge", "s", (), "when the policy that serves was loaded, in POSIX time")  # fmt: skip
CONVERSATIONS: Final = Instrument("policyd.conversations", "gauge", "{entry}", (), "conversations and answers that this process remembers")  # fmt: skip
CONVERSATION_EVENTS: Final = Instrument("policyd.conversation.events", "counter", "{event}", ("policyd.event",), "what became of them: `waited` for a scan, `waited_out` in vain, `unknown` and so at the highest level, `evicted` before their time, `scanned` after forwarding or `scan_failed`, `store_failed`")  # fmt: skip
CONVERSATION_STORE: Final = Instrument("policyd.conversation.store.failing", "gauge", "1", (), "1 while the Redis that several sidecars share does not answer")  # fmt: skip
CLASSIFIERS: Final = Instrument("policyd.classifier.questions", "counter", "{question}", ("policyd.classifier", "policyd.result"), "questions to a company's own classifiers: `answered`, or why not: `timeout`, `ended`, `error`, `undeclared`, `busy`, `down`, `garbled`")  # fmt: skip
DRAINING: Final = Instrument("policyd.draining", "gauge", "1", (), "1 while the sidecar stops")
SPANS: Final = Instrument("policyd.telemetry.spans", "counter", "{span}", ("policyd.result",), "spans that were `sent`, or lost: `dropped` because too many waited, or `failed` with their push")  # fmt: skip
PUSHES: Final = Instrument("policyd.telemetry.pushes", "counter", "{push}", ("policyd.signal", "policyd.result"), "pushes to the collector: `good` or `failed`")  # fmt: skip
MEMORY: Final = Instrument("process.memory.usage", "gauge", "By", (), "resident memory")
CPU: Final = Instrument("process.cpu.time", "counter", "s", (), "processor time, in all")
DESCRIPTORS: Final = Instrument("policyd.file_descriptors", "gauge", "{file}", (), "open file descriptors")  # fmt: skip

INSTRUMENTS: Final = (
    OPERATION, TOKEN_USAGE, FIRST_TOKEN, PER_TOKEN, REQUESTS, REFUSALS, ATTEMPTS, PASSED, REDACTED, TOKENS, USAGE_UNKNOWN, TOKEN_RATIO,
    TOKENS_COMPARED, TOKENS_BEYOND, BYTES, DURATION,
    DECISION, OVERHEAD, TARGET_IN_FLIGHT, TARGET_CONNECTIONS, TARGET_WAITING, TARGET_FIRST_BYTE, TARGET_OUT, BREAKERS, CONNECTIONS,
    BODIES, LOG_LINES, LOG_WAITING, LOG_FAILING, RELOADS, RELOAD_FAILING, POLICY, POLICY_LOADED, CONVERSATIONS, CONVERSATION_EVENTS, CONVERSATION_STORE,
    CLASSIFIERS, DRAINING, SPANS, PUSHES,
    MEMORY, CPU, DESCRIPTORS,
)  # fmt: skip
