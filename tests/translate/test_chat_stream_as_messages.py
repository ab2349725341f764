"""Streams of chat completions as streams of Anthropic messages, read back by the official SDK's accumulator."""

from itertools import pairwise
from typing import Any

import anthropic
import httpx2
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyd.translate.chat_as_messages import whole
from policyd.translate.chat_stream_as_messages import Stream
from policyd.translate.loss import Unsayable
from policyd.translate.sse import Events, object_of

from .requests import JSON, WORDS
from .streams import chat_events, fed, sse

Json = dict[str, Any]

THINKS: Json = {"thinking": {"type": "adaptive"}, "stream": True}
USAGE: Json = {
    "prompt_tokens": 30,
    "completion_tokens": 7,
    "total_tokens": 37,
    "prompt_tokens_details": {"cached_tokens": 10},
}


def answer(message: Json, finish: str = "stop") -> Json:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish}
    return {"id": "chatcmpl-1", "created": 1, "model": "tiny", "choices": [choice], "usage": USAGE}


def call(index: int, arguments: str = "{}") -> Json:
    return {"id": f"call_{index}", "type": "function", "function": {"name": "f", "arguments": arguments}}


def chunk(finish: str | None = None, **delta: Any) -> Json:
    return {
        "id": "chatcmpl-1",
        "model": "tiny",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def piece(arguments: str | None, index: int | None = 0, identity: str | None = None, name: str | None = None) -> Json:  # fmt: skip
    """A delta of one call; what is None is left out."""
    function = {key: v for key, v in (("name", name), ("arguments", arguments)) if v is not None}
    out = {key: v for key, v in (("index", index), ("id", identity)) if v is not None}
    return chunk(tool_calls=[out | {"function": function}])


class _Server:
    """What the one client of this module gets as its next answer."""

    body = b""

    def answer(self, _: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, content=self.body, headers={"content-type": "text/event-stream"})


SERVER = _Server()
CLIENT = anthropic.Anthropic(
    api_key="none",
    base_url="http://127.0.0.1:1",
    http_client=httpx2.Client(transport=httpx2.MockTransport(SERVER.answer)),
)


def accumulated(body: bytes) -> Json:
    """The message that the official SDK makes of this stream."""
    SERVER.body = body
    with CLIENT.messages.stream(
        model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
    ) as stream:
        said = stream.get_final_message().to_dict()
    assert said.pop("stop_details", None) is None
    return said


def events(body: bytes) -> list[Json]:
    return [object_of(event.data) for event in Events().feed(body)]


def inputs(*chunks: Json, asked: Json = THINKS) -> list[tuple[str, Any]]:
    """Id and arguments of each call that these chunks make."""
    body = fed(Stream(asked), sse([*chunks, chunk("tool_calls")], done=True))
    return [(b["id"], b["input"]) for b in accumulated(body)["content"] if b["type"] == "tool_use"]


ARGUMENTS = st.dictionaries(WORDS, JSON, max_size=3)
MESSAGE = st.builds(
    lambda words, thought, given: {
        "content": words,
        "reasoning_content": thought,
        "tool_calls": [call(i, orjson.dumps(a).decode()) for i, a in enumerate(given)],
    },
    WORDS | st.just(""),
    WORDS | st.just(""),
    st.lists(ARGUMENTS, max_size=3),
)
CUTS = st.lists(st.integers(0, 400), max_size=8)


@given(MESSAGE, CUTS, st.booleans())
def test_a_stream_adds_up_to_the_whole_answer_however_it_is_cut(
    message: Json, cuts: list[int], done: bool
) -> None:
    said = answer(message, "tool_calls" if message["tool_calls"] else "stop")
    stream = sse(chat_events(said), done=done)
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    pieces = [stream[a:b] for a, b in pairwise(places)]
    body = fed(Stream(THINKS), *pieces)
    assert body == fed(Stream(THINKS), stream)
    assert accumulated(body) == whole(said, THINKS)


@given(MESSAGE)
def test_byte_by_byte_gives_the_same(message: Json) -> None:
    stream = sse(chat_events(answer(message, "length")), done=True)
    single = fed(Stream(THINKS), *(stream[at : at + 1] for at in range(len(stream))))
    assert single == fed(Stream(THINKS), stream)


@given(MESSAGE, st.integers(1, 10_000))
def test_a_stream_that_is_cut_anywhere_before_its_end_never_ends(message: Json, at: int) -> None:
    """Users of other gateways got a truncated answer that ended as a clean one."""
    parts = chat_events(answer(message, "tool_calls" if message["tool_calls"] else "stop"), usage=False)
    stream = sse(parts[:-1])
    part = Stream(THINKS)
    out = part.feed(stream[: at % (len(stream) + 1)])
    with pytest.raises(Unsayable):
        part.end()
    assert b"message_stop" not in out and b"message_delta" not in out


def test_blocks_come_one_after_the_other() -> None:
    message = {"content": "a b", "reasoning_content": "hm", "tool_calls": [call(0), call(1)]}
    said = events(fed(Stream(THINKS), sse(chat_events(answer(message, "tool_calls")), done=True)))
    assert [e["type"] for e in said if e["type"] != "content_block_delta"] == [
        "message_start",
        *["content_block_start", "content_block_stop"] * 4,
        "message_delta",
        "message_stop",
    ]
    starts = [(e["index"], e["content_block"]["type"]) for e in said if e["type"] == "content_block_start"]
    assert starts == [(0, "thinking"), (1, "text"), (2, "tool_use"), (3, "tool_use")]


def test_words_are_told_when_they_come() -> None:
    stream = Stream(THINKS)
    assert b"message_start" in stream.feed(sse([chunk(role="assistant", content="")]))
    assert b'"text":"one"' in stream.feed(sse([chunk(content="one")]))
    assert b'"text":"two"' in stream.feed(sse([chunk(content="two")]))
    assert b'"f"' in stream.feed(sse([piece("", 0, "c", "f")]))
    assert b'"partial_json":"{\\"a\\""' in stream.feed(sse([piece('{"a"')]))
    assert stream.feed(b": a comment keeps the connection alive\n\n") == b""


INTERLEAVED = [piece("", 0, "a", "f"), piece("", 1, "b", "f"), piece('{"x"', 0), piece('{"y"', 1), piece(": 1}", 0), piece(": 2}", 1)]  # fmt: skip


@pytest.mark.parametrize(
    ("chunks", "calls"),
    [
        ([piece("", 0, "a", "f"), piece('{"x": 1}')], [("a", {"x": 1})]),
        ([piece('{"x": 1}', 0, "a", "f"), piece('{"y": 2}', 1, "b", "f")], [("a", {"x": 1}), ("b", {"y": 2})]),
        (INTERLEAVED, [("a", {"x": 1}), ("b", {"y": 2})]),
        ([piece("", 0, "a", "f"), piece("", 1, "b", "f")], [("a", {}), ("b", {})]),
        ([piece('{"x": 1}', 0, "a", "f"), piece('{"y": 2}', 0, "b", "f")], [("a", {"x": 1}), ("b", {"y": 2})]),
        ([piece('{"x": 1}', None, "a", "f"), piece('{"y": 2}', None, "b", "f")], [("a", {"x": 1}), ("b", {"y": 2})]),
        ([piece('{"x"', 0, "a", "f"), piece(": 1}", 0, "a", "f")], [("a", {"x": 1})]),
        ([piece(None, 0, "a", "f")], [("a", {})]),
        ([piece('{"x": 1}', 0, "a", "f"), chunk(content="and")], [("a", {"x": 1})]),
    ],
    ids=["in pieces", "one after the other", "interleaved", "without arguments", "one index for all", "no index", "name again", "no arguments at all", "then text"],
)  # fmt: skip
def test_calls_are_told_apart_as_servers_do_it(chunks: list[Json], calls: list[tuple[str, Any]]) -> None:
    assert inputs(*chunks) == calls


@pytest.mark.parametrize(
    ("chunks", "content"),
    [
        ([chunk(content="\n"), chunk(content="\n"), piece("{}", 0, "a", "f")], ["tool_use"]),
        ([chunk(content=" "), chunk(content="\n"), chunk(content="a "), chunk(content=" ")], [" \na  "]),
        ([chunk(reasoning_content="hm"), chunk(content="\n\n"), chunk(content="a")], ["thinking", "\n\na"]),
        ([chunk(content="\n"), chunk(reasoning_content="hm"), chunk(content="a")], ["thinking", "a"]),
        ([chunk(content="\n")], []),
    ],
)
def test_white_space_waits_for_words(chunks: list[Json], content: list[str]) -> None:
    said = accumulated(fed(Stream(THINKS), sse([*chunks, chunk("stop")], done=True)))["content"]
    assert [block.get("text", block["type"]) for block in said] == content


def test_a_finish_reason_without_words_is_none_yet() -> None:
    chunks = [chunk("", content="a"), chunk("", content="b"), chunk("stop")]
    assert accumulated(fed(Stream(THINKS), sse(chunks)))["content"][0]["text"] == "ab"
    with pytest.raises(Unsayable):
        fed(Stream(THINKS), sse(chunks[:2]))


def test_a_first_chunk_without_a_choice_does_not_begin_the_message() -> None:
    """It says what a filter found, under no id and no model."""
    filters = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "prompt_filter_results": []}
    said = fed(Stream(THINKS), sse([filters, chunk(content="a"), chunk("stop")]))
    assert said == fed(Stream(THINKS), sse([chunk(content="a"), chunk("stop")]))


