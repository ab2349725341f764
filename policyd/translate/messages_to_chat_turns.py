"""The turns of a messages request, its system prompt first, said as the messages of a chat completion.

The one idea: what stands in one message there stands in several here (each tool result is a message of its own), and never
in another order: where the order would change, that is a loss. Signatures and encrypted thinking stay behind, because only
the server that made them can read them; so does thinking that another server signed.
"""

from typing import Any, Final, TypeAlias

import orjson

from policyd.translate.asking import each
from policyd.translate.loss import Lost
from policyd.translate.marks import key_of_mark
from policyd.translate.shape import obj, only, some, text, truth

__all__ = ["FAILED", "said_turns"]

FAILED: Final = "Error: "
"""What the result of a tool that failed begins with; chat completions have no other word for it."""

_Part: TypeAlias = dict[str, Any]
_Said: TypeAlias = list[dict[str, Any]]

_NO_COUNTERPART: Final = "chat completions have no counterpart"
_MESSAGE: Final = frozenset({"role", "content"})
_TEXT: Final = frozenset({"type", "text", "cache_control", "citations"})
_IMAGE: Final = frozenset({"type", "source", "cache_control"})
_TOOL_USE: Final = frozenset({"type", "id", "name", "input", "cache_control", "caller"})
_TOOL_RESULT: Final = frozenset({"type", "tool_use_id", "content", "is_error", "cache_control"})
_THINKING: Final = frozenset({"type", "thinking", "signature", "cache_control"})
_REDACTED: Final = frozenset({"type", "data", "cache_control"})


def said_turns(system: object, turns: object) -> _Said:
    """The messages of the chat completion. Raises `Lost`."""
    out: _Said = []
    if system not in (None, "", []):
        out.append(_system(system, "system"))
    last = ""
    for place, message in each(turns, "messages"):
        only(message, _MESSAGE, place, _NO_COUNTERPART)
        content = message.get("content")
        match message.get("role"):
            case "user":
                _user(content, f"{place}.content", out)
            case "assistant":
                out.append(_assistant(content, f"{place}.content"))
            case "system":
                if out and "tool_calls" in out[-1]:
                    raise Lost(
                        place, "in chat completions nothing stands between calls of tools and their results"
                    )
                out.append(_system(content, f"{place}.content"))
            case _:
                raise Lost(f"{place}.role", _NO_COUNTERPART)
        if message["role"] != "system":
            last = place if message["role"] == "assistant" else ""
    if last:
        raise Lost(last, "an answer that was begun is not continued by chat completions")
    return out


def _system(content: object, place: str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "system", "content": content}
    parts = [_text_part(block, here) for here, block in each(content, place)]
    return {"role": "system", "content": _shortest(parts)}


