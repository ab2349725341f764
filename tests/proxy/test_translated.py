"""Targets that need a request translated, beside targets that do not: which bytes reach which, and what comes back."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.proxy.bench import (
    Answering,
    Peer,
    Recorder,
    Running,
    closing,
    post,
    records,
    saying,
    sidecar,
    status,
)
from tests.translate.claude_code import first_turn, second_turn
from tests.upstream.scripted import run

POLICY = """
edition 1

target rack   { location on_prem  context 1M  max_output 4096  speaks chat      translates messages, responses  supports tools, images, reasoning }
target plain  { location on_prem  context 1M  speaks chat                       translates messages }
target claude { location on_prem  context 1M  max_output 8000  speaks messages  translates chat                 supports tools, images, reasoning }

route racks   to rack, claude        when endpoint == messages and model == "both"
route plainly to plain               when endpoint == messages and model == "plain"
route claudes to claude              when model == "claude"
route rest    to rack
otherwise reject "no target may serve this request"
"""

HI: Any = [{"role": "user", "content": "hi"}]
CHAT_ANSWER = {
    "id": "chatcmpl-1",
    "model": "tiny",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 1},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "big",
    "content": [{"type": "text", "text": "hello"}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 1},
}
DELTA = {"id": "c", "model": "tiny", "choices": [{"index": 0, "delta": {"content": "hel"}, "finish_reason": None}]}  # fmt: skip


def answering(body: object, *, kind: bytes = b"application/json", more: bytes = b"") -> Answering:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: %b\r\ncontent-length: %d\r\n%b\r\n"
    return saying(head % (kind, len(data), more) + data)


@asynccontextmanager
async def three(
    folder: Path, rack: Answering, targets: dict[str, str] | None = None
) -> AsyncIterator[tuple[Running, dict[str, Recorder]]]:
    async with Recorder(rack) as first, Recorder(rack) as plain, Recorder(answering(MESSAGE)) as claude:
        recorders = {"rack": first, "plain": plain, "claude": claude}
        async with sidecar(folder, recorders, policy=POLICY, targets=targets) as running:
            yield running, recorders


def messages(model: str, **more: Any) -> bytes:
    headers = {"anthropic-version": "2023-06-01", "anthropic-beta": "a,b", "accept-encoding": "gzip"}
    return post("/v1/messages?beta=true", {"model": model, "max_tokens": 50, "messages": HI} | more, headers)


def lines_of(recorder: Recorder) -> list[bytes]:
    (lines,) = recorder.heads
    return lines


def test_a_target_gets_the_words_and_the_headers_of_its_own_dialect(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            answer = await running.ask(messages("m"))
            assert answer.status == 200 and answer.json["content"] == [{"type": "text", "text": "hello"}]
            assert answer.clean and answer.headers[b"content-type"] == b"application/json"
            assert json.loads(servers["rack"].bodies[0]) == {"model": "m", "max_tokens": 50, "messages": HI}
            first, *rest = lines_of(servers["rack"])
            assert first == b"POST /v1/chat/completions HTTP/1.1"
            assert not [line for line in rest if line.startswith(b"anthropic-")]
            assert b"accept-encoding: identity" in rest

            chat = post("/v1/chat/completions", {"model": "claude", "messages": HI}, {"openai-beta": "x"})
            answer = await running.ask(chat)
            assert answer.json["choices"][0]["message"]["content"] == "hello"
            sent = json.loads(servers["claude"].bodies[0])
            assert sent == {"model": "claude", "max_tokens": 8000, "messages": HI}
            first, *rest = lines_of(servers["claude"])
            assert first == b"POST /v1/messages HTTP/1.1"
            assert b"anthropic-version: 2023-06-01" in rest
            assert not [line for line in rest if line.startswith(b"openai-")]

    run(test())


def test_what_was_said_for_one_target_does_not_reach_the_next(tmp_path: Path) -> None:
    """Users of other gateways saw the body that was rewritten for the first attempt go to the fallback."""

    async def test() -> None:
        async with three(tmp_path, status(503)) as (running, servers):
            asked = messages("both", top_p=0.5, cache_control={"type": "ephemeral"})
            answer = await running.ask(asked)
            assert answer.headers[b"x-policyd-target"] == b"claude" and answer.json == MESSAGE
            assert servers["claude"].bodies == [asked.partition(b"\r\n\r\n")[2]]
            first, *rest = lines_of(servers["claude"])
            assert first == b"POST /v1/messages?beta=true HTTP/1.1" and b"anthropic-beta: a,b" in rest
            assert {line[:11] for line in lines_of(servers["rack"])}.isdisjoint({b"anthropic-b"})

    run(test())


@pytest.mark.parametrize(
    "broken",
    [
        answering(CHAT_ANSWER, more=b"content-encoding: gzip\r\n"),
        answering(b"data: {}\n\n", kind=b"text/event-stream"),
        answering(b"<html>"),
        answering(b"[]"),
        answering(CHAT_ANSWER | {"choices": []}),
        closing,
        status(500),
    ],
    ids=["compressed", "a stream", "no JSON", "no object", "no choice", "closed", "an error"],
)
def test_an_answer_of_which_nothing_can_be_made_leads_to_the_next_target(
    tmp_path: Path, broken: Answering
) -> None:
    async def test() -> None:
        async with three(tmp_path, broken) as (running, servers):
            answer = await running.ask(messages("both"))
            assert answer.headers[b"x-policyd-target"] == b"claude"
            assert answer.json == MESSAGE and answer.clean
            assert len(servers["rack"].requests) >= 1

    run(test())


def test_where_no_target_is_left_the_refusal_is_in_the_callers_words(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(b"<html>")) as (running, _):
            answer = await running.ask(messages("m"))
            assert answer.json["type"] == "error" and answer.code == "upstream_unavailable"

    run(test())


def test_a_stream_that_breaks_is_told_in_the_callers_words_and_never_ends_cleanly(tmp_path: Path) -> None:
    async def broken(peer: Peer, _: bytes) -> None:
        await peer.send(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
        )
        event = b"data: " + json.dumps(DELTA).encode() + b"\n\n"
        await peer.send(b"%x\r\n%b\r\n0\r\n\r\n" % (len(event), event))

    async def test() -> None:
        async with three(tmp_path, broken) as (running, _):
            answer = await running.ask(messages("m", stream=True))
            assert not answer.clean
            assert answer.body.startswith(b"event: message_start\n") and b"message_stop" not in answer.body
            assert answer.body.rstrip().split(b"\n")[-2] == b"event: error"
        (record,) = records(tmp_path / "decisions.jsonl")
        assert record["outcome"] == "upstream_broke" and record["endpoint"] == "messages"

    run(test())


def test_thinking_with_a_mark_is_not_shown_to_a_server_that_speaks_messages(tmp_path: Path) -> None:
    """Users of other gateways met servers that refuse a conversation with another server's thinking in it."""

    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            body = second_turn(signature="policyd:reasoning_content", model="claude", stream=False)
            answer = await running.ask(post("/v1/messages", body))
            assert answer.status == 200
            (sent,) = servers["claude"].bodies
            assert b"policyd:" not in sent and b"I think so." not in sent
            kept = json.loads(sent)
            del body["messages"][2]["content"][0]
            assert kept == body

    run(test())


