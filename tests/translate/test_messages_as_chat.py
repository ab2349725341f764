"""An answer of Anthropic messages said as a chat completion: whole, and as an error."""

from typing import Any

import orjson
import pytest
from openai import APIStatusError

from policyd.translate.loss import Unsayable
from policyd.translate.messages_as_chat import error, whole

from .streams import sdk

Json = dict[str, Any]

USAGE: Json = {
    "input_tokens": 10,
    "cache_creation_input_tokens": 3,
    "cache_read_input_tokens": 5,
    "output_tokens": 7,
}
ASKED: Json = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TEXT: Json = {"type": "text", "text": "hello"}
USE: Json = {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"a": [1, "é"]}}
THINKING: Json = {"type": "thinking", "thinking": "hm", "signature": "s"}
HIDDEN: Json = {"type": "redacted_thinking", "data": "d"}
CLAUDE: Json = {"format": "anthropic-claude-v1"}
SAID_THINKING: Json = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0} | CLAUDE
SAID_HIDDEN: Json = {"type": "reasoning.encrypted", "data": "d", "index": 1} | CLAUDE


def answer(*blocks: Json, **keys: Any) -> Json:
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude",
        "content": list(blocks),
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
    } | keys


def message(*blocks: Json, **keys: Any) -> Json:
    out: Json = whole(answer(*blocks, **keys), ASKED)["choices"][0]["message"]
    return out


def test_the_official_parser_reads_a_whole_answer() -> None:
    body = orjson.dumps(whole(answer(THINKING, TEXT, USE, stop_reason="tool_use"), ASKED))
    client = sdk(body, content_type="application/json")
    read = client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert read.id == "msg_1"
    assert read.model == "claude"
    choice = read.choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.content == "hello"
    calls = choice.message.tool_calls
    assert calls is not None
    assert calls[0].type == "function"
    assert (calls[0].id, calls[0].function.name) == ("toolu_1", "look")
    assert orjson.loads(calls[0].function.arguments) == {"a": [1, "é"]}
    assert read.usage is not None
    assert (read.usage.prompt_tokens, read.usage.completion_tokens, read.usage.total_tokens) == (18, 7, 25)
    assert read.usage.prompt_tokens_details is not None
    assert read.usage.prompt_tokens_details.cached_tokens == 5
    assert read.usage.prompt_tokens_details.cache_write_tokens == 3


def test_texts_are_one_text_and_calls_one_list() -> None:
    second = USE | {"id": "toolu_2", "input": {}}
    said = message(TEXT, USE, TEXT | {"text": " you"}, second)
    assert said["content"] == "hello you"
    assert [(call["id"], call["function"]["arguments"]) for call in said["tool_calls"]] == [
        ("toolu_1", '{"a":[1,"é"]}'),
        ("toolu_2", "{}"),
    ]


def test_an_answer_of_calls_alone_has_no_content() -> None:
    assert message(USE)["content"] is None


def test_thinking_is_said_in_words_and_with_its_signature() -> None:
    said = message(THINKING, HIDDEN, TEXT)
    assert said["reasoning_content"] == "hm"
    assert said["reasoning_details"] == [SAID_THINKING, SAID_HIDDEN]
    assert said["content"] == "hello"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
    ],
)
def test_a_stop_reason_is_a_finish_reason(reason: str, finish: str) -> None:
    assert whole(answer(TEXT, stop_reason=reason), ASKED)["choices"][0]["finish_reason"] == finish


def test_a_refusal_says_why_in_the_words_of_the_api() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "not this"}
    assert message(TEXT, stop_reason="refusal", stop_details=details)["refusal"] == "not this"
    assert message(TEXT, stop_reason="refusal", stop_details=None)["refusal"] is None


def test_thinking_tokens_are_reasoning_tokens() -> None:
    usage = USAGE | {"output_tokens_details": {"thinking_tokens": 4}}
    said = whole(answer(TEXT, usage=usage), ASKED)["usage"]
    assert said["completion_tokens_details"] == {"reasoning_tokens": 4}


