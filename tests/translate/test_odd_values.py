"""Whatever stands where a value should: a request is said, or something would be lost; an answer is said, or cannot be."""

import copy
from collections.abc import Iterator
from typing import Any, Final

import pytest

from policyd.translate.directions import DIRECTIONS
from policyd.translate.loss import Loss, Unsayable

BASES: Final[dict[str, dict[str, Any]]] = {
    "messages": {
        "model": "m",
        "max_tokens": 10,
        "system": [{"type": "text", "text": "s", "cache_control": {"type": "ephemeral"}}],
        "thinking": {"type": "adaptive", "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {}}},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "u"},
        "tools": [{"name": "t", "description": "d", "input_schema": {"type": "object"}}],
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": True},
        "stop_sequences": ["x"],
        "temperature": 1,
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": "aGk="},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "tool_use", "id": "a", "name": "t", "input": {}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "a",
                        "content": [{"type": "text", "text": "r"}],
                        "is_error": False,
                    }
                ],
            },
        ],
    },
    "chat": {
        "model": "m",
        "max_tokens": 10,
        "reasoning_effort": "high",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {}}},
        "tools": [
            {
                "type": "function",
                "function": {"name": "t", "description": "d", "parameters": {"type": "object"}},
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "stop": ["x"],
        "stream": True,
        "stream_options": {"include_usage": True},
        "user": "u",
        "messages": [
            {"role": "system", "content": "s"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                ],
            },
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "a", "type": "function", "function": {"name": "t", "arguments": "{}"}}],
            },
            {"role": "tool", "tool_call_id": "a", "content": "r"},
        ],
    },
    "responses": {
        "model": "m",
        "max_output_tokens": 10,
        "store": False,
        "instructions": "i",
        "reasoning": {"effort": "high", "summary": "auto"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {}}},
        "include": ["reasoning.encrypted_content"],
        "tools": [
            {
                "type": "function",
                "name": "t",
                "description": "d",
                "parameters": {"type": "object"},
                "strict": False,
            }
        ],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
            {"type": "function_call", "call_id": "a", "name": "t", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "a", "output": "r"},
        ],
    },
}

ODD: Final = (
    None, True, 0, -1, 1.5, 10**20, "", "x", [], {}, [[]], [{}], ["a"], {"type": []}, {"type": {}}, {"type": None},
)  # fmt: skip


def places(value: object, before: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if before:
        yield before
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in inside:
        yield from places(inner, (*before, key))


def with_odd_values(base: dict[str, Any]) -> Iterator[tuple[object, dict[str, Any]]]:
    """The same with each odd value at each place, and where that is."""
    for place in places(base):
        for odd in ODD:
            body = copy.deepcopy(base)
            inner: Any = body
            for key in place[:-1]:
                inner = inner[key]
            inner[place[-1]] = odd
            yield (place, odd), body


@pytest.mark.parametrize("endpoint", BASES)
def test_any_value_at_any_place_is_said_or_a_loss(endpoint: str) -> None:
    assert not isinstance(DIRECTIONS[endpoint].request(BASES[endpoint]), Loss)
    tried = 0
    for where, body in with_odd_values(BASES[endpoint]):
        assert isinstance(DIRECTIONS[endpoint].request(body), dict | Loss), where
        tried += 1
    assert tried > 300


CHAT: Final[dict[str, Any]] = {
    "id": "a", "object": "chat.completion", "model": "m",
    "choices": [{
        "index": 0,
        "message": {
            "role": "assistant", "content": "x", "reasoning_content": "r",
            "tool_calls": [{"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        },
        "finish_reason": "tool_calls",
    }],
    "usage": {"prompt_tokens": 1, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 1}},
}  # fmt: skip
MESSAGE: Final[dict[str, Any]] = {
    "id": "a", "type": "message", "role": "assistant", "model": "m",
    "content": [
        {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "x"},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    ],
    "stop_reason": "tool_use", "stop_sequence": None, "usage": {"input_tokens": 1, "output_tokens": 2},
}  # fmt: skip


@pytest.mark.parametrize("endpoint", BASES)
def test_any_value_in_an_answer_is_said_or_cannot_be(endpoint: str) -> None:
    direction, asked = DIRECTIONS[endpoint], BASES[endpoint]
    answer = CHAT if direction.into == "chat" else MESSAGE
    assert isinstance(direction.whole(answer, asked), dict)
    tried = 0
    for _, body in with_odd_values(answer):
        try:
            direction.whole(body, asked)
        except Unsayable:
            tried += 1
    assert tried > 10
