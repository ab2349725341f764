"""What servers say of their models for nothing: lists of models, llama.cpp's properties, Ollama's own API. Pure.

In come answers as JSON objects; out come verdicts on the stated facts. The one idea: only what contradicts a fact counts
against it. A server that has no list, or one that nobody here can read, has said nothing.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policyd.proxy.probe.expected import Expected, Verdict
from policyd.proxy.standing import Why
from policyd.text.printable import printable

__all__ = [
    "Entry", "Listing", "absent_models", "judge_listing", "judge_loaded", "judge_properties", "judge_tags", "listing_of",
    "loaded_context", "tells_properties",
]  # fmt: skip

_CONTEXT_KEYS: Final = (
    "max_model_len", "context_length", "context_window", "max_context_length", "max_context_len",
)  # fmt: skip
"""What servers call the context of a model in their lists: vLLM and SGLang, OpenRouter, Groq, Mistral, others."""

_REMOTE_KEYS: Final = ("remote_host", "remote_model")
"""By these Ollama says that a model of its list runs elsewhere."""

_ANY_NAME: Final = "llamacpp"
"""The owner in llama.cpp's list: it answers to any name with the one model that it has."""

_NUM_CTX: Final = re.compile(r"(?:^|\n)\s*num_ctx\s+(\d+)")
_LONGEST_NAME: Final = 80


@dataclass(frozen=True, slots=True)
class Entry:
    name: str
    owner: str
    context: int | None
    remote: bool


@dataclass(frozen=True, slots=True)
class Listing:
    """A list of models. `whole`: the server did not say that it goes on."""

    entries: tuple[Entry, ...]
    whole: bool

    def find(self, name: str) -> Entry | None:
        return next((e for e in self.entries if _same(e.name, name)), None)


def listing_of(answer: Mapping[str, Any] | None) -> Listing | None:
    """`GET /v1/models` of either dialect (`data`, `id`), or Ollama's lists (`models`, `name`)."""
    if answer is None:
        return None
    rows = answer.get("data", answer.get("models"))
    if not isinstance(rows, list):
        return None
    entries = tuple(entry for row in rows if (entry := _entry(row)) is not None)
    return Listing(entries, answer.get("has_more") is not True) if entries or not rows else None


def _entry(row: object) -> Entry | None:
    if not isinstance(row, dict):
        return None
    name = row.get("id", row.get("model", row.get("name")))
    if not isinstance(name, str):
        return None
    contexts = (_count(row.get(key)) for key in _CONTEXT_KEYS)
    return Entry(
        name,
        str(row.get("owned_by", "")),
        next((c for c in contexts if c is not None), None),
        any(row.get(key) for key in _REMOTE_KEYS),
    )


def tells_properties(listing: Listing) -> bool:
    """Whether this is llama.cpp, which says its context in `GET /props`."""
    return any(entry.owner == _ANY_NAME for entry in listing.entries)


def absent_models(expected: Expected, listing: Listing) -> tuple[str, ...]:
    """Pinned models that the list lacks. None where the server answers to any name."""
    if tells_properties(listing):
        return ()
    return tuple(model for model in expected.models if listing.find(model) is None)


def judge_listing(expected: Expected, listing: Listing, absent: Sequence[str]) -> Iterable[Verdict]:
    """`absent` are models that the server was asked about once more, by name, and did not have."""
    if expected.models:
        named = ", ".join(f"`{_shown(model)}`" for model in absent)
        against = f"the server does not list {named}, which the binding sends" if absent else None
        yield Verdict(Why.MODEL_ABSENT, "models", against)
    entries = (listing.find(model) for model in expected.models)
    known = [entry.context for entry in entries if entry is not None and entry.context is not None]
    if known:
        yield _context(expected, "models", min(known), "the server lists a context of")
    yield from _judge_place(expected, listing, "models")


def judge_properties(expected: Expected, answer: Mapping[str, Any] | None) -> Iterable[Verdict]:
    """llama.cpp's `GET /props`: the context of each of its slots."""
    settings = None if answer is None else answer.get("default_generation_settings")
    context = _count(settings.get("n_ctx")) if isinstance(settings, dict) else None
    if context is not None:
        yield _context(expected, "props", context, "the server runs with a context of")


def judge_tags(expected: Expected, listing: Listing) -> Iterable[Verdict]:
    """Ollama's `GET /api/tags`, which says of each model whether it runs here."""
    yield from _judge_place(expected, listing, "ollama")


def _judge_place(expected: Expected, listing: Listing, source: str) -> Iterable[Verdict]:
    """A name says nothing about a place. Where the policy says that the target sends requests on, only the pinned models
    must be here; otherwise all of them: it is not the server that the policy speaks of."""
    if not expected.on_prem:
        return
    remote = [entry.name for entry in listing.entries if entry.remote]
    if expected.onward:
        remote = [name for name in remote if any(_same(name, model) for model in expected.models)]
    against = None
    if remote:
        more = f" and {len(remote) - 1} more" if len(remote) > 1 else ""
        against = f"the policy says `location on_prem`, and the server lists `{_shown(remote[0])}`{more}, which runs elsewhere"
    yield Verdict(Why.REMOTE_MODELS, source, against)


def loaded_context(answer: Mapping[str, Any] | None, model: str) -> int | None:
    """The context with which Ollama has loaded a model (`GET /api/ps`); None where it is not loaded."""
    rows = None if answer is None else answer.get("models")
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and _same(str(row.get("model", row.get("name", ""))), model):
            return _count(row.get("context_length"))
    return None


def judge_loaded(
    expected: Expected, shown: Mapping[str, Mapping[str, Any] | None], loaded: Mapping[str, int | None]
) -> Iterable[Verdict]:
    """Ollama's context, model by model: what is loaded, else what the model's own file sets, else the most that it can.
    What was trained is only a bound: a server may read less of it, and only a prompt finds that out."""
    known: list[int] = []
    for model in expected.models:
        about = shown.get(model)
        context = loaded.get(model) or (
            None if about is None else _set_context(about) or _most_context(about)
        )
        if context is not None:
            known.append(context)
    if known:
        yield _context(expected, "ollama", min(known), "the server reads a prompt up to")


def _set_context(about: Mapping[str, Any]) -> int | None:
    parameters = about.get("parameters")
    found = _NUM_CTX.search(parameters) if isinstance(parameters, str) else None
    return None if found is None else int(found.group(1)[:12])


def _most_context(about: Mapping[str, Any]) -> int | None:
    facts = about.get("model_info")
    if not isinstance(facts, dict):
        return None
    found = (_count(value) for key, value in facts.items() if str(key).endswith(".context_length"))
    return next((count for count in found if count is not None), None)


def _context(expected: Expected, source: str, context: int, says: str) -> Verdict:
    against = None
    if context < expected.context:
        against = f"{says} {context:,} tokens, and the policy says {expected.context:,}"
    return Verdict(Why.CONTEXT_SMALLER, source, against)


def _same(listed: str, sent: str) -> bool:
    """Ollama lists a model that is sent without a tag with the tag `latest`."""
    return listed in {sent, f"{sent}:latest"}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _shown(name: str) -> str:
    return printable(name[:_LONGEST_NAME]) + ("…" if len(name) > _LONGEST_NAME else "")
