"""Whole answers and errors of chat completions as Anthropic messages."""

import json
from typing import Any

import anthropic
import pytest

from policyd.translate.chat_as_messages import error, whole
from policyd.translate.loss import Unsayable

Json = dict[str, Any]

THINKS: Json = {"thinking": {"type": "adaptive"}}
USAGE: Json = {"prompt_tokens": 30, "completion_tokens": 7, "total_tokens": 37}


def answer(message: Json, finish: object = "stop", usage: object = USAGE, **more: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant"} | message, "finish_reason": finish} | more
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "tiny",
        "choices": [choice],
        "usage": usage,
    }


def call(arguments: object, name: object = "f", identity: object = "call_1") -> Json:
    return {"id": identity, "type": "function", "function": {"name": name, "arguments": arguments}}


def text(words: str) -> Json:
    return {"type": "text", "text": words}


def use(given: Json, identity: str = "call_1") -> Json:
    return {"type": "tool_use", "id": identity, "name": "f", "input": given}


def test_an_answer_is_a_message_of_the_sdk() -> None:
    said = whole(answer({"content": "hi"}), {})
    assert said == {
        "id": "chatcmpl-1",
        "type": "message",
        "role": "assistant",
        "model": "tiny",
        "content": [text("hi")],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 30,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 7,
        },
    }
    assert anthropic.types.Message.model_validate(said, strict=True).to_dict() == said


THOUGHT = {"type": "thinking", "thinking": "hm", "signature": "policyd:reasoning_content"}


@pytest.mark.parametrize(
    ("message", "content"),
    [
        ({"content": None}, []),
        ({"content": ""}, []),
        ({"content": "\n\n", "tool_calls": [call("{}")]}, [use({})]),
        ({"content": [text(" "), text("\n a")]}, [text("\n a")]),
        ({"content": [text("a"), text("b")]}, [text("a"), text("b")]),
        ({"content": "a", "reasoning_content": "hm"}, [THOUGHT, text("a")]),
        ({"content": "a", "reasoning": "hm"}, [THOUGHT | {"signature": "policyd:reasoning"}, text("a")]),
        ({"content": "a", "reasoning_content": "hm", "reasoning": "hm"}, [THOUGHT, text("a")]),
        ({"content": "a", "reasoning_content": ""}, [text("a")]),
        ({"content": None, "refusal": "no"}, [text("no")]),
        ({"content": "a", "tool_calls": [call('{"b": 1}'), call("", identity="call_2")]}, [text("a"), use({"b": 1}), use({}, "call_2")]),
        ({"content": None, "tool_calls": [call({"b": 1})]}, [use({"b": 1})]),
        ({"content": "a", "tool_calls": None}, [text("a")]),
    ],
)  # fmt: skip
def test_every_part_of_an_answer_becomes_a_block(message: Json, content: list[Json]) -> None:
    said = whole(answer(message), THINKS)
    assert said["content"] == content
    anthropic.types.Message.model_validate(said)


@pytest.mark.parametrize("asked", [{}, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "adaptive", "display": "omitted"}}, {"thinking": {"type": []}}])  # fmt: skip
def test_thinking_is_shown_to_those_who_asked_for_it(asked: Json) -> None:
    assert whole(answer({"content": "a", "reasoning_content": "hm"}), asked)["content"] == [text("a")]


@pytest.mark.parametrize(
    ("message", "finish", "more", "reason", "sequence"),
    [
        ({}, "stop", {}, "end_turn", None),
        ({}, "stop", {"stop_reason": "END"}, "stop_sequence", "END"),
        ({}, "stop", {"stop_reason": 128009}, "end_turn", None),
        ({}, "stop", {"stop_reason": None}, "end_turn", None),
        ({}, "stop", {"matched_stop": "END"}, "stop_sequence", "END"),
        ({}, "length", {}, "max_tokens", None),
        ({}, "content_filter", {}, "refusal", None),
        ({"refusal": "no"}, "stop", {}, "refusal", None),
        ({"tool_calls": [call("{}")]}, "tool_calls", {}, "tool_use", None),
        ({"tool_calls": [call("{}")]}, "stop", {}, "tool_use", None),
        ({"function_call": {"name": "f", "arguments": "{}"}}, "function_call", {}, "tool_use", None),
        ({}, "tool_calls", {}, "end_turn", None),
    ],
)
def test_why_it_ended(message: Json, finish: str, more: Json, reason: str, sequence: str | None) -> None:
    said = whole(answer({"content": "a"} | message, finish, **more), {})
    assert (said["stop_reason"], said["stop_sequence"]) == (reason, sequence)


