"""A stream of chat completions said as the events of a response, and read by the official accumulator."""

from typing import Any

import orjson
import pytest

from policyd.translate.chat_as_responses import whole
from policyd.translate.chat_stream_as_responses import Stream
from policyd.translate.loss import Unsayable

from .streams import chat_events, fed, sdk, sse
from .test_chat_as_responses import ASKED, LOOK, MESSAGE, PATCH, answer

Json = dict[str, Any]

FULL = answer("tool_calls", **MESSAGE)


def events(said: bytes) -> list[Json]:
    """Every event; its name and its type are the same, and they are numbered."""
    out = []
    for number, event in enumerate(said.split(b"\n\n")[:-1]):
        name, data = event.split(b"\n")
        value = orjson.loads(data.removeprefix(b"data: "))
        assert name == b"event: " + value["type"].encode()
        assert value["sequence_number"] == number
        out.append(value)
    return out


def said_of(answer: Json, **keys: Any) -> list[Json]:
    return events(fed(Stream(ASKED), sse(chat_events(answer), done=True, **keys)))


def test_a_stream_is_said_event_by_event() -> None:
    said = said_of(FULL)
    assert [event["type"].removeprefix("response.") for event in said] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "reasoning_text.delta",
        "reasoning_text.delta",
        "reasoning_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "output_item.added",
        "custom_tool_call_input.delta",
        "custom_tool_call_input.delta",
        "function_call_arguments.done",
        "output_item.done",
        "custom_tool_call_input.done",
        "output_item.done",
        "completed",
    ]
    assert [event["delta"] for event in said if event["type"] == "response.output_text.delta"] == [
        "he",
        "llo",
    ]
    assert [event["output_index"] for event in said if event["type"] == "response.output_item.done"] == [
        0,
        1,
        2,
        3,
    ]


def test_the_last_event_holds_what_the_whole_response_would_be() -> None:
    assert said_of(FULL)[-1]["response"] == whole(FULL, ASKED)


def test_each_item_is_added_and_done_under_one_id() -> None:
    said = said_of(FULL)
    added = [event["item"]["id"] for event in said if event["type"] == "response.output_item.added"]
    done = [event["item"]["id"] for event in said if event["type"] == "response.output_item.done"]
    assert added == done
    assert {event["item_id"] for event in said if "item_id" in event} == set(added)


def test_the_official_accumulator_reads_it() -> None:
    client = sdk(fed(Stream(ASKED), sse(chat_events(FULL), done=True)))
    with client.responses.stream(model="m", input="hi") as stream:
        seen = list(stream)
        final = stream.get_final_response()
    snapshots = [event.snapshot for event in seen if event.type == "response.output_text.delta"]
    assert snapshots == ["he", "hello"]
    assert final.output_text == "hello"
    read = (
        orjson.dumps(final.to_dict()["output"])
        .replace(b',"parsed":null', b"")
        .replace(b',"parsed_arguments":null', b"")
    )
    assert orjson.loads(read) == whole(FULL, ASKED)["output"]
    assert final.usage is not None
    assert final.usage.total_tokens == 25


@pytest.mark.parametrize(
    ("finish", "event"),
    [
        ("length", "response.incomplete"),
        ("content_filter", "response.incomplete"),
        ("stop", "response.completed"),
    ],
)
def test_the_last_event_says_how_the_response_ended(finish: str, event: str) -> None:
    last = said_of(answer(finish))[-1]
    assert (last["type"], last["response"]) == (event, whole(answer(finish), ASKED))


def test_words_after_a_call_are_another_message_in_their_place() -> None:
    chunks = chat_events(answer("tool_calls", tool_calls=[LOOK]))
    late = chunks[1] | {"choices": [{"index": 0, "delta": {"content": " you"}, "finish_reason": None}]}
    output = events(fed(Stream(ASKED), sse([*chunks[:-2], late, *chunks[-2:]])))[-1]["response"]["output"]
    assert [item["type"] for item in output] == ["message", "function_call", "message"]