def test_signed_thinking_goes_to_its_own_kind_byte_for_byte(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            asked = post("/v1/messages", second_turn(model="claude", stream=False))
            assert (await running.ask(asked)).status == 200
            assert servers["claude"].bodies == [asked.partition(b"\r\n\r\n")[2]]
            await running.ask(post("/v1/messages", second_turn(stream=False)))
            assert b"c2lnbmVk" not in servers["rack"].bodies[0]

    run(test())


@pytest.mark.parametrize(
    ("lines", "keys"),
    [
        ("", {"max_tokens": 50, "stream_options": {"include_usage": True}, "model": "m"}),
        ('output_limit = "max_completion_tokens"', {"max_completion_tokens": 50}),
        ("include_usage = false", {}),
        ('model = "tiny"', {"model": "tiny"}),
        ('send = { provider = { zdr = true } }', {"provider": {"zdr": True}}),
    ],
)  # fmt: skip
def test_a_binding_says_how_a_translated_body_is_fitted(tmp_path: Path, lines: str, keys: Any) -> None:
    async def test() -> None:
        events = b"data: " + json.dumps(DELTA).encode() + b"\n\n"
        rack = answering(events, kind=b"text/event-stream")
        async with three(tmp_path, rack, {"rack": lines}) as (running, servers):
            await running.ask(messages("m", stream=True))
            sent = json.loads(servers["rack"].bodies[0])
            plain = {"model": "m", "max_tokens": 50, "messages": HI, "stream": True}
            plain["stream_options"] = {"include_usage": True}
            if "output_limit" in lines:
                del plain["max_tokens"]
            if "include_usage" in lines:
                del plain["stream_options"]
            assert sent == plain | keys

    run(test())


def test_a_binding_says_as_whose_later_system_messages_are_said(tmp_path: Path) -> None:
    async def test() -> None:
        turns = [*HI, {"role": "system", "content": "be kind"}]
        lines = {"rack": 'later_system = "user"'}
        async with three(tmp_path, answering(CHAT_ANSWER), lines) as (running, servers):
            for model in ("m", "plain"):
                asked = {"model": model, "max_tokens": 5, "system": "s", "messages": turns}
                assert (await running.ask(post("/v1/messages", asked))).status == 200
            first = {"role": "system", "content": "s"}
            kept, said = (json.loads(servers[name].bodies[0])["messages"] for name in ("plain", "rack"))
            assert kept == [first, *turns]
            (last,) = said[1:]
            assert [part["text"] for part in last["content"]] == [
                "hi",
                "<system-reminder>\nbe kind\n</system-reminder>",
            ]

    run(test())


def test_the_usage_of_a_translated_answer_is_in_the_log(tmp_path: Path) -> None:
    async def test() -> None:
        last = DELTA | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
        spent = DELTA | {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
        events = b"".join(b"data: " + json.dumps(e).encode() + b"\n\n" for e in (DELTA, last, spent))
        rack = answering(events, kind=b"text/event-stream")
        async with three(tmp_path, rack) as (running, _):
            answer = await running.ask(messages("m", stream=True))
            assert answer.clean and b"message_stop" in answer.body
        (record,) = records(tmp_path / "decisions.jsonl")
        assert record["usage"]["input"] == 3 and record["usage"]["output"] == 1

    run(test())


def test_a_server_that_cannot_reason_is_not_told_to_leave_it(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            await running.ask(messages("plain", thinking={"type": "disabled"}))
            await running.ask(messages("m", thinking={"type": "disabled"}))
            assert "reasoning_effort" not in json.loads(servers["plain"].bodies[0])
            assert json.loads(servers["rack"].bodies[0])["reasoning_effort"] == "none"

    run(test())


def test_tokens_are_counted_here_and_the_question_goes_nowhere(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, _):
            asked = post("/v1/messages/count_tokens", {"model": "m", "messages": HI})
            answer = await running.ask(asked)
            assert answer.status == 200 and answer.json["input_tokens"] > 0
            assert running.sent_anywhere() == 0

    run(test())


@pytest.mark.parametrize("words", [10, 4000], ids=["a small body", "a body of a megabyte and a half"])
def test_what_claude_code_sends_reaches_a_server_of_chat_completions(tmp_path: Path, words: int) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            body = first_turn(words=words, tools=60, stream=False)
            answer = await running.ask(post("/v1/messages?beta=true", body))
            assert answer.json["content"] == [{"type": "text", "text": "hello"}]
            assert len(json.loads(servers["rack"].bodies[0])["tools"]) == 60

    run(test())


def test_a_response_is_said_as_a_chat_completion(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, servers):
            answer = await running.ask(post("/v1/responses", {"model": "m", "input": "hi", "store": False}))
            assert answer.json["object"] == "response" and answer.json["status"] == "completed"
            assert json.loads(servers["rack"].bodies[0]) == {"model": "m", "messages": HI}

    run(test())


def test_the_usage_of_an_answer_that_came_to_nothing_is_not_the_next_target_s(tmp_path: Path) -> None:
    strange = CHAT_ANSWER | {"choices": [CHAT_ANSWER["choices"][0] | {"finish_reason": "strange"}]}  # type: ignore[index]

    async def test() -> None:
        async with three(tmp_path, answering(strange)) as (running, servers):
            servers["claude"].answer = closing
            assert (await running.ask(messages("both"))).status == 503

    run(test())
    (record,) = records(tmp_path / "decisions.jsonl")
    assert [attempt["outcome"] for attempt in record["attempts"]] == ["malformed", "reset"]
    assert "usage" not in record


def test_a_refusal_names_what_the_request_has_and_not_all_that_the_target_lacks(tmp_path: Path) -> None:
    async def test() -> None:
        async with three(tmp_path, answering(CHAT_ANSWER)) as (running, _):
            answer = await running.ask(post("/v1/responses", {"model": "m", "input": "hi"}))
            assert (answer.status, answer.code) == (403, "policy_denied")
            told = answer.json["error"]["message"]
            assert "`stored`" in told
            assert "`json`" not in told and "`server_tools`" not in told

    run(test())


def test_what_would_be_lost_stands_behind_the_guard_that_says_so(tmp_path: Path) -> None:
    """Behind the words of another guard it reads as if that one were about the key."""
    policy = POLICY.replace(
        "route racks ",
        'guard stays_home only location == on_prem when model == "both" because "secrets stay here"\n\nroute racks ',
    ).replace("target claude { location on_prem", "target claude { location cloud  ")

    async def test() -> None:
        async with Recorder() as rack, Recorder() as plain, Recorder() as claude:
            recorders = {"rack": rack, "plain": plain, "claude": claude}
            async with sidecar(tmp_path, recorders, policy=policy) as running:
                body = {"model": "both", "max_tokens": 9, "top_k": 7, "messages": HI}
                refused = await running.ask(post("/v1/messages", body))
                assert refused.status == 403
                words = refused.json["error"]["message"].rpartition(" [policyd ")[0].split("; ")
                (ours,) = [one for one in words if one.startswith("stays_home ")]
                assert ours == "stays_home removed claude: secrets stay here"
                (lost,) = [one for one in words if one.startswith("translates ")]
                assert lost.endswith("(`top_k`: chat completions have no counterpart)")
        assert "top_k" not in records(running.log_path)[0]["said"]

    run(test())
