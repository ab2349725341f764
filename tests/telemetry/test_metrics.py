"""What `/metrics` says after requests that are known, over sockets; and that nobody can fill it up."""

from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from policyd.policy.decision import Candidates, Plan
from policyd.proxy.errand import Attempt, Outcome
from policyd.proxy.live import Live
from policyd.proxy.record import Record
from policyd.proxy.reload import bring_up
from policyd.proxy.telemetry import instruments as of
from policyd.proxy.telemetry.finished import Finished
from policyd.proxy.telemetry.series import Spread
from policyd.proxy.telemetry.tally import Tally
from policyd.proxy.usage import Told, Usage
from tests.proxy import test_translated as translated
from tests.proxy.bench import (
    CHAT,
    LOOPBACK,
    POLICY,
    SECRET,
    Running,
    closing,
    deployment_text,
    post,
    records,
    saying,
    status,
    three,
)
from tests.proxy.test_usage_chunk import CHAT_STREAM, STREAMED, chunked
from tests.upstream.scripted import run, until

Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


async def scraped(running: Running) -> Samples:
    answer = await running.admin("/metrics")
    assert answer.status == 200
    families = text_string_to_metric_families(answer.body.decode())
    return {(s.name, frozenset(s.labels.items())): s.value for f in families for s in f.samples}


def value(samples: Samples, name: str, **labels: str) -> float:
    """The sum of a family's samples that have these labels; `_` in a label's name stands for a dot or for itself."""
    asked = set(labels.items())
    return sum(number for (n, found), number in samples.items() if n == name and asked <= set(found))


@pytest.mark.parametrize("code", [500, 503, 429, 529, 418])
def test_an_outage_that_is_passed_on_is_no_good_answer(tmp_path: Path, code: int) -> None:
    """Every target answers with an error, each caller gets one, and somebody watches only what is not answered."""

    async def test() -> None:
        async with three(tmp_path) as running:
            for recorder in running.recorders.values():
                recorder.answer = status(code)
            answer = await running.ask(post("/v1/chat/completions", CHAT))
            assert answer.status == code
            samples = await scraped(running)
            word = "upstream_error" if code != 418 else "answered"
            assert value(samples, "policyd_requests_total", policyd_outcome=word) == 1
            assert value(samples, "policyd_refusals_total") == 0
            line = "home" if code != 418 else "cloud"
            came = f"status_{code}" if code != 418 else "status_4xx"
            assert value(samples, "policyd_attempts_total", policyd_target=line, policyd_outcome=came) == 1
            kind = str(code)
            assert value(samples, "gen_ai_client_operation_duration_seconds_count", error_type=kind) == 1

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert record["outcome"] == ("upstream_error" if code != 418 else "answered")
    assert record["attempts"][-1]["outcome"] == (f"status_{code}" if code != 418 else "status_4xx")


