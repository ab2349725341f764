"""A chat completion said as a request of Anthropic messages: what each key becomes, and what cannot be said."""

from typing import Any

import pytest

from policyd.translate.chat_to_messages import MOST_TOKENS, request
from policyd.translate.loss import Loss

Json = dict[str, Any]

HI: Json = {"role": "user", "content": "hi"}
CALL: Json = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "look", "arguments": '{"at": [1, 2.5, null]}'},
}
TOOL: Json = {
    "type": "function",
    "function": {"name": "look", "parameters": {"type": "object", "properties": {}}},
}
SAID_TOOL: Json = {"name": "look", "input_schema": {"type": "object", "properties": {}}}


def body(**keys: Any) -> Json:
    return {"model": "m", "messages": [HI]} | keys


def said(**keys: Any) -> Json:
    out = request(body(**keys))
    assert isinstance(out, dict), out
    return out


def lost(**keys: Any) -> str:
    out = request(body(**keys))
    assert isinstance(out, Loss), out
    return out.place


def test_a_plain_request_says_the_limit_that_the_messages_api_needs() -> None:
    assert said() == {"model": "m", "max_tokens": MOST_TOKENS, "messages": [HI]}


def test_the_limit_of_a_known_model_may_be_given() -> None:
    assert request(body(), most=4096) == {"model": "m", "max_tokens": 4096, "messages": [HI]}


SYSTEM: Json = {"role": "system", "content": "be kind"}
DEVELOPER: Json = {"role": "developer", "content": [{"type": "text", "text": "be brief"}]}
KIND: Json = {"type": "text", "text": "be kind"}
BRIEF: Json = {"type": "text", "text": "be brief"}


@pytest.mark.parametrize(
    ("messages", "system", "turns"),
    [
        ([SYSTEM, HI], "be kind", [HI]),
        ([DEVELOPER, HI], "be brief", [HI]),
        ([SYSTEM, DEVELOPER, HI], [KIND, BRIEF], [HI]),
        ([{"role": "system", "content": " "}, HI], None, [HI]),
        ([HI, DEVELOPER], None, [HI, {"role": "system", "content": [BRIEF]}]),
        ([HI, SYSTEM, DEVELOPER], None, [HI, {"role": "system", "content": [KIND, BRIEF]}]),
        ([HI, HI], None, [HI, HI]),
    ],
    ids=["one", "developer", "both", "blank", "later", "several later", "two users"],
)
def test_instructions_at_the_start_are_the_system_prompt_and_later_ones_stay_where_they_are(
    messages: list[Json], system: object, turns: list[Json]
) -> None:
    out = said(messages=messages)
    assert (out.get("system"), out["messages"]) == (system, turns)


def test_results_that_follow_each_other_and_the_users_words_after_them_are_one_turn() -> None:
    second = CALL | {"id": "call_2"}
    messages = [
        HI,
        {"role": "assistant", "content": "wait", "tool_calls": [CALL, second]},
        {"role": "tool", "tool_call_id": "call_1", "content": "one", "name": "look"},
        {"role": "tool", "tool_call_id": "call_2", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "go on"},
        {"role": "user", "content": "please"},
    ]
    use = {"type": "tool_use", "name": "look", "input": {"at": [1, 2.5, None]}}
    assert said(messages=messages)["messages"] == [
        HI,
        {
            "role": "assistant",
            "content": [{"type": "text", "text": "wait"}, use | {"id": "call_1"}, use | {"id": "call_2"}],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_1", "content": "one"},
                {
                    "type": "tool_result",
                    "tool_use_id": "call_2",
                    "content": [{"type": "text", "text": "two"}],
                },
                {"type": "text", "text": "go on"},
            ],
        },
        {"role": "user", "content": "please"},
    ]


def part_of(part: Json) -> Json:
    block: Json = said(messages=[{"role": "user", "content": [part]}])["messages"][0]["content"][0]
    return block


@pytest.mark.parametrize(
    ("url", "source"),
    [
        ("data:image/png;base64,QUJD", {"type": "base64", "media_type": "image/png", "data": "QUJD"}),
        ("data:image/webp;base64,QQ==", {"type": "base64", "media_type": "image/webp", "data": "QQ=="}),
        ("https://example.com/a.png", {"type": "url", "url": "https://example.com/a.png"}),
    ],
)
def test_an_image_is_said_with_its_source(url: str, source: Json) -> None:
    image = {"type": "image_url", "image_url": {"url": url, "detail": "auto"}}
    assert part_of(image) == {"type": "image", "source": source}