def _shortest(parts: list[_Part]) -> str | list[_Part]:
    """One text as a string, which every server takes; more stay apart, as they came."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0]["type"] == "text":
        said: str = parts[0]["text"]
        return said
    return parts


def _text_part(block: dict[str, Any], place: str) -> _Part:
    if block.get("type") != "text":
        raise Lost(f"{place}.type", "chat completions have no such content here")
    cited = block.get("citations")
    if cited is not None and cited != []:
        raise Lost(f"{place}.citations", _NO_COUNTERPART)
    only(block, _TEXT, place, _NO_COUNTERPART)
    return {"type": "text", "text": text(block.get("text"), f"{place}.text")}


def _image_part(block: dict[str, Any], place: str) -> _Part:
    only(block, _IMAGE, place, _NO_COUNTERPART)
    place = f"{place}.source"
    source = obj(block.get("source"), place)
    match source.get("type"):
        case "base64":
            only(source, {"type", "media_type", "data"}, place, _NO_COUNTERPART)
            media = text(source.get("media_type"), f"{place}.media_type")
            data = text(source.get("data"), f"{place}.data")
            return {"type": "image_url", "image_url": {"url": f"data:{media};base64,{data}"}}
        case "url":
            only(source, {"type", "url"}, place, _NO_COUNTERPART)
            return {"type": "image_url", "image_url": {"url": text(source.get("url"), f"{place}.url")}}
        case _:
            raise Lost(f"{place}.type", _NO_COUNTERPART)


def _user(content: object, place: str, out: _Said) -> None:
    """Results of tools first, a message each, as they must follow the calls at once; then what else there is."""
    if isinstance(content, str):
        out.append({"role": "user", "content": content})
        return
    moved: list[_Part] = []
    parts: list[_Part] = []
    results = False
    for here, block in each(content, place):
        match block.get("type"):
            case "tool_result":
                if parts:
                    raise Lost(here, "in chat completions nothing stands before the results of tools")
                results = True
                out.append(_tool_result(block, here, moved))
            case "image":
                parts.append(_image_part(block, here))
            case _:
                parts.append(_text_part(block, here))
    if moved:
        out.append({"role": "user", "content": moved + parts})
    elif parts or not results:
        out.append({"role": "user", "content": _shortest(parts)})


def _tool_result(block: dict[str, Any], place: str, moved: list[_Part]) -> dict[str, Any]:
    """The message of one result. Its images go to `moved`, for the message behind, as only text may stand here; a label says
    in both places where they belong."""
    only(block, _TOOL_RESULT, place, _NO_COUNTERPART)
    call = text(block.get("tool_use_id"), f"{place}.tool_use_id")
    failed = truth(block.get("is_error"), f"{place}.is_error")
    content = block.get("content")
    if content is None or isinstance(content, str):
        said: str | list[_Part] = (FAILED if failed else "") + (content or "")
        return {"role": "tool", "tool_call_id": call, "content": said}
    parts: list[_Part] = []
    for here, inner in each(content, f"{place}.content"):
        if inner.get("type") == "image":
            label = {"type": "text", "text": f"[image {len(parts) + 1} of {call}]"}
            parts.append(label)
            moved += (label, _image_part(inner, here))
        else:
            parts.append(_text_part(inner, here))
    if failed and (not parts or len(parts) > 1):
        parts.insert(0, {"type": "text", "text": FAILED})
    elif failed:
        parts = [{"type": "text", "text": FAILED + parts[0]["text"]}]
    return {"role": "tool", "tool_call_id": call, "content": _shortest(parts)}


def _assistant(content: object, place: str) -> dict[str, Any]:
    if isinstance(content, str):
        return {"role": "assistant", "content": content}
    parts: list[_Part] = []
    calls: list[dict[str, Any]] = []
    reasoning: dict[str, str] = {}
    for here, block in each(content, place):
        match block.get("type"):
            case "tool_use":
                calls.append(_call(block, here))
            case "thinking":
                _thinking(block, here, reasoning)
            case "redacted_thinking":
                only(block, _REDACTED, here, _NO_COUNTERPART)
            case _:
                if calls:
                    raise Lost(here, "in chat completions nothing stands behind the calls of tools")
                parts.append(_text_part(block, here))
    out: dict[str, Any] = {"role": "assistant", "content": _shortest(parts) if parts or not calls else None}
    if calls:
        out["tool_calls"] = calls
    return out | reasoning


def _call(block: dict[str, Any], place: str) -> dict[str, Any]:
    if block.get("caller") not in (None, {"type": "direct"}):
        raise Lost(f"{place}.caller", _NO_COUNTERPART)
    only(block, _TOOL_USE, place, _NO_COUNTERPART)
    arguments = orjson.dumps(obj(block.get("input"), f"{place}.input")).decode()
    function = {"name": text(block.get("name"), f"{place}.name"), "arguments": arguments}
    return {"id": text(block.get("id"), f"{place}.id"), "type": "function", "function": function}


def _thinking(block: dict[str, Any], place: str, reasoning: dict[str, str]) -> None:
    only(block, _THINKING, place, _NO_COUNTERPART)
    key = key_of_mark(block.get("signature"))
    if key is not None and some(block, "thinking"):
        reasoning[key] = reasoning.get(key, "") + text(block["thinking"], f"{place}.thinking")
