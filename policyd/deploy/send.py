"""`[targets.NAME.send]`: keys that every request to a target carries, whoever sent it.

In: the table as TOML read it. Out: its keys with their values as JSON, or a `PydanticCustomError` that names the key. The
one idea: by these keys a target that sends requests on is told to keep nothing and to go nowhere else (`provider.zdr`,
`data_collection`, `allow_fallbacks`), so they are what the deployment says and nothing of what the policy decided about:
no content, no model, nothing that makes the server keep, fetch or search.
"""

import json
import re
from math import isfinite
from typing import Any, Final

from pydantic_core import PydanticCustomError

__all__ = ["DECIDED", "ONLY_OFF", "send_table"]

DECIDED: Final = frozenset({
    "annotations", "audio", "cache_control", "content", "context", "file_data", "file_id", "file_url", "function_call", "functions",
    "grammar", "guided_choice", "guided_grammar", "guided_json", "guided_regex", "image_url", "include", "input", "instructions",
    "json_schema", "max_completion_tokens", "max_output_tokens", "max_tokens", "messages", "model", "n", "output_config",
    "output_format", "parallel_tool_calls", "prediction", "prompt", "prompt_cache_options", "prompt_cache_retention", "reasoning",
    "reasoning_effort", "response_format", "role", "signature", "source", "stop", "stop_sequences", "stream", "stream_options",
    "structured_outputs", "suffix", "system", "text", "thinking", "tool_choice", "tools", "type", "url",
})  # fmt: skip
"""Keys that hold a request's content, or that the policy's features are read from."""

ONLY_OFF: Final = frozenset({
    "adapter_id", "assistant_id", "audio_data", "audio_url", "audios", "background", "cache", "cachedContent", "cached_content",
    "caching", "chat_template", "compound_custom", "container", "conversation", "conversation_id", "documents",
    "enable_code_interpreter", "enable_search", "file", "file_ids", "files", "image_data", "image_urls", "images", "input_embeds",
    "input_ids", "mcp_servers", "mm_data", "multimodal_data", "plugins", "previous_response_id", "prompt_embeds",
    "prompt_token_ids", "search_options", "search_parameters", "search_settings", "session_id", "session_params", "store",
    "template", "thread", "thread_id", "token_ids", "transforms", "vector_store_ids", "video_data", "video_url", "videos",
    "web_search", "web_search_options",
})  # fmt: skip
"""Keys by which a server keeps, fetches or reads something else. They may be declared as `false` or `[]`."""

_KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_DEEPEST: Final = 8
_LONGEST: Final = 16 * 1024


def send_table(value: Any) -> tuple[tuple[str, str], ...]:
    """Top-level keys of a body with their JSON, in the order they were written."""
    if not isinstance(value, dict):
        raise _wrong("`send` is a table of the keys that every request to this target carries")
    return tuple((key, _json_of(key, item)) for key, item in value.items())


def _json_of(key: str, value: Any) -> str:
    if not _KEY.fullmatch(key):
        raise _wrong("a key of `send` has letters, digits, `_` and `-`")
    if key in DECIDED:
        raise _wrong(
            f"`{key}` is what the client says and the policy decides about; it cannot be declared here"
        )
    if key in ONLY_OFF and value is not False and value != [] and not _only_less(key, value):
        raise _wrong(
            f"`{key}` would have the server keep, fetch or read more: only `false` or `[]` can be declared"
        )
    _plain(key, value, 1)
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    if len(text) > _LONGEST:
        raise _wrong(f"`{key}` is longer than {_LONGEST} bytes")
    return text


def _only_less(key: str, value: Any) -> bool:
    """LiteLLM's way to be told to keep nothing: `cache = { no-store = true }`."""
    return (
        key in ("cache", "caching")
        and isinstance(value, dict)
        and bool(value)
        and all(name.startswith("no-") and said is True for name, said in value.items())
    )


def _plain(key: str, value: Any, depth: int) -> None:
    """TOML also has dates, `nan` and `inf`, which JSON has not."""
    if depth > _DEEPEST:
        raise _wrong(f"`{key}` is more than {_DEEPEST} levels deep")
    match value:
        case dict():
            for item in value.values():
                _plain(key, item, depth + 1)
        case list():
            for item in value:
                _plain(key, item, depth + 1)
        case float() if not isfinite(value):
            raise _wrong(f"`{key}` holds a number that JSON does not have")
        case int() if not isinstance(value, bool) and abs(value) >= 2**53:
            raise _wrong(f"`{key}` holds a number that servers do not read alike: write one below 2^53")
        case str() | bool() | int() | float():
            pass
        case _:
            raise _wrong(f"`{key}` holds a date or a time: write it as a string")


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("value", "{sentence}", {"sentence": message})
