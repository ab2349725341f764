"""Whose thinking a thinking block holds: the mark that policyd puts where Anthropic puts a signature.

Chat completions have reasoning without a signature, and an Anthropic client sends thinking back only with one. So thinking
that was made of a chat answer carries a mark in that place, which names the key it came under. Later it is said again
under that key to a server of chat completions, and is left out for one that speaks messages, which would refuse a
signature that it did not make. A mark is no proof and grants nothing.
"""

from typing import Any, Final

__all__ = ["BEGIN", "REASONING_KEYS", "key_of_mark", "mark_of", "without_marked"]

BEGIN: Final = "policyd:"
REASONING_KEYS: Final = ("reasoning_content", "reasoning")
"""Under which servers of chat completions give their reasoning; the first that is there counts."""


def mark_of(key: str) -> str:
    return BEGIN + key


def key_of_mark(signature: object) -> str | None:
    """The key of `REASONING_KEYS` that a signature marks, or None: another server made it."""
    if isinstance(signature, str) and signature.startswith(BEGIN):
        key = signature.removeprefix(BEGIN)
        return key if key in REASONING_KEYS else None
    return None


def without_marked(body: dict[str, Any]) -> dict[str, Any] | None:
    """A messages request without the thinking blocks that bear a mark, or None where it has none. A message of which nothing
    would be left is left out too: its model thought and said nothing."""
    messages = body.get("messages")
    if not isinstance(messages, list):
        return None
    out: list[Any] = []
    changed = False
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            kept = [block for block in content if not _is_marked(block)]
            if len(kept) < len(content):
                changed = True
                if kept:
                    out.append({**message, "content": kept})
                continue
        out.append(message)
    return {**body, "messages": out} if changed else None


def _is_marked(block: object) -> bool:
    return (
        isinstance(block, dict)
        and block.get("type") == "thinking"
        and key_of_mark(block.get("signature")) is not None
    )
