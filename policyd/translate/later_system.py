"""System messages inside a conversation, said as the user's, for a server whose template refuses them there.

In come the messages of a chat completion; out come messages of which only the first ones are the system's. Many templates
raise an error for a later one, and clients send them. It is the deployment's choice, because a model heeds a user less.
"""

from typing import Any, Final

__all__ = ["REMINDER", "as_users"]

REMINDER: Final = ("<system-reminder>\n", "\n</system-reminder>")
"""What stands around such words; clients that cannot send system messages inside a conversation write them so."""

_SYSTEM: Final = frozenset({"system", "developer"})


def as_users(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """New messages where one had to be said otherwise. Messages of the user that would then follow each other become one, as
    templates that want turns by turns demand."""
    start = next((i for i, m in enumerate(messages) if m["role"] not in _SYSTEM), len(messages))
    if all(message["role"] not in _SYSTEM for message in messages[start:]):
        return messages
    out = messages[:start]
    joined = False
    for message in messages[start:]:
        later = message["role"] in _SYSTEM
        said: dict[str, Any] = message
        if later:
            said = {"role": "user", "content": _reminding(message["content"])}
        if (later or joined) and said["role"] == "user" and out[-1]["role"] == "user" and len(out) > start:
            out[-1] = {**out[-1], "content": _parts(out[-1]["content"]) + _parts(said["content"])}
            joined = True
        else:
            out.append(said)
            joined = later
    return out


def _parts(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _reminding(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": part["text"].join(REMINDER)} for part in _parts(content)]
