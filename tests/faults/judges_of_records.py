"""The verdicts on the decision log: every answer has its record, and every record is what happened.

In come the evidence and the log; out go breaches. The one idea: the log is held against both ends, the client's and the
places', and its decision against the reference evaluator on the very features that it names.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.faults.allowed import Oracle
from tests.faults.evidence import Arrival, Ask, Evidence, Seen
from tests.faults.judges import SLACK, Breach
from tests.faults.policies import ONWARD, UNREACHABLE, placings
from tests.faults.told import Log

__all__ = ["decisions_are_right", "records_are_true", "records_are_whole"]

LOST: Final = 0.5
"""Seconds before a kill whose records may be lost: 50 ms by the documentation, and what a busy machine adds."""

_TIMEOUTS: Final = frozenset(
    {"first_byte_timeout", "idle_timeout", "total_timeout", "connect_timeout", "pool_exhausted"}
)
_UNSENT: Final = frozenset(
    {"refused", "dns", "tls", "address_not_allowed", "connect_timeout", "pool_exhausted"}
)
_ENDED: Final = frozenset({"client_gone", "dropped"})


def records_are_whole(evidence: Evidence, log: Log) -> Iterator[Breach]:
    """One record for each answered request, none twice, none of nothing; lines are whole."""
    kills = [s.stopping for s in evidence.stretches if s.killed]
    for line in log.unreadable:
        # A write that a kill cut in two leaves one such line.
        if not kills:
            yield Breach("log", 0, f"a line that is no JSON: {line[:60]!r}")
    for number in log.of.keys() - evidence.asks.keys():
        yield Breach("log", number, "a record of a request that nobody sent")
    for number, seen in evidence.seen.items():
        records = log.of.get(number, [])
        if len(records) > 1:
            yield Breach("log", number, f"{len(records)} records of one request")
        decision = seen.headers.get(b"x-policyd-decision", b"").decode()
        lost = any(seen.began <= kill and seen.ended >= kill - LOST for kill in kills)
        if decision and not lost and decision not in {r["decision"] for r in records} | log.unnumbered.keys():
            yield Breach("log", number, f"no record of the decision {decision}, status {seen.status}")


def records_are_true(evidence: Evidence, log: Log) -> Iterator[Breach]:
    """Status, target, attempts and bytes are those that the client and the places saw."""
    arrivals: dict[int, list[Arrival]] = {}
    for arrival in evidence.arrivals:
        arrivals.setdefault(arrival.number, []).append(arrival)
    for number, (record, *_) in log.of.items():
        ask, seen = evidence.asks.get(number), evidence.seen.get(number)
        if ask is None or seen is None:
            continue
        came = arrivals.get(number, [])
        yield from (Breach("log", number, what) for what in _against_client(ask, seen, record))
        yield from (Breach("log", number, what) for what in _against_places(ask, record, came, evidence))
    kills = [s.stopping for s in evidence.stretches if s.killed]
    for number in arrivals.keys() - log.of.keys():
        seen = evidence.seen.get(number)
        if seen and not any(seen.began <= kill and seen.ended >= kill - LOST for kill in kills):
            yield Breach("log", number, "it arrived at a place, and there is no record of it")


def _against_client(ask: Ask, seen: Seen, record: Mapping[str, Any]) -> Iterator[str]:
    if seen.status is not None:
        if record["decision"].encode() != seen.headers.get(b"x-policyd-decision"):
            yield "another decision than the client was told"
        if record["status"] != seen.status:
            yield f"status {record['status']}, where the client saw {seen.status}"
        target = seen.headers.get(b"x-policyd-target", b"").decode() or None
        if record["target"] != target:
            yield f"target {record['target']}, where the client was told {target}"
        told = seen.headers.get(b"x-policyd-attempts")
        if told is not None and int(told) != len(record["attempts"]):
            yield f"{len(record['attempts'])} attempts, where the client was told {int(told)}"
    if seen.clean:
        if record["bytes_out"] != len(seen.body):
            yield f"{record['bytes_out']} bytes out, where {len(seen.body)} came ({record['outcome']})"
        counted = ask.endpoint == "count_tokens" and seen.status == 200
        answered = b"x-policyd-target" in seen.headers or counted
        clean = (record["outcome"] in {"answered", "upstream_error"}) is answered
        if not clean and not (record["outcome"] == "client_gone" and ask.manner == "half-closes"):
            yield f"outcome {record['outcome']} of a clean answer with status {seen.status}"
    elif (
        not seen.left and record["outcome"] in {"answered", "upstream_error"} and ask.manner != "half-closes"
    ):
        yield f"outcome answered, where the client saw a broken connection ({seen.error})"
    if record["attempts"] and record["bytes_in"] != len(ask.body):
        yield f"{record['bytes_in']} bytes in, where {len(ask.body)} were sent"


def _kind(attempt: Mapping[str, Any]) -> str:
    """What came of an attempt: an answer's status is told in its outcome where it is an error's."""
    outcome: str = attempt["outcome"]
    status = attempt.get("status")
    if status is not None and outcome in {f"status_{status}", f"status_{status // 100}xx"}:
        return "answered"
    return outcome


def _against_places(
    ask: Ask, record: Mapping[str, Any], came: list[Arrival], evidence: Evidence
) -> Iterator[str]:
    attempts = record["attempts"]
    for arrival in came:
        targets = {
            placings()[g.placing].target_at(arrival.place)
            for g in evidence.generation_at(arrival.at - SLACK, arrival.at)
        }
        mine = [a for a in attempts if a["target"] in targets]
        if not mine:
            yield f"it arrived at {arrival.place}, and the record has no attempt there"
            continue
        known = {_kind(a) for a in mine} & (arrival.outcomes | _TIMEOUTS | _ENDED)
        if "reset" in arrival.outcomes:
            # A pooled connection that proved stale; the outcome is why there was no other one.
            known |= {a["outcome"] for a in mine if a.get("stale")}
        # Where a pooled connection proved stale, one attempt arrived twice; and a place may have changed hands.
        sent = [a for a in mine if a["outcome"] not in _UNSENT | {"policy_changed"} or a.get("stale")]
        told = len(targets) == 1 and sum(a.place == arrival.place for a in came) <= len(sent)
        if arrival.outcomes and not known and told:
            yield f"{[a['outcome'] for a in mine]} at {arrival.place}, which did: {arrival.fault}"
    if len(came) > 2 * len(attempts):
        yield f"{len(came)} arrivals of {len(attempts)} attempts"
    for attempt in attempts:
        said = attempt["outcome"].partition("_")[0]
        if said in {"answered", "status"} and "status" in attempt and ask.endpoint != "count_tokens":
            at = {p.at.get(attempt["target"], "") for p in placings().values()}
            if not any(a.place in at and a.status == attempt["status"] for a in came):
                yield f"{attempt['target']} answered {attempt['status']} by the record, and did not"
        if attempt["target"] in UNREACHABLE and attempt["outcome"] not in _UNSENT | _ENDED | {
            "out",
            "policy_changed",
        }:
            yield f"{attempt['target']}, where nobody is: {attempt['outcome']}"


def decisions_are_right(evidence: Evidence, log: Log, oracle: Oracle) -> Iterator[Breach]:
    """The reference evaluator decides the record's own features alike; what was tried was in its plan; features that the
    campaign knows are what it knows."""
    for number, (record, *_) in log.of.items():
        ask, name = evidence.asks.get(number), oracle.digests.get(record["policy"])
        if ask is None:
            continue
        if name is None:
            yield Breach("decision", number, f"the policy {record['policy']}, which was never written")
            continue
        seen = evidence.seen.get(number)
        if seen is not None:
            inside = {g.policy for g in evidence.generation_at(seen.began - SLACK, seen.ended)}
            if name not in inside:
                yield Breach("decision", number, f"decided by {name}, while {sorted(inside)} served")
        yield from (Breach("decision", number, what) for what in _decided(ask, record, name, oracle))


def _decided(ask: Ask, record: Mapping[str, Any], name: str, oracle: Oracle) -> Iterator[str]:
    candidates = record.get("candidates")
    tried = _under_this_decision(record["attempts"])
    if candidates is None:
        if tried:
            yield f"{tried} were tried without a plan"
        if "rejected_by" not in record:
            return
    elif not set(tried) <= set(candidates):
        yield f"{tried} were tried, which are not all among {candidates}"
    said = record["features"]
    for feature in ("endpoint", "team", "speed", "stream", "tools", "opaque"):
        if feature in said and said[feature] != ask.truth.get(feature):
            yield f"`{feature}` is {said[feature]} by the record, and {ask.truth.get(feature)} in truth"
    if "findings" in said and bool(ask.truth["findings"]) and not said["findings"]:
        yield "nothing was found in it, and a secret was there"
    for features in _vectors(ask, said):
        route, targets = oracle.decided(name, features)
        if (route, targets) != (record["route"], frozenset(candidates or ())):
            yield f"{record['route']} to {candidates}, where the reference says {route} to {sorted(targets)}"
            return


def _under_this_decision(attempts: list[Mapping[str, Any]]) -> list[str]:
    """The targets that were tried since the request was decided for the last time."""
    changes = [at for at, attempt in enumerate(attempts) if attempt["outcome"] == "policy_changed"]
    return [a["target"] for a in attempts[changes[-1] + 1 if changes else 0 :]]


def _vectors(ask: Ask, said: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The record's features, with what it did not need taken from the truth, and both ends of what it bounded."""
    base = {k: v for k, v in said.items() if k not in {"tokens", "context_needed", "findings", "max_output"}}
    base["findings"] = said.get("findings", sorted(ask.truth["findings"]))  # type: ignore[call-overload]
    if base["findings"] == ["*"]:
        base["findings"] = None
    for end in ("at_least", "at_most"):
        out = dict(base)
        for feature in ("tokens", "context_needed"):
            value = said.get(feature, 20_000)
            out[feature] = value[end] if isinstance(value, dict) else value
        out["tokens"] = min(out["tokens"] or 0, out["context_needed"] or 10**9)
        yield out


assert ONWARD
