"""A request of Anthropic messages said as one of OpenAI chat completions.

In comes a parsed body; out goes a body for `/v1/chat/completions`, or the first `Loss`. The one idea: each key is kept, said
otherwise, a hint that may go, or a loss, and a key that is not known is a loss (`docs/translation.md` has the table). The
turns of the conversation are `messages_to_chat_turns`'s, the tools `messages_to_chat_tools`'s. It does not choose the
target's model.
"""

import re
from typing import Any, Final

from policyd.translate.asking import each
from policyd.translate.loss import Loss, Lost
from policyd.translate.messages_to_chat_tools import said_choice, said_tools
from policyd.translate.messages_to_chat_turns import said_turns
from policyd.translate.shape import number, obj, only, some, text, truth, whole_number

__all__ = ["ANSWER_NAME", "MOST_STOPS", "request", "wants_thinking"]

MOST_STOPS: Final = 4
"""Stop sequences that a chat completion may have."""

ANSWER_NAME: Final = "answer"
"""What a JSON schema for the answer is called that has no title of its own; chat completions want a name."""

_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)

_KNOWN: Final = frozenset({
    "model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "tools", "tool_choice",
    "thinking", "output_config", "output_format", "metadata", "service_tier", "speed",
    # Hints: what they ask for is about cost, or shortens what the server reads.
    "cache_control", "context_management",
})  # fmt: skip

_NO_COUNTERPART: Final = "chat completions have no counterpart"
_EFFORTS: Final = ("low", "medium", "high", "xhigh", "max")
_CLEARED: Final = ("clear_thinking_20251015", "clear_tool_uses_20250919")
# Tuples: what a caller wrote may be a list, which no set can be asked for.


def request(body: dict[str, Any]) -> dict[str, Any] | Loss:
    """The request for a server of chat completions, or what would be lost. `model` stays as it came."""
    try:
        return _said(body)
    except Lost as lost:
        return lost.loss


def wants_thinking(body: dict[str, Any]) -> bool:
    """Whether a messages request asks to see what the model thinks. One that does not is answered without: many programs take
    the first block of an answer for its text."""
    thinking = body.get("thinking")
    return (
        isinstance(thinking, dict)
        and thinking.get("type") in ("enabled", "adaptive")
        and thinking.get("display") != "omitted"
    )


def _said(body: dict[str, Any]) -> dict[str, Any]:
    only(body, _KNOWN, "", _NO_COUNTERPART)
    out: dict[str, Any] = {}
    if some(body, "model"):
        out["model"] = text(body["model"], "model")
    out["messages"] = said_turns(body.get("system"), body.get("messages"))
    if some(body, "max_tokens"):
        out["max_tokens"] = whole_number(body["max_tokens"], "max_tokens")
    for key in ("temperature", "top_p"):
        if some(body, key):
            out[key] = number(body[key], key)
    if some(body, "stop_sequences"):
        _stops(body["stop_sequences"], out)
    if some(body, "tools"):
        tools = said_tools(body["tools"])
        if tools:
            out["tools"] = tools
    if some(body, "tool_choice"):
        choice = said_choice(obj(body["tool_choice"], "tool_choice"))
        # Without tools there is nothing to choose, and OpenAI refuses to be told so.
        if "tools" in out or choice["tool_choice"] not in ("auto", "none"):
            out |= choice
    _thinking(body, out)
    _format(body, out)
    _labels(body, out)
    _context(body.get("context_management"))
    if truth(body.get("stream"), "stream"):
        out["stream"] = True
        out["stream_options"] = {"include_usage": True}
    return out


def _stops(value: object, out: dict[str, Any]) -> None:
    if not isinstance(value, list):
        raise Lost("stop_sequences", "not a list")
    if len(value) > MOST_STOPS:
        raise Lost("stop_sequences", f"chat completions have at most {MOST_STOPS}")
    if value:
        out["stop"] = [text(stop, f"stop_sequences[{index}]") for index, stop in enumerate(value)]


def _thinking(body: dict[str, Any], out: dict[str, Any]) -> None:
    """That a model may think goes without saying in chat completions, that it may not is an effort of `none`. The budget is by
    its own documentation a target and no limit (`max_tokens` is the limit), and goes. The effort is said where thinking is
    on, and is a hint about the length of the answer where it is not."""
    thinking = body.get("thinking")
    on = False
    if thinking is not None:
        thinking = obj(thinking, "thinking")
        only(thinking, {"type", "budget_tokens", "display"}, "thinking", _NO_COUNTERPART)
        match thinking.get("type"):
            case "adaptive" | "enabled":
                on = True
            case "disabled":
                out["reasoning_effort"] = "none"
            case _:
                raise Lost("thinking.type", _NO_COUNTERPART)
    config = body.get("output_config")
    if config is None:
        return
    config = obj(config, "output_config")
    only(config, {"effort", "format"}, "output_config", _NO_COUNTERPART)
    effort = config.get("effort")
    if effort is None:
        return
    if on and effort not in _EFFORTS:
        raise Lost("output_config.effort", "chat completions have `low`, `medium`, `high`, `xhigh` and `max`")
    if on:
        out["reasoning_effort"] = effort


def _format(body: dict[str, Any], out: dict[str, Any]) -> None:
    config = body.get("output_config")
    inside = config.get("format") if isinstance(config, dict) else None
    before = body.get("output_format")
    if inside is not None and before is not None:
        raise Lost("output_format", "said twice, here and in `output_config.format`")
    place = "output_config.format" if before is None else "output_format"
    asked = inside if before is None else before
    if asked is None:
        return
    asked = obj(asked, place)
    only(asked, {"type", "schema"}, place, _NO_COUNTERPART)
    if asked.get("type") != "json_schema":
        raise Lost(f"{place}.type", _NO_COUNTERPART)
    schema = obj(asked.get("schema"), f"{place}.schema")
    title = schema.get("title")
    name = title if isinstance(title, str) and _NAME.fullmatch(title) else ANSWER_NAME
    named = {"name": name, "schema": schema, "strict": True}
    out["response_format"] = {"type": "json_schema", "json_schema": named}


def _labels(body: dict[str, Any], out: dict[str, Any]) -> None:
    if some(body, "metadata"):
        metadata = obj(body["metadata"], "metadata")
        only(metadata, {"user_id"}, "metadata", _NO_COUNTERPART)
        if some(metadata, "user_id"):
            out["user"] = text(metadata["user_id"], "metadata.user_id")
    match body.get("service_tier"):
        case None | "auto":
            pass
        case "standard_only":
            out["service_tier"] = "default"
        case _:
            raise Lost("service_tier", _NO_COUNTERPART)
    if body.get("speed") not in (None, "standard"):
        raise Lost("speed", _NO_COUNTERPART)


def _context(value: object) -> None:
    """Clearing old thinking or old results only shortens what the server reads; what is not cleared is still there."""
    if value is None:
        return
    asked = obj(value, "context_management")
    only(asked, {"edits"}, "context_management", _NO_COUNTERPART)
    if asked.get("edits") is None:
        return
    for place, edit in each(asked["edits"], "context_management.edits"):
        if edit.get("type") not in _CLEARED:
            raise Lost(f"{place}.type", _NO_COUNTERPART)
