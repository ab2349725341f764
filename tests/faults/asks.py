"""Random requests: every endpoint, both dialects, streamed and not, 1 KB to 1 MB, some with secrets, some malformed.

In come a source of chance and a number; out goes an `Ask` with its bytes and what is true of it. The one idea: whoever
plants a secret knows that it is there, so that what the policy should see does not have to be taken from the sidecar.
"""

import base64
import json
from random import Random
from typing import Any, Final

from tests.faults.evidence import Ask
from tests.faults.malformed import MALFORMED, spoil
from tests.faults.policies import CALLERS

__all__ = ["CANARY", "SECRETS", "ask"]

SECRETS: Final = (
    "AKIAQYLPMN5HHHFPZAM2",
    "4111 1111 1111 1111",
    "DE89 3704 0044 0532 0130 00",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq0l2Zk1Yt9wXkq3mUe0cS5pV8rD4hJ6nF2gB1aT9yLxCvQ\n"
    "-----END RSA PRIVATE KEY-----",
    "ghp_k3Jv9QmX7Zt1Rw5Yb8Nc2Ld6Fg0Hs4Pa1TuE",
)
CANARY: Final = "heliotropic-zebra"
"""In every text, and nowhere else."""

_PNG: Final = base64.b64encode(b"\x89PNG\r\n\x1a\n" + b"0" * 300).decode()
_WORDS: Final = (
    "the",
    "model",
    "reads",
    "a",
    "text",
    "and",
    "says",
    "what",
    "comes",
    "next",
    "while",
    "nobody",
    "knows",
)
_ENDPOINTS: Final = {
    "chat": ("/v1/chat/completions", "openai", 40),
    "completions": ("/v1/completions", "openai", 8),
    "responses": ("/v1/responses", "openai", 15),
    "embeddings": ("/v1/embeddings", "openai", 7),
    "messages": ("/v1/messages", "anthropic", 25),
    "count_tokens": ("/v1/messages/count_tokens", "anthropic", 5),
}
MANNERS: Final = {
    "patient": 82, "slow to send": 2, "slow to read": 2, "leaves early": 3, "leaves while waiting": 4, "leaves inside": 4, "half-closes": 3, "falls silent": 0.4,
}  # fmt: skip
_TOOL: Final = {"type": "object", "properties": {"place": {"type": "string"}}}