def test_a_count_that_is_none_is_not_made_up() -> None:
    said = whole(answer(TEXT, usage={"input_tokens": "many", "output_tokens": -1}), ASKED)["usage"]
    assert (said["prompt_tokens"], said["completion_tokens"]) == (0, 0)


def test_an_answer_without_usage_has_none() -> None:
    assert "usage" not in whole(answer(TEXT, usage=None), ASKED)


@pytest.mark.parametrize(
    "broken",
    [
        answer(TEXT, stop_reason="pause_turn"),
        answer(TEXT, stop_reason=None),
        answer(TEXT, stop_reason="else"),
        answer({"type": "server_tool_use", "id": "a", "name": "web_search", "input": {}}),
        answer({"type": "text", "text": None}),
        answer({"type": "text", "text": "a", "citations": [{"type": "char_location"}]}),
        answer({"type": "thinking", "thinking": "a"}),
        answer(USE | {"input": "{}"}),
        answer(USE | {"id": None}),
        answer("text"),  # type: ignore[arg-type]
        answer(TEXT, content="hello"),
        answer(TEXT, type="error"),
        answer(TEXT, id=None),
        answer(TEXT, model=None),
        {},
    ],
)
def test_an_answer_of_which_nothing_true_can_be_made_is_unsayable(broken: Json) -> None:
    with pytest.raises(Unsayable) as said:
        whole(broken, ASKED)
    assert "hello" not in str(said.value)


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("invalid_request_error", 400, (400, "invalid_request_error", None)),
        ("authentication_error", 401, (401, "authentication_error", "invalid_api_key")),
        ("permission_error", 403, (403, "permission_error", None)),
        ("not_found_error", 404, (404, "invalid_request_error", "model_not_found")),
        ("request_too_large", 413, (413, "invalid_request_error", "request_too_large")),
        ("rate_limit_error", 429, (429, "rate_limit_error", "rate_limit_exceeded")),
        ("api_error", 500, (500, "server_error", None)),
        ("overloaded_error", 529, (503, "server_error", "overloaded")),
        ("new_error", 418, (418, "invalid_request_error", None)),
        ("new_error", 520, (520, "server_error", None)),
    ],
)
def test_an_error_is_said_as_chat_says_errors(
    kind: str, status: int, expected: tuple[int, str, str | None]
) -> None:
    told = {"type": "error", "error": {"type": kind, "message": "so"}, "request_id": "req_1"}
    said, body = error(status, orjson.dumps(told))
    assert orjson.loads(body) == {
        "error": {"message": "so", "type": expected[1], "param": None, "code": expected[2]}
    }
    assert said == expected[0]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b"{}", b'{"error": "no"}', b'{"error": {"message": 3}}', b"\x00"]
)
def test_an_error_that_is_none_of_anthropics_tells_its_status(body: bytes) -> None:
    said = orjson.loads(error(502, body)[1])["error"]
    assert (said["type"], said["message"]) == ("server_error", "the target answered with status 502")


def test_the_official_client_reads_the_message_of_an_error() -> None:
    told = orjson.dumps({"type": "error", "error": {"type": "rate_limit_error", "message": "slower"}})
    status, body = error(429, told)
    client = sdk(body, status=status, content_type="application/json")
    with pytest.raises(APIStatusError) as raised:
        client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert (raised.value.status_code, raised.value.code) == (429, "rate_limit_exceeded")
    assert "slower" in str(raised.value)


def test_a_prompt_that_is_too_long_has_the_code_by_which_clients_shorten_it() -> None:
    told = {
        "type": "error",
        "error": {"type": "invalid_request_error", "message": "prompt is too long: 9 > 8"},
    }
    said = orjson.loads(error(400, orjson.dumps(told))[1])["error"]
    assert (said["message"], said["code"]) == ("prompt is too long: 9 > 8", "context_length_exceeded")
