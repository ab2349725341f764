"""Requests of the shape that Claude Code sends, with words of our own: three system blocks of which the first is a label, a
system message inside the conversation, thinking, hints about caches and context, many tools, and results with an image.
"""

from typing import Any

__all__ = ["first_turn", "second_turn"]

_CACHED = {"cache_control": {"type": "ephemeral"}}
_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def _tool(index: int, size: int) -> dict[str, Any]:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {"path": {"type": "string", "description": "an absolute path"}},
        "required": ["path"],
        "additionalProperties": False,
    }
    return {"name": f"Tool{index}", "description": f"tool {index} " + "words " * size, "input_schema": schema}


def first_turn(*, tools: int = 25, words: int = 400, **more: Any) -> dict[str, Any]:
    """About 64 KB of tools."""
    return {
        "model": "some-model",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<system-reminder>\nthe date is known\n</system-reminder>"},
                    {"type": "text", "text": "say hi", **_CACHED},
                ],
            },
            {"role": "system", "content": "Available agents: one that reads."},
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli;"},
            {"type": "text", "text": "You are an agent.", **_CACHED},
            {"type": "text", "text": "\nYou help with software.", **_CACHED},
        ],
        "tools": [_tool(index, words) for index in range(tools)],
        "metadata": {"user_id": '{"device_id":"0123","session_id":"4567"}'},
        "max_tokens": 64000,
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": True,
    } | more


def second_turn(*, signature: str = "c2lnbmVk", **more: Any) -> dict[str, Any]:
    """The results of two calls, of which one is an image and one failed, in another order than the calls."""
    body = first_turn(**more)
    body["messages"] += [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "I think so.", "signature": signature},
                {"type": "text", "text": "Let me look."},
                {"type": "tool_use", "id": "toolu_01", "name": "Tool0", "input": {"path": "/a"}},
                {"type": "tool_use", "id": "toolu_02", "name": "Tool1", "input": {"path": "/b.png"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "tool_use_id": "toolu_02",
                    "type": "tool_result",
                    "content": [
                        {
                            "type": "image",
                            "source": {"type": "base64", "media_type": "image/png", "data": _PIXEL},
                        }
                    ],
                },
                {
                    "type": "tool_result",
                    "content": "Exit code 2",
                    "is_error": True,
                    "tool_use_id": "toolu_01",
                    **_CACHED,
                },
            ],
        },
    ]
    return body
