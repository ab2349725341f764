"""Anthropic's thinking on its way through chat, with the signature that lets its server take it back.

In come blocks of thinking, or what a client of chat sends back of them; out come entries of `reasoning_details`, or blocks. The
one idea: chat has a place for it already. OpenRouter's API carries signed thinking in `reasoning_details`, clients send it
back unchanged, and each entry names whose format it is in, so nobody gets a signature that another one made.
"""

from typing import Final

from policyd.translate.asking import UNKNOWN, Json
from policyd.translate.shape import at, only, text

__all__ = ["block_of", "detail_of"]

_FORMAT: Final = "anthropic-claude-v1"
_DETAIL: Final = frozenset({"type", "id", "index", "format", "text", "signature", "summary", "data"})


def detail_of(block: Json, index: int) -> Json:
    """The entry for a block of an answer. `index` is its number among the answer's thoughts."""
    frame = {"format": _FORMAT, "index": index}
    if block["type"] == "thinking":
        return {"type": "reasoning.text", "text": block["thinking"], "signature": block["signature"]} | frame
    return {"type": "reasoning.encrypted", "data": block["data"]} | frame


def block_of(detail: Json, place: str) -> Json | None:
    """The block that an entry came from. None for thinking that has no signature or is in another vendor's format: a server
    of messages takes only what it made itself. Raises `Lost`."""
    only(detail, _DETAIL, place, UNKNOWN)
    if detail.get("format") != _FORMAT:
        return None
    match detail.get("type"):
        case "reasoning.text" if detail.get("signature") is not None:
            words = text(detail.get("text"), at(place, "text"))
            return {
                "type": "thinking",
                "thinking": words,
                "signature": text(detail["signature"], at(place, "signature")),
            }
        case "reasoning.encrypted":
            return {"type": "redacted_thinking", "data": text(detail.get("data"), at(place, "data"))}
    return None
