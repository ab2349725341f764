"""A responses request said as a chat completion: what each key and each item becomes, and what cannot be said."""

from typing import Any

import pytest

from policyd.translate.loss import Loss
from policyd.translate.responses_to_chat import request

Json = dict[str, Any]

HI: Json = {"role": "user", "content": "hi"}
CALL: Json = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "call_1",
    "name": "look",
    "arguments": '{"a": 1}',
}
BACK: Json = {"type": "function_call_output", "call_id": "call_1", "output": "seen"}
SAID_CALL: Json = {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 1}'}}
SAID_BACK: Json = {"role": "tool", "tool_call_id": "call_1", "content": "seen"}
TOOL: Json = {
    "type": "function",
    "name": "look",
    "description": "d",
    "parameters": {"type": "object"},
    "strict": False,
}


def body(**keys: Any) -> Json:
    return {"model": "m", "input": "hi", "store": False} | keys


def said(**keys: Any) -> Json:
    out = request(body(**keys))
    assert isinstance(out, dict), out
    return out


def lost(**keys: Any) -> str:
    out = request(body(**keys))
    assert isinstance(out, Loss), out
    return out.place


def test_a_text_is_the_users_and_instructions_stand_before_it() -> None:
    assert said() == {"model": "m", "messages": [HI]}
    assert said(instructions="be kind")["messages"] == [{"role": "system", "content": "be kind"}, HI]


def wordy(role: str, *texts: str, **keys: Any) -> Json:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": t} for t in texts]} | keys


def told(role: str, content: object, **keys: Any) -> Json:
    return {"role": role, "content": content} | keys


ONE: Json = {"type": "text", "text": "one"}
TWO: Json = {"type": "text", "text": "two"}
THOUGHT: Json = {
    "type": "reasoning",
    "id": "rs_1",
    "summary": [],
    "content": [{"type": "reasoning_text", "text": "hm"}],
}
SECOND: Json = CALL | {"call_id": "call_2"}
SECOND_BACK: Json = BACK | {"call_id": "call_2", "output": [{"type": "input_text", "text": "too"}]}
SAID_SECOND: Json = SAID_CALL | {"id": "call_2"}
SAID_SECOND_BACK: Json = {"role": "tool", "tool_call_id": "call_2", "content": "too"}


@pytest.mark.parametrize(
    ("items", "messages"),
    [
        ([HI], [HI]),
        ([wordy("user", "one", id="msg_1", status="completed")], [told("user", "one")]),
        ([wordy("user", "one", "two")], [told("user", [ONE, TWO])]),
        ([wordy("developer", "one"), wordy("system", "two"), HI], [told("system", [ONE, TWO]), HI]),
        ([HI, wordy("developer", "one")], [HI, told("system", "one")]),
        ([HI, wordy("assistant", "one"), HI], [HI, told("assistant", "one"), HI]),
        (
            [HI, wordy("assistant", "one"), wordy("assistant", "two"), HI],
            [HI, told("assistant", "one"), told("assistant", "two"), HI],
        ),
        ([HI, CALL, BACK], [HI, told("assistant", None, tool_calls=[SAID_CALL]), SAID_BACK]),
        (
            [HI, CALL, SECOND, BACK, SECOND_BACK],
            [HI, told("assistant", None, tool_calls=[SAID_CALL, SAID_SECOND]), SAID_BACK, SAID_SECOND_BACK],
        ),
        (
            [HI, wordy("assistant", "one"), CALL, wordy("assistant", "two"), BACK],
            [HI, told("assistant", [ONE, TWO], tool_calls=[SAID_CALL]), SAID_BACK],
        ),
        (
            [HI, THOUGHT, wordy("assistant", "one"), CALL, BACK],
            [HI, told("assistant", "one", tool_calls=[SAID_CALL], reasoning_content="hm"), SAID_BACK],
        ),
        (
            [HI, wordy("assistant", "one"), THOUGHT, CALL, BACK],
            [
                HI,
                told("assistant", "one"),
                told("assistant", None, reasoning_content="hm", tool_calls=[SAID_CALL]),
                SAID_BACK,
            ],
        ),
        (
            [HI, {"type": "reasoning", "summary": [], "encrypted_content": None}, CALL, BACK],
            [HI, told("assistant", None, tool_calls=[SAID_CALL]), SAID_BACK],
        ),
        (
            [
                HI,
                {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
                HI,
            ],
            [HI, told("assistant", None, refusal="no"), HI],
        ),
    ],
    ids=[
        "a message without a type",
        "one part",
        "several parts",
        "instructions at the start",
        "later instructions",
        "an answer",
        "two answers",
        "a call",
        "two calls at once",
        "words around a call",
        "reasoning before words",
        "reasoning before a call",
        "reasoning without words",
        "a refusal",
    ],
)
def test_items_are_messages(items: list[Json], messages: list[Json]) -> None:
    assert said(input=items)["messages"] == messages


def test_an_image_keeps_its_source_and_its_detail() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,QUJD", "detail": "high"}
    assert said(input=[{"role": "user", "content": [image]}])["messages"][0]["content"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD", "detail": "high"}}
    ]


def test_an_image_of_a_result_stands_behind_all_results_with_a_label_in_both_places() -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,QUJD"}
    first = BACK | {"output": [{"type": "input_text", "text": "see"}, image]}
    label = {"type": "text", "text": "[image 2 of call_1]"}
    shown = {"type": "image_url", "image_url": {"url": "data:image/png;base64,QUJD"}}
    for more in ([HI], []):
        assert said(input=[HI, CALL, SECOND, first, SECOND_BACK, *more])["messages"][2:] == [
            SAID_BACK | {"content": [{"type": "text", "text": "see"}, label]},
            SAID_SECOND_BACK,
            told("user", [label, shown]),
            *more,
        ]


def test_a_call_of_a_custom_tool_keeps_its_text() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "*** Begin"}
    back = {"type": "custom_tool_call_output", "call_id": "c", "output": "done"}
    assert said(input=[HI, call, back])["messages"][1:] == [
        told(
            "assistant",
            None,
            tool_calls=[{"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Begin"}}],
        ),
        {"role": "tool", "tool_call_id": "c", "content": "done"},
    ]