def test_pieces_of_two_calls_may_come_in_turns() -> None:
    chunks = chat_events(answer("tool_calls", content=None, tool_calls=[LOOK, LOOK | {"id": "call_2"}]))
    pieces = [chunks[0], chunks[1], chunks[4], chunks[2], chunks[5], chunks[3], chunks[6], *chunks[7:]]
    output = events(fed(Stream(ASKED), sse(pieces)))[-1]["response"]["output"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [
        ("call_1", '{"a": 1}'),
        ("call_2", '{"a": 1}'),
    ]


def test_calls_without_numbers_begin_with_their_ids() -> None:
    chunks = chat_events(answer("tool_calls", content=None, tool_calls=[LOOK, PATCH]))
    for chunk in chunks:
        for choice in chunk["choices"]:
            for call in choice["delta"].get("tool_calls", []):
                del call["index"]
    output = events(fed(Stream(ASKED), sse(chunks)))[-1]["response"]["output"]
    assert [item["call_id"] for item in output] == ["call_1", "call_2"]


@pytest.mark.parametrize("index", [{"index": 0}, {}], ids=["one number for all", "no number"])
def test_calls_with_ids_of_their_own_are_calls_of_their_own(index: Json) -> None:
    """Some servers give every call the number 0, and some repeat a call's id in each of its pieces."""
    other = LOOK | {"id": "call_2"}
    more = {"id": "call_2", "function": {"arguments": ""}}
    pieces = [delta(tool_calls=[call | index]) for call in (LOOK, other, more)]
    finish = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    output = events(fed(Stream(ASKED), sse([*pieces, finish])))[-1]["response"]["output"]
    arguments = LOOK["function"]["arguments"]
    assert [(item["call_id"], item["arguments"]) for item in output] == [("call_1", arguments), ("call_2", arguments)]  # fmt: skip


def test_a_refusal_has_its_own_events() -> None:
    said = said_of(answer("stop", content="so", refusal="no"))
    assert [event["refusal"] for event in said if event["type"] == "response.refusal.done"] == ["no"]
    assert said[-1]["response"] == whole(answer("stop", content="so", refusal="no"), ASKED)


def test_a_first_chunk_without_a_choice_does_not_begin_the_response() -> None:
    filters = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    assert (
        events(fed(Stream(ASKED), sse([filters, *chat_events(answer())])))[0]["response"]["id"]
        == "resp_chatcmpl-1"
    )


def test_what_servers_say_in_other_ways_is_understood() -> None:
    chunks = chat_events(answer())
    plain = fed(Stream(ASKED), sse(chunks))
    del chunks[-1]["choices"]
    for chunk in chunks[:-2]:
        chunk["choices"][0]["finish_reason"] = ""
    chunks[-2]["choices"][0]["delta"] = None
    assert fed(Stream(ASKED), b": keep-alive\n\nevent: ping\ndata: {}\n\n" + sse(chunks) + b"data:  [DONE] \n\n") == plain  # fmt: skip


def test_arguments_that_are_an_object_are_written_as_json() -> None:
    function = LOOK["function"] | {"arguments": {"a": 1}}
    call = LOOK | {"function": function}
    finish = END | {"choices": [END["choices"][0] | {"finish_reason": "tool_calls"}]}
    (item,) = events(fed(Stream(ASKED), sse([delta(tool_calls=[call]), finish])))[-1]["response"]["output"]
    assert item["arguments"] == '{"a":1}'
    (item,) = whole(answer("tool_calls", content=None, tool_calls=[call]), ASKED)["output"]
    assert item["arguments"] == '{"a":1}'


def test_a_server_that_never_says_done_is_complete_once_it_said_why_it_ended() -> None:
    stream = Stream(ASKED)
    said = stream.feed(sse(chat_events(answer(), usage=False)))
    assert b"response.completed" not in said
    assert events(said + stream.end())[-1]["type"] == "response.completed"


@pytest.mark.parametrize("kept", range(len(chat_events(FULL)) - 1))
def test_a_stream_that_is_cut_never_ends_cleanly(kept: int) -> None:
    stream = Stream(ASKED)
    said = stream.feed(sse(chat_events(FULL)[:kept]))
    assert b"response.completed" not in said
    with pytest.raises(Unsayable):
        stream.end()
    with pytest.raises(Unsayable):
        stream.feed(b"data: [DONE]\n\n")


ERROR: Json = {"error": {"message": "no room", "type": "server_error", "code": 500}}


def test_an_error_before_anything_was_said_is_unsayable_so_that_another_target_may_answer() -> None:
    with pytest.raises(Unsayable):
        Stream(ASKED).feed(sse([ERROR]))


@pytest.mark.parametrize(
    ("told", "code"),
    [
        (ERROR, "server_error"),
        ({"error": {"message": "no room", "code": "rate_limit_exceeded"}}, "rate_limit_exceeded"),
        ({"error": {"message": "no room", "type": "exceed_context_size_error"}}, "context_length_exceeded"),
        ({"error": "no room"}, "server_error"),
    ],
)
def test_an_error_inside_a_stream_is_told_and_never_a_clean_end(told: Json, code: str) -> None:
    said = events(fed(Stream(ASKED), sse([*chat_events(FULL)[:3], told, *chat_events(FULL)[3:]], done=True)))
    assert said[-1]["type"] == "response.failed"
    assert said[-1]["response"]["status"] == "failed"
    assert said[-1]["response"]["error"] == {"code": code, "message": "no room"}


def test_the_official_accumulator_finds_no_final_response_in_a_failed_stream() -> None:
    client = sdk(fed(Stream(ASKED), sse([*chat_events(FULL)[:5], ERROR])))
    with client.responses.stream(model="m", input="hi") as stream:
        assert [event.type for event in stream][-1] == "response.failed"
        with pytest.raises(RuntimeError):
            stream.get_final_response()


def delta(**keys: Any) -> Json:
    return {"id": "c", "model": "m", "choices": [{"index": 0, "delta": keys, "finish_reason": None}]}


END: Json = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}


