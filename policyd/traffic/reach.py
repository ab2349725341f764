"""The reach keys: everything in a body by which the *receiving* server would send content elsewhere, keep it, or fetch more.

Comes in: nothing; this is a table, and `docs/reach-keys.md` is written from it. `apply_reach` holds a body's top-level
keys against it.

The one idea: a closed table. A key either becomes a feature that the policy sees (`server_tools`, `stored`,
`remote_content`, `opaque`) or a 400. It is one table for all dialects, because a server of one dialect may be a gateway
that understands the keys of another; rows say where they differ. A key counts when it is *there*: only null and false ask for
nothing. An empty object is the usual way to switch a feature on with its defaults. Two kinds of rows differ and say so: those
that hold a list of things, where an empty list names none, and those where absence itself asks for something.

A spelling that differs from a reach key, or from a key that the readers read, only in case, hyphens, underscores or
compatibility characters is refused: some servers match keys without regard to case, so such a key would be read there and
not here.

Not here: the types of tools and content parts, which the readers hold in tables of their own (`tools`, and each reader);
what a target that forwards may receive at all.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.reading import Draft, Flag
from policyd.traffic.refused import CallerFault, quoted

__all__ = [
    "PASSED",
    "READ_KEYS",
    "REACH_KEYS",
    "REFUSED_PREFIXES",
    "Outcome",
    "ReachKey",
    "apply_reach",
    "asks",
    "check_cache",
    "check_spelling",
    "is_set",
]


class Outcome(StrEnum):
    """What a set reach key does to the request."""

    REFUSED = "400"
    SERVER_TOOLS = "server_tools"
    STORED = "stored"
    REMOTE_CONTENT = "remote_content"
    OPAQUE = "opaque"
    STATE = "stored, opaque"


@dataclass(frozen=True, slots=True)
class ReachKey:
    """One row. `only` limits it to some endpoints; `absent_counts` means that everything but `false` sets it, leaving it
    out too; `listed` means that the value is a list of things, so an empty one asks for nothing."""

    key: str
    outcome: Outcome
    because: str
    only: frozenset[EndpointName] | None = None
    absent_counts: bool = False
    listed: bool = False


def _rows(outcome: Outcome, because: str, *keys: str) -> tuple[ReachKey, ...]:
    return tuple(ReachKey(key, outcome, because, listed=key in LISTED) for key in keys)


LISTED: Final = frozenset({
    "models", "fallbacks", "fallback_models", "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks",
    "transforms", "plugins", "model_list", "tags", "callbacks", "success_callback", "failure_callback", "input_callback",
    "service_callback", "guardrails", "data_sources", "dataSources", "mcp_servers", "file_ids", "files", "image_data",
    "images", "image_urls", "audios", "videos", "input_ids", "prompt_token_ids", "token_ids", "logits_processors", "documents",
})  # fmt: skip
"""Keys whose value is a list of things: an empty list asks for nothing."""


RESPONSES: Final = frozenset({EndpointName.RESPONSES})

REACH_KEYS: Final[tuple[ReachKey, ...]] = (
    *_rows(
        Outcome.REFUSED,
        "names other models, providers or routes that a gateway would use instead of the chosen target",
        "models", "provider", "route", "fallbacks", "fallback", "fallback_models",
        "context_window_fallbacks", "content_policy_fallbacks", "default_fallbacks", "preset", "transforms", "plugins",
        "model_list", "model_group", "model_group_alias", "deployment_id", "specific_deployment", "tags",
        "router_settings_override", "providerOptions", "provider_options",
    ),
    *_rows(
        Outcome.REFUSED,
        "names another server, account or credential",
        "api_base", "base_url", "api_key", "api_type", "api_version", "custom_llm_provider", "litellm_params",
        "litellm_credential_name", "litellm_metadata", "proxy_server_request", "user_config", "organization",
        "use_litellm_proxy", "region_name", "secret_fields",
        "workspace_id",
    ),
    *_rows(
        Outcome.REFUSED,
        "carries other keys inside it that a gateway unpacks into the request",
        "extra_body", "extra_headers", "extra_query", "headers", "optional_params", "allowed_openai_params",
        "additional_drop_params",
    ),
    *_rows(Outcome.REFUSED, "moves the place of inference, which belongs to the target's URL", "inference_geo"),
    *_rows(
        Outcome.REFUSED,
        "sends content to a log, callback, check or search service that the caller names",
        "callbacks", "success_callback", "failure_callback", "input_callback", "service_callback", "logger_fn",
        "webhook", "webhook_url", "callback_url", "guardrails", "guardrail_config", "data_sources", "dataSources",
        "prompt_id", "prompt_variables", "prompt_label", "prompt_version", "posthog_host", "posthog_api_key",
    ),
    *_rows(
        Outcome.REFUSED,
        "makes a model server exchange cached content with a host that the caller names",
        "kv_transfer_params", "ec_transfer_params", "bootstrap_host", "bootstrap_port", "bootstrap_room",
    ),
    *_rows(
        Outcome.REFUSED,
        "has a model server run code, or load weights, that the caller names",
        "custom_logit_processor", "logits_processors", "lora_path", "lora_request", "adapter_id",
    ),
    *_rows(
        Outcome.SERVER_TOOLS,
        "the server searches the web, runs code or calls tools by itself, and takes content along",
        "mcp_servers", "web_search_options", "search_parameters", "enable_search", "search_options", "web_search",
        "search_settings", "compound_custom", "enable_code_interpreter",
    ),
    *_rows(Outcome.STORED, "the server answers later and keeps request and answer until then", "background"),
    *_rows(Outcome.STORED, "the server may answer from, and add to, a store that outlives the request", "cache", "caching"),
    *_rows(
        Outcome.STATE,
        "names content that the server holds: it is not in the request and cannot be scanned",
        "previous_response_id", "conversation", "conversation_id", "thread", "thread_id", "file_ids", "assistant_id",
        "file_id", "session_params", "session_id", "cached_content", "cachedContent",
    ),
    *_rows(
        Outcome.OPAQUE,
        "content that is not text",
        "prompt_embeds", "input_embeds", "image_data", "audio_data", "video_data", "images", "audios", "videos", "multimodal_data", "mm_data",
        "image_url", "image_urls", "audio_url", "video_url", "file", "files", "file_url", "file_data",
    ),
    *_rows(Outcome.OPAQUE, "tokens that stand for text", "input_ids", "prompt_token_ids", "token_ids"),
    *_rows(
        Outcome.OPAQUE,
        "the server's template puts the text together after it was scanned",
        "chat_template", "template", "documents",
    ),
    ReachKey("store", Outcome.STORED, "the server keeps the request and its answer"),
    ReachKey(
        "store",
        Outcome.STORED,
        "responses are kept for 30 days unless the request says `false`",
        only=RESPONSES,
        absent_counts=True,
    ),
    ReachKey("prompt", Outcome.STATE, "names a prompt that the server holds", only=RESPONSES),
)  # fmt: skip
"""Top-level keys. `container`, `vector_store_ids` and prompt caches are more than one row can say: see `apply_reach`."""

REFUSED_PREFIXES: Final[tuple[str, ...]] = (
    "aws_", "azure_", "vertex_", "bedrock_", "sagemaker_", "watsonx_", "gcs_", "langfuse_", "langsmith_", "arize_",
    "humanloop_", "litellm_", "lunary_", "weave_", "helicone_",
)  # fmt: skip
"""A top-level key that begins so names an account, a place or a log of another service: 400."""

PASSED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("labels for the server's own records; their text is scanned like all text",
     ("metadata", "client_metadata", "user", "safety_identifier", "user_profile_id")),
    ("choose speed and price at the same server, not a place", ("service_tier", "speed", "billing_policy")),
    ("steer prompt caches of the same server that live for minutes, or an hour (longer ones are `stored`)",
     ("prompt_cache_key", "cache_control", "prompt_cache_retention", "prompt_cache_options")),
    ("have the server shorten what it reads; nothing leaves or stays", ("context_management", "compaction", "truncation", "image")),
    ("are checks and accounts of the same vendor, or references that hold no content",
     ("moderation", "access_programs", "diagnostics", "fallback_credit_token")),
    ("shape the answer only",
     ("include", "stream_options", "logprobs", "top_logprobs", "n", "best_of", "echo", "seed", "stop", "stop_sequences", "temperature",
      "top_p", "top_k", "frequency_penalty", "presence_penalty", "logit_bias", "modalities", "audio", "verbosity",
      "parallel_tool_calls", "max_tool_calls", "function_call", "dimensions", "encoding_format", "betas")),
    ("are text that the model reads: scanned", ("prediction",)),
    ("set switches of the server's template; a longer text, a list or an object among them is `opaque`", ("chat_template_kwargs",)),
    ("are settings of model servers that shape the answer only",
     ("stop_token_ids", "allowed_token_ids", "bad_words", "min_tokens", "min_p", "repetition_penalty", "ignore_eos",
      "add_generation_prompt", "continue_final_message", "skip_special_tokens", "enable_thinking", "thinking_budget",
      "guided_json", "guided_regex", "guided_choice", "guided_grammar", "structured_outputs", "json_schema", "grammar")),
)  # fmt: skip
"""Keys that were considered and pass, with the reason."""

READ_KEYS: Final[frozenset[str]] = frozenset({
    "model", "messages", "input", "system", "instructions", "prompt", "suffix", "tools", "functions", "tool_choice",
    "stream", "max_tokens", "max_completion_tokens", "max_output_tokens", "response_format", "text", "output_config",
    "output_format", "reasoning", "reasoning_effort", "thinking", "container", "vector_store_ids",
    "prompt_cache_retention", "prompt_cache_options", "content", "role", "type", "image_url", "file_id", "file_url",
    "file_data", "source", "url", "cache_control", "annotations", "signature",
})  # fmt: skip
"""Keys that a reader looks at: another spelling of one would be read by some servers and not here."""

CACHE_KEYS: Final = ("cache_control", "prompt_cache_breakpoint", "prompt_cache_options")
BRIEF: Final = re.compile(r"0*(?:[0-9]{1,3}s|[1-5]?[0-9]m|60m|1h)", re.ASCII)
"""How long a prompt cache may live without being `stored`: an hour."""


def _folded(key: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", key).casefold() if c.isalnum())


_BY_KEY: Final[dict[str, tuple[ReachKey, ...]]] = {
    key: tuple(row for row in REACH_KEYS if row.key == key) for key in {row.key for row in REACH_KEYS}
}
_ABSENT_COUNTS: Final = tuple(row for row in REACH_KEYS if row.absent_counts)
_EXACT: Final = frozenset(_BY_KEY) | READ_KEYS
_FOLDED: Final[dict[str, str]] = {_folded(key): key for key in sorted(_EXACT)}


@lru_cache(maxsize=4096)
def _variant_of(key: str) -> str | None:
    """The known key that this one is another spelling of. Cached for short keys, which are few and repeat."""
    return _FOLDED.get(_folded(key))


def check_spelling(draft: Draft, key: str, place: str) -> None:
    """Refuse a key that some server would read as one of ours. Keys of another meaning cost one set look-up."""
    if key in _EXACT:
        return
    known = _variant_of(key) if len(key) <= 64 else None
    if known is not None:
        draft.refuse(
            CallerFault.AMBIGUOUS_KEY,
            f"the key {quoted(key)}{place} is another spelling of `{known}`, which some servers read as the same; "
            f"write `{known}` or leave it out",
        )


def is_set(value: object) -> bool:
    """Whether there is anything in this value. For keys inside shapes; a reach key `asks` already when it is there."""
    return value is not None and value is not False and value not in ("", [], {})


def asks(row: ReachKey, value: object) -> bool:
    """Whether a reach key with this value asks for something. Zero and empty objects and strings do."""
    if row.absent_counts:
        return value is not False
    return value is not None and value is not False and not (row.listed and value == [])


def apply_reach(draft: Draft, endpoint: EndpointName) -> None:
    """Hold every top-level key of the body against the table."""
    body = draft.body
    for key, value in body.items():
        rows = _BY_KEY.get(key)
        if rows is not None:
            for row in rows:
                if (row.only is None or endpoint in row.only) and asks(row, value):
                    _apply(draft, row)
                    break
        elif key.lower().startswith(REFUSED_PREFIXES):
            prefix = next(p for p in REFUSED_PREFIXES if key.lower().startswith(p))
            if not key.startswith(prefix) or (value is not None and value is not False):
                _refuse(draft, prefix + "…", "names an account, a place or a log of another service")
        else:
            check_spelling(draft, key, "")
    for row in _ABSENT_COUNTS:
        if row.only is not None and endpoint in row.only and row.key not in body:
            _apply(draft, row)
    _apply_compound(draft)


def _apply_compound(draft: Draft) -> None:
    body = draft.body
    if body.get("container") not in (None, False):
        draft.flag(Flag.SERVER_TOOLS, "container")
        _state(draft, "container")
    if body.get("vector_store_ids") not in (None, False, []):
        draft.flag(Flag.SERVER_TOOLS, "vector_store_ids")
        _state(draft, "vector_store_ids")
    retention = body.get("prompt_cache_retention")
    if retention not in (None, False, "in_memory", "in-memory"):
        draft.flag(Flag.STORED, "prompt_cache_retention")
    check_cache(draft, body, "")


def check_cache(draft: Draft, value: Mapping[str, Any], place: str) -> None:
    """The keys by which a body, a message, a part or a tool asks a server to remember it. More than an hour is keeping."""
    for key in CACHE_KEYS:
        if key in value:
            control = value[key]
            ttl = control.get("ttl") if isinstance(control, dict) else None
            if ttl is not None and (not isinstance(ttl, str) or BRIEF.fullmatch(ttl) is None):
                draft.flag(Flag.STORED, f"{place}.{key}.ttl".lstrip("."))


def _apply(draft: Draft, row: ReachKey) -> None:
    match row.outcome:
        case Outcome.REFUSED:
            _refuse(draft, row.key, row.because)
        case Outcome.SERVER_TOOLS:
            draft.flag(Flag.SERVER_TOOLS, row.key)
        case Outcome.STORED:
            draft.flag(Flag.STORED, row.key)
        case Outcome.REMOTE_CONTENT:
            draft.flag(Flag.REMOTE_CONTENT, row.key)
            draft.opaque(row.key)
            draft.uncountable()
        case Outcome.OPAQUE:
            draft.opaque(row.key)
            draft.uncountable()
            if row.key in {"images", "image_data", "videos", "image_url", "image_urls", "video_url"}:
                draft.flag(Flag.IMAGES, row.key)
        case Outcome.STATE:
            _state(draft, row.key)


def _state(draft: Draft, key: str) -> None:
    draft.flag(Flag.STORED, key)
    draft.opaque(key)
    draft.uncountable()


def _refuse(draft: Draft, key: str, because: str) -> None:
    draft.refuse(
        CallerFault.REACH_KEY, f"the key {quoted(key)} {because}; leave it out, the policy chooses the target"
    )
