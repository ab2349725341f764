"""A stream of Anthropic messages said as chunks, and read by the official accumulator."""

from typing import Any

import openai
import orjson
import pytest

from policyd.translate.loss import Unsayable
from policyd.translate.messages_as_chat import whole
from policyd.translate.messages_stream_as_chat import Stream

from .streams import fed, messages_events, sdk, sse
from .test_messages_as_chat import HIDDEN, SAID_HIDDEN, SAID_THINKING, TEXT, THINKING, USAGE, USE, answer

Json = dict[str, Any]

ASKED: Json = {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
PLAIN: Json = {"model": "m", "messages": [], "stream": True}
FULL = answer(THINKING, TEXT, USE, USE | {"id": "toolu_2", "input": {}}, stop_reason="tool_use")


def chunks(said: bytes) -> list[Json]:
    """Every chunk but the last event, which must be `[DONE]`."""
    events = said.split(b"\n\n")
    assert events[-2:] == [b"data: [DONE]", b""]
    return [orjson.loads(event.removeprefix(b"data: ")) for event in events[:-2]]


def said_of(events: list[Json], asked: Json = PLAIN) -> bytes:
    return fed(Stream(asked), sse(events, named=True))


def test_a_stream_is_said_event_by_event() -> None:
    said = chunks(said_of(messages_events(answer(THINKING, TEXT, USE, stop_reason="tool_use")), ASKED))
    deltas = [chunk["choices"][0]["delta"] for chunk in said[:-1]]
    call = {"index": 0, "id": "toolu_1", "type": "function", "function": {"name": "look", "arguments": ""}}
    assert deltas == [
        {"role": "assistant", "content": ""},
        {"reasoning_content": "h"},
        {"reasoning_content": "m"},
        {"reasoning_details": [SAID_THINKING]},
        {"content": "he"},
        {"content": "llo"},
        {"tool_calls": [call]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '{"a":['}}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": '1,"é"]}'}}]},
        {},
    ]
    assert [chunk["choices"][0]["finish_reason"] for chunk in said[:-1]] == [None] * 9 + ["tool_calls"]
    assert said[-1]["choices"] == []
    assert said[-1]["usage"] == whole(answer(TEXT), {})["usage"]
    assert all(chunk["usage"] is None for chunk in said[:-1])


def test_a_client_that_did_not_ask_for_usage_gets_no_chunk_of_it() -> None:
    said = chunks(said_of(messages_events(FULL)))
    assert all(len(chunk["choices"]) == 1 and "usage" not in chunk for chunk in said)


def test_the_official_accumulator_adds_up_to_the_whole_answer() -> None:
    client = sdk(said_of(messages_events(FULL), ASKED))
    with client.chat.completions.stream(
        model="m", messages=[{"role": "user", "content": "hi"}], stream_options={"include_usage": True}
    ) as stream:
        final = stream.get_final_completion()
    expected = whole(FULL, ASKED)
    read = final.choices[0].message
    told = expected["choices"][0]["message"]
    assert final.choices[0].finish_reason == "tool_calls"
    assert read.content == told["content"]
    assert [(c.id, c.function.name, c.function.arguments) for c in read.tool_calls or []] == [
        (c["id"], c["function"]["name"], c["function"]["arguments"]) for c in told["tool_calls"]
    ]
    extra = read.model_extra or {}
    assert extra["reasoning_content"] == told["reasoning_content"]
    assert extra["reasoning_details"] == told["reasoning_details"]
    assert final.usage is not None
    assert final.usage.total_tokens == expected["usage"]["total_tokens"]


def test_a_server_that_says_a_whole_call_at_its_start_is_understood() -> None:
    events = messages_events(answer(USE, stop_reason="tool_use"))
    start = next(event for event in events if event["type"] == "content_block_start")
    start["content_block"] = USE
    events = [event for event in events if event["type"] != "content_block_delta"]
    said = chunks(said_of(events))
    assert said[2]["choices"][0]["delta"] == {
        "tool_calls": [{"index": 0, "function": {"arguments": '{"a":[1,"é"]}'}}]
    }


def test_later_counts_of_tokens_replace_earlier_ones() -> None:
    events = messages_events(answer(TEXT))
    events[-2]["usage"] = {"input_tokens": 20, "output_tokens": 9, "cache_read_input_tokens": None}
    said = chunks(said_of(events, ASKED))[-1]["usage"]
    assert (said["prompt_tokens"], said["completion_tokens"]) == (28, 9)


