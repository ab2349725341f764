"""The requests of the tour: what is sent, and what must become of it.

The order tells a story: the same kind of question goes to the cloud, stays at home, or is refused, by what is in it. The
planted secrets are made up; they are written in two halves so that no scanner takes this file for a leak.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

__all__ = ["ASKS", "CLOUD_MODEL", "PLANTED", "Ask", "Planted"]

CLOUD_MODEL: Final = "claude-opus-4-5"
AWS_KEY: Final = "AKIA" + "QZ5J3X7LM2NVKD4T"
CARD: Final = "4539 1488" + " 0343 6467"
FILLER: Final = "The quarterly report says that the pumps of hall nine were inspected and found in order. "
LONG: Final = FILLER * 10_000


@dataclass(frozen=True, slots=True)
class Planted:
    """A secret that must not reach the cloud."""

    name: str
    text: str


PLANTED: Final = (Planted("AWS key", AWS_KEY), Planted("card number", CARD))


@dataclass(frozen=True, slots=True)
class Ask:
    """One request. `expect` is the target that must answer, or None where it must be refused."""

    title: str
    path: str
    body: Mapping[str, object]
    expect: str | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def stream(self) -> bool:
        return self.body.get("stream") is True


def _chat(text: str, **more: object) -> Mapping[str, object]:
    return {"model": "gpt-5-mini", "messages": [{"role": "user", "content": text}], "max_tokens": 500, **more}


def _message(text: str, **more: object) -> Mapping[str, object]:
    return {"model": CLOUD_MODEL, "messages": [{"role": "user", "content": text}], "max_tokens": 500, **more}


ASKS: Final = (
    Ask(
        "an everyday question",
        "/v1/chat/completions",
        _chat("How do I reverse a list in Python?"),
        expect="cloud",
    ),
    Ask(
        "the same question with a key pasted in, asking for a cloud model by name",
        "/v1/messages",
        _message(f"Why does this fail? aws_access_key_id = {AWS_KEY}"),
        expect="rack",
        headers={"anthropic-version": "2023-06-01"},
    ),
    Ask(
        "a customer's card number, with the answer streamed",
        "/v1/messages",
        _message(f"Write a reply to the customer whose credit card number is {CARD}.", stream=True),
        expect="rack",
        headers={"anthropic-version": "2023-06-01"},
    ),
    Ask(
        "harmless text that the caller labels confidential",
        "/v1/chat/completions",
        _chat("Summarise: the meeting moved to Tuesday."),
        expect="rack",
        headers={"x-data-class": "confidential"},
    ),
    Ask(
        "a job that can wait",
        "/v1/chat/completions",
        _chat("Translate the release notes into Spanish."),
        expect="rack",
        headers={"x-latency": "batch"},
    ),
    Ask("an answer streamed from the cloud", "/v1/responses", {"model": "gpt-5", "input": "Tell me a short story.", "stream": True, "store": False}, expect="cloud"),
    Ask(
        "a prompt too long for all but one model",
        "/v1/chat/completions",
        _chat(LONG + "What was inspected?"),
        expect="cloud_long",
    ),
    Ask(
        "the same long prompt with a key in it: where it fits it may not go",
        "/v1/chat/completions",
        _chat(LONG + f"And what is {AWS_KEY}?"),
        expect=None,
    ),
    Ask(
        "a request for web search at the provider",
        "/v1/messages",
        _message("What is new?", tools=[{"type": "web_search_20250305", "name": "web_search"}]),
        expect=None,
        headers={"anthropic-version": "2023-06-01"},
    ),
)  # fmt: skip
