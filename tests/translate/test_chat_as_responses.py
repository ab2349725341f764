"""An answer of chat completions said as a response: whole, and as an error."""

from typing import Any

import orjson
import pytest
from openai import APIStatusError

from policyd.translate.chat_as_responses import error, whole
from policyd.translate.loss import Unsayable

from .streams import sdk

Json = dict[str, Any]

USAGE: Json = {
    "prompt_tokens": 18,
    "completion_tokens": 7,
    "total_tokens": 25,
    "prompt_tokens_details": {"cached_tokens": 5},
    "completion_tokens_details": {"reasoning_tokens": 4},
}
GROUP: Json = {
    "type": "namespace",
    "name": "web",
    "description": "",
    "tools": [{"type": "function", "name": "look"}],
}
ASKED: Json = {
    "model": "m",
    "input": "hi",
    "store": False,
    "instructions": "be kind",
    "metadata": {"a": "b"},
    "tools": [GROUP, {"type": "custom", "name": "patch"}],
    "text": {"verbosity": "low"},
}
LOOK: Json = {"id": "call_1", "type": "function", "function": {"name": "web__look", "arguments": '{"a": 1}'}}
PATCH: Json = {"id": "call_2", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}
MESSAGE: Json = {
    "role": "assistant",
    "content": "hello",
    "reasoning_content": "hm",
    "tool_calls": [LOOK, PATCH],
}


def answer(finish: object = "stop", /, **message: Any) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": "tiny",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "hello"} | message,
                "finish_reason": finish,
            }
        ],
        "usage": USAGE,
    }


def test_the_official_parser_reads_a_whole_response() -> None:
    body = orjson.dumps(whole(answer("tool_calls", **MESSAGE), ASKED))
    read = sdk(body, content_type="application/json").responses.create(model="m", input="hi")
    assert (read.id, read.status, read.model, read.created_at) == (
        "resp_chatcmpl-1",
        "completed",
        "tiny",
        1_700_000_000,
    )
    assert read.output_text == "hello"
    assert [item.type for item in read.output] == [
        "reasoning",
        "message",
        "function_call",
        "custom_tool_call",
    ]
    assert len({item.id for item in read.output}) == 4
    call, patch = read.output[2:]
    assert call.type == "function_call"
    assert (call.call_id, call.namespace, call.name, call.arguments) == ("call_1", "web", "look", '{"a": 1}')
    assert patch.type == "custom_tool_call"
    assert (patch.call_id, patch.name, patch.input) == ("call_2", "patch", "*** Begin")
    assert read.usage is not None
    assert (read.usage.input_tokens, read.usage.output_tokens, read.usage.total_tokens) == (18, 7, 25)
    assert read.usage.input_tokens_details.cached_tokens == 5
    assert read.usage.output_tokens_details.reasoning_tokens == 4
    assert (read.instructions, read.metadata) == ("be kind", {"a": "b"})
    assert read.text is not None
    assert read.text.format is not None
    assert (read.text.format.type, read.text.verbosity) == ("text", "low")


@pytest.mark.parametrize(
    ("finish", "status", "details"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", {"reason": "max_output_tokens"}),
        ("content_filter", "incomplete", {"reason": "content_filter"}),
    ],
)
def test_a_finish_reason_is_a_status(finish: str, status: str, details: Json | None) -> None:
    said = whole(answer(finish), ASKED)
    assert (said["status"], said["incomplete_details"], said["output"][-1]["status"]) == (
        status,
        details,
        status,
    )


def test_only_the_last_item_of_an_incomplete_response_was_cut() -> None:
    said = whole(answer("length", reasoning_content="hm"), ASKED)
    assert [item["status"] for item in said["output"]] == ["completed", "incomplete"]


def test_a_refusal_is_a_part_of_its_message() -> None:
    said = whole(answer(content=None, refusal="no"), ASKED)
    assert said["output"][0]["content"] == [{"type": "refusal", "refusal": "no"}]


def test_a_tool_without_a_namespace_keeps_its_name_even_with_the_mark_of_one() -> None:
    call = LOOK | {"function": {"name": "a__b", "arguments": ""}}
    item = whole(answer("tool_calls", content=None, tool_calls=[call]), ASKED)["output"][0]
    assert (item["name"], "namespace" in item, item["arguments"]) == ("a__b", False, "")