def test_the_mark_of_a_prompt_cache_stays_on_its_part() -> None:
    mark = {"cache_control": {"type": "ephemeral"}}
    assert part_of({"type": "text", "text": "long"} | mark) == {"type": "text", "text": "long"} | mark


def assistant(**keys: Any) -> list[Json]:
    messages = [HI, {"role": "assistant", "content": None} | keys, {"role": "user", "content": "and?"}]
    blocks: list[Json] = said(messages=messages)["messages"][1]["content"]
    return blocks


def test_a_refusal_is_what_the_assistant_said() -> None:
    assert assistant(refusal="no") == [{"type": "text", "text": "no"}]
    assert assistant(content=[{"type": "refusal", "refusal": "no"}]) == [{"type": "text", "text": "no"}]


def test_blank_words_beside_a_call_are_left_out() -> None:
    assert [block["type"] for block in assistant(content="\n\n", tool_calls=[CALL])] == ["tool_use"]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    empty = CALL | {"function": {"name": "look", "arguments": ""}}
    assert assistant(tool_calls=[empty]) == [
        {"type": "tool_use", "id": "call_1", "name": "look", "input": {}}
    ]


CLAUDE: Json = {"format": "anthropic-claude-v1", "index": 0}
SIGNED: Json = {"type": "reasoning.text", "text": "hm", "signature": "s"} | CLAUDE


def test_thinking_comes_back_with_its_signature_and_stands_before_the_words() -> None:
    details = [SIGNED, {"type": "reasoning.encrypted", "data": "d"} | CLAUDE]
    assert assistant(content="yes", reasoning_content="hm", reasoning_details=details) == [
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "d"},
        {"type": "text", "text": "yes"},
    ]


@pytest.mark.parametrize(
    "detail",
    [
        SIGNED | {"format": "openai-responses-v1"},
        {"type": "reasoning.text", "text": "hm"} | CLAUDE,
        {"type": "reasoning.summary", "summary": "hm"} | CLAUDE,
        {"type": "reasoning.encrypted", "data": "d", "format": "google-gemini-v1"},
    ],
    ids=["another's signature", "no signature", "a summary", "another's secret"],
)
def test_thinking_of_another_server_is_left_out(detail: Json) -> None:
    assert assistant(content="yes", reasoning_details=[detail]) == [{"type": "text", "text": "yes"}]


def test_thinking_without_a_signature_is_left_out() -> None:
    assert assistant(content="yes", reasoning_content="hm") == [{"type": "text", "text": "yes"}]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"max_tokens": 9}, {"max_tokens": 9}),
        ({"max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"max_tokens": 9, "max_completion_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"temperature": 1, "top_p": 1.0}, {}),
        ({"temperature": 0}, {"temperature": 0}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["A", "B"]}, {"stop_sequences": ["A", "B"]}),
        ({"stop": []}, {}),
        ({"stream": True, "stream_options": {"include_usage": True}}, {"stream": True}),
        ({"stream": False}, {}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"user": "u"}, {"metadata": {"user_id": "u"}}),
        ({"safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"user": "u", "safety_identifier": "u"}, {"metadata": {"user_id": "u"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}}),
        (
            {"reasoning_effort": "none", "temperature": 0.5},
            {"temperature": 0.5, "thinking": {"type": "disabled"}},
        ),
        (
            {"reasoning_effort": "high"},
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
        ),
        ({"tools": [TOOL]}, {"tools": [SAID_TOOL]}),
        ({"tools": [TOOL], "tool_choice": "auto"}, {"tools": [SAID_TOOL], "tool_choice": {"type": "auto"}}),
        ({"tools": [TOOL], "tool_choice": "none"}, {"tools": [SAID_TOOL], "tool_choice": {"type": "none"}}),
        (
            {"tools": [TOOL], "tool_choice": "required"},
            {"tools": [SAID_TOOL], "tool_choice": {"type": "any"}},
        ),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}},
            {"tools": [SAID_TOOL], "tool_choice": {"type": "tool", "name": "look"}},
        ),
        (
            {"tools": [TOOL], "parallel_tool_calls": False},
            {"tools": [SAID_TOOL], "tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
        ),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            {"tools": [SAID_TOOL], "tool_choice": {"type": "any", "disable_parallel_tool_use": True}},
        ),
        ({"tools": [TOOL], "parallel_tool_calls": True}, {"tools": [SAID_TOOL]}),
        ({"tools": [], "tool_choice": "none", "parallel_tool_calls": False}, {}),
        ({"response_format": {"type": "text"}}, {}),
        (
            {
                "n": 1,
                "logprobs": False,
                "seed": None,
                "frequency_penalty": 0,
                "presence_penalty": 0.0,
                "logit_bias": {},
            },
            {},
        ),
        (
            {
                "store": False,
                "metadata": {},
                "service_tier": "auto",
                "prompt_cache_key": "k",
                "modalities": ["text"],
            },
            {},
        ),
    ],
)
def test_a_setting_becomes(keys: Json, expected: Json) -> None:
    out = said(**keys)
    assert {key: out[key] for key in out if key not in {"model", "messages"}} == {
        "max_tokens": MOST_TOKENS
    } | expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        ({"name": "f"}, {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
        (
            {"name": "f", "description": "d", "strict": True, "parameters": {"properties": {"a": {}}}},
            {
                "name": "f",
                "description": "d",
                "strict": True,
                "input_schema": {"type": "object", "properties": {"a": {}}},
            },
        ),
    ],
    ids=["without parameters", "with everything"],
)
def test_a_function_is_a_tool(function: Json, expected: Json) -> None:
    assert said(tools=[{"type": "function", "function": function}])["tools"] == [expected]


