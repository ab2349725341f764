"""Estimates beside what targets report: compared where a request was counted, sampled where it was not, and shown."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from policyd.proxy.calibration import Compared
from policyd.traffic.tokens import Measure, count_till_limit
from tests.proxy.bench import CHAT, MESSAGES, Answering, Recorder, Running, post, saying, sidecar, three
from tests.telemetry.test_metrics import scraped, value
from tests.upstream.scripted import run, until

POLICY = """
edition 1
string team from identity unknown reject
target near { location on_prem  context 16k   speaks chat, messages, responses  supports tools, images, server_tools, stored }
target far  { location on_prem  context 100M  speaks chat, messages, responses  supports tools, images, server_tools, stored }
route short to near when tokens <= 4k
route long  to far
otherwise reject "no"
"""


def answering(usage: Mapping[str, object]) -> Answering:
    body = json.dumps({"model": "m", "usage": usage}).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return saying(head % len(body) + body)


def chat(words: int) -> dict[str, object]:
    return CHAT | {"messages": [{"role": "user", "content": "word " * words}]}


async def shown(running: Running, target: str) -> Any:
    return next(t for t in (await running.admin("/targets")).json if t["target"] == target)["tokens"]


async def until_compared(running: Running, target: str, requests: int) -> Any:
    """What the page says once so many were compared: counting for it is behind the answer."""
    view = running.serving.sidecar.calibration.view
    await until(lambda: target in view() and view()[target].requests == requests)
    return await shown(running, target)


def estimate(words: int) -> int:
    return count_till_limit(["word " * words], 1 << 30) + 8


def test_what_was_counted_is_compared_for_nothing(tmp_path: Path) -> None:
    """Between 4,000 and its bytes lies the number, so the policy has it counted; `sample = 0` adds none."""

    async def test() -> None:
        async with (
            Recorder(answering({"prompt_tokens": 5000, "completion_tokens": 1})) as near,
            Recorder(answering({"prompt_tokens": 6005, "completion_tokens": 1})) as far,
            sidecar(
                tmp_path, {"near": near, "far": far}, policy=POLICY, extra="[tokens]\nsample = 0\n"
            ) as running,
        ):
            for _ in range(2):
                assert (await running.ask(post("/v1/chat/completions", chat(3990)))).status == 200
            found = await until_compared(running, "near", 2)
            assert found["estimated_by_reported"] == {"all": 0.8, "lowest": 0.8, "highest": 0.8}
            assert (found["estimated"], found["reported"]) == (2 * estimate(3990), 10_000)
            assert found["fitting_scale"]["all"] == found["fitting_scale"]["largest"] == 1.251
            # So much that its bounds are enough: nothing to compare.
            assert (await running.ask(post("/v1/chat/completions", chat(30_000)))).status == 200
            assert await shown(running, "far") is None
            samples = await scraped(running)
            labels = {"policyd_target": "near", "gen_ai_request_model": ""}
            assert value(samples, "policyd_token_estimate_ratio_count", **labels) == 2
            assert value(samples, "policyd_token_estimate_ratio_bucket", le="0.8", **labels) == 2
            assert value(samples, "policyd_token_estimate_ratio_bucket", le="0.7", **labels) == 0
            for source, number in (("estimated", 2 * estimate(3990)), ("reported", 10_000)):
                assert value(samples, "policyd_token_compared_total", policyd_source=source) == number
            # The policy was asked with less than the target counted.
            assert value(samples, "policyd_token_beyond_total", policyd_target="near") == 2
            assert value(samples, "policyd_token_beyond_total", policyd_target="far") == 0

    run(test())


def test_of_others_one_in_so_many_is_counted_after_its_answer(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, extra="[tokens]\nsample = 4\n") as running:
            reported = 2 * estimate(400)
            running.recorders["cloud"].answer = answering({"prompt_tokens": reported, "completion_tokens": 1})
            # The first at a target in any case, then every fourth.
            for sent, compared in ((1, 1), (3, 1), (1, 2), (3, 2), (1, 3)):
                for _ in range(sent):
                    assert (await running.ask(post("/v1/chat/completions", chat(400)))).status == 200
                found = await until_compared(running, "cloud", compared)
            assert found["estimated_by_reported"]["all"] == 0.5
            assert found["estimated"] == 3 * estimate(400)

    run(test())


def test_a_cache_s_tokens_are_part_of_the_prompt(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            usage = {"input_tokens": 10, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 90}
            running.recorders["cloud"].answer = answering(usage | {"output_tokens": 1})
            body = MESSAGES | {"messages": [{"role": "user", "content": "word " * 400}]}
            assert (await running.ask(post("/v1/messages", body))).status == 200
            found = await until_compared(running, "cloud", 1)
            assert (found["reported"], found["estimated"]) == (400, estimate(400))

    run(test())


def test_a_target_s_own_measure_is_what_is_compared(tmp_path: Path) -> None:
    own = 'tokenizer = "cl100k"\ntokens_scale = 1.5\nmodel = "gpt-4o"'
    image = "data:image/png;base64," + "iVBORw0KGgoAAAANSUhEUgAABAAAAAMACAYAAAC6uhUNAAAAAElFTkSuQmCC" * 2
    content = [{"type": "text", "text": "word " * 400}, {"type": "image_url", "image_url": {"url": image}}]

    async def test() -> None:
        usage = {"prompt_tokens": 1000, "completion_tokens": 1}
        async with (
            Recorder(answering(usage)) as near,
            Recorder(answering(usage)) as far,
            sidecar(tmp_path, {"near": near, "far": far}, policy=POLICY, targets={"near": own}) as running,
        ):
            body = CHAT | {"messages": [{"role": "user", "content": content}]}
            assert (await running.ask(post("/v1/chat/completions", body))).status == 200
            found = await until_compared(running, "near", 1)
            assert (found["tokenizer"], found["tokens_scale"]) == ("cl100k", 1.5)
            # 1024 by 768 are four tiles for this family; 8 for the message and 3 for each part.
            text = count_till_limit(["word " * 400], 1 << 30)
            assert found["estimated"] == Measure("cl100k", 1500).of(text) + 85 + 4 * 170 + 8 + 6

    run(test())


def test_what_the_server_adds_to_is_not_compared(tmp_path: Path) -> None:
    async def test() -> None:
        usage = {"input_tokens": 9000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 1}
        extra = "[tokens]\nsample = 1\n"
        async with (
            Recorder(answering(usage)) as near,
            Recorder(answering(usage)) as far,
            sidecar(tmp_path, {"near": near, "far": far}, policy=POLICY, extra=extra) as running,
        ):
            asked = {"model": "m", "input": "x"}
            searching = asked | {"tools": [{"type": "web_search"}]}
            assert (await running.ask(post("/v1/responses", searching))).status == 200
            assert (await running.ask(post("/v1/responses", asked))).status == 200
            found = await until_compared(running, "near", 1)
            # A tool that the server describes counts 735, so this is the other one.
            assert (found["reported"], found["estimated"] < 100) == (9000, True)

    run(test())


def test_count_tokens_is_answered_by_the_target_s_measure(tmp_path: Path) -> None:
    own = "counts_tokens = false\ntokens_scale = 1.5"

    async def test() -> None:
        async with three(tmp_path, targets={"cloud": own}) as running:
            body = {"model": "m", "messages": [{"role": "user", "content": "word " * 400}]}
            answer = await running.ask(post("/v1/messages/count_tokens", body))
            text = count_till_limit(["word " * 400], 1 << 30)
            assert answer.json == {"input_tokens": Measure("o200k", 1500).of(text) + 8}

    run(test())


def test_answers_do_not_wait_for_a_count(tmp_path: Path) -> None:
    """While one is counted, others are answered, and what else could be counted is skipped."""

    async def test() -> None:
        async with three(tmp_path, extra="[tokens]\nsample = 1\n") as running:
            running.recorders["cloud"].answer = answering({"prompt_tokens": 10, "completion_tokens": 1})
            large, small = post("/v1/chat/completions", chat(40_000)), post("/v1/chat/completions", chat(4))
            answers = await asyncio.gather(*(running.ask(r) for r in (large, *[small] * 20)))
            assert {a.status for a in answers} == {200}
            view = running.serving.sidecar.calibration.view
            await until(lambda: "cloud" in view() and view()["cloud"].requests >= 1)

    run(test())


def test_a_short_prompt_says_nothing_of_the_scale() -> None:
    short, all_of_them = Compared(Measure()), Compared(Measure())
    short.add(10, 8, 18, 90)
    assert short.fitting_scale is None and (short.lowest, short.highest) == (0.2, 0.2)
    all_of_them.add(10, 8, 18, 90)
    all_of_them.add(1000, 8, 1008, 1258)
    all_of_them.add(1000, 8, 1008, 508)
    assert all_of_them.fitting_scale == 0.875 and all_of_them.largest_scale == 1.25
    assert all_of_them.lowest == 0.2 and round(all_of_them.highest, 2) == 1.98
