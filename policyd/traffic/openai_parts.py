"""Messages' content in OpenAI's dialects: a string, or a list of parts by type.

One table serves chat completions and responses: model servers take the parts of either at both.
"""

from typing import Any, Final

from policyd.traffic.parts import (
    audio,
    encrypted,
    file_data,
    image,
    image_url,
    loose_keys,
    remote,
    server_held,
)
from policyd.traffic.reach import is_set
from policyd.traffic.reading import Draft, Flag

__all__ = ["PART_KEYS", "read_content", "read_part"]

COMMON: Final = frozenset({"type", "cache_control", "prompt_cache_breakpoint"})

PART_KEYS: Final[dict[str, frozenset[str]]] = {
    "text": COMMON | {"text", "annotations", "logprobs", "id"},
    "input_text": COMMON | {"text"},
    "output_text": COMMON | {"text", "annotations", "logprobs"},
    "summary_text": COMMON | {"text"},
    "reasoning_text": COMMON | {"text"},
    "refusal": COMMON | {"refusal"},
    "thinking": COMMON | {"thinking", "signature"},
    "image_url": COMMON | {"image_url", "uuid"},
    "input_image": COMMON | {"image_url", "file_id", "detail"},
    "computer_screenshot": COMMON | {"image_url", "file_id", "detail"},
    "input_audio": COMMON | {"input_audio"},
    "audio_url": COMMON | {"audio_url", "uuid"},
    "video_url": COMMON | {"video_url", "uuid"},
    "file": COMMON | {"file"},
    "input_file": COMMON | {"file_data", "file_id", "file_url", "filename", "detail"},
    "encrypted_content": COMMON | {"encrypted_content"},
}
"""Every known part and its keys. A type that is not here makes the request opaque."""

FILE_KEYS: Final = PART_KEYS["input_file"]


def read_content(draft: Draft, content: object, place: str) -> None:
    """A message's content: null, a string, or a list of parts."""
    if content is None or isinstance(content, str):
        return
    if not isinstance(content, list):
        draft.wrong_shape(place, "a string or a list of parts")
        return
    for index, part in enumerate(content):
        read_part(draft, part, f"{place}[{index}]")


def read_part(draft: Draft, part: Any, place: str) -> None:
    """One part. Some servers take bare strings, or guess the type from the keys when there is none."""
    if isinstance(part, str):
        return
    if not isinstance(part, dict):
        draft.wrong_shape(place, "an object with a `type`")
        return
    kind = part.get("type")
    known = PART_KEYS.get(kind) if isinstance(kind, str) else None
    if known is None:
        draft.opaque(place)
        draft.uncountable()
        if any("image" in key for key in part) or (isinstance(kind, str) and "image" in kind):
            image(draft, place)
        loose_keys(draft, part, COMMON, place)
        return
    draft.extra_tokens += 3
    loose_keys(draft, part, known, place)
    match kind:
        case "image_url":
            image_url(draft, part.get("image_url"), place)
        case "input_image" | "computer_screenshot":
            image_url(draft, part.get("image_url"), place, detail=part.get("detail"))
            if is_set(part.get("file_id")):
                server_held(draft, place)
        case "input_audio" | "audio_url" | "video_url":
            audio(draft, part.get(kind), place)
            if kind == "video_url":
                image(draft, place)
        case "file":
            _file(draft, part.get("file"), f"{place}.file")
        case "input_file":
            _file(draft, part, place)
        case "thinking":
            draft.flag(Flag.REASONING, place)
        case "reasoning_text" | "summary_text":
            draft.flag(Flag.REASONING, place)
        case "encrypted_content":
            encrypted(draft, part.get("encrypted_content"), place)
        case _:
            text = part.get("refusal" if kind == "refusal" else "text")
            if text is not None and not isinstance(text, str):
                draft.wrong_shape(f"{place}.{'refusal' if kind == 'refusal' else 'text'}", "a string")


def _file(draft: Draft, file: object, place: str) -> None:
    if not isinstance(file, dict):
        draft.wrong_shape(place, "an object")
        return
    loose_keys(draft, file, FILE_KEYS | {"format"}, place)
    if is_set(file.get("file_id")):
        server_held(draft, f"{place}.file_id")
    if is_set(file.get("file_url")):
        remote(draft, f"{place}.file_url")
    if is_set(file.get("file_data")):
        file_data(draft, file["file_data"], _media_of(file.get("filename")), f"{place}.file_data")


def _media_of(filename: object) -> str | None:
    """The media type of a file that says only its name."""
    if isinstance(filename, str) and filename.lower().endswith(
        (".txt", ".md", ".csv", ".json", ".html", ".xml")
    ):
        return "text/plain"
    return None
