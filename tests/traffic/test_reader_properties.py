"""Readers, whatever they are given: they answer, and no text of a request escapes both the scan and the flag `opaque`."""

import base64
import binascii
from itertools import pairwise
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from policyd.traffic.anthropic_messages import BLOCKS
from policyd.traffic.contexts import SEAM, seams
from policyd.traffic.endpoints import EndpointName
from policyd.traffic.openai_parts import PART_KEYS
from policyd.traffic.openai_responses import ITEMS
from policyd.traffic.reach import REACH_KEYS, READ_KEYS
from policyd.traffic.read import read_request
from policyd.traffic.tools import CLIENT_TOOLS, EITHER, SERVER_TOOLS

LONG = st.text(alphabet="abAB01+/=", min_size=64, max_size=70)
KEYS = st.sampled_from(
    sorted(
        READ_KEYS
        | {row.key for row in REACH_KEYS}
        | {key for keys in PART_KEYS.values() for key in keys}
        | {key for _, keys in (*BLOCKS.values(), *ITEMS.values()) for key in keys}
        | {
            "effort",
            "enabled",
            "environment",
            "skills",
            "ttl",
            "tool_calls",
            "reasoning_details",
            "media_type",
        }
    )
) | st.text(max_size=4)
KINDS = sorted(
    set(ITEMS) | set(BLOCKS) | set(PART_KEYS) | CLIENT_TOOLS | SERVER_TOOLS | EITHER
    | {"base64", "url", "local", "none", "tool", "content", "tool_definition", "bash_20250124"}
)  # fmt: skip
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(KINDS)
    | st.sampled_from(
        [
            "https://x.example/a",
            "data:text/plain;base64,QUJD",
            "data:image/png;base64," + "iVBO" * 30,
            "text/plain",
        ]
    )
    | LONG
    | st.text(max_size=6)
)
JSON = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=5)
        | st.builds(
            lambda kind, rest: {"type": kind, **rest},
            st.sampled_from(KINDS),
            st.dictionaries(KEYS, inner, max_size=4),
        )
    ),
    max_leaves=25,
)
CONTENT = st.lists(JSON, max_size=4)
BODIES = (
    st.dictionaries(KEYS, JSON, max_size=6)
    | st.builds(
        lambda c, rest: {"messages": [{"role": "user", "content": c}], **rest},
        CONTENT,
        st.dictionaries(KEYS, JSON, max_size=2),
    )
    | st.builds(lambda c: {"input": c, "store": False}, CONTENT)
    | st.builds(lambda c: {"messages": [], "tools": c}, CONTENT)
)
ENDPOINTS = st.sampled_from(list(EndpointName))


def fresh(body: dict[str, Any]) -> dict[str, Any]:
    """The body as the parser gives it: no two strings are one object."""
    parsed: dict[str, Any] = orjson.loads(orjson.dumps(body))
    return parsed


def leaves(value: object) -> list[str]:
    if isinstance(value, dict):
        return [*value, *(leaf for item in value.values() for leaf in leaves(item))]
    if isinstance(value, list):
        return [leaf for item in value for leaf in leaves(item)]
    return [value] if isinstance(value, str) else []


def decoded(leaf: str) -> str | None:
    payload = leaf.partition(",")[2] if leaf.startswith("data:") else leaf
    try:
        return base64.b64decode(payload, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


@given(ENDPOINTS, BODIES)
def test_a_reader_answers_whatever_json_it_is_given(name: EndpointName, body: dict[str, Any]) -> None:
    reading = read_request(name, fresh(body))
    assert reading.messages >= 0
    assert reading.extra_tokens >= 0
    assert reading.max_output is None or reading.max_output >= 0
    assert all(isinstance(text, str) for text in (*reading.texts, *reading.prompt))


@given(ENDPOINTS, BODIES)
def test_every_string_is_scanned_or_the_request_is_opaque(name: EndpointName, body: dict[str, Any]) -> None:
    parsed = fresh(body)
    reading = read_request(name, parsed)
    if reading.opaque or reading.refused is not None:
        return
    for leaf in leaves(parsed):
        found = [leaf, decoded(leaf)]
        assert any(form is not None and form in text for form in found for text in reading.texts) or not leaf


@given(ENDPOINTS, BODIES)
def test_reading_is_a_function_of_the_body(name: EndpointName, body: dict[str, Any]) -> None:
    one, two = read_request(name, fresh(body)), read_request(name, fresh(body))
    assert (one.flags, one.texts, one.prompt, one.refused) == (two.flags, two.texts, two.prompt, two.refused)


@given(ENDPOINTS, BODIES)
def test_reading_does_not_change_the_body(name: EndpointName, body: dict[str, Any]) -> None:
    parsed = fresh(body)
    before = orjson.dumps(parsed)
    reading = read_request(name, parsed)
    assert (reading.texts, reading.prompt) is not None
    assert orjson.dumps(parsed) == before


@given(
    st.lists(
        st.sampled_from(["", "a", "bc" * 40, "<" + "d" * SEAM + ">", "(" + "e" * (3 * SEAM) + ")"]),
        max_size=12,
    )
)
def test_seams_hold_every_border_and_stay_linear(parts: list[str]) -> None:
    joined = list(seams(parts))
    for left, right in pairwise(parts):
        border = left[-20:] + right[:20]
        assert any(border in text for text in joined)
    assert sum(map(len, joined)) <= sum(2 * min(len(part), SEAM) for part in parts)


@given(st.text(min_size=2, max_size=60), st.data())
def test_a_text_cut_into_short_parts_is_put_together_again(text: str, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), min_size=1, max_size=8)))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert text in "".join(seams(parts))