SAID_TOOL: Json = {
    "type": "function",
    "function": {"name": "look", "description": "d", "parameters": {"type": "object"}, "strict": False},
}
GROUP: Json = {
    "type": "namespace",
    "name": "web",
    "description": "About the web.",
    "tools": [TOOL, {"type": "custom", "name": "go"}],
}


def test_tools_of_a_namespace_bear_both_names_and_say_what_the_namespace_says() -> None:
    out = said(tools=[TOOL, GROUP], input=[HI, CALL | {"namespace": "web"}, BACK])
    assert out["tools"] == [
        SAID_TOOL,
        {
            "type": "function",
            "function": SAID_TOOL["function"] | {"name": "web__look", "description": "About the web.\n\nd"},
        },
        {"type": "custom", "custom": {"name": "web__go", "description": "About the web."}},
    ]
    assert out["messages"][1]["tool_calls"][0]["function"]["name"] == "web__look"


@pytest.mark.parametrize(
    ("given", "format"),
    [
        ({}, None),
        ({"format": {"type": "text"}}, {"type": "text"}),
        (
            {"format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: X"}},
        ),
    ],
    ids=["none", "text", "grammar"],
)
def test_a_custom_tool_keeps_its_format(given: Json, format: Json | None) -> None:
    tool = said(tools=[{"type": "custom", "name": "patch"} | given])["tools"][0]
    assert (tool["type"], tool["custom"].get("format")) == ("custom", format)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"max_output_tokens": 9}, {"max_tokens": 9}),
        ({"temperature": 1.5, "top_p": 0.2}, {"temperature": 1.5, "top_p": 0.2}),
        ({"user": "u", "safety_identifier": "s"}, {"user": "u", "safety_identifier": "s"}),
        ({"service_tier": "flex", "prompt_cache_key": "k"}, {"service_tier": "flex", "prompt_cache_key": "k"}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"stream": False, "stream_options": {"include_obfuscation": False}}, {}),
        ({"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": False},
         {"tools": [SAID_TOOL], "tool_choice": "auto", "parallel_tool_calls": False}),
        ({"tools": [TOOL], "tool_choice": {"type": "function", "name": "look"}},
         {"tools": [SAID_TOOL], "tool_choice": {"type": "function", "function": {"name": "look"}}}),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {}),
        ({"text": {"format": {"type": "json_object"}}}, {"response_format": {"type": "json_object"}}),
        ({"text": {"format": {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True}}},
         {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}}}),
        ({"reasoning": {"effort": "high", "summary": "auto"}}, {"reasoning_effort": "high"}),
        ({"reasoning": {"summary": None}}, {}),
        ({"include": ["reasoning.encrypted_content"], "client_metadata": {"a": "b"}, "metadata": {"a": "b"}}, {}),
        ({"background": False, "previous_response_id": None, "truncation": "disabled", "max_tool_calls": 3}, {}),
    ],
)  # fmt: skip
def test_a_setting_becomes(keys: Json, expected: Json) -> None:
    out = said(**keys)
    assert {key: out[key] for key in out if key not in {"model", "messages"}} == expected