def test_a_refusal_says_why_with_its_finish() -> None:
    details = {"type": "refusal", "category": None, "explanation": "not this"}
    last = chunks(said_of(messages_events(answer(TEXT, stop_reason="refusal", stop_details=details))))[-1]
    assert last["choices"][0] == {
        "index": 0,
        "delta": {"refusal": "not this"},
        "logprobs": None,
        "finish_reason": "content_filter",
    }


def test_hidden_thinking_is_carried_and_a_new_kind_of_event_passed_over() -> None:
    events = messages_events(answer(HIDDEN, TEXT))
    events.insert(1, {"type": "weather"})
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks(said_of(events))]
    assert deltas[1] == {"reasoning_details": [SAID_HIDDEN | {"index": 0}]}


ERROR: Json = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}


def test_an_error_before_anything_was_said_is_unsayable_so_that_another_target_may_answer() -> None:
    with pytest.raises(Unsayable):
        Stream(PLAIN).feed(sse([ERROR], named=True))


def test_an_error_inside_a_stream_is_told_and_never_a_clean_end() -> None:
    events = messages_events(answer(TEXT))[:4]
    said = said_of([*events, ERROR, *messages_events(answer(TEXT))[4:]])
    assert b"[DONE]" not in said
    assert orjson.loads(said.split(b"\n\n")[-2].removeprefix(b"data: ")) == {
        "error": {"message": "Overloaded", "type": "server_error", "param": None, "code": "overloaded"}
    }
    client = sdk(said)
    with pytest.raises(openai.APIError, match="Overloaded"):
        list(
            client.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "hi"}], stream=True
            )
        )


@pytest.mark.parametrize("kept", range(len(messages_events(FULL))))
def test_a_stream_that_is_cut_never_ends_cleanly(kept: int) -> None:
    stream = Stream(PLAIN)
    said = stream.feed(sse(messages_events(FULL)[:kept], named=True))
    assert b"[DONE]" not in said
    with pytest.raises(Unsayable):
        stream.end()


START, STOP = messages_events(answer(TEXT))[0], messages_events(answer(TEXT))[-1]
BLOCK: Json = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
DELTA: Json = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
CLOSE: Json = {"type": "content_block_stop", "index": 0}
END: Json = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": USAGE}


@pytest.mark.parametrize(
    "events",
    [
        [BLOCK],
        [BLOCK | {"index": 1}, DELTA | {"index": 1}, CLOSE | {"index": 1}, END, STOP],
        [STOP],
        [END],
        [START, START],
        [START, STOP],
        [START, DELTA],
        [START, CLOSE],
        [START, BLOCK, BLOCK],
        [START, BLOCK, STOP],
        [START, BLOCK, END],
        [START, BLOCK, DELTA | {"index": 1}],
        [START, BLOCK, DELTA | {"index": True}],
        [START, BLOCK, DELTA | {"delta": {"type": "thinking_delta", "thinking": "a"}}],
        [START, BLOCK, DELTA | {"delta": {"type": "text_delta"}}],
        [START, BLOCK, DELTA | {"delta": {"type": "citations_delta", "citation": {}}}],
        [START, BLOCK, CLOSE | {"index": 1}],
        [START, BLOCK | {"content_block": {"type": "server_tool_use"}}],
        [START, BLOCK | {"content_block": None}],
        [START, END, BLOCK],
        [START, END | {"delta": {"stop_reason": "pause_turn"}}],
        [{"type": "message_start", "message": {"id": 1, "model": "m"}}],
        [{"type": "message_start", "message": None}],
    ],
)
def test_a_stream_in_another_order_or_of_other_parts_is_unsayable(events: list[Json]) -> None:
    with pytest.raises(Unsayable):
        fed(Stream(ASKED), sse(events, named=True))


def test_a_first_block_begins_a_message_that_nothing_announced() -> None:
    """llama.cpp's server leaves `message_start` out where its first token is no whole character."""
    events = messages_events(answer(TEXT))
    assert events[0]["type"] == "message_start"
    said = chunks(said_of(events[1:], ASKED))
    announced = chunks(said_of(events, ASKED))
    assert [c["choices"] for c in said] == [c["choices"] for c in announced]
    assert {(c["id"], c["model"]) for c in said} == {("msg_unnamed", "m")}
    assert said[-1]["usage"]["completion_tokens"] == announced[-1]["usage"]["completion_tokens"]


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
def test_an_event_that_is_no_object_is_unsayable(data: bytes) -> None:
    with pytest.raises(Unsayable):
        Stream(PLAIN).feed(data)


def test_what_follows_the_end_is_passed_over() -> None:
    events = messages_events(answer(TEXT))
    assert said_of([*events, BLOCK, ERROR]) == said_of(events)
