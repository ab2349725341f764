"""What a collector gets, and what becomes of requests when it is slow, gone, or not what it seems."""

import asyncio
import os
import ssl
import threading
from pathlib import Path
from typing import Any

import pytest

from policyd.deploy.model import Endpoint, Secret, Telemetry
from policyd.proxy.errand import Attempt, Outcome
from policyd.proxy.record import Record
from policyd.proxy.telemetry import push
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.naming import Names
from policyd.proxy.telemetry.push import BATCH, MOST_WAITING, Pusher
from policyd.proxy.telemetry.series import Spread
from policyd.proxy.telemetry.spans import Span, spans_of
from policyd.proxy.telemetry.trace import Sampler
from tests.proxy.bench import CHAT, OK, Running, post, records, saying, status, three
from tests.proxy.test_usage_chunk import CHAT_STREAM, STREAMED, chunked
from tests.telemetry.collector import Collector, attributes, collecting
from tests.telemetry.test_metrics import of_a_policy
from tests.upstream.scripted import CERTS, run, until

PARENT = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-01"


def telemetry(url: str, **more: str) -> str:
    keys = {"sample_ratio": "1", **more}
    lines = "\n".join(f"{key} = {value}" for key, value in keys.items())
    return f'[telemetry]\nendpoint = "{url}"\n{lines}\n'


def of_spans(collector: Collector) -> tuple[list[Any], list[Any]]:
    """The requests' own spans, and the attempts'."""
    serving = [s for s in collector.spans if s.kind == s.SPAN_KIND_SERVER]
    return serving, [s for s in collector.spans if s.kind == s.SPAN_KIND_CLIENT]


def traceparents(running: Running, target: str) -> list[str]:
    heads = running.recorders[target].heads
    return [
        line.partition(b": ")[2].decode()
        for head in heads
        for line in head
        if line.startswith(b"traceparent")
    ]


def test_a_request_is_one_span_and_each_attempt_one_below_it(tmp_path: Path) -> None:
    async def test(collector: Collector) -> None:
        extra = telemetry(
            collector.url, service_name='"edge"', resource='{ "deployment.environment.name" = "test" }'
        )
        async with three(tmp_path, extra=extra, targets={"spare": 'model = "gpt-5"'}) as running:
            running.recorders["cloud"].answer = status(503)
            running.recorders["spare"].answer = saying(chunked(CHAT_STREAM))
            answer = await running.ask(
                post(
                    "/v1/chat/completions",
                    STREAMED,
                    {"traceparent": PARENT, "tracestate": "a=b", "baggage": "c=d"},
                )
            )
            assert answer.status == 200
            sent = [*traceparents(running, "cloud"), *traceparents(running, "spare")]
            assert not any(
                b"tracestate" in r or b"baggage" in r
                for n in ("cloud", "spare")
                for r in running.recorders[n].requests
            )
        [line] = records(running.log_path)
        [whole], attempts = of_spans(collector)
        assert whole.trace_id.hex() == PARENT[3:35] and whole.parent_span_id.hex() == PARENT[36:52]
        assert whole.name == "chat gpt-5"
        said = attributes(whole.attributes)
        took = {
            k: said.pop(k)
            for k in (
                "policyd.overhead.duration",
                "policyd.decision.duration",
                "gen_ai.response.time_to_first_chunk",
            )
        }
        assert all(0 < seconds < 5 for seconds in took.values())
        port = int(running.recorders["spare"].url.rpartition(":")[2])
        assert said == {
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5",
            "gen_ai.request.stream": True, "gen_ai.response.model": "gpt-5", "gen_ai.response.finish_reasons": ("stop",),
            "gen_ai.usage.input_tokens": 20, "gen_ai.usage.output_tokens": 9, "gen_ai.usage.cache_read.input_tokens": 16,
            "gen_ai.usage.reasoning.output_tokens": 4, "server.address": "127.0.0.1", "server.port": port,
            "http.request.method": "POST", "http.route": "/v1/chat/completions", "http.response.status_code": 200,
            "policyd.decision.id": line["decision"], "policyd.endpoint": "chat", "policyd.outcome": "answered",
            "policyd.route": "rest", "policyd.target": "spare", "policyd.policy.digest": line["policy"], "policyd.attempts": 2,
        }  # fmt: skip
        assert [a.parent_span_id for a in attempts] == [whole.span_id] * 2
        assert [a.name for a in attempts] == ["attempt cloud", "attempt spare"]
        assert sent == [f"00-{a.trace_id.hex()}-{a.span_id.hex()}-01" for a in attempts]
        failed, good = (attributes(a.attributes) for a in attempts)
        assert (failed["error.type"], failed["http.response.status_code"]) == ("status_503", 503)
        assert (good["policyd.outcome"], good["http.request.resend_count"]) == ("answered", 1)
        assert [a.status.code for a in attempts] == [2, 0]
        for span in (whole, *attempts):
            assert (
                whole.start_time_unix_nano
                <= span.start_time_unix_nano
                <= span.end_time_unix_nano
                <= whole.end_time_unix_nano + 1000
            )
        assert all(
            r["service.name"] == "edge" and r["deployment.environment.name"] == "test"
            for r in collector.resources
        )

    with collecting() as collector:
        run(test(collector))


