"""The words of OpenAI's responses in which an answer of chat completions is said, whole or streamed.

In come the caller's own request and values of the answer; out come the response object and its items. The one idea: both
forms are made of the same pieces, so that a streamed response ends as the whole one would be. Ids are made of the answer's
own, so they are the same whenever it is said.
"""

from typing import Any, Final

from policyd.translate.asking import Json
from policyd.translate.chat_words import tokens
from policyd.translate.loss import Unsayable

__all__ = [
    "call_item",
    "message_item",
    "opened",
    "reasoning_item",
    "refusal_part",
    "status_of",
    "text_part",
    "ended_so",
    "usage_of",
]

_STATUSES: Final = {
    "stop": ("completed", None),
    "tool_calls": ("completed", None),
    "length": ("incomplete", "max_output_tokens"),
    "content_filter": ("incomplete", "content_filter"),
}

_ECHOED: Final = (
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "prompt_cache_key",
    "safety_identifier",
    "user",
)


def opened(asked: dict[str, Any], answer: Json) -> Json:
    """The response before anything of it was said. `answer` is an answer of chat, or its first chunk."""
    created = answer.get("created")
    given = answer.get("id")
    reasoning = asked.get("reasoning") or {}
    out: Json = {
        "id": f"resp_{given if isinstance(given, str) else ''}",
        "object": "response",
        "created_at": created if isinstance(created, int | float) else 0,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
    }
    out |= {key: asked.get(key) for key in _ECHOED}
    return out | {
        "metadata": asked.get("metadata") or {},
        "model": answer["model"] if isinstance(answer.get("model"), str) else asked["model"],
        "output": [],
        "parallel_tool_calls": asked.get("parallel_tool_calls") is not False,
        "previous_response_id": None,
        "reasoning": {"effort": reasoning.get("effort"), "summary": None},
        "service_tier": answer.get("service_tier"),
        "store": False,
        "temperature": 1.0 if asked.get("temperature") is None else asked["temperature"],
        "text": {"format": {"type": "text"}} | (asked.get("text") or {}),
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_logprobs": 0,
        "top_p": 1.0 if asked.get("top_p") is None else asked["top_p"],
        "truncation": "disabled",
        "usage": None,
    }


def status_of(finish: object) -> Json:
    """How the response ended. Raises `Unsayable`."""
    found = _STATUSES.get(finish) if isinstance(finish, str) else None
    if found is None:
        raise Unsayable("the answer ended for a reason that responses have no word for")
    status, reason = found
    return {"status": status, "incomplete_details": None if reason is None else {"reason": reason}}


def ended_so(items: list[Json], status: str) -> list[Json]:
    """The items of a response that ended so: the last of an incomplete one was cut."""
    if status == "completed" or not items:
        return items
    return [*items[:-1], items[-1] | {"status": "incomplete"}]


def usage_of(usage: object) -> Json | None:
    if not isinstance(usage, dict):
        return None
    prompt, completion = tokens(usage, "prompt_tokens"), tokens(usage, "completion_tokens")
    details = (usage.get("prompt_tokens_details"), usage.get("completion_tokens_details"))
    read, written = (value if isinstance(value, dict) else {} for value in details)
    return {
        "input_tokens": prompt,
        "input_tokens_details": {
            "cached_tokens": tokens(read, "cached_tokens"),
            "cache_write_tokens": tokens(read, "cache_write_tokens"),
        },
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": tokens(written, "reasoning_tokens")},
        "total_tokens": prompt + completion,
    }


def reasoning_item(response: str, index: int, words: str) -> Json:
    content = [{"type": "reasoning_text", "text": words}]
    return {
        "id": f"rs_{response}_{index}",
        "type": "reasoning",
        "summary": [],
        "content": content,
        "status": "completed",
    }


def text_part(words: str) -> Json:
    return {"type": "output_text", "annotations": [], "logprobs": [], "text": words}


def refusal_part(words: str) -> Json:
    return {"type": "refusal", "refusal": words}


def message_item(response: str, index: int, parts: list[Json]) -> Json:
    return {
        "id": f"msg_{response}_{index}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": parts,
    }


def call_item(response: str, index: int, call: Json, named: Json) -> Json:
    """`named` are the keys that name the tool; `call` is chat's, with `arguments` or `input`."""
    custom = "input" in call
    item = {
        "id": f"{'ctc' if custom else 'fc'}_{response}_{index}",
        "type": "custom_tool_call" if custom else "function_call",
        "status": "completed",
        "call_id": call["id"],
    }
    key = "input" if custom else "arguments"
    return item | named | {key: call[key]}
