"""`POST /v1/completions` and `POST /v1/embeddings`: a parsed body to its reading.

Both take a string, a list of strings, or tokens that stand for text. Token ids are opaque: which text they mean depends
on the target's tokenizer.
"""

from collections.abc import Mapping
from typing import Any

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_chat import JSON_KEYS, MESSAGE_TOKENS, asks_for_json, asks_to_reason
from policyd.traffic.openai_parts import read_content
from policyd.traffic.parts import loose_keys
from policyd.traffic.reach import is_set
from policyd.traffic.reading import Draft, Flag, Reading
from policyd.traffic.tools import read_tools
from policyd.traffic.top_level import read_top_level

__all__ = ["read_completions", "read_embeddings"]


def read_completions(body: Mapping[str, Any]) -> Reading:
    """The reading of a text completion request."""
    draft = Draft(body)
    read_top_level(draft, EndpointName.COMPLETIONS)
    draft.model = draft.text("model")
    if draft.truth("stream"):
        draft.flag(Flag.STREAM, "stream")
    draft.limit_output("max_tokens", "max_completion_tokens")
    _texts(draft, "prompt")
    draft.text("suffix") if body.get("suffix") is not None else ""
    asks_for_json(draft, body.get("response_format"), "response_format")
    for key in sorted(JSON_KEYS & body.keys()):
        if is_set(body.get(key)):
            draft.flag(Flag.JSON, key)
    asks_to_reason(draft)
    read_tools(draft, body.get("tools"), "tools")
    return draft.done()


def read_embeddings(body: Mapping[str, Any]) -> Reading:
    """The reading of an embeddings request. It has no answer in tokens. `messages` is a model server's chat form of it."""
    draft = Draft(body)
    read_top_level(draft, EndpointName.EMBEDDINGS, "messages")
    draft.model = draft.text("model")
    if draft.truth("stream"):
        draft.flag(Flag.STREAM, "stream")
    draft.max_output = 0
    _texts(draft, "input")
    read_tools(draft, body.get("tools"), "tools")
    for index, message in enumerate(draft.items("messages")):
        if isinstance(message, dict):
            loose_keys(draft, message, frozenset({"role", "content", "name"}), f"messages[{index}]")
            read_content(draft, message.get("content"), f"messages[{index}].content")
            draft.messages += 1
        else:
            draft.wrong_shape(f"messages[{index}]", "an object")
    return draft.done()


def _texts(draft: Draft, key: str) -> None:
    value = draft.body.get(key)
    if value is None or isinstance(value, str):
        draft.messages = 0 if value is None else 1
        return
    if not isinstance(value, list):
        if isinstance(value, dict):
            draft.opaque(key)
            draft.uncountable()
            draft.messages = 1
        else:
            draft.wrong_shape(key, "a string or a list")
        return
    tokens = sum(1 for item in value if isinstance(item, int) and not isinstance(item, bool))
    if value and tokens == len(value):
        draft.opaque(key)
        draft.messages = 1
        draft.extra_tokens += tokens
        return
    draft.messages = len(value)
    for index, item in enumerate(value):
        _one_text(draft, item, f"{key}[{index}]")


def _one_text(draft: Draft, item: object, place: str) -> None:
    draft.extra_tokens += MESSAGE_TOKENS
    if isinstance(item, str):
        return
    if isinstance(item, list):
        draft.opaque(place)
        draft.extra_tokens += len(item)
    elif isinstance(item, dict):
        draft.opaque(place)
        draft.uncountable()
        if isinstance(item.get("content"), list):
            read_content(draft, item["content"], f"{place}.content")
    elif isinstance(item, int) and not isinstance(item, bool):
        draft.opaque(place)
        draft.extra_tokens += 1
    else:
        draft.wrong_shape(place, "a string or a list of tokens")
