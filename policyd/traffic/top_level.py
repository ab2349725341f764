"""The keys at the top of a body: which an endpoint documents, and what those that it does not could hold.

Comes in: a draft and an endpoint. Goes out: flags on the draft; and, as a question of its own, the keys that an endpoint
does not document, which a proxy may refuse for a target that forwards (`unknown_top_level_keys`).

The one idea: a key that no reader reads may still mean content to the receiving server. Its text is scanned like all
text; numbers in a list could be tokens, an object could be a part, a string could be fetched or decoded, so those make
the request opaque. A key that is documented for one endpoint is unknown at another.

Not here: the reach keys, whose meaning is known (`reach`).
"""

from collections.abc import Mapping
from typing import Any, Final

from policyd.traffic.endpoints import EndpointName
from policyd.traffic.parts import ENCODED, WORDS, is_data, is_url, remote
from policyd.traffic.reach import PASSED, REACH_KEYS, Outcome, apply_reach
from policyd.traffic.reading import Draft, Flag
from policyd.traffic.refused import quoted

__all__ = ["DOCUMENTED", "loose_content", "read_top_level", "unknown_top_level_keys"]

CHAT: Final = frozenset({
    "audio", "frequency_penalty", "function_call", "functions", "logit_bias", "logprobs", "max_completion_tokens", "max_tokens",
    "messages", "metadata", "modalities", "model", "moderation", "n", "parallel_tool_calls", "prediction", "presence_penalty",
    "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning_effort", "response_format",
    "safety_identifier", "seed", "service_tier", "stop", "store", "stream", "stream_options", "temperature", "tool_choice",
    "tools", "top_logprobs", "top_p", "user", "verbosity", "web_search_options",
})  # fmt: skip

COMPLETIONS: Final = frozenset({
    "best_of", "echo", "frequency_penalty", "logit_bias", "logprobs", "max_tokens", "model", "n", "presence_penalty", "prompt",
    "seed", "stop", "stream", "stream_options", "suffix", "temperature", "top_p", "user",
})  # fmt: skip

EMBEDDINGS: Final = frozenset({"dimensions", "encoding_format", "input", "model", "user"})

RESPONSES: Final = frozenset({
    "access_programs", "background", "context_management", "conversation", "image", "include", "input", "instructions",
    "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation", "parallel_tool_calls", "previous_response_id",
    "prompt", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "reasoning", "safety_identifier",
    "service_tier", "store", "stream", "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p",
    "truncation", "user",
})  # fmt: skip

COUNT_TOKENS: Final = frozenset({
    "betas", "billing_policy", "cache_control", "compaction", "context_management", "mcp_servers", "messages", "model",
    "output_config", "output_format", "speed", "system", "thinking", "tool_choice", "tools", "user_profile_id", "workspace_id",
})  # fmt: skip

MESSAGES: Final = COUNT_TOKENS | {
    "container", "diagnostics", "fallback_credit_token", "fallbacks", "inference_geo", "max_tokens", "metadata", "service_tier",
    "stop_sequences", "stream", "temperature", "thread", "top_k", "top_p",
}  # fmt: skip

DOCUMENTED: Final[dict[EndpointName, frozenset[str]]] = {
    EndpointName.CHAT: CHAT,
    EndpointName.COMPLETIONS: COMPLETIONS,
    EndpointName.EMBEDDINGS: EMBEDDINGS,
    EndpointName.RESPONSES: RESPONSES,
    EndpointName.MESSAGES: MESSAGES,
    EndpointName.COUNT_TOKENS: COUNT_TOKENS,
    EndpointName.MODELS: frozenset(),
    EndpointName.ALIVE: frozenset(),
}
"""The parameters that each endpoint's own vendor documents. Every one of them was considered for `reach`."""

