"""The input of a responses request as the messages of a chat completion.

In come `instructions` and `input`; out come messages. The one idea: what the model said between two inputs (reasoning, words,
calls) are items of their own there and one message here, and each call's result is a message right behind it.
"""

from typing import Any, Final

from policyd.translate.asking import UNKNOWN, Json, Neutral, asks_nothing, each
from policyd.translate.loss import Lost
from policyd.translate.responses_tools import flat
from policyd.translate.shape import at, only, some, text

__all__ = ["messages_of"]

_NO_COUNTERPART: Final = "chat completions have nothing like it"
_LABELS: Final = frozenset({"type", "id", "status"})
"""Names and states that the server gave its items. They say nothing to a model."""

_OUTPUTS: Final = ("function_call_output", "custom_tool_call_output")

_CALL: Final[Neutral] = {"caller": ({"type": "direct"},), "async": (False,)}


def messages_of(body: dict[str, Any]) -> list[Json]:
    """Raises `Lost`."""
    out: list[Json] = []
    if some(body, "instructions"):
        out.append({"role": "system", "content": text(body["instructions"], "instructions")})
    given = body.get("input")
    if isinstance(given, str):
        return [*out, {"role": "user", "content": given}]
    images: list[Json] = []
    for place, item in each(given, "input"):
        if item.get("type") in _OUTPUTS:
            images += _output(out, item, place)
            continue
        _show(out, images)
        _take(out, item, place)
    _show(out, images)
    _complete(out)
    return _joined(out)


def _take(out: list[Json], item: Json, place: str) -> None:
    match item.get("type", "message"):
        case "message":
            _message(out, item, place)
        case "reasoning":
            _reasoning(out, item, place)
        case "function_call":
            only(item, _LABELS | {"call_id", "name", "arguments", "namespace"} | _CALL.keys(), place, UNKNOWN)
            _call(out, item, "function", "arguments", place)
        case "custom_tool_call":
            only(item, _LABELS | {"call_id", "name", "input", "namespace"} | _CALL.keys(), place, UNKNOWN)
            _call(out, item, "custom", "input", place)
        case _:
            raise Lost(at(place, "type"), "chat completions have no such item")


def _message(out: list[Json], item: Json, place: str) -> None:
    only(item, _LABELS | {"role", "content", "phase"}, place, UNKNOWN)
    asks_nothing(item, {"phase": ()}, place, _NO_COUNTERPART)
    where = at(place, "content")
    match item.get("role"):
        case "system" | "developer":
            out.append({"role": "system", "content": _parts(item.get("content"), where, images=False)})
        case "user":
            out.append({"role": "user", "content": _parts(item.get("content"), where, images=True)})
        case "assistant":
            _said(out, item, where)
        case _:
            raise Lost(at(place, "role"), "chat completions have no such role")


def _said(out: list[Json], item: Json, place: str) -> None:
    """The words of the model. A message that has words already is another one, unless calls are in it, behind which nothing
    but their results may stand."""
    content = item.get("content")
    refusals = []
    if isinstance(content, list):
        refusals = [part for part in content if isinstance(part, dict) and part.get("type") == "refusal"]
        content = [part for part in content if part not in refusals]
    message = _open(out, another=lambda last: _speaks(last) and "tool_calls" not in last)
    parts = _listed(message["content"]) + _listed(_parts(content, place, images=False))
    message["content"] = _shortest(parts) if parts else None
    for refusal in refusals:
        only(refusal, {"type", "refusal"}, place, UNKNOWN)
        message["refusal"] = message.get("refusal", "") + text(refusal.get("refusal"), at(place, "refusal"))


def _speaks(message: Json) -> bool:
    return message["content"] is not None or "refusal" in message


def _open(out: list[Json], *, another: Any) -> Json:
    """The message in which the model speaks."""
    if not out or out[-1]["role"] != "assistant" or another(out[-1]):
        out.append({"role": "assistant", "content": None})
    return out[-1]


