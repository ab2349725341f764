"""A parsed body with its words changed and its structure as it was.

In come a body, what changes a string, and the strings that a reader sealed; out goes a body that shares with the old one all
that did not change. The one idea: structure is told by the key that a string stands under (`places`), and everything else
is words. A file of text in base64 is unpacked, changed and packed again.
"""

import base64
from collections.abc import Mapping
from typing import Any

from policyd.redact.places import FREE, WHOLE, is_sealed_thought, is_structure
from policyd.redact.swap import Swaps
from policyd.traffic.parts import charset_of, text_of_base64

__all__ = ["swapped_body"]


def swapped_body(body: Mapping[str, Any], swaps: Swaps) -> dict[str, Any]:
    """The body; the very objects where nothing was changed in them."""
    walk = _Walk(swaps)
    return {key: walk.value(value, key, body, free=False) for key, value in body.items()}


class _Walk:
    __slots__ = ("_swaps",)

    def __init__(self, swaps: Swaps) -> None:
        self._swaps = swaps

    def value(self, value: Any, key: str, parent: Mapping[str, Any], *, free: bool) -> Any:
        if isinstance(value, str):
            return self._string(value, key, parent, free=free)
        if not free and key in WHOLE:
            return value
        free = free or key in FREE
        if isinstance(value, dict):
            return self._object(value, free=free)
        if isinstance(value, list):
            items = [self.value(item, key, parent, free=free) for item in value]
            return value if all(map(_same, items, value)) else items
        if free and isinstance(value, int | float) and not isinstance(value, bool):
            return self._swaps.number(value) or value
        return value

    def _object(self, value: dict[str, Any], *, free: bool) -> dict[str, Any]:
        if not free and is_sealed_thought(value):
            return value
        out: dict[str, Any] = {}
        changed = False
        for name, item in value.items():
            # An object as `input` is a tool's; as a list or a string it is what a model is asked.
            own = free or (name == "input" and isinstance(item, dict))
            swapped = self.value(item, name, value, free=own)
            put = self._swaps.text(name) if free or not is_structure(name) else name
            # Two keys must not become one.
            put = name if put in out or (put != name and put in value) else put
            changed = changed or put != name or not _same(swapped, item)
            out[put] = swapped
        return out if changed else value

    def _string(self, value: str, key: str, parent: Mapping[str, Any], *, free: bool) -> str:
        if not free:
            if key == "file_data" or (key == "data" and parent.get("type") == "base64"):
                return self._file(value)
            if is_structure(key):
                return value
        return self._swaps.text(value)

    def _file(self, data: str) -> str:
        """A file of text; any other stays as it is."""
        head, comma, payload = data.partition(",") if data.startswith("data:") else ("", "", data)
        charset: str | None = "utf-8"
        if comma:
            parameters = head[5:].split(";")[1:]
            encoded = bool(parameters) and parameters[-1].strip().lower() == "base64"
            charset = charset_of(parameters) if encoded else None
        text = text_of_base64(payload, charset) if payload and charset is not None else None
        if text is None or charset is None:
            return data
        swapped = self._swaps.text(text)
        return data if swapped is text else head + comma + base64.b64encode(swapped.encode(charset)).decode()


def _same(new: Any, old: Any) -> bool:
    return new is old
