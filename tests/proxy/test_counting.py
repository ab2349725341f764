"""`count_tokens`: asked of the target that may see the text, and counted here where that target does not have it."""

import json
from pathlib import Path
from typing import Any

import pytest

from policyd.proxy.counting import count
from policyd.proxy.refusals import Refusal
from policyd.proxy.weigh import Weigher
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.read import read_request
from policyd.traffic.tokens import count_till_limit
from tests.proxy.bench import (
    Answer,
    Recorder,
    Running,
    closing,
    post,
    records,
    saying,
    sidecar,
    status,
    three,
)
from tests.proxy.test_forwarding import keyed
from tests.upstream.scripted import run

TEXT = "Tell me about the history of the lighthouse, and why it was moved inland in 1847. " * 20
ASKED: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}
OTHER = saying(
    b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n{"input_tokens":12}'
)
HERE = "counts_tokens = false"


async def counted(running: Running, body: dict[str, Any] = ASKED, **headers: str) -> Answer:
    return await running.ask(post("/v1/messages/count_tokens?beta=true", body, **headers))


def is_counted_here(answer: Answer, text: str = TEXT) -> None:
    assert (answer.status, answer.clean) == (200, True)
    assert answer.headers[b"x-policyd-counted"] == b"here"
    assert answer.headers[b"content-type"] == b"application/json"
    assert set(answer.json) == {"input_tokens"}
    exact = count_till_limit([text], 1 << 40)
    # What stands around the text costs a little, and never less than nothing.
    assert exact <= answer.json["input_tokens"] <= exact + 20


def test_a_target_that_counts_is_asked_and_its_answer_passes(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = OTHER
            answer = await counted(running)
            assert answer.json == {"input_tokens": 12}
            assert b"x-policyd-counted" not in answer.headers
            assert answer.headers[b"x-policyd-target"] == b"cloud"

    run(test())


def test_where_the_binding_says_that_the_target_does_not_count_nothing_is_sent(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"cloud": HERE}) as running:
            answer = await counted(running)
            is_counted_here(answer)
            assert answer.headers[b"x-policyd-attempts"] == b"0"
            assert answer.headers[b"x-policyd-route"] == b"rest"
            assert b"x-policyd-target" not in answer.headers
            assert all(r.connections == 0 for r in running.recorders.values())

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert (record["endpoint"], record["status"], record["outcome"], record["target"]) == (
        "count_tokens",
        200,
        "answered",
        None,
    )
    assert (record["route"], record["attempts"]) == ("rest", [])


@pytest.mark.parametrize("code", [404, 405, 501])
def test_where_the_target_says_that_it_does_not_count_no_other_target_sees_the_text(
    tmp_path: Path, code: int
) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = status(code)
            running.recorders["spare"].answer = OTHER
            for _ in range(2):
                is_counted_here(await counted(running))
            assert len(running.recorders["cloud"].requests) == 2
            assert running.recorders["cloud"].connections == 1
            assert running.recorders["spare"].connections == running.recorders["home"].connections == 0

    run(test())
    for record in records(tmp_path / "decisions.jsonl"):
        assert (record["status"], record["outcome"], record["target"]) == (200, "answered", None)
        assert [(a["target"], a["status"]) for a in record["attempts"]] == [("cloud", code)]
        assert record["bytes_out"] == len(b'{"input_tokens":000}')


@pytest.mark.parametrize("code", [400, 403, 413, 422])
def test_an_error_about_the_request_is_the_targets_own(tmp_path: Path, code: int) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = status(code)
            answer = await counted(running)
            assert (answer.status, answer.body) == (code, b'{"status":%d}' % code)

    run(test())


def test_of_other_endpoints_a_404_passes(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path) as running:
            running.recorders["cloud"].answer = status(404)
            answer = await running.ask(post("/v1/messages", ASKED | {"max_tokens": 5}))
            assert (answer.status, answer.body) == (404, b'{"status":404}')

    run(test())


