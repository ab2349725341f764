"""Metrics and spans as OTLP requests: OpenTelemetry's own protobuf messages, filled in.

In come families or spans; out go bytes for `/v1/metrics` and `/v1/traces`. Sums and histograms are cumulative since the start
of the process. This module alone needs `opentelemetry-proto`, and is imported only where there is a collector.
"""

from collections.abc import Iterable, Mapping
from functools import lru_cache

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, SpanFlags, Status
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage

from policyd import __version__
from policyd.proxy.telemetry.series import Family, Spread
from policyd.proxy.telemetry.spans import Span, Value

__all__ = ["metrics_message", "resource_of", "traces_message"]

_SCOPE = InstrumentationScope(name="policyd", version=__version__)
_CUMULATIVE = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
_KNOWN_LOCAL = SpanFlags.SPAN_FLAGS_CONTEXT_HAS_IS_REMOTE_MASK
_KNOWN_REMOTE = _KNOWN_LOCAL | SpanFlags.SPAN_FLAGS_CONTEXT_IS_REMOTE_MASK
_SAMPLED = 0x01


def resource_of(service: str, instance: str, more: Iterable[tuple[str, str]]) -> Resource:
    """What this process is. `instance` tells it from others of the same service."""
    attributes: dict[str, Value] = {
        "service.name": service,
        "service.version": __version__,
        "service.instance.id": instance,
        "telemetry.sdk.name": "policyd",
        "telemetry.sdk.language": "python",
        "telemetry.sdk.version": __version__,
        **dict(more),
    }
    return Resource(attributes=_pairs(attributes))


def metrics_message(families: Iterable[Family], resource: Resource, began: int, now: int) -> bytes:
    """Times in nanoseconds of POSIX time. Families without points are left out."""
    metrics = [_metric(family, began, now) for family in families if family.points]
    scopes = [ScopeMetrics(scope=_SCOPE, metrics=metrics)]
    message = ExportMetricsServiceRequest(
        resource_metrics=[ResourceMetrics(resource=resource, scope_metrics=scopes)]
    )
    return bytes(message.SerializeToString())


def _metric(family: Family, began: int, now: int) -> Metric:
    instrument = family.instrument
    out = Metric(name=instrument.name, description=instrument.meaning, unit=instrument.unit)
    if instrument.kind == "histogram":
        out.histogram.CopyFrom(
            Histogram(
                aggregation_temporality=_CUMULATIVE,
                data_points=[
                    HistogramDataPoint(
                        attributes=_pairs(dict(zip(instrument.labels, labels, strict=True))),
                        start_time_unix_nano=began,
                        time_unix_nano=now,
                        count=sum(spread.counts),
                        sum=spread.total,
                        bucket_counts=spread.counts,
                        explicit_bounds=instrument.buckets,
                    )
                    for labels, spread in family.points
                    if isinstance(spread, Spread)
                ],
            )
        )
        return out
    points = [
        _number(dict(zip(instrument.labels, labels, strict=True)), number, began, now)
        for labels, number in family.points
        if not isinstance(number, Spread)
    ]
    if instrument.kind == "gauge":
        out.gauge.CopyFrom(Gauge(data_points=points))
    else:
        out.sum.CopyFrom(Sum(aggregation_temporality=_CUMULATIVE, is_monotonic=True, data_points=points))
    return out


def _number(attributes: Mapping[str, Value], number: float, began: int, now: int) -> NumberDataPoint:
    point = NumberDataPoint(attributes=_pairs(attributes), start_time_unix_nano=began, time_unix_nano=now)
    if isinstance(number, int):
        point.as_int = number
    else:
        point.as_double = number
    return point


def traces_message(spans: Iterable[Span], resource: Resource) -> bytes:
    scopes = [ScopeSpans(scope=_SCOPE, spans=[_span(span) for span in spans])]
    message = ExportTraceServiceRequest(resource_spans=[ResourceSpans(resource=resource, scope_spans=scopes)])
    return bytes(message.SerializeToString())


def _span(span: Span) -> SpanMessage:
    return SpanMessage(
        trace_id=span.trace.to_bytes(16, "big"),
        span_id=span.span.to_bytes(8, "big"),
        parent_span_id=b"" if span.parent is None else span.parent.to_bytes(8, "big"),
        flags=_SAMPLED | (_KNOWN_REMOTE if span.parent_is_remote else _KNOWN_LOCAL),
        name=span.name,
        kind=SpanMessage.SPAN_KIND_SERVER if span.serves else SpanMessage.SPAN_KIND_CLIENT,
        start_time_unix_nano=span.start,
        end_time_unix_nano=span.end,
        attributes=_pairs(span.attributes),
        status=Status(code=Status.STATUS_CODE_ERROR if span.error else Status.STATUS_CODE_UNSET),
    )


def _pairs(attributes: Mapping[str, Value]) -> list[KeyValue]:
    """What is empty says nothing and is left out."""
    return [
        _named(key, value) if isinstance(value, str) else KeyValue(key=key, value=_value(value))
        for key, value in attributes.items()
        if value != ""
    ]


@lru_cache(maxsize=1024)
def _named(key: str, value: str) -> KeyValue:
    """Most strings are names, and come again. INVARIANT: what is made of it copies it."""
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _value(value: Value) -> AnyValue:
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case str():
            return AnyValue(string_value=value)
        case tuple():
            return AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=v) for v in value]))
