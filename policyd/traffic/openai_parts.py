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
    thinking,
)
from policyd.traffic.reach import check_cache, is_set
from policyd.traffic.reading import Draft, Flag
from policyd.traffic.text_files import media_of_name

__all__ = ["PART_KEYS", "read_annotations", "read_content", "read_nested", "read_part"]

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
        draft.unknown(place, "type")
        loose_keys(draft, part, COMMON, place)
        return
    draft.extra_tokens += 3
    loose_keys(draft, part, known, place)
    check_cache(draft, part, place)
    if is_set(part.get("annotations")):
        read_annotations(draft, part["annotations"], f"{place}.annotations")
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
            thinking(draft, part.get("thinking"), part.get("signature"), place)
        case "reasoning_text" | "summary_text":
            draft.flag(Flag.REASONING, place)
        case "encrypted_content":
            encrypted(draft, part.get("encrypted_content"), place)
        case _:
            text = part.get("refusal" if kind == "refusal" else "text")
            if text is not None and not isinstance(text, str):
                draft.wrong_shape(f"{place}.{'refusal' if kind == 'refusal' else 'text'}", "a string")


CITATIONS: Final = frozenset({"url_citation", "file_citation", "container_file_citation", "file_path"})
"""Annotations that say where an answer comes from. No server reads content from them."""

CITED: Final = frozenset({
    "type", "url", "title", "start_index", "end_index", "index", "file_id", "filename", "container_id", "content", "url_citation",
    "file_citation", "file_path",
})  # fmt: skip


def read_annotations(draft: Draft, annotations: object, place: str) -> None:
    """What a message's annotations hold: citations, or a gateway's copy of a file that it parsed, with its pages."""
    if not isinstance(annotations, list):
        draft.wrong_shape(place, "a list")
        return
    for index, annotation in enumerate(annotations):
        at = f"{place}[{index}]"
        kind = annotation.get("type") if isinstance(annotation, dict) else None
        if not isinstance(annotation, dict):
            draft.wrong_shape(at, "an object")
        elif kind == "file" and isinstance(annotation.get("file"), dict):
            loose_keys(draft, annotation, COMMON | {"file"}, at)
            loose_keys(draft, annotation["file"], frozenset({"hash", "name", "content"}), f"{at}.file")
            read_content(draft, annotation["file"].get("content"), f"{at}.file.content")
        elif isinstance(kind, str) and kind in CITATIONS:
            loose_keys(draft, annotation, CITED, at)
            read_nested(draft, list(annotation.values()), at)
        else:
            draft.opaque(at)
            draft.uncountable()
            read_nested(draft, annotation, at)


def read_nested(draft: Draft, value: object, place: str) -> None:
    """Free-form values, such as a tool's output: an object in them with the type of a part is that part, and an object with
    the keys of an image or a file is one, whatever its type."""
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, list):
            stack.extend(entry for entry in item if isinstance(entry, dict | list))
        elif isinstance(item, dict):
            if item.get("type") in _READ_INSIDE or not item.keys().isdisjoint(CONTENT_KEYS):
                read_part(draft, item, place)
            stack.extend(entry for entry in item.values() if isinstance(entry, dict | list))


_READ_INSIDE: Final = [
    kind for kind in PART_KEYS if kind not in ("text", "input_text", "output_text", "summary_text", "reasoning_text", "refusal")
]  # fmt: skip
CONTENT_KEYS: Final = frozenset(
    {"image_url", "audio_url", "video_url", "input_audio", "file_data", "file_url"}
)


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
        file_data(draft, file["file_data"], media_of_name(file.get("filename")), f"{place}.file_data")
