"""The judges see what they are there to see: each breach that they know, planted in evidence that is otherwise in order."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest

from policyd.detect.scanner import scan
from policyd.pipeline import Ready
from tests.faults.allowed import Oracle
from tests.faults.asks import SECRETS, ask
from tests.faults.evidence import Arrival, Ask, Evidence, Generation, Sample, Seen, Stretch
from tests.faults.judges import answers_are_honest, arrivals_are_permitted, refusals_are_understood
from tests.faults.judges_of_records import decisions_are_right, records_are_true, records_are_whole
from tests.faults.leaks import nothing_leaks
from tests.faults.policies import compiled
from tests.faults.told import read_log

DECISION = "0" * 24


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ready]:
    return compiled(tmp_path_factory.mktemp("policies"))


@dataclass
class Case:
    """One request that the policy `open` sends to `cirrus` first, answered there, and all that is known of it."""

    ask: Ask
    arrival: Arrival
    seen: Seen
    record: dict[str, Any]
    evidence: Evidence
    policies: dict[str, Ready]

    def breaches(self) -> set[str]:
        oracle = Oracle(self.policies)
        self.evidence.asks = {self.ask.number: self.ask}
        self.evidence.seen = {self.ask.number: self.seen}
        log = read_log(json.dumps(self.record).encode() if self.record else b"")
        return {
            breach.judge
            for found in (
                arrivals_are_permitted(self.evidence, oracle),
                answers_are_honest(self.evidence, oracle),
                refusals_are_understood(self.evidence),
                records_are_whole(self.evidence, log),
                records_are_true(self.evidence, log),
                decisions_are_right(self.evidence, log, oracle),
                nothing_leaks(self.evidence),
            )
            for breach in found
        }


def plain() -> Ask:
    """A chat of the team `search` with nothing special about it."""
    for number in range(1, 1000):
        made = ask(number, Random(number))
        truth = made.truth
        plainly = (made.endpoint, made.team, truth["speed"], made.manner) == (
            "chat",
            "search",
            "interactive",
            "patient",
        )
        quiet = not (made.confidential or made.malformed or made.stream or truth["tools"])
        if plainly and quiet and len(made.body) < 5000:
            return made
    raise AssertionError("none among a thousand")


@pytest.fixture
def case(policies: dict[str, Ready]) -> Case:
    made = plain()
    body = b'{"said":"ANSWER"}'
    arrival = Arrival(
        "cirrus", made.number, 10.0, "fine", b"/v1/chat/completions", True, False, False, (), 200, True, True, body, frozenset({"answered"})
    )  # fmt: skip
    headers = {
        b"x-policyd-decision": DECISION.encode(),
        b"x-policyd-target": b"cirrus",
        b"x-policyd-attempts": b"1",
    }
    seen = Seen(made.number, 9.9, 10.1, True, 200, headers, body, True)
    plan = Oracle(policies).decided(
        "open",
        made.truth | {"context_needed": 3000, "findings": (), "ticket": f"n{made.number}"},
    )
    record = {
        "decision": DECISION,
        "policy": policies["open"].digest,
        "status": 200,
        "outcome": "answered",
        "target": "cirrus",
        "features": {
            "endpoint": "chat", "team": "search", "speed": "interactive", "ticket": f"n{made.number}", "stream": False,
            "tools": False, "opaque": False, "findings": [], "context_needed": 3000,
        },
        "route": plan[0],
        "candidates": list(plan[1]),
        "attempts": [{"target": "cirrus", "outcome": "answered", "status": 200}],
        "bytes_in": len(made.body),
        "bytes_out": len(body),
    }  # fmt: skip
    evidence = Evidence(
        arrivals=[arrival],
        generations=[Generation("open", "usual", 0.0)],
        stretches=[Stretch(1, 0.0, code=0)],
    )
    return Case(made, arrival, seen, record, evidence, policies)


def test_what_is_in_order_is_no_breach(case: Case) -> None:
    assert case.breaches() == set()


def _confidential(case: Case) -> None:
    truth = dict(case.ask.truth) | {"findings": frozenset({"secret"})}
    case.ask = replace(case.ask, truth=truth, confidential=True)


def _at(place: str) -> Callable[[Case], None]:
    def move(case: Case) -> None:
        case.arrival.place = place

    return move


def _placing(placing: str) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        case.evidence.generations = [Generation("open", placing, 0.0)]
        case.arrival.place = "rack"
        _confidential(case)

    return change


def _of_arrival(**changes: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in changes.items():
            setattr(case.arrival, name, value)

    return change


def _of_seen(**changes: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        for name, value in changes.items():
            setattr(case.seen, name, value)

    return change


def _of_record(**changes: Any) -> Callable[[Case], None]:
    return lambda case: case.record.update(changes)


def _of_ask(**changes: Any) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        case.ask = replace(case.ask, **changes)

    return change


def _refused(
    status: int, code: str, *headers: tuple[bytes, bytes], kind: str = "server_error"
) -> Callable[[Case], None]:
    def change(case: Case) -> None:
        message = f"no [policyd {code}, decision {DECISION}]"
        body = json.dumps({"error": {"type": kind, "message": message, "code": code}}).encode()
        case.evidence.arrivals = []
        case.seen.status, case.seen.body = status, body
        case.seen.headers = {b"x-policyd-decision": DECISION.encode(), **dict(headers)}
        case.record.update(status=status, outcome=code, target=None, attempts=[], bytes_out=len(body))

    return change


def _no_record(case: Case) -> None:
    case.record = {}


def _growing(case: Case) -> None:
    case.evidence.stretches[0].samples = [Sample(n, n * 400, 10**8 + n * 10**6, 20, 5, 0) for n in range(100)]


def _holding(case: Case) -> None:
    case.evidence.stretches[0].samples = [Sample(n, n, 10**8, 20, 5, 0) for n in range(9)]
    case.evidence.stretches[0].resting = Sample(9, 9, 10**8, 60, 5, 3)


BREACHES: dict[str, tuple[Callable[[Case], None], set[str]]] = {
    "a secret in the cloud": (_confidential, {"forbidden", "decision"}),
    "at a target that its route does not have": (_at("broker"), {"forbidden", "answer", "log"}),
    "at a place that changed hands": (_placing("swapped"), {"forbidden", "answer", "decision", "log"}),
    "a malformed one that arrived": (_of_ask(malformed="no JSON"), {"forbidden", "refusal"}),
    "of a caller whom nobody knows": (_of_ask(malformed="identity", team="nobody"), {"forbidden", "refusal"}),
    "one whose client left before it was whole": (_of_ask(manner="leaves early"), {"forbidden"}),
    "with the caller's key": (_of_arrival(secrets=("search",)), {"forbidden"}),
    "with another request's text": (_of_arrival(foreign=True), {"forbidden"}),
    "with another body": (_of_arrival(altered=True), {"altered"}),
    "a cut answer that ended cleanly": (_of_arrival(whole=False), {"clean end"}),
    "another answer than was given": (_of_arrival(body=b"other"), {"answer"}),
    "another status than was given": (_of_arrival(status=201), {"answer", "log"}),
    "a second answer behind the first": (_of_seen(extra=b"HTTP/1.1 200 OK"), {"answer"}),
    "no answer": (_of_seen(status=None, clean=False, headers={}, body=b"", error="closed"), {"answer", "log"}),
    "a whole answer that was cut": (_of_seen(clean=False, error="cut"), {"answer", "log"}),
    "no record": (_no_record, {"log"}),
    "a record of another status": (_of_record(status=500), {"log"}),
    "a record of another target": (_of_record(target="nimbus"), {"log"}),
    "a record of other bytes": (_of_record(bytes_out=1), {"log"}),
    "a record without the attempt": (_of_record(attempts=[]), {"log"}),
    "a record of an attempt that never was": (
        _of_record(attempts=[{"target": "rack", "outcome": "answered", "status": 200}, {"target": "cirrus", "outcome": "answered", "status": 200}]),
        {"log"},
    ),
    "a record that says what the place did not do": (
        _of_record(attempts=[{"target": "cirrus", "outcome": "reset"}]),
        {"log"},
    ),
    "a record of another plan": (_of_record(candidates=["cirrus"]), {"decision"}),
    "a record without a plan": (_of_record(candidates=None), {"decision"}),
    "a record that found nothing": (_confidential, {"forbidden", "decision"}),
    "a record of a policy that did not serve": (lambda case: case.record.update(policy=case.policies["lockdown"].digest), {"decision"}),
    "a denial of what is allowed": (_refused(403, "policy_denied", (b"x-should-retry", b"false")), {"refusal"}),
    "a refusal that clients send again": (_refused(503, "policy_denied", (b"x-should-retry", b"false")), {"refusal"}),
    "a refusal that does not say it is in vain": (_refused(403, "internal_gate"), {"refusal"}),
    "a refusal that does not say when to come back": (_refused(503, "upstream_unavailable"), {"refusal"}),
    "a refusal that is always retried": (
        _refused(503, "upstream_unavailable", (b"retry-after", b"1"), kind="overloaded_error"),
        {"refusal"},
    ),
    "memory that grows with every request": (_growing, {"leak"}),
    "descriptors that stay": (_holding, {"leak"}),
    "a process that ended badly": (lambda case: setattr(case.evidence.stretches[0], "code", 1), {"leak"}),
    "an error of policyd's own": (lambda case: case.evidence.said.append("policyd: internal error, decision 1: KeyError"), {"error"}),
}  # fmt: skip


@pytest.mark.parametrize(("plant", "judges"), BREACHES.values(), ids=BREACHES.keys())
def test_a_planted_breach_is_found(case: Case, plant: Callable[[Case], None], judges: set[str]) -> None:
    plant(case)
    assert judges <= case.breaches()


def test_an_answer_for_which_waiting_helps_is_no_breach(case: Case) -> None:
    _refused(503, "upstream_unavailable", (b"retry-after", b"1"))(case)
    assert case.breaches() == set()


def test_a_process_that_is_told_to_stop_owes_an_answer_to_what_is_under_way(case: Case) -> None:
    case.seen.clean, case.seen.status, case.seen.headers, case.seen.body, case.record = (
        False,
        None,
        {},
        b"",
        {},
    )
    case.seen.began = 5.0
    case.evidence.stretches = [Stretch(1, 0.0, 10.05, 10.0, 1.0, killed=True), Stretch(2, 10.1, ready=11.0)]
    assert case.breaches() == set()
    case.evidence.stretches[0].killed, case.evidence.stretches[0].code = False, 0
    assert "answer" in case.breaches()
    case.seen.began = 9.9
    assert "answer" not in case.breaches()


def test_either_policy_around_a_reload_may_have_decided(case: Case) -> None:
    case.evidence.generations = [
        Generation("open", "usual", 0.0, 10.05),
        Generation("lockdown", "usual", 9.0),
    ]
    assert case.breaches() == set()
    case.evidence.generations[0].until = 8.0
    assert {"forbidden", "decision"} <= case.breaches()


@pytest.mark.parametrize("secret", SECRETS, ids=lambda s: s[:12])
def test_a_planted_secret_is_one_that_is_found(secret: str) -> None:
    assert {name.split(".")[0] for name in scan([f"words {secret} words"])} & {
        "secret",
        "private-key",
        "card-number",
        "iban",
    }


def test_the_same_seed_asks_the_same() -> None:
    assert [ask(n, Random(n)) for n in range(50)] == [ask(n, Random(n)) for n in range(50)]
    assert len({ask(n, Random(n)).endpoint for n in range(50)}) == 6