def ask(number: int, chance: Random) -> Ask:
    """The request of this number; the same chance gives the same request."""
    endpoint = chance.choices(list(_ENDPOINTS), [weight for *_, weight in _ENDPOINTS.values()])[0]
    path, dialect, _ = _ENDPOINTS[endpoint]
    marker = f"MARK-{number:07d}-"
    secret = chance.choice(SECRETS) if chance.random() < 0.15 else ""
    text = _text(chance, marker, secret)
    image = chance.random() < 0.04 and endpoint in {"chat", "messages"}
    body, truth = _body(endpoint, text, chance, image=image)
    stream = bool(body.get("stream"))
    labelled = chance.random() < 0.1
    team = chance.choices(["search", "ads", "blocked", "nobody"], [70, 22, 4, 4])[0]
    speed = "batch" if chance.random() < 0.15 else "interactive"
    lasting = chance.random() < 0.5
    headers = {
        "host": "sidecar.internal",
        # First, so that whatever part of a request arrives somewhere says whose it is; under a name that reaches those that send on, too.
        "x-stainless-mark": marker,
        **_credential(team, dialect, chance),
        "content-type": "application/json",
        "x-ticket": f"n{number}",
        **({"x-data-class": "confidential"} if labelled else {}),
        **({"x-speed": "batch"} if speed == "batch" else {}),
        **({"anthropic-version": "2023-06-01"} if dialect == "anthropic" else {}),
        **({} if lasting else {"connection": "close"}),
    }
    raw = json.dumps(body).encode()
    malformed = None
    if chance.random() < 0.06:
        kind = chance.choice(list(MALFORMED))
        malformed = "identity" if team == "nobody" and MALFORMED[kind].behind_identity else kind
        method, path, headers, raw = spoil(kind, path, headers, raw)
        head = _head(method, path, headers, raw)
        lasting = False
    else:
        head = _head("POST", path + ("?beta=true" if endpoint == "messages" else ""), headers, raw)
        malformed = "identity" if team == "nobody" else None
    truth |= {
        "endpoint": endpoint,
        "speed": speed,
        "team": team,
        "ticket": f"n{number}",
        "header:x-data-class": "confidential" if labelled else None,
        "findings": frozenset({"secret", "secret.aws"}) if secret else frozenset(),
        "opaque": image,
        "stream": stream,
    }
    manner = chance.choices(list(MANNERS), list(MANNERS.values()))[0]
    if malformed is not None and manner != "patient":
        manner = "patient"
    tokens = (len(raw) // 40, len(raw) + 8192)
    confidential = bool(secret) or labelled or image
    return Ask(
        number, endpoint, dialect, stream, team, head, raw, truth, confidential, tokens, malformed, manner, lasting
    )  # fmt: skip


def _head(method: str, path: str, headers: dict[str, str], raw: bytes) -> bytes:
    lines = "".join(f"{name.rstrip('+')}: {value}\r\n" for name, value in headers.items())
    length = (
        "" if {"content-length", "transfer-encoding"} & headers.keys() else f"content-length: {len(raw)}\r\n"
    )
    return f"{method} {path} HTTP/1.1\r\n{lines}{length}\r\n".encode("latin-1")


def _credential(team: str, dialect: str, chance: Random) -> dict[str, str]:
    key = CALLERS.get(team, "key-of-nobody-at-all-00000")
    if dialect == "anthropic" and chance.random() < 0.5:
        return {"x-api-key": key}
    return {"authorization": f"Bearer {key}"}


def _text(chance: Random, marker: str, secret: str) -> str:
    """Between 1 KB and 1 MB, most of it small, with the secret somewhere inside."""
    size = int(1000 * 2 ** min(10.0, chance.expovariate(0.75)))
    words = " ".join(chance.choices(_WORDS, k=200))
    filler = (words + " ") * (size // len(words) + 1)
    at = chance.randrange(size) if secret else 0
    return f"{marker} {CANARY} {filler[:at]} {secret} {filler[at:size]} {marker}"


def _body(
    endpoint: str, text: str, chance: Random, *, image: bool
) -> tuple[dict[str, Any], dict[str, object]]:
    truth: dict[str, object] = {"tools": False, "json": False, "images": image}
    model = chance.choice(["gpt-5", "claude-opus-4-5", "qwen3", "rack", "nimbus"])
    stream = chance.random() < 0.5
    if endpoint == "embeddings":
        return {"model": model, "input": text}, truth
    if endpoint == "completions":
        return {"model": model, "prompt": text, "max_tokens": 50, "stream": stream}, truth
    if endpoint == "responses":
        return {
            "model": model,
            "input": text,
            "store": False,
            "max_output_tokens": 50,
            "stream": stream,
        }, truth
    body: dict[str, Any] = {"model": model, "messages": _messages(endpoint, text, chance, image=image)}
    if endpoint != "count_tokens":
        body |= {"max_tokens": 50, "stream": stream}
    if endpoint != "chat" and chance.random() < 0.3:
        body["system"] = "be brief"
    if chance.random() < 0.15:
        truth["tools"] = True
        named = {"name": "weather", "description": "the weather at a place"}
        body["tools"] = (
            [{"type": "function", "function": named | {"parameters": _TOOL}}] if endpoint == "chat" else [named | {"input_schema": _TOOL}]
        )  # fmt: skip
    return body, truth


def _messages(endpoint: str, text: str, chance: Random, *, image: bool) -> list[dict[str, Any]]:
    said: Any = text
    if image:
        picture = (
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PNG}"}}
            if endpoint == "chat"
            else {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": _PNG}}
        )
        said = [{"type": "text", "text": text}, picture]
    elif chance.random() < 0.3:
        said = [{"type": "text", "text": text}]
    turns = [{"role": "user", "content": said}]
    if chance.random() < 0.3:
        turns += [{"role": "assistant", "content": "so be it"}, {"role": "user", "content": "go on"}]
    return turns
