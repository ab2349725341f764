"""`POST /v1/chat/completions`: a parsed body to its reading."""

from collections.abc import Mapping
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_parts import read_annotations, read_content
from policyd.traffic.parts import encrypted, loose_keys, server_held, thinking
from policyd.traffic.reach import check_cache, is_set
from policyd.traffic.reading import Draft, Flag, Reading
from policyd.traffic.tools import read_functions, read_tools
from policyd.traffic.top_level import read_top_level

__all__ = ["MESSAGE_TOKENS", "asks_for_json", "asks_to_reason", "read_chat"]

MESSAGE_TOKENS: Final = 8
"""What the framing of one message may cost: role, separators, names."""

MESSAGE_KEYS: Final = frozenset({
    "role", "content", "name", "tool_calls", "tool_call_id", "function_call", "refusal", "audio", "annotations",
    "reasoning_content", "reasoning", "reasoning_details", "prefix", "partial", "cache_control", "id", "weight",
})  # fmt: skip

_BARE: Final = frozenset({"role", "content", "name"})
"""What most messages have, and nothing that says more than words."""

DETAIL_KEYS: Final = frozenset({"type", "text", "summary", "signature", "format", "index", "id"})

CALL_KEYS: Final = frozenset({"id", "type", "index", "function", "custom"})

JSON_KEYS: Final = frozenset({
    "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "json_schema", "grammar",
})  # fmt: skip
"""Keys by which model servers are asked to constrain the answer."""

REASONING_KEYS: Final = frozenset(
    {"reasoning_effort", "reasoning", "thinking", "enable_thinking", "thinking_budget"}
)

OUTPUT_LIMITS: Final = ("max_completion_tokens", "max_tokens")


def read_chat(body: Mapping[str, Any]) -> Reading:
    """The reading of a chat completion request."""
    draft = Draft(body)
    read_top_level(draft, EndpointName.CHAT)
    draft.model = draft.text("model")
    if draft.truth("stream"):
        draft.flag(Flag.STREAM, "stream")
    draft.limit_output(*OUTPUT_LIMITS)
    messages = draft.items("messages")
    if not isinstance(body.get("messages"), list):
        draft.wrong_shape("messages", "a list")
    draft.messages = len(messages)
    for index, message in enumerate(messages):
        _message(draft, message, f"messages[{index}]")
    read_tools(draft, body.get("tools"), "tools")
    read_functions(draft, body.get("functions"), "functions")
    prediction = body.get("prediction")
    if isinstance(prediction, dict):
        read_content(draft, prediction.get("content"), "prediction.content")
    asks_for_json(draft, body.get("response_format"), "response_format")
    if not JSON_KEYS.isdisjoint(body):
        for key in sorted(JSON_KEYS & body.keys()):
            if is_set(body[key]):
                draft.flag(Flag.JSON, key)
    asks_to_reason(draft)
    return draft.done()


def asks_for_json(draft: Draft, form: object, place: str) -> None:
    """A response format other than text."""
    if isinstance(form, dict) and form and form.get("type") != "text":
        draft.flag(Flag.JSON, place)
    elif is_set(form) and not isinstance(form, dict):
        draft.wrong_shape(place, "an object with a `type`")


def asks_to_reason(draft: Draft) -> None:
    """The keys by which OpenAI, OpenRouter and model servers turn reasoning on."""
    body = draft.body
    if REASONING_KEYS.isdisjoint(body):
        return
    for key in sorted(REASONING_KEYS & body.keys()):
        value = body[key]
        if isinstance(value, dict):
            off = (
                value.get("type") == "disabled"
                or value.get("enabled") is False
                or value.get("effort") == "none"
            )
            if value and not off:
                draft.flag(Flag.REASONING, key)
        elif is_set(value) and value not in ("none", 0):
            draft.flag(Flag.REASONING, key)


def _message(draft: Draft, message: Any, place: str) -> None:
    if not isinstance(message, dict):
        draft.wrong_shape(place, "an object")
        return
    draft.extra_tokens += MESSAGE_TOKENS
    loose_keys(draft, message, MESSAGE_KEYS, place)
    role = message.get("role")
    if role is not None and not isinstance(role, str):
        draft.wrong_shape(f"{place}.role", "a string")
    read_content(draft, message.get("content"), f"{place}.content")
    if role in ("tool", "function"):
        draft.flag(Flag.TOOLS, place)
    check_cache(draft, message, place)
    if message.keys() <= _BARE:
        return
    if is_set(message.get("function_call")):
        draft.flag(Flag.TOOLS, place)
    calls = message.get("tool_calls")
    if calls is not None:
        _calls(draft, calls, f"{place}.tool_calls")
    if is_set(message.get("annotations")):
        read_annotations(draft, message["annotations"], f"{place}.annotations")
    if is_set(message.get("audio")):
        server_held(draft, f"{place}.audio")
    for key in ("reasoning_content", "reasoning"):
        if is_set(message.get(key)):
            draft.flag(Flag.REASONING, f"{place}.{key}")
    details = message.get("reasoning_details")
    if is_set(details):
        draft.flag(Flag.REASONING, f"{place}.reasoning_details")
        _details(draft, details, f"{place}.reasoning_details")


def _calls(draft: Draft, calls: object, place: str) -> None:
    if not isinstance(calls, list):
        draft.wrong_shape(place, "a list")
        return
    for index, call in enumerate(calls):
        at = f"{place}[{index}]"
        if not isinstance(call, dict):
            draft.wrong_shape(at, "an object")
            continue
        draft.flag(Flag.TOOLS, at)
        draft.extra_tokens += MESSAGE_TOKENS
        loose_keys(draft, call, CALL_KEYS, at)
        for key in ("function", "custom"):
            if isinstance(call.get(key), dict):
                loose_keys(draft, call[key], frozenset({"name", "arguments", "input"}), f"{at}.{key}")


def _details(draft: Draft, details: object, place: str) -> None:
    """OpenRouter's reasoning blocks: text, a summary, or a vendor's encrypted block."""
    if not isinstance(details, list):
        draft.opaque(place)
        return
    for index, block in enumerate(details):
        at = f"{place}[{index}]"
        if isinstance(block, dict) and block.get("type") in ("reasoning.text", "reasoning.summary"):
            loose_keys(draft, block, DETAIL_KEYS, at)
            thinking(draft, block.get("text") or block.get("summary"), block.get("signature"), at)
            continue
        encrypted(draft, block.get("data") if isinstance(block, dict) else block, at)
        draft.opaque(at)