def test_every_request_is_counted_once_by_what_became_of_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": 'model = "gpt-5"'}) as running:
            cloud, spare = running.recorders["cloud"], running.recorders["spare"]
            cloud.answer = saying(chunked(CHAT_STREAM))
            await running.ask(post("/v1/chat/completions", STREAMED))
            cloud.answer = closing
            spare.answer = status(429)
            running.recorders["home"].answer = status(404)
            await running.ask(post("/v1/chat/completions", CHAT))
            secret = {**CHAT, "messages": [{"role": "user", "content": SECRET}]}
            await running.ask(post("/v1/chat/completions", secret))
            await running.ask(post("/v1/chat/completions", b"{"))
            samples = await scraped(running)
            assert value(samples, "policyd_requests_total") == 4
            assert (
                value(
                    samples,
                    "policyd_requests_total",
                    policyd_outcome="answered",
                    policyd_target="cloud",
                    policyd_route="rest",
                    policyd_endpoint="chat",
                )
                == 1
            )
            assert (
                value(samples, "policyd_requests_total", policyd_outcome="answered", policyd_target="home")
                == 2
            )
            assert value(samples, "policyd_refusals_total") == 1
            assert value(samples, "policyd_refusals_total", policyd_code="caller_malformed_json") == 1
            assert (
                value(samples, "policyd_attempts_total", policyd_target="cloud", policyd_outcome="answered")
                == 1
            )
            assert (
                value(samples, "policyd_attempts_total", policyd_target="spare", policyd_outcome="status_429")
                == 1
            )
            assert (
                value(samples, "policyd_attempts_total", policyd_target="home", policyd_outcome="status_404")
                == 2
            )
            assert (
                value(samples, "policyd_tokens_total", policyd_target="cloud", gen_ai_token_type="input")
                == 20
            )
            assert (
                value(
                    samples,
                    "gen_ai_client_token_usage_sum",
                    gen_ai_token_type="output",
                    gen_ai_request_model="gpt-5",
                )
                == 9
            )
            assert value(samples, "gen_ai_client_operation_duration_seconds_count", error_type="404") == 2
            assert value(samples, "gen_ai_server_time_to_first_token_seconds_count") == 1
            assert value(samples, "gen_ai_server_time_per_output_token_seconds_count") == 1
            assert value(samples, "policyd_request_duration_seconds_count") == 4
            assert value(samples, "policyd_decision_duration_seconds_count") == 3
            assert value(samples, "policyd_policy_info") == 1
            assert (
                value(samples, "policyd_target_breaker", policyd_target="home", policyd_state="closed") == 1
            )
            assert (
                value(samples, "policyd_target_connections", policyd_target="home", policyd_state="open") == 1
            )
            await until(lambda: running.serving.log.state.written == 4)
            assert value(await scraped(running), "policyd_log_lines_total", policyd_result="written") == 4

    run(test())


def test_a_translated_request_is_counted_once_for_whose_api_was_asked(tmp_path: Path) -> None:
    async def test() -> None:
        speaks = {"rack": 'dialects = ["openai"]'}
        async with translated.three(tmp_path, status(500), speaks) as (running, servers):
            await running.ask(translated.messages("both"))
            servers["rack"].answer = translated.answering(translated.CHAT_ANSWER)
            await running.ask(translated.messages("both"))
            samples = await scraped(running)
        for target, provider in (("claude", "anthropic"), ("rack", "openai")):
            used = {"policyd_target": target, "gen_ai_provider_name": provider}
            assert value(samples, "gen_ai_client_operation_duration_seconds_count", **used) == 1
            assert value(samples, "gen_ai_client_token_usage_sum", **used) == 4
        assert value(samples, "policyd_attempts_total", policyd_target="rack") == 2

    run(test())


def test_a_denied_request_names_its_deny(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity='kind = "loopback"\nteam = "blocked"') as running:
            answer = await running.ask(post("/v1/chat/completions", CHAT, x_latency="batch"))
            assert answer.status == 403
            samples = await scraped(running)
            assert (
                value(
                    samples, "policyd_refusals_total", policyd_code="policy_denied", policyd_guard="no_batch"
                )
                == 1
            )
            assert value(samples, "gen_ai_client_operation_duration_seconds_count") == 0

    run(test())