@pytest.mark.parametrize(
    ("named", "schema"),
    [
        ({"name": "answer", "schema": {"type": "object"}}, {"type": "object"}),
        ({"name": "Person", "strict": True, "schema": {"title": "Person"}}, {"title": "Person"}),
        ({"name": "n", "description": "d", "schema": {}}, {"title": "n", "description": "d"}),
    ],
    ids=["nameless", "titled alike", "name and description"],
)
def test_a_schema_of_the_answer_keeps_its_name_and_description(named: Json, schema: Json) -> None:
    out = said(response_format={"type": "json_schema", "json_schema": named})
    assert out["output_config"] == {"format": {"type": "json_schema", "schema": schema}}


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"n": 2}, "n"),
        ({"n": True}, "n"),
        ({"logprobs": True}, "logprobs"),
        ({"top_logprobs": 3}, "top_logprobs"),
        ({"seed": 7}, "seed"),
        ({"frequency_penalty": 0.1}, "frequency_penalty"),
        ({"presence_penalty": -1}, "presence_penalty"),
        ({"logit_bias": {"5": 1}}, "logit_bias"),
        ({"store": True}, "store"),
        ({"metadata": {"a": "b"}}, "metadata"),
        ({"service_tier": "flex"}, "service_tier"),
        ({"verbosity": "low"}, "verbosity"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"prediction": {"type": "content", "content": "x"}}, "prediction"),
        ({"web_search_options": {}}, "web_search_options"),
        ({"functions": [{"name": "f"}]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"prompt_cache_retention": "24h"}, "prompt_cache_retention"),
        ({"temperature": 1.01}, "temperature"),
        ({"temperature": -0.1}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"top_p": 2}, "top_p"),
        ({"max_tokens": 1, "max_completion_tokens": 2}, "max_completion_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": ["a", "\n"]}, "stop[1]"),
        ({"stop": 3}, "stop"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"stream_options": {"other": 1}}, "stream_options.other"),
        ({"user": "a", "safety_identifier": "b"}, "safety_identifier"),
        ({"reasoning_effort": "minimal"}, "reasoning_effort"),
        ({"reasoning_effort": "low", "temperature": 0.5}, "temperature"),
        ({"reasoning_effort": "low", "top_p": 0.9}, "top_p"),
        ({"reasoning_effort": "low", "tools": [TOOL], "tool_choice": "required"}, "tool_choice"),
        ({"reasoning_effort": ["high"]}, "reasoning_effort"),
        ({"response_format": {"type": "json_object"}}, "response_format"),
        (
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"title": "t"}},
                }
            },
            "response_format.json_schema.name",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "n"}}},
            "response_format.json_schema.schema",
        ),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools[0].type"),
        ({"tools": [TOOL | {"else": 1}]}, "tools[0].else"),
        (
            {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "string"}}}]},
            "tools[0].function.parameters.type",
        ),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"model": None}, "model"),
    ],
)
def test_what_the_messages_api_lacks_is_a_loss_and_its_place_is_named(keys: Json, place: str) -> None:
    assert lost(**keys) == place