ELSEWHERE: Final = (
    frozenset(key for _, keys in PASSED for key in keys)
    | {"reasoning", "reasoning_effort", "thinking", "response_format", "max_tokens", "max_completion_tokens",
       "max_output_tokens", "output_config", "output_format", "tool_choice", "stream"}
) - {"audio", "image", "prediction", "chat_template_kwargs"}  # fmt: skip
"""Settings that hold no content wherever a server understands them."""

KNOWN_MEANING: Final = frozenset(
    row.key for row in REACH_KEYS if row.outcome is not Outcome.OPAQUE and row.only is None
)

STRINGS: Final = frozenset({str, type(None)})
NUMBERS: Final = frozenset({int, float, bool, type(None)})

MAY_HOLD: Final = frozenset({"context", "instructions"})
"""Keys that are words inside messages and may hold an object or a list at the top."""

_ONLY_WORDS: Final = WORDS - MAY_HOLD

SHOWN: Final = 12
"""Characters of an unknown key in the reasons of a reading."""

LONGEST_SWITCH: Final = 64
"""Characters of a string that a template's switch (`"high"`, `"de"`) may have."""


def unknown_top_level_keys(endpoint: EndpointName, parsed: Mapping[str, Any]) -> tuple[str, ...]:
    """The body's keys that are not parameters of this endpoint in its vendor's documentation, in the order they came.
    They are a caller's text: shorten them before they are shown."""
    documented = DOCUMENTED[endpoint]
    return tuple(key for key in parsed if key not in documented)


def read_top_level(draft: Draft, endpoint: EndpointName, *read: str) -> None:
    """The reach keys, and every key that this endpoint does not have. `read` are keys that the reader reads beyond the
    documented ones."""
    apply_reach(draft, endpoint)
    body = draft.body
    if not _ONLY_WORDS.isdisjoint(body):
        for key in body.keys() & _ONLY_WORDS:
            if isinstance(body[key], dict | list):
                loose_content(draft, key, body[key], key)
                draft.opaque(key)
    if body.keys() <= DOCUMENTED[endpoint]:
        return
    settled = DOCUMENTED[endpoint] | ELSEWHERE | KNOWN_MEANING
    for key, value in body.items():
        if key in settled or key in read:
            continue
        if key == "chat_template_kwargs" and _switches(value):
            continue
        loose_content(draft, key, value, _place_of(key))


def _place_of(key: str) -> str:
    """A place to say: unknown keys are a caller's text, of which no more than the beginning is repeated."""
    return quoted(key if len(key) <= SHOWN else key[:SHOWN] + "…").strip("`")


def _switches(value: object) -> bool:
    return isinstance(value, dict) and all(
        item is None
        or isinstance(item, bool | int | float)
        or (isinstance(item, str) and len(item) <= LONGEST_SWITCH and not is_url(item))
        for item in value.values()
    )


def loose_content(draft: Draft, name: str, value: object, place: str) -> None:
    """What an unknown key could give to the server: everything but words, switches and single numbers is opaque, and a URL
    anywhere in it could be fetched."""
    if isinstance(value, dict) and value:
        _opaque(draft, name, place)
    stack: list[tuple[str, object]] = [(name, value)]
    while stack:
        key, item = stack.pop()
        if isinstance(item, str):
            if is_url(item):
                if is_data(item):
                    _opaque(draft, key, place)
                else:
                    remote(draft, place)
                    _opaque(draft, key, place)
            elif ENCODED.fullmatch(item):
                _opaque(draft, key, place)
        elif isinstance(item, dict):
            stack.extend((key if "image" in key.lower() else inner, entry) for inner, entry in item.items())
        elif isinstance(item, list):
            kinds = set(map(type, item))
            if not kinds <= STRINGS:
                _opaque(draft, key, place)
            if not kinds <= NUMBERS:
                stack.extend((key, entry) for entry in item)


def _opaque(draft: Draft, key: str, place: str) -> None:
    draft.opaque(place)
    draft.uncountable()
    if "image" in key.lower():
        draft.flag(Flag.IMAGES, place)