def test_a_target_that_is_down_fails_over_to_one_that_counts(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"home": HERE}) as running:
            running.recorders["cloud"].answer = status(500)
            running.recorders["spare"].answer = OTHER
            answer = await counted(running)
            assert answer.json == {"input_tokens": 12}
            assert answer.headers[b"x-policyd-target"] == b"spare"

    run(test())


def test_where_all_before_the_one_that_does_not_count_are_down_it_is_counted_here(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, targets={"home": HERE}) as running:
            for name in ("cloud", "spare"):
                running.recorders[name].answer = closing if name == "spare" else status(503)
            is_counted_here(await counted(running))
            assert running.recorders["home"].connections == 0

    run(test())


def test_a_denied_question_is_denied_before_anything_is_counted(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(
            tmp_path, identity='kind = "loopback"\nteam = "blocked"', targets={"cloud": HERE}
        ) as running:
            answer = await counted(running, x_latency="batch")
            assert (answer.status, answer.code) == (403, "policy_denied")

    run(test())


def test_a_caller_that_nobody_knows_is_told_nothing(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, identity=keyed("k", "search"), targets={"cloud": HERE}) as running:
            assert (await counted(running)).status == 401
            is_counted_here(await counted(running, authorization="Bearer k"))

    run(test())


@pytest.mark.parametrize(
    "block",
    [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQK" * 40}},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}},
    ],
    ids=["a PDF", "a file by its id"],
)  # fmt: skip
def test_what_cannot_be_counted_here_is_refused(block: dict[str, Any]) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": [block]}]}

    async def test() -> None:
        refused = await count(Weigher(4096), read_request(EndpointName.COUNT_TOKENS, body), 100)
        assert isinstance(refused, Refusal)
        assert (refused.code, refused.status) == ("caller_uncountable", 400)

    run(test())


def test_tools_system_and_images_count_too(tmp_path: Path) -> None:
    tool = {
        "name": "search",
        "description": "searches the archive of all lighthouses",
        "input_schema": {"type": "object"},
    }
    image = {
        "type": "image",
        "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo=" * 20},
    }

    async def test() -> None:
        async with three(tmp_path, targets={"home": HERE, "cloud": HERE}) as running:
            sizes = [
                (await counted(running, ASKED | more)).json["input_tokens"]
                for more in (
                    {},
                    {"system": "You know everything about lighthouses."},
                    {"tools": [tool]},
                    {"messages": [*ASKED["messages"], {"role": "user", "content": [image]}]},
                )
            ]
            assert sizes[0] < min(sizes[1:])
            assert sizes[3] > 4000

    run(test())


def test_a_large_text_is_counted_without_holding_up_others(tmp_path: Path) -> None:
    """Counting on the event loop stalled other gateways for seconds: here it is done elsewhere, piece by piece."""
    large = "A sentence with some words and 12345 numbers in it. " * 20_000

    async def test() -> None:
        async with three(tmp_path, targets={"home": HERE}) as running:
            answer = await counted(running, {"model": "m", "messages": [{"role": "user", "content": large}]})
            assert answer.headers[b"x-policyd-counted"] == b"here"
            # What is cut into pieces may differ by a token at each cut.
            assert abs(answer.json["input_tokens"] - count_till_limit([large], 1 << 40)) < 200

    run(test())


TRANSLATING = """
edition 1
string team from identity unknown reject
target gpu { location on_prem  context 64k  speaks chat  translates messages  supports tools }
route all to gpu
otherwise reject "no"
"""


def test_a_target_that_messages_are_translated_for_is_not_asked(tmp_path: Path) -> None:
    async def test() -> None:
        async with Recorder() as gpu, sidecar(tmp_path, {"gpu": gpu}, policy=TRANSLATING) as running:
            is_counted_here(await counted(running))
            assert gpu.connections == 0

    run(test())
    assert json.loads((tmp_path / "decisions.jsonl").read_bytes())["features"]["endpoint"] == "count_tokens"
