"""What a target is called in metrics and spans, by OpenTelemetry's conventions for generative AI. Pure.

In come what serves and a target's name; out go an operation, a provider, a model and an address. The one idea: every word is
one that the policy or the deployment wrote, so nothing that a caller says becomes a label, however it is spelled.
"""

import re
from typing import Final, NamedTuple

from policyd.deploy.model import Binding
from policyd.engine.axes import StringAxis
from policyd.policy.builtins import DIALECT_ENDPOINTS
from policyd.proxy.live import Live

__all__ = ["NO_PLACE", "REASONS", "Names", "Place", "operation_of"]

_OPERATIONS: Final = {
    "chat": "chat",
    "responses": "chat",
    "messages": "chat",
    "completions": "text_completion",
    "embeddings": "embeddings",
}

_PROVIDERS: Final = (
    ("api.openai.com", "openai"),
    (".openai.azure.com", "azure.ai.openai"),
    (".cognitiveservices.azure.com", "azure.ai.openai"),
    (".services.ai.azure.com", "azure.ai.inference"),
    ("api.anthropic.com", "anthropic"),
    (".amazonaws.com", "aws.bedrock"),
    ("generativelanguage.googleapis.com", "gcp.gemini"),
    ("aiplatform.googleapis.com", "gcp.vertex_ai"),
    ("api.mistral.ai", "mistral_ai"),
    ("api.groq.com", "groq"),
    ("api.deepseek.com", "deepseek"),
    ("api.cohere.com", "cohere"),
    ("api.cohere.ai", "cohere"),
    ("api.perplexity.ai", "perplexity"),
    ("api.moonshot.ai", "moonshot_ai"),
    ("api.x.ai", "x_ai"),
)

REASONS: Final = frozenset(
    {"stop", "length", "tool_calls", "content_filter", "function_call", "end_turn", "max_tokens", "stop_sequence", "tool_use",
     "pause_turn", "refusal", "model_context_window_exceeded"}
)  # fmt: skip
"""Words by which a model stops. A target's other words are told as `other`."""

_REVISION: Final = re.compile(r"[-@:]v?[0-9][0-9.:-]{0,15}")


class Place(NamedTuple):
    """Where a target is and what it speaks there."""

    provider: str
    model: str
    address: str
    port: str


NO_PLACE: Final = Place("", "", "", "")


def operation_of(endpoint: str) -> str:
    return _OPERATIONS.get(endpoint, endpoint)


class Names:
    """The names that one policy and one deployment know."""

    __slots__ = ("_bindings", "_models")

    def __init__(self, live: Live) -> None:
        self._bindings = live.bindings
        models: set[str] = set()
        for binding in live.bindings.values():
            models |= {binding.model or "", *(name for pair in binding.aliases for name in pair)}
        for axis in live.ready.compiled.matrix.axes:
            if axis.feature == "model" and isinstance(axis, StringAxis):
                models |= set(axis.words)
        self._models = frozenset(models - {""})

    def sent(self, target: str, named: str) -> str:
        """The model that a target was asked for, where the caller named `named`; empty where nobody wrote it down."""
        binding = self._bindings.get(target)
        model = "" if binding is None else binding.model_for(named)
        return model if model in self._models else ""

    def place(self, target: str, endpoint: str, model: str) -> Place:
        """`model` is what `sent` says."""
        binding = self._bindings.get(target)
        if binding is None:
            return NO_PLACE
        where = binding.endpoint
        port = "" if where.scheme == "unix" else str(where.port)
        return Place(_provider(binding, endpoint), model, where.host, port)

    def known(self, name: str) -> str:
        """A name that a target says, where somebody wrote it down, with or without a revision behind it; empty where
        nobody did."""
        if name in self._models:
            return name
        return (
            name
            if any(name.startswith(m) and _REVISION.fullmatch(name[len(m) :]) for m in self._models)
            else ""
        )


def _provider(binding: Binding, endpoint: str) -> str:
    """Whose the server is, if it is a known one, and otherwise whose API it speaks."""
    host = binding.endpoint.host
    for suffix, provider in _PROVIDERS:
        if host == suffix or host.endswith((suffix,) if suffix[0] == "." else (f".{suffix}", f"-{suffix}")):
            return provider
    # One that has a single dialect speaks it whatever the caller does.
    asked = "anthropic" if endpoint in DIALECT_ENDPOINTS["anthropic"] else "openai"
    return asked if asked in binding.dialects else next(iter(binding.dialects))
