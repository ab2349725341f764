"""A sampled request as spans: one for the request, and one below it for each attempt at a target. Pure.

In comes a finished request; out go spans with their attributes. The one idea: the request's span has what OpenTelemetry's
conventions for generative AI ask for, and usage stands there once, however many attempts there were. No attribute holds a word
of a request: names are the policy's or the deployment's, what targets say is looked up in what is known, and the rest are
numbers and closed vocabularies.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.naming import REASONS, Names, operation_of
from policyd.traffic.endpoints import POSTS

__all__ = ["ATTRIBUTES", "Span", "Value", "spans_of"]

Value: TypeAlias = str | int | float | bool | tuple[str, ...]

ATTRIBUTES: Final[Mapping[str, tuple[str, str]]] = {
    "gen_ai.operation.name": ("request", "`chat`, `text_completion` or `embeddings`; else the endpoint"),
    "gen_ai.provider.name": ("request", "whose the server is if that is known by its address, else whose API it speaks"),
    "gen_ai.request.model": ("request", "the model that the target was asked for, if policy or deployment name it"),
    "gen_ai.request.stream": ("request", "whether the answer was a stream"),
    "gen_ai.response.model": ("request", "the model that answered, if policy or deployment name it, perhaps with a revision behind"),
    "gen_ai.response.finish_reasons": ("request", "why it stopped: the words that the APIs document, else `other`"),
    "gen_ai.response.time_to_first_chunk": ("request", "seconds from the attempt's begin to the first byte of a streamed answer"),
    "gen_ai.usage.input_tokens": ("request", "of the whole prompt"),
    "gen_ai.usage.output_tokens": ("request", ""),
    "gen_ai.usage.cache_read.input_tokens": ("request", "of the prompt, from a cache"),
    "gen_ai.usage.cache_creation.input_tokens": ("request", "of the prompt, into a cache"),
    "gen_ai.usage.reasoning.output_tokens": ("request", "of the output"),
    "server.address": ("both", "of the target"),
    "server.port": ("both", "of the target"),
    "error.type": ("both", "a code of a refusal, a word of the upstream client, or a status of 400 or more; absent where all went well"),
    "http.request.method": ("request", "`POST` or `GET`"),
    "http.route": ("request", "the path, of the closed list of endpoints"),
    "http.response.status_code": ("both", "to the caller; of an attempt, from the target"),
    "policyd.decision.id": ("both", "as in the decision log"),
    "policyd.endpoint": ("request", ""),
    "policyd.outcome": ("both", "`answered`, `upstream_error`, `client_gone` or a code of a refusal; of an attempt, what came of it"),
    "policyd.route": ("request", "the route that chose"),
    "policyd.target": ("both", ""),
    "policyd.policy.digest": ("request", "of the policy that decided"),
    "policyd.attempts": ("request", "how many there were"),
    "policyd.refused_by": ("request", "the guards and denies that refused"),
    "policyd.decision.duration": ("request", "seconds"),
    "policyd.overhead.duration": ("request", "seconds"),
    "http.request.resend_count": ("attempt", "which attempt it is, if not the first"),
}  # fmt: skip
"""Every attribute of a span: on which it stands, and what it says."""

_PATHS: Final = {name.value: path for path, (name, _) in POSTS.items()} | {"models": "/v1/models"}


@dataclass(frozen=True, slots=True)
class Span:
    """Ids as numbers, times in nanoseconds of POSIX time; `parent` is None at the top of a trace. `serves`: the request's
    span. `error`: whether it ended in one that is not the caller's."""

    name: str
    trace: int
    span: int
    parent: int | None
    parent_is_remote: bool
    serves: bool
    start: int
    end: int
    attributes: Mapping[str, Value]
    error: bool