def _reasoning(out: list[Json], item: Json, place: str) -> None:
    """Reasoning in words stays with what followed from it. What is encrypted only its own server can read."""
    only(item, _LABELS | {"summary", "content", "encrypted_content"}, place, UNKNOWN)
    asks_nothing(item, {"encrypted_content": ("",)}, place, "only the server that encrypted this can read it")
    words = ""
    for key, kind in (("content", "reasoning_text"), ("summary", "summary_text")):
        for where, part in each(item.get(key) or [], at(place, key)):
            only(part, {"type", "text"}, where, UNKNOWN)
            if part.get("type") != kind:
                raise Lost(at(where, "type"), _NO_COUNTERPART)
            words += text(part.get("text"), at(where, "text"))
    if words:
        message = _open(out, another=lambda last: _speaks(last) and "tool_calls" not in last)
        message["reasoning_content"] = message.get("reasoning_content", "") + words


def _call(out: list[Json], item: Json, kind: str, key: str, place: str) -> None:
    asks_nothing(item, _CALL, place, _NO_COUNTERPART)
    called = {
        "name": flat(item.get("name"), item.get("namespace"), at(place, "name")),
        key: text(item.get(key), at(place, key)),
    }
    message = _open(out, another=lambda _: False)
    call = {"id": text(item.get("call_id"), at(place, "call_id")), "type": kind, kind: called}
    message.setdefault("tool_calls", []).append(call)


def _output(out: list[Json], item: Json, place: str) -> list[Json]:
    """The result becomes a message, in which chat takes no image: a label stands there for it, and stands again before the
    image, which is given back for the message behind all results."""
    only(item, _LABELS | {"call_id", "output"} | _CALL.keys(), place, UNKNOWN)
    asks_nothing(item, _CALL, place, _NO_COUNTERPART)
    if not out or (out[-1]["role"] != "tool" and "tool_calls" not in out[-1]):
        raise Lost(place, "this result does not follow the call of a tool")
    content = _parts(item.get("output"), at(place, "output"), images=True)
    call = text(item.get("call_id"), at(place, "call_id"))
    images: list[Json] = []
    if isinstance(content, list):
        for index, part in enumerate(content):
            if part["type"] == "image_url":
                label = {"type": "text", "text": f"[image {index + 1} of {call}]"}
                images += (label, part)
                content[index] = label
        content = _shortest(content)
    out.append({"role": "tool", "tool_call_id": call, "content": content})
    return images


def _show(out: list[Json], images: list[Json]) -> None:
    """The images of results, once no other result follows."""
    if images:
        out.append({"role": "user", "content": list(images)})
        images.clear()


def _parts(value: object, place: str, *, images: bool) -> str | list[Json]:
    if isinstance(value, str):
        return value
    parts = []
    for where, part in each(value, place):
        match part.get("type"):
            case "input_text" | "output_text":
                only(part, {"type", "text", "annotations", "logprobs"}, where, UNKNOWN)
                asks_nothing(part, {"annotations": ([],)}, where, _NO_COUNTERPART)
                parts.append({"type": "text", "text": text(part.get("text"), at(where, "text"))})
            case "input_image" if images:
                parts.append(_image(part, where))
            case _:
                raise Lost(at(where, "type"), "chat completions have no such part here")
    return _shortest(parts)


def _image(part: Json, place: str) -> Json:
    only(part, {"type", "image_url", "detail"}, place, UNKNOWN)
    image = {"url": text(part.get("image_url"), at(place, "image_url"))}
    if some(part, "detail"):
        image["detail"] = text(part["detail"], at(place, "detail"))
    return {"type": "image_url", "image_url": image}


def _shortest(parts: list[Json]) -> str | list[Json]:
    """One text as a string, which every server takes; more stay apart, as they came."""
    if len(parts) == 1 and parts[0]["type"] == "text":
        return str(parts[0]["text"])
    return parts or ""


def _listed(content: str | list[Json] | None) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return content or []


def _complete(out: list[Json]) -> None:
    for message in out:
        if message["role"] == "assistant" and not _speaks(message) and "tool_calls" not in message:
            raise Lost("input", "chat completions take no reasoning without anything after it")
    if out and out[-1]["role"] == "assistant":
        raise Lost("input", "chat completions differ in how they take an answer that was begun")


def _joined(out: list[Json]) -> list[Json]:
    """Instructions that follow each other at the start are one message of several parts: many models' templates take a single
    one."""
    start = next((i for i, message in enumerate(out) if message["role"] != "system"), len(out))
    if start < 2:
        return out
    parts = [part for message in out[:start] for part in _listed(message["content"])]
    return [{"role": "system", "content": _shortest(parts)}, *out[start:]]
