"""Content parts that are not plain text, whatever endpoint they stand in: images, files, audio, encrypted blocks, and
keys that a shape does not have.

Comes in: a draft, a value, its place. Goes out: flags on the draft. The one idea: what cannot be read is said to be
opaque, and what names content elsewhere says so too; the walk over all strings does the rest.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from policyd.traffic.image_sizes import size_of
from policyd.traffic.images import most_in_openai
from policyd.traffic.reach import check_spelling, is_set
from policyd.traffic.reading import Draft, Flag
from policyd.traffic.text_files import charset_of, text_of_base64, text_of_file

__all__ = [
    "ENCODED",
    "WORDS",
    "audio",
    "charset_of",
    "encrypted",
    "file_data",
    "image",
    "image_url",
    "is_data",
    "is_url",
    "loose_keys",
    "remote",
    "server_held",
    "text_of_base64",
    "thinking",
]


def loose_keys(draft: Draft, value: Mapping[str, Any], known: frozenset[str], place: str) -> None:
    """Keys that this shape does not have. Their text is scanned like all text; a list or an object could mean anything
    to the server, a string that is a URL could be fetched and one in base64 be decoded, so those make the request opaque."""
    for key, item in value.items():
        if type(item) in SHAPES and key in WORDS:
            draft.opaque(place)
            draft.uncountable()
    if value.keys() <= known:
        return
    for key, item in value.items():
        if key in known:
            continue
        draft.unknown(place, key)
        check_spelling(draft, key, f" in `{place}`")
        if isinstance(item, dict | list):
            if item:
                draft.opaque(place)
                draft.uncountable()
        elif isinstance(item, str) and is_url(item):
            if is_data(item):
                draft.opaque(place)
                draft.uncountable()
            else:
                remote(draft, place)
        elif isinstance(item, str) and ENCODED.fullmatch(item):
            draft.opaque(place)
            draft.uncountable()


WORDS: Final = frozenset({
    "type", "role", "id", "name", "title", "context", "phase", "status", "call_id", "tool_use_id", "tool_call_id", "signature",
    "namespace", "server_label", "server_name", "toolset_name", "tool_name", "filename", "media_type", "uuid", "url", "file_id",
    "refusal", "container_id", "hash", "user", "safety_identifier", "prompt_cache_key", "service_tier", "truncation",
    "suffix", "instructions",
})  # fmt: skip
"""Keys whose values are words in every shape that has them. An object there is a shape that nobody documents."""

SHAPES: Final = frozenset({dict, list})

ENCODED: Final = re.compile(r"[A-Za-z0-9+/_=\r\n-]{256,}")
"""A string of this shape could be a file, an image, a tensor or an encrypted block."""


def is_url(text: str) -> bool:
    """Whether a server could take this string for a place to fetch from, or for embedded data."""
    head = text[:48].lstrip().lower()
    return "://" in head or head.startswith(("data:", "//"))


def is_data(text: str) -> bool:
    """Whether a URL holds the content itself."""
    return text[:48].lstrip().lower().startswith("data:")


def remote(draft: Draft, place: str) -> None:
    """The server would fetch this."""
    draft.flag(Flag.REMOTE_CONTENT, place)
    draft.opaque(place)
    draft.uncountable()


def server_held(draft: Draft, place: str) -> None:
    """The server holds this already: a file id, an item id, a container."""
    draft.flag(Flag.STORED, place)
    draft.opaque(place)
    draft.uncountable()


def thinking(draft: Draft, text: object, signature: object, place: str) -> None:
    """Thinking with its text is scanned, and its signature vouches for that text. Without the text, the signature is all
    there is of it, and only the vendor can read that."""
    draft.flag(Flag.REASONING, place)
    if not isinstance(text, str) or not text.strip():
        encrypted(draft, signature, f"{place}.signature")


def encrypted(draft: Draft, value: object, place: str) -> None:
    """A block that only the vendor can read. It costs tokens like the text inside it."""
    if is_set(value):
        draft.opaque(place)
        draft.seal(value)
        if isinstance(value, str):
            draft.extra_tokens += len(value) // 4 + 1


def image(draft: Draft, place: str, *, size: tuple[int, int] | None = None, detail: object = None) -> None:
    """An image of any origin, in OpenAI's dialect."""
    draft.flag(Flag.IMAGES, place)
    draft.opaque(place)
    draft.picture(size, detail, most_in_openai(size, detail))


MARKUP: Final = re.compile(r"(?i)data:(?:text/|[^;,]*(?:xml|json|csv|yaml))")
"""What is called an image and is text: it is opaque and scanned all the same."""


def image_url(draft: Draft, value: object, place: str, *, detail: object = None) -> None:
    """An image by URL; a `data:` URL holds the image itself."""
    if isinstance(value, dict):
        detail = value.get("detail", detail)
    url = value.get("url") if isinstance(value, dict) else value
    size = size_of(url) if isinstance(url, str) and url.startswith("data:") else None
    image(draft, place, size=size, detail=detail)
    if isinstance(value, dict):
        loose_keys(draft, value, frozenset({"url", "detail", "format", "file_id"}), place)
        if is_set(value.get("file_id")):
            server_held(draft, f"{place}.file_id")
        value = value.get("url")
    if isinstance(value, str):
        if value.startswith("data:"):
            text = text_of_file(value, None)[0] if MARKUP.match(value) else None
            if text is not None:
                draft.decoded(text)
            draft.seal(value)
        elif value:
            draft.flag(Flag.REMOTE_CONTENT, place)
    elif value is not None:
        draft.wrong_shape(place, "a URL as a string, or an object with a `url`")


def audio(draft: Draft, value: object, place: str) -> None:
    """Audio or video in the request: nobody reads it here."""
    draft.opaque(place)
    draft.uncountable()
    if isinstance(value, dict):
        for key in ("data", "url"):
            item = value.get(key)
            if isinstance(item, str) and is_url(item) and not item.startswith("data:"):
                draft.flag(Flag.REMOTE_CONTENT, place)
            elif key == "data" or (isinstance(item, str) and item.startswith("data:")):
                draft.seal(item)
    elif isinstance(value, str) and is_url(value) and not value.startswith("data:"):
        draft.flag(Flag.REMOTE_CONTENT, place)


def file_data(draft: Draft, data: object, media: str | None, place: str) -> None:
    """A file in the request, as base64 or as a `data:` URL. Text is decoded and scanned; anything else is opaque, and
    counts as images because servers show its pages as images."""
    if not isinstance(data, str):
        draft.wrong_shape(place, "a string")
        return
    text, is_text = text_of_file(data, media)
    if text is not None:
        draft.decoded(text)
    if not is_text:
        image(draft, place)
        draft.uncountable()
    if text is not None or data.startswith("data:") or _looks_encoded(data):
        draft.seal(data)


def _looks_encoded(data: str) -> bool:
    return not any(c.isspace() for c in data[:256])
