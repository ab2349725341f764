"""The messages of a chat request as a system prompt and the turns of Anthropic's messages.

In comes the list `messages`; out come the system prompt's blocks and the turns. The one idea: a turn holds what one side
said before the other answered, so the results of tools that follow each other, and the user's words after them, are one
turn. What Anthropic's API would refuse or read differently raises `Lost`.
"""

import re
from typing import Final

from policyd.translate.arguments import read_arguments
from policyd.translate.asking import UNKNOWN, Json, Neutral, asks_nothing, each
from policyd.translate.loss import Lost
from policyd.translate.shape import at, obj, only, some, text
from policyd.translate.thoughts import block_of

__all__ = ["turns_of"]

_IMAGES: Final = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
_DATA: Final = re.compile(r"data:([a-z]+/[a-z.+-]+);base64,([A-Za-z0-9+/]+={0,2})", re.ASCII)
_ID: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)

_NAMELESS: Final[Neutral] = {"name": ("",)}
_NO_NAME: Final = "a turn of the messages API has no name of its speaker"
_UNSAID: Final[Neutral] = {"audio": (), "function_call": (), "annotations": ([],)}


def turns_of(value: object) -> tuple[list[Json], list[Json]]:
    """The system prompt's blocks and the turns. Raises `Lost`."""
    messages = list(each(value, "messages"))
    start = next((i for i, (_, m) in enumerate(messages) if m.get("role") not in _SYSTEM), len(messages))
    system = [block for place, message in messages[:start] for block in _instructions(message, place)]
    turns: list[Json] = []
    for place, message in messages[start:]:
        _take(turns, message, place)
    if not turns:
        raise Lost("messages", "the messages API needs a turn of the user")
    if turns[-1]["role"] == "assistant":
        raise Lost(
            messages[-1][0],
            "the messages API goes on with an assistant's last turn where chat begins a new one",
        )
    return system, turns


_SYSTEM: Final = ("system", "developer")


def _take(turns: list[Json], message: Json, place: str) -> None:
    match message.get("role"):
        case "user":
            _user(turns, message, place)
        case "assistant":
            turns.append({"role": "assistant", "content": _assistant(message, place)})
        case "tool":
            _result(turns, message, place)
        case "system" | "developer":
            _later_instructions(turns, message, place)
        case _:
            raise Lost(at(place, "role"), "the messages API has no such role")


def _instructions(message: Json, place: str) -> list[Json]:
    only(message, {"role", "content", "name"}, place, UNKNOWN)
    asks_nothing(message, _NAMELESS, place, _NO_NAME)
    return _blocks(message.get("content"), at(place, "content"), images=False)


def _later_instructions(turns: list[Json], message: Json, place: str) -> None:
    """The API takes instructions inside the conversation right after a user's turn, and nowhere else."""
    blocks = _instructions(message, place)
    if not blocks:
        return
    if turns[-1]["role"] == "system":
        turns[-1]["content"] += blocks
    elif turns[-1]["role"] == "user":
        turns.append({"role": "system", "content": blocks})
    else:
        raise Lost(
            place, "the messages API takes instructions inside a conversation only after a user's turn"
        )


def _user(turns: list[Json], message: Json, place: str) -> None:
    only(message, {"role", "content", "name"}, place, UNKNOWN)
    asks_nothing(message, _NAMELESS, place, _NO_NAME)
    content = message.get("content")
    blocks = _blocks(content, at(place, "content"), images=True)
    if not blocks:
        raise Lost(at(place, "content"), "the messages API takes no turn without words")
    if turns and _holds_results(turns[-1]):
        turns[-1]["content"] += blocks
    else:
        turns.append({"role": "user", "content": content if isinstance(content, str) else blocks})


def _holds_results(turn: Json) -> bool:
    return isinstance(turn["content"], list) and turn["content"][-1]["type"] == "tool_result"


def _result(turns: list[Json], message: Json, place: str) -> None:
    only(message, {"role", "content", "tool_call_id", "name"}, place, UNKNOWN)
    if not turns or (turns[-1]["role"] != "assistant" and not _holds_results(turns[-1])):
        raise Lost(place, "this result does not follow the call of a tool")
    asks_nothing(message, {"name": ("", _called(turns, message))}, place, _NO_NAME)
    content = message.get("content")
    if not isinstance(content, str):
        content = _blocks(content, at(place, "content"), images=True)
    call = _id(message.get("tool_call_id"), at(place, "tool_call_id"))
    result = {"type": "tool_result", "tool_use_id": call, "content": content}
    if turns[-1]["role"] == "assistant":
        turns.append({"role": "user", "content": [result]})
    else:
        turns[-1]["content"].append(result)