def test_a_reload_and_a_target_that_is_out_are_seen(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.policy.write_text("edition 1\nnonsense")
            await until(lambda: running.serving.reloader.state.failures > 0)
            samples = await scraped(running)
            assert value(samples, "policyd_reload_failing") == 1
            assert value(samples, "policyd_reloads_total", policyd_result="failed") >= 1

    run(test())


@pytest.mark.parametrize("model", ['m"}\n# EOF', "x" * 500, "\u0000", "gpt-5"])
def test_no_word_of_a_request_becomes_a_label(tmp_path: Path, model: str) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = saying(chunked(CHAT_STREAM))
            for n in range(20):
                headers = {"x-data-class": f"class{n}", "user-agent": f"agent{n}", "x-latency": f"late{n}"}
                await running.ask(post(f"/v1/chat/completions?q{n}=1", {**STREAMED, "model": f"{model}{n}"}))
                await running.ask(post("/v1/chat/completions", {**STREAMED, "user": f"u{n}"}, headers))
                await running.ask(post(f"/v1/path{n}", CHAT))
                await running.ask(post("/v1/messages", {"model": f"{model}{n}", f"key{n}": n}))
            page = (await running.admin("/metrics")).body.decode()
            samples = await scraped(running)
            assert value(samples, "policyd_requests_total") == 80
            series = {key for key in samples if not key[0].endswith("_bucket")}
            assert len(series) < 200
            for word in (
                "class1",
                "agent1",
                "late1",
                "q1",
                "path1",
                "key1",
                "u1",
                'm"}',
                "xxx",
                "EOF",
                "gpt-5",
            ):
                assert word not in page

    run(test())


def of_a_policy(folder: Path) -> Live:
    (folder / "sidecar.policy").write_text(POLICY)
    urls = {name: f"http://127.0.0.1:{port}" for name, port in (("home", 7), ("cloud", 9), ("spare", 13))}
    (folder / "policyd.toml").write_text(deployment_text(urls, LOOPBACK, "", {"cloud": 'model = "gpt-5"'}))
    live = bring_up(folder / "policyd.toml", {}, time())
    assert isinstance(live, Live)
    return live


def finished(live: Live, *attempts: Attempt, **record: Any) -> Finished:
    outcome = Outcome(list(attempts))
    kept = Record(
        "d" * 24,
        1000.0,
        "p",
        "chat",
        outcome="answered",
        status=200,
        decided=Plan("rest", (Candidates("order", ("cloud",)),), ()),
        **record,
    )
    return Finished(kept, outcome, live, None, 0.0)


def test_names_that_change_with_reloads_stay_bounded(tmp_path: Path) -> None:
    """A policy that is generated anew each minute may name routes by the minute."""
    live, tally = of_a_policy(tmp_path), Tally()
    for n in range(3000):
        record = Record(
            "d", 0.0, "p", "chat", outcome="answered", target=f"t{n}", decided=Plan(f"r{n}", (), ())
        )
        tally.add(Finished(record, Outcome([Attempt(f"t{n}", 0.0, "answered", 200)]), live, None, 0.0))
    assert all(len(family.points) <= 1100 for family in tally.read())
    requests = next(f for f in tally.read() if f.instrument is of.REQUESTS)
    assert sum(number for _, number in requests.points if not isinstance(number, Spread)) == 3000


def test_overhead_is_what_is_left_of_a_request(tmp_path: Path) -> None:
    live = of_a_policy(tmp_path)
    one = Attempt("cloud", 0.0, "refused", took=0.010, permitted=0.001)
    two = Attempt("spare", 0.0, "answered", 200, took=0.500, permitted=0.002)
    ended = finished(live, one, two, took=0.520, body_took=0.003, target="spare")
    assert ended.overhead == pytest.approx(0.520 - 0.003 - 0.009 - 0.498)
    ended.outcome.waited = 0.004
    assert ended.overhead == pytest.approx(0.520 - 0.003 - 0.009 - 0.498 - 0.004)


def test_usage_that_is_not_known_is_counted_as_that(tmp_path: Path) -> None:
    live, tally = of_a_policy(tmp_path), Tally()
    answered = Attempt("cloud", 0.0, "answered", 200, first_byte=0.1, took=0.2)
    tally.add(finished(live, answered, target="cloud"))
    tally.add(finished(live, answered, target="cloud", told=Told(Usage(3, None))))
    families = {f.instrument: dict(f.points) for f in tally.read()}
    assert families[of.USAGE_UNKNOWN] == {("cloud",): 1}
    assert families[of.TOKENS] == {("cloud", "input"): 3}
    assert list(families[of.TOKEN_USAGE]) == [("chat", "openai", "gpt-5", "127.0.0.1", "9", "cloud", "input")]
