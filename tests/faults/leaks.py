"""The verdict on what a sidecar holds: memory, descriptors and threads over the life of each process.

In come the samples; out go breaches and figures. The one idea: what is needed once is needed early; what still grows
in the second half of a life, by the request, is a leak.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from tests.faults.evidence import Evidence, Sample, Stretch
from tests.faults.judges import Breach

__all__ = ["Growth", "growth_of", "nothing_leaks"]

ENOUGH: Final = 30_000
"""Requests of a life from which its second half says something: its caches are full after some twenty thousand."""

MOST_GROWTH: Final = 8.0
"""MB for ten thousand requests: less than what a kept request would be. Runs of some tens of thousands differ by so much, because
what is under way or not yet collected at a sample is some megabytes."""

LOADS: Final = {"new policy": 1, "new placing": 2, "bad policy": 2, "hang-up": 1}
LOAD: Final = 0.5
"""MB that a load of the files may leave behind: no objects, but memory in pieces."""

MOST_LEFT: Final = 6
"""Descriptors beyond those of a sidecar that has served nothing and those of connections to places."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process: requests, resident MB at the start, at the end and by ten thousand requests of the second half."""

    requests: int
    first: float
    last: float
    slope: float
    descriptors: tuple[int, int, int]
    """at the start, at most, and at rest without those to places"""
    threads: int
    course: tuple[float, ...]
    """resident MB at tenths of its life"""


def growth_of(stretch: Stretch) -> Growth | None:
    samples = stretch.samples
    if len(samples) < 4:
        return None
    half = [s for s in samples if s.asked >= (samples[0].asked + samples[-1].asked) / 2]
    rest = stretch.resting
    return Growth(
        samples[-1].asked - samples[0].asked,
        samples[0].rss / 1e6,
        samples[-1].rss / 1e6,
        _slope(half) * 1e4 / 1e6,
        (
            samples[0].descriptors - samples[0].upstream,
            max(s.descriptors for s in samples),
            rest.descriptors - rest.upstream if rest is not None else -1,
        ),
        max(s.threads for s in samples),
        tuple(samples[(len(samples) - 1) * tenth // 10].rss / 1e6 for tenth in range(11)),
    )


def nothing_leaks(evidence: Evidence) -> Iterator[Breach]:
    for stretch in evidence.stretches:
        growth = growth_of(stretch)
        if growth is None:
            continue
        if growth.requests >= ENOUGH and growth.slope > MOST_GROWTH + _by_loads(stretch, evidence):
            yield Breach(
                "leak", 0, f"{growth.slope:.2f} MB for ten thousand requests, after {growth.requests}"
            )
        if stretch.resting is not None and growth.descriptors[2] > growth.descriptors[0] + MOST_LEFT:
            yield Breach(
                "leak",
                0,
                f"{growth.descriptors[2]} descriptors at rest, {growth.descriptors[0]} at the start",
            )
        for name, value in stretch.gauges.items():
            # The connection that asks counts itself.
            if value > (1 if name == "policyd_connections" else 0):
                yield Breach("leak", 0, f"{name} is {value:g} at rest")
    for stretch in evidence.stretches:
        if not stretch.killed and stretch.code not in {0, None}:
            yield Breach("leak", 0, f"a sidecar that was told to stop ended with {stretch.code}")
    for line in evidence.said:
        if "internal error" in line or "Traceback" in line:
            yield Breach("error", 0, line.strip())


def _slope(samples: Sequence[Sample]) -> float:
    """Bytes by request, by least squares."""
    count = len(samples)
    if count < 2:
        return 0.0
    x = sum(s.asked for s in samples) / count
    y = sum(s.rss for s in samples) / count
    spread = sum((s.asked - x) ** 2 for s in samples)
    return sum((s.asked - x) * (s.rss - y) for s in samples) / spread if spread else 0.0


def _by_loads(stretch: Stretch, evidence: Evidence) -> float:
    """MB for ten thousand requests of the second half that loads of the files may have left."""
    first, last = stretch.samples[0], stretch.samples[-1]
    asked = (last.asked - first.asked) / 2
    since = next(s.at for s in stretch.samples if s.asked - first.asked >= asked)
    loads = sum(LOADS.get(kind, 0) for at, kind in evidence.events if since <= at <= last.at)
    return loads * LOAD / asked * 1e4
