"""A collector on loopback: takes OTLP requests over HTTP, decodes them, and can be slow, refuse, or send elsewhere."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def _plain(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return tuple(_plain(v) for v in value.array_value.values)
    return getattr(value, kind)


def attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in pairs}


@dataclass
class Collector:
    """`answer` is a status, or an event until which nothing is answered."""

    url: str = ""
    answer: int | threading.Event = 200
    location: str = ""
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    came: threading.Event = field(default_factory=threading.Event)

    @property
    def spans(self) -> list[Any]:
        out = []
        for path, _, body in self.requests:
            if path.endswith("/v1/traces"):
                message = ExportTraceServiceRequest.FromString(body)
                out += [s for r in message.resource_spans for scope in r.scope_spans for s in scope.spans]
        return out

    @property
    def metrics(self) -> list[Any]:
        """Those of the last push."""
        pushed = [body for path, _, body in self.requests if path.endswith("/v1/metrics")]
        message = ExportMetricsServiceRequest.FromString(pushed[-1])
        return [m for r in message.resource_metrics for scope in r.scope_metrics for m in scope.metrics]

    @property
    def resources(self) -> list[dict[str, Any]]:
        out = []
        for path, _, body in self.requests:
            if path.endswith("/v1/traces"):
                out += [
                    attributes(r.resource.attributes)
                    for r in ExportTraceServiceRequest.FromString(body).resource_spans
                ]
            else:
                out += [
                    attributes(r.resource.attributes)
                    for r in ExportMetricsServiceRequest.FromString(body).resource_metrics
                ]
        return out


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Taking(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers["content-encoding"] == "gzip":
                body = gzip.decompress(body)
            heads = {name.lower(): value for name, value in self.headers.items()}
            collector.requests.append((self.path, heads, body))
            collector.came.set()
            if isinstance(collector.answer, threading.Event):
                collector.answer.wait(30)
                self.close_connection = True
                return
            self.send_response(collector.answer)
            if collector.location:
                self.send_header("location", collector.location)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        if isinstance(collector.answer, threading.Event):
            collector.answer.set()
        server.shutdown()
        server.server_close()
        thread.join()