def test_words_may_come_in_parts_and_a_usage_beside_no_choices() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    chunks = [chunk(content=parts), chunk("stop"), {"choices": None, "usage": USAGE}]
    said = accumulated(fed(Stream(THINKS), sse(chunks, done=True)))
    assert [block["text"] for block in said["content"]] == ["ab"]
    assert said["usage"]["output_tokens"] == USAGE["completion_tokens"]


def test_a_call_behind_another_waits_for_its_turn() -> None:
    stream = Stream(THINKS)
    out = stream.feed(sse(INTERLEAVED[:4]))
    assert b'"id":"a"' in out and b'"id":"b"' not in out
    assert b'"id":"b"' in stream.feed(sse(INTERLEAVED[4:5]))


def test_thinking_is_shown_to_those_who_asked_for_it() -> None:
    said = answer({"content": "a", "reasoning_content": "hm"})
    body = fed(Stream({"stream": True}), sse(chat_events(said), done=True))
    assert accumulated(body)["content"] == [{"type": "text", "text": "a"}]


@pytest.mark.parametrize(
    ("finish", "more", "reason"),
    [("stop", {"stop_reason": "END"}, ("stop_sequence", "END")), ("length", {}, ("max_tokens", None)),
     ("content_filter", {}, ("refusal", None)), ("tool_calls", {}, ("end_turn", None))],
)  # fmt: skip
def test_why_it_ended(finish: str, more: Json, reason: tuple[str, str | None]) -> None:
    last = chunk(finish)
    last["choices"][0] |= more
    said = accumulated(fed(Stream(THINKS), sse([chunk(content="a"), last], done=True)))
    assert (said["stop_reason"], said["stop_sequence"]) == reason


