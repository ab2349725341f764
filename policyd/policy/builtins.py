"""The features every policy has without a line, the built-in facts of targets, and the capabilities.

One table each; `policyd features`, the checker, the proxy and the docs read them.
"""

from datetime import date
from typing import Final

from policyd.policy.program import (
    MAX_NUMBER,
    BoolDomain,
    EnumDomain,
    Feature,
    NamesDomain,
    NumberDomain,
    Provenance,
    StringDomain,
    Unknown,
    Where,
)
from policyd.policy.tasks import TASKS

__all__ = [
    "BUILTIN_FACTS", "BUILTIN_FEATURES", "CAPABILITIES", "CAPABILITY_GUARDS", "DATES", "DIALECT_ENDPOINTS", "ENDPOINTS", "IDENTITY_FEATURES", "IDENTITY_NAMES",
    "LOCATIONS", "MANDATORY_FACTS", "SPOKEN", "TRANSLATED", "UNSCANNED", "WEEKDAYS",
]  # fmt: skip

ENDPOINTS: Final = ("chat", "completions", "responses", "embeddings", "messages", "count_tokens", "models")
SPOKEN: Final = ("chat", "completions", "responses", "embeddings", "messages")
"""What a target's `speaks` may list. `messages` covers `count_tokens`; `models` is answered by policyd itself."""

TRANSLATED: Final = {"chat": "messages", "messages": "chat", "responses": "chat"}
"""Endpoints that policyd translates, and into what: what a target's `translates` may list, and what it must speak then."""

DIALECT_ENDPOINTS: Final = {
    "openai": frozenset({"chat", "completions", "responses", "embeddings"}),
    "anthropic": frozenset({"messages", "count_tokens"}),
}
WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DATES: Final = NumberDomain(date(2001, 1, 1).toordinal(), date(2099, 12, 31).toordinal(), "date")
"""2001-01-01 is a Monday, so the lowest date and the lowest weekday agree."""

CAPABILITIES: Final = ("tools", "images", "json", "reasoning", "server_tools", "stored", "remote_content")
"""Boolean features that a target must list in `supports` to be allowed a request that has them."""

UNSCANNED: Final = ("images", "remote_content")
"""Features that bring `opaque` with them: no detector looks into an image, or at what the upstream would fetch."""

CAPABILITY_GUARDS: Final = ("context", "speaks", "translates", "supports", "redacts")
LOCATIONS: Final = ("on_prem", "cloud")

_COUNT: Final = NumberDomain(0, MAX_NUMBER)
_PERCENT: Final = NumberDomain(0, 100)
_FLAG_DOCS: Final = {
    "stream": "the caller asked for a streamed answer",
    "tools": "the request defines or carries tool calls",
    "images": "the request carries images",
    "json": "the answer must be JSON or follow a schema",
    "reasoning": "the request asks for thinking or reasoning",
    "server_tools": "the upstream itself would search, browse, run code or call an MCP server",
    "stored": "the upstream would keep the request or answer, or continue from kept state",
    "remote_content": "the upstream would fetch content from elsewhere",
}


def _builtin(
    name: str, domain: object, provenance: Provenance, unknown: object, cost: int, doc: str
) -> Feature:
    return Feature(name, domain, provenance, Where("builtin", name), unknown, cost, doc)  # type: ignore[arg-type]


BUILTIN_FEATURES: Final[tuple[Feature, ...]] = (
    _builtin("endpoint", EnumDomain(ENDPOINTS), Provenance.ATTESTED, Unknown.NEVER, 0, "the API that is called, from the path"),
    _builtin("hour", NumberDomain(0, 23), Provenance.ATTESTED, Unknown.NEVER, 0, "hour of the day in the deployment's zone"),
    _builtin("weekday", EnumDomain(WEEKDAYS, ordered=True), Provenance.ATTESTED, Unknown.NEVER, 0, "day of the week in the deployment's zone"),
    _builtin("date", DATES, Provenance.ATTESTED, Unknown.NEVER, 0, "calendar day in the deployment's zone"),
    _builtin("model", StringDomain(), Provenance.CLAIMED, "", 1, "the model's name as the client wrote it"),
    *(_builtin(name, BoolDomain(), Provenance.DERIVED, True, 1, doc) for name, doc in _FLAG_DOCS.items()),
    _builtin("opaque", BoolDomain(), Provenance.DERIVED, True, 1, "the request has content that was not scanned"),
    _builtin("messages", _COUNT, Provenance.DERIVED, MAX_NUMBER, 1, "number of messages"),
    _builtin("max_output", _COUNT, Provenance.DERIVED, MAX_NUMBER, 1, "tokens the client allows for the answer"),
    _builtin("first_turn", BoolDomain(), Provenance.DERIVED, Unknown.NEVER, 1, "nobody has answered yet: no answer of a model, no tool call, no kept conversation"),
    _builtin("session_id", StringDomain(), Provenance.CLAIMED, "", 1, "the agent's session, as the client says it"),
    _builtin("conversation_id", StringDomain(), Provenance.CLAIMED, "", 1, "the conversation within the session, as the client says it"),
    _builtin("task", EnumDomain(TASKS), Provenance.DERIVED, Unknown.NEVER, 2, "what the request is for, by rules"),
    _builtin("complexity", _PERCENT, Provenance.DERIVED, Unknown.NEVER, 2, "how much is asked for, by the structure of the request"),
    _builtin("code_ratio", _PERCENT, Provenance.DERIVED, Unknown.NEVER, 2, "percent of the conversation's beginning that is code"),
    _builtin("language", StringDomain(), Provenance.DERIVED, "", 2, "the language that a person writes in, as a code: es, gn"),
    _builtin("tokens", _COUNT, Provenance.DERIVED, MAX_NUMBER, 2, "tokens of the prompt"),
    _builtin("context_needed", _COUNT, Provenance.DERIVED, MAX_NUMBER, 2, "tokens plus max_output, or plus the deployment's answer reserve"),
    _builtin("untranslatable", BoolDomain(), Provenance.DERIVED, True, 2, "the request cannot be said in the other dialect without loss"),
    _builtin("findings", NamesDomain(), Provenance.DERIVED, Unknown.EVERYTHING, 3, "what the detectors found, by dotted name"),
    _builtin("unredactable", NamesDomain(), Provenance.DERIVED, Unknown.EVERYTHING, 3, "what was found and cannot be taken out where it stands, by dotted name"),
)  # fmt: skip

BUILTIN_FACTS: Final = {
    "location": "word",
    "region": "word",
    "jurisdiction": "word",
    "retention": "duration",
    "training": "bool",
    "onward": "bool",
    "context": "int",
    "max_output": "int",
    "speaks": "words",
    "translates": "words",
    "supports": "words",
    "redacts": "names",
    "price_in": "money",
    "price_out": "money",
}
"""Facts and their kinds. `redacts` is no fact that a target states: a route says it. A duration is in seconds (`none` is 0), money in micro-dollars per million tokens."""

IDENTITY_NAMES: Final = ("user", "team", "project")
"""Claims of a verified identity that a policy may read without declaring them; then a string, `""` where unknown."""

IDENTITY_FEATURES: Final[tuple[Feature, ...]] = tuple(
    Feature(name, StringDomain(), Provenance.ATTESTED, Where("identity", name), "", 0, doc)
    for name, doc in zip(
        IDENTITY_NAMES,
        (
            "who calls, by the identity",
            "the caller's team, by the identity",
            "the caller's project, by the identity",
        ),
        strict=True,
    )
)
"""What those names are where nobody declares them."""

MANDATORY_FACTS: Final = ("location", "context", "speaks")
