"""Requests of Anthropic messages as chat completions: what each key becomes, and what is a loss."""

import copy
import json
from typing import Any

import pytest

from policyd.translate.loss import Loss
from policyd.translate.marks import without_marked
from policyd.translate.messages_to_chat import request
from tests.translate.claude_code import first_turn, second_turn

USER = {"role": "user", "content": "hi"}


def said(**more: Any) -> dict[str, Any]:
    out = request({"model": "m", "max_tokens": 9, "messages": [USER]} | more)
    assert isinstance(out, dict), out
    return out


def turns(*messages: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    """What these become, without a last word of the user that keeps them from being an answer that was begun."""
    out: list[dict[str, Any]] = said(messages=[*messages, USER], **more)["messages"]
    assert out.pop() == USER
    return out


def lost(**more: Any) -> str:
    """The place of the loss."""
    out = request({"model": "m", "max_tokens": 9, "messages": [USER]} | more)
    assert isinstance(out, Loss), out
    return out.place


def assistant(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def text(words: str, **more: Any) -> dict[str, Any]:
    return {"type": "text", "text": words, **more}


CALL = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"b": 1, "a": [1.5, None, "é"]}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
IMAGE_PART = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ({}, {}),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5, "top_p": 0.9}),
        ({"stop_sequences": ["a", "b"]}, {"stop": ["a", "b"]}),
        ({"stop_sequences": []}, {}),
        ({"stream": False}, {}),
        ({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
        ({"metadata": {"user_id": "u"}}, {"user": "u"}),
        ({"metadata": {}}, {}),
        ({"service_tier": "auto"}, {}),
        ({"service_tier": "standard_only"}, {"service_tier": "default"}),
        ({"speed": "standard"}, {}),
        ({"thinking": {"type": "adaptive"}}, {}),
        ({"thinking": {"type": "adaptive", "display": "omitted"}}, {}),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, {}),
        ({"thinking": {"type": "disabled"}}, {"reasoning_effort": "none"}),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}, {"reasoning_effort": "xhigh"}),
        ({"output_config": {"effort": "max"}}, {}),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, {"reasoning_effort": "none"}),
        ({"cache_control": {"type": "ephemeral"}}, {}),
        ({"context_management": {"edits": [{"type": "clear_tool_uses_20250919", "trigger": {"type": "input_tokens"}}]}}, {}),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, {}),
        ({"tool_choice": {"type": "none"}}, {}),
        ({"tool_choice": {"type": "any"}}, {"tool_choice": "required"}),
        ({"container": None, "anything": None, "top_k": None}, {}),
        ({"tools": []}, {}),
    ],
    ids=lambda v: json.dumps(v)[:60],
)  # fmt: skip
def test_a_setting_is_kept_or_said_otherwise_or_goes(given: dict[str, Any], becomes: dict[str, Any]) -> None:
    assert said(**given) == {"model": "m", "max_tokens": 9, "messages": [USER]} | becomes


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"top_k": 5}, "top_k"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"container": {"skills": []}}, "container"),
        ({"mcp_servers": []}, "mcp_servers"),
        ({"a key nobody knows": 1}, "…"),
        ({"speed": "fast"}, "speed"),
        ({"service_tier": "priority"}, "service_tier"),
        ({"stop_sequences": list("abcde")}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences[0]"),
        ({"stop_sequences": "a"}, "stop_sequences"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"max_tokens": True}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "yes"}, "stream"),
        ({"metadata": {"user_id": "u", "team": "t"}}, "metadata.team"),
        ({"metadata": "u"}, "metadata"),
        ({"thinking": {"type": "between_tools"}}, "thinking.type"),
        ({"thinking": {"type": "adaptive", "more": 1}}, "thinking.more"),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "most"}}, "output_config.effort"),
        ({"output_config": {"task_budget": {"type": "tokens"}}}, "output_config.task_budget"),
        ({"output_config": {"format": {"type": "regex"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_config": {"format": {"type": "json_schema", "schema": {}}}, "output_format": {"type": "json_schema", "schema": {}}}, "output_format"),
        ({"context_management": {"edits": [{"type": "compact_20260112"}]}}, "context_management.edits[0].type"),
        ({"tool_choice": {"type": "many"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tools": [{"type": "bash_20250124", "name": "bash"}]}, "tools[0].type"),
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, "tools[0].type"),
        ({"tools": [{"name": "f", "input_schema": {}, "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"tools": [{"name": "f", "input_schema": {}, "input_examples": [{}]}]}, "tools[0].input_examples"),
        ({"tools": [{"name": "f", "input_schema": {}, "allowed_callers": ["code_execution_20250825"]}]}, "tools[0].allowed_callers"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema"),
        ({"tools": ["f"]}, "tools[0]"),
        ({"messages": None}, "messages"),
        ({"messages": ["hi"]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [USER | {"name": "n"}]}, "messages[0].name"),
        ({"messages": [USER, {"role": "assistant", "content": "Well,"}]}, "messages[1]"),
        ({"messages": [USER, {"role": "assistant", "content": "Well,"}, {"role": "system", "content": "s"}]}, "messages[1]"),
        ({"messages": [user({"type": "document", "source": {"type": "text", "data": "x"}})]}, "messages[0].content[0].type"),
        ({"messages": [user({"type": "image", "source": {"type": "file", "file_id": "f"}})]}, "messages[0].content[0].source.type"),
        ({"messages": [user(text("a", citations=[{"type": "char_location"}]))]}, "messages[0].content[0].citations"),
        ({"messages": [user(text("a"), {"type": "tool_result", "tool_use_id": "t"})]}, "messages[0].content[1]"),
        ({"messages": [user({"type": "tool_result", "tool_use_id": "t", "content": [{"type": "document"}]})]}, "messages[0].content[0].content[0].type"),
        ({"messages": [assistant(CALL, text("behind")), USER]}, "messages[0].content[1]"),
        ({"messages": [assistant({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}), USER]}, "messages[0].content[0].type"),
        ({"messages": [assistant(CALL | {"caller": {"type": "code_execution_20250825"}}), USER]}, "messages[0].content[0].caller"),
        ({"messages": [assistant(CALL | {"input": "{}"}), USER]}, "messages[0].content[0].input"),
        ({"messages": [assistant(CALL), {"role": "system", "content": "s"}, user({"type": "tool_result", "tool_use_id": "t"})]}, "messages[1]"),
        ({"system": [IMAGE]}, "system[0].type"),
        ({"system": 5}, "system"),
    ],
    ids=lambda v: json.dumps(v)[:60],
)  # fmt: skip
def test_what_has_no_counterpart_is_a_loss_that_names_its_place(given: dict[str, Any], place: str) -> None:
    assert lost(**given) == place


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        (USER, [USER]),
        (user(text("a")), [{"role": "user", "content": "a"}]),
        (user(text("a"), text("b", cache_control={"type": "ephemeral"})), [user(text("a"), text("b"))]),
        (user(text("a", citations=None)), [{"role": "user", "content": "a"}]),
        (user(), [{"role": "user", "content": ""}]),
        (user(text("a"), IMAGE), [user(text("a"), IMAGE_PART)]),
        (user({"type": "image", "source": {"type": "url", "url": "https://a/b"}}), [user({"type": "image_url", "image_url": {"url": "https://a/b"}})]),
        ({"role": "system", "content": [text("s")]}, [{"role": "system", "content": "s"}]),
        ({"role": "assistant", "content": "a"}, [{"role": "assistant", "content": "a"}]),
        (assistant(text("a"), CALL), [{"role": "assistant", "content": "a", "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"b":1,"a":[1.5,null,"é"]}'}}]}]),
        (assistant(CALL | {"caller": {"type": "direct"}, "toolset_name": None}), [{"role": "assistant", "content": None, "tool_calls": [
            {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": '{"b":1,"a":[1.5,null,"é"]}'}}]}]),
        (user({"type": "tool_result", "tool_use_id": "t"}), [{"role": "tool", "tool_call_id": "t", "content": ""}]),
        (user({"type": "tool_result", "tool_use_id": "t", "content": [text("a")], "is_error": False}), [{"role": "tool", "tool_call_id": "t", "content": "a"}]),
        (user({"type": "tool_result", "tool_use_id": "t", "content": "a", "is_error": True}), [{"role": "tool", "tool_call_id": "t", "content": "Error: a"}]),
        (user({"type": "tool_result", "tool_use_id": "t", "content": [text("a")], "is_error": True}), [{"role": "tool", "tool_call_id": "t", "content": "Error: a"}]),
        (user({"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": []}), [{"role": "tool", "tool_call_id": "t", "content": "Error: "}]),
        (user({"type": "tool_result", "tool_use_id": "t", "content": [text("a"), text("b")], "is_error": True}),
            [{"role": "tool", "tool_call_id": "t", "content": [text("Error: "), text("a"), text("b")]}]),
        (user({"type": "tool_result", "tool_use_id": "t", "content": [text("a"), IMAGE, text("b")]}, {"type": "tool_result", "tool_use_id": "u", "content": "c"}, text("d")),
            [{"role": "tool", "tool_call_id": "t", "content": [text("a"), text("[image 2 of t]"), text("b")]}, {"role": "tool", "tool_call_id": "u", "content": "c"},
             user(text("[image 2 of t]"), IMAGE_PART, text("d"))]),
    ],
    ids=lambda v: json.dumps(v)[:70],
)  # fmt: skip
def test_a_turn_becomes_messages(given: dict[str, Any], becomes: list[dict[str, Any]]) -> None:
    assert turns(given) == becomes


@pytest.mark.parametrize(
    ("system", "becomes"),
    [
        (None, []),
        ("", []),
        ([], []),
        ("s", [{"role": "system", "content": "s"}]),
        ([text("s")], [{"role": "system", "content": "s"}]),
        ([text("s"), text("t")], [{"role": "system", "content": [text("s"), text("t")]}]),
    ],
)
def test_the_system_prompt_is_the_first_message(system: object, becomes: list[dict[str, Any]]) -> None:
    assert turns(system=system) == becomes


@pytest.mark.parametrize(
    ("choice", "becomes"),
    [
        ({"type": "auto"}, {"tool_choice": "auto"}),
        ({"type": "any"}, {"tool_choice": "required"}),
        ({"type": "none"}, {"tool_choice": "none"}),
        ({"type": "tool", "name": "f"}, {"tool_choice": {"type": "function", "function": {"name": "f"}}}),
        ({"type": "any", "disable_parallel_tool_use": True}, {"tool_choice": "required", "parallel_tool_calls": False}),
        ({"type": "auto", "disable_parallel_tool_use": False}, {"tool_choice": "auto", "parallel_tool_calls": True}),
    ],
)  # fmt: skip
def test_which_tool_may_be_chosen(choice: dict[str, Any], becomes: dict[str, Any]) -> None:
    out = said(tools=[{"name": "f", "input_schema": SCHEMA}], tool_choice=choice)
    assert {key: out[key] for key in ("tool_choice", "parallel_tool_calls") if key in out} == becomes


def test_a_tool_becomes_a_function() -> None:
    tool = {"name": "f", "description": "d", "input_schema": SCHEMA, "strict": True, "type": "custom",
            "cache_control": {"type": "ephemeral"}, "eager_input_streaming": True, "allowed_callers": ["direct"]}  # fmt: skip
    function = {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
    assert said(tools=[tool])["tools"] == [{"type": "function", "function": function}]


@pytest.mark.parametrize(
    ("title", "name"), [(None, "answer"), ("city", "city"), ("a city", "answer"), (5, "answer")]
)
@pytest.mark.parametrize("older", [False, True], ids=["output_config", "output_format"])
def test_a_format_has_a_name(title: object, name: str, older: bool) -> None:
    schema = SCHEMA if title is None else SCHEMA | {"title": title}
    asked = {"type": "json_schema", "schema": schema}
    body = said(output_format=asked) if older else said(output_config={"format": asked})
    named = {"name": name, "schema": schema, "strict": True}
    assert body["response_format"] == {"type": "json_schema", "json_schema": named}


SIGNED = {"type": "thinking", "thinking": "thoughts", "signature": "c2lnbmVk"}
OURS = {"type": "thinking", "thinking": "thoughts", "signature": "policyd:reasoning_content"}


def test_what_another_server_signed_or_encrypted_stays_behind() -> None:
    """Users of other gateways met servers that refuse each other's signatures once a conversation has changed its model."""
    sealed = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    assert turns(assistant(SIGNED, sealed, text("a"))) == [{"role": "assistant", "content": "a"}]
    assert turns(assistant(SIGNED)) == [{"role": "assistant", "content": ""}]


@pytest.mark.parametrize("key", ["reasoning_content", "reasoning"])
def test_thinking_that_came_from_a_chat_server_goes_back_as_it_came(key: str) -> None:
    ours = OURS | {"signature": f"policyd:{key}"}
    becomes = [{"role": "assistant", "content": "a", key: "thoughtsthoughts"}]
    assert turns(assistant(ours, text("a"), ours)) == becomes


def test_a_mark_that_nobody_gave_is_a_foreign_signature() -> None:
    assert turns(assistant(OURS | {"signature": "policyd:evil"}, text("a"))) == [
        {"role": "assistant", "content": "a"}
    ]


def test_thinking_with_a_mark_does_not_go_to_a_server_that_wants_signatures() -> None:
    messages = [USER, assistant(OURS, text("a")), USER, assistant(OURS), USER, assistant(SIGNED, text("b"))]
    body = {"model": "m", "messages": messages}
    before = copy.deepcopy(body)
    without = without_marked(body)
    assert without is not None and body == before
    assert without["messages"] == [USER, assistant(text("a")), USER, USER, assistant(SIGNED, text("b"))]
    assert without_marked(without) is None


def test_what_claude_code_sends_can_be_said() -> None:
    first = request(first_turn())
    assert isinstance(first, dict)
    assert [m["role"] for m in first["messages"]] == ["system", "user", "system"]
    assert first["reasoning_effort"] == "high" and len(first["tools"]) == 25
    second = request(second_turn())
    assert isinstance(second, dict)
    roles = ["system", "user", "system", "assistant", "tool", "tool", "user"]
    assert [m["role"] for m in second["messages"]] == roles
    assert second["messages"][5]["content"] == "Error: Exit code 2"
    assert "signature" not in json.dumps(second) and "c2lnbmVk" not in json.dumps(second)


def test_a_request_is_not_changed_by_being_said() -> None:
    body = second_turn()
    before = copy.deepcopy(body)
    request(body)
    assert body == before