def test_metrics_are_pushed_with_their_units_and_sums(tmp_path: Path) -> None:
    async def test(collector: Collector) -> None:
        async with three(tmp_path, extra=telemetry(collector.url, sample_ratio="0.0")) as running:
            running.recorders["cloud"].answer = saying(chunked(CHAT_STREAM))
            for _ in range(3):
                await running.ask(post("/v1/chat/completions", STREAMED))
        metrics = {m.name: m for m in collector.metrics}
        [requests] = metrics["policyd.requests"].sum.data_points
        assert (requests.as_int, attributes(requests.attributes)["policyd.target"]) == (3, "cloud")
        usage = {
            attributes(p.attributes)["gen_ai.token.type"]: p
            for p in metrics["gen_ai.client.token.usage"].histogram.data_points
        }
        assert (usage["input"].sum, usage["output"].count) == (60, 3)
        assert metrics["gen_ai.client.token.usage"].unit == "{token}"
        assert metrics["policyd.requests"].sum.is_monotonic
        assert metrics["process.memory.usage"].gauge.data_points[0].as_double > 1e6
        assert not collector.spans

    with collecting() as collector:
        run(test(collector))


def test_a_request_that_is_not_sampled_gets_no_span_and_tells_no_trace(tmp_path: Path) -> None:
    async def test(collector: Collector) -> None:
        async with three(tmp_path, extra=telemetry(collector.url, sample_ratio="0")) as running:
            await running.ask(post("/v1/chat/completions", CHAT))
            await running.ask(post("/v1/chat/completions", CHAT, {"traceparent": PARENT[:-2] + "00"}))
            await running.ask(post("/v1/chat/completions", CHAT, {"traceparent": "hello"}))
            assert traceparents(running, "cloud") == [PARENT[:-2] + "00"]
        assert collector.spans == []

    with collecting() as collector:
        run(test(collector))


def test_a_target_that_sends_requests_on_is_told_no_trace(tmp_path: Path) -> None:
    async def test(collector: Collector) -> None:
        policy = (
            (Path(__file__).parents[1] / "proxy" / "bench.py")
            .read_text()
            .partition('POLICY = """')[2]
            .partition('"""')[0]
        )
        policy = (
            policy.replace("target cloud  {", "target cloud  { onward yes ")
            .replace("target home   {", "target home   { onward no ")
            .replace("target spare  {", "target spare  { onward no ")
        )
        async with three(
            tmp_path, policy=policy, extra=telemetry(collector.url), targets={"cloud": 'model = "gpt-5"'}
        ) as running:
            await running.ask(post("/v1/chat/completions", CHAT, {"traceparent": PARENT}))
            assert len(running.recorders["cloud"].requests) == 1
            assert traceparents(running, "cloud") == []
        _, attempts = of_spans(collector)
        assert len(attempts) == 1

    with collecting() as collector:
        run(test(collector))


