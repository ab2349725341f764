"""Answers said in another dialect: a streamed one adds up to the whole one, and how its bytes are cut changes nothing."""

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.translate import (
    chat_as_responses,
    chat_stream_as_responses,
    messages_as_chat,
    messages_stream_as_chat,
)
from policyd.translate.loss import Unsayable

from .requests import JSON, NAMES, OBJECTS, WORDS
from .streams import chat_events, fed, messages_events, sse

Json = dict[str, Any]

COUNTS = st.integers(0, 2**40)


def some(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({}, optional=keys)


BLOCKS = (
    st.builds(lambda words: {"type": "text", "text": words}, WORDS)
    | st.builds(lambda words, sign: {"type": "thinking", "thinking": words, "signature": sign}, WORDS, WORDS)
    | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS)
    | st.builds(
        lambda name, given, number: {
            "type": "tool_use",
            "id": f"toolu_{number}",
            "name": name,
            "input": given,
        },
        NAMES,
        OBJECTS,
        COUNTS,
    )
)
STOPS = st.sampled_from(
    ["end_turn", "stop_sequence", "tool_use", "max_tokens", "model_context_window_exceeded", "refusal"]
)
MESSAGES_ANSWERS = st.builds(
    lambda blocks, reason, usage: {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": blocks,
        "stop_reason": reason,
        "usage": usage,
    },
    st.lists(BLOCKS, max_size=4),
    STOPS,
    st.fixed_dictionaries(
        {"input_tokens": COUNTS, "output_tokens": COUNTS},
        optional={
            "cache_read_input_tokens": COUNTS | st.none(),
            "cache_creation_input_tokens": COUNTS,
            "output_tokens_details": st.fixed_dictionaries({"thinking_tokens": COUNTS}),
        },
    ),
)

CALLS = st.builds(
    lambda name, given, number: {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": name, "arguments": orjson.dumps(given).decode()},
    },
    NAMES | st.just("web__look"),
    OBJECTS,
    COUNTS,
) | st.builds(
    lambda name, words, number: {
        "id": f"call_{number}",
        "type": "custom",
        "custom": {"name": name, "input": words},
    },
    NAMES,
    WORDS,
    COUNTS,
)
CHAT_ANSWERS = st.builds(
    lambda message, calls, finish, usage: {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": None}
                | message
                | ({"tool_calls": calls} if calls else {}),
                "finish_reason": finish,
            }
        ],
        "usage": usage,
    },
    some(content=WORDS | st.just(""), reasoning_content=WORDS, refusal=WORDS),
    st.lists(CALLS, max_size=3),
    st.sampled_from(["stop", "tool_calls", "length", "content_filter"]),
    st.fixed_dictionaries(
        {"prompt_tokens": COUNTS, "completion_tokens": COUNTS},
        optional={
            "prompt_tokens_details": some(cached_tokens=COUNTS),
            "completion_tokens_details": st.none(),
        },
    ),
)

ASKED_CHAT: Json = {"model": "m", "messages": [], "stream": True, "stream_options": {"include_usage": True}}
ASKED_RESPONSES: Json = {
    "model": "m",
    "input": "hi",
    "store": False,
    "tools": [
        {
            "type": "namespace",
            "name": "web",
            "description": "",
            "tools": [{"type": "function", "name": "look"}],
        }
    ],
}


def accumulated(said: bytes) -> Json:
    """What a client makes of chunks: the texts put together, each call and each block of thinking at its index."""
    *chunks, done, end = said.split(b"\n\n")
    assert (done, end) == (b"data: [DONE]", b"")
    message: Json = {"role": "assistant", "content": "", "refusal": None}
    calls: dict[int, Json] = {}
    out: Json = {}
    finish = None
    for chunk in map(orjson.loads, (chunk.removeprefix(b"data: ") for chunk in chunks)):
        out = {key: chunk[key] for key in ("id", "created", "model")} | (
            {"usage": chunk["usage"]} if "usage" in chunk else {}
        )
        for choice in chunk["choices"]:
            assert finish is None
            finish = choice["finish_reason"]
            for key, value in choice["delta"].items():
                if key in {"content", "reasoning_content", "refusal"}:
                    message[key] = (message.get(key) or "") + value
                elif key == "reasoning_details":
                    message.setdefault(key, []).extend(value)
                elif key == "tool_calls":
                    for call in value:
                        known = calls.setdefault(call["index"], {"function": {"arguments": ""}})
                        written = known["function"]["arguments"] + call["function"]["arguments"]
                        known |= {k: call[k] for k in ("id", "type") if k in call}
                        known["function"] |= call["function"] | {"arguments": written}
    if calls:
        message["tool_calls"] = [calls[index] for index in sorted(calls)]
    return out | {"message": message, "finish": finish}


@given(MESSAGES_ANSWERS)
def test_chunks_add_up_to_the_whole_chat_completion(answer: Json) -> None:
    read = accumulated(
        fed(messages_stream_as_chat.Stream(ASKED_CHAT), sse(messages_events(answer), named=True))
    )
    whole = messages_as_chat.whole(answer, ASKED_CHAT)
    message = whole["choices"][0]["message"] | {"content": whole["choices"][0]["message"]["content"] or ""}
    assert read["message"] == message
    assert read["finish"] == whole["choices"][0]["finish_reason"]
    assert {key: read[key] for key in ("id", "created", "model", "usage")} == {
        key: whole[key] for key in ("id", "created", "model", "usage")
    }


