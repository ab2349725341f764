"""Numbers under labels, in plain integers: counters and histograms that cost well under a microsecond to add to.

They are added to by one event loop and read from any thread. The one idea: there is a bound on how many series one metric
may have, and what comes beyond it is counted under `other`, so that no policy, however large, fills the memory here or in
the database behind.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from policyd.proxy.telemetry.instruments import Instrument

__all__ = [
    "MOST_SERIES",
    "OTHER",
    "Counters",
    "Family",
    "Histogram",
    "Histograms",
    "Labels",
    "Spread",
    "family",
]

Labels: TypeAlias = tuple[str, ...]

MOST_SERIES: Final = 1000
"""Of one metric, those under `other` aside."""

OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Spread:
    """A histogram as it was when it was read: how many fell into each bucket (the last one has no upper bound), and their
    sum."""

    counts: tuple[int, ...]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """All of one metric that there was to read."""

    instrument: Instrument
    points: Sequence[tuple[Labels, float | Spread]]


def family(instrument: Instrument, points: Iterable[tuple[Labels, float | Spread]]) -> Family:
    return Family(instrument, tuple(points))


class Counters:
    """One counter by its labels. `bounded` are the places of the labels that policies name."""

    __slots__ = ("_bounded", "_counts", "_instrument")

    def __init__(self, instrument: Instrument, bounded: tuple[int, ...] = ()) -> None:
        self._instrument = instrument
        self._bounded = bounded
        self._counts: dict[Labels, int] = {}

    def add(self, labels: Labels, number: int = 1) -> None:
        counts = self._counts
        try:
            counts[labels] += number
        except KeyError:
            if len(counts) >= MOST_SERIES:
                labels = tuple(OTHER if at in self._bounded else label for at, label in enumerate(labels))
            counts[labels] = counts.get(labels, 0) + number

    def read(self) -> Family:
        return family(self._instrument, list(self._counts.items()))


class Histogram:
    """One series."""

    __slots__ = ("_bounds", "_counts", "_total")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._total = 0.0

    def add(self, value: float) -> None:
        # An upper bound belongs to its bucket, as Prometheus and OpenTelemetry have it.
        self._counts[bisect_left(self._bounds, value)] += 1
        self._total += value

    def read(self) -> Spread:
        return Spread(tuple(self._counts), self._total)


class Histograms:
    """One histogram by its labels. Whoever adds often keeps the series that `of` gives."""

    __slots__ = ("_bounded", "_instrument", "_series")

    def __init__(self, instrument: Instrument, bounded: tuple[int, ...] = ()) -> None:
        self._instrument = instrument
        self._bounded = bounded
        self._series: dict[Labels, Histogram] = {}

    def of(self, labels: Labels) -> Histogram:
        series = self._series
        found = series.get(labels)
        if found is None:
            if len(series) >= MOST_SERIES:
                labels = tuple(OTHER if at in self._bounded else label for at, label in enumerate(labels))
            found = series.setdefault(labels, Histogram(self._instrument.buckets))
        return found

    def read(self) -> Family:
        found = ((labels, one.read()) for labels, one in list(self._series.items()))
        # A series that was made and not yet added to says nothing.
        return family(self._instrument, ((labels, spread) for labels, spread in found if any(spread.counts)))