def test_reasoning_under_its_other_name_is_said_too() -> None:
    assert whole(answer(reasoning="hm"), ASKED)["output"][0]["content"] == [
        {"type": "reasoning_text", "text": "hm"}
    ]


def test_an_empty_answer_is_a_response_without_items() -> None:
    assert whole(answer(content=""), ASKED)["output"] == []


def test_content_in_parts_is_one_text() -> None:
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    assert whole(answer(content=parts), ASKED)["output"] == whole(answer(), ASKED)["output"]


def test_calls_without_ids_get_one_each() -> None:
    calls = [LOOK | {"id": ""}, LOOK | {"id": None}]
    said = whole(answer("tool_calls", content=None, tool_calls=calls), ASKED)["output"]
    assert [item["call_id"] for item in said] == ["call_chatcmpl-1_0", "call_chatcmpl-1_1"]


def test_a_count_that_is_none_is_not_made_up() -> None:
    said = whole(answer() | {"usage": {"prompt_tokens": "many", "prompt_tokens_details": "many"}}, ASKED)[
        "usage"
    ]
    assert (said["input_tokens"], said["input_tokens_details"]["cached_tokens"]) == (0, 0)


def test_an_answer_without_usage_has_none() -> None:
    assert whole(answer() | {"usage": None}, ASKED)["usage"] is None


@pytest.mark.parametrize(
    "broken",
    [
        answer(None),
        answer("else"),
        answer(["stop"]),
        answer("function_call", function_call={"name": "f", "arguments": ""}),
        answer(content=[{"type": "text", "text": 1}]),
        answer(content=[{"type": "image_url", "image_url": {"url": "https://example.com"}}]),
        answer(audio={"id": "a"}),
        answer(annotations=[{"type": "url_citation"}]),
        answer("tool_calls", tool_calls=[{"id": "c", "type": "function"}]),
        answer("tool_calls", tool_calls=[LOOK | {"id": 5}]),
        answer("tool_calls", tool_calls=[LOOK | {"type": "other"}]),
        answer("tool_calls", tool_calls=[LOOK | {"function": {"name": "f", "arguments": [1]}}]),
        answer() | {"choices": []},
        answer() | {"choices": answer()["choices"] * 2},
        answer() | {"choices": [answer()["choices"][0] | {"index": 1}]},
        answer() | {"choices": [{"index": 0, "finish_reason": "stop"}]},
        {},
    ],
)
def test_an_answer_of_which_nothing_true_can_be_made_is_unsayable(broken: Json) -> None:
    with pytest.raises(Unsayable) as said:
        whole(broken, ASKED)
    assert "hello" not in str(said.value)


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (
            {"error": {"message": "m", "type": "t", "param": "p", "code": "c"}},
            {"message": "m", "type": "t", "param": "p", "code": "c"},
        ),
        (
            {"error": {"message": "m", "type": "BadRequestError", "code": 400}},
            {"message": "m", "type": "BadRequestError", "param": None, "code": None},
        ),
        (
            {"object": "error", "message": "m", "type": "t", "code": 400},
            {"message": "m", "type": "t", "param": None, "code": None},
        ),
        ({"error": "m"}, {"message": "m", "type": "invalid_request_error", "param": None, "code": None}),
        ({"detail": "m"}, {"message": "m", "type": "invalid_request_error", "param": None, "code": None}),
        (
            {"error": {"message": "m", "type": "exceed_context_size_error", "code": 400}},
            {
                "message": "m",
                "type": "exceed_context_size_error",
                "param": None,
                "code": "context_length_exceeded",
            },
        ),
    ],
    ids=[
        "OpenAI's own",
        "a code that is a number",
        "without a frame",
        "a text",
        "FastAPI's",
        "too long a prompt",
    ],
)
def test_an_error_keeps_what_it_says(told: Json, expected: Json) -> None:
    assert error(400, orjson.dumps(told)) == (400, orjson.dumps({"error": expected}))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b"\x00"])
def test_an_error_that_says_nothing_tells_its_status(body: bytes) -> None:
    said = orjson.loads(error(500, body)[1])["error"]
    assert (said["type"], said["message"]) == ("server_error", "the target answered with status 500")


def test_the_official_client_reads_the_message_of_an_error() -> None:
    status, body = error(500, b"Internal Server Error\n")
    with pytest.raises(APIStatusError, match="Internal Server Error"):
        sdk(body, status=status, content_type="application/json").responses.create(model="m", input="hi")
