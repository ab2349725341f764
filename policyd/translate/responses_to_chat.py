"""A request for OpenAI's responses, said as one for its chat completions.

In comes a parsed body; out goes another, or the `Loss` of what cannot be said. The one idea: both APIs are of one house, so
most keys keep their words; what a server of responses would keep, fetch or run by itself is lost. The table is
`docs/translation.md`.
"""

from typing import Any, Final

from policyd.translate.asking import UNKNOWN, Json, Neutral, asks_nothing
from policyd.translate.loss import Loss, Lost
from policyd.translate.responses_items import messages_of
from policyd.translate.responses_tools import choice_of, tools_of
from policyd.translate.shape import obj, only, some, text, truth, whole_number

__all__ = ["request"]

_KEPT: Final = frozenset({
    "model", "temperature", "top_p", "user", "safety_identifier", "service_tier", "prompt_cache_key", "prompt_cache_retention",
})  # fmt: skip
"""Keys that mean the same in both APIs."""

_SAID: Final = frozenset({
    "input", "instructions", "max_output_tokens", "tools", "tool_choice", "parallel_tool_calls", "text", "reasoning",
    "stream", "stream_options", "include",
})  # fmt: skip

_LEFT_OUT: Final = frozenset({"metadata", "client_metadata", "max_tool_calls", "store"})
"""The first comes back in the answer; the second is what one client tells about itself; the third limits tools that the
server runs, and none is said; the last must be false."""

_NEUTRAL: Final[Neutral] = {
    "background": (False,),
    "conversation": (),
    "previous_response_id": (),
    "prompt": (),
    "context_management": ([],),
    "truncation": ("disabled",),
    "top_logprobs": (0,),
    "moderation": (),
    "image": (),
    "access_programs": (),
    "prompt_cache_options": (),
}

_KNOWN: Final = _KEPT | _SAID | _LEFT_OUT | _NEUTRAL.keys()

_NO_COUNTERPART: Final = "chat completions have nothing like it"

_INCLUDED: Final = frozenset({
    "reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results", "file_search_call.results",
    "code_interpreter_call.outputs", "computer_call_output.output.image_url", "message.input_image.image_url",
})  # fmt: skip
"""What may be asked to be in an answer, of items that are not in one of chat."""


def request(body: dict[str, Any]) -> dict[str, Any] | Loss:
    """The request for a server of chat completions, or what would be lost. `model` stays as it came."""
    try:
        return _said(body)
    except Lost as lost:
        return lost.loss


def _said(body: Json) -> Json:
    only(body, _KNOWN, "", UNKNOWN)
    asks_nothing(body, _NEUTRAL, "", _NO_COUNTERPART)
    if body.get("store") is not False:
        raise Lost(
            "store",
            "a server of responses keeps them unless this is false, and chat completions are not kept",
        )
    out: Json = {"model": text(body.get("model"), "model"), "messages": messages_of(body)}
    out |= {key: body[key] for key in sorted(_KEPT - {"model"}) if some(body, key)}
    if some(body, "max_output_tokens"):
        out["max_tokens"] = whole_number(body["max_output_tokens"], "max_output_tokens")
    out |= _tools(body)
    out |= _text(body.get("text"))
    out |= _reasoning(body.get("reasoning"))
    _included(body.get("include"))
    return out | _streaming(body)


def _tools(body: Json) -> Json:
    tools = tools_of(body.get("tools"))
    choice = choice_of(body.get("tool_choice"))
    if not tools:
        if choice not in (None, "auto", "none"):
            raise Lost("tool_choice", "there is no tool to choose")
        return {}
    out: Json = {"tools": tools}
    if choice is not None:
        out["tool_choice"] = choice
    if some(body, "parallel_tool_calls"):
        out["parallel_tool_calls"] = truth(body["parallel_tool_calls"], "parallel_tool_calls")
    return out


def _text(value: object) -> Json:
    if value is None:
        return {}
    asked = obj(value, "text")
    only(asked, {"format", "verbosity"}, "text", UNKNOWN)
    out = {"verbosity": text(asked["verbosity"], "text.verbosity")} if some(asked, "verbosity") else {}
    match asked.get("format"):
        case None | {"type": "text"}:
            return out
        case {"type": "json_object", **others} if not others:
            return out | {"response_format": {"type": "json_object"}}
        case {"type": "json_schema"}:
            schema = obj(asked["format"], "text.format")
            only(schema, {"type", "name", "description", "schema", "strict"}, "text.format", UNKNOWN)
            obj(schema.get("schema"), "text.format.schema")
            named = {key: value for key, value in schema.items() if value is not None and key != "type"}
            return out | {"response_format": {"type": "json_schema", "json_schema": named}}
    raise Lost("text.format", _NO_COUNTERPART)


def _reasoning(value: object) -> Json:
    """A summary `auto` leaves to the server whether there is one."""
    if value is None:
        return {}
    asked = obj(value, "reasoning")
    neutral: Neutral = {
        "summary": ("auto",),
        "generate_summary": ("auto",),
        "context": ("auto",),
        "mode": ("standard",),
    }
    only(asked, {"effort"} | neutral.keys(), "reasoning", UNKNOWN)
    asks_nothing(asked, neutral, "reasoning", _NO_COUNTERPART)
    return {"reasoning_effort": text(asked["effort"], "reasoning.effort")} if some(asked, "effort") else {}


def _included(value: object) -> None:
    if value is None:
        return
    if not isinstance(value, list):
        raise Lost("include", "not a list")
    for index, asked in enumerate(value):
        if not isinstance(asked, str) or asked not in _INCLUDED:
            raise Lost(f"include[{index}]", "an answer of chat completions cannot include it")


def _streaming(body: Json) -> Json:
    """A stream of responses always ends with its usage, one of chat where that is asked for."""
    if some(body, "stream_options"):
        options = obj(body["stream_options"], "stream_options")
        only(options, {"include_obfuscation"}, "stream_options", UNKNOWN)
        asks_nothing(
            options, {"include_obfuscation": (False,)}, "stream_options", "events are not padded here"
        )
    if not truth(body.get("stream"), "stream"):
        return {}
    return {"stream": True, "stream_options": {"include_usage": True}}
