"""The verdicts on what reached the places and what reached the clients.

In comes the evidence; out go breaches, each a sentence with the number of its request. The one idea: a judge knows what
was asked and what was broken, and asks the reference evaluator; it believes nothing that the sidecar says of itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.faults.allowed import Oracle
from tests.faults.evidence import Arrival, Ask, Evidence, Seen, Stretch
from tests.faults.malformed import MALFORMED
from tests.faults.policies import ONWARD, placings
from tests.faults.told import RETRIED, refusal_of

__all__ = ["Breach", "arrivals_are_permitted", "answers_are_honest", "refusals_are_understood"]

_RACE: Final = 0.3
"""Seconds before the order to stop in which a request may be sent and not be taken any more."""

SLACK: Final = 1.0
"""Seconds that an arrival may be noted late, where the machine is busy."""

TRANSLATED: Final = frozenset(
    {("loft", "messages"), ("loft", "count_tokens"), ("loft", "responses"), ("stratus", "chat")}
)


@dataclass(frozen=True, slots=True)
class Breach:
    """`judge` says which promise was broken."""

    judge: str
    number: int
    what: str

    def __str__(self) -> str:
        return f"{self.judge}: request {self.number}: {self.what}"


def arrivals_are_permitted(evidence: Evidence, oracle: Oracle) -> Iterator[Breach]:
    """No byte of a request at a target that every policy that may have been in force forbids for it."""
    for stray in evidence.strays:
        yield Breach("forbidden", 0, stray)
    for arrival in evidence.arrivals:
        ask = evidence.asks.get(arrival.number)
        if ask is None:
            yield Breach(
                "forbidden", arrival.number, f"{arrival.place} got bytes of a request that nobody sent"
            )
            continue
        targets = _targets_at(arrival, evidence)
        if ask.manner == "leaves early":
            yield Breach(
                "forbidden", ask.number, f"{arrival.place} got bytes of a request that was never whole"
            )
        elif not any(target in oracle.targets(policy, ask) for policy, target in targets):
            secret = "confidential" if ask.confidential else ask.malformed or "plain"
            yield Breach(
                "forbidden", ask.number, f"{arrival.place} got bytes of it ({secret}, team {ask.team})"
            )
        for team in arrival.secrets:
            yield Breach("forbidden", ask.number, f"{arrival.place} got the API key of {team}")
        if arrival.read:
            yield from _content(ask, arrival, frozenset(target for _, target in targets))


def _targets_at(arrival: Arrival, evidence: Evidence) -> frozenset[tuple[str, str]]:
    """Policy and target for which the place may have stood when the request was sent."""
    return frozenset(
        (g.policy, placings()[g.placing].target_at(arrival.place))
        for g in evidence.generation_at(arrival.at - SLACK, arrival.at)
    )


def _content(ask: Ask, arrival: Arrival, targets: frozenset[str]) -> Iterator[Breach]:
    if arrival.foreign:
        yield Breach("forbidden", ask.number, f"{arrival.place} got it together with another request's text")
    rewritten = any(t in ONWARD or (t, ask.endpoint) in TRANSLATED for t in targets)
    # Streams are asked to end with their usage, which is one key more.
    counted = ask.stream and ask.endpoint in {"chat", "completions"}
    if arrival.altered and not (rewritten or counted):
        yield Breach(
            "altered", ask.number, f"{arrival.place} got another body than the one that was examined"
        )


def answers_are_honest(evidence: Evidence, oracle: Oracle) -> Iterator[Breach]:
    """Exactly one answer for each request, the one that its target gave; what was cut never ends cleanly."""
    arrivals: dict[int, list[Arrival]] = {}
    for arrival in evidence.arrivals:
        arrivals.setdefault(arrival.number, []).append(arrival)
    for number, ask in evidence.asks.items():
        seen = evidence.seen.get(number)
        if seen is None:
            yield Breach("answer", number, "its client never came back")
            continue
        if seen.extra:
            yield Breach("answer", number, f"{len(seen.extra)} bytes came behind its answer")
        if seen.left:
            continue
        if seen.clean and b"x-policyd-target" in seen.headers:
            yield from _of_a_target(ask, seen, arrivals.get(number, []), evidence)
        elif not seen.clean:
            yield from _broken(ask, seen, arrivals.get(number, []), evidence)
        yield from _expected(ask, seen, evidence, oracle)


def _of_a_target(ask: Ask, seen: Seen, arrivals: list[Arrival], evidence: Evidence) -> Iterator[Breach]:
    target = seen.headers[b"x-policyd-target"].decode()
    places = {placings()[g.placing].at[target] for g in evidence.generation_at(seen.began, seen.ended)}
    given = [a for a in arrivals if a.place in places and a.status is not None]
    if not given:
        if ask.endpoint != "count_tokens":
            yield Breach("answer", ask.number, f"an answer of {target}, which was never asked")
        return
    last = given[-1]
    if (target, ask.endpoint) in TRANSLATED:
        yield from _translated(ask, seen, last)
        return
    if ask.endpoint == "count_tokens" and last.status in {404, 405, 501}:
        return
    if seen.status != last.status:
        yield Breach("answer", ask.number, f"status {seen.status}, where {last.place} gave {last.status}")
    if not last.whole:
        yield Breach("clean end", ask.number, f"a cut answer of {last.place} ended cleanly ({last.fault})")
    elif seen.body != last.body:
        yield Breach(
            "answer",
            ask.number,
            f"{len(seen.body)} bytes, where {last.place} gave {len(last.body)} others ({last.fault})",
        )
    elif ask.stream and not last.formed and last.fault == "stops in order before its end":
        yield Breach("clean end", ask.number, f"a stream without its last event ended cleanly ({last.place})")


def _translated(ask: Ask, seen: Seen, last: Arrival) -> Iterator[Breach]:
    """Nothing is whole that was not; what is said is what the place said, in the words of the API that was asked."""
    if seen.status is None or seen.status >= 300:
        if not refusal_of(seen, ask.dialect).shaped:
            yield Breach(
                "answer", ask.number, f"an error of {last.place} in no shape of {ask.dialect} ({last.fault})"
            )
        return
    if not (last.whole and last.formed):
        yield Breach(
            "clean end", ask.number, f"a translated answer ended cleanly ({last.place}, {last.fault})"
        )
    if ask.endpoint == "count_tokens":
        return
    if b"ANSWER-%07d-" % ask.number not in seen.body:
        yield Breach(
            "answer", ask.number, f"a translated answer without what {last.place} said ({last.fault})"
        )
    mark = _ENDS[ask.endpoint] if ask.stream else _KINDS[ask.endpoint]
    if last.fault == "errs inside":
        # SDKs raise at such an event, and read nothing behind it.
        mark = b'"error"'
    if mark not in seen.body.replace(b'": "', b'":"'):
        yield Breach(
            "answer", ask.number, f"a translated answer without {mark!r} ({last.place}, {last.fault})"
        )


_ENDS: Final = {
    "messages": b"event: message_stop",
    "chat": b"data: [DONE]",
    "responses": b"response.completed",
}
_KINDS: Final = {
    "messages": b'"type":"message"',
    "chat": b'"chat.completion"',
    "responses": b'"object":"response"',
}


def _broken(ask: Ask, seen: Seen, arrivals: list[Arrival], evidence: Evidence) -> Iterator[Breach]:
    """A connection that broke: where the process ended, or where the answer broke and could not be told otherwise."""
    if _while_ending(seen, evidence.stretches) or ask.manner == "half-closes":
        return
    if not seen.connected:
        yield Breach("answer", ask.number, f"no connection, while the sidecar was serving ({seen.error})")
    elif seen.status is None:
        yield Breach("answer", ask.number, f"no answer at all ({seen.error})")
    elif b"x-policyd-target" not in seen.headers:
        yield Breach("answer", ask.number, "a refusal that was cut")
    elif b"[policyd upstream_timeout" in seen.body:
        # Where the machine is busy, an answer can be late that was sent in time.
        return
    elif arrivals and arrivals[-1].whole and arrivals[-1].formed and arrivals[-1].outcomes == {"answered"}:
        yield Breach("answer", ask.number, f"a whole answer was cut ({arrivals[-1].fault}, {seen.error})")
    elif (
        _is_events(seen)
        and b"[policyd upstream_" not in seen.body
        and b"[policyd internal_stopped" not in seen.body
    ):
        yield Breach(
            "answer",
            ask.number,
            f"a stream broke without an event that says so ({arrivals[-1].fault if arrivals else ''})",
        )


def _is_events(seen: Seen) -> bool:
    kind = seen.headers.get(b"content-type", b"")
    return (
        kind.startswith(b"text/event-stream")
        and not {b"content-length", b"content-encoding"} & seen.headers.keys()
    )


def _while_ending(seen: Seen, stretches: list[Stretch]) -> bool:
    """Whether a process was dead or starting at some time of it. One that was told to stop still owes an answer to what was
    under way by then."""
    for stretch, after in pairwise(stretches):
        since = stretch.stopping if stretch.killed else stretch.stopping - _RACE
        if seen.began <= after.ready and seen.ended >= since:
            return stretch.killed or seen.began >= since
    return False


def _expected(ask: Ask, seen: Seen, evidence: Evidence, oracle: Oracle) -> Iterator[Breach]:
    """A request that must be refused is, and one that has a plan is not denied."""
    if seen.status is None:
        return
    if ask.malformed in MALFORMED:
        if seen.status not in MALFORMED[ask.malformed].statuses:
            yield Breach("refusal", ask.number, f"{ask.malformed}: status {seen.status}")
        return
    if ask.malformed == "identity":
        if seen.status != 401:
            yield Breach("refusal", ask.number, f"an unknown caller: status {seen.status}")
        return
    if b"x-policyd-target" in seen.headers:
        return
    refusal = refusal_of(seen, ask.dialect)
    if ask.manner == "falls silent":
        if refusal.code != "caller_slow":
            yield Breach("refusal", ask.number, f"half of its body never came: {seen.status} {refusal.code}")
        return
    policies = {g.policy for g in evidence.generation_at(seen.began - SLACK, seen.ended)}
    if refusal.code == "policy_denied" and all(oracle.certain(p, ask) for p in policies):
        yield Breach("refusal", ask.number, "denied, though every policy in force has a plan for it")
    if refusal.code.startswith("caller_"):
        yield Breach("refusal", ask.number, f"{refusal.code}, though nothing is wrong with it")


def refusals_are_understood(evidence: Evidence) -> Iterator[Breach]:
    """In the dialect of the request, and not sent again by a client unless waiting helps."""
    for number, seen in evidence.seen.items():
        ask = evidence.asks[number]
        if seen.status is None or not seen.clean or b"x-policyd-target" in seen.headers:
            continue
        if ask.endpoint == "count_tokens" and seen.status == 200:
            if not seen.body.startswith(b'{"input_tokens":'):
                yield Breach("refusal", number, "a count of policyd's own that is none")
            continue
        if seen.status < 400:
            yield Breach("refusal", number, f"status {seen.status} of policyd's own")
            continue
        dialect = ask.dialect if ask.malformed not in {"two lengths"} else "openai"
        refusal = refusal_of(seen, dialect)
        if not refusal.shaped or not refusal.code:
            yield Breach(
                "refusal", number, f"status {seen.status} in no shape of {ask.dialect} ({ask.malformed})"
            )
        if refusal.kind == "overloaded_error":
            yield Breach("refusal", number, "overloaded_error, which is retried whatever its status")
        waiting_helps = refusal.code.startswith(("upstream_", "internal_")) and seen.status in {429, 503, 504}
        again = seen.headers.get(b"x-should-retry")
        if waiting_helps:
            if b"retry-after" not in seen.headers or again == b"false":
                yield Breach("refusal", number, f"{refusal.code} does not say when to come back")
        elif again != b"false":
            yield Breach(
                "refusal",
                number,
                f"{refusal.code} ({seen.status}) does not say that sending again is in vain",
            )
        if not waiting_helps and seen.status in RETRIED and refusal.code.startswith(("caller_", "policy_")):
            yield Breach(
                "refusal", number, f"{refusal.code} has status {seen.status}, which clients send again"
            )