@pytest.mark.parametrize(
    "answer", [500, 302, None], ids=["it fails", "it sends elsewhere", "it says nothing"]
)
def test_a_collector_that_takes_nothing_keeps_no_request_waiting(
    tmp_path: Path, answer: int | None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(push, "BATCH", 2)

    async def test(collector: Collector, elsewhere: Collector) -> None:
        collector.answer = threading.Event() if answer is None else answer
        collector.location = f"{elsewhere.url}/v1/traces"
        extra = telemetry(collector.url, timeout='"500ms"')
        async with three(tmp_path, extra=extra) as running:
            for _ in range(10):
                assert (await running.ask(post("/v1/chat/completions", CHAT))).body == OK.partition(
                    b"\r\n\r\n"
                )[2]
            await until(collector.came.is_set)
            # The first push is under way or has failed, and requests are served as before.
            assert (await running.ask(post("/v1/chat/completions", CHAT))).status == 200
        assert elsewhere.requests == []
        assert len(records(running.log_path)) == 11

    with collecting() as collector, collecting() as elsewhere:
        run(test(collector, elsewhere))
    said = capfd.readouterr().err
    assert said.count("telemetry cannot be pushed to 127.0.0.1:") == 1


def test_a_collector_that_is_not_there_is_said_once_and_counted(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def test() -> None:
        async with three(tmp_path, extra=telemetry("http://127.0.0.1:9", interval='"20ms"')) as running:
            assert (await running.ask(post("/v1/chat/completions", CHAT))).status == 200

            async def failed() -> int:
                page = (await running.admin("/metrics")).body.decode()
                [line] = [
                    x
                    for x in page.splitlines()
                    if x.startswith("policyd_telemetry_pushes_total") and "metrics" in x and "failed" in x
                ]
                return int(float(line.rpartition(" ")[2]))

            while await failed() < 2:
                await asyncio.sleep(0)

    run(test())
    assert capfd.readouterr().err.count("cannot be pushed to 127.0.0.1:9: Connection refused") == 1


def test_neither_the_environment_nor_a_proxy_has_a_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(collector: Collector, elsewhere: Collector) -> None:
        for name in (
            "HTTP_PROXY",
            "http_proxy",
            "ALL_PROXY",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ):
            monkeypatch.setenv(name, elsewhere.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-planted=1")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "planted=1")
        async with three(tmp_path, extra=telemetry(collector.url)) as running:
            await running.ask(post("/v1/chat/completions", CHAT))
        assert len(collector.spans) == 2
        assert not any("x-planted" in heads for _, heads, _ in collector.requests)
        assert not any("planted" in resource for resource in collector.resources)
        assert elsewhere.requests == []

    assert "OTEL_RESOURCE_ATTRIBUTES" not in os.environ
    with collecting() as collector, collecting() as elsewhere:
        run(test(collector, elsewhere))


def pusher(where: Telemetry, told: list[str]) -> Pusher:
    return Pusher(where, "i", lambda: (), say=told.append)


def sampled(folder: Path) -> tuple[Span, ...]:
    live = of_a_policy(folder)
    trace = Sampler(1.0, spans=True).begin([])
    assert trace is not None
    trace.header(0)
    outcome = Outcome([Attempt("cloud", 1.0, "answered", 200, took=0.1)])
    record = Record("d" * 24, 1000.0, "p", "chat", outcome="answered", status=200, target="cloud")
    return spans_of(Finished(record, outcome, live, trace, 1.0), Names(live))


def test_what_waits_has_a_bound_and_what_is_beyond_it_is_counted(tmp_path: Path) -> None:
    spans = sampled(tmp_path)
    with collecting() as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        one = pusher(Telemetry(Endpoint("http", host, int(port))), [])
        for _ in range(MOST_WAITING // 2 + 10):
            one.add(spans)
        one.start()
        one.close()
        assert len(collector.spans) == MOST_WAITING
        assert len([r for r in collector.requests if r[0] == "/v1/traces"]) == MOST_WAITING // BATCH
        counted = {
            labels: number for labels, number in one.read()[0].points if not isinstance(number, Spread)
        }
        assert counted == {("sent",): MOST_WAITING, ("dropped",): 20, ("failed",): 0}


def test_a_collector_is_known_by_its_certificate_and_is_shown_its_secret(tmp_path: Path) -> None:
    """Over TLS: with the authority that signed its certificate it is believed, and without it nothing is sent."""
    spans = sampled(tmp_path)
    with collecting() as collector:
        host, port = collector.url.removeprefix("http://").split(":")
        where = Telemetry(
            Endpoint("http", host, int(port), "/otlp"), headers=(("x-key", Secret("here", "s3cret")),)
        )
        one = pusher(where, [])
        one.add(spans)
        one.start()
        one.close()
        assert [(path, heads["x-key"]) for path, heads, _ in collector.requests] == [
            ("/otlp/v1/traces", "s3cret"),
            ("/otlp/v1/metrics", "s3cret"),
        ]
        told: list[str] = []
        wrapped = Telemetry(Endpoint("https", host, int(port)), headers=where.headers, timeout=1.0)
        other = pusher(wrapped, told)
        other.add(spans)
        other.start()
        other.close()
        assert len(collector.requests) == 2
        assert len(told) == 1 and "s3cret" not in told[0]


def test_an_authority_of_ones_own_can_be_named() -> None:
    authority = next(path for path in sorted(CERTS.glob("*.pem")) if "ca" in path.stem)
    where = Telemetry(Endpoint("https", "localhost", 1), ca=authority.read_text(encoding="ascii"))
    context = pusher(where, [])._tls
    assert context is not None and context.verify_mode is ssl.CERT_REQUIRED
    assert len(context.get_ca_certs()) == 1