def _called(turns: list[Json], message: Json) -> str:
    """The name of the tool whose result this is; some clients repeat it."""
    said = turns[-1] if turns[-1]["role"] == "assistant" else turns[-2]
    return next((b["name"] for b in said["content"] if b.get("id") == message.get("tool_call_id")), "")


def _assistant(message: Json, place: str) -> list[Json]:
    only(message, _ASSISTANT, place, UNKNOWN)
    asks_nothing(message, _NAMELESS, place, _NO_NAME)
    asks_nothing(message, _UNSAID, place, "the messages API has nothing like it in an assistant's turn")
    blocks = _thoughts(message, place)
    if some(message, "content"):
        blocks += _blocks(message["content"], at(place, "content"), images=False)
    if some(message, "refusal"):
        blocks += _blocks(message["refusal"], at(place, "refusal"), images=False)
    calls = each(message.get("tool_calls") or [], at(place, "tool_calls"))
    blocks += [_call(call, where) for where, call in calls]
    if not any(block["type"] in {"text", "tool_use"} for block in blocks):
        raise Lost(place, "the messages API takes no turn without words")
    return blocks


_ASSISTANT: Final = frozenset(
    {
        "role",
        "content",
        "name",
        "refusal",
        "tool_calls",
        "reasoning_content",
        "reasoning",
        "reasoning_details",
        *_UNSAID,
    }
)


def _thoughts(message: Json, place: str) -> list[Json]:
    """The thinking that an answer carried with its signature, as it was. Thinking without one is left out: the messages
    API takes none that it cannot verify, and does not need it."""
    for key in ("reasoning_content", "reasoning"):
        if some(message, key):
            text(message[key], at(place, key))
    details = each(message.get("reasoning_details") or [], at(place, "reasoning_details"))
    blocks = (block_of(detail, where) for where, detail in details)
    return [block for block in blocks if block is not None]


def _call(call: Json, place: str) -> Json:
    only(call, {"id", "type", "function", "index"}, place, UNKNOWN)
    if call.get("type", "function") != "function":
        raise Lost(at(place, "type"), "the messages API has calls of functions only")
    function = obj(call.get("function"), at(place, "function"))
    only(function, {"name", "arguments"}, at(place, "function"), UNKNOWN)
    return {
        "type": "tool_use",
        "id": _id(call.get("id"), at(place, "id")),
        "name": text(function.get("name"), at(place, "function.name")),
        "input": read_arguments(function.get("arguments"), at(place, "function.arguments")),
    }


def _id(value: object, place: str) -> str:
    if _ID.fullmatch(text(value, place)) is None:
        raise Lost(place, "the messages API takes letters, digits, `_` and `-` in such an id")
    return str(value)


def _blocks(value: object, place: str, *, images: bool) -> list[Json]:
    """Content as blocks. Words that are only white space are left out: the API refuses such a block."""
    if isinstance(value, str):
        return [{"type": "text", "text": value}] if value.strip() else []
    blocks: list[Json] = []
    for where, part in each(value, place):
        block: Json
        match part.get("type"):
            case "text":
                only(part, {"type", "text", "cache_control"}, where, UNKNOWN)
                block = {"type": "text", "text": text(part.get("text"), at(where, "text"))}
                if not block["text"].strip():
                    continue
            case "refusal":
                only(part, {"type", "refusal"}, where, UNKNOWN)
                block = {"type": "text", "text": text(part.get("refusal"), at(where, "refusal"))}
            case "image_url" if images:
                only(part, {"type", "image_url", "cache_control"}, where, UNKNOWN)
                block = {"type": "image", "source": _source(part.get("image_url"), at(where, "image_url"))}
            case _:
                raise Lost(at(where, "type"), "the messages API has no such part here")
        blocks.append(block | _cache(part, where))
    return blocks


def _cache(part: Json, place: str) -> Json:
    """The mark that some chat clients set for a prompt cache is the one that the messages API has."""
    if not some(part, "cache_control"):
        return {}
    mark = obj(part["cache_control"], at(place, "cache_control"))
    only(mark, {"type", "ttl"}, at(place, "cache_control"), UNKNOWN)
    return {"cache_control": dict(mark)}


def _source(value: object, place: str) -> Json:
    image = obj(value, place)
    only(image, {"url", "detail"}, place, UNKNOWN)
    asks_nothing(image, {"detail": ("auto",)}, place, "the messages API has no levels of detail")
    url = text(image.get("url"), at(place, "url"))
    if url.startswith(("https://", "http://")):
        return {"type": "url", "url": url}
    data = _DATA.fullmatch(url)
    if data is None or data[1] not in _IMAGES:
        raise Lost(at(place, "url"), "the messages API takes JPEG, PNG, GIF and WebP in base64, and URLs")
    return {"type": "base64", "media_type": data[1], "data": data[2]}