@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content=["a"])],
        [delta(content=1)],
        [delta(function_call={"name": "f"})],
        [delta(audio={"data": "x"})],
        [delta(annotations=[{"type": "url_citation"}])],
        [delta(tool_calls="a")],
        [delta(tool_calls=["a"])],
        [delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}])],
        [delta(tool_calls=[{"id": "c"}])],
        [delta(tool_calls=[LOOK | {"index": "0"}])],
        [
            delta(tool_calls=[LOOK | {"index": 0}]),
            delta(tool_calls=[{"index": 0, "function": {"arguments": 1}}]),
        ],
        [
            delta(tool_calls=[LOOK | {"index": 0}]),
            delta(content="a"),
            delta(tool_calls=[{"index": 0, "function": {"arguments": "{}"}}]),
        ],
        [END, delta(content="a")],
        [END, delta(tool_calls=[LOOK | {"index": 0}])],
        [{"choices": [{"index": 0, "delta": "a"}]}],
        [{"choices": [{"index": 0, "delta": {}, "finish_reason": "else"}]}],
        [{"choices": END["choices"] * 2}],
        [{"object": "error", "message": "no"}],
    ],
)
def test_a_stream_in_another_order_or_of_other_parts_is_unsayable(chunks: list[Json]) -> None:
    with pytest.raises(Unsayable):
        fed(Stream(ASKED), sse(chunks))


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
def test_an_event_that_is_no_object_is_unsayable(data: bytes) -> None:
    with pytest.raises(Unsayable):
        Stream(ASKED).feed(data)


def test_what_follows_the_end_is_passed_over() -> None:
    stream = sse(chat_events(answer()), done=True)
    assert fed(Stream(ASKED), stream + sse([delta(content="a"), ERROR])) == fed(Stream(ASKED), stream)