def test_a_call_that_reaches_the_limit_is_told_as_far_as_it_came() -> None:
    chunks = [piece('{"x": 1, "y', 0, "a", "f"), chunk("length")]
    said = accumulated(fed(Stream(THINKS), sse(chunks, done=True)))
    assert said["stop_reason"] == "max_tokens" and said["content"][0]["input"] == {"x": 1}


@pytest.mark.parametrize("extra", [b"", b"data: [DONE]", b"data: [DONE]\n", b": bye\n\n", b"event: ping\ndata: {}\n\n"])  # fmt: skip
def test_an_answer_that_said_that_it_ended_may_leave_out_the_last_event(extra: bytes) -> None:
    body = fed(Stream(THINKS), sse(chat_events(answer({"content": "a"}))) + extra)
    assert accumulated(body)["stop_reason"] == "end_turn"


ERROR: Json = {"error": {"message": "out of memory", "type": "internal", "code": 503}}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ERROR, "api_error"),
        ({"error": "out of memory"}, "api_error"),
        ({"object": "error", "message": "out of memory", "code": 429}, "rate_limit_error"),
    ],
)
def test_an_error_inside_a_stream_is_its_last_event(error: Json, kind: str) -> None:
    stream = Stream(THINKS)
    stream.feed(sse([chunk(content="a")]))
    (said,) = events(stream.feed(sse([error, chunk(content="b"), chunk("stop")], done=True)))
    assert said == {"type": "error", "error": {"type": kind, "message": "out of memory"}}
    assert stream.end() == b""


def test_a_stream_that_begins_with_an_error_says_nothing() -> None:
    with pytest.raises(Unsayable):
        Stream(THINKS).feed(sse([ERROR]))


@pytest.mark.parametrize(
    "chunks",
    [
        [chunk(content="a"), {"choices": None}],
        [chunk(content="a"), {}],
        [chunk(content=["a"])],
        [chunk(content=[{"type": "image", "text": "a"}])],
        [chunk(tool_calls="f")],
        [chunk(tool_calls=["f"])],
        [chunk("stop"), chunk(content="a")],
        [chunk("stop"), piece("{}", 0, "a", "f")],
        [piece('{"a"', 0, "a", "f"), chunk("tool_calls")],
        [piece("[]", 0, "a", "f"), chunk("tool_calls")],
        [piece('{"a"', 0, "a", "f"), piece("{}", 1, "b", "f"), chunk("length")],
        [piece("{}", 0, "a"), chunk("tool_calls")],
        [piece('{"a"', 0, "a", "f"), chunk(content="b"), piece(": 1}", 0), chunk("tool_calls")],
        [chunk(content="a"), chunk("abort")],
        [chunk(content="a")],
        [],
    ],
)
@pytest.mark.parametrize("done", [True, False], ids=["done", "closed"])
def test_a_stream_that_makes_no_sense_is_unsayable(chunks: list[Json], done: bool) -> None:
    with pytest.raises(Unsayable):
        fed(Stream(THINKS), sse(chunks, done=done))


@pytest.mark.parametrize("data", [b"data: {\n\n", b"data: []\n\n", b"data: \xff\n\n"])
def test_an_event_that_is_no_object_is_unsayable(data: bytes) -> None:
    with pytest.raises(Unsayable):
        Stream(THINKS).feed(data)


def test_of_two_large_calls_that_come_mixed_the_first_passes_piece_by_piece() -> None:
    many = [piece('{"x": "' + "y" * 20, 0, "a", "f"), piece("{", 1, "b", "f")]
    many += [piece("z" * 20, at % 2) for at in range(4_000)]
    stream = Stream(THINKS)
    out = b"".join(stream.feed(sse([one])) for one in many)
    assert out.count(b"input_json_delta") == 2_001