BACK: Json = {"role": "tool", "tool_call_id": "call_1", "content": "x"}


def calling(arguments: str, **keys: Any) -> list[Json]:
    call = CALL | {"function": {"name": "look", "arguments": arguments}} | keys
    return [HI, {"role": "assistant", "tool_calls": [call]}, BACK]


@pytest.mark.parametrize(
    ("messages", "place"),
    [
        ([], "messages"),
        ([SYSTEM], "messages"),
        ([{"role": "user", "content": " "}], "messages[0].content"),
        ([{"role": "user", "content": [{"type": "text", "text": ""}]}], "messages[0].content"),
        ([{"role": "user", "content": "a", "name": "Ann"}], "messages[0].name"),
        (
            [{"role": "user", "content": [{"type": "input_audio", "input_audio": {}}]}],
            "messages[0].content[0].type",
        ),
        ([{"role": "user", "content": [{"type": "file", "file": {}}]}], "messages[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "text", "text": "a", "x": 1}]}], "messages[0].content[0].x"),
        ([{"role": "critic", "content": "a"}], "messages[0].role"),
        ([{"role": ["user"], "content": "a"}], "messages[0].role"),
        ([{"role": "system", "content": [{"type": "image_url"}]}, HI], "messages[0].content[0].type"),
        ([HI, {"role": "assistant", "content": "so"}], "messages[1]"),
        ([HI, {"role": "assistant", "content": ""}, HI], "messages[1]"),
        ([HI, {"role": "assistant", "content": "a"}, SYSTEM, HI], "messages[2]"),
        ([HI, BACK], "messages[1]"),
        ([BACK], "messages[0]"),
        ([HI, {"role": "assistant", "function_call": {"name": "f"}}, HI], "messages[1].function_call"),
        ([HI, {"role": "assistant", "audio": {"id": "a"}}, HI], "messages[1].audio"),
        (
            [HI, {"role": "assistant", "content": "a", "reasoning_details": [SIGNED | {"signature": 1}]}, HI],
            "messages[1].reasoning_details[0].signature",
        ),
        (calling("[1]"), "messages[1].tool_calls[0].function.arguments"),
        (calling("{"), "messages[1].tool_calls[0].function.arguments"),
        (calling('{"a": 1, "a": 2}'), "messages[1].tool_calls[0].function.arguments"),
        (calling('{"a": NaN}'), "messages[1].tool_calls[0].function.arguments"),
        (calling('{"a": [1e999]}'), "messages[1].tool_calls[0].function.arguments"),
        (calling('{"a": 123456789012345678901234567890}'), "messages[1].tool_calls[0].function.arguments"),
        (calling("{}", id="a:0"), "messages[1].tool_calls[0].id"),
        (calling("{}", type="custom"), "messages[1].tool_calls[0].type"),
        (
            [*calling("{}")[:2], BACK | {"name": "other"}],
            "messages[2].name",
        ),
    ],
)
def test_a_message_that_cannot_be_said_is_a_loss_and_its_place_is_named(
    messages: list[Json], place: str
) -> None:
    assert lost(messages=messages) == place


@pytest.mark.parametrize(
    "image",
    [
        {"url": "data:image/bmp;base64,QUJD"},
        {"url": "data:image/png,abc"},
        {"url": "data:image/png;charset=x;base64,QUJD"},
        {"url": "file:///etc/passwd"},
        {"url": "https://example.com/a.png", "detail": "high"},
        "https://example.com/a.png",
    ],
    ids=["bmp", "no base64", "parameters", "a file", "a level of detail", "no object"],
)
def test_an_image_that_cannot_be_said_is_a_loss(image: object) -> None:
    where = lost(messages=[{"role": "user", "content": [{"type": "image_url", "image_url": image}]}])
    assert where.startswith("messages[0].content[0].image_url")


def test_a_loss_repeats_nothing_of_the_request() -> None:
    secret = "the launch code is 0000"
    for keys in ({secret: 1}, {"messages": [HI | {secret: secret}]}, {"n": secret}, {"stop": [" ", secret]}):
        loss = request(body(**keys))
        assert isinstance(loss, Loss)
        assert secret not in loss.place + loss.why
