"""Which strings of a request or an answer are words, and which hold it together.

One table for both directions. The one idea: what a server tells things apart by (roles, types, ids, names of tools, places
to fetch from, signatures) is never changed, and below a key where everything is the caller's own (a tool's input, a
schema, metadata) nothing is of that kind.
"""

from collections.abc import Mapping
from typing import Any, Final

__all__ = ["FREE", "JSON_TEXT", "WHOLE", "is_sealed_thought", "is_structure"]

STRUCTURE: Final = frozenset({
    "role", "type", "id", "call_id", "tool_use_id", "tool_call_id", "item_id", "response_id", "name", "model", "object", "signature", "status",
    "phase", "media_type", "detail", "format", "url", "image_url", "file_url", "audio_url", "video_url", "file_id", "file_data",
    "previous_response_id", "conversation", "container", "container_id", "server_label", "server_name", "server_url",
    "connector_id", "service_tier", "tool_choice", "authorization", "authorization_token", "headers", "finish_reason", "stop_reason",
    "encoding_format", "stream_options", "system_fingerprint", "caller", "namespace", "toolset_name", "fingerprint",
    "approval_request_id", "betas", "include", "truncation", "reasoning_effort", "context_management", "mcp_servers",
})  # fmt: skip
"""Keys whose strings are passed as they are. What is found in one of them cannot be taken out."""

WHOLE: Final = frozenset(
    {"headers", "mcp_servers", "context_management", "stream_options", "include", "betas"}
)
"""Keys below which nothing at all is changed."""

FREE: Final = frozenset({
    "arguments", "parameters", "input_schema", "output_schema", "schema", "metadata", "client_metadata", "input_examples",
    "action", "operation", "definitions", "$defs", "properties",
})  # fmt: skip
"""Keys below which every string is words, whatever its key."""

JSON_TEXT: Final = frozenset({"arguments", "partial_json"})
"""Keys of strings that are JSON, written by a model."""

_THOUGHTS: Final = frozenset({"thinking", "redacted_thinking"})


def is_structure(key: str) -> bool:
    return key in STRUCTURE or key.startswith("encrypted_")


def is_sealed_thought(value: Mapping[str, Any]) -> bool:
    """Whether a vendor vouches for every word of this block, or holds it encrypted beside its words: a word changed, and
    its server refuses the request."""
    kind = value.get("type")
    return (isinstance(kind, str) and kind in _THOUGHTS) or any(
        isinstance(value.get(key), str) and value[key] != "" for key in ("signature", "encrypted_content")
    )
