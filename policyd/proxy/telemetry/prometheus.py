"""What was counted, as a page that Prometheus reads.

In come families and what the asker accepts; out goes a page and its type. The formats, and which one is accepted, are the
official client library's affair.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from policyd.proxy.telemetry.series import Family, Spread

__all__ = ["page"]


class _Collected(Collector):
    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        return map(_metric, self._families)


def page(families: Iterable[Family], accept: str) -> tuple[bytes, str]:
    """The page, and its content type."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(families))
    encode, kind = choose_encoder(accept)
    return encode(registry), kind


def _metric(family: Family) -> Metric:
    instrument = family.instrument
    labels = tuple(label.replace(".", "_") for label in instrument.labels)
    name, meaning = instrument.prometheus, instrument.meaning
    match instrument.kind:
        case "counter":
            counter = CounterMetricFamily(name, meaning, labels=labels)
            for values, number in family.points:
                assert not isinstance(number, Spread)
                counter.add_metric(values, number)
            return counter
        case "gauge":
            gauge = GaugeMetricFamily(name, meaning, labels=labels)
            for values, number in family.points:
                assert not isinstance(number, Spread)
                gauge.add_metric(values, number)
            return gauge
        case "histogram":
            histogram = HistogramMetricFamily(name, meaning, labels=labels)
            for values, spread in family.points:
                assert isinstance(spread, Spread)
                histogram.add_metric(values, _cumulative(instrument.buckets, spread), spread.total)
            return histogram


def _cumulative(bounds: tuple[float, ...], spread: Spread) -> list[tuple[str, float]]:
    out, total = [], 0
    for bound, count in zip((*map(repr, bounds), "+Inf"), spread.counts, strict=True):
        total += count
        out.append((bound, float(total)))
    return out
