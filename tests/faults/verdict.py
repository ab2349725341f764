"""All judges on one campaign, and its figures as text.

In comes a result; out go breaches and a report. Nothing is judged here.
"""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.faults.allowed import Oracle
from tests.faults.campaign import Result
from tests.faults.collector import found_in
from tests.faults.judges import Breach, answers_are_honest, arrivals_are_permitted, refusals_are_understood
from tests.faults.judges_of_records import decisions_are_right, records_are_true, records_are_whole
from tests.faults.leaks import growth_of, nothing_leaks
from tests.faults.told import read_log

__all__ = ["judged", "report"]

MOST_SHOWN = 40


def judged(result: Result) -> tuple[Breach, ...]:
    """Every breach of every promise."""
    evidence, oracle, log = result.evidence, Oracle(result.policies), read_log(result.log)
    return (
        *(Breach("event", 0, failure) for failure in result.failures),
        *arrivals_are_permitted(evidence, oracle),
        *answers_are_honest(evidence, oracle),
        *refusals_are_understood(evidence),
        *records_are_whole(evidence, log),
        *records_are_true(evidence, log),
        *decisions_are_right(evidence, log, oracle),
        *nothing_leaks(evidence),
        *nothing_is_told(result),
    )


def nothing_is_told(result: Result) -> Iterator[Breach]:
    """No text of a request in the decision log or on standard error."""
    for line in result.log.splitlines():
        if found_in(line):
            yield Breach("told", 0, f"the log has text of a request: {line[:120]!r}")
    for said in result.evidence.said:
        if found_in(said.encode()):
            yield Breach("told", 0, "standard error has text of a request")


def report(result: Result, breaches: Iterable[Breach]) -> str:
    """What was done and found, for a person."""
    evidence = result.evidence
    found = tuple(breaches)
    lines = [
        f"{len(evidence.asks)} requests, {len(evidence.arrivals)} arrivals at places, {len(evidence.stretches)} processes, "
        f"{len(evidence.generations)} generations, {result.took:.0f} s",
        f"{sum(a.confidential for a in evidence.asks.values())} confidential, "
        f"{sum(a.malformed is not None for a in evidence.asks.values())} malformed or of nobody",
        "events: " + _counted(Counter(kind for _, kind in evidence.events)),
        "clients saw: " + _counted(Counter(_ending(s) for s in evidence.seen.values())),
        "places did: " + _counted(Counter(a.fault for a in evidence.arrivals)),
    ]
    for stretch in evidence.stretches:
        growth = growth_of(stretch)
        if growth is not None:
            first, most, rest = growth.descriptors
            lines.append("MB by tenths of its life: " + " ".join(f"{mb:.0f}" for mb in growth.course))
            lines.append(
                f"process {stretch.pid}: {growth.requests} requests, {growth.first:.0f} to {growth.last:.0f} MB, "
                f"{growth.slope:+.2f} MB for 10,000 in its second half, descriptors {first} at first, {most} at most, "
                f"{rest} at rest, {growth.threads} threads at most"
            )
    lines.append(
        f"{len(found)} breaches" + (": " + _counted(Counter(b.judge for b in found)) if found else "")
    )
    lines += [str(breach) for breach in found[:MOST_SHOWN]]
    return "\n".join(lines)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{what} {count}" for what, count in counter.most_common())


def _ending(seen: object) -> str:
    status, clean, left = (getattr(seen, name) for name in ("status", "clean", "left"))
    if left:
        return "left"
    return f"{status} cut" if status is not None and not clean else f"{status}" if clean else "no answer"