@pytest.mark.parametrize(
    ("usage", "counts"),
    [
        (None, (0, 0, 0, 0)),
        ({}, (0, 0, 0, 0)),
        ({"prompt_tokens": 9, "completion_tokens": 2}, (9, 0, 0, 2)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4}}, (5, 0, 4, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 3}}, (2, 3, 4, 0)),
        ({"prompt_tokens": 9, "prompt_tokens_details": None}, (9, 0, 0, 0)),
        ({"prompt_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}, (0, 0, 4, 0)),
        ({"prompt_tokens": "9", "completion_tokens": -1}, (0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_tokens_of_a_cache_are_counted_apart(usage: object, counts: tuple[int, ...]) -> None:
    said = whole(answer({"content": "a"}, usage=usage), {})["usage"]
    keys = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    assert tuple(said[key] for key in keys) == counts


def test_reasoning_tokens_are_told() -> None:
    usage = USAGE | {"completion_tokens_details": {"reasoning_tokens": 5}}
    said = whole(answer({"content": "a"}, usage=usage), {})["usage"]
    assert said["output_tokens_details"] == {"thinking_tokens": 5}


def test_a_call_that_was_cut_is_empty_and_the_reason_says_so() -> None:
    said = whole(answer({"tool_calls": [call('{"a": 1}'), call('{"b"')]}, "length"), {})
    assert [block["input"] for block in said["content"]] == [{"a": 1}, {}]
    assert said["stop_reason"] == "max_tokens"


def test_calls_without_ids_get_ids_of_their_own() -> None:
    message = {"tool_calls": [call("{}", identity=None), call("{}", identity="")]}
    ids = [block["id"] for block in whole(answer(message), {})["content"]]
    again = [block["id"] for block in whole(answer(message), {})["content"]]
    other = [block["id"] for block in whole(answer(message) | {"id": "chatcmpl-2"}, {})["content"]]
    assert ids == again and len({*ids, *other}) == 4


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"message": None, "finish_reason": "stop"}]},
        answer({"content": "a"}, None),
        answer({"content": "a"}, "abort"),
        answer({"content": 5}),
        answer({"content": [{"type": "image_url"}]}),
        answer({"tool_calls": "f"}),
        answer({"tool_calls": [call("{}", name="")]}),
        answer({"tool_calls": [call("{}", name=None)]}),
        answer({"tool_calls": [None]}),
        answer({"tool_calls": [call('{"a"')]}),
        answer({"tool_calls": [call("[]")]}),
        answer({"tool_calls": [call(5)]}),
        answer({"tool_calls": [call('{"a"'), call("{}")]}, "length"),
    ],
)
def test_what_is_no_answer_is_unsayable(broken: Json) -> None:
    with pytest.raises(Unsayable):
        whole(broken, {})


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, "invalid_request_error"),
        (401, "authentication_error"),
        (402, "billing_error"),
        (403, "permission_error"),
        (404, "not_found_error"),
        (409, "invalid_request_error"),
        (413, "request_too_large"),
        (422, "invalid_request_error"),
        (429, "rate_limit_error"),
        (500, "api_error"),
        (503, "api_error"),
        (504, "timeout_error"),
        (529, "overloaded_error"),
    ],
)
def test_an_error_has_the_type_of_its_status(status: int, kind: str) -> None:
    said = error(status, b'{"error": {"message": "m", "type": "whatever"}}')
    assert said == (
        status,
        json.dumps(
            {"type": "error", "error": {"type": kind, "message": "m"}}, separators=(",", ":")
        ).encode(),
    )


def message_of(body: bytes, status: int = 400) -> str:
    said: str = json.loads(error(status, body)[1])["error"]["message"]
    return said


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"error": {"message": "m", "type": "BadRequestError", "param": null, "code": 400}}', "m"),
        (b'{"object": "error", "message": "m", "type": "BadRequestError", "code": 400}', "m"),
        (b'{"error": "m"}', "m"),
        (b'{"detail": "m"}', "m"),
        (b'{"detail": [{"msg": "m"}]}', "the model server answered 400"),
        (b'{"error": {"code": 400}}', "the model server answered 400"),
        (b"Internal Server Error\n", "Internal Server Error"),
        (b"\xff\xfe", "��"),
        (b"", "the model server answered 400"),
        (b"[]", "the model server answered 400"),
        (b"x" * 5000, "x" * 2000),
    ],
)
def test_what_went_wrong_is_told_however_the_server_says_it(body: bytes, message: str) -> None:
    assert message_of(body) == message


@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "m", "code": "context_length_exceeded"}}',
        b'{"error": {"message": "m", "type": "exceed_context_size_error", "code": 400}}',
        b'{"object": "error", "message": "This model\'s maximum context length is 4096 tokens."}',
        b'{"error": {"message": "the request exceeds the available context size"}}',
    ],
)
def test_a_prompt_that_is_too_long_is_told_as_clients_know_it(body: bytes) -> None:
    assert message_of(body).startswith("prompt is too long: ")
