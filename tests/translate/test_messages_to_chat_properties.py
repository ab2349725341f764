"""Messages requests of every shape said as chat completions: every text kept, none added, and whatever comes said or lost.

There and back is `test_requests_properties`'s; here are failed results, images in results, hints and thinking besides.
"""

import copy
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from policyd.translate.loss import Loss
from policyd.translate.messages_to_chat import request
from policyd.translate.messages_to_chat_turns import FAILED

from .requests import IMAGE_BLOCKS, JSON, MESSAGES, TEXT_BLOCKS, WORDS, leaves

Json = dict[str, Any]

CACHED = st.sampled_from([{}, {"cache_control": {"type": "ephemeral", "ttl": "1h"}}])
SIGNATURES = st.sampled_from(["policyd:reasoning_content", "policyd:reasoning", "c2lnbmVk", ""])
THOUGHTS = st.builds(
    lambda words, signature: {"type": "thinking", "thinking": words, "signature": signature},
    WORDS,
    SIGNATURES,
) | st.just({"type": "redacted_thinking", "data": "c2VhbGVk"})
FIXED = {
    "text", "image_url", "user", "assistant", "tool", "system", "function", "auto", "none", "required", "default",
    FAILED,
}  # fmt: skip
SAID_OTHERWISE = {"any", "adaptive", "disabled", "standard_only", "custom", "tool_use", "tool_result", "image", "base64", "url"}  # fmt: skip


@st.composite
def further(draw: st.DrawFn) -> Json:
    """A request with what has no way back."""
    body = copy.deepcopy(draw(MESSAGES))
    for message in body["messages"]:
        if not isinstance(message["content"], list):
            continue
        for block in message["content"]:
            block.update(draw(CACHED))
            if block["type"] == "tool_result":
                if draw(st.booleans()):
                    block["content"] = draw(st.lists(TEXT_BLOCKS | IMAGE_BLOCKS, max_size=3))
                block["is_error"] = draw(st.sampled_from([True, False, None]))
        if message["role"] == "assistant":
            message["content"] = draw(st.lists(THOUGHTS, max_size=2)) + message["content"]
    return body


FURTHER = further()


def dropped(body: Json) -> set[str]:
    """The texts of thinking that stays behind, of signatures and of hints."""
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    out = {"ephemeral", "1h", "thinking", "redacted_thinking"}
    for block in blocks:
        out |= {block[key] for key in ("signature", "data") if key in block}
        if block["type"] == "thinking" and not block["signature"].startswith("policyd:"):
            out.add(block["thinking"])
    return out


@given(FURTHER)
def test_every_text_is_said_and_no_other(body: Json) -> None:
    said = request(body)
    assert isinstance(said, dict), said
    before, after = leaves(body), leaves(said)
    whole = "\n".join(after)
    unsaid = {text for text in before - after - FIXED - SAID_OTHERWISE - dropped(body) if text not in whole}
    assert unsaid == set()
    added = {text.removeprefix(FAILED) for text in after - FIXED} - before - {""}
    joined = {m.get(key) for m in said["messages"] for key in ("reasoning_content", "reasoning")}
    assert {text for text in added - joined if not text.startswith("[image ")} == set()


@given(FURTHER)
def test_no_signature_and_nothing_encrypted_is_sent(body: Json) -> None:
    raw = orjson.dumps(request(body))
    assert b"c2lnbmVk" not in raw and b"c2VhbGVk" not in raw and b"policyd:" not in raw


@given(FURTHER)
def test_the_order_of_calls_and_results_stays(body: Json) -> None:
    said: Any = request(body)
    blocks = [b for m in body["messages"] if isinstance(m["content"], list) for b in m["content"]]
    uses = [b["id"] for b in blocks if b["type"] == "tool_use"]
    results = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
    assert [c["id"] for m in said["messages"] for c in m.get("tool_calls", [])] == uses
    assert [m["tool_call_id"] for m in said["messages"] if m["role"] == "tool"] == results


KEYS = st.sampled_from([
    "model", "messages", "system", "max_tokens", "stream", "stop_sequences", "temperature", "top_p", "tools", "tool_choice",
    "thinking", "output_config", "output_format", "metadata", "service_tier", "speed", "cache_control", "context_management",
    "role", "content", "type", "text", "source", "data", "media_type", "url", "id", "name", "input", "tool_use_id", "is_error",
    "signature", "citations", "caller", "input_schema", "effort", "format", "schema", "edits", "user_id",
])  # fmt: skip
LEAVES = JSON | st.sampled_from(["user", "assistant", "system", "text", "image", "tool_use", "tool_result", "thinking", "base64"])  # fmt: skip
ANYTHING = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20)  # fmt: skip


@given(FURTHER, st.dictionaries(KEYS, ANYTHING, max_size=2), st.data())
def test_whatever_comes_is_said_or_lost(body: Json, more: Json, data: st.DataObject) -> None:
    body |= more
    if isinstance(body["messages"], list) and data.draw(st.booleans()):
        body["messages"] = [*body["messages"][:-1], data.draw(ANYTHING), *body["messages"][-1:]]
    before = copy.deepcopy(body)
    assert isinstance(request(body), dict | Loss)
    assert body == before
