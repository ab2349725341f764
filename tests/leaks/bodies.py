"""The JSON body of a request with given flags, in the dialect of its endpoint.

In come an endpoint and what the request is to be; out goes the body as an object, in the shapes that the vendors document.
It is written apart from the readers of `policyd.traffic`, which have to find the same in it.
"""

from dataclasses import dataclass
from typing import Any, Final

__all__ = ["PATHS", "Wanted", "body_of"]

PATHS: Final = {
    "chat": "/v1/chat/completions",
    "completions": "/v1/completions",
    "responses": "/v1/responses",
    "embeddings": "/v1/embeddings",
    "messages": "/v1/messages",
    "count_tokens": "/v1/messages/count_tokens",
}

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
PAGE: Final = "https://pages.example/one"
SCHEMA: Final = {"type": "object", "properties": {"city": {"type": "string"}}}


@dataclass(frozen=True, slots=True)
class Wanted:
    """`flags` by their names in a policy. `answer`: the most tokens of the answer, None where the caller sets none.
    `countable`: whether the number of the prompt's tokens can be known."""

    endpoint: str
    model: str
    flags: frozenset[str]
    messages: int
    answer: int | None
    countable: bool
    text: str


def body_of(wanted: Wanted) -> dict[str, Any]:
    """The body; whether it really is what was wanted is for the proxy to say."""
    body: dict[str, Any] = {"model": wanted.model} if wanted.model else {}
    if wanted.endpoint in {"messages", "count_tokens"}:
        body |= _anthropic(wanted)
    elif wanted.endpoint in {"completions", "embeddings"}:
        body |= _plain_text(wanted)
    else:
        body |= _openai(wanted)
    flags = wanted.flags
    if "stream" in flags:
        body["stream"] = True
    if "server_tools" in flags:
        body["web_search_options"] = {}
    if wanted.endpoint == "responses":
        # Here it is kept unless one says otherwise.
        body |= {} if "stored" in flags else {"store": False}
    elif "stored" in flags:
        body["store"] = True
    if "remote_content" in flags and not _by_image(wanted):
        body["page"] = PAGE
    if not wanted.countable and not ("remote_content" in flags and not _by_image(wanted)):
        body["multimodal_data"] = {"audio": "sealed"}
    if wanted.answer is not None and wanted.endpoint not in {"embeddings", "count_tokens"}:
        body["max_output_tokens" if wanted.endpoint == "responses" else "max_tokens"] = wanted.answer
    return body


def _by_image(wanted: Wanted) -> bool:
    """Whether what is fetched is the image itself."""
    return {"remote_content", "images"} <= wanted.flags and wanted.endpoint in {
        "chat",
        "responses",
        "embeddings",
    }


def _url(wanted: Wanted) -> str:
    return PAGE + ".png" if _by_image(wanted) else "data:image/png;base64," + PNG


def _anthropic(wanted: Wanted) -> dict[str, Any]:
    flags = wanted.flags
    blocks: list[dict[str, Any]] = [{"type": "text", "text": wanted.text}]
    if "images" in flags:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        blocks.append({"type": "image", "source": source})
    if _sealed(wanted):
        blocks.append({"type": "compaction", "encrypted_content": "sealed"})
    body = _conversation(wanted, blocks, "system")
    if "tools" in flags:
        body["tools"] = [{"name": "weather", "description": "of a city", "input_schema": SCHEMA}]
    if "json" in flags:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if "reasoning" in flags:
        body["thinking"] = {"type": "enabled", "budget_tokens": 1024}
    return body


def _openai(wanted: Wanted) -> dict[str, Any]:
    """Chat completions and responses, whose parts have other names and nothing else."""
    flags, responses = wanted.flags, wanted.endpoint == "responses"
    parts: list[dict[str, Any]] = [{"type": "input_text" if responses else "text", "text": wanted.text}]
    if "images" in flags:
        url = _url(wanted)
        parts.append(
            {"type": "input_image", "image_url": url, "detail": "low"}
            if responses
            else {"type": "image_url", "image_url": {"url": url, "detail": "low"}}
        )
    if _sealed(wanted):
        parts.append({"type": "encrypted_content", "encrypted_content": "sealed"})
    if responses:
        body = _conversation(wanted, parts, "instructions", "input")
    else:
        body = _conversation(wanted, parts, "prediction")
    body |= _openai_settings(flags)
    if "json" in flags and responses:
        body["text"] = {"format": body.pop("response_format")}
    return body


def _plain_text(wanted: Wanted) -> dict[str, Any]:
    """Completions and embeddings: a text or texts. A list of numbers stands for text that only the target can read."""
    key = "prompt" if wanted.endpoint == "completions" else "input"
    texts: list[Any] = [wanted.text, *["more"] * (wanted.messages - 1)]
    body: dict[str, Any] = {
        key: [*texts, [9906, 1917]] if _sealed(wanted) else texts[0] if len(texts) == 1 else texts
    }
    if "images" in wanted.flags and wanted.endpoint == "embeddings":
        part = {"type": "image_url", "image_url": {"url": _url(wanted), "detail": "low"}}
        body["messages"] = [{"role": "user", "content": [part]}]
    elif "images" in wanted.flags:
        body["images"] = [PNG]
    return body | _openai_settings(wanted.flags)


def _openai_settings(flags: frozenset[str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if "tools" in flags:
        body["tools"] = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    if "json" in flags:
        body["response_format"] = {"type": "json_object"}
    if "reasoning" in flags:
        body["reasoning_effort"] = "high"
    return body


def _sealed(wanted: Wanted) -> bool:
    """Whether only a block that nobody but the vendor can read makes the request opaque."""
    return "opaque" in wanted.flags and wanted.countable and not wanted.flags & {"images", "remote_content"}


def _conversation(
    wanted: Wanted, parts: list[dict[str, Any]], aside: str, key: str = "messages"
) -> dict[str, Any]:
    """The parts in the first message, and where there is to be none, in the prompt's other place."""
    if wanted.messages == 0:
        if aside == "prediction":
            return {key: [], aside: {"type": "content", "content": parts}}
        return {key: [], aside: wanted.text if aside == "instructions" and len(parts) == 1 else parts}
    content = wanted.text if len(parts) == 1 else parts
    more = [{"role": "user", "content": "go on"}] * (wanted.messages - 1)
    return {key: [{"role": "user", "content": content}, *more]}