@given(CHAT_ANSWERS)
def test_the_events_of_a_response_end_with_the_whole_response(answer: Json) -> None:
    said = fed(chat_stream_as_responses.Stream(ASKED_RESPONSES), sse(chat_events(answer), done=True))
    events = [orjson.loads(event.split(b"\ndata: ")[1]) for event in said.split(b"\n\n")[:-1]]
    whole = chat_as_responses.whole(answer, ASKED_RESPONSES)
    assert events[-1]["response"] == whole
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["item"] for event in events if event["type"] == "response.output_item.done"] == whole[
        "output"
    ]
    for item in whole["output"]:
        deltas = [
            e["delta"] for e in events if e.get("item_id") == item["id"] and e["type"].endswith(".delta")
        ]
        parts = item.get("content") or [{"text": item.get("arguments", item.get("input"))}]
        assert "".join(deltas) == "".join(part.get("text", part.get("refusal")) for part in parts)


def cut(stream: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


PLACES = st.lists(st.integers(0, 2**16), max_size=12)


@given(MESSAGES_ANSWERS, PLACES)
def test_how_a_stream_of_messages_is_cut_changes_nothing(answer: Json, places: list[int]) -> None:
    stream = sse(messages_events(answer), named=True)
    whole = fed(messages_stream_as_chat.Stream(ASKED_CHAT), stream)
    assert fed(messages_stream_as_chat.Stream(ASKED_CHAT), *cut(stream, places)) == whole


@given(CHAT_ANSWERS, PLACES)
def test_how_a_stream_of_chat_is_cut_changes_nothing(answer: Json, places: list[int]) -> None:
    stream = sse(chat_events(answer), done=True)
    whole = fed(chat_stream_as_responses.Stream(ASKED_RESPONSES), stream)
    assert fed(chat_stream_as_responses.Stream(ASKED_RESPONSES), *cut(stream, places)) == whole


KEYS = st.sampled_from(
    ["type", "index", "delta", "content_block", "message", "usage", "choices", "error", "id", "model"]
)
WILD = st.recursive(
    JSON, lambda inner: st.dictionaries(KEYS, inner, max_size=3) | st.lists(inner, max_size=2), max_leaves=8
)


@pytest.mark.parametrize("kind", ["messages", "chat"])
@given(st.data())
def test_an_altered_stream_is_said_or_unsayable_and_never_raises_anything_else(
    kind: str, data: st.DataObject
) -> None:
    if kind == "messages":
        stream: Any = messages_stream_as_chat.Stream(ASKED_CHAT)
        events = messages_events(data.draw(MESSAGES_ANSWERS))
    else:
        stream = chat_stream_as_responses.Stream(ASKED_RESPONSES)
        events = chat_events(data.draw(CHAT_ANSWERS))
    place = data.draw(st.integers(0, len(events) - 1))
    target: Json = events[place]
    while data.draw(st.booleans()):
        inner = [value for value in target.values() if isinstance(value, dict)]
        inner += [
            value[0]
            for value in target.values()
            if isinstance(value, list) and value and isinstance(value[0], dict)
        ]
        if not inner:
            break
        target = data.draw(st.sampled_from(inner))
    key = data.draw(st.sampled_from(sorted(target) or ["type"]))
    target[key] = data.draw(WILD)
    try:
        said = fed(stream, sse(events))
    except Unsayable:
        return
    assert said.endswith(b"\n\n")


@given(MESSAGES_ANSWERS, st.data())
def test_an_altered_whole_answer_of_messages_is_said_or_unsayable(answer: Json, data: st.DataObject) -> None:
    answer[data.draw(st.sampled_from(sorted(answer)))] = data.draw(WILD)
    try:
        assert isinstance(messages_as_chat.whole(answer, ASKED_CHAT), dict)
    except Unsayable:
        return


@given(CHAT_ANSWERS, st.data())
def test_an_altered_whole_answer_of_chat_is_said_or_unsayable(answer: Json, data: st.DataObject) -> None:
    target = data.draw(st.sampled_from([answer, answer["choices"][0], answer["choices"][0]["message"]]))
    target[data.draw(st.sampled_from(sorted(target)))] = data.draw(WILD)
    try:
        assert isinstance(chat_as_responses.whole(answer, ASKED_RESPONSES), dict)
    except Unsayable:
        return


@given(
    st.binary() | JSON.map(orjson.dumps) | st.dictionaries(st.just("error"), JSON).map(orjson.dumps),
    st.integers(400, 599),
)
def test_every_error_is_said_in_the_shape_of_openai(body: bytes, status: int) -> None:
    for error in (messages_as_chat.error, chat_as_responses.error):
        said, told = error(status, body)
        assert 400 <= said < 600
        parsed = orjson.loads(told)["error"]
        assert set(parsed) == {"message", "type", "param", "code"}
        assert isinstance(parsed["message"], str)
        assert isinstance(parsed["type"], str)
