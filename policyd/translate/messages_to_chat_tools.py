"""The tools of a messages request, and which of them may be chosen, said for chat completions.

The one idea: a tool of the caller's own is a function; a tool that Anthropic defines is one that only its models know.
"""

from typing import Any, Final

from policyd.translate.asking import each
from policyd.translate.loss import Lost
from policyd.translate.shape import obj, only, some, text, truth

__all__ = ["said_choice", "said_tools"]

_KNOWN: Final = frozenset({
    "type", "name", "description", "input_schema", "strict", "allowed_callers", "defer_loading",
    # Hints, about cost and about when a call's arguments are sent.
    "cache_control", "eager_input_streaming",
})  # fmt: skip

_NO_COUNTERPART: Final = "chat completions have no counterpart"


def said_tools(value: object) -> list[dict[str, Any]]:
    return [_tool(tool, place) for place, tool in each(value, "tools")]


def _tool(tool: dict[str, Any], place: str) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):
        raise Lost(f"{place}.type", "a tool that Anthropic defines has no counterpart in chat completions")
    only(tool, _KNOWN, place, _NO_COUNTERPART)
    if tool.get("allowed_callers") not in (None, ["direct"]):
        raise Lost(f"{place}.allowed_callers", _NO_COUNTERPART)
    if truth(tool.get("defer_loading"), f"{place}.defer_loading"):
        raise Lost(f"{place}.defer_loading", _NO_COUNTERPART)
    function: dict[str, Any] = {"name": text(tool.get("name"), f"{place}.name")}
    if some(tool, "description"):
        function["description"] = text(tool["description"], f"{place}.description")
    function["parameters"] = obj(tool.get("input_schema"), f"{place}.input_schema")
    if some(tool, "strict"):
        function["strict"] = truth(tool["strict"], f"{place}.strict")
    return {"type": "function", "function": function}


def said_choice(choice: dict[str, Any]) -> dict[str, Any]:
    """The keys of a chat completion that say which tool may be chosen, and how many at once."""
    only(choice, {"type", "name", "disable_parallel_tool_use"}, "tool_choice", _NO_COUNTERPART)
    out: dict[str, Any] = {}
    match choice.get("type"):
        case "auto":
            out["tool_choice"] = "auto"
        case "any":
            out["tool_choice"] = "required"
        case "none":
            out["tool_choice"] = "none"
        case "tool":
            name = text(choice.get("name"), "tool_choice.name")
            out["tool_choice"] = {"type": "function", "function": {"name": name}}
        case _:
            raise Lost("tool_choice.type", _NO_COUNTERPART)
    if some(choice, "disable_parallel_tool_use"):
        place = "tool_choice.disable_parallel_tool_use"
        out["parallel_tool_calls"] = not truth(choice["disable_parallel_tool_use"], place)
    return out
