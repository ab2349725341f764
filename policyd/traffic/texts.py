"""All the text of a parsed body.

Comes in: the body, the strings that a reader sealed (by identity), the attachments that it decoded. Goes out: texts.

The one idea: collect everything and leave out only what a reader named, so that a shape nobody has thought of is still
scanned. What a plain walk would miss is added: whole numbers long enough to be a card number, the JSON that stands inside a
string of JSON (a tool call's arguments, where escapes could hide a key), and the contexts of each text: its object as JSON,
and the seams to the texts before and after it, where a secret may be cut in two (`contexts`).

Not here: what the text contains (`detect`), and images, which nobody reads.
"""

from collections.abc import Mapping
from typing import Any, Final

import orjson

from policyd.traffic.contexts import compact, neighbours, number_row, outlines, seams

__all__ = ["collect_texts", "counted_texts"]

SHORT: Final = 24
"""Strings up to this length are collected once each, in one text, a line each."""

SMALL: Final = 1024
"""Seams up to this length stand in the text of short strings."""

LONG_NUMBER: Final = 10**11
"""A whole number from here on has the 12 digits that a card number needs."""

INNER_DEPTH: Final = 3
"""How often JSON inside a string of JSON is unpacked, wherever a string holds a whole JSON document with escapes in it."""


def collect_texts(
    body: Mapping[str, Any], sealed: frozenset[int], decoded: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Every text of the body, in an order that depends on nothing but the body."""
    out: list[str] = list(decoded)
    short: dict[str, None] = {}
    _collect(body, sealed, out, short, 0)
    if decoded:
        out.extend(seams(list(decoded)))
        for text in decoded:
            found = _inner_json(text)
            if found is not None:
                out.append(compact(found))
                _collect(found, frozenset(), out, short, 1)
    out.extend(outlines(body, sealed))
    # What is short shares a text, because each text costs the detectors a look-up.
    small = list(short)
    for seam in neighbours(body, sealed):
        (small if len(seam) <= SMALL else out).append(seam)
    if small:
        out.append("\n".join(small))
    return tuple(out)


def _collect(
    root: object, sealed: frozenset[int], out: list[str], short: dict[str, None], inner: int
) -> None:
    stack: list[object] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if len(value) <= SHORT:
                short[value] = None
            elif id(value) not in sealed:
                out.append(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if len(key) <= SHORT:
                    short[key] = None
                else:
                    out.append(key)
                if isinstance(item, str):
                    if len(item) <= SHORT:
                        short[item] = None
                        if "\\" not in item:
                            continue
                    elif id(item) in sealed:
                        continue
                    else:
                        out.append(item)
                    if inner < INNER_DEPTH and "\\" in item:
                        found = _inner_json(item)
                        if found is not None:
                            out.append(compact(found))
                            _collect(found, frozenset(), out, short, inner + 1)
                elif item is not None and item is not True and item is not False:
                    stack.append(item)
        elif isinstance(value, list):
            if len(value) > 1:
                out.extend(seams(_parts(value)))
                row = number_row(value)
                if row is not None:
                    short[row] = None
            stack.extend(reversed(value))
        elif isinstance(value, int) and (value >= LONG_NUMBER or value <= -LONG_NUMBER):
            out.append(str(value))
        elif isinstance(value, float) and abs(value) >= LONG_NUMBER:
            out.append(f"{value:.0f}")


def _inner_json(text: str) -> object | None:
    if text.lstrip()[:1] not in {"{", "[", '"'}:
        return None
    try:
        found: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return found


def _parts(value: list[Any]) -> list[str]:
    """The own texts of a list's elements: the element itself, or its `text`."""
    parts = []
    for item in value:
        text = item.get("text") if isinstance(item, dict) else item
        if isinstance(text, str) and text:
            parts.append(text)
    return parts


SETTINGS: Final = frozenset({
    "model", "stream", "stream_options", "metadata", "user", "safety_identifier", "store", "include", "service_tier",
    "prompt_cache_key", "prompt_cache_retention", "prompt_cache_options", "betas", "container", "mcp_servers",
    "previous_response_id", "conversation", "logit_bias", "truncation", "client_metadata", "stop", "stop_sequences",
})  # fmt: skip
"""Top-level keys that no model reads."""

WALKED: Final = frozenset({"messages", "input", "system", "instructions", "prompt", "suffix", "documents"})
"""Top-level keys whose strings are counted one by one; every other value is counted as JSON, as servers show it."""

FRAMING: Final = frozenset({
    "type", "id", "call_id", "tool_use_id", "tool_call_id", "status", "cache_control", "media_type", "detail",
    "prompt_cache_breakpoint", "signature", "phase",
})  # fmt: skip
"""Keys inside messages whose short strings a model does not read as such; the framing constant covers them."""

LONGEST_FRAMING: Final = 128

ROLES: Final = frozenset(
    {"system", "developer", "user", "assistant", "tool", "function", "critic", "discriminator"}
)
"""Roles that the framing constant covers. A role of any other name is shown to the model as it is."""

AS_JSON: Final = frozenset(
    {"input", "arguments", "parameters", "input_schema", "schema", "tools", "action", "definition"}
)
"""Keys inside messages whose objects are shown to a model as JSON."""


def counted_texts(
    body: Mapping[str, Any], sealed: frozenset[int], decoded: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The texts whose tokens make the prompt. What is uncertain is counted."""
    out: list[str] = list(decoded)
    for key, value in body.items():
        if key in SETTINGS or value is None or isinstance(value, bool | int | float):
            continue
        if key in WALKED:
            _count(value, sealed, out)
        elif not isinstance(value, str) or len(value) > SHORT:
            out.append(_as_json(value))
    return tuple(out)


def _count(root: object, sealed: frozenset[int], out: list[str]) -> None:
    stack: list[object] = [root]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            if value and id(value) not in sealed:
                out.append(value)
        elif isinstance(value, dict):
            for key, item in value.items():
                if item is None or item is True or item is False:
                    continue
                if isinstance(item, str) and (
                    len(item) <= LONGEST_FRAMING if key in FRAMING else key == "role" and item in ROLES
                ):
                    continue
                if key in AS_JSON and not isinstance(item, str):
                    out.append(_as_json(item))
                else:
                    stack.append(item)
        elif isinstance(value, list):
            stack.extend(value)
        elif isinstance(value, int | float):
            out.append(str(value))


def _as_json(value: object) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
