"""Counters and histograms in plain integers."""

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from prometheus_client.parser import text_string_to_metric_families

from policyd.proxy.telemetry import instruments as of
from policyd.proxy.telemetry.instruments import INSTRUMENTS, Instrument
from policyd.proxy.telemetry.otlp import metrics_message, resource_of
from policyd.proxy.telemetry.prometheus import page
from policyd.proxy.telemetry.series import MOST_SERIES, OTHER, Counters, Histogram, Histograms, Spread

BOUNDS = (0.1, 1.0, 5.0)
SMALL = Instrument("a.b", "histogram", "s", ("c",), "d", BOUNDS)


@given(st.lists(st.floats(0, 10), max_size=50))
def test_a_histogram_counts_each_value_in_the_first_bucket_that_holds_it(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.add(value)
    spread = histogram.read()
    assert sum(spread.counts) == len(values)
    for at, bound in enumerate(BOUNDS):
        assert sum(spread.counts[: at + 1]) == sum(v <= bound for v in values)
    assert abs(spread.total - sum(values)) < 1e-6


def test_labels_beyond_the_bound_are_counted_under_other() -> None:
    counters = Counters(of.ATTEMPTS, (0,))
    for n in range(MOST_SERIES + 500):
        counters.add((f"target-{n}", "answered"))
    counters.add(("target-1", "answered"))
    points = dict(counters.read().points)
    assert len(points) == MOST_SERIES + 1
    assert points[OTHER, "answered"] == 500
    assert points["target-1", "answered"] == 2
    histograms = Histograms(SMALL, (0,))
    for n in range(MOST_SERIES + 500):
        histograms.of((f"{n}",)).add(1.0)
    assert len(histograms.read().points) == MOST_SERIES + 1


def test_prometheus_and_otlp_say_the_same() -> None:
    histograms = Histograms(SMALL)
    for value in (0.05, 0.1, 3.0, 70.0):
        histograms.of(('x"\\\n',)).add(value)
    family = histograms.read()
    assert family.points == (((('x"\\\n'),), Spread((2, 0, 1, 1), 73.15)),)
    text, kind = page([family], "")
    assert kind.startswith("text/plain")
    [parsed] = text_string_to_metric_families(text.decode())
    said = {(s.name, s.labels.get("le")): s.value for s in parsed.samples}
    assert parsed.name == "a_b_seconds"
    assert said["a_b_seconds_bucket", "1.0"] == 2
    assert said["a_b_seconds_bucket", "5.0"] == 3
    assert said["a_b_seconds_bucket", "+Inf"] == said["a_b_seconds_count", None] == 4
    assert said["a_b_seconds_sum", None] == 73.15
    assert {s.labels["c"] for s in parsed.samples} == {'x"\\\n'}
    message = ExportMetricsServiceRequest.FromString(
        metrics_message([family], resource_of("s", "i", []), 1, 2)
    )
    [metric] = message.resource_metrics[0].scope_metrics[0].metrics
    [point] = metric.histogram.data_points
    assert (metric.name, metric.unit) == ("a.b", "s")
    assert (list(point.bucket_counts), list(point.explicit_bounds)) == ([2, 0, 1, 1], list(BOUNDS))
    assert (point.count, point.sum, point.start_time_unix_nano, point.time_unix_nano) == (4, 73.15, 1, 2)


def test_openmetrics_is_given_to_who_asks_for_it() -> None:
    text, kind = page([Counters(of.ATTEMPTS).read()], "application/openmetrics-text; version=1.0.0")
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith(b"# EOF\n")


def test_names_are_told_apart_and_labels_are_attributes() -> None:
    names = [i.name for i in INSTRUMENTS]
    assert len(set(names)) == len(names) == len({i.prometheus for i in INSTRUMENTS})
    for instrument in INSTRUMENTS:
        assert (instrument.kind == "histogram") == bool(instrument.buckets)
        assert list(instrument.buckets) == sorted(set(instrument.buckets))
        assert len(set(instrument.labels)) == len(instrument.labels)