@pytest.mark.parametrize(
    ("keys", "place"),
    [
        ({"store": True}, "store"),
        ({"store": None}, "store"),
        ({"background": True}, "background"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"prompt": {"id": "p"}}, "prompt"),
        ({"truncation": "auto"}, "truncation"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"include": ["message.output_text.logprobs"]}, "include[0]"),
        ({"include": [{}]}, "include[0]"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"reasoning": {"summary": "detailed"}}, "reasoning.summary"),
        ({"reasoning": {"context": "all_turns"}}, "reasoning.context"),
        ({"reasoning": {"mode": "pro"}}, "reasoning.mode"),
        ({"stream_options": {"include_obfuscation": True}}, "stream_options.include_obfuscation"),
        ({"text": {"format": {"type": "grammar"}}}, "text.format"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"type": "tool_search", "execution": "client"}]}, "tools[0].type"),
        ({"tools": [{"type": "mcp", "server_label": "x"}]}, "tools[0].type"),
        ({"tools": [{"type": ["function"], "name": "x"}]}, "tools[0].type"),
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [TOOL | {"output_schema": {}}]}, "tools[0].output_schema"),
        ({"tools": [TOOL | {"name": "no spaces"}]}, "tools[0].name"),
        ({"tools": [GROUP | {"name": "n" * 60}]}, "tools[0].tools[0].name"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [GROUP, TOOL | {"name": "web__look"}]}, "tools"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "web_search"}}, "tool_choice"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
            "tool_choice",
        ),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"unheard_of": True}, "unheard_of"),
        ({"input": None}, "input"),
        ({"model": None}, "model"),
    ],
)
def test_what_chat_lacks_is_a_loss_and_its_place_is_named(keys: Json, place: str) -> None:
    assert lost(**keys) == place


@pytest.mark.parametrize(
    ("items", "place"),
    [
        ([{"type": "item_reference", "id": "msg_1"}], "input[0].type"),
        ([{"type": "web_search_call", "id": "ws_1"}], "input[0].type"),
        ([{"type": "compaction", "encrypted_content": "x"}], "input[0].type"),
        ([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}], "input[0].content[0].type"),
        ([{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}], "input[0].content[0].file_id"),
        ([{"role": "critic", "content": "a"}], "input[0].role"),
        ([HI, wordy("assistant", "a", phase="commentary"), HI], "input[1].phase"),
        ([HI, THOUGHT | {"encrypted_content": "x"}, CALL, BACK], "input[1].encrypted_content"),
        ([HI, THOUGHT], "input"),
        ([HI, THOUGHT, HI], "input"),
        ([HI, wordy("assistant", "a")], "input"),
        ([HI, CALL], "input"),
        ([HI, BACK], "input[1]"),
        ([HI, CALL, HI, BACK], "input[3]"),
        ([HI, CALL | {"caller": {"type": "program", "caller_id": "p"}}, BACK], "input[1].caller"),
        ([HI, CALL, BACK | {"output": [{"type": "input_image", "file_id": "f"}]}], "input[2].output[0].file_id"),
        ([HI, CALL, BACK | {"output": [{"type": "input_file", "file_id": "f"}]}], "input[2].output[0].type"),
        ([HI, wordy("assistant", "a") | {"content": [{"type": "output_text", "text": "a", "annotations": [{}]}]}, HI],
         "input[1].content[0].annotations"),
    ],
)  # fmt: skip
def test_an_item_that_cannot_be_said_is_a_loss_and_its_place_is_named(items: list[Json], place: str) -> None:
    assert lost(input=items) == place


def codex(**keys: Any) -> Json:
    """What Codex 0.169 sends with a model that it does not know and its search of the web turned off, in short."""
    return {
        "model": "tiny",
        "stream": True,
        "store": False,
        "input": [
            wordy("developer", "You are Codex."),
            wordy("developer", "Skills."),
            wordy("user", "say hi"),
            CALL,
            BACK,
        ],
        "tools": [TOOL, GROUP],
        "tool_choice": "auto",
        "parallel_tool_calls": True,
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "k",
        "client_metadata": {"thread_id": "t"},
    } | keys


def test_codex_can_run_on_a_server_of_chat() -> None:
    out = request(codex())
    assert isinstance(out, dict)
    assert [message["role"] for message in out["messages"]] == ["system", "user", "assistant", "tool"]


def test_codex_with_its_search_of_the_web_cannot() -> None:
    loss = request(codex(tools=[TOOL, {"type": "web_search", "external_web_access": True}]))
    assert loss == Loss("tools[1].type", "chat completions have no such tool")