def spans_of(ended: Finished, names: Names) -> tuple[Span, ...]:
    trace = ended.trace
    if trace is None or not trace.sampled:
        return ()
    record = ended.record
    offset = record.at - ended.began

    def at(clock: float) -> int:
        return int((offset + clock) * 1e9)

    above = None if trace.parent is None else trace.parent.span
    attributes = {
        name: value for name, value in _of_request(ended, names).items() if value not in ("", None, ())
    }
    failed = record.status >= 500 or record.outcome.startswith(("upstream_", "internal_"))
    model = attributes.get("gen_ai.request.model", "")
    title = f"{operation_of(record.endpoint)} {model}".strip()
    whole = Span(
        title, trace.trace, trace.span, above, above is not None, True, at(ended.began), at(ended.began + record.took),
        attributes, failed,
    )  # fmt: skip
    return (whole, *_attempts(ended, names, at))


def _of_request(ended: Finished, names: Names) -> dict[str, Value]:
    record, target, told = ended.record, ended.target, ended.record.told
    answered = ended.answered_by
    out: dict[str, Value] = {
        "gen_ai.operation.name": operation_of(record.endpoint),
        "http.request.method": "GET" if record.endpoint == "models" else "POST",
        "http.route": _PATHS.get(record.endpoint, ""),
        "error.type": ended.error,
        "policyd.decision.id": record.decision,
        "policyd.endpoint": record.endpoint,
        "policyd.outcome": record.outcome,
        "policyd.route": ended.route,
        "policyd.target": target,
        "policyd.policy.digest": record.policy,
        "policyd.attempts": len(ended.outcome.attempts),
        "policyd.refused_by": tuple(record.by),
        "policyd.overhead.duration": ended.overhead,
    }
    if record.status:
        out["http.response.status_code"] = record.status
    if record.decide_took:
        out["policyd.decision.duration"] = record.decide_took
    if target:
        place = names.place(target, record.endpoint, names.sent(target, ended.named_model))
        out["gen_ai.provider.name"] = place.provider
        out["gen_ai.request.model"] = place.model
        out |= _where(place.address, place.port)
    if answered is None:
        return out
    tap = ended.outcome.tap
    out["gen_ai.request.stream"] = streams = tap is not None and tap.streams
    if streams and answered.first_byte is not None:
        out["gen_ai.response.time_to_first_chunk"] = answered.first_byte
    if told.model is not None:
        out["gen_ai.response.model"] = names.known(told.model)
    out["gen_ai.response.finish_reasons"] = tuple(r if r in REASONS else "other" for r in told.reasons)
    if told.usage is not None:
        used = {
            "input_tokens": told.usage.input,
            "output_tokens": told.usage.output,
            "cache_read.input_tokens": told.usage.cache_read,
            "cache_creation.input_tokens": told.usage.cache_creation,
            "reasoning.output_tokens": told.usage.reasoning,
        }
        out |= {f"gen_ai.usage.{name}": number for name, number in used.items() if number is not None}
    return out


def _attempts(ended: Finished, names: Names, at: Callable[[float], int]) -> tuple[Span, ...]:
    trace, record = ended.trace, ended.record
    assert trace is not None  # INVARIANT: asked only of what is sampled
    out = []
    for number, attempt in enumerate(ended.outcome.attempts):
        span = trace.attempts.get(number)
        if span is None:
            continue  # Nothing was made ready for it.
        place = names.place(attempt.target, record.endpoint, "")
        word = attempt.outcome
        good = word == "answered"
        attributes: dict[str, Value] = {
            "policyd.decision.id": record.decision,
            "policyd.target": attempt.target,
            "policyd.outcome": word,
            **_where(place.address, place.port),
        }
        if attempt.status is not None:
            attributes["http.response.status_code"] = attempt.status
        if not good:
            attributes["error.type"] = word
        if number:
            attributes["http.request.resend_count"] = number
        end = attempt.began + (attempt.took or 0.0)
        out.append(
            Span(
                f"attempt {attempt.target}", trace.trace, span, trace.span, False, False, at(attempt.began), at(end),
                attributes, not good,
            )
        )  # fmt: skip
    return tuple(out)


def _where(address: str, port: str) -> dict[str, Value]:
    out: dict[str, Value] = {"server.address": address} if address else {}
    if port:
        out["server.port"] = int(port)
    return out
